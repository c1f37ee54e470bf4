use std::collections::HashSet;

use crate::document::Kind;
use crate::facts::SUPABASE_DELETES_BACKUPS;
use crate::finding::{Severity, Span};
use crate::model::{Command, Passage, Role, Set};
use crate::provider::{Provider, is_project_ref};
use crate::rule::{Findings, rule};

rule! {
    /// The backup is lost together with what it is a backup of.
    ///
    /// ## What
    /// A dump of a Supabase database that is uploaded to Supabase Storage; a RAID, or a
    /// disk of the same machine, in the place of a second copy; a support ticket as the
    /// plan for the loss of a whole project.
    ///
    /// ## Why
    /// One deleted project, one unpaid bill or one stolen login takes both. A RAID
    /// mirrors a `DROP TABLE` as fast as any write.
    ///
    /// ## Bad
    /// ```typescript upload.ts
    /// const { error } = await supabase.storage.from('backups').upload(`daily/${name}.sql.gz`, file)
    /// if (error) throw error
    /// ```
    /// or
    /// ```markdown backups.md
    /// ## Backup storage
    ///
    /// - Use RAID for redundancy
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// supabase db dump -f shop.sql
    /// rclone copy shop.sql other-provider:shop-backups/daily
    /// ```
    ///
    /// ## Sources
    /// - <https://supabase.com/docs/guides/platform/backups>
    /// - <https://www.cisa.gov/sites/default/files/publications/data_backup_options.pdf>
    "same-failure-domain" in Storage,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    let deleted = format!("a deleted project takes both (Supabase, {})", SUPABASE_DELETES_BACKUPS.as_of);
    for pipeline in &set.pipelines {
        let source = pipeline.dumps(set).find_map(|(_, command, dump)| {
            let supabase = dump.tool == crate::model::DumpTool::Supabase
                || matches!(
                    dump.target.provider(),
                    Some(
                        Provider::SupabaseDirect { .. }
                            | Provider::SupabaseSession { .. }
                            | Provider::SupabaseTransaction { .. }
                    )
                )
                || command.args.iter().any(|arg| arg.text.to_ascii_uppercase().contains("SUPABASE"));
            supabase
                .then(|| dump.target.provider().map_or(Project::Unknown, |provider| Project::of(&provider)))
        });
        let Some(source) = source else { continue };
        for (_, command) in pipeline.commands(set) {
            let Some(project) = supabase_storage(command) else { continue };
            // Another project is another one to delete.
            if source != project && source != Project::Unknown && project != Project::Unknown {
                continue;
            }
            findings
                .report(
                    command.name_at,
                    format!("the dump goes into the project that it is a dump of: {deleted}"),
                )
                .help("upload it to another provider");
        }
    }
    for unit in set.units.iter().filter(|unit| unit.kind == Kind::TypeScript) {
        for span in client_uploads(unit.text()) {
            findings
                .report(
                    unit.place(span),
                    format!("backups lie in Supabase Storage, beside their database: {deleted}"),
                )
                .help("upload them to another provider");
        }
    }
    let about: HashSet<usize> = set
        .passages
        .iter()
        .filter(|passage| passage.text.to_ascii_lowercase().contains("supabase"))
        .map(|passage| passage.at.document)
        .collect();
    for passage in &set.passages {
        in_words(passage, about.contains(&passage.at.document), findings);
    }
}

/// Which project of Supabase.
#[derive(Debug, PartialEq, Eq)]
enum Project {
    Named(String),
    /// A variable says it, or the linked project of the client.
    Unknown,
}

impl Project {
    fn of(provider: &Provider) -> Self {
        let named = match provider {
            Provider::SupabaseDirect { project_ref } => Some(project_ref.clone()),
            Provider::SupabaseSession { project_ref } | Provider::SupabaseTransaction { project_ref } => {
                project_ref.clone()
            }
            _ => None,
        };
        named.map_or(Self::Unknown, Self::Named)
    }
}

/// Whether a command uploads to Supabase Storage, and the project where it is known.
fn supabase_storage(command: &Command) -> Option<Project> {
    if command.name == "supabase" && command.has("storage") && (command.has("cp") || command.has("mv")) {
        return Some(Project::Unknown);
    }
    if !matches!(command.role, Role::Upload(_)) {
        return None;
    }
    command.args.iter().find_map(|arg| {
        let lower = arg.text.to_ascii_lowercase();
        let storage = lower.contains("/storage/v1") && lower.contains("supabase");
        storage.then(|| {
            let host = lower.split("://").nth(1).unwrap_or(&lower);
            let label = host.split('.').next().filter(|label| is_project_ref(label));
            label.map_or(Project::Unknown, |label| Project::Named(label.to_owned()))
        })
    })
}

