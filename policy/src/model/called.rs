//! Code that a command runs and that lies elsewhere: another script, a task of
//! package.json, an image.

use crate::path;

use super::command::{Arg, Command};

/// What is called, by what its name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Called {
    /// A script by its path: `./scripts/backup.sh`, `bash /opt/b.sh`.
    Script(Arg),
    /// A task: `npm run db:backup`, `make backup`.
    Task(Arg),
    /// A program in another language: `python backup.py`, `tsx backup.ts`.
    Program(Arg),
    /// A container of an image whose program is not named.
    Image(Arg),
    /// A composite action or a reusable workflow.
    Action(Arg),
}

impl Called {
    pub fn arg(&self) -> &Arg {
        match self {
            Self::Script(arg)
            | Self::Task(arg)
            | Self::Program(arg)
            | Self::Image(arg)
            | Self::Action(arg) => arg,
        }
    }

    /// Whether it may do one of these things: its name says so, or nothing.
    pub fn may(&self, words: &[&str]) -> bool {
        const OTHER: [&str; 22] = [
            "install",
            "setup",
            "set-up",
            "deploy",
            "migrat",
            "build",
            "lint",
            "format",
            "seed",
            "login",
            "checkout",
            "docs",
            "configure",
            "start",
            "stop",
            "wait",
            "credential",
            "auth",
            "tsc",
            "generate",
            "notif",
            "alert",
        ];
        let name = self.arg().text.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        has(words) || !has(&OTHER)
    }
}

impl Called {
    /// Whether its name says that it makes a backup.
    pub fn is_backup(&self) -> bool {
        const MAKES: [&str; 4] = ["backup", "back-up", "dump", "archive"];
        const OTHER: [&str; 13] = [
            "verif", "valid", "check", "monitor", "restor", "clean", "prune", "rotate", "test", "health",
            "watch", "status", "list",
        ];
        let name = self.arg().text.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        has(&MAKES) && !has(&OTHER)
    }
}

/// Whether a path is that of a file of variables: `.env`, `/etc/backup.env`.
pub fn is_env_file(path: &str) -> bool {
    let name = path::name(path);
    name == ".env" || name.starts_with(".env.") || name.ends_with(".env")
}

const SHELLS: [&str; 7] = ["bash", "sh", "zsh", "dash", "ksh", ".", "source"];
const INTERPRETERS: [&str; 10] =
    ["python", "python3", "node", "tsx", "ts-node", "bun", "deno", "ruby", "php", "perl"];
const SUFFIXES: [(&str, bool); 9] = [
    (".sh", true),
    (".bash", true),
    (".py", false),
    (".js", false),
    (".mjs", false),
    (".ts", false),
    (".rb", false),
    (".pl", false),
    (".php", false),
];

/// What names a file that `.` reads for its settings: it holds no code of a backup.
const SETTINGS: [&str; 11] = [
    "env",
    "conf",
    "/etc/",
    "profile",
    "bashrc",
    "activate",
    "nvm.sh",
    "os-release",
    "docker",
    "color",
    "logging",
];

/// What a command calls. `written` is its program as it is written, with its folder.
pub fn called(command: &Command, written: &str) -> Option<Called> {
    let name = command.name.as_str();
    let operand = || command.args.iter().find(|arg| !arg.text.starts_with('-'));
    if SHELLS.contains(&name) {
        if command
            .args
            .iter()
            .any(|arg| arg.text.starts_with('-') && !arg.text.starts_with("--") && arg.text.contains('c'))
        {
            return None;
        }
        let settings = |arg: &&Arg| {
            matches!(name, "." | "source") && SETTINGS.iter().any(|word| arg.text.contains(word))
        };
        return operand().filter(|arg| !settings(arg)).cloned().map(Called::Script);
    }
    if INTERPRETERS.contains(&name) {
        if command.args.iter().any(|arg| matches!(arg.text.as_str(), "-c" | "-e")) {
            return None;
        }
        let operands = command.args.iter().filter(|arg| !arg.text.starts_with('-') && arg.text != "run");
        return operands
            .clone()
            .find(|arg| arg.text.contains('.'))
            .or_else(|| operands.clone().next())
            .cloned()
            .map(Called::Program);
    }
    match name {
        "npm" | "pnpm" | "yarn" | "bun" => {
            let mut words = command.args.iter().filter(|arg| !arg.text.starts_with('-'));
            let first = words.next()?;
            return match first.text.as_str() {
                "run" | "run-script" => words.next().cloned().map(Called::Task),
                "install" | "ci" | "i" | "add" | "exec" | "dlx" | "x" | "init" | "test" | "start" => None,
                // `yarn db:backup`
                _ if name != "npm" => Some(Called::Task(first.clone())),
                _ => None,
            };
        }
        "make" | "just" | "task" | "rake" => return operand().cloned().map(Called::Task),
        "docker" | "podman" => {
            let mut words = command.args.iter().filter(|arg| !arg.text.starts_with('-'));
            if words.next().is_some_and(|verb| verb.text == "run") {
                return words.next_back().cloned().map(Called::Image);
            }
            return None;
        }
        _ => {}
    }
    let arg = |text: &str| Arg::plain(command.name_at, text);
    if let Some((_, shell)) = SUFFIXES.iter().find(|(suffix, _)| name.ends_with(suffix)) {
        return Some(if *shell { Called::Script(arg(written)) } else { Called::Program(arg(written)) });
    }
    // `/opt/backup/run`, but not `/usr/bin/pg_dump`.
    let folder = written.rsplit_once('/').map(|(folder, _)| folder)?;
    let system = ["/bin", "/usr/bin", "/usr/local/bin", "/sbin", "/usr/sbin"].contains(&folder)
        || folder.contains("/postgresql/");
    let known = command.role != super::role::Role::Other;
    (!system && !known).then(|| Called::Script(arg(written)))
}
