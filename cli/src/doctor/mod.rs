//! What stands between this machine and a backup that restores: each check is a
//! function over plain arguments and gives findings, each with its exact fix.
//!
//! Nothing here changes anything, but for the store's probe object, which is
//! removed again. `commands::doctor` chooses the checks and prints them.

pub mod connection;
pub mod machine;
pub mod role;
pub mod store;
pub mod tools;

use std::fmt::Write as _;

use serde::Serialize;

use crate::error::{Advise, ExitStatus};

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at, kebab-case; stable, for scripts.
    pub name: &'static str,
    pub status: Status,
    pub message: String,
    /// The next step, where one is needed: a command, a statement, a setting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Ok,
    /// A backup can be made, but something will bite.
    Warning,
    /// No good backup can be made.
    Error,
}

impl Check {
    pub fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, message: message.into(), fix: None }
    }

    pub fn warning(name: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, status: Status::Warning, message: message.into(), fix: Some(fix.into()) }
    }

    pub fn error(name: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, status: Status::Error, message: message.into(), fix: Some(fix.into()) }
    }

    /// A room's error, with its causes and its hint.
    pub fn failed(name: &'static str, error: &dyn Advise) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            let _ = write!(message, ": {inner}");
            cause = inner.source();
        }
        Self { name, status: Status::Error, message, fix: error.hint() }
    }
}

/// Clean when there is no error; warnings alone do not fail a script.
pub fn exit_status(checks: &[Check]) -> ExitStatus {
    if checks.iter().any(|check| check.status == Status::Error) { ExitStatus::Bad } else { ExitStatus::Clean }
}

/// A line for each finding, its fix below it.
pub fn render(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        let status = match check.status {
            Status::Ok => "ok",
            Status::Warning => "warning",
            Status::Error => "error",
        };
        let _ = writeln!(text, "{status:<8}{}: {}", check.name, check.message);
        for line in check.fix.iter().flat_map(|fix| fix.lines()) {
            let _ = writeln!(text, "        fix: {line}");
        }
    }
    let count = |status| checks.iter().filter(|check| check.status == status).count();
    let _ = writeln!(
        text,
        "{} checks, errors: {}, warnings: {}",
        checks.len(),
        count(Status::Error),
        count(Status::Warning)
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_printed_with_their_fix_below() {
        let checks = [
            Check::ok("server", "PostgreSQL 15.18"),
            Check::warning("clock", "8 s behind", "run an NTP client"),
            Check::error("role", "may not read 'public.users'", "GRANT SELECT …;\nGRANT USAGE …;"),
        ];
        insta::assert_snapshot!(render(&checks), @r"
        ok      server: PostgreSQL 15.18
        warning clock: 8 s behind
                fix: run an NTP client
        error   role: may not read 'public.users'
                fix: GRANT SELECT …;
                fix: GRANT USAGE …;
        3 checks, errors: 1, warnings: 1
        ");
        assert_eq!(exit_status(&checks), ExitStatus::Bad);
        assert_eq!(exit_status(&checks[..2]), ExitStatus::Clean);
    }
}
