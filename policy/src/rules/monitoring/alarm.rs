//! Who is told when a backup fails: shared by the rules about missing and empty
//! notifications. A pipeline in, the notifiers and the steps that only print out.

use crate::document::Kind;
use crate::finding::Place;
use crate::model::{ActionRole, Command, Fate, Host, Means, Pipeline, Role, Script, Set, Unit};
use crate::parse::expression::condition;
use crate::parse::shell::InlineKind;
use crate::parse::workflow::{Job, Step, Workflow, step_at};
use crate::parse::yaml::Node;

/// Whether somebody who is elsewhere hears of a failure, or of a backup that did
/// not come.
pub fn is_told(set: &Set<'_>, pipeline: &Pipeline) -> bool {
    let scripts = || pipeline.scripts.iter().filter_map(|index| set.scripts.get(*index));
    pipeline.commands(set).any(|(_, command)| tells(set, command))
        || set.units_of(pipeline.root).any(|(index, unit)| match unit.kind {
            Kind::Workflow => unit.workflow().is_some_and(|workflow| workflow_tells(set, index, &workflow)),
            Kind::Systemd => has_on_failure(unit),
            _ => false,
        })
        || scripts().any(|script| matches!(script.host, Host::Cron(_)) && is_mailed(set, script))
}

/// `MAILTO=ops@..` in the crontab: what is printed becomes a mail.
pub fn is_mailed(set: &Set<'_>, script: &Script) -> bool {
    set.given(script, "MAILTO").flatten().any(|address| !address.is_empty())
}

pub fn has_on_failure(unit: &Unit<'_>) -> bool {
    let settings = unit.systemd.iter().flat_map(|it| &it.settings);
    settings.into_iter().any(|setting| setting.name == "OnFailure")
}

/// A command that tells somebody, where a failure can reach it.
fn tells(set: &Set<'_>, command: &Command) -> bool {
    let Role::Notify(notify) = &command.role else { return false };
    notify.means == Means::DeadManSwitch
        || command.nesting.branch
        || command.nesting.inline == Some(InlineKind::Trap)
        || command.function.is_some()
        || handles(set, command)
        || set.script_of(command).is_some_and(|script| runs_on_failure(set, script))
}

/// Behind `||`.
fn handles(set: &Set<'_>, command: &Command) -> bool {
    let inside = |other: &Command| match other.fate {
        Fate::Handled(span) => span.start <= command.at.span.start && command.at.span.end <= span.end,
        _ => false,
    };
    set.script_of(command).is_some_and(|script| set.commands_in(script, command.statement).iter().any(inside))
}

/// Whether a step's script runs when an earlier step has failed.
fn runs_on_failure(set: &Set<'_>, script: &Script) -> bool {
    let of = |(conditions, _): ([Option<&Node>; 2], _)| any_asks(conditions, asks_for_failure);
    step_of(set, script).is_some_and(of)
}

/// The conditions and the name of the step that a script is.
fn step_of<'s>(set: &'s Set<'_>, script: &Script) -> Option<([Option<&'s Node>; 2], Option<&'s Node>)> {
    let Host::Step { job, step } = script.host else { return None };
    step_at(set.units.get(script.unit)?.tree.as_ref()?, job, step)
}

fn any_asks(conditions: [Option<&Node>; 2], asks: impl Fn(&str) -> bool) -> bool {
    conditions.into_iter().flatten().filter_map(Node::text).any(asks)
}

/// Whether a step runs when something has failed, by its `if` or its job's.
pub fn on_failure(job: &Job<'_>, step: &Step<'_>) -> bool {
    any_asks([job.condition, step.condition], asks_for_failure)
}

fn asks_for_failure(text: &str) -> bool {
    let found = condition(text);
    let calls = |names: &[&str]| found.functions.iter().any(|name| names.contains(&name.as_str()));
    let outcome = |(_, name): &(std::ops::Range<usize>, String)| {
        name.ends_with(".outcome")
            || name.ends_with(".conclusion")
            || name.ends_with(".result")
            || name == "job.status"
    };
    calls(&["failure", "always"]) || found.references.iter().any(outcome)
}

fn workflow_tells(set: &Set<'_>, unit: usize, workflow: &Workflow<'_>) -> bool {
    let mut actions = set.actions_of(unit);
    actions.any(|action| {
        let Some(job) = workflow.job_by_index(action.job) else { return false };
        let on_failure = match action.step.and_then(|step| job.step_by_index(step)) {
            Some(step) => on_failure(&job, &step),
            None => job.condition.and_then(Node::text).is_some_and(asks_for_failure),
        };
        match action.role {
            ActionRole::Notify(Means::DeadManSwitch) => true,
            ActionRole::Notify(_) | ActionRole::Script | ActionRole::Other => on_failure,
            _ => false,
        }
    }) || set.scripts.iter().filter(|script| script.unit == unit).any(|script| {
        // Code of one's own that runs on failure may well notify.
        runs_on_failure(set, script)
            && set
                .commands_in(script, script.at.span)
                .iter()
                .any(|command| command.called.as_ref().is_some_and(|called| called.may(&["notif", "alert"])))
    })
}

/// Steps that run on failure and only print, with what they print first.
pub fn printing_steps(set: &Set<'_>, pipeline: &Pipeline) -> Vec<Place> {
    let scripts = pipeline.scripts.iter().filter_map(|index| set.scripts.get(*index));
    let mut found = Vec::new();
    for script in scripts.filter(|script| runs_on_failure(set, script)) {
        let commands = set.commands_in(script, script.at.span);
        let prints = commands.iter().find(|command| command.role == Role::Print);
        let quiet = |command: &Command| {
            command.role == Role::Print
                || matches!(command.name.as_str(), "exit" | "true" | ":" | "date" | "set" | "cat")
        };
        let means_it = step_is_about_failure(set, script);
        match prints {
            Some(first) if means_it && commands.iter().all(quiet) => found.push(first.at),
            None if means_it && script.commands.is_empty() && !script.comments.is_empty() => {
                found.push(script.at);
            }
            _ => {}
        }
    }
    found
}

/// `if: failure()`, or a step that is called a notification.
fn step_is_about_failure(set: &Set<'_>, script: &Script) -> bool {
    let Some((conditions, name)) = step_of(set, script) else { return false };
    let failure = any_asks(conditions, |text| condition(text).functions.iter().any(|name| name == "failure"));
    let named = name.and_then(Node::text).map(str::to_ascii_lowercase).is_some_and(|name| {
        ["notif", "alert", "slack", "failure", "mail"].iter().any(|word| name.contains(word))
    });
    failure || named
}
