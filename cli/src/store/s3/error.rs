//! The SDK's errors in, this room's errors out.
//!
//! Only the service's code and message, the HTTP status and the connector's own
//! words are taken over: never the request, its headers or its URL, for these
//! hold access keys and signatures.

use std::error::Error as StdError;
use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::S3;
use crate::store::Error;
use crate::store::error::Cause;

/// What a request was answered with, where the caller must tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// 404, of the object or the bucket.
    Absent,
    /// 412 or 409: the condition of a conditional write did not hold, or another
    /// conditional write was under way.
    Conflict,
    /// The service does not know the operation.
    NotImplemented,
    Forbidden,
    Else,
}

pub(super) fn answer<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Answer {
    let status = error.raw_response().map_or(0, |raw| raw.status().as_u16());
    match (status, error.code()) {
        (404, _) | (_, Some("NoSuchKey" | "NotFound")) => Answer::Absent,
        (409 | 412, _) | (_, Some("PreconditionFailed" | "ConditionalRequestConflict")) => Answer::Conflict,
        (501 | 405, _) | (_, Some("NotImplemented")) => Answer::NotImplemented,
        (403, _) | (_, Some("AccessDenied")) => Answer::Forbidden,
        _ => Answer::Else,
    }
}

impl S3 {
    /// What an error of the SDK means for this store.
    pub(super) fn failed<E>(&self, action: &'static str, error: &SdkError<E, HttpResponse>) -> Error
    where
        E: StdError + ProvideErrorMetadata + 'static,
    {
        let store = self.url.clone();
        let source = || -> Box<dyn StdError + Send + Sync> { Box::new(Cause(describe(error))) };
        match error {
            SdkError::ServiceError(_) | SdkError::ResponseError(_) => {}
            SdkError::TimeoutError(_) => return Error::Unreachable { store, source: source() },
            _ if lacks_credentials(error) => {
                let said = said_by_service(&describe(error)).unwrap_or_else(|| describe(error));
                return Error::NoCredentials { store, source: Box::new(Cause(said)) };
            }
            SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => {
                return Error::Unreachable { store, source: source() };
            }
            _ => return Error::Other { store, action, key: None, source: source() },
        }
        let raw = error.raw_response();
        let status = raw.map_or(0, |raw| raw.status().as_u16());
        match (error.code().unwrap_or_default(), status) {
            ("NoSuchBucket", _) => Error::NoStore { store },
            ("RequestTimeTooSkewed", _) => Error::ClockSkew { store },
            (
                "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException",
                _,
            )
            | (_, 301 | 307) => {
                let region = raw.and_then(|raw| raw.headers().get("x-amz-bucket-region")).map(str::to_owned);
                Error::WrongRegion { store, region }
            }
            (
                "InvalidAccessKeyId"
                | "SignatureDoesNotMatch"
                | "AccessDenied"
                | "ExpiredToken"
                | "InvalidToken"
                | "AllAccessDisabled"
                | "AccountProblem",
                _,
            )
            | (_, 401 | 403) => Error::Denied { store, action, key: None, source: source() },
            ("QuotaExceeded" | "StorageQuotaExceeded" | "XMinioStorageFull", _) | (_, 507) => {
                Error::Full { store, source: io::Error::new(io::ErrorKind::QuotaExceeded, describe(error)) }
            }
            _ => Error::Other { store, action, key: None, source: source() },
        }
    }
}

/// One line about an SDK error, without anything of the request.
pub(super) fn describe<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: StdError + ProvideErrorMetadata + 'static,
{
    match error {
        SdkError::ServiceError(_) | SdkError::ResponseError(_) => {
            let status = error.raw_response().map_or(0, |raw| raw.status().as_u16());
            match (error.code(), error.message()) {
                (Some(code), Some(message)) => {
                    format!("the service answered {status} {code}: {}", message.trim_end_matches('.'))
                }
                (Some(code), None) => format!("the service answered {status} {code}"),
                _ => format!("the service answered {status}"),
            }
        }
        SdkError::TimeoutError(_) => "no answer in time".to_owned(),
        other => chain(other),
    }
}

/// The words of an error's causes, outermost first, said once each.
pub(super) fn chain(error: &dyn StdError) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !words.iter().any(|said| said.contains(&text)) {
            words.push(text);
        }
        next = cause.source();
    }
    if words.is_empty() { error.to_string() } else { words.join(": ") }
}

/// What the service said that was to give the credentials. The SDK has it as text
/// only: `… Error { code: "AccessDenied", message: "…", aws_request_id: "…" }`.
fn said_by_service(text: &str) -> Option<String> {
    let (_, fields) = text.split_once("Error { code: \"")?;
    let (code, fields) = fields.split_once("\", message: \"")?;
    let message = fields.split_once("\", aws_request_id").or_else(|| fields.rsplit_once("\" }"))?.0;
    Some(format!("the token service answered {code}: {}", message.replace("\\\"", "\"")))
}

/// Whether the request was never signed, for want of credentials.
fn lacks_credentials(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(cause) = next {
        if cause.is::<CredentialsError>() {
            return true;
        }
        next = cause.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_service_is_quoted() {
        let text = "other: an error occurred while loading credentials: service error: unhandled error \
                    (AccessDenied): Error { code: \"AccessDenied\", message: \"role \\\"x\\\" is not yours\", \
                    aws_request_id: \"1\" }";
        let said = said_by_service(text).unwrap();
        assert_eq!(said, "the token service answered AccessDenied: role \"x\" is not yours");
        assert_eq!(said_by_service("the profile has no keys"), None);
    }
}
