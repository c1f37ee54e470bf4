use crate::model::{Schedule, Set};
use crate::parse::workflow::Workflow;
use crate::parse::yaml::Node;
use crate::rule::{Findings, rule};

rule! {
    /// Several schedules start the same backup, which cannot tell which one it was.
    ///
    /// ## What
    /// A workflow lists a daily, a weekly and a monthly cron, and no step or condition
    /// reads `github.event.schedule`. Entries that only spread one rhythm over several
    /// lines (every eight hours) are left alone.
    ///
    /// ## Why
    /// Each entry starts all the jobs in the same way: the "weekly" and the "monthly"
    /// run put one more daily backup in the same place, under the same retention. After
    /// a week there is no backup that is older than a week.
    ///
    /// ## Bad
    /// ```yaml .github/workflows/backup.yml
    /// name: backup
    /// on:
    ///   schedule:
    ///     - cron: "17 2 * * *"
    ///     - cron: "17 1 * * 0"
    ///     - cron: "17 0 1 * *"
    /// jobs:
    ///   backup:
    ///     runs-on: ubuntu-24.04
    ///     steps:
    ///       - run: |
    ///           pg_dump -Fc -f shop.dump "$DATABASE_URL"
    ///           aws s3 cp shop.dump "s3://shop-backups/automated/$(date +%F).dump"
    /// ```
    ///
    /// ## Good
    /// ```yaml .github/workflows/backup.yml
    /// name: backup
    /// on:
    ///   schedule:
    ///     - cron: "17 2 * * *"
    ///     - cron: "17 1 * * 0"
    /// jobs:
    ///   backup:
    ///     runs-on: ubuntu-24.04
    ///     env:
    ///       TIER: ${{ github.event.schedule == '17 1 * * 0' && 'weekly' || 'daily' }}
    ///     steps:
    ///       - run: |
    ///           pg_dump -Fc -f shop.dump "$DATABASE_URL"
    ///           aws s3 cp shop.dump "s3://shop-backups/$TIER/$(date +%F).dump"
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#schedule>
    "multi-cron-one-job" in Schedule,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for (_, unit, workflow) in set.workflows() {
        let Some((first, others)) = workflow.crons.split_first() else { continue };
        let other = others.iter().find(|cron| days(cron) != days(first));
        let (Some(other), Some(schedule)) = (other, schedule_at(set, unit.place(first.span))) else {
            continue;
        };
        if !set.makes_backups(schedule) || tells_apart(set, schedule, &workflow) {
            continue;
        }
        let mut names: Vec<&str> =
            others.iter().filter(|cron| days(cron) != days(first)).map(|cron| name(cron)).collect();
        names.dedup();
        let message = format!(
            "the {} schedules start the same steps: {} only makes one more {} backup in the same place",
            workflow.crons.len(),
            names.join(" or "),
            name(first),
        );
        findings
            .report(unit.place(other.span), message)
            .help("read github.event.schedule to choose folder and retention, or write one workflow for each")
            .related(unit.place(first.span), "this one starts the same");
    }
}

fn schedule_at<'s>(set: &'s Set<'_>, place: crate::finding::Place) -> Option<&'s Schedule> {
    set.schedules.iter().find(|schedule| schedule.at == place)
}

/// The fields that choose the day.
fn days(cron: &Node) -> Vec<&str> {
    cron.text().unwrap_or_default().split_whitespace().skip(2).collect()
}

fn name(cron: &Node) -> &'static str {
    match days(cron).as_slice() {
        ["*", "*", "*"] => "daily",
        ["*", "*", _] => "weekly",
        [_, "*", "*"] => "monthly",
        [_, _, "*"] => "yearly",
        _ => "other",
    }
}

