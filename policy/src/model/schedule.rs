//! When something runs by itself: a workflow's cron, a crontab's line, a timer.

use crate::finding::Place;
use crate::parse::crontab::gaps;
use crate::schedule::Schedule as Cron;

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
        };
        assert_eq!(schedule("@weekly").longest_gap(), Some(7 * 86_400));
        assert_eq!(schedule("0 0,6 * * *").longest_gap(), Some(18 * 3_600));
        assert_eq!(schedule("0 0,6 * * *").shortest_gap(), Some(6 * 3_600));
        assert_eq!(schedule("@reboot").longest_gap(), None);
    }
}
