use crate::document::Kind;
use crate::finding::{Place, Severity};
use crate::model::{Called, DumpTool, Passage, Pipeline, Role, Set};
use crate::rule::{Findings, rule};

rule! {
    /// An incremental backup that `pg_dump` cannot make.
    ///
    /// ## What
    /// `pg_dump --incremental`; a dump that is called incremental; or a plan that
    /// promises incremental backups, transaction logs or point-in-time recovery where
    /// nothing but dumps is set up.
    ///
    /// ## Why
    /// `pg_dump` has no incremental mode: each run writes everything. A dump cannot be
    /// rolled forward either, since it is no copy of the data directory, so archived WAL
    /// is of no use with it. Between two dumps there is nothing to recover to.
    /// Not reported where pgBackRest, WAL-G, Barman, `pg_basebackup` or an
    /// `archive_command` is named, nor for what a provider does by itself.
    ///
    /// ## Bad
    /// ```markdown BACKUP.md
    /// | Type | Frequency | Storage |
    /// |---|---|---|
    /// | Full | Daily | S3 |
    /// | Incremental | Every 6 hours | S3 |
    ///
    /// ~~~bash
    /// pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// ~~~
    /// ```
    /// or
    /// ```bash backup.sh
    /// pg_dump --incremental -f shop.sql "$DATABASE_URL"
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// pgbackrest --stanza=shop --type=incr backup
    /// ```
    ///
    /// ## Sources
    /// - <https://www.postgresql.org/docs/current/app-pgdump.html>
    /// - <https://www.postgresql.org/docs/current/continuous-archiving.html>
    "dump-not-incremental" in Dump,
    severity: Error,
    fix: No,
    check: Set(check),
}

const HELP: &str = "for incremental backups and recovery to a point in time use pgBackRest, WAL-G or Barman, or `pg_basebackup --incremental` (PostgreSQL 17)";

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for pipeline in &set.pipelines {
        for (_, command, dump) in pipeline.dumps(set) {
            if !matches!(dump.tool, DumpTool::PgDump | DumpTool::PgDumpAll) {
                continue;
            }
            if let Some(option) = command.args.iter().find(|arg| arg.text.starts_with("--incremental")) {
                let message = format!(
                    "{} has no --incremental: it ends with an error and writes nothing",
                    command.name
                );
                findings.report(option.at, message).help(HELP);
                continue;
            }
            let file = dump.file.as_ref().map(|file| &file.text).or(command.output(1).map(|arg| &arg.text));
            if file.is_some_and(|file| file.contains("incremental"))
                || set.about(command).says(&["incremental"])
            {
                let message = format!(
                    "called incremental, but {} writes the whole database each time, and nothing between two runs",
                    command.name
                );
                findings.report(command.name_at, message).help(HELP);
            }
        }
        if let Some(unit) = set.units.get(pipeline.root).filter(|unit| unit.kind == Kind::Markdown) {
            plan(set, pipeline, unit.document, findings);
        }
    }
}

/// What a document promises beyond what its tools do.
fn plan(set: &Set<'_>, pipeline: &Pipeline, document: usize, findings: &mut Findings<'_>) {
    let text = set.documents.get(document).map_or_else(String::new, |it| it.text.to_ascii_lowercase());
    if archives_wal(&text) || !concerns_dumps(set, pipeline) {
        return;
    }
    // Few lines say such a thing: whether they mean it is asked of those alone.
    let own = |says: &dyn Fn(&Passage) -> bool| {
        let mut passages = set.passages.iter().filter(|it| it.at.document == document);
        passages.find(|it| says(it) && !it.is_managed() && !denies(it))
    };
    if let Some(planned) = own(&|it| it.says(&["incremental", "differential"]) && is_planned(it)) {
        let message = "nothing here makes incremental backups: each dump writes everything, and between two dumps there is nothing to recover to";
        let mut report = findings.report(planned.at, message).help(HELP);
        if let Some(place) = called(set, pipeline) {
            report = report.related(place, "this runs by the name of one");
        }
        let _ = report;
    } else if let Some(advice) = own(&|it| it.says(&["use incremental", "incremental backup"])) {
        findings
            .report(
                advice.at,
                "pg_dump has no incremental mode: this needs another tool than the rest of the document",
            )
            .severity(Severity::Note)
            .help(HELP);
    }
    let logs = &["transaction log", "wal ", "wal-", "write-ahead"];
    if let Some(planned) = own(&|it| it.says(logs) && !it.columns.is_empty()) {
        findings
            .report(
                planned.at,
                "nothing here archives the transaction log, and a dump could not be rolled forward with it",
            )
            .help(HELP);
    }
}

