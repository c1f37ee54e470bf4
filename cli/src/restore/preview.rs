//! What a dump holds, and what a restore would take of it: nothing is written.

use std::collections::BTreeSet;

use serde::Serialize;

use super::overview::Overview;
use super::report::{self, LeftOut};
use crate::archive::{self, Plan, Toc};

/// What is in a dump.
#[derive(Debug, Serialize)]
pub struct Listing {
    /// `age`, `gzip`, outermost first.
    pub wrapped_in: Vec<String>,
    /// `archive` or `sql`.
    pub form: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<Item>,
    #[serde(skip)]
    pub text: String,
}

/// One object.
#[derive(Debug, Serialize)]
pub struct Item {
    pub kind: String,
    pub schema: String,
    pub name: String,
    pub owner: String,
}

impl Item {
    fn of(entry: &archive::Entry) -> Self {
        let (kind, schema, name, owner) =
            (entry.desc.clone(), entry.namespace.clone(), entry.tag.clone(), entry.owner.clone());
        Self { kind, schema, name, owner }
    }
}

impl Listing {
    pub fn of(toc: &Toc, wrapped_in: Vec<String>) -> Self {
        let entries = toc.entries.iter().map(Item::of).collect();
        Self { wrapped_in, form: "archive", entries, text: archive::human_list(toc) }
    }

    /// Plain SQL has no table of contents.
    pub fn of_sql(wrapped_in: Vec<String>) -> Self {
        let text = "plain SQL, without a table of contents\n".to_owned();
        Self { wrapped_in, form: "sql", entries: Vec::new(), text }
    }
}

/// What a restore would do.
#[derive(Debug, Default, Serialize)]
pub struct Planned {
    pub destination: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overwrites: Option<Overview>,
    pub entries: Vec<Item>,
    pub left_out: Vec<LeftOut>,
    pub notes: Vec<String>,
    /// Without them it would not start.
    pub missing_roles: Vec<String>,
}

impl Planned {
    pub fn add(&mut self, toc: &Toc, plan: &Plan) {
        let taken: BTreeSet<i32> = plan.entries.iter().copied().collect();
        let entries = toc.entries.iter().filter(|entry| taken.contains(&entry.dump_id));
        self.entries.extend(entries.map(Item::of));
        self.left_out.extend(plan.left_out.iter().map(LeftOut::from));
        self.notes.extend(report::notes(plan));
    }

    pub fn text(&self) -> String {
        let mut text = format!("would restore into {}\n", self.destination);
        if let Some(overwrites) = &self.overwrites {
            text += &overwrites.text();
        }
        for Item { kind, schema, name, .. } in &self.entries {
            let dot = if schema.is_empty() { "" } else { "." };
            text += &format!("  {kind} {schema}{dot}{name}\n");
        }
        for LeftOut { what, why } in &self.left_out {
            text += &format!("left out: {what} ({why})\n");
        }
        for note in &self.notes {
            text += &format!("note: {note}\n");
        }
        if !self.missing_roles.is_empty() {
            text += &format!("missing roles: {}\n", self.missing_roles.join(", "));
        }
        text
    }
}
