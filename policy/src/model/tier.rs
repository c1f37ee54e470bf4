//! Which tier a script belongs to: by the paths it writes, its own name, the heading
//! it stands under, or how often it is started.

use std::collections::HashMap;
use std::ops::Range;

use crate::path;

use super::Set;
use super::amount::Tier;
use super::role::Role;
use super::schedule::Schedule;
use super::script::Script;

const DAY: i64 = 86_400;

impl Tier {
    /// By the longest time between two runs, in seconds; none for odd ones.
    pub fn of_gap(seconds: i64) -> Option<Self> {
        Some(match seconds {
            0..=5_400 => Self::Hourly,
            72_000..=108_000 => Self::Daily,
            _ if (6 * DAY..=8 * DAY).contains(&seconds) => Self::Weekly,
            _ if (27 * DAY..=33 * DAY).contains(&seconds) => Self::Monthly,
            _ if (85 * DAY..=95 * DAY).contains(&seconds) => Self::Quarterly,
            _ if (360 * DAY..=367 * DAY).contains(&seconds) => Self::Yearly,
            _ => return None,
        })
    }
}

/// The tiers of a set's scripts, and how often its schedules fire: made once, asked
/// often.
pub struct Tiers<'s, 'd> {
    set: &'s Set<'d>,
    /// By the text of the schedule.
    gaps: HashMap<&'s str, Option<i64>>,
    /// The longest time between two runs of a script, by its index, where all that start
    /// it agree.
    every: HashMap<usize, Option<i64>>,
}

impl<'s, 'd> Tiers<'s, 'd> {
    pub fn of(set: &'s Set<'d>) -> Self {
        let mut gaps = HashMap::new();
        let agree = |one: Option<i64>, other: Option<i64>| if one == other { one } else { None };
        // A workflow with many schedules starts the same by each.
        let mut alike: HashMap<Range<usize>, (&Schedule, Option<i64>)> = HashMap::new();
        for schedule in &set.schedules {
            let gap = *gaps.entry(schedule.text.as_str()).or_insert_with(|| schedule.longest_gap());
            let known = alike.entry(schedule.scripts.clone()).or_insert((schedule, gap));
            known.1 = agree(known.1, gap);
        }
        let mut every: HashMap<usize, Option<i64>> = HashMap::new();
        for (schedule, gap) in alike.into_values() {
            for script in schedule.scripts.clone().chain(schedule.reach.scripts.iter().copied()) {
                let known = every.entry(script).or_insert(gap);
                *known = agree(*known, gap);
            }
        }
        Self { set, gaps, every }
    }

    /// The longest time between two runs, in seconds.
    pub fn gap(&self, schedule: &Schedule) -> Option<i64> {
        self.gaps.get(schedule.text.as_str()).copied().flatten()
    }

    /// The tier that a script makes, where it is one.
    pub fn script(&self, script: usize) -> Option<Tier> {
        let it = self.set.scripts.get(script)?;
        let unit = self.set.units.get(it.unit)?;
        written(self.set, it)
            .or_else(|| unit.path.as_deref().map(path::name).and_then(Tier::only_in))
            .or_else(|| {
                let heading = unit.embedded.then(|| self.set.context(it.at)).flatten();
                heading.as_deref().and_then(Tier::only_in)
            })
            .or_else(|| Tier::of_gap((*self.every.get(&script)?)?))
    }
}

/// By the files that a script dumps into, and where it puts them.
fn written(set: &Set<'_>, script: &Script) -> Option<Tier> {
    let commands = set.commands.get(script.commands.clone())?;
    let mut names = commands.iter().flat_map(|command| match &command.role {
        Role::Dump(dump) => {
            let file = dump.file.as_ref().map(|said| said.text.as_str());
            file.into_iter().chain(command.output(1).map(|arg| arg.text.as_str())).collect::<Vec<_>>()
        }
        Role::Upload(transfer) => transfer.destination.iter().map(|to| to.key.as_str()).collect(),
        _ => Vec::new(),
    });
    let first = names.find_map(Tier::only_in)?;
    names.filter_map(Tier::only_in).all(|other| other == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;

    fn tier(files: &[(&str, &str)], script: usize) -> Option<Tier> {
        let documents: Vec<_> = files.iter().map(|(path, text)| Document::new(*path, *text)).collect();
        Tiers::of(&Set::of(&documents)).script(script)
    }

    #[test]
    fn a_script_says_its_tier_in_many_ways() {
        let by = |text: &str| tier(&[("b.sh", text)], 0);
        assert_eq!(by("pg_dump -f /b/weekly/a.dump shop\n"), Some(Tier::Weekly));
        assert_eq!(by("pg_dump -f a.dump shop\naws s3 cp a.dump s3://b/monthly/\n"), Some(Tier::Monthly));
        assert_eq!(by("pg_dump -f a.dump shop\n"), None);
        assert_eq!(tier(&[("daily-backup.sh", "pg_dump -f a.dump shop\n")], 0), Some(Tier::Daily));
        let heading = "# Weekly backups\n\n```bash\npg_dump -f a.dump shop\n```\n";
        assert_eq!(tier(&[("b.md", heading)], 0), Some(Tier::Weekly));
    }

    #[test]
    fn what_starts_it_says_how_often() {
        let script = ("b.sh", "pg_dump -f a.dump shop\n");
        assert_eq!(tier(&[script, ("crontab", "0 2 * * * /opt/b.sh\n")], 0), Some(Tier::Daily));
        assert_eq!(tier(&[script, ("crontab", "0 2 * * 0 /opt/b.sh\n")], 0), Some(Tier::Weekly));
        assert_eq!(tier(&[script, ("crontab", "0 2 * * 0 /opt/b.sh\n0 3 1 * * /opt/b.sh\n")], 0), None);
        assert_eq!(tier(&[script, ("crontab", "0 */6 * * * /opt/b.sh\n")], 0), None);
    }
}
