use std::collections::HashMap;

use crate::finding::{Place, Severity};
use crate::model::{Command, Host, Pipeline, Restore, RestoreTool, Role, Set, Target, Unit};
use crate::parse::shell::InlineKind;
use crate::path;
use crate::rule::{Findings, rule};
use crate::rules::restore::input::Input;

rule! {
    /// A restore that overwrites the database that is backed up.
    ///
    /// ## What
    /// A restore goes to the database that the dumps come from, and it is called a
    /// test, a verification or a drill; or it drops what is there (`--clean`) and asks
    /// nobody.
    ///
    /// ## Why
    /// Whoever tries the backup then replaces today's rows by those of the backup, or
    /// adds them a second time. `--clean` drops every table before it knows whether the
    /// file is whole: if it is not, both are gone.
    ///
    /// ## Bad
    /// ```bash verify.sh
    /// #!/bin/bash
    /// # Test the backup
    /// pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// pg_restore -d "$DATABASE_URL" shop.dump
    /// ```
    /// or
    /// ```bash restore.sh
    /// #!/bin/bash
    /// pg_dump -Fc -f before.dump "postgresql://db.example.com/shop"
    /// pg_restore --clean --if-exists -d "postgresql://db.example.com/shop" "$1"
    /// ```
    ///
    /// ## Good
    /// ```bash verify.sh
    /// #!/bin/bash
    /// # Test the backup
    /// set -euo pipefail
    /// pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// createdb scratch
    /// pg_restore --exit-on-error -d scratch shop.dump
    /// ```
    ///
    /// ## Sources
    /// - <https://www.postgresql.org/docs/current/app-pgrestore.html>
    "restore-into-production" in Restore,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    let sources = sources(set);
    let mut asked = Asked::default();
    for pipeline in &set.pipelines {
        for (index, command) in pipeline.commands(set) {
            let Role::Restore(restore) = &command.role else { continue };
            if restore.tool == RestoreTool::Other || !is_real(command, &restore.target) {
                continue;
            }
            let Some(source) = source(set, &sources, command, &restore.target) else { continue };
            if !is_dump(set, pipeline, index, command, restore) {
                continue;
            }
            let is_test = set.about(command).says(&["test", "verif", "valid", "drill", "rehears"]);
            let report = if is_test {
                let message = format!(
                    "this test writes the backup into the very database that is backed up: {} overwrites it",
                    command.name
                );
                findings.report(command.name_at, message)
            } else if restore.clean.is_some() && !asks(set, &mut asked, command) {
                let message = "drops every table of the database that is backed up, and asks nobody: if the file is bad, both are lost";
                let typed = set.script_of(command).is_some_and(|script| set.is_typed(script));
                let report = findings.report(command.name_at, message);
                if typed { report.severity(Severity::Warning) } else { report }
            } else {
                continue;
            };
            report
                .help("restore into a new database beside it; look at it; then rename, or point the application there")
                .related(source.name_at, "the backups are dumped from it here");
        }
    }
}

/// Whether it may be somebody's production: it is named, and not as a test's.
fn is_real(command: &Command, target: &Target) -> bool {
    const OTHERS: [&str; 11] =
        ["test", "scratch", "verif", "staging", "tmp", "temp", "restore", "drill", "sandbox", "local", "ci_"];
    let texts: Vec<String> = [&target.database, &target.host]
        .into_iter()
        .flatten()
        .map(|said| said.text.to_ascii_lowercase())
        .collect();
    !texts.is_empty()
        && !target.is_local()
        && !texts.iter().any(|text| OTHERS.iter().any(|name| text.contains(name)))
        && command.nesting.inline != Some(InlineKind::Remote)
}

/// What a target says: the same words are the same database.
fn words(target: &Target) -> [&str; 3] {
    [&target.database, &target.host, &target.port]
        .map(|said| said.as_ref().map_or("", |said| said.text.as_str()))
}

/// Every dump, by what it dumps.
fn sources<'s>(set: &'s Set<'_>) -> HashMap<[&'s str; 3], Vec<&'s Command>> {
    let mut sources: HashMap<[&str; 3], Vec<&Command>> = HashMap::new();
    for command in &set.commands {
        if let Role::Dump(dump) = &command.role
            && dump.is_logical()
            && command.nesting.inline != Some(InlineKind::Remote)
        {
            let same = sources.entry(words(&dump.target)).or_default();
            if same.len() < SOURCES {
                same.push(command);
            }
        }
    }
    sources
}

/// Dumps of one database that are looked at.
const SOURCES: usize = 64;

/// A dump of the same database, in this document or in its folder.
fn source<'s>(
    set: &Set<'_>,
    sources: &HashMap<[&str; 3], Vec<&'s Command>>,
    command: &Command,
    target: &Target,
) -> Option<&'s Command> {
    let folder = |document: usize| {
        let path = set.documents.get(document).map_or("", |document| document.path.as_str());
        path::folder(path)
    };
    // `docker exec live` and `docker exec scratch` have a `shop` each.
    sources.get(&words(target))?.iter().copied().find(|other| {
        is_started_alike(other, command) && folder(other.at.document) == folder(command.at.document)
    })
}

fn is_started_alike(one: &Command, other: &Command) -> bool {
    let words = |command: &Command| -> Vec<String> {
        let args = command.wrappers.iter().flat_map(|wrapper| &wrapper.args);
        args.filter(|arg| !arg.text.starts_with('-')).map(|arg| arg.text.clone()).collect()
    };
    words(one) == words(other)
}

fn is_dump(set: &Set<'_>, pipeline: &Pipeline, index: usize, command: &Command, restore: &Restore) -> bool {
    let input = Input::of(set, pipeline, index, command);
    restore.tool == RestoreTool::PgRestore || input.is_dump() || input.is_any()
}

