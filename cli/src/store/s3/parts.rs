//! A stream in, its parts out: cut by size, held in memory, several on their way
//! at once, each sent again when it fails.
//!
//! Memory is bounded by a budget that every part takes its size from before it is
//! filled. Dropping this stops the parts in flight; the caller aborts the upload.

use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream as Body;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedPart};
use bytes::{Bytes, BytesMut};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};

use super::upload::{Upload, panicked, patience};
use crate::store::Error;
use crate::stream::ByteStream;

const MIB: usize = 1024 * 1024;
/// Parts on their way at once.
const IN_FLIGHT: usize = 4;
/// Memory for the part that is being filled and those in flight, in MiB. The
/// last parts of a huge object are larger, and then there is one at a time.
const BUDGET: u32 = 64;
/// S3 takes no more parts than this.
const MOST_PARTS: i32 = 10_000;
/// The size of a part by its number, from 1. 8 MiB is good up to 8 GiB; then it
/// doubles with every thousand parts up to 64 MiB, so that memory stays bounded,
/// and the last thousand make an object of 930 GiB possible. (R2 wants equal parts:
/// there an object ends at 8 GiB, and its error is passed on.)
fn part_size(number: i32) -> usize {
    MIB * match number {
        ..=1_000 => 8,
        1_001..=2_000 => 16,
        2_001..=3_000 => 32,
        3_001..=9_000 => 64,
        _ => 512,
    }
}

/// The largest object that [`part_size`] makes possible.
fn largest() -> u64 {
    (1..=MOST_PARTS).map(|number| part_size(number) as u64).sum()
}

/// The stream, cut into parts, and those that are on their way.
pub(super) struct Parts {
    upload: Upload,
    body: ByteStream,
    /// What the last chunk held beyond its part.
    rest: Bytes,
    ended: bool,
    budget: Arc<Semaphore>,
    tasks: JoinSet<Result<Sent, Error>>,
    done: Vec<CompletedPart>,
    /// Buffers of parts that were sent, to be filled again: an allocator keeps
    /// such large ones for itself when they come and go.
    spare: Vec<BytesMut>,
}

struct Sent {
    part: CompletedPart,
    buffer: Option<BytesMut>,
}

pub(super) struct Part {
    number: i32,
    pub(super) bytes: Bytes,
    /// Its memory, given back when it is dropped.
    permit: OwnedSemaphorePermit,
}

impl Parts {
    pub(super) fn of(upload: Upload, body: ByteStream) -> Self {
        Self {
            upload,
            body,
            rest: Bytes::new(),
            ended: false,
            budget: Arc::new(Semaphore::new(BUDGET as usize)),
            tasks: JoinSet::new(),
            done: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Whether the part that was filled last is the last of all.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Stop what is in flight and return what was sent.
    pub(super) async fn stop(mut self) -> Vec<CompletedPart> {
        self.tasks.shutdown().await;
        self.done
    }

    /// Send all parts, beginning with the first, and return the object's size.
    pub(super) async fn send(&mut self, id: &str, first: Part) -> Result<u64, Error> {
        let mut part = first;
        let mut total = 0;
        loop {
            // The stream may end where a part did.
            if part.bytes.is_empty() {
                break;
            }
            let number = part.number;
            total += part.bytes.len() as u64;
            while self.tasks.len() >= IN_FLIGHT {
                self.one_done().await?;
            }
            self.tasks.spawn(send_part(self.upload.clone(), id.to_owned(), part));
            if self.ended {
                break;
            }
            if number == MOST_PARTS {
                let upload = &self.upload;
                return Err(Error::TooLarge {
                    store: upload.store.url.clone(),
                    key: upload.key.clone(),
                    limit: largest(),
                });
            }
            part = self.fill(number + 1).await?;
        }
        while !self.tasks.is_empty() {
            self.one_done().await?;
        }
        Ok(total)
    }

    async fn one_done(&mut self) -> Result<(), Error> {
        let stop = self.upload.stop.clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => Err(self.upload.cancelled()),
            done = self.tasks.join_next() => self.collect(done),
        }
    }

    fn collect(&mut self, done: Option<Result<Result<Sent, Error>, JoinError>>) -> Result<(), Error> {
        match done {
            Some(Ok(sent)) => {
                let Sent { part, buffer } = sent?;
                self.done.push(part);
                self.spare.extend(buffer);
            }
            Some(Err(cause)) => return Err(panicked(&self.upload.store, &cause)),
            None => {}
        }
        Ok(())
    }

    /// Read the next part: of full size, or the last one. A part in flight that
    /// fails meanwhile ends it, so that a slow source does not hide a broken store.
    pub(super) async fn fill(&mut self, number: i32) -> Result<Part, Error> {
        let size = part_size(number);
        let weight = u32::try_from(size / MIB).unwrap_or(BUDGET).min(BUDGET);
        let permit =
            Arc::clone(&self.budget).acquire_many_owned(weight).await.map_err(|_| self.upload.cancelled())?;
        self.spare.retain(|buffer| buffer.capacity() >= size);
        let mut bytes = self.spare.pop().unwrap_or_else(|| BytesMut::with_capacity(size));
        let stop = self.upload.stop.clone();
        while bytes.len() < size {
            if !self.rest.is_empty() {
                let room = (size - bytes.len()).min(self.rest.len());
                bytes.extend_from_slice(&self.rest.split_to(room));
                continue;
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(self.upload.cancelled()),
                done = self.tasks.join_next(), if !self.tasks.is_empty() => self.collect(done)?,
                chunk = self.body.next() => {
                    let Some(chunk) = chunk.map_err(Error::Source)? else {
                        self.ended = true;
                        break;
                    };
                    self.rest = chunk;
                }
            }
        }
        Ok(Part { number, bytes: bytes.freeze(), permit })
    }
}

async fn send_part(upload: Upload, id: String, part: Part) -> Result<Sent, Error> {
    let Part { number, bytes, permit } = part;
    let store = &upload.store;
    let patience = patience(bytes.len() as u64);
    let request = store
        .client
        .upload_part()
        .bucket(&store.bucket)
        .key(&upload.full)
        .upload_id(id)
        .part_number(number)
        .checksum_algorithm(ChecksumAlgorithm::Crc32C)
        .body(Body::from(bytes.clone()))
        .customize()
        .config_override(patience);
    let request = if store.sign_payload { request } else { request.disable_payload_signing() };
    let sent = request.send().await.map_err(|cause| store.failed("upload a part", &cause))?;
    drop(permit);
    let part = CompletedPart::builder()
        .part_number(number)
        .set_e_tag(sent.e_tag)
        .set_checksum_crc32_c(sent.checksum_crc32_c)
        .build();
    let buffer = bytes.try_into_mut().ok().map(|mut buffer| {
        buffer.clear();
        buffer
    });
    Ok(Sent { part, buffer })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_to_the_limits_of_s3_and_of_memory() {
        assert_eq!(largest(), 952_000 * 1024 * 1024);
        for number in 1..=MOST_PARTS {
            assert!((5 * MIB..=5 * 1024 * MIB).contains(&part_size(number)));
            assert!(number > 9_000 || part_size(number) <= BUDGET as usize * MIB);
            assert!(number == 1 || part_size(number) >= part_size(number - 1));
        }
    }
}
