//! Where backups are kept: one entry of the `stores` section.

use serde_json::{Map, Value as Json, json};

use crate::parse::yaml::Node;

use super::template::Template;
use super::value::{Reader, Section, Value, choices, section};

section! {
    /// A place for backups. Credentials come from the provider's own chain
    /// (environment, profile, web identity), never from this file.
    pub struct Store(check) {
        /// `file:///absolute/path` or `s3://bucket/prefix`.
        pub url: StoreUrl,
        /// Region of the bucket.
        pub region: Option<Template>,
        /// Endpoint of an S3-compatible service, for example
        /// `https://s3.eu-central-1.example.com`.
        pub endpoint: Option<Template>,
        /// Put the bucket into the path instead of the host name.
        pub path_style: Option<bool>,
        /// Server-side encryption.
        pub sse: Option<Sse>,
        /// Key for `sse: aws:kms`.
        pub sse_kms_key_id: Option<Template>,
        /// Profile of the AWS configuration files.
        pub profile: Option<Template>,
    }
}

/// Server-side encryption, in S3's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sse {
    Aes256,
    Kms,
    KmsDsse,
}

impl Sse {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aes256 => "AES256",
            Self::Kms => "aws:kms",
            Self::KmsDsse => "aws:kms:dsse",
        }
    }
}

choices!(Sse: "AES256" => Sse::Aes256, "aws:kms" => Sse::Kms, "aws:kms:dsse" => Sse::KmsDsse);

/// Storage classes to which S3 moves objects by a lifecycle rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageClass {
    StandardIa,
    OnezoneIa,
    IntelligentTiering,
    GlacierIr,
    Glacier,
    DeepArchive,
}

choices!(StorageClass:
    "STANDARD_IA" => StorageClass::StandardIa,
    "ONEZONE_IA" => StorageClass::OnezoneIa,
    "INTELLIGENT_TIERING" => StorageClass::IntelligentTiering,
    "GLACIER_IR" => StorageClass::GlacierIr,
    "GLACIER" => StorageClass::Glacier,
    "DEEP_ARCHIVE" => StorageClass::DeepArchive,
);

/// A store's URL, checked as far as its variables allow.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreUrl(pub Template);

impl Value for StoreUrl {
    fn schema(_: &mut Map<String, Json>) -> Json {
        json!({
            "type": "string",
            "pattern": "^(file:///|s3://|.*\\$\\{)",
            "examples": ["s3://bucket/prefix", "file:///var/backups"],
        })
    }

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let template = Template::read(node, reader)?;
        let checked = match template.literal() {
            Some(text) => check_url(text),
            // Only the scheme can be judged, and only where it is written out.
            None => match template.head().split_once("://") {
                Some((scheme, _)) => check_scheme(scheme),
                None => Ok(()),
            },
        };
        match checked {
            Ok(()) => Some(Self(template)),
            Err(UrlError::Unsupported(scheme)) => {
                let message = format!("stores of kind '{scheme}' are not supported by this version");
                reader.error_help("unsupported-store", node.span, message, "use `s3://…` or `file:///…`");
                None
            }
            Err(UrlError::Invalid(why)) => {
                reader.error("invalid-value", node.span, format!("the store's URL cannot be used: {why}"));
                None
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UrlError {
    /// Known, but of no use to this version.
    Unsupported(String),
    Invalid(String),
}

/// Whether `url` names a store that this version can use. Messages never hold
/// the URL itself.
pub fn check_url(url: &str) -> Result<(), UrlError> {
    let invalid = |why: &str| Err(UrlError::Invalid(why.to_owned()));
    let Some((scheme, rest)) = url.split_once("://") else {
        return invalid("it has no scheme; write `s3://bucket/prefix` or `file:///path`");
    };
    check_scheme(scheme)?;
    if scheme == "file" {
        return if rest.starts_with('/') && !rest.trim_matches('/').is_empty() {
            Ok(())
        } else {
            invalid("a local store needs an absolute path, with three slashes: `file:///var/backups`")
        };
    }
    let bucket = rest.split('/').next().unwrap_or_default();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:@".contains(&byte);
    if bucket.is_empty() {
        return invalid("the bucket is missing");
    }
    if bucket.len() < 3 || bucket.len() > 255 || !bucket.bytes().all(allowed) || rest.contains(['?', '#']) {
        return invalid("it is not of the form `s3://bucket/prefix`");
    }
    Ok(())
}

fn check_scheme(scheme: &str) -> Result<(), UrlError> {
    match scheme {
        "file" | "s3" => Ok(()),
        "gs" | "azblob" | "vercel-blob" => Err(UrlError::Unsupported(scheme.to_owned())),
        _ => Err(UrlError::Invalid("its scheme is neither `s3` nor `file`".to_owned())),
    }
}

fn check(store: &Store, section: &Section<'_>, reader: &mut Reader<'_>) {
    if store.url.0.head().starts_with("file://") {
        for key in ["region", "endpoint", "path_style", "sse", "sse_kms_key_id", "profile"] {
            if let Some(span) = section.span_of(key) {
                let message = format!("'{key}' means nothing for a local store");
                reader.error_help("conflicting-keys", span, message, "remove it");
            }
        }
    } else if let Some(span) = section.span_of("sse_kms_key_id")
        && !matches!(store.sse, Some(Sse::Kms | Sse::KmsDsse))
    {
        let message = "'sse_kms_key_id' without 'sse: aws:kms' would not be used";
        reader.error_help("conflicting-keys", span, message, "add `sse: aws:kms`");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for url in ["s3://shop-backups", "s3://shop-backups/prod/a b", "file:///var/backups"] {
            assert_eq!(check_url(url), Ok(()), "{url}");
        }
        for url in
            ["s3://", "s3:///x", "s3://b/", "s3://bu cket/", "s3://bucket?x", "file://x/y", "file:///", "/x"]
        {
            assert!(matches!(check_url(url), Err(UrlError::Invalid(_))), "{url}");
        }
        for url in ["gs://bucket", "azblob://container", "vercel-blob://store"] {
            assert!(matches!(check_url(url), Err(UrlError::Unsupported(_))), "{url}");
        }
        assert!(matches!(check_url("ftp://x"), Err(UrlError::Invalid(_))));
    }
}
