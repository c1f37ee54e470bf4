//! Runs the commands that the demo shows: our own binary, in the demo's folder,
//! with the demo's `DATABASE_URL` and none of the user's connections, keys or
//! configuration.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::Error;
use super::screen::{Screen, quoted};

/// What a command inherits: where things are, and how to reach a package index.
/// Nothing that could lead it to a database, a store or a key of the user's.
const INHERITED: &[&str] = &[
    "BACKSTOP_CACHE_DIR",
    "BACKSTOP_NO_DOWNLOAD",
    "BACKSTOP_PG_BIN",
    "HOME",
    "LANG",
    "LD_LIBRARY_PATH",
    "LOGNAME",
    "PATH",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
    "USER",
    "XDG_CACHE_HOME",
];
/// A command that was asked to stop cleans up behind itself first.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A command that ended well.
#[derive(Debug, Serialize)]
pub struct Ran {
    pub command: String,
    pub seconds: f64,
}

pub struct Runner<'a> {
    pub folder: &'a Path,
    /// The demo's `DATABASE_URL`.
    pub url: &'a str,
    pub screen: &'a Screen,
    pub stop: &'a CancellationToken,
}

impl Runner<'_> {
    /// Show what every command finds in its environment.
    pub fn export(&self) {
        self.screen.command(&["export", &format!("DATABASE_URL={}", quoted(self.url))].map(str::to_owned));
    }

    /// Show a command and run it, showing what it prints as it comes.
    pub async fn backstop(&self, arguments: &[&str]) -> Result<Ran, Error> {
        let mut words = vec!["backstop".to_owned()];
        words.extend(arguments.iter().map(|word| quoted(word)));
        self.screen.command(&words);
        let command = words.join(" ");

        let begun = Instant::now();
        let start = |source| Error::Start { command: command.clone(), source };
        let (mut child, output) = self.start(arguments).map_err(start)?;
        let said = self.follow(output);
        let (status, said) = tokio::select! {
            ended = async { tokio::join!(child.wait(), said) } => (ended.0.map_err(start)?, ended.1),
            () = self.stop.cancelled() => {
                end(&mut child).await;
                return Err(Error::Interrupted);
            }
        };
        if !status.success() {
            return Err(Error::Command { command, status, output: said });
        }
        Ok(Ran { command, seconds: begun.elapsed().as_secs_f64() })
    }

    /// One pipe for both of its outputs, so that their order is kept.
    fn start(&self, arguments: &[&str]) -> io::Result<(Child, impl AsyncRead + Unpin + use<>)> {
        let (reader, writer) = io::pipe()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments).current_dir(self.folder).env_clear().envs(inherited());
        command.env("DATABASE_URL", self.url);
        command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        // A Ctrl-C at the terminal is for us; we hand on one signal, not two.
        command.process_group(0).kill_on_drop(true);
        let child = command.spawn()?;
        let reader = tokio::net::unix::pipe::Receiver::from_owned_fd(reader.into())?;
        Ok((child, reader))
    }

    /// What it prints: on the screen, and where there is none, as the answer.
    async fn follow(&self, output: impl AsyncRead + Unpin) -> String {
        let mut lines = BufReader::new(output).lines();
        let mut said = String::new();
        while let Ok(Some(line)) = lines.next_line().await {
            if !self.screen.line(&line) {
                said += &line;
                said.push('\n');
            }
        }
        said
    }
}

fn inherited() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| {
        name.to_str().is_some_and(|name| {
            INHERITED.contains(&name) || name.starts_with("PIP_") || name.to_lowercase().ends_with("_proxy")
        })
    })
}

/// Ask it to stop, and wait for it.
async fn end(child: &mut Child) {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    let _: Option<io::Result<ExitStatus>> = tokio::time::timeout(STOP_LIMIT, child.wait()).await.ok();
}
