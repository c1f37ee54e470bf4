//! Secrets under an encoding: JSON Web Tokens of Supabase, base64 in Kubernetes
//! secrets and elsewhere. What is decoded is judged as if it stood there.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::operand::{How, Value};
use super::place::Place;
use super::scan::Scan;
use super::{Kind, Verdict, one_a_line};

/// A key of 16384 bits in base64, twice encoded.
const LONGEST: usize = 16 * 1024;

/// `eyJ` stands at `start`. Of the tokens that PostgREST takes only `service_role`
/// passes row level security; `anon` is made to be published.
pub(super) fn jwt(scan: &mut Scan<'_>, start: usize) {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if is_digit(scan.before(start)) || scan.before(start) == b'.' {
        return;
    }
    let header = scan.run_end(start, 512, is_digit);
    if scan.byte(header) != b'.' {
        return;
    }
    let payload = scan.run_end(header + 1, 4096, is_digit);
    if scan.byte(payload) != b'.' {
        return;
    }
    let end = scan.run_end(payload + 1, 1024, is_digit);
    scan.skip_to(end);
    let Some(claims) = decode(scan.part(header + 1..payload).as_bytes()) else { return };
    // Whatever the others are: a key is one for all that.
    let Ok(claims) = serde_json::from_slice::<BTreeMap<String, &RawValue>>(&claims) else { return };
    let claim = |name: &str| {
        let value = claims.get(name).and_then(|value| serde_json::from_str::<String>(value.get()).ok());
        value.unwrap_or_default()
    };
    if claim("role") != "service_role" || end - payload < 21 {
        return;
    }
    // Self-hosted stacks start with keys that are the same everywhere.
    let verdict = if claim("iss").contains("demo") { Verdict::Development } else { Verdict::Leaked };
    scan.add(start..end, start..end, Kind::SupabaseServiceRole, verdict);
}

/// What looks like base64 of a URL or a key starts at `start`.
pub(super) fn base64(scan: &mut Scan<'_>, start: usize) {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    if is_digit(scan.before(start)) && scan.before(start) != b'=' || scan.depth > 1 {
        return;
    }
    let end = scan.run_end(start, LONGEST, is_digit);
    scan.skip_to(end);
    let Some(text) = decode(scan.part(start..end).as_bytes()).and_then(|bytes| String::from_utf8(bytes).ok())
    else {
        return;
    };
    let mut inner = Scan::new(&text, Place::default());
    inner.depth = scan.depth + 1;
    if let Some(worst) = one_a_line(&text, inner.run()).iter().max_by_key(|secret| secret.verdict) {
        scan.add(start..end, start..end, worst.kind, worst.verdict);
    }
}

/// The value behind base64, where a name stands below `data:` of a Kubernetes secret.
pub(super) fn of_kubernetes(scan: &mut Scan<'_>, name: usize, value: &Value) -> Option<String> {
    let text = scan.part(value.range.clone());
    if value.how != How::Colon || text.len() < 4 || !text.len().is_multiple_of(4) || !scan.may_look() {
        return None;
    }
    let (start, around) = scan.around(name, 4000);
    let packed: String = around.chars().filter(|c| !matches!(c, '"' | '\'' | ' ')).collect();
    if !packed.contains("kind:Secret\n")
        && !packed.contains("kind:Secret,")
        && !packed.contains("kind:Secret\r")
        && !packed.ends_with("kind:Secret")
    {
        return None;
    }
    let before = around.get(..name - start)?;
    let data = before.rfind("\ndata:").max(before.rfind("\"data\""))?;
    if before.rfind("stringData").is_some_and(|plain| plain > data) {
        return None;
    }
    let decoded = String::from_utf8(decode(text.as_bytes())?).ok()?;
    Some(decoded.trim_end_matches('\n').to_owned()).filter(|text| !text.chars().any(char::is_control))
}

/// Base64, of either alphabet, with or without its padding.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.trim_ascii_end();
    let digits = text.len() - text.iter().rev().take_while(|byte| **byte == b'=').count();
    let mut bytes = Vec::with_capacity(digits / 4 * 3 + 3);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in text.get(..digits)? {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    (digits % 4 != 1).then_some(bytes)
}

