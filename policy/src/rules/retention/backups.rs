//! What the rules of this group ask about a deletion: whether it is one of backups,
//! and of which tier.

use crate::model::{Command, Delete, Role, Script, Set, Tier};

/// Backups by name, or the folder that this script dumps into; no logs, no scratch.
pub fn is_of_backups(set: &Set<'_>, script: &Script, delete: &Delete) -> bool {
    let pattern = delete.pattern.as_ref().map_or("", |pattern| pattern.text.as_str());
    let texts = || delete.targets.iter().map(|target| target.arg.text.as_str()).chain([pattern]);
    let names = |words: &[&str]| {
        texts().any(|text| words.iter().any(|word| text.to_ascii_lowercase().contains(word)))
    };
    if pattern.ends_with(".log") || names(&["/log", "/tmp", "wal_archive", "/cache"]) {
        return false;
    }
    let writes_there = || {
        let roots: Vec<&str> = delete.targets.iter().map(|target| target.key.trim_end_matches('/')).collect();
        written(set, script).any(|file| roots.iter().any(|root| !root.is_empty() && file.starts_with(root)))
    };
    names(&["backup", "dump", ".sql", "bak", "pgdata", "snapshot", "archive"]) || writes_there()
}

/// Files that the script dumps into.
pub fn written<'s>(set: &'s Set<'_>, script: &Script) -> impl Iterator<Item = &'s str> {
    let commands = set.commands.get(script.commands.clone()).into_iter().flatten();
    commands.filter_map(|command| match &command.role {
        Role::Dump(dump) => {
            let file = dump.file.as_ref().map(|said| said.text.as_str());
            file.or_else(|| command.output(1).map(|arg| arg.text.as_str()))
        }
        _ => None,
    })
}

/// Every deletion of backups, with its script.
pub fn deletions<'s>(set: &'s Set<'_>) -> impl Iterator<Item = (&'s Command, &'s Delete, &'s Script)> {
    set.commands.iter().filter_map(|command| {
        let Role::Delete(delete) = &command.role else { return None };
        let script = set.script_of(command)?;
        is_of_backups(set, script, delete).then_some((command, delete.as_ref(), script))
    })
}

/// The tier that a deletion is for: by its folder and pattern, else its script's.
pub fn tier_of(set: &Set<'_>, command: &Command, delete: &Delete) -> Option<Tier> {
    let pattern = delete.pattern.as_ref().map(|pattern| pattern.text.as_str());
    let texts = delete.targets.iter().map(|target| target.arg.text.as_str()).chain(pattern);
    let mut tiers = texts.filter_map(Tier::only_in);
    match tiers.next() {
        Some(first) => tiers.all(|tier| tier == first).then_some(first),
        None => set.tier_of(command.script),
    }
}