/// What was looked at once.
#[derive(Default)]
struct Asked {
    /// Texts that speak of a confirmation.
    texts: HashMap<Place, bool>,
    /// Scripts that read an answer.
    scripts: HashMap<usize, bool>,
}

/// Whether a person has to say yes, or is warned.
fn asks(set: &Set<'_>, known: &mut Asked, command: &Command) -> bool {
    const WARNINGS: [&str; 8] =
        ["warning", "overwrit", "replaces", "destroy", "careful", "caution", "danger", "all data"];
    let Some(script) = set.script_of(command) else { return false };
    // Who types it has read what stands around it.
    if set.is_typed(script) && set.prose_around(command.at).any(|passage| passage.says(&WARNINGS)) {
        return true;
    }
    // The person who starts a workflow confirms by an input of it.
    let place = match script.host {
        Host::Step { .. } => set.units.get(script.unit).map_or(script.at, Unit::at),
        _ => script.at,
    };
    let confirms = || set.text(place).to_ascii_lowercase().contains("confirm");
    let is_read = |it: &Command| {
        matches!(it.name.as_str(), "read" | "gum" | "whiptail" | "dialog") && !it.nesting.condition
    };
    let reads = || set.commands_in(script, script.at.span).iter().any(is_read);
    *known.texts.entry(place).or_insert_with(confirms)
        || *known.scripts.entry(command.script).or_insert_with(reads)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    const DUMP: &str = "pg_dump -Fc -f a.dump \"$DATABASE_URL\"\n";

    #[test]
    fn a_test_on_the_live_database_is_reported() {
        let text = format!("{DUMP}# Verify the backup\npsql \"$DATABASE_URL\" < backup.sql\n");
        insta::assert_snapshot!(check(&RULE, &[("b.sh", &text)]), @r"
        b.sh:3:1: error[restore-into-production]: this test writes the backup into the very database that is backed up: psql overwrites it
        help: restore into a new database beside it; look at it; then rename, or point the application there
          b.sh:1:1: the backups are dumped from it here
        ");
    }

    #[test]
    fn every_form_of_it() {
        for text in [
            format!("{DUMP}pg_restore --clean -d \"$DATABASE_URL\" a.dump\n"),
            format!("{DUMP}pg_restore -c -d \"${{DATABASE_URL}}\" \"$1\"\n"),
            format!("{DUMP}validate() {{\n  pg_restore -d \"$DATABASE_URL\" a.dump\n}}\nvalidate\n"),
            "pg_dump -h db1 -U u -Fc shop > a\npg_restore -h db1 -U u -d shop -c a\n".to_owned(),
            "docker exec db pg_dump -U u shop > a.sql\n# drill\ndocker exec -i db psql -U u shop < a.sql\n"
                .to_owned(),
        ] {
            let found = check(&RULE, &[("b.sh", &text)]);
            assert_eq!(found.matches("error[").count(), 1, "{text}: {found}");
        }
    }

    #[test]
    fn headings_say_that_it_is_a_test_and_typed_lines_are_seen() {
        let text = "```bash\npg_dump shop > a.sql\n```\n## Testing\n```bash\npsql shop < backup.sql\n```\n## Recovery\n```bash\npsql shop < backup.sql\npg_restore -c -d shop a.dump\n```\n";
        let found = check(&RULE, &[("backup.md", text)]);
        assert!(found.contains("backup.md:6:1: error["), "{found}");
        assert!(found.contains("backup.md:11:1: warning["), "{found}");
        assert_eq!(found.matches("restore-into-production").count(), 2, "{found}");
        let warned = text.replace("## Recovery\n", "## Recovery\nThis overwrites everything.\n");
        assert!(!check(&RULE, &[("backup.md", &warned)]).contains("warning["));
    }

    #[test]
    fn other_databases_and_other_intentions_are_silent() {
        for text in [
            format!("{DUMP}# Test it\npg_restore -d scratch a.dump\n"),
            format!("{DUMP}# Test it\npg_restore -d \"$TEST_DATABASE_URL\" a.dump\n"),
            format!("{DUMP}DATABASE_URL=postgres://h/x\n# Test it\npg_restore -d \"$DATABASE_URL\" a.dump\n"),
            format!("{DUMP}pg_restore -d \"$DATABASE_URL\" a.dump\n"),
            format!(
                "{DUMP}read -r -p 'sure? ' yes\n[ \"$yes\" = y ] || exit\npg_restore -c -d \"$DATABASE_URL\" a.dump\n"
            ),
            format!("{DUMP}[ \"$CONFIRM\" = yes ] || exit 1\npg_restore -c -d \"$DATABASE_URL\" a.dump\n"),
            format!("{DUMP}# test fixtures\npsql \"$DATABASE_URL\" -f seed.sql\n"),
            format!("{DUMP}# Verify\npsql \"$DATABASE_URL\" -c 'select count(*) from a'\n"),
            "pg_dump -h localhost shop > a\n# Test\npsql -h localhost shop < a\n".to_owned(),
            "docker exec live pg_dump shop > a.sql\n# Test\ndocker exec -i other psql shop < a.sql\n"
                .to_owned(),
            "ssh live 'pg_dump shop' > a.sql\n# Test\npsql shop < a.sql\n".to_owned(),
        ] {
            assert_eq!(check(&RULE, &[("b.sh", &text)]), "", "{text}");
        }
        let files = [("live/b.sh", DUMP), ("web/test.sh", "# Test\npsql \"$DATABASE_URL\" < backup.sql\n")];
        assert_eq!(check(&RULE, &files), "");
    }
}
