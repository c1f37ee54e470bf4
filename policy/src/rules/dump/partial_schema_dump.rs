use crate::finding::Severity;
use crate::model::{Command, Contents, Dump, DumpTool, Set};
use crate::rule::{Findings, rule};

rule! {
    /// A "full" backup of one schema.
    ///
    /// ## What
    /// `pg_dump --schema` or `--table` under a comment, heading, step or file name that
    /// says full, entire or complete. Where nothing says so, one single `--schema` in a
    /// set-up that dumps nothing else is a note.
    ///
    /// ## Why
    /// With `-n` or `-t` everything else is left out: other schemas (on Supabase `auth`,
    /// with all users, and `storage`), extensions, publications, casts. Foreign keys
    /// into them do not come back. It is found out at the restore.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// # full backup
    /// pg_dump -Fc --schema=public -f shop.dump "$DATABASE_URL"
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// # full backup
    /// pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// ```
    ///
    /// ## Sources
    /// - <https://www.postgresql.org/docs/current/app-pgdump.html>
    "partial-schema-dump" in Dump,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for pipeline in &set.pipelines {
        let rows = |dump: &Dump| !matches!(dump.contents, Contents::RolesOnly | Contents::SchemaOnly);
        // The one dump with rows that there is.
        let alone =
            pipeline.unseen.is_empty() && pipeline.dumps(set).filter(|(_, _, dump)| rows(dump)).count() == 1;
        for (_, command, dump) in pipeline.dumps(set) {
            if dump.tool != DumpTool::PgDump
                || !matches!(dump.contents, Contents::All | Contents::DataOnly)
                || dump.schemas.iter().chain(&dump.tables).any(|said| said.text.contains('*'))
            {
                continue;
            }
            let Some(part) = dump.schemas.first().or(dump.tables.first()) else { continue };
            let names: Vec<String> =
                dump.schemas.iter().map(|said| format!("schema '{}'", said.text)).collect();
            let names = if names.is_empty() { "some tables".to_owned() } else { names.join(" and ") };
            if is_called_full(set, command, dump) {
                let message = format!(
                    "called full, but it holds {names} alone: what lies in other schemas does not come back"
                );
                findings
                    .report(part.arg.at, message)
                    .help("leave the option out, or call it by what it holds");
            } else if dump.schemas.len() == 1 && alone && !is_typed(set, command) {
                let message = format!(
                    "the backup holds {names} alone: other schemas, extensions and their data do not come back"
                );
                findings
                    .report(part.arg.at, message)
                    .severity(Severity::Note)
                    .help("leave the option out, or say in the documentation what is not covered");
            }
        }
    }
}

fn is_called_full(set: &Set<'_>, command: &Command, dump: &Dump) -> bool {
    const WORDS: [&str; 8] = [
        "full",
        "entire",
        "whole database",
        "complete backup",
        "complete dump",
        "complete database",
        "all schemas",
        "all tables",
    ];
    let file =
        dump.file.as_ref().map(|file| file.text.as_str()).or(command.output(1).map(|arg| arg.text.as_str()));
    set.about(command).says(&WORDS) || file.is_some_and(|file| file.contains("full"))
}

fn is_typed(set: &Set<'_>, command: &Command) -> bool {
    set.script_of(command).is_some_and(|script| set.is_typed(script))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    #[test]
    fn a_full_backup_of_a_part_is_reported() {
        let text = "# Full backup with all schemas\npg_dump -Fc -n public -n auth -f a.dump shop\n";
        insta::assert_snapshot!(check(&RULE, &[("b.sh", text)]), @r"
        b.sh:2:16: error[partial-schema-dump]: called full, but it holds schema 'public' and schema 'auth' alone: what lies in other schemas does not come back
        help: leave the option out, or call it by what it holds
        ");
    }

    #[test]
    fn every_form_of_it() {
        for (path, text, severity) in [
            ("full-backup.sh", "pg_dump -t users shop > a\n", "error["),
            ("b.sh", "pg_dump --schema public shop > full.sql\n", "error["),
            ("b.sh", "full_backup() {\n  pg_dump -n public shop > a\n}\nfull_backup\n", "error["),
            ("a.md", "## Full dump\n```bash\npg_dump -n public shop > a\n```\n", "error["),
            ("b.sh", "pg_dump -Fc -n public shop > a\n", "note["),
            ("b.sh", "pg_dump -n public shop > a\npg_dumpall --roles-only > r\n", "note["),
        ] {
            let found = check(&RULE, &[(path, text)]);
            assert_eq!(found.matches(severity).count(), 1, "{text}: {found}");
        }
    }

    #[test]
    fn parts_that_are_called_so_are_silent() {
        for text in [
            "# full backup\npg_dump -Fc shop > a\n",
            "pg_dump -t orders shop > orders.sql\n",
            "pg_dump -n public shop > a\npg_dump -n auth shop > b\n",
            "pg_dump -n public -n auth -n storage shop > a\n",
            "pg_dump -n 'app_*' shop > a\n",
            "# full schema\npg_dump -s -n public shop > schema.sql\n",
            "# fully automatic\npg_dump -n public shop > a\n./more-dumps.sh\n",
        ] {
            let found = check(&RULE, &[("b.sh", text)]);
            assert!(!found.contains("error[") || text.contains("fully"), "{text}: {found}");
            assert!(!found.contains("note["), "{text}: {found}");
        }
        assert_eq!(check(&RULE, &[("a.md", "```bash\npg_dump -n public shop > a\n```\n")]), "");
    }
}