/// Whether anything asks which schedule it was, or what day it is.
fn tells_apart(set: &Set<'_>, schedule: &Schedule, workflow: &Workflow<'_>) -> bool {
    const DAYS: [&str; 10] = ["%u", "%w", "%d", "%-d", "%e", "%a", "%A", "%j", "%U", "%V"];
    let mut asks = workflow.jobs().any(|job| job.uses.is_some());
    workflow.root.scalars(&mut |_, scalar| {
        asks |= scalar.text.contains("event.schedule")
            || scalar.text.contains("event['schedule']")
            || scalar.text.contains("GITHUB_EVENT_PATH");
    });
    let by_day = |arg: &crate::model::Arg| arg.text.strip_prefix('+').is_some_and(|it| DAYS.contains(&it));
    asks || set.started(schedule).any(|command| {
        (command.name == "date" && command.args.iter().any(by_day))
            || command.args.iter().any(|arg| arg.text.contains("GITHUB_EVENT_PATH"))
    })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn workflow(crons: &[&str], rest: &str) -> String {
        let crons: String = crons.iter().map(|cron| format!("    - cron: '{cron}'\n")).collect();
        format!("name: backup\non:\n  schedule:\n{crons}jobs:\n  b:\n    runs-on: ubuntu-24.04\n{rest}")
    }

    const STEPS: &str = "    steps:\n      - run: pg_dump -Fc -f a.dump \"$URL\"\n";

    fn found(crons: &[&str], rest: &str) -> String {
        check(&RULE, &[(".github/workflows/b.yml", &workflow(crons, rest))])
    }

    #[test]
    fn schedules_that_nothing_tells_apart_are_reported_once() {
        insta::assert_snapshot!(found(&["0 2 * * *", "0 1 * * 0", "0 0 1 * *"], STEPS), @r"
        .github/workflows/b.yml:5:13: error[multi-cron-one-job]: the 3 schedules start the same steps: weekly or monthly only makes one more daily backup in the same place
        help: read github.event.schedule to choose folder and retention, or write one workflow for each
          .github/workflows/b.yml:4:13: this one starts the same
        ");
    }

    #[test]
    fn it_fires_whatever_does_the_dump() {
        for rest in [
            "    steps:\n      - run: ./scripts/backup.sh\n",
            "    steps:\n      - run: npm run db:backup\n",
            "    steps:\n      - uses: acme/postgres-backup@v1\n",
            "    steps:\n      - run: pg_dump $URL > $(date +%Y-%m-%d).sql\n",
            "    steps:\n      - run: pg_dump $URL > a.sql # by github.event.name\n",
        ] {
            assert!(found(&["0 2 * * *", "0 3 * * 0"], rest).contains("multi-cron"), "{rest}");
        }
    }

    #[test]
    fn it_stays_quiet_where_they_are_one_rhythm_or_told_apart() {
        for (crons, rest) in [
            (vec!["0 2 * * *"], STEPS),
            (vec!["0 2 * * *", "0 10 * * *", "0 18 * * *"], STEPS),
            (vec!["0 2 * * 1-5", "0 8 * * 1-5"], STEPS),
            (
                vec!["0 2 * * *", "0 1 * * 0"],
                "    env: {S: \"${{ github.event.schedule }}\"}\n    steps:\n      - run: pg_dump x > $S\n",
            ),
            (
                vec!["0 2 * * *", "0 1 * * 0"],
                "    if: github.event.schedule == '0 2 * * *'\n    steps:\n      - run: pg_dump x > a\n",
            ),
            (
                vec!["0 2 * * *", "0 1 * * 0"],
                "    steps:\n      - run: |\n          if [ \"$(date +%u)\" = 7 ]; then T=weekly; else T=daily; fi\n          pg_dump x > $T\n",
            ),
            (vec!["0 2 * * *", "0 1 * * 0"], "    steps:\n      - run: npm test\n"),
        ] {
            assert_eq!(found(&crons, rest), "", "{crons:?} {rest}");
        }
        let reusable = "name: backup\non:\n  schedule:\n    - cron: '0 2 * * *'\n    - cron: '0 1 * * 0'\njobs:\n  b:\n    uses: ./.github/workflows/backup-one.yml\n";
        assert_eq!(check(&RULE, &[(".github/workflows/b.yml", reusable)]), "");
    }
}
