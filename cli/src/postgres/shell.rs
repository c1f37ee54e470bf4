//! A command of the user's own, run by the shell: it is told a database by its
//! environment, gets neither of the variables that open the backups, and ends with
//! all that it started when we are told to stop.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use super::target::Target;

/// How long it may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(2);

/// The command, for [`run`]. Who needs to tell it more adds to its environment.
pub fn command(text: &str, target: &Target) -> Command {
    let mut command = Command::new("sh");
    target.apply(&mut command);
    command.arg("-c").arg(text).env("DATABASE_URL", target.url().expose_secret());
    command.env_remove("BACKSTOP_IDENTITY").env_remove("BACKSTOP_PASSPHRASE");
    // Its output is for people; standard out is the report's.
    command.stdin(Stdio::null()).stdout(io::stderr());
    command
}

/// How it ended, or `None` where it was stopped.
pub async fn run(mut command: Command, stop: &CancellationToken) -> io::Result<Option<ExitStatus>> {
    // What it starts is its group, and a signal at the terminal is for us alone.
    command.process_group(0);
    let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    tokio::select! {
        ended = child.wait() => return ended.map(Some),
        () = stop.cancelled() => {}
    }
    // It is not waited for yet, so the number is still its own.
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        if let Some(group) = group {
            let _ = killpg(group, signal);
        }
        if tokio::time::timeout(GRACE, child.wait()).await.is_ok() {
            break;
        }
    }
    Ok(None)
}
