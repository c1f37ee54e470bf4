use std::collections::HashMap;

use crate::finding::Place;
use crate::model::{Delete, DeleteTool, Location, Pipeline, Role, Scheme, Set, glob};
use crate::path;
use crate::rule::{Findings, rule};
use crate::units::Days;

use super::backups::{Deletion, deletions};
use super::folders::folder;
use super::runner::Runner;

rule! {
    /// A cleanup that can never find anything.
    ///
    /// ## What
    /// `find -mtime` on a runner of GitHub, where every file was written by this very
    /// job (git sets no old dates), or a name pattern that no backup of the same script
    /// has.
    ///
    /// ## Why
    /// The retention is there to read, runs green every night, and deletes nothing. The
    /// disk fills up, or the backups outlive every promise.
    ///
    /// ## Bad
    /// ```yaml .github/workflows/backup.yml
    /// name: backup
    /// on:
    ///   schedule:
    ///     - cron: "17 3 * * *"
    /// jobs:
    ///   backup:
    ///     runs-on: ubuntu-24.04
    ///     steps:
    ///       - uses: actions/checkout@v4
    ///       - run: |
    ///           pg_dump -Fc -f "backups/$(date +%F).dump" "$DATABASE_URL"
    ///           find backups -name '*.dump' -mtime +30 -delete
    /// ```
    /// or
    /// ```bash backup.sh
    /// pg_dump -Fc -f "/srv/dumps/shop-$(date +%F).dump" shop
    /// find /srv/dumps -name 'backup-*.sql.gz' -mtime +30 -delete
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// pg_dump -Fc -f "/srv/dumps/shop-$(date +%F).dump" shop
    /// find /srv/dumps -name 'shop-*.dump' -mtime +30 -delete
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.github.com/en/actions/concepts/runners/github-hosted-runners>
    "retention-never-matches" in Retention,
    severity: Warning,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    let all: HashMap<Place, Deletion<'_>> =
        deletions(set).into_iter().map(|it| (it.command.at, it)).collect();
    for pipeline in set.pipelines.iter().filter(|_| !all.is_empty()) {
        let names = Names::of(set, pipeline);
        let runner = Runner::of(set, pipeline);
        let own = pipeline.commands(set).filter_map(|(_, command)| all.get(&command.at));
        for Deletion { command, delete, .. } in own {
            let local = delete.targets.iter().all(|to| to.scheme == Scheme::Local);
            let old = delete.age.as_ref().is_some_and(|age| age.days.is_none_or(|days| days >= Days(1.0)));
            let finds = delete.tool == DeleteTool::Find && local;
            let (message, help) = if let Some((wanted, name)) = names.other_objects(delete) {
                (format!("objects are called '{name}', which '{wanted}' does not match"), SAME)
            } else if finds && old && runner.is_fresh(set, command) {
                let help = "delete by the date in the file's name, or where the backups are stored";
                ("on a fresh runner every file is from today".to_owned(), help)
            } else if let Some((pattern, name)) = names.other_files(delete).filter(|_| finds) {
                (format!("the backups are called '{name}', which '{pattern}' does not match"), SAME)
            } else {
                continue;
            };
            findings.report(command.name_at, format!("never deletes anything: {message}")).help(help);
        }
    }
}

const SAME: &str = "use the same name for both, from one variable";

/// Names that are compared with a pattern; of more, nothing is said.
const NAMES: usize = 64;

/// What the backups of a pipeline are called.
struct Names<'s> {
    /// Files that are there at the end.
    files: Vec<&'s str>,
    /// Where objects are put, and from which file.
    objects: Vec<(&'s Location, Option<&'s Location>)>,
}

impl<'s> Names<'s> {
    fn of(set: &'s Set<'_>, pipeline: &'s Pipeline) -> Self {
        let kept = pipeline.flow.artifacts.iter().filter(|artifact| !artifact.gone);
        let files = kept.filter_map(|artifact| artifact.file.as_ref().map(|file| file.text.as_str()));
        let objects = pipeline.commands(set).filter_map(|(_, command)| match &command.role {
            Role::Upload(transfer) => Some((transfer.destination.as_ref()?, transfer.sources.first())),
            _ => None,
        });
        Self { files: files.take(NAMES + 1).collect(), objects: objects.take(NAMES + 1).collect() }
    }

    /// The pattern, and the name of a dump below the same folder that it misses; none
    /// where it matches one.
    fn other_files(&self, delete: &Delete) -> Option<(String, String)> {
        let pattern = &delete.pattern.as_ref()?.text;
        let [root] = delete.targets.as_slice() else { return None };
        let root = root.key.trim_end_matches('/');
        if pattern.contains(['$', '[', '{', '/', '<']) || root.is_empty() || self.files.len() > NAMES {
            return None;
        }
        let below = |path: &&'s str| {
            let name = path::name(path.strip_prefix(root)?.strip_prefix('/')?);
            // A name that is all variable may be anything.
            let known =
                name.chars().filter(char::is_ascii_alphanumeric).count() > 2 && !name.starts_with('$');
            known.then_some(name)
        };
        let names: Vec<&str> = self.files.iter().filter_map(below).collect();
        let name = names.first()?;
        let matched = names.iter().any(|name| glob(pattern, &spelled(name)) || glob(pattern, name));
        (!matched).then(|| (pattern.clone(), spelled(name)))
    }

    /// A pattern of objects and the name of one that lies there, where the two begin
    /// differently: `rm gs://b-backups/db/$(date …)*` beside `shop-….sql`.
    fn other_objects(&self, delete: &Delete) -> Option<(String, String)> {
        let [target] = delete.targets.as_slice() else { return None };
        if !target.is_remote() || !target.name().ends_with('*') || target.name().len() < 3 {
            return None;
        }
        let mut here = self
            .objects
            .iter()
            .filter(|(to, _)| to.bucket == target.bucket && folder(&to.key) == folder(&target.key));
        let (to, source) = here.next()?;
        let name = if to.name().is_empty() { (*source)?.name() } else { to.name() };
        let (wanted, name) = (spelled(target.name()), spelled(name));
        // A date in front of the one, a word in front of the other.
        let differ = wanted.starts_with('…') && name.starts_with(|first: char| first.is_ascii_alphabetic());
        (differ && here.next().is_none()).then_some((wanted, name))
    }
}

