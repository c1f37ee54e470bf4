use crate::model::{Command, Delete, DeleteTool, Host, Pipeline, Role, Scheme, Set, glob};
use crate::parse::workflow::Job;
use crate::parse::yaml::Node;
use crate::rule::{Findings, rule};

use super::backups::is_of_backups;

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
    for pipeline in &set.pipelines {
        for (_, command) in pipeline.commands(set) {
            let Role::Delete(delete) = &command.role else { continue };
            if delete.tool != DeleteTool::Find || delete.targets.iter().any(|to| to.scheme != Scheme::Local) {
                continue;
            }
            let Some(script) = set.script_of(command) else { continue };
            if !is_of_backups(set, script, delete) {
                continue;
            }
            let old = delete.age.as_ref().is_some_and(|age| age.days.is_none_or(|days| days >= 1.0));
            if old && on_fresh_runner(set, pipeline, command) {
                findings
                    .report(
                        command.name_at,
                        "never deletes anything: on a fresh runner every file is from today",
                    )
                    .help("delete by the date in the file's name, or where the backups are stored");
            } else if let Some((pattern, name)) = other_names(pipeline, delete) {
                let message = format!(
                    "never deletes anything: the backups are called '{name}', which '{pattern}' does not match"
                );
                findings
                    .report(command.name_at, message)
                    .help("use the same name for both, from one variable");
            }
        }
    }
}

/// A step of a job that GitHub's own machines run, into which no old files come.
fn on_fresh_runner(set: &Set<'_>, pipeline: &Pipeline, command: &Command) -> bool {
    let Some(Host::Step { job, .. }) = set.script_of(command).map(|script| &script.host) else {
        return false;
    };
    if command.nesting.inline.is_some() || !command.wrappers.is_empty() {
        return false;
    }
    // Synchronized files, caches and archives keep their dates.
    let brings_dates = pipeline.commands(set).any(|(_, other)| {
        other.at < command.at
            && (matches!(other.role, Role::Download(_))
                || matches!(other.name.as_str(), "touch" | "mount" | "sshfs" | "rclone" | "tar"))
    });
    let workflow = set.workflows().find(|(_, unit, _)| {
        unit.document == command.at.document
            && unit.span.start <= command.at.span.start
            && command.at.span.end <= unit.span.end
    });
    let hosted = workflow.is_some_and(|(_, _, workflow)| workflow.jobs.get(*job).is_some_and(is_hosted));
    hosted && !brings_dates
}

fn is_hosted(job: &Job<'_>) -> bool {
    let labels: Vec<&str> =
        job.runs_on.into_iter().flat_map(Node::one_or_many).filter_map(Node::text).collect();
    !labels.is_empty()
        && labels.iter().all(|label| ["ubuntu-", "macos-", "windows-"].iter().any(|os| label.starts_with(os)))
}

/// The pattern, and the name of a dump below the same folder that it misses; none
/// where it matches one.
fn other_names(pipeline: &Pipeline, delete: &Delete) -> Option<(String, String)> {
    let pattern = &delete.pattern.as_ref()?.text;
    let [root] = delete.targets.as_slice() else { return None };
    let root = root.key.trim_end_matches('/');
    if pattern.contains(['$', '[', '{', '/', '<']) || root.is_empty() {
        return None;
    }
    let kept = pipeline.flow.artifacts.iter().filter(|artifact| !artifact.gone);
    let names: Vec<&str> = kept
        .filter_map(|artifact| {
            let path = artifact.file.as_ref()?.text.as_str();
            let name = path.strip_prefix(root)?.strip_prefix('/')?.rsplit('/').next()?;
            // A name that is all variable may be anything.
            let known =
                name.chars().filter(char::is_ascii_alphanumeric).count() > 2 && !name.starts_with('$');
            known.then_some(name)
        })
        .collect();
    let name = names.first()?;
    let matched = names.iter().any(|name| glob(pattern, &spelled(name)) || glob(pattern, name));
    (!matched).then(|| (pattern.clone(), spelled(name)))
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
