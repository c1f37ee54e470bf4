//! Keys of clouds that no prefix of one word gives away: AWS access key ids with
//! their secret half near, and Azure's shared access signatures.

use std::ops::Range;

use super::scan::{Scan, is_word};
use super::words::is_masked;
use super::{Kind, Verdict};

/// `AKIA` or `ASIA` stands at `start`: 20 capitals and figures in all.
pub(super) fn access_key_id(scan: &mut Scan<'_>, start: usize) {
    let end = scan.run_end(start, 24, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let id = scan.part(start..end);
    let sound = id.len() == 20 && !is_word(scan.before(start)) && !is_word(scan.byte(end));
    if !sound || id.contains("EXAMPLE") || is_masked(id.get(4..).unwrap_or_default()) {
        return;
    }
    scan.add(start..end, start..end, Kind::AwsAccessKeyId, Verdict::Doubtful);
    if scan.may_look()
        && let Some(secret) = secret_after(scan, end)
    {
        scan.add(secret.clone(), secret, Kind::AwsSecretKey, Verdict::Leaked);
    }
    scan.skip_to(end);
}

/// The other half: 40 of base64's digits, some lines further on.
fn secret_after(scan: &Scan<'_>, end: usize) -> Option<Range<usize>> {
    let bytes = scan.ahead(end, 300);
    let mut at = 0;
    while at < bytes.len() {
        let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+');
        let length = bytes[at..].iter().take_while(|byte| is_digit(byte)).count();
        if length == 40 {
            let secret = scan.part(end + at..end + at + 40);
            let mixed = secret.bytes().any(|byte| byte.is_ascii_uppercase())
                && secret.bytes().any(|byte| byte.is_ascii_lowercase())
                && secret.bytes().any(|byte| byte.is_ascii_digit());
            if mixed && !secret.contains("EXAMPLE") && !is_masked(secret) {
                return Some(end + at..end + at + 40);
            }
        }
        at += length + 1;
    }
    None
}

/// `sig=` of Azure: beside an expiry or permissions, base64 of 32 bytes.
pub(super) fn signature(scan: &mut Scan<'_>, hit: &Range<usize>) {
    if !matches!(scan.before(hit.start), b'?' | b'&' | b';' | b'"' | b'\'' | b'=') {
        return;
    }
    let end = scan.run_end(hit.end, 90, |byte| byte.is_ascii_alphanumeric() || b"%+/=_-".contains(&byte));
    let value = scan.part(hit.end..end);
    if !(43..=64).contains(&value.len()) {
        return;
    }
    let inside = |byte: u8| byte > b' ' && !b"\"'`<>".contains(&byte);
    let start = scan.run_start(hit.start, 400, inside);
    let rest = scan.run_end(end, 400, inside);
    let token = scan.part(start..rest);
    let signed = ["se=", "sp=", "sv="].iter().filter(|field| token.contains(**field)).count() >= 2;
    let digits = value.bytes().any(|byte| byte.is_ascii_digit());
    if signed && digits && !is_masked(value) {
        scan.add(start..rest, hit.end..end, Kind::AzureSas, Verdict::Leaked);
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

    #[test]
    fn an_id_alone_is_doubtful_and_a_pair_is_not() {
        let id = concat!("AKIA", "7KQ2MZRV4TT81XWE");
        let secret = concat!("v7Kq2mzR/4tt81xWe9fK2", "mQx7+Lp3nB6cD0sHj5w");
        assert_eq!(found(&format!("aws_access_key_id = {id}")), [(Kind::AwsAccessKeyId, Verdict::Doubtful)]);
        let pair = format!("aws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
        assert_eq!(found(&pair)[1], (Kind::AwsSecretKey, Verdict::Leaked));
        assert_eq!(found(&format!("{id} {secret}")), [(Kind::AwsSecretKey, Verdict::Leaked)]);
        assert_eq!(
            found(&format!("AWS_SECRET_ACCESS_KEY={secret}")),
            [(Kind::AwsSecretKey, Verdict::Leaked)]
        );
    }

    #[test]
    fn the_keys_of_the_manual_are_silent() {
        assert_eq!(found("aws_access_key_id = AKIAIOSFODNN7EXAMPLE"), []);
        assert_eq!(found("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), []);
        assert_eq!(found("region: asia-northeast1"), []);
        assert_eq!(found("AWS_SECRET_ACCESS_KEY=your-secret"), []);
        assert_eq!(found("AWS_SECRET_ACCESS_KEY: ${{ secrets.AWS_SECRET_ACCESS_KEY }}"), []);
    }

    #[test]
    fn azure_keys_and_signatures() {
        let key = concat!(
            "v7Kq2mzR4tt81xWe9fK2mQx7Lp3nB6cD0sHj5v7Kq2mzR4tt81",
            "xWe9fK2mQx7Lp3nB6cD0sHj5v7Kq2mzR4tt8=="
        );
        let connection = format!(
            "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={key};EndpointSuffix=core.windows.net"
        );
        assert_eq!(found(&connection), [(Kind::AzureStorageKey, Verdict::Leaked)]);
        let sas = format!(
            "https://shop.blob.core.windows.net/b?sv=2024-01-01&sp=rw&se=2027-01-01&sig={}%3D",
            &key[..43]
        );
        assert_eq!(found(&sas), [(Kind::AzureSas, Verdict::Leaked)]);
        assert_eq!(found("?sv=2024-01-01&sp=rw&sig=$SIG"), []);
    }

    #[test]
    fn azurite_s_account_is_no_leak() {
        let key = concat!(
            "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1",
            "OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
        );
        let text = format!(
            "AccountName=devstoreaccount1;AccountKey={key};BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;"
        );
        assert_eq!(found(&text), [(Kind::AzureStorageKey, Verdict::Development)]);
    }
}