/// `shop-$(date +%F).dump` as `shop-….dump`.
fn spelled(name: &str) -> String {
    let mut out = String::new();
    let mut depth = 0usize;
    let mut chars = name.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '$' if matches!(chars.peek(), Some('(' | '{')) => {
                chars.next();
                if depth == 0 {
                    out.push('…');
                }
                depth += 1;
            }
            '(' | '{' if depth > 0 => depth += 1,
            ')' | '}' if depth > 0 => depth -= 1,
            _ if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn workflow(runner: &str, run: &str) -> String {
        let text = format!(
            "name: backup\non:\n  schedule:\n    - cron: '1 2 * * *'\njobs:\n  b:\n    runs-on: {runner}\n    steps:\n      - uses: actions/checkout@v4\n      - run: |\n          pg_dump -f backups/a.sql shop\n          {run}\n"
        );
        check(&RULE, &[(".github/workflows/b.yml", &text)])
    }

    #[test]
    fn files_of_a_fresh_runner_are_new() {
        insta::assert_snapshot!(workflow("ubuntu-latest", "find backups -mtime +30 -delete"), @r"
        .github/workflows/b.yml:12:11: warning[retention-never-matches]: never deletes anything: on a fresh runner every file is from today
        help: delete by the date in the file's name, or where the backups are stored
        ");
    }

    #[test]
    fn it_stays_quiet_where_files_may_be_old() {
        assert_eq!(workflow("self-hosted", "find backups -mtime +30 -delete"), "");
        assert_eq!(workflow("ubuntu-24.04", "ssh db 'find /srv/backups -mtime +30 -delete'"), "");
        assert_eq!(
            workflow("ubuntu-24.04", "aws s3 sync s3://b/ backups; find backups -mtime +30 -delete"),
            ""
        );
    }

    #[test]
    fn objects_have_names_too() {
        let found = workflow(
            "ubuntu-24.04",
            "gsutil cp backups/a.sql gs://b-backups/db/\n          gsutil rm gs://b-backups/db/$(date -d '30 days ago' +%F)*",
        );
        assert!(found.contains("objects are called 'a.sql', which '…*' does not match"), "{found}");
        assert_eq!(
            workflow(
                "ubuntu-24.04",
                "gsutil cp backups/a.sql gs://b-backups/db/\n          gsutil rm gs://b-backups/db/a-$(date -d '30 days ago' +%F)*"
            ),
            ""
        );
    }

    #[test]
    fn a_script_that_a_workflow_calls_runs_there() {
        let workflow = |runner: &str| {
            format!(
                "name: backup\non: push\njobs:\n  b:\n    runs-on: {runner}\n    steps:\n      - run: ./scripts/backup.sh\n"
            )
        };
        let script = (
            "scripts/backup.sh",
            "pg_dump -f backups/a.sql shop\nfind backups -name '*.sql' -mtime +30 -delete\n",
        );
        let found = |runner: &str| check(&RULE, &[(".github/workflows/b.yml", &workflow(runner)), script]);
        assert!(
            found("ubuntu-24.04").starts_with("scripts/backup.sh:2:1: warning["),
            "{}",
            found("ubuntu-24.04")
        );
        assert_eq!(found("self-hosted"), "");
        assert_eq!(check(&RULE, &[script]), "");
        let shown = format!("# B\n\n```yaml\n{}```\n\n```bash\n{}```\n", workflow("ubuntu-24.04"), script.1);
        assert_eq!(check(&RULE, &[("b.md", &shown)]), "", "a document only shows both");
    }

    #[test]
    fn a_pattern_must_match_what_is_written() {
        let found = |text: &str| check(&RULE, &[("b.sh", text)]);
        let text = "F=/b/backups/shop-$(date +%F).sql\npg_dump -f $F shop\ngzip $F\nfind /b/backups -name '*.sql' -mtime +7 -delete\n";
        assert!(
            found(text).contains("called 'shop-….sql.gz', which '*.sql' does not match"),
            "{}",
            found(text)
        );
        for text in [
            "pg_dump -f /b/backups/shop-$(date +%F).sql shop\nfind /b/backups -name 'shop-*.sql' -mtime +7 -delete\n",
            "pg_dump -f /b/backups/$NAME.sql shop\nfind /b/backups -name 'db*' -mtime +7 -delete\n",
            "pg_dump -f /b/backups/a.sql shop\nfind /b/other-backups -name '*.gz' -mtime +7 -delete\n",
            "pg_dump -f /b/backups/a.sql shop\nfind /b/backups -name \"$P\" -mtime +7 -delete\n",
        ] {
            assert_eq!(found(text), "", "{text}");
        }
    }
}
