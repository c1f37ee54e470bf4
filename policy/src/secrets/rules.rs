//! What the rules ask about secrets: in a file, in an argument, in a URL that needs
//! encoding, and keys of clouds that live for ever. Texts in; places and words out.

use std::ops::Range;

use super::literal::{password_in_conninfo, password_in_url};
use super::scan::Scan;
use super::{Found, Place, Raw, Secret, url};
use crate::finding::{Severity, Span};

/// A finding without its rule and its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub span: Span,
    pub severity: Severity,
    /// Lower case, no final stop, made of fixed words: never a byte of a secret.
    pub message: String,
    pub help: &'static str,
    /// Bytes and what to write instead of them.
    pub edits: Vec<(Span, &'static str)>,
}

/// Rule `credential-in-file`.
pub fn credential_in_file(found: &Found) -> Vec<Report> {
    let report = |secret: &Secret| Report {
        span: secret.span,
        severity: secret.severity(),
        message: secret.message(),
        help: secret.help(),
        edits: Vec::new(),
    };
    found.secrets.iter().map(report).collect()
}

/// Rule `url-password-unencoded`: passwords that no reader of the URL gets whole, and
/// URLs that are put together with a variable, which will break one day.
pub fn url_password_unencoded(found: &Found) -> Vec<Report> {
    let mut reports: Vec<Report> = Vec::new();
    for secret in &found.secrets {
        let Some(raw) = secret.raw.first() else { continue };
        reports.push(Report {
            span: secret.values.iter().copied().find(|value| value.start <= raw.span.start && raw.span.end <= value.end).unwrap_or(secret.span),
            severity: Severity::Error,
            message: why_encode(raw.character).to_owned(),
            help: "percent-encode the password: `%40` for `@`, `%2F` for `/`, `%23` for `#`, `%3F` for `?`, `%25` for `%`",
            edits: secret.raw.iter().map(|raw: &Raw| (raw.span, raw.encoded)).collect(),
        });
    }
    reports.extend(found.built.iter().map(|span| Report {
        span: *span,
        severity: Severity::Note,
        message: "the password goes into the URL as it is, so the first `@`, `/`, `#` or `?` in it breaks the connection".to_owned(),
        help: "keep the whole URL in one secret, percent-encoded, or leave the password out and set PGPASSWORD",
        edits: Vec::new(),
    }));
    reports.sort_by_key(|report| report.span);
    reports
}

/// What to write for a byte that may not stand in a password of a URL as it is.
pub(super) fn encoded(byte: u8) -> Option<&'static str> {
    match byte {
        b'@' => Some("%40"),
        b'/' => Some("%2F"),
        b'#' => Some("%23"),
        b'?' => Some("%3F"),
        b'%' => Some("%25"),
        _ => None,
    }
}

/// libpq stops at the first `@` or `/` (fe-connect.c, conninfo_uri_parse_options) and
/// refuses a `%` that encodes nothing; RFC 3986 ends the authority at `/`, `?`, `#`.
pub(super) fn why_encode(character: char) -> &'static str {
    match character {
        '@' => {
            "the raw '@' in the password ends it early for most parsers, and the rest is taken for the host"
        }
        '/' => {
            "the raw '/' in the password starts a path for most parsers, and what is before it is taken for the host"
        }
        '#' => "the raw '#' in the password starts a fragment for most parsers, and the host is lost",
        '?' => "the raw '?' in the password starts a query for most parsers, and the host is lost",
        _ => "the raw '%' in the password is read as the start of an encoded byte",
    }
}

/// How a word of a command shows a secret to everybody who lists processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// A URL or connection string with a password, a variable or written out.
    Connection { password: Range<usize>, literal: bool },
    /// `NAME=value` with a name that a secret belongs to: `docker run -e PGPASSWORD=…`.
    Named { value: Range<usize>, literal: bool },
}

/// Rule `credential-in-argv`: `word` is one argument as it is written, quotes included;
/// the ranges count from its start. A lone `"$DATABASE_URL"` shows nothing by itself.
pub fn credential_in_argument(word: &str) -> Option<Argument> {
    // A URL has the one, each other form the other: most words have neither.
    if !word.bytes().any(|byte| matches!(byte, b':' | b'=')) {
        return None;
    }
    if let Some(password) =
        password_in_url(word).or_else(|| password_in_conninfo(word.trim_matches(['"', '\''])))
    {
        let literal = word.get(password.clone()).is_some_and(url::is_literal);
        return Some(Argument::Connection { password, literal });
    }
    let body = word.trim_start_matches(['"', '\'']);
    let (name, value) = body.split_once('=')?;
    let value = value.trim_end_matches(['"', '\'']).trim_start_matches(['"', '\'']);
    let offset = word.len() - body.len();
    let scan = Scan::new(word, Place::default());
    let last = offset..offset + name.len();
    let is_secret = name.bytes().all(super::scan::is_word)
        && !value.is_empty()
        && super::name::read(&scan, &last).is_some();
    let start = word.rfind(value)?;
    is_secret.then(|| Argument::Named { value: start..start + value.len(), literal: url::is_literal(value) })
}

/// A long-lived key that a workflow or an environment is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticKey {
    /// The name of the variable or input.
    pub span: Span,
    /// Whose: "AWS", "Google Cloud", "Azure".
    pub cloud: &'static str,
    /// Whether roles could replace it; other S3 stores know only keys.
    pub federates: bool,
}

