//! What a bucket can do, seen by doing it on a small object of our own.
//!
//! The condition of a create-only write is tried without the look beforehand that
//! an ordinary upload takes: some stores answer 200 to `If-None-Match: *` and
//! overwrite.

use aws_sdk_s3::primitives::ByteStream as Body;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::error::{Answer, answer};
use super::{S3, timestamp};
use crate::store::{Error, Probe, Store, clock_ahead, probe_key, probe_reads};
use crate::stream::ByteStream;

/// An unfinished upload that is older belongs to nobody.
const STALE_AFTER: SignedDuration = SignedDuration::from_hours(24);
const WRITTEN: &[u8] = b"backstop";
const OVERWRITTEN: &[u8] = b"overwritten";

pub(super) async fn probe(store: &S3, prefix: &str) -> Result<Probe, Error> {
    let key = probe_key(prefix);
    let full = store.full(&key)?;
    let before = Timestamp::now();
    store.put(&key, ByteStream::from_bytes(Bytes::from_static(WRITTEN))).await?;
    let after = Timestamp::now();
    let seen = async {
        probe_reads(store, &key, WRITTEN).await?;
        let modified = store.head(&key).await?.and_then(|object| object.modified);
        let create_only = put_is_refused(store, &full).await? && complete_is_refused(store, &full).await?;
        Ok((create_only, clock_ahead(modified, before, after)))
    }
    .await;
    let removed = store.delete(&key).await;
    let (create_only, clock_ahead) = seen?;
    removed?;
    if store.head(&key).await?.is_some() {
        return Err(Error::Broken { store: store.url.clone(), what: "a deleted object is still there" });
    }
    Ok(Probe { create_only, clock_ahead, stale_uploads: stale_uploads(store).await? })
}

async fn put_is_refused(store: &S3, full: &str) -> Result<bool, Error> {
    let put = store.client.put_object().bucket(&store.bucket).key(full).if_none_match("*");
    match put.body(Body::from_static(OVERWRITTEN)).send().await {
        Ok(_) => Ok(false),
        Err(cause) => match answer(&cause) {
            Answer::Conflict => Ok(true),
            // It does not know the condition, and says so.
            Answer::NotImplemented => Ok(false),
            _ => Err(store.failed("write an object", &cause)),
        },
    }
}

/// The same with an upload in parts, which is what a backup of size is.
async fn complete_is_refused(store: &S3, full: &str) -> Result<bool, Error> {
    let begun = store
        .client
        .create_multipart_upload()
        .bucket(&store.bucket)
        .key(full)
        .checksum_algorithm(ChecksumAlgorithm::Crc32C)
        .send()
        .await
        .map_err(|cause| store.failed("begin an upload", &cause))?;
    let id = begun.upload_id.unwrap_or_default();
    let refused = async {
        let part = store
            .client
            .upload_part()
            .bucket(&store.bucket)
            .key(full)
            .upload_id(&id)
            .part_number(1)
            .checksum_algorithm(ChecksumAlgorithm::Crc32C)
            .body(Body::from_static(OVERWRITTEN))
            .send()
            .await
            .map_err(|cause| store.failed("upload a part", &cause))?;
        let part = CompletedPart::builder()
            .part_number(1)
            .set_e_tag(part.e_tag)
            .set_checksum_crc32_c(part.checksum_crc32_c)
            .build();
        let complete = store
            .client
            .complete_multipart_upload()
            .bucket(&store.bucket)
            .key(full)
            .upload_id(&id)
            .if_none_match("*")
            .multipart_upload(CompletedMultipartUpload::builder().parts(part).build());
        match complete.send().await {
            Ok(_) => Ok(false),
            Err(cause) => match answer(&cause) {
                Answer::Conflict => Ok(true),
                Answer::NotImplemented => Ok(false),
                _ => Err(store.failed("complete an upload", &cause)),
            },
        }
    }
    .await;
    // Where it was completed there is nothing to abort, and that is no error.
    let abort = store.client.abort_multipart_upload().bucket(&store.bucket).key(full).upload_id(&id);
    let aborted = abort.send().await;
    match (refused?, aborted) {
        (true, Err(cause)) if answer(&cause) != Answer::Absent => {
            Err(store.failed("abort an upload", &cause))
        }
        (refused, _) => Ok(refused),
    }
}

/// Uploads in parts below the store's root that nobody finished; `None` where the
/// store or its policy does not tell.
async fn stale_uploads(store: &S3) -> Result<Option<usize>, Error> {
    let oldest = Timestamp::now() - STALE_AFTER;
    let mut stale = 0;
    let (mut key_marker, mut id_marker) = (None, None);
    loop {
        let page = store
            .client
            .list_multipart_uploads()
            .bucket(&store.bucket)
            .prefix(&store.prefix)
            .set_key_marker(key_marker)
            .set_upload_id_marker(id_marker)
            .send()
            .await;
        let page = match page {
            Ok(page) => page,
            Err(cause) if matches!(answer(&cause), Answer::NotImplemented | Answer::Forbidden) => {
                return Ok(None);
            }
            Err(cause) => return Err(store.failed("list unfinished uploads", &cause)),
        };
        stale += page
            .uploads()
            .iter()
            .filter(|upload| upload.initiated().and_then(timestamp).is_some_and(|begun| begun < oldest))
            .count();
        if !page.is_truncated.unwrap_or(false) || page.next_key_marker.is_none() {
            return Ok(Some(stale));
        }
        (key_marker, id_marker) = (page.next_key_marker, page.next_upload_id_marker);
    }
}
