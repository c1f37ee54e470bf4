//! A stream of unknown length in, one whole new object out, or nothing at all.
//!
//! A body that fits one part is a single PutObject; a longer one goes up in parts
//! from memory, several at a time. Both are create-only, carry a CRC-32C, and are
//! looked at afterwards. Every way to fail (the source, the store, the caller who
//! went away) first stops the parts in flight and then aborts the upload.

use std::collections::HashMap;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::primitives::ByteStream as Body;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use super::error::{Answer, answer};
use super::parts::Parts;
use super::{CodeIs, S3, length};
use crate::store::Error;
use crate::store::error::Cause;
use crate::stream::ByteStream;

/// A link slower than this, in bytes a second and part, is given up.
const SLOWEST: u64 = 16 * 1024;
/// Putting thousands of parts together takes some stores minutes.
const COMPLETE_TIMEOUT: Duration = Duration::from_mins(15);
/// Metadata that tells an object of this very upload from another writer's.
const MARK: &str = "backstop-upload";

/// Store the whole stream under `key`. The work goes on in a task of its own, so
/// that it can still clean up when this future is dropped.
pub(super) async fn put(store: &S3, key: &str, body: ByteStream) -> Result<u64, Error> {
    let stop = store.stop.child_token();
    let _stop_when_dropped = stop.clone().drop_guard();
    let upload = Upload {
        store: store.clone(),
        full: store.full(key)?,
        key: key.to_owned(),
        mark: format!("{:032x}", rand::random::<u128>()),
        stop,
    };
    match tokio::spawn(async move { upload.run(body).await }).await {
        Ok(result) => result,
        Err(cause) => Err(panicked(store, &cause)),
    }
}

pub(super) fn panicked(store: &S3, cause: &JoinError) -> Error {
    Error::Other {
        store: store.url.clone(),
        action: "upload",
        key: None,
        source: Box::new(Cause(cause.to_string())),
    }
}

/// One object on its way.
#[derive(Clone)]
pub(super) struct Upload {
    pub(super) store: S3,
    pub(super) key: String,
    /// `key` in the bucket.
    pub(super) full: String,
    mark: String,
    /// Cancelled when the caller went away.
    pub(super) stop: CancellationToken,
}

/// What lies under the key.
struct Stored {
    bytes: u64,
    writer: Writer,
    encrypted: bool,
}

/// Whose mark an object carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writer {
    We,
    Another,
    /// It carries none: another program's, or the store keeps no metadata.
    Unknown,
}

impl Upload {
    async fn run(&self, body: ByteStream) -> Result<u64, Error> {
        // The condition of the write itself is what counts, but some stores ignore
        // it; and it is better to know before an hour of dumping.
        if self.stored().await?.is_some() {
            return Err(self.store.exists(&self.key));
        }
        let mut parts = Parts::of(self.clone(), body);
        let first = parts.fill(1).await?;
        if parts.ended() {
            return self.put_whole(first.bytes).await;
        }
        let id = self.begin().await?;
        let sent = parts.send(&id, first).await;
        // A part that arrives after the abort would be kept, and billed, for ever.
        let done = parts.stop().await;
        let finished = match sent {
            Ok(bytes) => self.complete(&id, done, bytes).await.map(|()| bytes),
            Err(cause) => Err(cause),
        };
        match finished {
            Ok(bytes) => self.confirm(bytes).await.map(|()| bytes),
            Err(cause) => Err(self.abort(&id, cause).await),
        }
    }

    fn metadata(&self) -> HashMap<String, String> {
        HashMap::from([(MARK.to_owned(), self.mark.clone())])
    }

    /// A body that fits one part.
    async fn put_whole(&self, body: Bytes) -> Result<u64, Error> {
        let bytes = body.len() as u64;
        let encryption = self.store.encryption.as_ref();
        let request = self
            .store
            .client
            .put_object()
            .bucket(&self.store.bucket)
            .key(&self.full)
            .if_none_match("*")
            .checksum_algorithm(ChecksumAlgorithm::Crc32C)
            .set_metadata(Some(self.metadata()))
            .set_server_side_encryption(encryption.map(|sse| sse.method.clone()))
            .set_ssekms_key_id(encryption.and_then(|sse| sse.key_id.clone()))
            .body(Body::from(body))
            .customize()
            .config_override(patience(bytes));
        let request = if self.store.sign_payload { request } else { request.disable_payload_signing() };
        if self.stop.is_cancelled() {
            return Err(self.cancelled());
        }
        // Not interrupted: a store that has the whole body may publish it at any time,
        // also after everything else of that backup was removed.
        if let Err(cause) = request.send().await {
            self.settle(bytes, &cause, "write an object").await?;
        }
        self.confirm(bytes).await?;
        if self.stop.is_cancelled() {
            self.remove().await;
            return Err(self.cancelled());
        }
        Ok(bytes)
    }

    async fn begin(&self) -> Result<String, Error> {
        let encryption = self.store.encryption.as_ref();
        let created = self
            .store
            .client
            .create_multipart_upload()
            .bucket(&self.store.bucket)
            .key(&self.full)
            .checksum_algorithm(ChecksumAlgorithm::Crc32C)
            .set_metadata(Some(self.metadata()))
            .set_server_side_encryption(encryption.map(|sse| sse.method.clone()))
            .set_ssekms_key_id(encryption.and_then(|sse| sse.key_id.clone()))
            .send()
            .await
            .map_err(|cause| self.store.failed("begin an upload", &cause))?;
        created
            .upload_id
            .ok_or(Error::Broken { store: self.store.url.clone(), what: "it began an upload without an id" })
    }

