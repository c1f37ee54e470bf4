//! Roles and tablespaces, which belong to the server and not to a database:
//! `pg_dumpall --globals-only`, without passwords.

use std::process::Stdio;

use super::Error;
use super::target::Target;
use super::tools::ClientTools;

/// What every complete run says at its end.
const END: &str = "-- PostgreSQL database cluster dump complete";

/// The SQL text; a few kilobytes.
pub async fn dump(tools: &ClientTools, target: &Target) -> Result<Vec<u8>, Error> {
    let mut command = tools.pg_dumpall();
    target.apply(&mut command);
    // Password hashes stay where they are: a backup job has no need of them,
    // and managed providers do not show them.
    command.args(["--globals-only", "--no-role-passwords", "--no-password"]);
    command.arg(format!("--database={}", target.database()));
    let mut command = tokio::process::Command::from(command);
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|source| Error::Program { program: "pg_dumpall", source })?;
    let text = output.stdout;
    // Newer minors end with a line for psql after it.
    let ended = String::from_utf8_lossy(&text).lines().rev().take(8).any(|line| line == END);
    if !output.status.success() || !ended {
        let said = String::from_utf8_lossy(&output.stderr);
        // What it asked, and for what, comes after the error.
        let error = said.lines().find(|line| line.contains("error:")).or_else(|| said.lines().last());
        let message =
            error.unwrap_or("cut short").trim_start_matches("pg_dumpall: ").trim_start_matches("error: ");
        return Err(Error::Globals { message: message.to_owned() });
    }
    Ok(text)
}
