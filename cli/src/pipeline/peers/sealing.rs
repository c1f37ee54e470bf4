//! `seal`: only a whole stream whose source ended well becomes `Sealed`, and
//! both ends hear why another did not.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use super::*;
use crate::store;

/// A source made of a reading and a finishing closure.
struct Made<R, F>(R, F);

impl<R: FnMut(&mut [u8]) -> io::Result<usize>, F> Read for Made<R, F> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        (self.0)(out)
    }
}

impl<R, F> Source for Made<R, F>
where
    R: FnMut(&mut [u8]) -> io::Result<usize> + Send + 'static,
    F: FnOnce() -> io::Result<u32> + Send + 'static,
{
    type Outcome = u32;
    fn finish(self) -> io::Result<u32> {
        (self.1)()
    }
}

fn methods() -> Vec<Encryption> {
    let (_, recipient) = super::super::generate_identity(None).unwrap();
    vec![
        Encryption::None,
        Encryption::from_recipients(&[recipient]).unwrap(),
        Encryption::OpenpgpPassphrase(secret(PASSPHRASE)),
    ]
}

fn store_error() -> io::Error {
    io::Error::other(store::Error::NoStore { store: "s3://shop".into() })
}

/// Read to the end or the error.
async fn drain(stream: &mut crate::stream::ByteStream) -> io::Result<u64> {
    let mut length = 0;
    while let Some(chunk) = stream.next().await? {
        length += chunk.len() as u64;
    }
    Ok(length)
}

/// Zeros, then whatever `then` says.
fn zeros(
    mut left: usize,
    mut then: impl FnMut() -> io::Result<usize>,
) -> impl FnMut(&mut [u8]) -> io::Result<usize> {
    move |out| {
        if left == 0 {
            return then();
        }
        let length = out.len().min(left);
        out[..length].fill(0);
        left -= length;
        Ok(length)
    }
}

#[tokio::test]
async fn the_outcome_and_both_digests_come_with_a_whole_stream() {
    let told = Arc::new(AtomicU64::new(0));
    let counter = told.clone();
    let source = Made(zeros(3_000_000, || Ok(0)), || Ok(7));
    let (mut stream, sealing) = seal(source, Encryption::None, CancellationToken::new(), move |bytes| {
        counter.fetch_add(bytes, Ordering::Relaxed);
    });
    assert_eq!(drain(&mut stream).await.unwrap(), 3_000_000);
    let (sealed, outcome) = sealing.finish().await.unwrap();
    assert_eq!((sealed.plain(), sealed.stored().bytes, outcome), (sealed.stored(), 3_000_000, 7));
    assert_eq!(told.load(Ordering::Relaxed), 3_000_000);
}

#[tokio::test]
async fn a_failing_source_fails_the_stream_and_the_sealing_with_its_own_error() {
    for encryption in methods() {
        for at in [0, 1, 1_000_000] {
            for in_finish in [false, true] {
                let read = zeros(at, move || if in_finish { Ok(0) } else { Err(store_error()) });
                let source = Made(read, || Err(store_error()));
                let (mut stream, sealing) =
                    seal(source, encryption.clone(), CancellationToken::new(), |_| {});
                let streamed = drain(&mut stream).await.unwrap_err();
                let finished = sealing.finish().await.unwrap_err();
                for error in [anyhow::Error::new(streamed), anyhow::Error::new(finished)] {
                    let shown = crate::commands::failure::render(&error);
                    assert_eq!(
                        shown.lines().next(),
                        Some("error: store 's3://shop' does not exist"),
                        "{shown}"
                    );
                    let known = error.chain().any(|link| {
                        link.downcast_ref::<io::Error>()
                            .and_then(io::Error::get_ref)
                            .is_some_and(<dyn std::error::Error + Send + Sync>::is::<store::Error>)
                    });
                    assert!(known, "nobody can ask {error:?} for a hint");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_panic_in_the_source_is_an_error_at_both_ends() {
    for in_finish in [false, true] {
        let read = zeros(10_000, move || if in_finish { Ok(0) } else { panic!("a bug in the source") });
        let source = Made(read, || panic!("a bug in the end of the source"));
        let (mut stream, sealing) = seal(source, Encryption::None, CancellationToken::new(), |_| {});
        let streamed = drain(&mut stream).await.unwrap_err();
        assert_eq!(streamed.to_string(), "the thread that reads the source panicked");
        assert!(matches!(sealing.finish().await, Err(Error::Panicked)));
    }
}

#[tokio::test]
async fn a_reader_that_goes_away_ends_the_thread_and_says_so() {
    for encryption in methods() {
        let (alive, ended) = mpsc::channel::<()>();
        let read = zeros(usize::MAX, || Ok(0));
        let source = Made(read, move || {
            drop(alive);
            Ok(0)
        });
        let (mut stream, sealing) = seal(source, encryption, CancellationToken::new(), |_| {});
        stream.next().await.unwrap();
        drop(stream);
        assert!(matches!(sealing.finish().await, Err(Error::ReaderGone)));
        // The source, and with it the sending end, is gone.
        let waited = tokio::task::spawn_blocking(move || ended.recv_timeout(Duration::from_secs(5)));
        assert_eq!(waited.await.unwrap(), Err(mpsc::RecvTimeoutError::Disconnected));
    }
}

#[tokio::test]
async fn a_stop_ends_the_stream_even_while_the_source_hangs() {
    let (hold, release) = mpsc::channel::<()>();
    let read = zeros(1_000_000, move || {
        // Until the test lets go.
        let _ = release.recv();
        Ok(0)
    });
    let stop = CancellationToken::new();
    let (mut stream, sealing) = seal(Made(read, || Ok(0)), Encryption::None, stop.clone(), |_| {});
    let begun = Instant::now();
    let read = tokio::spawn(async move { drain(&mut stream).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    stop.cancel();
    let error = read.await.unwrap().unwrap_err();
    assert_ne!(error.kind(), io::ErrorKind::Interrupted, "readers would try again");
    assert!(matches!(error.downcast::<Error>(), Ok(Error::Interrupted)));
    drop(hold);
    assert!(matches!(sealing.finish().await, Err(Error::Interrupted)));
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_stop_between_the_last_byte_and_the_end_is_a_stop() {
    let stop = CancellationToken::new();
    let cancel = stop.clone();
    let source = Made(zeros(10, || Ok(0)), move || {
        cancel.cancel();
        Ok(0)
    });
    let (mut stream, sealing) = seal(source, Encryption::None, stop, |_| {});
    assert!(drain(&mut stream).await.is_err());
    assert!(matches!(sealing.finish().await, Err(Error::Interrupted)));
}