/// `supabase.storage.from('backups').upload(`.
fn client_uploads(text: &str) -> Vec<Span> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("supabase") {
        let statement: String = text.get(at..).unwrap_or_default().chars().take(200).collect();
        let statement = statement.split(';').next().unwrap_or_default();
        let storage = statement.find(".storage").filter(|storage| {
            // The same client: nothing but a name between.
            statement.get(8..*storage).is_some_and(|name| {
                name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c.is_whitespace())
            })
        });
        let Some(storage) = storage else { continue };
        let of_backups = ["backup", "dump"].iter().any(|word| statement.contains(word));
        if statement.contains(".upload(") && of_backups {
            found.push(Span::new(at, at + storage + ".storage".len()));
        }
    }
    found
}

/// `supabase`: whether the document is about it.
fn in_words(passage: &Passage, supabase: bool, findings: &mut Findings<'_>) {
    let about = passage.concerns(&["backup", "dump", "disaster", "recovery"]);
    let raid =
        passage.text.split(|c: char| !c.is_ascii_alphabetic()).any(|word| word.eq_ignore_ascii_case("raid"));
    if about && passage.item && raid {
        findings
            .report(
                passage.at,
                "a RAID is no copy: it mirrors a DROP TABLE at once, and burns with its server",
            )
            .severity(Severity::Warning)
            .help("keep a second copy with another provider");
    } else if about && passage.item && passage.says(&["supabase storage"]) {
        findings
            .report(
                passage.at,
                format!(
                    "these copies lie beside the database: a deleted project takes both (Supabase, {})",
                    SUPABASE_DELETES_BACKUPS.as_of
                ),
            )
            .severity(Severity::Warning)
            .help("keep them with another provider");
    } else if passage.says(&["support"])
        && supabase
        && passage.says(&["contact", "ticket"])
        && passage.context.iter().any(|heading| {
            let lower = heading.to_ascii_lowercase();
            lower.contains("loss") || lower.contains("deleted")
        })
    {
        findings
            .report(
                passage.at,
                format!(
                    "support cannot bring back what is gone: with a project its backups are deleted (Supabase, {})",
                    SUPABASE_DELETES_BACKUPS.as_of
                ),
            )
            .severity(Severity::Warning)
            .help("begin with your own copy at another provider, and rehearse it");
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    #[test]
    fn a_dump_in_its_own_project_is_reported_with_the_month() {
        let text =
            "supabase db dump -f a.sql\ncurl -f -T a.sql \"$SUPABASE_URL/storage/v1/object/backups/a.sql\"\n";
        insta::assert_snapshot!(check(&RULE, &[("b.sh", text)]), @r"
        b.sh:2:1: error[same-failure-domain]: the dump goes into the project that it is a dump of: a deleted project takes both (Supabase, 2026-11)
        help: upload it to another provider
        ");
    }

    #[test]
    fn other_places_are_other_failures() {
        let url = |project: &str| {
            format!("pg_dump \"postgresql://u@db.{project}.supabase.co/postgres\" -f a.sql\n")
        };
        let upload = |project: &str| {
            format!("aws s3 cp a.sql s3://b/ --endpoint-url https://{project}.supabase.co/storage/v1/s3\n")
        };
        let (one, two) = ("abcdefghijklmnopqrst", "zyxwvutsrqponmlkjihg");
        assert!(check(&RULE, &[("b.sh", &format!("{}{}", url(one), upload(one)))]).contains("error["));
        assert_eq!(check(&RULE, &[("b.sh", &format!("{}{}", url(one), upload(two)))]), "");
        assert_eq!(check(&RULE, &[("b.sh", "supabase db dump -f a.sql\naws s3 cp a.sql s3://b/\n")]), "");
        let image = "await supabase.storage.from('avatars').upload('a.png', file)\n";
        assert_eq!(check(&RULE, &[("a.ts", image)]), "");
    }

    #[test]
    fn plans_in_words_are_warnings() {
        let found = |text: &str| check(&RULE, &[("b.md", &format!("# Backups of Supabase\n\n{text}\n"))]);
        for text in [
            "- Use RAID for redundancy",
            "- **Supabase Storage**: schema backups",
            "### Scenario 3: Complete database loss\n\n1. **Contact Supabase Support**",
        ] {
            assert!(found(text).contains("warning[same-failure-domain]"), "{text}");
        }
        for text in [
            "- We raided the fridge",
            "- Contact support@example.test",
            "### Scenario 3: Complete database loss\n\n1. Restore the dump",
            "- Cloudflare R2: all backups",
        ] {
            assert_eq!(found(text), "", "{text}");
        }
    }
}
