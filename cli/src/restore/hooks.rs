//! The user's commands around a restore: the first stops what uses the database,
//! the other starts it again, whatever came of the restore.

use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

use super::Error;
use crate::postgres::shell;
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
    pub async fn before(&self, event: &Event<'_>, stop: &CancellationToken) -> Result<(), Error> {
        self.run("before_restore", self.before.as_deref(), event, "", stop).await
    }

    /// Nothing stops this one: what the first hook stopped has to be started again.
    pub async fn after(&self, event: &Event<'_>, good: bool) -> Result<(), Error> {
        let result = if good { "restored" } else { "failed" };
        self.run("after_restore", self.after.as_deref(), event, result, &CancellationToken::new()).await
    }

    async fn run(
        &self,
        hook: &'static str,
        command: Option<&str>,
        event: &Event<'_>,
        result: &str,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let Some(command) = command else { return Ok(()) };
        let mut command = shell::command(command, event.target);
        command.envs([
            ("BACKSTOP_EVENT", hook),
            ("BACKSTOP_DATABASE", event.database),
            ("BACKSTOP_TARGET_DATABASE", event.target.database()),
            ("BACKSTOP_ORIGIN", event.origin),
            ("BACKSTOP_RESULT", result),
        ]);
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        let ended = shell::run(command, stop).await.map_err(|source| Error::HookStart { hook, source })?;
        let status = ended.ok_or(Error::Interrupted)?;
        if status.success() { Ok(()) } else { Err(Error::Hook { hook, status }) }
    }
}