    async fn complete(&self, id: &str, mut parts: Vec<CompletedPart>, bytes: u64) -> Result<(), Error> {
        parts.sort_by_key(CompletedPart::part_number);
        let request = self
            .store
            .client
            .complete_multipart_upload()
            .bucket(&self.store.bucket)
            .key(&self.full)
            .upload_id(id)
            .if_none_match("*")
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .customize()
            .config_override(timeouts(COMPLETE_TIMEOUT));
        // Not interrupted: once asked for, the object may come to be at any time,
        // and only its answer says so.
        match request.send().await {
            Ok(_) => Ok(()),
            Err(cause) => self.settle(bytes, &cause, "complete an upload").await,
        }
    }

    /// A write was answered by an error, which does not mean that it was not done:
    /// the answer may have been lost, and its repetition met our own object.
    async fn settle<E>(
        &self,
        bytes: u64,
        cause: &aws_sdk_s3::error::SdkError<E, aws_sdk_s3::config::http::HttpResponse>,
        action: &'static str,
    ) -> Result<(), Error>
    where
        E: std::error::Error + aws_sdk_s3::error::ProvideErrorMetadata + 'static,
    {
        let conflict = answer(cause) == Answer::Conflict;
        match self.stored().await {
            Ok(Some(stored)) if stored.writer == Writer::We && stored.bytes == bytes => Ok(()),
            Ok(Some(stored)) if stored.writer == Writer::We => {
                self.remove().await;
                Err(self.store.failed(action, cause))
            }
            Ok(Some(_)) if conflict => Err(self.store.exists(&self.key)),
            _ => Err(self.store.failed(action, cause)),
        }
    }

    /// Look at what the store made of it; what is not right is removed.
    async fn confirm(&self, sent: u64) -> Result<(), Error> {
        let (store, key) = (self.store.url.clone(), self.key.clone());
        let wrong = match self.stored().await {
            Ok(None) => return Err(Error::Lost { store, key }),
            // Both were told that they had created it (SeaweedFS 4.48 does so when
            // two uploads in parts are completed at the same time): the last one has.
            Ok(Some(Stored { writer: Writer::Another, .. })) => return Err(self.store.exists(&self.key)),
            Ok(Some(stored)) if stored.bytes != sent => {
                Error::WrongSize { store, key, sent, found: stored.bytes }
            }
            Ok(Some(stored)) if !stored.encrypted => {
                let asked = self.store.encryption.as_ref().map_or("", |sse| sse.method.as_str()).to_owned();
                Error::NotEncrypted { store, key, asked }
            }
            Ok(Some(_)) => return Ok(()),
            Err(cause) => cause,
        };
        self.remove().await;
        Err(wrong)
    }

    /// HEAD of the key; `None` when there is nothing.
    async fn stored(&self) -> Result<Option<Stored>, Error> {
        let asked = self.store.client.head_object().bucket(&self.store.bucket).key(&self.full);
        let found = match asked.send().await {
            Ok(found) => found,
            Err(cause) if answer(&cause) == Answer::Absent => return Ok(None),
            Err(cause) => {
                if answer(&cause) == Answer::Forbidden {
                    self.store.reason().await?;
                }
                return Err(self.store.failed("look at an object", &cause));
            }
        };
        let encrypted = self.store.encryption.as_ref().is_none_or(|asked| {
            // An alias or an id is answered by the key's ARN, and cannot be compared.
            let key = asked.key_id.as_deref().filter(|id| id.contains(":key/"));
            found.server_side_encryption.as_ref() == Some(&asked.method)
                && (key.is_none() || key == found.ssekms_key_id.as_deref())
        });
        let mark = found.metadata.as_ref().and_then(|metadata| metadata.get(MARK));
        let writer = match mark {
            Some(mark) if *mark == self.mark => Writer::We,
            Some(_) => Writer::Another,
            None => Writer::Unknown,
        };
        Ok(Some(Stored { bytes: length(found.content_length), writer, encrypted }))
    }

    /// Remove the object that this upload made. The error that led here is what
    /// the user must see, so that one of the removal is not reported.
    async fn remove(&self) {
        let _ = self.store.client.delete_object().bucket(&self.store.bucket).key(&self.full).send().await;
    }

    /// Give the upload up and return the error that it ends with.
    async fn abort(&self, id: &str, cause: Error) -> Error {
        let client = &self.store.client;
        for pause in [0, 1, 2] {
            tokio::time::sleep(Duration::from_secs(pause)).await;
            let abort =
                client.abort_multipart_upload().bucket(&self.store.bucket).key(&self.full).upload_id(id);
            match abort.send().await {
                Err(failed) if failed.code_is("NoSuchUpload") || answer(&failed) == Answer::Absent => {
                    return cause;
                }
                Err(_) => break,
                Ok(_) => {}
            }
            // A part that the store was still taking in survives the abort.
            let parts = client.list_parts().bucket(&self.store.bucket).key(&self.full).upload_id(id);
            if parts.send().await.map_or(true, |left| left.parts().is_empty()) {
                return cause;
            }
        }
        Error::LeftBehind { store: self.store.url.clone(), key: self.key.clone(), source: Box::new(cause) }
    }

    pub(super) fn cancelled(&self) -> Error {
        Error::Cancelled { key: self.key.clone() }
    }
}

/// Time for one attempt that sends so many bytes over a slow link.
pub(super) fn patience(bytes: u64) -> Builder {
    timeouts(super::ATTEMPT_TIMEOUT + Duration::from_secs(bytes / SLOWEST))
}

fn timeouts(attempt: Duration) -> Builder {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(super::CONNECT_TIMEOUT)
        .operation_attempt_timeout(attempt)
        .build();
    aws_sdk_s3::Config::builder().timeout_config(timeouts)
}
