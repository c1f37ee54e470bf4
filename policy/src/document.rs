//! A document: its path, its text, and what kind of text that is.
//!
//! The kind comes from the path where that says enough, else from the content.
//! Nothing is parsed here: content is told by a few lines that only one kind has.

use std::str::FromStr;

use crate::path;

/// A text as a user knows it. `path` is relative, with `/` between its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    pub path: String,
    pub kind: Kind,
    pub text: String,
}

impl Document {
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let (path, text) = (path.into(), text.into());
        Self { kind: Kind::of(&path, &text), path, text }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A GitHub workflow.
    Workflow,
    /// A composite action.
    Action,
    Shell,
    Crontab,
    /// A unit of systemd: service, timer, path.
    Systemd,
    Compose,
    /// Lifecycle rules of a bucket, of S3 or of Google Cloud.
    Lifecycle,
    /// A policy of a bucket or of IAM.
    BucketPolicy,
    Env,
    Sql,
    /// `drizzle.config.ts`.
    Drizzle,
    /// TypeScript or JavaScript.
    TypeScript,
    /// `backstop.yml`.
    Backstop,
    Markdown,
    Pgpass,
    Kubernetes,
    Text,
}

/// Each kind with its name for `--as`.
pub const KINDS: [(Kind, &str); 17] = [
    (Kind::Workflow, "workflow"),
    (Kind::Action, "action"),
    (Kind::Shell, "shell"),
    (Kind::Crontab, "crontab"),
    (Kind::Systemd, "systemd"),
    (Kind::Compose, "compose"),
    (Kind::Lifecycle, "lifecycle"),
    (Kind::BucketPolicy, "bucket-policy"),
    (Kind::Env, "env"),
    (Kind::Sql, "sql"),
    (Kind::Drizzle, "drizzle"),
    (Kind::TypeScript, "typescript"),
    (Kind::Backstop, "backstop"),
    (Kind::Markdown, "markdown"),
    (Kind::Pgpass, "pgpass"),
    (Kind::Kubernetes, "kubernetes"),
    (Kind::Text, "text"),
];

impl Kind {
    pub fn as_str(self) -> &'static str {
        KINDS.iter().find(|(kind, _)| *kind == self).map_or("text", |(_, name)| name)
    }

    /// By path, and where that is not enough, by content.
    pub fn of(path: &str, text: &str) -> Self {
        let lower = path.to_ascii_lowercase();
        let name = path::name(&lower);
        let folder = |wanted: &str| lower.starts_with(&wanted[1..]) || lower.contains(wanted);
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        match extension {
            "yml" | "yaml" => match stem {
                "backstop" | ".backstop" => Self::Backstop,
                "action" if top_level_key(text, "runs") => Self::Action,
                _ if [".github", ".gitea", ".forgejo"]
                    .iter()
                    .any(|host| folder(&format!("/{host}/workflows/"))) =>
                {
                    Self::Workflow
                }
                _ if stem.starts_with("compose") || stem.starts_with("docker-compose") => Self::Compose,
                _ => of_yaml(text),
            },
            _ if stem == "drizzle.config" => Self::Drizzle,
            "json" | "jsonc" => of_json(text),
            "ts" | "tsx" | "js" | "jsx" | "mts" | "mjs" | "cts" | "cjs" => Self::TypeScript,
            "md" | "markdown" | "mdx" => Self::Markdown,
            "sh" | "bash" | "zsh" | "ksh" | "bats" => Self::Shell,
            "sql" | "psql" | "pgsql" => Self::Sql,
            "service" | "timer" | "path" | "socket" | "mount"
                if has_section(text, "[Unit]") || has_section(text, "[Timer]") =>
            {
                Self::Systemd
            }
            "cron" | "crontab" => Self::Crontab,
            "env" => Self::Env,
            "pgpass" => Self::Pgpass,
            _ if name == ".env" || name.starts_with(".env.") || name == ".envrc" => Self::Env,
            _ if name == ".pgpass" || name == "pgpass.conf" => Self::Pgpass,
            _ if name == "crontab" || folder("/cron.d/") || folder("/crontabs/") => Self::Crontab,
            "txt" | "log" | "csv" | "rst" | "adoc" | "html" => Self::Text,
            // Hooks, `bin/backup`, standard input: no extension says anything.
            _ if !name.contains('.') || extension.is_empty() => Self::of_text(text),
            _ if is_shell_script(text) => Self::Shell,
            _ => Self::Text,
        }
    }

    /// A fenced block of Markdown, by the language after its fence and its content.
    pub fn of_fence(language: &str, text: &str) -> Self {
        match language.to_ascii_lowercase().as_str() {
            "yaml" | "yml" => of_yaml(text),
            "json" | "jsonc" | "json5" => of_json(text),
            "ini" | "systemd" | "conf" | "desktop" | "toml" if is_systemd(text) => Self::Systemd,
            "bash" | "sh" | "shell" | "zsh" | "ksh" | "console" | "shell-session" | "shellsession"
            | "terminal" => {
                if is_crontab(text) {
                    Self::Crontab
                } else if is_env(text) {
                    Self::Env
                } else if is_systemd(text) {
                    Self::Systemd
                } else {
                    Self::Shell
                }
            }
            "cron" | "crontab" => Self::Crontab,
            "env" | "dotenv" | "properties" => Self::Env,
            "sql" | "pgsql" | "postgresql" | "postgres" | "plpgsql" | "psql" => Self::Sql,
            "ts" | "typescript" | "js" | "javascript" | "tsx" | "jsx" | "mjs" => Self::TypeScript,
            "" | "text" | "txt" | "plaintext" => Self::of_text(text),
            _ => Self::Text,
        }
    }

    /// Text without a name.
    fn of_text(text: &str) -> Self {
        if is_shell_script(text) {
            return Self::Shell;
        }
        // What it holds in its blocks does not say what it is.
        if has_fences(text) {
            return Self::Markdown;
        }
        if is_crontab(text) {
            return Self::Crontab;
        }
        if is_systemd(text) {
            return Self::Systemd;
        }
        if text.trim_start().starts_with(['{', '[']) {
            return of_json(text);
        }
        match of_yaml(text) {
            Self::Text if is_env(text) => Self::Env,
            Self::Text if is_markdown(text) => Self::Markdown,
            Self::Text if is_sql(text) => Self::Sql,
            Self::Text if is_typescript(text) => Self::TypeScript,
            Self::Text if starts_with_a_command(text) => Self::Shell,
            kind => kind,
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        KINDS
            .iter()
            .find(|(_, name)| *name == text)
            .map(|(kind, _)| *kind)
            .ok_or_else(|| format!("'{text}' is no kind of document"))
    }
}

