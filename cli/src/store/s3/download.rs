//! One object in, its bytes out, from the first to the last.
//!
//! A connection that breaks is taken up where it stopped, with a range and the
//! object's ETag as condition, so that bytes of two objects are never mixed. A
//! body that stays short is an error in the stream.

use std::io;
use std::time::Duration;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream as Body;

use super::error::{Answer, answer};
use super::{CodeIs, S3};
use crate::store::Error;
use crate::store::error::Cause;
use crate::stream::{self, ByteStream, Sender};

/// Broken connections in a row that bring no [`PROGRESS`].
const BREAKS: u32 = 4;
/// Bytes after which the breaks are counted anew: a long way may break often.
const PROGRESS: u64 = 8 * 1024 * 1024;

pub(super) async fn get(store: &S3, key: &str) -> Result<ByteStream, Error> {
    let full = store.full(key)?;
    let request = store.client.get_object().bucket(&store.bucket).key(&full);
    let first = match request.send().await {
        Ok(first) => first,
        Err(cause) if cause.code_is("NoSuchBucket") => {
            return Err(store.failed("read an object", &cause));
        }
        Err(cause) if answer(&cause) == Answer::Absent => {
            return Err(Error::NotFound { store: store.url.clone(), key: key.to_owned() });
        }
        Err(cause) => return Err(store.failed("read an object", &cause)),
    };
    let Some(expected) = first.content_length.and_then(|length| u64::try_from(length).ok()) else {
        return Err(Error::Broken { store: store.url.clone(), what: "it sent an object without its length" });
    };
    let mut download = Download {
        store: store.clone(),
        key: key.to_owned(),
        full,
        expected,
        etag: first.e_tag.clone(),
        found: 0,
    };
    let (sender, body) = stream::channel();
    tokio::spawn(async move {
        match download.run(first.body, &sender).await {
            Ok(()) => drop(sender.end().await),
            Err(cause) => sender.fail(cause).await,
        }
    });
    Ok(body)
}

struct Download {
    store: S3,
    key: String,
    full: String,
    expected: u64,
    etag: Option<String>,
    /// Bytes that were passed on.
    found: u64,
}

impl Download {
    async fn run(&mut self, mut body: Body, sender: &Sender) -> io::Result<()> {
        let mut breaks = 0;
        let mut mark = 0;
        loop {
            let why = loop {
                match body.next().await {
                    Some(Ok(chunk)) => {
                        self.found += chunk.len() as u64;
                        if self.found > self.expected {
                            return Err(io::Error::other(self.changed()));
                        }
                        sender.send(chunk).await?;
                    }
                    Some(Err(cause)) => break super::error::chain(&cause),
                    None if self.found == self.expected => return Ok(()),
                    None => break "the connection was closed".to_owned(),
                }
            };
            if self.found == self.expected {
                // Every byte is there, and the SDK found that their checksum is not.
                return Err(io::Error::other(Error::Other {
                    store: self.store.url.clone(),
                    action: "read an object",
                    key: Some(self.key.clone()),
                    source: Box::new(Cause(why)),
                }));
            }
            if self.found - mark >= PROGRESS {
                breaks = 0;
                mark = self.found;
            }
            loop {
                if breaks == BREAKS {
                    return Err(io::Error::other(self.short()));
                }
                tokio::time::sleep(Duration::from_millis(200 << breaks)).await;
                breaks += 1;
                if let Some(next) = self.resume().await.map_err(io::Error::other)? {
                    body = next;
                    break;
                }
            }
        }
    }

    /// The rest of the object; `None` when it may work a little later.
    async fn resume(&self) -> Result<Option<Body>, Error> {
        let request = self
            .store
            .client
            .get_object()
            .bucket(&self.store.bucket)
            .key(&self.full)
            .range(format!("bytes={}-", self.found))
            .set_if_match(self.etag.clone());
        match request.send().await {
            Ok(rest) if self.is_the_rest(&rest) => Ok(Some(rest.body)),
            // The range was ignored, or the object is another one.
            Ok(_) => Err(self.changed()),
            Err(cause) => match answer(&cause) {
                Answer::Conflict | Answer::Absent => Err(self.changed()),
                Answer::Else if cause.raw_response().is_none() => Ok(None),
                _ => Err(self.store.failed("read an object", &cause).of(&self.key)),
            },
        }
    }

    /// `bytes 100-999/1000`: from where we stopped to the same end.
    fn is_the_rest(&self, rest: &GetObjectOutput) -> bool {
        let range = format!("bytes {}-{}/{}", self.found, self.expected - 1, self.expected);
        rest.content_range.as_deref() == Some(&range) && rest.e_tag == self.etag
    }

    fn short(&self) -> Error {
        Error::Short {
            store: self.store.url.clone(),
            key: self.key.clone(),
            expected: self.expected,
            found: self.found,
        }
    }

    fn changed(&self) -> Error {
        Error::Changed { store: self.store.url.clone(), key: self.key.clone() }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::store::Location;

    /// The SDK of today finds out a body that ends early itself; should it ever take
    /// one for whole, this does not.
    #[tokio::test]
    async fn a_body_that_ends_early_is_never_whole() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            // The object is gone when the rest of it is asked for.
            let (mut client, _) = listener.accept().await.unwrap();
            assert!(client.read(&mut [0; 8192]).await.unwrap() > 0);
            let gone = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            client.write_all(gone.as_bytes()).await.unwrap();
        });
        let location = Location {
            url: "s3://bucket".to_owned(),
            endpoint: Some(endpoint),
            region: Some("us-east-1".to_owned()),
            ..Location::default()
        };
        let credentials = SharedCredentialsProvider::new(Credentials::new("a", "b", None, None, "test"));
        let store = S3::open(&location, "bucket".to_owned(), String::new(), Some(credentials)).await.unwrap();
        let mut download =
            Download { store, key: "x".to_owned(), full: "x".to_owned(), expected: 10, etag: None, found: 0 };
        let (sender, _stream) = stream::channel();
        let error = download.run(Body::from_static(b"12345"), &sender).await.unwrap_err();
        assert!(matches!(Error::from_stream(error, "s3://bucket"), Error::Changed { .. }));
        assert_eq!(download.found, 5);
    }
}
