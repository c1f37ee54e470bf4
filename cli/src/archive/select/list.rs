//! A plan as the text that `pg_restore --use-list` reads, and a table of contents
//! as a person reads it.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use super::{Plan, is_setting};
use crate::archive::toc::{Entry, Section, Toc};

/// The list of a plan: a line for each entry, in the archive's order, and a
/// comment for each that was left out. pg_restore reads the number and ignores
/// the rest.
pub fn list_file(toc: &Toc, plan: &Plan) -> String {
    let left_out: HashMap<i32, &str> =
        plan.left_out.iter().map(|left_out| (left_out.dump_id, left_out.why.as_str())).collect();
    let taken: HashSet<i32> = plan.entries.iter().copied().collect();
    let mut text = String::new();
    for entry in &toc.entries {
        if taken.contains(&entry.dump_id) {
            let _ = writeln!(text, "{}", line(entry));
        } else if let Some(why) = left_out.get(&entry.dump_id) {
            let _ = writeln!(text, "; left out ({}): {}", one_line(why), line(entry));
        }
    }
    text
}

fn line(entry: &Entry) -> String {
    let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { one_line(text) };
    format!(
        "{}; {} {} {} {} {} {}",
        entry.dump_id,
        entry.table_oid,
        entry.oid,
        one_line(&entry.desc),
        or_dash(&entry.namespace),
        one_line(&entry.tag),
        one_line(&entry.owner)
    )
}

/// Names may hold newlines, which would begin another entry.
fn one_line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

/// What the archive holds, for `restore --list`: where it is from, then each
/// object with its kind and owner.
pub fn human_list(toc: &Toc) -> String {
    let header = &toc.header;
    let mut text = String::new();
    let _ = writeln!(text, "database    {}", one_line(&header.database));
    if let Some(created) = header.created {
        let _ = writeln!(text, "dumped      {}", created.strftime("%Y-%m-%d %H:%M:%S"));
    }
    let _ = writeln!(text, "server      {}", one_line(&header.server_version));
    let _ = writeln!(text, "pg_dump     {}", one_line(&header.client_version));
    let _ = writeln!(
        text,
        "format      custom {}, compression {}, pg_restore {} or newer",
        header.format_version(),
        header.compression,
        header.oldest_pg_restore()
    );
    let shown: Vec<&Entry> = toc.entries.iter().filter(|entry| !is_setting(entry)).collect();
    let _ = writeln!(text, "entries     {}", shown.len());
    let kind_width = shown.iter().map(|entry| entry.desc.chars().count()).max().unwrap_or(0);
    let mut section = None;
    for entry in shown {
        let own = match entry.section {
            // Remarks stand with their object.
            Section::None => section.unwrap_or(Section::PreData),
            other => other,
        };
        if section != Some(own) {
            let title = match own {
                Section::None | Section::PreData => "definitions",
                Section::Data => "data",
                Section::PostData => "indexes, constraints and what follows the data",
            };
            let _ = writeln!(text, "\n{title}");
            section = Some(own);
        }
        let owner =
            if entry.owner.is_empty() { String::new() } else { format!("  ({})", one_line(&entry.owner)) };
        let _ =
            writeln!(text, "  {:<kind_width$}  {}{owner}", one_line(&entry.desc), one_line(&entry.name()));
    }
    text
}
