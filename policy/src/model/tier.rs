//! Which tier a script or a text belongs to: by the paths it writes, its own name,
//! the heading it stands under, or how often it is started.

use super::amount::Tier;
use super::role::Role;
use super::schedule::Schedule;
use super::script::Script;
use super::unit::is_called;
use super::{Called, Set};

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

impl Set<'_> {
    /// The tier that a script makes, where it is one.
    pub fn tier_of(&self, script: usize) -> Option<Tier> {
        let it = self.scripts.get(script)?;
        let unit = self.units.get(it.unit)?;
        self.written_tier(it)
            .or_else(|| unit.path.as_deref().and_then(|path| path.rsplit('/').next()).and_then(Tier::only_in))
            .or_else(|| {
                let heading = self.context(it.at).filter(|_| unit.embedded);
                heading.as_deref().and_then(Tier::only_in)
            })
            .or_else(|| {
                let mut gaps = self.schedules_of(script).map(Schedule::longest_gap);
                let gap = gaps.next()??;
                gaps.all(|other| other == Some(gap)).then(|| Tier::of_gap(gap))?
            })
    }

    /// By the files that it dumps into, and where it puts them.
    fn written_tier(&self, script: &Script) -> Option<Tier> {
        let commands = self.commands.get(script.commands.clone())?;
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

    /// When a script is started: by its own host, or by a command that calls it.
    pub fn schedules_of(&self, script: usize) -> impl Iterator<Item = &Schedule> {
        let path = self
            .scripts
            .get(script)
            .and_then(|it| self.units.get(it.unit))
            .and_then(|unit| unit.path.as_deref());
        let calls = move |schedule: &Schedule| {
            let scripts = self.scripts.get(schedule.scripts.clone()).unwrap_or_default();
            let mut commands =
                scripts.iter().flat_map(|it| self.commands.get(it.commands.clone()).unwrap_or_default());
            commands.any(|command| match (&command.called, path) {
                (Some(Called::Script(arg)), Some(path)) => is_called(path, &arg.text),
                _ => false,
            })
        };
        self.schedules.iter().filter(move |schedule| schedule.scripts.contains(&script) || calls(schedule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;

    fn tier(files: &[(&str, &str)], script: usize) -> Option<Tier> {
        let documents: Vec<_> = files.iter().map(|(path, text)| Document::new(*path, *text)).collect();
        Set::of(&documents).tier_of(script)
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
