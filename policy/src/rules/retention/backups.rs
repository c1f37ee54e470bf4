//! What the rules of this group ask about deletions: whether they are of backups, and
//! of which tier. Made in one pass over a set.

use std::collections::HashMap;

use crate::model::{Command, Delete, Role, Script, Set, Tier, Tiers};

/// Dumps of one script that a folder is compared with.
const DUMPS: usize = 32;

/// Files that a script dumps into, the first ones.
pub fn written<'s>(set: &'s Set<'_>, script: &Script) -> Vec<&'s str> {
    let commands = set.commands.get(script.commands.clone()).into_iter().flatten();
    let file = |command: &'s Command| match &command.role {
        Role::Dump(dump) => {
            let file = dump.file.as_ref().map(|said| said.text.as_str());
            file.or_else(|| command.output(1).map(|arg| arg.text.as_str()))
        }
        _ => None,
    };
    commands.filter_map(file).take(DUMPS).collect()
}

/// A deletion of backups.
#[derive(Clone, Copy)]
pub struct Deletion<'s> {
    pub command: &'s Command,
    pub delete: &'s Delete,
    pub script: &'s Script,
}

/// Every deletion of backups.
pub fn deletions<'s>(set: &'s Set<'_>) -> Vec<Deletion<'s>> {
    let mut found = Vec::new();
    for script in &set.scripts {
        let commands = set.commands.get(script.commands.clone()).into_iter().flatten();
        let mut deletes = commands
            .filter_map(|command| match &command.role {
                Role::Delete(delete) => Some((command, delete.as_ref())),
                _ => None,
            })
            .peekable();
        if deletes.peek().is_some() {
            let written = written(set, script);
            let of_backups = deletes.filter(|(_, delete)| is_of_backups(delete, &written));
            found.extend(of_backups.map(|(command, delete)| Deletion { command, delete, script }));
        }
    }
    found
}

/// Backups by name, or the folder that this script dumps into; no logs, no scratch.
pub fn is_of_backups(delete: &Delete, written: &[&str]) -> bool {
    let pattern = delete.pattern.as_ref().map_or("", |pattern| pattern.text.as_str());
    let texts = || delete.targets.iter().map(|target| target.arg.text.as_str()).chain([pattern]);
    let names = |words: &[&str]| {
        texts().any(|text| words.iter().any(|word| text.to_ascii_lowercase().contains(word)))
    };
    // `/tmp/shop-backups` is a folder of backups, `/tmp` with `backup.XXXX` is none.
    let scratch = |text: &str| {
        let inner = text.strip_prefix("/tmp/").filter(|inner| !inner.is_empty());
        text.starts_with("/tmp")
            && !inner.is_some_and(|inner| inner.contains("backup") || inner.contains("dump"))
    };
    if pattern.ends_with(".log") || names(&["/log", "wal_archive", "/cache"]) || texts().any(scratch) {
        return false;
    }
    let mut roots = delete.targets.iter().map(|target| target.key.trim_end_matches('/'));
    names(&["backup", "dump", ".sql", "bak", "pgdata", "snapshot", "archive"])
        || roots.any(|root| !root.is_empty() && written.iter().any(|file| file.starts_with(root)))
}

/// The tier of each deletion: by its folder and pattern, else its script's.
pub struct DeletedTiers<'t, 's, 'd> {
    tiers: &'t Tiers<'s, 'd>,
    scripts: HashMap<usize, Option<Tier>>,
}

impl<'t, 's, 'd> DeletedTiers<'t, 's, 'd> {
    pub fn of(tiers: &'t Tiers<'s, 'd>) -> Self {
        Self { tiers, scripts: HashMap::new() }
    }

    pub fn tier(&mut self, deletion: Deletion<'_>) -> Option<Tier> {
        let pattern = deletion.delete.pattern.as_ref().map(|pattern| pattern.text.as_str());
        let texts = deletion.delete.targets.iter().map(|target| target.arg.text.as_str()).chain(pattern);
        let mut named = texts.filter_map(Tier::only_in);
        if let Some(first) = named.next() {
            return named.all(|tier| tier == first).then_some(first);
        }
        let script = deletion.command.script;
        *self.scripts.entry(script).or_insert_with(|| self.tiers.script(script))
    }
}
