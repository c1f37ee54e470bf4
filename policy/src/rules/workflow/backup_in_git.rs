use crate::finding::Severity;
use crate::model::{ActionRole, Artifact, Command, Contents, Pipeline, Role, Set};
use crate::rule::{Findings, rule};

rule! {
    /// Dumps are committed to a git repository.
    ///
    /// ## What
    /// `git add` or `git commit` of a dump with a push after it, or an action that
    /// commits what lies in the checkout after a dump was written there. Files that hold
    /// the schema alone are left alone; an encrypted dump is a warning.
    ///
    /// ## Why
    /// History keeps everything: no retention can delete a row of it, no request for
    /// erasure can be met, every clone and fork has the whole database, and the
    /// repository grows until it cannot be cloned.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// set -e
    /// pg_dump shop > backups/shop.sql
    /// git add backups
    /// git commit -m "daily backup"
    /// git push
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// set -e
    /// pg_dump --schema-only shop > db/schema.sql
    /// git add db/schema.sql
    /// git commit -m "schema of today"
    /// git push
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/removing-sensitive-data-from-a-repository>
    /// - <https://docs.github.com/en/repositories/creating-and-managing-repositories/repository-limits>
    "backup-in-git" in Workflow,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for pipeline in &set.pipelines {
        if pipeline.backup(set).is_none() {
            continue;
        }
        let pushes = pipeline.commands(set).any(|(_, command)| is_git(command, "push"));
        let commands = pipeline.commands(set).filter(|_| pushes).filter_map(|(index, command)| {
            Some((command.name_at, committed(set, pipeline, index, command)?))
        });
        let actions = set.actions_of(pipeline.root).filter(|action| action.role == ActionRole::Commit);
        let actions = actions.filter_map(|action| {
            let pattern = action.input("file_pattern").or_else(|| action.input("add"));
            let found = match pattern.map(|pattern| pattern.text.as_str()) {
                None | Some("." | "") => lying(set, pipeline, usize::MAX),
                Some(pattern) => pattern
                    .split_whitespace()
                    .find_map(|path| pipeline.flow.find(path))
                    .filter(|it| holds_data(set, it)),
            };
            Some((action.at(), found?))
        });
        let Some((at, artifact)) = commands.chain(actions).next() else { continue };
        let report = if artifact.is_encrypted() {
            findings
                .report(at, "no retention can ever delete this: every clone keeps each backup there was")
                .severity(Severity::Warning)
        } else {
            findings.report(
                at,
                "every clone has the whole database from now on, and nothing can be deleted from it",
            )
        };
        let report = report.help("put backups into a bucket with a retention; if it was pushed, rewrite the history and change what was in it");
        if let Some(dump) = set.commands.get(artifact.dump) {
            report.related(dump.name_at, "dumped here");
        }
    }
}

/// `git push`, `git -C dir push`
fn is_git(command: &Command, verb: &str) -> bool {
    command.name == "git" && command.has(verb)
}

/// The dump that a `git add` or `git commit -a` takes.
fn committed<'p>(
    set: &Set<'_>,
    pipeline: &'p Pipeline,
    index: usize,
    command: &Command,
) -> Option<&'p Artifact> {
    if is_git(command, "commit") && ["-a", "-am", "--all"].iter().any(|flag| command.has(flag)) {
        return lying(set, pipeline, index);
    }
    if !is_git(command, "add") {
        return None;
    }
    let add = command.args.iter().position(|arg| arg.text == "add")?;
    let mut paths = command.args.get(add + 1..)?.iter();
    paths.find_map(|path| match path.text.as_str() {
        "." | "-A" | "--all" | "*" | ":/" => lying(set, pipeline, index),
        flag if flag.starts_with('-') => None,
        name => pipeline.flow.find(name).filter(|it| holds_data(set, it)),
    })
}

/// A dump that lies in the checkout when command `index` runs.
fn lying<'p>(set: &Set<'_>, pipeline: &'p Pipeline, index: usize) -> Option<&'p Artifact> {
    const ELSEWHERE: [&str; 9] =
        ["/", "~", "$HOME", "${HOME}", "${RUNNER_TEMP}", "${{ runner.temp", "${TMPDIR}", "$(mktemp", "../"];
    pipeline.flow.artifacts.iter().find(|artifact| {
        let here = artifact
            .file
            .as_ref()
            .is_some_and(|file| !ELSEWHERE.iter().any(|prefix| file.text.starts_with(prefix)));
        here && !artifact.gone && artifact.made_by < index && holds_data(set, artifact)
    })
}

fn holds_data(set: &Set<'_>, artifact: &Artifact) -> bool {
    set.commands.get(artifact.dump).is_some_and(|command| match &command.role {
        Role::Dump(dump) => {
            matches!(dump.contents, Contents::All | Contents::DataOnly) && !dump.target.is_local()
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn script(text: &str) -> String {
        check(&RULE, &[("b.sh", text)])
    }

    #[test]
    fn a_dump_that_is_pushed_is_reported_once() {
        insta::assert_snapshot!(script("pg_dump shop > b/a.sql\ngit add b/\ngit commit -m x\ngit push\n"), @r"
        b.sh:2:1: error[backup-in-git]: every clone has the whole database from now on, and nothing can be deleted from it
        help: put backups into a bucket with a retention; if it was pushed, rewrite the history and change what was in it
          b.sh:1:1: dumped here
        ");
        for text in [
            "pg_dump shop > a.sql\ngit add -A && git commit -m x && git push origin main\n",
            "pg_dump shop > a.sql\ngit commit -am x\ngit push\n",
            "pg_dump shop | gzip > a.sql.gz\ngit add *.gz\ngit commit -m x\ngit push\n",
        ] {
            assert!(script(text).contains("error["), "{text}");
        }
    }

    #[test]
    fn actions_commit_as_well() {
        let text = "name: backup\non: push\njobs:\n  b:\n    steps:\n      - run: supabase db dump --db-url $URL -f data.sql --data-only\n      - uses: stefanzweifel/git-auto-commit-action@v4\n";
        assert!(check(&RULE, &[(".github/workflows/b.yml", text)]).contains(":7:15: error["));
    }

    #[test]
    fn encrypted_ones_are_a_warning() {
        let text = "pg_dump shop | age -r age1x > a.age\ngit add a.age\ngit commit -m x\ngit push\n";
        assert!(script(text).contains("warning["));
    }

    #[test]
    fn it_stays_quiet_on_schemas_and_what_lies_elsewhere() {
        for text in [
            "pg_dump -s shop > schema.sql\ngit add schema.sql\ngit push\n",
            "pg_dump shop > /tmp/a.sql\ngit add -A\ngit commit -m x\ngit push\n",
            "pg_dump shop > a.sql\ngit add README.md\ngit commit -m x\ngit push\n",
            "pg_dump shop > a.sql\nrm a.sql\ngit add .\ngit push\n",
            "pg_dump shop > a.sql\ngit add a.sql\n",
            "git add -A\ngit push\npg_dump shop > a.sql\n",
        ] {
            assert_eq!(script(text), "", "{text}");
        }
    }
}
