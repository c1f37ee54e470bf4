//! The ways in which a script deletes by age, other than an option that says so: loops
//! over old files, dates that it computes, scripts of actions. And what makes it safe.

use crate::finding::Place;
use crate::model::{ActionRole, Command, Location, Role, Scheme, Script, Set, read_find};

use super::backups::{is_of_backups, written};

/// How far a loop's list and its `read` may be from its `rm`, in bytes.
const NEAR: usize = 1_500;

/// What one script does before it deletes; each is the first place of it.
#[derive(Default)]
pub struct Before {
    /// A date that lies back was computed, and something was compared with it.
    compares: Option<Place>,
    /// It has looked for a fresh backup.
    fresh: Option<Place>,
    /// It has counted what is there.
    counts: Option<Place>,
}

impl Before {
    pub fn of(set: &Set<'_>, script: &Script) -> Self {
        let cutoff = |text: &str| {
            text.contains("date")
                && [" ago", "-v-", "-d \"-", "-d -", "days"].iter().any(|word| text.contains(word))
        };
        let dates: Vec<(&str, Place)> = script
            .assignments
            .iter()
            .filter(|setting| cutoff(&setting.value.text))
            .map(|setting| (setting.name.as_str(), setting.value.at))
            .take(16)
            .collect();
        let mut before = Self::default();
        for command in set.commands.get(script.commands.clone()).into_iter().flatten() {
            // `[ "$when" -lt "$cutoff" ]`, `jq --argjson cutoff "$cutoff"`, `awk -v c="$cutoff"`.
            let names = |name: &String| dates.iter().any(|(date, at)| date == name && *at < command.at);
            if command.role != Role::Print && command.args.iter().any(|arg| arg.variables.iter().any(names)) {
                before.compares.get_or_insert(command.at);
            }
            let is_fresh = command.name == "find"
                && command.args.windows(2).any(|pair| match pair {
                    [flag, value] => {
                        flag.text == "-newermt"
                            || matches!(flag.text.as_str(), "-mtime" | "-mmin") && value.text.starts_with('-')
                    }
                    _ => false,
                });
            if is_fresh {
                before.fresh.get_or_insert(command.at);
            }
            if command.name == "wc" && command.has("-l") && command.nesting.substitution {
                before.counts.get_or_insert(command.at);
            }
        }
        before
    }

    /// A loop that deletes what is older than a date it has computed.
    pub fn compares_dates(&self, command: &Command) -> bool {
        command.nesting.in_loop && self.compares.is_some_and(|at| at < command.at)
    }

    /// Whether the script has looked for a fresh backup, or counted what is there.
    pub fn asks_first(&self, delete: &Command) -> bool {
        self.fresh.is_some_and(|at| at < delete.at)
            || delete.nesting.branch && self.counts.is_some_and(|at| at < delete.at)
    }
}

/// `find … -mtime +7 -print0 | while read -r file; do rm "$file"; done`, and its like
/// with `< <(find …)`: where the `rm` stands.
pub fn loops(set: &Set<'_>, script: &Script, before: &Before) -> Vec<Place> {
    let all = set.commands.get(script.commands.clone()).unwrap_or_default();
    let removes = |command: &Command| match &command.role {
        Role::Delete(delete) if command.nesting.in_loop => match delete.targets.as_slice() {
            [Location { scheme: Scheme::Local, arg, .. }] => match arg.variables.as_slice() {
                [variable] => Some(variable.clone()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    };
    let mut found = Vec::new();
    let mut dumps = None;
    for command in all {
        let Some(variable) = removes(command) else { continue };
        let at = command.at.span.start;
        let first = all.partition_point(|other| other.at.span.start + NEAR < at);
        let near = || all.iter().skip(first).take_while(|other| other.at.span.start < at + NEAR);
        let reads =
            |other: &&Command| other.name == "read" && other.args.iter().any(|arg| arg.text == variable);
        let is_list = |other: &&Command| {
            let chosen = (other.name == "find" && other.function == command.function)
                .then(|| read_find(&other.args))
                .filter(|chosen| chosen.age.is_some());
            chosen.is_some_and(|chosen| {
                is_of_backups(&chosen, dumps.get_or_insert_with(|| written(set, script)))
            })
        };
        let listed = near().any(|other| reads(&other)) && near().find(is_list).is_some();
        let compared =
            || before.compares_dates(command) && is_list_of_backups(set, script, &variable, command);
        if (listed || compared()) && !before.asks_first(command) {
            found.push(command.name_at);
        }
    }
    found
}

/// `for file in /srv/dumps/*.dump` before a command, not far away.
fn is_list_of_backups(set: &Set<'_>, script: &Script, variable: &str, command: &Command) -> bool {
    let end = command.at.span.start;
    let start = end.saturating_sub(NEAR).max(script.at.span.start);
    let text = set.documents.get(command.at.document).map_or("", |document| document.text.as_str());
    let before = text.get(text.ceil_char_boundary(start)..end).unwrap_or_default();
    let list = before.rfind(&format!("for {variable} in ")).and_then(|at| before.get(at..)?.lines().next());
    let words = list.unwrap_or_default().to_ascii_lowercase();
    ["backup", "dump", ".sql", "bak"].iter().any(|word| words.contains(word))
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
