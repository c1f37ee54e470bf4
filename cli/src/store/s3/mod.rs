//! A store in a bucket of the S3 family: AWS, and whoever speaks its protocol.
//!
//! Streams of unknown length go up in parts from memory ([`upload`]), come down
//! with a retry from where they broke ([`download`]). What such stores are known
//! to do quietly (overwrite despite a condition, leave out encryption, drop
//! bytes) is looked for after every upload and is an error.

mod download;
mod error;
mod parts;
mod probe;
mod upload;

use std::time::Duration;

use async_trait::async_trait;
use aws_config::BehaviorVersion;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{Region, SharedCredentialsProvider, StalledStreamProtectionConfig};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::{ByteStream as Body, DateTime};
use aws_sdk_s3::types::{ChecksumAlgorithm, ServerSideEncryption};
use aws_smithy_http_client::tls;
use bytes::Bytes;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use self::error::Answer;
use super::{Error, Location, Object, Probe, Store, check_key};
use crate::stream::ByteStream;

/// Attempts of one request, the first included.
const ATTEMPTS: u32 = 5;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For one attempt of a request without a body of size, until its answer begins.
const ATTEMPT_TIMEOUT: Duration = Duration::from_mins(1);
/// A transfer that stands still this long is broken.
const STALLED_AFTER: Duration = Duration::from_secs(30);
/// The longest that a signature version 4 holds.
const PRESIGN_LIMIT: Duration = Duration::from_hours(7 * 24);

/// Cheap to clone: the client is shared.
#[derive(Clone)]
pub struct S3 {
    client: Client,
    bucket: String,
    /// `""` or `folder/`.
    prefix: String,
    url: String,
    encryption: Option<Encryption>,
    /// Over TLS the payload need not be signed: it is the one real cost of an
    /// upload, and every part carries a CRC-32C.
    sign_payload: bool,
    stop: CancellationToken,
}

/// The server-side encryption that was asked for.
#[derive(Clone)]
struct Encryption {
    method: ServerSideEncryption,
    key_id: Option<String>,
}

impl Encryption {
    fn of(location: &Location) -> Result<Option<Self>, Error> {
        let refuse =
            |reason: &str| Error::BadSetting { store: location.url.clone(), reason: reason.to_owned() };
        let key_id = location.sse_kms_key_id.clone();
        let method = match (location.sse.as_deref(), &key_id) {
            (None, None) => return Ok(None),
            (Some("aws:kms"), _) => ServerSideEncryption::AwsKms,
            (Some("AES256"), None) => ServerSideEncryption::Aes256,
            (_, Some(_)) => return Err(refuse("`sse_kms_key_id` wants `sse: aws:kms`")),
            (Some(_), None) => return Err(refuse("`sse` is `AES256` or `aws:kms`")),
        };
        Ok(Some(Self { method, key_id }))
    }
}

impl S3 {
    /// A client for the bucket. `credentials` in place of the standard chain
    /// (environment, profile, web identity, container, machine) for who has their
    /// own.
    pub async fn open(
        location: &Location,
        bucket: String,
        prefix: String,
        credentials: Option<SharedCredentialsProvider>,
    ) -> Result<Self, Error> {
        let encryption = Encryption::of(location)?;
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(
                aws_smithy_http_client::Builder::new()
                    .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
                    .build_https(),
            )
            .region(region(location).await)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_TIMEOUT)
                    .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                    .build(),
            )
            .stalled_stream_protection(
                StalledStreamProtectionConfig::enabled().grace_period(STALLED_AFTER).build(),
            );
        if let Some(profile) = &location.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(endpoint) = &location.endpoint {
            loader = loader.endpoint_url(endpoint_url(location, endpoint)?);
        }
        if let Some(credentials) = credentials {
            loader = loader.credentials_provider(credentials);
        }
        let shared = loader.load().await;
        let config = aws_sdk_s3::config::Builder::from(&shared);
        // AWS_ENDPOINT_URL_S3 or a profile may have set one, too.
        let endpoint = shared.endpoint_url().map(str::to_owned).or_else(endpoint_of_environment);
        let config = config.force_path_style(location.path_style.unwrap_or(endpoint.is_some())).build();
        let prefix_part = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
        Ok(Self {
            client: Client::from_conf(config),
            url: format!("s3://{bucket}{prefix_part}"),
            prefix: if prefix.is_empty() { prefix } else { format!("{prefix}/") },
            bucket,
            encryption,
            sign_payload: endpoint.is_some_and(|url| url.starts_with("http://")),
            stop: CancellationToken::new(),
        })
    }

    /// Let a cancelled `stop` end what waits for the store.
    #[must_use]
    pub fn stopped_by(mut self, stop: &CancellationToken) -> Self {
        self.stop = stop.clone();
        self
    }

    /// A store that stands still is asked again for minutes, which a user who
    /// wants to stop must not wait for.
    async fn unless_stopped<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Error::Stopped),
            done = work => done,
        }
    }

    /// The key in the bucket.
    fn full(&self, key: &str) -> Result<String, Error> {
        check_key(key).map_err(|reason| Error::BadKey { key: key.to_owned(), reason })?;
        Ok(format!("{}{key}", self.prefix))
    }

    fn exists(&self, key: &str) -> Error {
        Error::Exists { store: self.url.clone(), key: key.to_owned() }
    }

    /// A HEAD has no body, so that its refusal says no more than 403 or 404: ask
    /// with a GET, whose answer names the reason.
    async fn reason(&self) -> Result<(), Error> {
        let asked = self.client.list_objects_v2().bucket(&self.bucket).prefix(&self.prefix).max_keys(1);
        match asked.send().await {
            Ok(_) => Ok(()),
            Err(cause) => Err(self.failed("list objects", &cause)),
        }
    }
}

