//! The built `backstop`, run as a stranger would: nothing of our environment,
//! an empty home, no download.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::tools;

/// One run of `backstop` that is being put together.
pub struct Backstop {
    pub command: Command,
    home: TempDir,
}

/// What a run left.
#[derive(Debug)]
pub struct Outcome {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// `backstop` with these arguments.
pub fn backstop<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Backstop {
    let home = tempfile::tempdir().unwrap();
    let programs = [15, 18].map(tools::postgres);
    let mut command = Command::new(env!("CARGO_BIN_EXE_backstop"));
    command.args(arguments).env_clear().current_dir(home.path()).stdin(Stdio::null());
    command.env("HOME", home.path()).env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command.env("BACKSTOP_PG_BIN", std::env::join_paths(programs).unwrap());
    command.env("BACKSTOP_NO_DOWNLOAD", "1");
    Backstop { command, home }
}

impl Backstop {
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// A file in the directory in which the command runs.
    pub fn file(self, name: &str, content: &str) -> Self {
        std::fs::write(self.home.path().join(name), content).unwrap();
        self
    }

    /// A script in its place: a shell finds `backstop` as a user's would.
    pub fn shell(mut self, script: &str) -> Outcome {
        let program = Path::new(self.command.get_program()).parent().unwrap();
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", program.display());
        let environment: Vec<_> = self
            .command
            .get_envs()
            .map(|(name, value)| (name.to_owned(), value.map(OsStr::to_owned)))
            .collect();
        let mut shell = Command::new("bash");
        shell.args(["-c", script]).env_clear().current_dir(self.home.path()).stdin(Stdio::null());
        shell
            .envs(environment.into_iter().filter_map(|(name, value)| Some((name, value?))))
            .env("PATH", path);
        self.command = shell;
        self.run()
    }

    /// Where the command runs, its home too.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Start it, to do something to it before it ends.
    pub fn start(mut self) -> Running {
        let child = self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Running { child, home: self.home }
    }

    pub fn run(mut self) -> Outcome {
        let output = self.command.output().unwrap();
        Outcome {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A run that has not ended yet.
pub struct Running {
    child: Child,
    pub home: TempDir,
}

impl Running {
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub fn wait(self) -> Outcome {
        let output = self.child.wait_with_output().unwrap();
        Outcome {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Outcome {
    /// It ended with this status; the rest is told where it did not.
    #[track_caller]
    pub fn ended(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}
