//! SQL text flows into psql, which stops at the first error. In one transaction
//! the last word is ours: psql commits at the end of its input, and its input
//! ends only when the text was read to its end and found whole. Otherwise psql
//! is killed first, and the server rolls everything back.

use std::io::{self, Read, Write};
use std::process::{ChildStdin, Stdio};
use std::time::Duration;

use rand::Rng;
use tokio::io::AsyncReadExt;
use tokio_util::sync::CancellationToken;

use super::script::{Filter, Rules};
use super::{Error, program};
use crate::postgres::target::Target;
use crate::postgres::tools::{ClientTools, Version};

/// How long a commit may take when it is to stop: it is too late to undo it.
const GRACE: Duration = Duration::from_secs(5);
/// Bytes of psql's own messages that are kept.
const MESSAGES: u64 = 16 * 1024;

/// What is done in the same transaction before and after a text.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    pub before: String,
    pub after: String,
}

/// How a text is run.
pub struct Script<'a> {
    pub target: &'a Target,
    pub tools: &'a ClientTools,
    pub server_major: u32,
    /// Everything in one transaction, with this around it.
    pub frame: Option<&'a Frame>,
}

/// What passed.
#[derive(Debug)]
pub struct Ran {
    /// The text was marked by pg_dump, so that its end could be told.
    pub end_was_marked: bool,
}

/// Run a text to its end, or not at all where it is in one transaction.
pub async fn run(
    script: &Script<'_>,
    text: impl Read + Send + 'static,
    stop: &CancellationToken,
) -> Result<Ran, Error> {
    let mut command = script.tools.psql();
    script.target.apply(&mut command);
    command.args(["--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--file=-"]);
    if script.frame.is_some() {
        command.arg("--single-transaction");
    }
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let start = |source| Error::Start { program: "psql", source };
    let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().map_err(start)?;
    let (Some(stdin), Some(stderr)) = (child.stdin.take(), child.stderr.take()) else {
        return Err(start(io::Error::other("no pipe to it")));
    };
    let stdin = ChildStdin::from(stdin.into_owned_fd().map_err(start)?);
    let messages = tokio::spawn(async move {
        let mut kept = Vec::new();
        let mut stderr = stderr;
        let _ = (&mut stderr).take(MESSAGES).read_to_end(&mut kept).await;
        // A full pipe would stop psql.
        let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
        String::from_utf8_lossy(&kept).trim_end().to_owned()
    });

    let filter = Filter::new(Rules {
        drop_transaction_timeout: script.server_major < 17,
        one_transaction: script.frame.is_some(),
    });
    let frame = script.frame.cloned().unwrap_or_default();
    let guard = guards(script.tools.version).then(guard_line).unwrap_or_default();
    let feeding = tokio::task::spawn_blocking(move || {
        let mut feed = Feed { stdin, filter };
        let outcome = feed.all(&guard, &frame, text);
        (feed, outcome)
    });
    let (feed, outcome) = tokio::select! {
        fed = feeding => fed.map_err(|_| Error::Panicked)?,
        () = stop.cancelled() => {
            let _ = child.kill().await;
            return Err(Error::Interrupted);
        }
    };
    if let Err(Stopped::Text(error)) = outcome {
        // While its input is open psql cannot have committed.
        let _ = child.kill().await;
        return Err(error);
    }
    let Feed { stdin, filter } = feed;
    drop(stdin);
    let status = tokio::select! {
        status = child.wait() => status.map_err(start)?,
        () = stop.cancelled() => {
            let Ok(status) = tokio::time::timeout(GRACE, child.wait()).await else {
                let _ = child.kill().await;
                return Err(script.unknown(Error::Interrupted));
            };
            status.map_err(start)?
        }
    };
    let messages = messages.await.unwrap_or_default();
    match (program::ended("psql", status, messages.as_bytes()), outcome) {
        (Ok(()), Ok(())) => Ok(Ran { end_was_marked: filter.is_pg_dump() }),
        // It had everything, so it may have committed before.
        (Err(error @ Error::Killed { .. }), Ok(())) => Err(script.unknown(error)),
        (Err(error), _) => Err(error),
        (Ok(()), Err(_)) => Err(Error::Restore { program: "psql", messages }),
    }
}

impl Script<'_> {
    /// How it ends where psql was cut off at its last word.
    fn unknown(&self, end: Error) -> Error {
        let database = || self.target.database().to_owned();
        match self.frame {
            Some(_) => Error::Committing { database: database(), end: Box::new(end) },
            None => end,
        }
    }
}

/// Which side of the pipe ended early.
enum Stopped {
    Psql,
    Text(Error),
}

struct Feed {
    stdin: ChildStdin,
    filter: Filter,
}

impl Feed {
    fn all(&mut self, guard: &str, frame: &Frame, mut text: impl Read) -> Result<(), Stopped> {
        // Whatever the role or the database is set to: the filter begins with it too.
        let strings = "SET standard_conforming_strings = on;";
        self.write(format!("{guard}{strings}\n{}\n", frame.before).as_bytes())?;
        let mut buffer = vec![0; crate::stream::CHUNK];
        let mut out = Vec::with_capacity(buffer.len());
        let mut first = true;
        loop {
            let length = match text.read(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Stopped::Text(Error::of_stream(error))),
            };
            let mut piece = &buffer[..length];
            if std::mem::take(&mut first) {
                // psql would take a byte order mark for a part of the first word.
                piece = piece.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(piece);
            }
            let filtered =
                if length == 0 { self.filter.finish(&mut out) } else { self.filter.feed(piece, &mut out) };
            filtered.map_err(Stopped::Text)?;
            self.write(&out)?;
            out.clear();
            if length == 0 {
                return self.write(format!("\n{}\n", frame.after).as_bytes());
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        self.stdin.write_all(bytes).map_err(|_| Stopped::Psql)
    }
}

/// Versions whose psql can be told to take no command but the end of this (the
/// fix of CVE-2025-8714): a second wall behind [`Filter`].
fn guards(version: Version) -> bool {
    let since = match version.major {
        ..13 => return false,
        13 => 22,
        14 => 19,
        15 => 14,
        16 => 10,
        17 => 6,
        18.. => 0,
    };
    version.minor >= since
}

fn guard_line() -> String {
    format!("\\restrict {:032x}\n", rand::thread_rng().r#gen::<u128>())
}