#[async_trait]
impl Store for S3 {
    fn url(&self) -> &str {
        &self.url
    }

    async fn put(&self, key: &str, body: ByteStream) -> Result<u64, Error> {
        upload::put(self, key, body).await.map_err(|cause| cause.of(key))
    }

    async fn replace(&self, key: &str, body: Bytes) -> Result<(), Error> {
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(self.full(key)?)
            .checksum_algorithm(ChecksumAlgorithm::Crc32C)
            .set_server_side_encryption(self.encryption.as_ref().map(|sse| sse.method.clone()))
            .set_ssekms_key_id(self.encryption.as_ref().and_then(|sse| sse.key_id.clone()))
            .body(Body::from(body));
        request.send().await.map_err(|cause| self.failed("write an object", &cause).of(key))?;
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<ByteStream, Error> {
        self.unless_stopped(download::get(self, key)).await.map_err(|cause| cause.of(key))
    }

    async fn head(&self, key: &str) -> Result<Option<Object>, Error> {
        let full = self.full(key)?;
        let asked = self.client.head_object().bucket(&self.bucket).key(full).send();
        let cause = match self.unless_stopped(async { Ok(asked.await) }).await? {
            Ok(found) => {
                return Ok(Some(Object {
                    key: key.to_owned(),
                    bytes: length(found.content_length),
                    modified: found.last_modified.as_ref().and_then(timestamp),
                }));
            }
            Err(cause) => cause,
        };
        match error::answer(&cause) {
            // The bucket may be what is missing, which is not "no object".
            Answer::Absent => self.reason().await.map(|()| None),
            Answer::Forbidden => {
                self.reason().await?;
                Err(self.failed("look at an object", &cause).of(key))
            }
            _ => Err(self.failed("look at an object", &cause).of(key)),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Object>, Error> {
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(format!("{}{prefix}", self.prefix))
            .into_paginator()
            .send();
        let mut objects = Vec::new();
        while let Some(page) = self.unless_stopped(async { Ok(pages.next().await) }).await? {
            let page = page.map_err(|cause| self.failed("list objects", &cause))?;
            for found in page.contents.unwrap_or_default() {
                let key = found.key.as_deref().and_then(|key| key.strip_prefix(&self.prefix));
                // Consoles make "folders": empty objects whose key ends in a slash.
                let Some(key) = key.filter(|key| !key.is_empty() && !key.ends_with('/')) else { continue };
                objects.push(Object {
                    key: key.to_owned(),
                    bytes: length(found.size),
                    modified: found.last_modified.as_ref().and_then(timestamp),
                });
            }
        }
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    async fn delete(&self, key: &str) -> Result<(), Error> {
        match self.client.delete_object().bucket(&self.bucket).key(self.full(key)?).send().await {
            Ok(_) => Ok(()),
            Err(cause) if cause.code_is("NoSuchKey") => Ok(()),
            Err(cause) => Err(self.failed("delete an object", &cause).of(key)),
        }
    }

    async fn presign(&self, key: &str, valid: Duration) -> Result<Option<String>, Error> {
        let refuse = |reason: &str| Error::BadSetting { store: self.url.clone(), reason: reason.to_owned() };
        if valid > PRESIGN_LIMIT || valid < Duration::from_secs(1) {
            return Err(refuse("a signed URL holds for one second to seven days"));
        }
        let config = PresigningConfig::expires_in(valid)
            .map_err(|_| refuse("the URL cannot be signed for that time"))?;
        let request = self.client.get_object().bucket(&self.bucket).key(self.full(key)?);
        let signed = request.presigned(config).await.map_err(|cause| self.failed("sign a URL", &cause))?;
        Ok(Some(signed.uri().to_owned()))
    }

    async fn probe(&self, prefix: &str) -> Result<Probe, Error> {
        probe::probe(self, prefix).await
    }
}

trait CodeIs {
    fn code_is(&self, code: &str) -> bool;
}

impl<T: aws_sdk_s3::error::ProvideErrorMetadata> CodeIs for T {
    fn code_is(&self, code: &str) -> bool {
        self.code() == Some(code)
    }
}

/// Of an own endpoint the machine's metadata service knows nothing, and asking it
/// where there is none takes seconds.
async fn region(location: &Location) -> Region {
    let given = RegionProviderChain::first_try(location.region.clone().map(Region::new));
    let profile = || {
        let mut profile = ProfileFileRegionProvider::builder();
        if let Some(name) = &location.profile {
            profile = profile.profile_name(name);
        }
        profile.build()
    };
    let chain = given.or_else(EnvironmentVariableRegionProvider::new()).or_else(profile());
    let chain = if location.endpoint.is_some() || endpoint_of_environment().is_some() {
        chain
    } else {
        chain.or_default_provider()
    };
    chain.or_else(Region::from_static("us-east-1")).region().await.unwrap_or(Region::from_static("us-east-1"))
}

fn endpoint_of_environment() -> Option<String> {
    ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

fn endpoint_url<'a>(location: &Location, endpoint: &'a str) -> Result<&'a str, Error> {
    let refuse = |reason: &str| Error::BadSetting { store: location.url.clone(), reason: reason.to_owned() };
    let url = url::Url::parse(endpoint).map_err(|_| refuse("`endpoint` is not a URL"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(refuse("`endpoint` is not an http:// or https:// URL"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err(refuse("`endpoint` has credentials or settings in it, which do not belong there"));
    }
    Ok(endpoint)
}

fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), time.subsec_nanos().cast_signed()).ok()
}

/// Sizes are signed on the wire; a negative one is no size.
fn length(bytes: Option<i64>) -> u64 {
    bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0)
}
