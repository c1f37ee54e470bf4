//! `pg_dump` as a process: how it is started, stopped and heard.

use std::io::{self, Read};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio_util::sync::CancellationToken;

use super::super::Error;

/// How long `pg_dump` may take to say goodbye to the server when it is stopped.
pub(super) const GRACE: Duration = Duration::from_secs(2);
/// Bytes of `pg_dump`'s own messages that are kept.
const MESSAGES: usize = 16 * 1024;

/// The process, shared with who may have to end it. A pid is a number that the
/// system gives away again, so that it is signalled only while it is not waited for.
#[derive(Clone)]
pub(super) struct Program(Arc<Mutex<Child>>);

/// A process and its two ends.
pub(super) struct Running {
    pub program: Program,
    /// Which `pg_dump` it is.
    pub path: String,
    pub stdout: ChildStdout,
    pub messages: Messages,
}

/// What it says, as it comes.
pub(super) struct Messages {
    text: Arc<Mutex<Vec<u8>>>,
    reading: JoinHandle<()>,
}

pub(super) fn start(mut command: Command) -> Result<Running, Error> {
    let start = |source| Error::Start { program: "pg_dump", source };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(start)?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(start(io::Error::other("no pipe to it")));
    };
    let messages = Messages::read(stderr);
    let path = command.get_program().to_string_lossy().into_owned();
    Ok(Running { program: Program(Arc::new(Mutex::new(child))), path, stdout, messages })
}

impl Program {
    fn ended(&self) -> Result<Option<ExitStatus>, Error> {
        let ended = self.0.lock().unwrap_or_else(PoisonError::into_inner).try_wait();
        ended.map_err(|source| Error::Start { program: "pg_dump", source })
    }

    /// Blocks. Does not hold the lock meanwhile.
    pub(super) fn wait(&self) -> Result<ExitStatus, Error> {
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// Ask it to end; where it does not in time, by force. Blocks.
    pub(super) fn end(&self, grace: Duration) -> Result<(), Error> {
        self.signal(Signal::SIGTERM);
        let asked = Instant::now();
        let mut pause = Duration::from_millis(1);
        while asked.elapsed() < grace {
            if self.ended()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
        self.signal(Signal::SIGKILL);
        self.wait().map(drop)
    }

    pub(super) fn signal(&self, signal: Signal) {
        let mut child = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Ok(None), Ok(pid)) = (child.try_wait(), i32::try_from(child.id())) {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// A read from a silent `pg_dump` cannot be interrupted, but its end can be
    /// brought about: first by asking, since it cancels its statement then, in the
    /// end by force, since it may be suspended.
    pub(super) fn end_when_stopped(&self, stop: CancellationToken) {
        let program = self.clone();
        tokio::spawn(async move {
            stop.cancelled().await;
            program.signal(Signal::SIGTERM);
            tokio::time::sleep(GRACE).await;
            program.signal(Signal::SIGKILL);
        });
    }
}

impl Messages {
    fn read(mut stderr: ChildStderr) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&text);
        let reading = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = stderr.read(&mut buffer) {
                let mut text = shared.lock().unwrap_or_else(PoisonError::into_inner);
                if text.len() < MESSAGES {
                    text.extend_from_slice(&buffer[..length]);
                }
            }
        });
        Self { text, reading }
    }

    /// All of it, once the process has ended. A program that it started may still
    /// hold the other end: nobody waits for that one.
    pub(super) fn all(&self) -> String {
        let ended = Instant::now();
        while !self.reading.is_finished() && ended.elapsed() < GRACE {
            std::thread::sleep(Duration::from_millis(1));
        }
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&text).trim_end().to_owned()
    }
}

/// What it warns of, a line each.
pub(super) fn warnings(messages: &str) -> Vec<String> {
    messages.lines().filter(|line| line.contains("warning:")).map(str::to_owned).collect()
}
