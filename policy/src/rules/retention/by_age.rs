//! The ways in which a script deletes by age, other than an option that says so: loops
//! over old files, dates that it computes, scripts of actions.

use crate::finding::Place;
use crate::model::{ActionRole, Command, Location, Role, Scheme, Script, Set, read_find};

use super::backups::is_of_backups;

/// How far a loop's list may be from its `read`, in bytes.
const NEAR: usize = 1_500;

/// A loop that deletes what is older than a date it has computed.
pub fn compares_dates(set: &Set<'_>, script: &Script, command: &Command) -> bool {
    if !command.nesting.in_loop {
        return false;
    }
    let cutoff = |text: &str| {
        text.contains("date")
            && [" ago", "-v-", "-d \"-", "-d -", "days"].iter().any(|word| text.contains(word))
    };
    let names: Vec<&str> = script
        .assignments
        .iter()
        .filter(|setting| setting.value.at < command.at && cutoff(&setting.value.text))
        .map(|setting| setting.name.as_str())
        .collect();
    // `[ "$when" -lt "$cutoff" ]`, `jq --argjson cutoff "$cutoff"`, `awk -v c="$cutoff"`.
    set.commands.get(script.commands.clone()).into_iter().flatten().any(|test| {
        test.at < command.at
            && test.role != Role::Print
            && test.args.iter().any(|arg| arg.variables.iter().any(|name| names.contains(&name.as_str())))
    })
}

/// `find … -mtime +7 -print0 | while read -r file; do rm "$file"; done`, and its like
/// with `< <(find …)`: where the `rm` stands.
pub fn loops(set: &Set<'_>) -> Vec<Place> {
    let mut found = Vec::new();
    for script in &set.scripts {
        let commands = || set.commands.get(script.commands.clone()).into_iter().flatten();
        for command in commands().filter(|command| command.nesting.in_loop) {
            let Role::Delete(delete) = &command.role else { continue };
            let [Location { scheme: Scheme::Local, arg, .. }] = delete.targets.as_slice() else { continue };
            let [variable] = arg.variables.as_slice() else { continue };
            let reads =
                |other: &&Command| other.name == "read" && other.args.iter().any(|arg| &arg.text == variable);
            let Some(read) = commands().find(reads) else { continue };
            // The list is in the loop's own statement, or behind it.
            let list = commands().find(|find| {
                find.name == "find"
                    && find.function == command.function
                    && find.at.span.start.abs_diff(read.at.span.start) < NEAR
                    && is_old_list(set, script, find)
            });
            if list.is_some() && !asks_first(set, script, read) {
                found.push(command.name_at);
            }
        }
    }
    found
}

/// A `find` that lists old backups.
fn is_old_list(set: &Set<'_>, script: &Script, find: &Command) -> bool {
    let chosen = read_find(&find.args);
    chosen.age.is_some() && is_of_backups(set, script, &chosen)
}

/// `actions/github-script` that computes a date and deletes releases or artifacts.
pub fn scripts_of_actions(set: &Set<'_>) -> Vec<Place> {
    let mut found = Vec::new();
    for action in set.actions.iter().filter(|action| action.role == ActionRole::Script) {
        let Some(script) = action.input("script") else { continue };
        let lower = script.text.to_ascii_lowercase();
        let dated =
            ["setdate(", "date.now() -", "24 * 60 * 60", "86400"].iter().any(|word| lower.contains(word));
        let counts = lower.contains(".slice(") || lower.contains("keep");
        let text = set.text(script.at);
        let call =
            ["deleteRelease(", "deleteArtifact(", "deleteObject("].iter().find_map(|call| text.find(call));
        if let Some(at) = call.filter(|_| dated && !counts && lower.contains("backup")) {
            let end = text.get(at..).and_then(|rest| rest.find('(')).map_or(at, |end| at + end);
            found.push(Place { span: script.at.span.part(at..end), ..script.at });
        }
    }
    found
}

/// Whether the script has looked for a fresh backup, or counted what is there.
pub fn asks_first(set: &Set<'_>, script: &Script, delete: &Command) -> bool {
    let before = set
        .commands
        .get(script.commands.clone())
        .into_iter()
        .flatten()
        .take_while(|command| command.at < delete.at);
    before.into_iter().any(|command| {
        let fresh = command.name == "find"
            && command.args.windows(2).any(|pair| {
                matches!(pair, [flag, value] if matches!(flag.text.as_str(), "-mtime" | "-mmin" | "-newermt") && (value.text.starts_with('-') || flag.text == "-newermt"))
            });
        let counts = command.name == "wc" && command.has("-l") && command.nesting.substitution && delete.nesting.branch;
        fresh || counts
    })
}
