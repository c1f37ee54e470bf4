use crate::model::{Contents, Dump, DumpTool, Pipeline, Set};
use crate::rule::{Findings, rule};

rule! {
    /// A backup that holds no rows.
    ///
    /// ## What
    /// `supabase db dump` without a second dump with `--data-only`, or
    /// `pg_dump --schema-only` as the only dump there is.
    ///
    /// ## Why
    /// `supabase db dump` writes the schema alone unless it is told `--data-only`
    /// (or `--role-only`). The file looks right, restores without an error, and every
    /// table is empty.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// supabase db dump --db-url "$DATABASE_URL" -f backup.sql
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// supabase db dump --db-url "$DATABASE_URL" -f roles.sql --role-only
    /// supabase db dump --db-url "$DATABASE_URL" -f schema.sql
    /// supabase db dump --db-url "$DATABASE_URL" -f data.sql --data-only --use-copy
    /// ```
    ///
    /// ## Sources
    /// - <https://supabase.com/docs/guides/platform/migrating-within-supabase/backup-restore>
    /// - <https://www.postgresql.org/docs/current/app-pgdump.html>
    "schema-only-dump" in Dump,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for pipeline in &set.pipelines {
        let dumps: Vec<_> = pipeline.dumps(set).collect();
        let schema_of = |tool: DumpTool| {
            dumps.iter().find(move |(_, _, dump)| dump.tool == tool && dump.contents == Contents::SchemaOnly)
        };
        if let Some((_, command, dump)) = schema_of(DumpTool::Supabase)
            && !dumps.iter().any(|(_, other, it)| {
                // In a document another block may back up another way.
                has_rows(it) && (it.tool == DumpTool::Supabase || other.script == command.script)
            })
            && !is_for_reading(set, pipeline, dump, command)
            && !hides_rows(pipeline)
        {
            let message = format!(
                "`supabase db dump` writes the schema alone: {} will restore to empty tables",
                file_of(dump)
            );
            findings
                .report(command.name_at, message)
                .help("add a dump with `--data-only --use-copy`, and one with `--role-only`");
        }
        if let Some((_, command, dump)) = schema_of(DumpTool::PgDump)
            && !dumps.iter().any(|(_, _, it)| has_rows(it))
            && !is_for_reading(set, pipeline, dump, command)
            && !hides_rows(pipeline)
        {
            findings
                .report(command.name_at, "only the schema is dumped: a restore brings back empty tables")
                .help("leave out `--schema-only`, or add a dump with `--data-only`");
        }
    }
}

fn has_rows(dump: &Dump) -> bool {
    matches!(dump.contents, Contents::All | Contents::DataOnly)
}

/// A schema that is written down for people and tools: it is called so, and nothing
/// speaks of a backup.
fn is_for_reading(set: &Set<'_>, pipeline: &Pipeline, dump: &Dump, command: &crate::model::Command) -> bool {
    const NAMES: [&str; 5] = ["schema", "structure", "ddl", "types", "baseline"];
    let file = dump.file.as_ref().map(|file| file.text.as_str());
    let file = file.or(command.output(1).map(|file| file.text.as_str()));
    let called = file.is_none_or(|file| NAMES.iter().any(|name| file.contains(name)));
    let root = set.units.get(pipeline.root).and_then(|unit| unit.path.as_deref()).unwrap_or_default();
    called && !set.about(command).says(&["backup", "back", "disaster"]) && !root.contains("backup")
}

/// Whether code that cannot be seen dumps the rows, by its name.
fn hides_rows(pipeline: &Pipeline) -> bool {
    pipeline.unseen.iter().any(|called| {
        let name = called.arg().text.to_ascii_lowercase();
        ["data", "dump", "backup"].iter().any(|word| name.contains(word))
    })
}

fn file_of(dump: &Dump) -> &str {
    dump.file.as_ref().filter(|file| file.arg.is_known()).map_or("what it writes", |file| &file.text)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    #[test]
    fn the_cli_of_supabase_dumps_no_rows() {
        insta::assert_snapshot!(check(&RULE, &[("b.sh", "set -e\nnpx supabase db dump --linked -f backup.sql\n")]), @r"
        b.sh:2:5: error[schema-only-dump]: `supabase db dump` writes the schema alone: backup.sql will restore to empty tables
        help: add a dump with `--data-only --use-copy`, and one with `--role-only`
        ");
    }

    #[test]
    fn a_backup_without_rows_is_reported_whatever_made_it() {
        for text in [
            "supabase db dump > b.sql\n",
            "supabase db dump -f schema.sql\nsupabase db dump --role-only -f roles.sql\n",
            "pg_dump -s shop > a.sql\n",
            "pg_dump --schema-only -Fc -f a.dump shop\npg_dumpall --roles-only > r.sql\n",
            "pg_dump --no-data shop > backup.sql\n",
        ] {
            let found = check(&RULE, &[("backup.sh", text)]);
            assert_eq!(found.matches("error[").count(), 1, "{text}: {found}");
        }
    }

    #[test]
    fn a_document_may_show_another_way_too() {
        let text =
            "```bash\npg_dump -Fc -f a.dump shop\n```\n\n```bash\nsupabase db dump -f backup.sql\n```\n";
        assert!(check(&RULE, &[("backup.md", text)]).starts_with("backup.md:6:1: error["));
        let text = "```bash\nsupabase db dump -f schema.sql\n```\n\n```bash\nsupabase db dump --data-only -f data.sql\n```\n";
        assert_eq!(check(&RULE, &[("backup.md", text)]), "");
    }

    #[test]
    fn a_schema_beside_its_rows_or_for_reading_is_fine() {
        for text in [
            "supabase db dump -f s.sql\nsupabase db dump --data-only -f d.sql\n",
            "supabase db dump -f s.sql\npg_dump -a -f d.sql shop\n",
            "pg_dump -s -f schema.sql shop\npg_dump -Fc -f a.dump shop\n",
            "pg_dump -s shop > db/structure.sql\n",
            "supabase db dump --local -f schema.sql\ngit diff --exit-code schema.sql\n",
            "supabase db dump -f s.sql\n./dump-data.sh\n",
            "supabase db push\n",
        ] {
            assert_eq!(check(&RULE, &[("db.sh", text)]), "", "{text}");
        }
    }
}
