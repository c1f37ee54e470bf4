//! The configuration files of a set as the rules of this group see them: what the
//! reader made of each, and where its keys stand.

use jiff::Timestamp;

use crate::config::{Config, Keep, Parsed, Store, Tier};
use crate::finding::{Place, Span};
use crate::model::{Set, Unit};
use crate::schedule::Schedule;

/// How far ahead the longest time between two backups is looked for: years with all
/// their months, or so many firings.
const YEARS: i64 = 9;
const FIRINGS: usize = 1_500;

/// One file, or one block of a document.
pub struct File<'s, 'd> {
    pub unit: &'s Unit<'d>,
    pub parsed: &'s Parsed,
}

/// Every configuration, examples in documents included.
pub fn all<'s, 'd>(set: &'s Set<'d>) -> impl Iterator<Item = File<'s, 'd>> {
    set.units.iter().filter_map(|unit| Some(File { unit, parsed: unit.config.as_ref()? }))
}

/// Whole files without an error: what is missing in an example says nothing.
pub fn sound(set: &Set<'_>, mut judge: impl FnMut(&File<'_, '_>, &Config)) {
    for file in all(set).filter(|file| !file.unit.embedded) {
        if let Some(config) = &file.parsed.config {
            judge(&file, config);
        }
    }
}

impl File<'_, '_> {
    pub fn place(&self, span: Span) -> Place {
        self.unit.place(span)
    }

    /// The key at the end of a path of keys.
    pub fn key(&self, path: &[&str]) -> Option<Place> {
        let (last, parents) = path.split_last()?;
        let entry = self.parsed.root.as_ref()?.path(parents)?.entry(last)?;
        Some(self.place(entry.key.span))
    }

    /// Where something that is missing is reported: at a key that asks for it, else at
    /// the first one.
    pub fn at(&self, path: &[&str]) -> Place {
        let first = || self.parsed.root.as_ref()?.entries().first().map(|entry| self.place(entry.key.span));
        self.key(path).or_else(first).unwrap_or_else(|| self.place(Span::default()))
    }
}

/// The longest time between two firings of any of these, in seconds.
pub fn longest_gap(schedules: &[&Schedule]) -> Option<i64> {
    let next = |after: Timestamp| schedules.iter().filter_map(|schedule| schedule.next_after(after)).min();
    let mut last = next(Timestamp::UNIX_EPOCH)?;
    let mut longest = None;
    for _ in 0..FIRINGS {
        let Some(firing) = next(last) else { break };
        longest = longest.max(Some(firing.as_second() - last.as_second()));
        last = firing;
        if last.as_second() > YEARS * 366 * 86_400 {
            break;
        }
    }
    longest
}

/// How long a backup of a tier stays, in seconds; none where nothing prunes it.
pub fn kept(tier: &Tier) -> Option<i64> {
    match tier.keep.as_deref()? {
        Keep::Forever => None,
        Keep::For(period) => i64::try_from(period.nominal_seconds()).ok(),
        Keep::Count(count) => {
            let gap = longest_gap(&[tier.schedule.as_deref()?])?;
            gap.checked_mul(i64::from(*count))
        }
    }
}

/// `25 hours`, `7 days`.
pub fn spoken(seconds: i64) -> String {
    // Two days and more are told in days, whatever is left over; less, in what divides it.
    let (name, unit) = match seconds {
        _ if seconds >= 2 * 86_400 || seconds == 86_400 => ("day", 86_400),
        _ if seconds % 3_600 == 0 => ("hour", 3_600),
        _ => ("minute", 60),
    };
    let count = seconds / unit;
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

/// Whether a store is a folder of this machine; unknown where a variable says it.
pub fn is_local(store: &Store) -> Option<bool> {
    let head = store.url.0.head();
    let (scheme, path) = head.split_once("://")?;
    // A share that is mounted is another machine.
    let mounted = ["/mnt/", "/media/", "/Volumes/", "/net/"].iter().any(|root| path.starts_with(root));
    Some(scheme == "file" && !mounted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_of_several_schedules() {
        let schedule = |text: &str| Schedule::parse(text).unwrap();
        let gap = |texts: &[&str]| {
            let all: Vec<Schedule> = texts.iter().map(|text| schedule(text)).collect();
            longest_gap(&all.iter().collect::<Vec<_>>())
        };
        assert_eq!(gap(&["17 2 * * *"]), Some(86_400));
        assert_eq!(gap(&["0 2 * * *", "0 14 * * *"]), Some(43_200));
        assert_eq!(gap(&["17 1 * * 0", "17 0 1 * *"]), Some(7 * 86_400));
        assert_eq!(gap(&[]), None);
    }

    #[test]
    fn times_are_spoken() {
        assert_eq!(spoken(90_000), "25 hours");
        assert_eq!(spoken(604_800), "7 days");
        assert_eq!(spoken(86_400), "1 day");
        assert_eq!(spoken(31 * 86_400 + 7), "31 days");
        assert_eq!(spoken(900), "15 minutes");
    }
}