/// A row of a table, or a line that says how often.
fn is_planned(passage: &Passage) -> bool {
    !passage.columns.is_empty()
        || (passage.tier().is_some() && passage.item)
        || passage.says(&["every ", "hourly", "hours", "continuous"])
}

fn denies(passage: &Passage) -> bool {
    passage.says(&[
        "not ",
        "no ",
        "cannot",
        "instead of",
        "without",
        "never",
        "optional",
        "future",
        "consider",
    ])
}

fn archives_wal(text: &str) -> bool {
    const TOOLS: [&str; 12] = [
        "pgbackrest",
        "wal-g",
        "wal-e",
        "barman",
        "pg_basebackup",
        "archive_command",
        "archive_mode",
        "archive_library",
        "pg_receivewal",
        "restic",
        "pg_probackup",
        "ebs snapshot",
    ];
    TOOLS.iter().any(|tool| text.contains(tool))
}

/// Dumps, or scripts that make backups and that nobody can see.
fn concerns_dumps(set: &Set<'_>, pipeline: &Pipeline) -> bool {
    let named = |called: &Called| called.arg().text.to_ascii_lowercase().contains("backup");
    pipeline.any(set, |role| matches!(role, Role::Dump(dump) if dump.is_logical()))
        || pipeline.unseen.iter().any(named)
}

/// A script with "incremental" in its name that is run.
fn called(set: &Set<'_>, pipeline: &Pipeline) -> Option<Place> {
    pipeline.commands(set).find_map(|(_, command)| {
        let called = command.called.as_ref()?;
        called.arg().text.contains("incremental").then_some(command.name_at)
    })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    const PLAN: &str = "| Type | Frequency |\n|---|---|\n| Full | Daily |\n| Incremental | Every 6 hours |\n| Transaction Logs | Continuous |\n\n```bash\n0 */6 * * * /opt/incremental-backup.sh\n```\n";

    #[test]
    fn a_plan_beyond_its_tools_is_reported() {
        insta::assert_snapshot!(check(&RULE, &[("BACKUP.md", PLAN)]), @r"
        BACKUP.md:4:1: error[dump-not-incremental]: nothing here makes incremental backups: each dump writes everything, and between two dumps there is nothing to recover to
        help: for incremental backups and recovery to a point in time use pgBackRest, WAL-G or Barman, or `pg_basebackup --incremental` (PostgreSQL 17)
          BACKUP.md:8:13: this runs by the name of one
        BACKUP.md:5:1: error[dump-not-incremental]: nothing here archives the transaction log, and a dump could not be rolled forward with it
        help: for incremental backups and recovery to a point in time use pgBackRest, WAL-G or Barman, or `pg_basebackup --incremental` (PostgreSQL 17)
        ");
    }

    #[test]
    fn dumps_that_are_called_so_are_reported() {
        for text in [
            "pg_dump --incremental shop > a\n",
            "pg_dump shop > incremental_1.sql\n",
            "# incremental backup\npg_dump -Fc -f a.dump shop\n",
            "incremental_backup() {\n  pg_dump shop > a\n}\nincremental_backup\n",
        ] {
            let found = check(&RULE, &[("b.sh", text)]);
            assert_eq!(found.matches("error[").count(), 1, "{text}: {found}");
        }
        let advice =
            "## Backup file too large\n\n- Use incremental backups\n\n```bash\npg_dump shop > a\n```\n";
        assert!(check(&RULE, &[("a.md", advice)]).starts_with("a.md:3:3: note["));
    }

    #[test]
    fn tools_that_can_do_it_and_providers_are_silent() {
        for text in [
            format!("{PLAN}\nWAL goes to S3 by `archive_command`.\n"),
            format!("{PLAN}\n```bash\npgbackrest --stanza=a --type=incr backup\n```\n"),
            format!("## Supabase (managed)\n\n{PLAN}"),
            "- Incremental backups are not possible with pg_dump\n\n```bash\npg_dump shop > a\n```\n"
                .to_owned(),
            "| Type | Frequency |\n|---|---|\n| Incremental | Hourly |\n".to_owned(),
        ] {
            assert_eq!(check(&RULE, &[("a.md", &text)]), "", "{text}");
        }
        assert_eq!(check(&RULE, &[("b.sh", "pg_basebackup --incremental=m -D d\npg_dump shop > a\n")]), "");
    }
}
