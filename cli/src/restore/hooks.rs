//! The user's commands around a restore: the first stops what uses the database,
//! the other starts it again, whatever came of the restore.

use std::path::PathBuf;
use std::process::Stdio;

use secrecy::ExposeSecret;

use super::Error;
use crate::postgres::target::Target;

#[derive(Debug, Clone, Default)]
pub struct Hooks {
    pub before: Option<String>,
    pub after: Option<String>,
    /// Where they run: the configuration's folder.
    pub directory: Option<PathBuf>,
}

/// What a hook is told.
pub struct Event<'a> {
    pub target: &'a Target,
    /// Name of the database in the configuration.
    pub database: &'a str,
    pub origin: &'a str,
}

impl Hooks {
    /// The restore goes on only if this succeeds.
    pub async fn before(&self, event: &Event<'_>) -> Result<(), Error> {
        run("before_restore", self.before.as_deref(), self, event, "").await
    }

    pub async fn after(&self, event: &Event<'_>, good: bool) -> Result<(), Error> {
        run("after_restore", self.after.as_deref(), self, event, if good { "restored" } else { "failed" })
            .await
    }
}

async fn run(
    hook: &'static str,
    command: Option<&str>,
    hooks: &Hooks,
    event: &Event<'_>,
    result: &str,
) -> Result<(), Error> {
    let Some(command) = command else { return Ok(()) };
    let mut child = std::process::Command::new("sh");
    event.target.apply(&mut child);
    child.arg("-c").arg(command).stdin(Stdio::null());
    for (name, value) in [
        ("BACKSTOP_EVENT", hook),
        ("BACKSTOP_DATABASE", event.database),
        ("BACKSTOP_TARGET_DATABASE", event.target.database()),
        ("BACKSTOP_ORIGIN", event.origin),
        ("BACKSTOP_RESULT", result),
        ("DATABASE_URL", event.target.url().expose_secret()),
    ] {
        child.env(name, value);
    }
    // A hook has no use for what opens the backups.
    child.env_remove("BACKSTOP_IDENTITY").env_remove("BACKSTOP_PASSPHRASE");
    if let Some(directory) = &hooks.directory {
        child.current_dir(directory);
    }
    // Its output is for people; standard out is the report's.
    child.stdout(std::io::stderr());
    let status = tokio::process::Command::from(child)
        .kill_on_drop(true)
        .status()
        .await
        .map_err(|source| Error::HookStart { hook, source })?;
    if status.success() { Ok(()) } else { Err(Error::Hook { hook, status }) }
}
