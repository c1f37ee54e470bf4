//! `pg_dump` as a [`Source`]: its archive passes through, is read to the end on
//! the way, and ends only when the program ended well and the archive is whole.

use std::io::{self, Read, Write};
use std::process::{Child, ChildStderr, ChildStdout, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use backstop_policy::manifest::{Content, Filters};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{Contents, Error, Toc, inspect};

use crate::postgres::snapshot::Table;
use crate::postgres::target::Target;
use crate::postgres::tools::ClientTools;
use crate::stream::{self, Source};

/// How long `pg_dump` may take to say goodbye to the server when it is stopped.
const GRACE: Duration = Duration::from_secs(2);
/// Bytes of `pg_dump`'s own messages that are kept.
const MESSAGES: usize = 16 * 1024;

/// What to dump.
pub struct Request<'a> {
    pub tools: &'a ClientTools,
    pub target: &'a Target,
    pub server_major: u32,
    /// The exported snapshot, where there is one.
    pub snapshot: Option<&'a str>,
    pub content: Content,
    pub filters: &'a Filters,
}

/// A running dump.
pub struct Dump {
    program: Program,
    /// Which `pg_dump` it is.
    path: String,
    stdout: ChildStdout,
    messages: Option<JoinHandle<String>>,
    copy: Option<stream::Writer>,
    inspector: Option<JoinHandle<Result<Contents, Error>>>,
    /// Whether the table of contents is complete.
    announced: Arc<AtomicBool>,
    running: Arc<AtomicBool>,
    stop: CancellationToken,
}

/// What goes on beside the stream while it is dumped.
pub struct Watch {
    /// The tables whose rows follow, as soon as the table of contents is there:
    /// `pg_dump` has locked every table by then. Closed without when the dump
    /// fails before.
    pub tables: oneshot::Receiver<Vec<Table>>,
}

/// A dump that ended well.
pub struct Dumped {
    pub contents: Contents,
    /// Warnings of `pg_dump`.
    pub warnings: Vec<String>,
}

/// Start `pg_dump`. `stop` ends it early.
pub fn dump(request: &Request<'_>, stop: &CancellationToken) -> Result<(Dump, Watch), Error> {
    let mut command = request.tools.pg_dump();
    request.target.apply(&mut command);
    command.args(["--format=custom", "--no-password"]);
    if let Some(snapshot) = request.snapshot {
        command.arg(format!("--snapshot={snapshot}"));
    }
    // zstd is read by pg_restore 16 and newer, gzip by every one.
    if request.server_major >= 16 && request.tools.supports("zstd") {
        command.arg("--compress=zstd:3");
    }
    match request.content {
        Content::Full => {}
        Content::Schema => drop(command.arg("--schema-only")),
        Content::Data => drop(command.arg("--data-only")),
    }
    let filters = request.filters;
    for (flag, patterns) in [
        ("--schema", &filters.schemas),
        ("--table", &filters.tables),
        ("--exclude-table", &filters.exclude_tables),
        ("--exclude-table-data", &filters.exclude_table_data),
    ] {
        command.args(patterns.iter().map(|pattern| format!("{flag}={pattern}")));
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let start = |source| Error::Start { program: "pg_dump", source };
    let mut child = command.spawn().map_err(start)?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(start(io::Error::other("no pipe to it")));
    };

    let (sender, copy) = stream::channel();
    let (announce, tables) = oneshot::channel();
    let announced = Arc::new(AtomicBool::new(false));
    let seen = announced.clone();
    let inspector = std::thread::spawn(move || {
        inspect(copy.into_reader(), |toc| {
            seen.store(true, Ordering::SeqCst);
            // Nobody listens where there is no proof to make.
            let _ = announce.send(tables_with_rows(toc));
        })
    });
    let messages = std::thread::spawn(move || read_messages(stderr));
    let running = Arc::new(AtomicBool::new(true));
    let dump = Dump {
        stdout,
        messages: Some(messages),
        copy: Some(sender.into_writer()),
        inspector: Some(inspector),
        announced,
        running,
        stop: stop.child_token(),
        path: command.get_program().to_string_lossy().into_owned(),
        program: Program(Arc::new(Mutex::new(child))),
    };
    dump.end_when_stopped();
    Ok((dump, Watch { tables }))
}