/// Whether `key:` stands at the indentation of the first key.
fn top_level_key(text: &str, key: &str) -> bool {
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '\u{feff}']).len();
    let content = |line: &&str| {
        let line = line.trim_start_matches([' ', '\u{feff}']);
        !line.is_empty() && !line.starts_with(['#', '%']) && !line.starts_with("---")
    };
    let Some(first) = text.lines().find(content).map(indent) else { return false };
    text.lines().filter(|line| indent(line) == first).any(|line| {
        let line = line.trim_start_matches([' ', '\u{feff}']).trim_start_matches(['"', '\'']);
        line.strip_prefix(key).is_some_and(|rest| rest.trim_start_matches(['"', '\'']).starts_with(':'))
    })
}

fn of_yaml(text: &str) -> Kind {
    let has = |key: &str| top_level_key(text, key);
    match () {
        () if has("jobs") && (has("on") || has("name")) => Kind::Workflow,
        () if has("apiVersion") && has("kind") => Kind::Kubernetes,
        () if has("runs") && has("name") => Kind::Action,
        () if has("services") => Kind::Compose,
        () if has("databases") && has("version") => Kind::Backstop,
        () => Kind::Text,
    }
}

fn of_json(text: &str) -> Kind {
    let has = |key: &str| text.contains(&format!("\"{key}\""));
    match () {
        () if has("Statement") && has("Effect") => Kind::BucketPolicy,
        () if has("Rules")
            && (has("Expiration") || has("Transitions") || has("NoncurrentVersionExpiration")) =>
        {
            Kind::Lifecycle
        }
        () if has("rule") && has("action") && (has("condition") || has("lifecycle")) => Kind::Lifecycle,
        () if has("apiVersion") && has("kind") => Kind::Kubernetes,
        () => Kind::Text,
    }
}

fn has_section(text: &str, section: &str) -> bool {
    text.lines().any(|line| line.trim() == section)
}

fn is_systemd(text: &str) -> bool {
    ["[Unit]", "[Service]", "[Timer]"].iter().any(|section| has_section(text, section))
}