/// Rule `static-cloud-key`: names of long-lived keys, whatever their value.
pub fn static_cloud_key(text: &str) -> Vec<StaticKey> {
    const NAMES: &[(&str, &str)] = &[
        ("aws-secret-access-key", "AWS"),
        ("aws_secret_access_key", "AWS"),
        ("credentials_json", "Google Cloud"),
        ("gcp_sa_key", "Google Cloud"),
        ("azure_credentials", "Azure"),
        ("azure_storage_key", "Azure"),
        ("azure_client_secret", "Azure"),
    ];
    const KEYS_ONLY: &[&str] = &[
        "r2.cloudflarestorage.com",
        "backblazeb2.com",
        "digitaloceanspaces.com",
        "wasabisys.com",
        "your-objectstorage.com",
        "linodeobjects.com",
        "/storage/v1/s3",
        "minio",
    ];
    let lower = text.to_ascii_lowercase();
    let federates = !KEYS_ONLY.iter().any(|host| lower.contains(host));
    let mut keys = Vec::new();
    let mut at = 0;
    for line in lower.split_inclusive('\n') {
        let found = NAMES.iter().find_map(|(name, cloud)| {
            let start = line.find(name)?;
            let rest = line.get(start + name.len()..)?.trim_start_matches(['"', '\'', ' ']);
            // Given a value here; `secrets.AWS_SECRET_ACCESS_KEY` is one.
            rest.starts_with([':', '=']).then(|| (start..start + name.len(), *cloud))
        });
        if let Some((range, cloud)) = found {
            keys.push(StaticKey {
                span: Span::new(at + range.start, at + range.end),
                cloud,
                federates: federates || cloud != "AWS",
            });
        }
        at += line.len();
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::search;

    const URL: &str = "postgresql://postgres.ref:Wo@rd#12@aws-1-eu-west-1.pooler.supabase.com:6543/postgres";

    #[test]
    fn the_message_has_both_reasons_and_no_byte_of_the_password() {
        let found = credential_in_file(&search(URL, Place::default()));
        assert_eq!(found.len(), 1);
        insta::assert_snapshot!(found[0].message, @"password in a database URL: whoever reads this file can log in to the database; the raw '@' in the password ends it early for most parsers, and the rest is taken for the host");
        assert_eq!(found[0].severity, Severity::Error);
    }

    #[test]
    fn the_edits_encode_what_is_raw() {
        let found = url_password_unencoded(&search(URL, Place::default()));
        assert_eq!(found.len(), 1);
        let mut text = URL.to_owned();
        for (span, encoded) in found[0].edits.iter().rev() {
            text.replace_range(span.start..span.end, encoded);
        }
        assert_eq!(
            text,
            "postgresql://postgres.ref:Wo%40rd%2312@aws-1-eu-west-1.pooler.supabase.com:6543/postgres"
        );
        assert_eq!(url_password_unencoded(&search(&text, Place::default())), []);
    }

    #[test]
    fn a_url_with_a_variable_is_a_note() {
        let text = "pg_dump \"postgres://app:$PW@db.shop.io/shop\"";
        let found = url_password_unencoded(&search(text, Place::default()));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].severity, Severity::Note);
        assert_eq!(&text[found[0].span.start..found[0].span.end], "postgres://app:$PW@db.shop.io/shop");
        assert_eq!(url_password_unencoded(&search("psql \"$DATABASE_URL\"", Place::default())), []);
    }

    #[test]
    fn arguments_that_show_a_secret() {
        let shown = |word: &'static str| match credential_in_argument(word)? {
            Argument::Connection { password, literal } => Some(("connection", &word[password], literal)),
            Argument::Named { value, literal } => Some(("named", &word[value], literal)),
        };
        assert_eq!(shown("\"postgres://u:$PW@h/db\""), Some(("connection", "$PW", false)));
        assert_eq!(shown("postgres://u:v7Kq2mzR@h/db"), Some(("connection", "v7Kq2mzR", true)));
        assert_eq!(shown("PGPASSWORD=\"$X\""), Some(("named", "$X", false)));
        assert_eq!(shown("PGPASSWORD=v7Kq2mzR"), Some(("named", "v7Kq2mzR", true)));
        assert_eq!(shown("PGPASSWORD"), None);
        assert_eq!(shown("\"$DATABASE_URL\""), None);
        assert_eq!(shown("PGHOST=db"), None);
    }

    #[test]
    fn keys_that_live_for_ever() {
        let text = "with:\n  aws-access-key-id: ${{ secrets.A }}\n  aws-secret-access-key: ${{ secrets.B }}\nenv:\n  X: ${{ secrets.AWS_SECRET_ACCESS_KEY }}\n";
        let found = static_cloud_key(text);
        assert_eq!(found.len(), 1);
        assert_eq!(&text[found[0].span.start..found[0].span.end], "aws-secret-access-key");
        assert!(found[0].federates);
        let r2 =
            "AWS_SECRET_ACCESS_KEY=$X aws s3 cp a s3://b --endpoint-url https://x.r2.cloudflarestorage.com\n";
        assert!(!static_cloud_key(r2)[0].federates);
    }
}
