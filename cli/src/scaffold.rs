//! The text of a new backstop.yml: short, commented, and accepted by
//! `backstop config check` whatever was detected.

use backstop_policy::provider::Provider;

use crate::detect::{Connection, Project};

/// What the text is made of.
pub struct Request<'a> {
    pub project: &'a Project,
    /// Name of the database, fit to be a folder.
    pub database: String,
    pub recipients: &'a [String],
    pub store: Option<&'a str>,
}

pub fn scaffold(request: &Request<'_>) -> String {
    let name = &request.database;
    let database = database(request);
    let store = store(request);
    let encryption = encryption(request.recipients);
    let migrations = request.project.migrations().map_or_else(String::new, |tool| format!("{tool} "));
    format!(
        "# What backstop backs up, where to, and how it is proved that it restores.
# Check this file with `backstop config check`; `backstop config schema` has every key.
# `${{NAME}}` is a variable of the environment. No secret belongs in this file.
version: 1

databases:
  {name}:
{database}    # Tables that must be there and not empty for a backup to be good:
    # critical_tables: [users, orders]
    # SQL file with assertions that run after a trial restore:
    # checks: db/backup-checks.sql

stores:
{store}
{encryption}
# Schedules are in UTC. `keep` is a time, a number of backups, or `forever`.
tiers:
  daily:     {{ schedule: \"17 2 * * *\", keep: 7 days }}
  weekly:    {{ schedule: \"17 1 * * 0\", keep: 4 weeks }}
  monthly:   {{ schedule: \"17 0 1 * *\", keep: 12 months }}
  # Made on request, before a {migrations}migration: the three newest, and each for 30 days.
  migration: {{ keep: 3, at_least: 30 days }}

objectives: {{ rpo: 25 hours, rto: 1 hour }}
verify:     {{ after_backup: contents, trial_restore: weekly, counts_as: restored }}
"
    )
}

fn database(request: &Request<'_>) -> String {
    let project = request.project;
    match &project.connection {
        Some(Connection { variable, provider, .. }) => {
            let mut text = format!("    # {}.\n", provider.describe());
            text.push_str(match provider {
                Provider::SupabaseTransaction { .. } => {
                    "    # Port 6543 keeps no session and is not for dumps: let the variable hold the\n    \
                     # session pooler's URL (port 5432).\n"
                }
                Provider::SupabaseDirect { .. } => {
                    "    # Reached over IPv6 only; where there is none (GitHub's runners), let the\n    \
                     # variable hold the session pooler's URL (port 5432).\n"
                }
                Provider::Neon { pooled: true } => {
                    "    # The pooler is not for dumps: let the variable hold the direct URL, whose\n    \
                     # host has no `-pooler`.\n"
                }
                _ => "",
            });
            text + &format!("    url: ${{{variable}}}\n")
        }
        None if project.supabase_parts || project.supabase.is_some() => {
            "    supabase: { project_ref: \"${SUPABASE_PROJECT_REF}\", password: \"${SUPABASE_DB_PASSWORD}\" }\n"
                .to_owned()
        }
        None => "    url: ${DATABASE_URL}\n".to_owned(),
    }
}

fn store(request: &Request<'_>) -> String {
    match request.store {
        Some(url) => format!("  main: {{ url: {} }}\n", quoted(url)),
        None => format!(
            "  # A folder on this machine. Backups that outlive it lie elsewhere:
  # main: {{ url: \"s3://bucket/{name}\", region: eu-west-1, sse: aws:kms }}
  local: {{ url: \"file://${{HOME}}/backups\" }}\n",
            name = request.database
        ),
    }
}

fn encryption(recipients: &[String]) -> String {
    if recipients.is_empty() {
        return "# Backups are not encrypted until a recipient is named here:
# `backstop key generate` makes a pair; its public half goes here, its private half into a safe.
# encryption:
#   recipients: [age1...]
"
        .to_owned();
    }
    let list: Vec<String> =
        recipients.iter().map(|recipient| format!("    - {}\n", quoted(recipient))).collect();
    format!(
        "# Public keys. Each can open every backup; the backup job needs no private key.\nencryption:\n  recipients:\n{}",
        list.concat()
    )
}

/// A YAML double-quoted scalar is a JSON string; `${` is kept from being a variable.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text.replace("${", "$${")).to_string()
}

/// What to do after the file was written.
pub fn next_steps(project: &Project, has_recipient: bool) -> Vec<String> {
    let mut steps = Vec::new();
    match &project.connection {
        Some(Connection { variable, file: Some(file), .. }) => {
            steps.push(format!("put {variable} into the environment (it is in {file}, which is not read)"));
        }
        None if !project.supabase_parts => {
            let variables = if project.supabase.is_some() {
                "SUPABASE_PROJECT_REF and SUPABASE_DB_PASSWORD"
            } else {
                "DATABASE_URL"
            };
            steps.push(format!("put {variables} into the environment"));
        }
        _ => {}
    }
    if !has_recipient {
        steps.push("backstop key generate   # then name the recipient under `encryption:`".to_owned());
    }
    steps.push("backstop doctor         # connection, privileges, tools and stores".to_owned());
    steps.push("backstop backup         # the first backup".to_owned());
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::detect;
    use backstop_policy::config;
    use backstop_policy::finding::render;

    const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

    /// The text for a folder with these files and an environment with this URL.
    fn written(
        files: &[(&str, &str)],
        url: Option<&str>,
        recipients: &[String],
        store: Option<&str>,
    ) -> String {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let env = |name: &str| url.filter(|_| name == "DATABASE_URL").map(str::to_owned);
        let project = detect(folder.path(), &env);
        let text = scaffold(&Request { project: &project, database: "shop".to_owned(), recipients, store });
        let parsed = config::parse("backstop.yml", &text);
        assert!(parsed.findings.is_empty(), "{}\n{text}", render(&parsed.findings, &text));
        assert!(!text.contains("s3cr3t"), "{text}");
        text
    }

    #[test]
    fn what_is_written_for_every_detection_passes_the_check() {
        let recipients = [RECIPIENT.to_owned(), "keys/ops team.asc".to_owned()];
        let layouts: [&[(&str, &str)]; 6] = [
            &[],
            &[("drizzle.config.ts", "")],
            &[("drizzle/meta/_journal.json", "{}")],
            &[("prisma/schema.prisma", ""), ("prisma/migrations/1/migration.sql", "")],
            &[("supabase/config.toml", "")],
            &[(".env.local", "DATABASE_URL='postgres://u:s3cr3t@h/d'")],
        ];
        let project = "abcdefghijklmnopqrst";
        let urls = [
            None,
            Some(format!("postgres://postgres:s3cr3t@db.{project}.supabase.co:5432/postgres")),
            Some(format!(
                "postgres://postgres.{project}:s3cr3t@aws-0-eu-west-1.pooler.supabase.com:5432/postgres"
            )),
            Some(format!(
                "postgres://postgres.{project}:s3cr3t@aws-0-eu-west-1.pooler.supabase.com:6543/postgres"
            )),
            Some("postgres://u:s3cr3t@ep-x-pooler.eu-central-1.aws.neon.tech/db".to_owned()),
            Some("postgres://u:s3cr3t@x.y.eu-west-1.rds.amazonaws.com/db".to_owned()),
            Some("postgres://u:s3cr3t#/@localhost/db".to_owned()),
        ];
        for files in layouts {
            for url in &urls {
                for keys in [&[][..], &recipients[..1], &recipients[1..]] {
                    for store in [None, Some("s3://bucket/a b"), Some("file:///b/\"${x}")] {
                        let text = written(files, url.as_deref(), keys, store);
                        assert!(text.contains("  shop:\n"), "{text}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_file_for_drizzle_and_neon() {
        let url = Some("postgres://u:s3cr3t@ep-x-pooler.eu-central-1.aws.neon.tech/db");
        let text = written(&[("drizzle.config.ts", "")], url, &[RECIPIENT.to_owned()], None);
        insta::assert_snapshot!(text, @r#"
        # What backstop backs up, where to, and how it is proved that it restores.
        # Check this file with `backstop config check`; `backstop config schema` has every key.
        # `${NAME}` is a variable of the environment. No secret belongs in this file.
        version: 1

        databases:
          shop:
            # Neon, connection pooler.
            # The pooler is not for dumps: let the variable hold the direct URL, whose
            # host has no `-pooler`.
            url: ${DATABASE_URL}
            # Tables that must be there and not empty for a backup to be good:
            # critical_tables: [users, orders]
            # SQL file with assertions that run after a trial restore:
            # checks: db/backup-checks.sql

        stores:
          # A folder on this machine. Backups that outlive it lie elsewhere:
          # main: { url: "s3://bucket/shop", region: eu-west-1, sse: aws:kms }
          local: { url: "file://${HOME}/backups" }

        # Public keys. Each can open every backup; the backup job needs no private key.
        encryption:
          recipients:
            - "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"

        # Schedules are in UTC. `keep` is a time, a number of backups, or `forever`.
        tiers:
          daily:     { schedule: "17 2 * * *", keep: 7 days }
          weekly:    { schedule: "17 1 * * 0", keep: 4 weeks }
          monthly:   { schedule: "17 0 1 * *", keep: 12 months }
          # Made on request, before a Drizzle migration: the three newest, and each for 30 days.
          migration: { keep: 3, at_least: 30 days }

        objectives: { rpo: 25 hours, rto: 1 hour }
        verify:     { after_backup: contents, trial_restore: weekly, counts_as: restored }
        "#);
    }

    #[test]
    fn the_next_steps() {
        let empty = tempfile::tempdir().unwrap();
        insta::assert_snapshot!(next_steps(&detect(empty.path(), &|_| None), false).join("\n"), @r"
        put DATABASE_URL into the environment
        backstop key generate   # then name the recipient under `encryption:`
        backstop doctor         # connection, privileges, tools and stores
        backstop backup         # the first backup
        ");
    }
}