fn is_shell_script(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default().trim_start_matches('\u{feff}').trim();
    first.strip_prefix("#!").is_some_and(|interpreter| {
        let program =
            interpreter.split_whitespace().find(|word| !word.ends_with("env") && !word.starts_with('-'));
        program.is_some_and(|program| {
            matches!(path::name(program), "sh" | "bash" | "dash" | "zsh" | "ksh" | "ash")
        })
    })
}

/// Lines of content: not blank, no comment.
fn content(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// At least one line with a schedule, and nothing but such and assignments.
fn is_crontab(text: &str) -> bool {
    let mut any = false;
    for line in content(text) {
        if is_crontab_line(line) {
            any = true;
        } else if !is_assignment(line) {
            return false;
        }
    }
    any
}

fn is_crontab_line(line: &str) -> bool {
    const NAMES: [&str; 8] =
        ["@reboot", "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
    let mut words = line.split_whitespace();
    if words.next().is_some_and(|first| NAMES.contains(&first)) {
        return words.next().is_some();
    }
    let mut words = line.split_whitespace();
    let field = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_digit() || c == '*')
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"*/,-#?".contains(&byte))
    };
    let day = |word: &str| {
        field(word)
            || (word.len() >= 3 && word.bytes().all(|b| b.is_ascii_alphabetic() || b",-".contains(&b)))
    };
    let fields = words.by_ref().take(3).filter(|word| field(word)).count() == 3
        && words.by_ref().take(2).filter(|word| day(word)).count() == 2;
    fields && words.next().is_some()
}

fn is_assignment(line: &str) -> bool {
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    line.split_once('=').is_some_and(|(name, value)| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !name.starts_with(|c: char| c.is_ascii_digit())
            // `NAME=value command` is a command, and `NAME=$(…)` a script.
            && !value.starts_with(['$', '`', '('])
            && !value.contains("$(")
            && (value.starts_with(['"', '\'']) || !value.trim_end().contains(' ') || value.contains(" #"))
    })
}

/// Nothing but assignments, none of which is exported into a shell that goes on.
fn is_env(text: &str) -> bool {
    content(text).next().is_some()
        && content(text).all(|line| is_assignment(line) && !line.starts_with("export "))
}

/// A block of Markdown that ends: in no other kind does a line begin so.
fn has_fences(text: &str) -> bool {
    ["```", "~~~"].iter().any(|fence| text.lines().filter(|line| line.starts_with(fence)).nth(1).is_some())
}

/// The first line that is neither blank nor a comment begins a statement, and some
/// statement ends with its line.
fn is_sql(text: &str) -> bool {
    const BEGIN: [&str; 17] = [
        "alter ",
        "begin;",
        "comment on ",
        "copy ",
        "create ",
        "delete from ",
        "do $",
        "drop ",
        "grant ",
        "insert into ",
        "revoke ",
        "select ",
        "set ",
        "start transaction",
        "truncate ",
        "update ",
        "with ",
    ];
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("--"));
    let first = first.unwrap_or_default().to_ascii_lowercase();
    BEGIN.iter().any(|words| first.starts_with(words))
        && text.lines().any(|line| line.trim_end().ends_with(';'))
}

fn is_typescript(text: &str) -> bool {
    let imports =
        |line: &str| line.starts_with("import ") && (line.contains(" from \"") || line.contains(" from '"));
    text.lines().any(imports)
}

fn is_markdown(text: &str) -> bool {
    let fences = text.lines().filter(|line| line.trim_start().starts_with("```")).count();
    let headings = text.lines().filter(|line| line.starts_with("# ") || line.starts_with("## ")).count();
    fences >= 2
        || (headings >= 1 && text.lines().any(|line| line.starts_with("## ") || line.starts_with("- ")))
}

/// Blocks without a language: only what is surely typed into a shell.
fn starts_with_a_command(text: &str) -> bool {
    const COMMANDS: [&str; 24] = [
        "pg_dump",
        "pg_dumpall",
        "pg_restore",
        "pg_basebackup",
        "psql",
        "createdb",
        "dropdb",
        "aws",
        "gsutil",
        "gcloud",
        "az",
        "rclone",
        "supabase",
        "docker",
        "kubectl",
        "curl",
        "npm",
        "npx",
        "pnpm",
        "yarn",
        "bash",
        "sh",
        "sudo",
        "crontab",
    ];
    content(text).next().is_some_and(|line| {
        let line = line.strip_prefix("$ ").unwrap_or(line);
        let first = line.split_whitespace().next().unwrap_or_default();
        COMMANDS.contains(&first) || (first.starts_with("./") && first.ends_with(".sh"))
    })
}

#[cfg(test)]
mod tests;
