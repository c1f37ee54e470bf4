//! Workflows, run by act on this machine as GitHub would run them: a repository
//! of its own, an empty home, no network. What act says comes back as data, or
//! as the log that a person reads.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::tools;

/// A repository whose root is the action, and a machine to run its workflows.
pub struct Repository {
    root: TempDir,
    home: TempDir,
    arguments: Vec<String>,
}

/// What a run left.
pub struct Run {
    pub succeeded: bool,
    /// The log, with what went to standard error.
    pub log: String,
    events: Vec<Value>,
}

/// The root of our own repository.
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The action alone: its description and its scripts.
pub fn copy_action(to: &Path) {
    std::fs::create_dir_all(to.join("scripts/action")).unwrap();
    for file in ["action.yml", "scripts/action/install", "scripts/action/run"] {
        std::fs::copy(sources().join(file), to.join(file)).unwrap();
    }
}

impl Repository {
    pub fn new() -> Self {
        let (root, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        copy_action(root.path());
        std::fs::create_dir_all(home.path().join(".config/act")).unwrap();
        std::fs::write(home.path().join(".config/act/actrc"), "").unwrap();
        let programs = std::env::join_paths([15, 18].map(tools::postgres)).unwrap();
        let repository = Self { root, home, arguments: Vec::new() }
            .env("BACKSTOP_BIN", env!("CARGO_BIN_EXE_backstop"))
            .env("BACKSTOP_PG_BIN", programs.to_str().unwrap())
            .env("BACKSTOP_NO_DOWNLOAD", "1");
        for command in [
            &["init", "--quiet"][..],
            &["remote", "add", "origin", "https://github.com/example/shop"],
            &[
                "-c",
                "user.name=a",
                "-c",
                "user.email=a@example",
                "commit",
                "--quiet",
                "--allow-empty",
                "-m",
                "x",
            ],
        ] {
            let mut git = Command::new("git");
            git.args(command).current_dir(repository.root.path()).env("HOME", repository.home.path());
            assert!(git.status().unwrap().success(), "git {command:?}");
        }
        repository
    }

    /// A file of the repository.
    pub fn file(self, name: &str, content: &str) -> Self {
        let path = self.root.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    pub fn workflow(self, content: &str) -> Self {
        self.file(".github/workflows/test.yml", content)
    }

    /// Everything so far as a commit; its id.
    pub fn commit(&self) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "x"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// One commit made of two, whose first parent is `to`; its id.
    pub fn merge(&self, from: &str, to: &str) -> String {
        self.checkout(to);
        self.git(&["merge", "--quiet", "--no-ff", "--message", "x", from]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub fn checkout(&self, commit: &str) {
        self.git(&["checkout", "--quiet", "--detach", commit]);
    }

    fn git(&self, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@example"]).args(arguments);
        let done = git.current_dir(self.root.path()).env("HOME", self.home.path()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    /// What GitHub says of the event.
    pub fn event(self, event: &Value) -> Self {
        let path = self.home.path().join("event.json");
        std::fs::write(&path, event.to_string()).unwrap();
        self.argument("--eventpath", path.to_str().unwrap())
    }

    /// A variable of every job's environment.
    pub fn env(self, name: &str, value: &str) -> Self {
        self.argument("--env", &format!("{name}={value}"))
    }

    /// A variable of the repository (`vars.NAME`).
    pub fn var(self, name: &str, value: &str) -> Self {
        self.argument("--var", &format!("{name}={value}"))
    }

    pub fn secret(self, name: &str, value: &str) -> Self {
        self.argument("--secret", &format!("{name}={value}"))
    }

    /// A folder that stands for somebody's action at a commit.
    pub fn action(self, name: &str, folder: &Path) -> Self {
        self.argument("--local-repository", &format!("{name}={}", folder.display()))
    }

    fn argument(mut self, flag: &str, value: &str) -> Self {
        self.arguments.extend([flag.to_owned(), value.to_owned()]);
        self
    }

    /// Run on an event, with everything that act knows as data. Masked values
    /// are in there in clear.
    pub fn run(&self, event: &str) -> Run {
        let mut run = self.act(event, &["--json"]);
        run.events = run.log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        run
    }

    /// The same, as the log that people see.
    pub fn log(&self, event: &str) -> Run {
        self.act(event, &[])
    }

    fn act(&self, event: &str, flags: &[&str]) -> Run {
        let output = Command::new(tools::tool("act"))
            .args([
                event,
                "--action-offline-mode",
                "--concurrent-jobs",
                "1",
                "--workflows",
                ".github/workflows",
            ])
            .args(["--platform", "ubuntu-latest=-self-hosted", "--platform", "ubuntu-24.04=-self-hosted"])
            .args(flags)
            .args(&self.arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .current_dir(self.root.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let log = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        Run { succeeded: output.status.success(), log, events: Vec::new() }
    }
}

impl Run {
    #[track_caller]
    pub fn passed(self) -> Self {
        assert!(self.succeeded, "the job failed\n{}", self.messages());
        self
    }

    #[track_caller]
    pub fn failed(self) -> Self {
        assert!(!self.succeeded, "the job passed\n{}", self.messages());
        self
    }

    /// The outputs of a step of a job.
    pub fn outputs(&self, job: &str, step: &str) -> BTreeMap<String, String> {
        let of_step = |event: &&Value| event["jobID"] == job && event["stepID"] == serde_json::json!([step]);
        let pair = |event: &Value| (text(&event["name"]), text(&event["arg"]));
        self.commands("set-output").filter(of_step).map(pair).collect()
    }

    /// Annotations of a level: `error`, `warning` or `notice`.
    pub fn annotations(&self, level: &str) -> Vec<String> {
        self.commands(level).map(|event| text(&event["arg"])).collect()
    }

    /// The summary that a step of the action added.
    pub fn summary(&self, job: &str, step: &str) -> String {
        let id = serde_json::json!([step, "run"]);
        let of_step = |event: &&Value| event["jobID"] == job && event["stepID"] == id;
        self.commands("summary").find(of_step).map(|event| text(&event["content"])).unwrap_or_default()
    }

    pub fn commands<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Value> {
        self.events.iter().filter(move |event| event["command"] == name)
    }

    /// What the steps printed, for a person.
    pub fn messages(&self) -> String {
        if self.events.is_empty() {
            return self.log.clone();
        }
        self.events.iter().map(|event| text(&event["msg"]).trim_end().to_owned() + "\n").collect()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
