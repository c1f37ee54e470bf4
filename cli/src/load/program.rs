//! How a run of `pg_restore` ends: well, or with what it said as the error, or soon
//! after it is told to stop. psql's exit status is read in the same way.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio_util::sync::CancellationToken;

use super::Error;

/// How long it may take to say goodbye to the server.
const GRACE: Duration = Duration::from_secs(2);

pub(super) fn cannot_start(source: io::Error) -> Error {
    Error::Start { program: "pg_restore", source }
}

/// What an exit status and what it said on the way come to.
pub(super) fn ended(program: &'static str, status: ExitStatus, messages: &[u8]) -> Result<(), Error> {
    if status.success() {
        return Ok(());
    }
    if status.signal().is_some() {
        return Err(Error::Killed { program, status });
    }
    let messages = String::from_utf8_lossy(messages).trim_end().to_owned();
    Err(Error::Restore { program, messages })
}

/// Run one that talks to the database itself to its end.
pub(super) async fn run(mut command: Command, stop: &CancellationToken) -> Result<(), Error> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = tokio::process::Command::from(command).kill_on_drop(true).spawn().map_err(cannot_start)?;
    let pid = child.id().and_then(|id| i32::try_from(id).ok());
    let output = child.wait_with_output();
    tokio::pin!(output);
    let output = tokio::select! {
        output = &mut output => output.map_err(cannot_start)?,
        () = stop.cancelled() => {
            // It hands the signal on to its workers and cancels their statements;
            // it is our child and not waited for yet, so the number is still its own.
            if let Some(pid) = pid {
                let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            }
            let _ = tokio::time::timeout(GRACE, output).await;
            return Err(Error::Interrupted);
        }
    };
    ended("pg_restore", output.status, &output.stderr)
}
