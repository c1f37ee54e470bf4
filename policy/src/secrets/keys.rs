//! Private keys: PEM and OpenPGP blocks with a body, and age identities whose
//! checksum is right. A header in prose, or a body left out, is none.

use super::scan::{Scan, is_word};
use super::words::is_masked;
use super::{Kind, Verdict, checksum};

/// Longer than an RSA key of 16384 bits.
const LONGEST: usize = 16 * 1024;
/// An Ed25519 key in PKCS#8 has 64.
const LEAST: usize = 56;

/// `-----BEGIN ` stands at `start`.
pub(super) fn pem(scan: &mut Scan<'_>, start: usize) {
    let label_start = start + 11;
    let label_end = scan
        .run_end(label_start, 60, |byte| byte.is_ascii_uppercase() || byte == b' ' || byte.is_ascii_digit());
    let label = scan.part(label_start..label_end);
    if !label.ends_with("PRIVATE KEY") && !label.ends_with("PRIVATE KEY BLOCK")
        || scan.ahead(label_end, 5) != b"-----"
    {
        return;
    }
    let body = label_end + 5;
    let ahead = scan.ahead(body, LONGEST);
    let close = memchr::memmem::find(ahead, b"-----").unwrap_or(ahead.len().min(LONGEST / 4));
    let end = scan.text.floor_char_boundary(body + close);
    let text = scan.part(body..end);
    if base64_in(text) >= LEAST {
        let whole = if scan.ahead(end, 8) == b"-----END" { end + 9 + label.len() + 5 } else { end };
        let whole = scan.text.floor_char_boundary(whole.min(scan.text.len()));
        let verdict = if is_encrypted(label, text) { Verdict::Doubtful } else { Verdict::Leaked };
        let kind = kind_of(scan, label, start);
        scan.add(start..whole, body..end, kind, verdict);
        scan.skip_to(end);
    }
}

fn kind_of(scan: &Scan<'_>, label: &str, start: usize) -> Kind {
    if label.starts_with("PGP") {
        return Kind::OpenPgpKey;
    }
    if label.starts_with("OPENSSH") {
        return Kind::SshKey;
    }
    let (_, around) = scan.around(start, 600);
    let google = around.contains("service_account") || around.contains("private_key_id");
    if google { Kind::GoogleServiceAccount } else { Kind::PrivateKey }
}

/// How many base64 digits the body has: whole lines of them, after headers. JSON and
/// programs write `\n` for the break, and comments have their mark before each line.
fn base64_in(body: &str) -> usize {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let mut digits = 0;
    for line in body.split('\n').flat_map(|line| line.split("\\n")) {
        let line = line.trim_matches(|c: char| c.is_whitespace() || "\"'`\\,;*#>|".contains(c));
        let line = line.strip_prefix("//").map_or(line, |rest| rest.trim_start_matches(['/', '!', ' ']));
        let line = line.trim_end_matches(['+', ' ', '"', '\'']);
        let is_body = line.bytes().all(is_digit) && !is_masked(line);
        if is_body {
            digits += line.len();
        } else if !line.contains(": ") {
            // Neither a header nor the body: an excerpt, or a sentence.
            break;
        }
    }
    digits
}

fn is_encrypted(label: &str, body: &str) -> bool {
    // An OpenSSH key names its cipher first; `none` in base64, after the magic.
    const OPEN: &str = concat!("b3BlbnNzaC1rZXktdjEA", "AAAABG5vbmU");
    label.starts_with("ENCRYPTED")
        || body.contains("4,ENCRYPTED")
        || (label.starts_with("OPENSSH") && !body.get(..200.min(body.len())).unwrap_or(body).contains(OPEN))
}

/// `AGE-SECRET-KEY-1` stands at `start`, in either case.
pub(super) fn age(scan: &mut Scan<'_>, start: usize) {
    let end = scan.run_end(start, 128, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let identity = scan.part(start..end);
    if !is_word(scan.before(start)) && identity.len() >= 70 && checksum::is_bech32(identity) {
        scan.add(start..end, start..end, Kind::AgeIdentity, Verdict::Leaked);
        scan.skip_to(end);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Place, find};
    use super::*;

    fn found(text: &str) -> Vec<(Kind, Verdict)> {
        find(text, Place::default()).iter().map(|secret| (secret.kind, secret.verdict)).collect()
    }

    fn block(label: &str, body: &str) -> String {
        format!("-----{} {label}-----\n{body}\n-----END {label}-----\n", "BEGIN")
    }

    #[test]
    fn keys_with_a_body() {
        let body = "MIIEowIBAAKCAQEA7Kq2mzRv\n".repeat(4);
        assert_eq!(found(&block("RSA PRIVATE KEY", &body)), [(Kind::PrivateKey, Verdict::Leaked)]);
        assert_eq!(found(&block("ENCRYPTED PRIVATE KEY", &body)), [(Kind::PrivateKey, Verdict::Doubtful)]);
        assert_eq!(
            found(&block("PGP PRIVATE KEY BLOCK", &format!("Version: x\n\n{body}"))),
            [(Kind::OpenPgpKey, Verdict::Leaked)]
        );
        assert_eq!(found(&block("OPENSSH PRIVATE KEY", &body)), [(Kind::SshKey, Verdict::Doubtful)]);
        let json = format!(
            "{{\"type\": \"service_account\", \"private_key\": \"{}\"}}",
            block("PRIVATE KEY", &body).replace('\n', "\\n")
        );
        assert_eq!(found(&json), [(Kind::GoogleServiceAccount, Verdict::Leaked)]);
    }

    #[test]
    fn headers_elided_bodies_and_public_keys_are_none() {
        for text in [
            block("RSA PRIVATE KEY", "..."),
            block("RSA PRIVATE KEY", "MIIEow...\nyour key here"),
            block("PUBLIC KEY", &"MIIEowIBAAKCAQEA7Kq2mzRv\n".repeat(4)),
            block("PRIVATE KEY", &"X".repeat(64)),
            "a file that starts with -----BEGIN PRIVATE KEY----- is a private key, and so never goes anywhere".to_owned(),
        ] {
            assert_eq!(found(&text), [], "{text}");
        }
    }

    #[test]
    fn an_age_identity_has_a_sound_checksum() {
        let data = "q7zry2x8gf0tvdw3s5jn4khce6mua".repeat(2)[..52].to_owned();
        let sum = checksum::bech32_sum("age-secret-key-", &data);
        let identity = format!("age-secret-key-1{data}{sum}").to_ascii_uppercase();
        assert_eq!(found(&identity), [(Kind::AgeIdentity, Verdict::Leaked)]);
        assert_eq!(found(&identity.replace("Q7", "Q8")), []);
        assert_eq!(found("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"), []);
    }
}
