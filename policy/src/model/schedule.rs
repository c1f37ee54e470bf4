//! When something runs by itself: a workflow's cron, a crontab's line, a timer.

use std::rc::Rc;

use crate::finding::Place;
use crate::parse::crontab::gaps;
use crate::schedule::Schedule as Cron;

use super::Set;
use super::called::Called;
use super::command::Command;
use super::role::Role;

/// Whose clock a schedule follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clock {
    /// GitHub, and what names UTC.
    Utc,
    /// The host's zone, whatever that is.
    Host,
    /// A zone by name.
    Zone(String),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// The expression.
    pub at: Place,
    /// Index into [`super::Set::units`].
    pub unit: usize,
    /// As written: `17 2 * * *`, `@daily`, `*-*-* 02:00:00`.
    pub text: String,
    pub cron: Option<Cron>,
    pub clock: Clock,
    /// Indices of the scripts that it starts, in [`super::Set::scripts`]; all of the
    /// workflow's where it starts a workflow.
    pub scripts: std::ops::Range<usize>,
    /// What these scripts call as well.
    pub reach: Rc<Reach>,
}

/// Everything that one start runs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reach {
    /// Indices into [`Set::scripts`], in the order in which they run.
    pub scripts: Vec<usize>,
    /// Code that is not in the set.
    pub unseen: Vec<Called>,
}

impl Schedule {
    /// The longest time between two runs, in seconds.
    pub fn longest_gap(&self) -> Option<i64> {
        gaps(self.cron.as_ref()?, jiff::Timestamp::UNIX_EPOCH).map(|(_, longest)| longest)
    }

    /// The shortest time between two runs, in seconds.
    pub fn shortest_gap(&self) -> Option<i64> {
        gaps(self.cron.as_ref()?, jiff::Timestamp::UNIX_EPOCH).map(|(shortest, _)| shortest)
    }
}

impl Set<'_> {
    /// Every command that a schedule starts, scripts that are called included.
    pub fn started<'s>(&'s self, schedule: &'s Schedule) -> impl Iterator<Item = &'s Command> {
        let scripts = schedule.reach.scripts.iter().filter_map(|index| self.scripts.get(*index));
        scripts.flat_map(|script| self.commands.get(script.commands.clone()).unwrap_or_default())
    }

    /// Whether a schedule makes backups, by what it runs or by the name of what it
    /// calls.
    pub fn makes_backups(&self, schedule: &Schedule) -> bool {
        let action = || self.actions_of(schedule.unit).any(|action| action.role == super::ActionRole::Dump);
        self.started(schedule).any(|command| matches!(command.role, Role::Dump(_)))
            || schedule.reach.unseen.iter().any(Called::is_backup)
            || action()
    }
}

/// The five fields of a nickname.
pub fn of_nickname(text: &str) -> Option<Cron> {
    let fields = match text {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => "0 0 1 1 *",
        _ => text,
    };
    Cron::parse(fields).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nicknames_are_schedules() {
        let schedule = |text: &str| Schedule {
            at: Place::default(),
            unit: 0,
            text: text.to_owned(),
            cron: of_nickname(text),
            clock: Clock::Host,
            scripts: 0..0,
            reach: Rc::default(),
        };
        assert_eq!(schedule("@weekly").longest_gap(), Some(7 * 86_400));
        assert_eq!(schedule("0 0,6 * * *").longest_gap(), Some(18 * 3_600));
        assert_eq!(schedule("0 0,6 * * *").shortest_gap(), Some(6 * 3_600));
        assert_eq!(schedule("@reboot").longest_gap(), None);
    }
}
