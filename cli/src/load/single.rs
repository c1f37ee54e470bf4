//! The whole archive through one stock `pg_restore`: into the database itself, or
//! as SQL through psql where everything is one transaction, or where the client
//! sets what the server does not know. The first error stops it, and the archive
//! is read to its very end, where its digests are told.

use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;

use tempfile::NamedTempFile;
use tokio_util::sync::CancellationToken;

use super::program::{self, cannot_start};
use super::psql::{self, Script};
use super::{Error, Load, base_command, conninfo};
use crate::archive::{Coding, Plan, Recoding, Toc, list_file, recode};
use crate::postgres::tools::ClientTools;

/// Load the entries of a plan.
pub(super) async fn run(
    load: &Load<'_>,
    tools: &ClientTools,
    toc: &Toc,
    plan: &Plan,
    bytes: impl Read + Send + 'static,
    server_major: u32,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let readable = tools.supports(toc.header.compression.as_str()).await;
    let mut list = NamedTempFile::new().map_err(Error::ListFile)?;
    list.write_all(list_file(toc, plan).as_bytes()).map_err(Error::ListFile)?;
    let mut command = base_command(load, tools);
    command.arg("--use-list").arg(list.path());
    if load.frame.is_some() || sets_too_much(tools, server_major) {
        command.arg("--file=-");
        let text = Printing::start(command, bytes, list, readable)?;
        let script = Script { target: load.target, tools, server_major, frame: load.frame };
        psql::run(&script, text, stop).await.map(drop)
    } else {
        load.target.apply(&mut command);
        command.arg(format!("--dbname={}", conninfo(load.target.database())));
        direct(command, bytes, readable, stop).await
    }
}

/// Since 17 pg_restore sets transaction_timeout, which older servers do not
/// know and which it cannot be told to leave out: its SQL goes through psql.
pub(super) fn sets_too_much(tools: &ClientTools, server_major: u32) -> bool {
    tools.version.major >= 17 && server_major < 17
}

/// `pg_restore` writes into the database itself.
async fn direct(
    mut command: Command,
    mut bytes: impl Read + Send + 'static,
    readable: bool,
    stop: &CancellationToken,
) -> Result<(), Error> {
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child =
        tokio::process::Command::from(command).kill_on_drop(true).spawn().map_err(cannot_start)?;
    let stdin = child.stdin.take().ok_or_else(|| cannot_start(io::Error::other("no pipe to it")))?;
    let stdin = ChildStdin::from(stdin.into_owned_fd().map_err(cannot_start)?);
    let feeding = tokio::task::spawn_blocking(move || {
        let mut stdin = stdin;
        let fed = feed(&mut bytes, &mut stdin, readable);
        drop(stdin);
        (bytes, fed)
    });
    let output = tokio::select! {
        output = child.wait_with_output() => output.map_err(cannot_start)?,
        () = stop.cancelled() => return Err(Error::Interrupted),
    };
    let (mut bytes, fed) = feeding.await.map_err(|_| Error::Panicked)?;
    // A stream that broke explains more than pg_restore's "unexpected end of file".
    if let Err(Feed::Archive(error)) = fed {
        return Err(error);
    }
    program::ended("pg_restore", output.status, &output.stderr)?;
    // pg_restore may close its input when the last entry was taken.
    tokio::task::spawn_blocking(move || to_its_end(&mut bytes)).await.map_err(|_| Error::Panicked)?
}

/// `pg_restore` prints SQL. The end of what is read is said only when it ended
/// well and the archive was read to its end.
struct Printing {
    child: Child,
    stdout: ChildStdout,
    /// How the archive ended.
    fed: Option<mpsc::Receiver<Result<(), Error>>>,
    messages: Option<JoinHandle<Vec<u8>>>,
    _list: NamedTempFile,
}

impl Printing {
    fn start(
        mut command: Command,
        mut bytes: impl Read + Send + 'static,
        list: NamedTempFile,
        readable: bool,
    ) -> Result<Self, Error> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(cannot_start)?;
        let (Some(stdin), Some(stdout), Some(mut stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(cannot_start(io::Error::other("no pipe to it")));
        };
        let (say, fed) = mpsc::channel();
        std::thread::spawn(move || {
            let mut stdin = stdin;
            let outcome = match feed(&mut bytes, &mut stdin, readable) {
                Ok(()) | Err(Feed::Pipe) => {
                    drop(stdin);
                    to_its_end(&mut bytes)
                }
                Err(Feed::Archive(error)) => Err(error),
            };
            // Before its input ends: what pg_restore says of that tells less.
            let _ = say.send(outcome);
        });
        let messages = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.read_to_end(&mut text);
            text
        });
        Ok(Self { child, stdout, fed: Some(fed), messages: Some(messages), _list: list })
    }

    fn end(&mut self) -> Result<(), Error> {
        let Some(fed) = self.fed.take() else { return Ok(()) };
        let status = self.child.wait().map_err(cannot_start)?;
        if status.success() {
            fed.recv().map_err(|_| Error::Panicked)??;
        } else {
            // Nothing more is wanted of the archive; it is left where it is.
            fed.try_recv().unwrap_or(Ok(()))?;
        }
        let messages = self.messages.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        program::ended("pg_restore", status, &messages)
    }
}

impl Read for Printing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.stdout.read(buffer)?;
        if length == 0 && !buffer.is_empty() {
            self.end().map_err(io::Error::other)?;
        }
        Ok(length)
    }
}

impl Drop for Printing {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Which end of the pipe failed.
enum Feed {
    Archive(Error),
    Pipe,
}

fn feed(archive: &mut impl Read, stdin: &mut ChildStdin, readable: bool) -> Result<(), Feed> {
    if !readable {
        // A pg_restore without zstd gets the rows uncompressed.
        let plain = Recoding { coding: Coding::None, readable_by: None };
        return recode(archive, stdin, plain).map(drop).map_err(|error| match error {
            crate::archive::Error::Write(_) => Feed::Pipe,
            other => Feed::Archive(other.into()),
        });
    }
    let mut buffer = vec![0; crate::stream::CHUNK];
    loop {
        match archive.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => stdin.write_all(&buffer[..length]).map_err(|_| Feed::Pipe)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Feed::Archive(Error::Read(error))),
        }
    }
}

/// Read what is left, so that every check at the end of the stream is made.
fn to_its_end(archive: &mut impl Read) -> Result<(), Error> {
    io::copy(archive, &mut io::sink()).map(drop).map_err(Error::Read)
}