/// For tests, which make their own.
#[cfg(test)]
pub(super) fn encode(text: &str, alphabet: &[u8; 64], pad: bool) -> String {
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..=chunk.len() {
            encoded.push(char::from(alphabet[(bits >> (18 - 6 * at) & 63) as usize]));
        }
        if pad {
            encoded.extend(std::iter::repeat_n('=', 3 - chunk.len()));
        }
    }
    encoded
}

#[cfg(test)]
pub(super) const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
#[cfg(test)]
pub(super) const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#[cfg(test)]
mod tests {
    use super::super::find;
    use super::*;
    use proptest::prelude::*;

    fn found(text: &str) -> Vec<(Kind, Verdict)> {
        find(text, Place::of("x.yaml")).iter().map(|secret| (secret.kind, secret.verdict)).collect()
    }

    fn token(claims: &str) -> String {
        let part = |text: &str| encode(text, URL_SAFE, false);
        format!(
            "{}.{}.{}",
            part("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"),
            part(claims),
            "v7Kq2mzR4tt81xWe9fK2mQx7Lp3nB6cD0sHj5v7Kq2m"
        )
    }

    #[test]
    fn only_service_role_passes_row_level_security() {
        let claims =
            |iss: &str, role: &str| format!("{{\"iss\":\"{iss}\",\"ref\":\"abc\",\"role\":\"{role}\"}}");
        assert_eq!(
            found(&format!("KEY={}", token(&claims("supabase", "service_role")))),
            [(Kind::SupabaseServiceRole, Verdict::Leaked)]
        );
        assert_eq!(found(&format!("KEY={}", token(&claims("supabase", "anon")))), []);
        assert_eq!(found(&format!("SUPABASE_SERVICE_ROLE_KEY={}", token(&claims("supabase", "anon")))), []);
        assert_eq!(
            found(&format!("KEY={}", token(&claims("supabase-demo", "service_role")))),
            [(Kind::SupabaseServiceRole, Verdict::Development)]
        );
        assert_eq!(found(&format!("KEY={}", token("{\"sub\":\"1\"}"))), []);
    }

    #[test]
    fn claims_of_any_form_hide_no_key() {
        for claims in [
            r#"{"role": "service_role"}"#,
            r#"{"iss": null, "ref": "abc", "role": "service_role"}"#,
            r#"{"iss": ["a", 1.5], "role": "service_role", "exp": 1e9}"#,
            r#"{"iss": "a", "iss": "b", "role": "anon", "role": "service_role"}"#,
            r#"{"iss": "a", "r\u006fle": "service\u005frole"}"#,
        ] {
            let expected = [(Kind::SupabaseServiceRole, Verdict::Leaked)];
            assert_eq!(found(&format!("KEY={}", token(claims))), expected, "{claims}");
        }
        for claims in [r#"{"role": ["service_role"]}"#, r#"{"role": "service_role", "role": "anon"}"#, "[]"] {
            assert_eq!(found(&format!("KEY={}", token(claims))), [], "{claims}");
        }
    }

    #[test]
    fn kubernetes_secrets_are_decoded() {
        let secret = |key: &str, value: &str| {
            format!(
                "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\ndata:\n  {key}: {}\n",
                encode(value, STANDARD, true)
            )
        };
        assert_eq!(
            found(&secret("url", "postgresql://app:v7Kq2mzR@db.shop.io/shop")),
            [(Kind::DatabaseUrl, Verdict::Leaked)]
        );
        assert_eq!(found(&secret("password", "v7Kq2mzR")), [(Kind::Password, Verdict::Leaked)]);
        assert_eq!(found(&secret("password", "postgres")), [(Kind::Password, Verdict::Development)]);
        assert_eq!(found(&secret("password", "your-password")), []);
        assert_eq!(found(&secret("url", "postgresql://app:${PW}@db.shop.io/shop")), []);
        let plain = "kind: Secret\nstringData:\n  password: v7Kq2mzR\n";
        assert_eq!(found(plain), [(Kind::Password, Verdict::Leaked)]);
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_again(text in "\\PC{0,40}", pad: bool) {
            for alphabet in [STANDARD, URL_SAFE] {
                let encoded = encode(&text, alphabet, pad);
                prop_assert_eq!(decode(encoded.as_bytes()), Some(text.clone().into_bytes()));
            }
        }
    }
}
