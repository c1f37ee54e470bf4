//! What belongs together: a workflow with the scripts it calls, a crontab with
//! its scripts, a document with all its blocks. "Missing" rules look at these.

use std::collections::HashSet;
use std::ops::Range;

use crate::document::Kind;
use crate::finding::Place;

use super::Set;
use super::called::Called;
use super::command::Command;
use super::flow::Flow;
use super::role::{Dump, Role};

#[derive(Debug)]
pub struct Pipeline {
    /// Index of the unit that it begins with, in [`Set::units`].
    pub root: usize,
    /// Indices into [`Set::scripts`], in the order in which they run.
    pub scripts: Vec<usize>,
    /// Indices into [`Set::commands`], in the order in which they run.
    pub commands: Vec<usize>,
    /// Its dumps on their way.
    pub flow: Flow,
    /// Code that it runs and that is not in the set.
    pub unseen: Vec<Called>,
    /// A helper: a script that nobody here calls and that may be a part of more.
    pub helper: bool,
}

impl Pipeline {
    /// Every command, in the order in which they run, with its index.
    pub fn commands<'s>(&'s self, set: &'s Set<'_>) -> impl Iterator<Item = (usize, &'s Command)> {
        self.commands.iter().filter_map(|index| Some((*index, set.commands.get(*index)?)))
    }

    /// Every dump with its command and that one's index.
    pub fn dumps<'s>(&'s self, set: &'s Set<'_>) -> impl Iterator<Item = (usize, &'s Command, &'s Dump)> {
        self.commands(set).filter_map(|(index, command)| match &command.role {
            Role::Dump(dump) => Some((index, command, dump.as_ref())),
            _ => None,
        })
    }

    /// The first dump that somebody would miss: a workflow that dumps a service
    /// container of its own makes no backup.
    pub fn backup<'s>(&'s self, set: &'s Set<'_>) -> Option<(usize, &'s Command, &'s Dump)> {
        let workflow = set.units.get(self.root).is_some_and(|unit| unit.kind == Kind::Workflow);
        self.dumps(set).find(|(_, _, dump)| !(workflow && dump.target.is_local()))
    }

    /// The backup that a schedule starts, else the first: a document shows others
    /// before it.
    pub fn scheduled_backup<'s>(&'s self, set: &'s Set<'_>) -> Option<(usize, &'s Command, &'s Dump)> {
        let root = set.units.get(self.root)?;
        let own = set.schedules.iter().filter(|schedule| schedule.at.document == root.document);
        let mut seen: HashSet<Range<usize>> = HashSet::new();
        let starts = own.filter(|schedule| seen.insert(schedule.scripts.clone()));
        let started: HashSet<usize> =
            starts.flat_map(|schedule| schedule.reach.scripts.iter().copied()).collect();
        let first = self.backup(set)?;
        let workflow = root.kind == Kind::Workflow;
        let scheduled = self.dumps(set).find(|(_, command, dump)| {
            !(workflow && dump.target.is_local()) && started.contains(&command.script)
        });
        Some(scheduled.unwrap_or(first))
    }

    /// Whether a command does this.
    pub fn any(&self, set: &Set<'_>, does: impl Fn(&Role) -> bool) -> bool {
        self.commands(set).any(|(_, command)| does(&command.role))
    }

    /// Whether code that cannot be seen here may do one of these things, told by
    /// its name: `pipeline.may_hide(&["verify", "restore", "check"])`.
    pub fn may_hide(&self, words: &[&str]) -> bool {
        self.unseen.iter().any(|called| called.may(words))
    }

    /// The same of code that is called from where a command stands: the workflow, file
    /// or block that it is in. What another job of the pipeline calls does not touch it.
    pub fn may_hide_near(&self, set: &Set<'_>, command: &Command, words: &[&str]) -> bool {
        let unit = set.script_of(command).and_then(|script| set.units.get(script.unit));
        let near = |called: &&Called| {
            let at = called.arg().at;
            unit.is_none_or(|unit| {
                unit.document == at.document
                    && unit.span.start <= at.span.start
                    && at.span.end <= unit.span.end
            })
        };
        self.unseen.iter().filter(near).any(|called| called.may(words))
    }

    /// Where something that is missing is reported: at the dump.
    pub fn at(&self, set: &Set<'_>) -> Option<Place> {
        self.backup(set).map(|(_, command, _)| command.name_at)
    }
}
