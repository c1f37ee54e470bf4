//! What a restore did, for people and for programs.

use indicatif::HumanCount;
use serde::Serialize;

use crate::archive::{self, Plan};
use crate::ui::count;
use crate::verify::compare::Compared;

/// Something that was not restored, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    pub what: String,
    pub why: String,
}

impl From<&archive::LeftOut> for LeftOut {
    fn from(left_out: &archive::LeftOut) -> Self {
        Self { what: left_out.what.clone(), why: left_out.why.clone() }
    }
}

/// How the result was held against the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Comparison {
    /// Every row count, sequence and object is as in the snapshot.
    Equal,
    Different {
        failures: Vec<String>,
    },
    /// There is nothing to hold it against.
    Unproven {
        reason: String,
    },
}

impl Comparison {
    pub fn of(compared: &Compared) -> Self {
        match compared.failures.as_slice() {
            [] => Self::Equal,
            failures => Self::Different { failures: failures.to_vec() },
        }
    }
}

/// One finished restore.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub origin: String,
    /// The manifest's id, where it is a backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<String>,
    pub database: String,
    /// Where the database is, without user and password.
    pub server: String,
    pub tables: u64,
    pub rows: u64,
    pub seconds: f64,
    pub comparison: Comparison,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The safety backup's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safety_backup: Option<String>,
    /// The database that was there before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<String>,
    /// Commands that make sense now, with what each does.
    pub next: Vec<Next>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Next {
    pub to: String,
    pub run: String,
}

impl Report {
    pub fn is_good(&self) -> bool {
        !matches!(self.comparison, Comparison::Different { .. })
    }

    pub fn text(&self) -> String {
        let mut text =
            format!("restored {} into database '{}' on {}\n", self.origin, self.database, self.server);
        let mut line = |label: &str, value: &str| text += &format!("  {label:<10} {value}\n");
        line("rows", &format!("{} in {}", HumanCount(self.rows), count(self.tables, "table")));
        line("took", &format!("{:.1} s", self.seconds));
        match &self.comparison {
            Comparison::Equal => line("compared", "equal to the snapshot of the dump"),
            Comparison::Unproven { reason } => line("compared", &format!("not: {reason}")),
            Comparison::Different { failures } => {
                line("compared", "NOT as it was in the snapshot of the dump");
                for failure in failures {
                    line("", failure);
                }
            }
        }
        if let Some(id) = &self.safety_backup {
            line("safety", &format!("backup {id}, taken before"));
        }
        if let Some(name) = &self.set_aside {
            line("set aside", &format!("the database as it was: '{name}'"));
        }
        for LeftOut { what, why } in &self.left_out {
            line("left out", &format!("{what} ({why})"));
        }
        for note in &self.notes {
            line("note", note);
        }
        for Next { to, run } in &self.next {
            line("next", &format!("{to}: {run}"));
        }
        text
    }
}

/// What a plan says beside what it leaves out.
pub fn notes(plan: &Plan) -> Vec<String> {
    let mut notes = Vec::new();
    for needed in &plan.needed {
        notes.push(format!("{} comes along, since {} needs it", needed.what, needed.by));
    }
    for expected in &plan.expected {
        notes.push(format!("{} is expected in the target, since {} needs it", expected.what, expected.by));
    }
    for key in plan.foreign_keys.iter().filter(|key| !key.both_inside) {
        notes.push(format!(
            "foreign key '{}' from {} to {} is not restored: only one of the two tables is",
            key.constraint, key.from_table, key.to_table
        ));
    }
    notes
}

/// A word for a POSIX shell.
pub fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':');
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}