/// Not the whole table of contents, which is tens of megabytes where there are
/// thousands of tables.
fn tables_with_rows(toc: &Toc) -> Vec<Table> {
    toc.entries
        .iter()
        .filter(|entry| entry.desc == "TABLE DATA")
        .map(|entry| Table { oid: entry.oid, schema: entry.namespace.clone(), name: entry.tag.clone() })
        .collect()
}

/// The process, shared with who may have to end it. A pid is a number that the
/// system gives away again, so that it is signalled only while it is not waited for.
#[derive(Clone)]
struct Program(Arc<Mutex<Child>>);

impl Program {
    fn ended(&self) -> io::Result<Option<ExitStatus>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).try_wait()
    }

    /// Blocks. Does not hold the lock meanwhile.
    fn wait(&self) -> io::Result<ExitStatus> {
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    fn signal(&self, signal: Signal) {
        let mut child = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Ok(None), Ok(pid)) = (child.try_wait(), i32::try_from(child.id())) {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }
}

impl Dump {
    /// A read from a silent `pg_dump` cannot be interrupted, but its end can be
    /// brought about: first by asking, since it cancels its statement then, in the
    /// end by force, since it may be suspended.
    fn end_when_stopped(&self) {
        let (stop, program) = (self.stop.clone(), self.program.clone());
        tokio::spawn(async move {
            stop.cancelled().await;
            program.signal(Signal::SIGTERM);
            tokio::time::sleep(GRACE).await;
            program.signal(Signal::SIGKILL);
        });
    }

    fn not_whole(&self, error: Error) -> Error {
        Error::NotWhole { program: self.path.clone(), source: Box::new(error) }
    }

    fn outcome(&mut self) -> Result<Dumped, Error> {
        let status = self.program.wait().map_err(|source| Error::Start { program: "pg_dump", source })?;
        let messages = self.messages.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        // Without its end the copy is cut short, and the inspector says so; but
        // what pg_dump says of its own failure comes first.
        let copied = self.copy.take().map_or(Ok(()), stream::Writer::end);
        let inspected = self.inspector.take().map(JoinHandle::join);
        if !status.success() {
            return Err(Error::Dump { status, messages });
        }
        let contents = match inspected {
            Some(Ok(contents)) => contents.map_err(|error| self.not_whole(error))?,
            _ => return Err(Error::InspectorDied),
        };
        copied.map_err(Error::Read)?;
        let warnings = messages.lines().filter(|line| line.contains("warning:")).map(str::to_owned).collect();
        Ok(Dumped { contents, warnings })
    }
}

impl Read for Dump {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.stdout.read(buffer)?;
        if length == 0 {
            self.running.store(false, Ordering::SeqCst);
        }
        let announced = self.announced.load(Ordering::SeqCst);
        let copied = self.copy.as_mut().map_or(Ok(()), |copy| {
            copy.write_all(&buffer[..length])?;
            // Whoever waits for the table of contents is to have it at once.
            if announced { Ok(()) } else { copy.flush() }
        });
        if copied.is_err() {
            // The inspector gave up: its reason is told by `finish`, and there
            // is no use in dumping on.
            self.copy = None;
            self.program.signal(Signal::SIGKILL);
            let reason = self.inspector.take().map(JoinHandle::join);
            return Err(io::Error::other(match reason {
                Some(Ok(Err(error))) => self.not_whole(error),
                _ => Error::InspectorDied,
            }));
        }
        Ok(length)
    }
}

impl Source for Dump {
    type Outcome = Dumped;

    fn finish(mut self) -> io::Result<Dumped> {
        self.outcome().map_err(io::Error::other)
    }
}

impl Drop for Dump {
    fn drop(&mut self) {
        self.running.store(false, Ordering::SeqCst);
        self.stop.cancel();
        // A dump that was not read to its end must not go on holding locks.
        self.program.signal(Signal::SIGKILL);
        let _ = self.program.wait();
    }
}

fn read_messages(stderr: ChildStderr) -> String {
    let mut text = Vec::new();
    let mut stderr = stderr;
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stderr.read(&mut buffer) {
        if text.len() < MESSAGES {
            text.extend_from_slice(&buffer[..length]);
        }
    }
    String::from_utf8_lossy(&text).trim_end().to_owned()
}
