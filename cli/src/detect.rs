//! What project a directory holds: its database's provider and its migrations.
//!
//! URLs are read from the environment and from `.env` files, looked at, and
//! dropped: no part of one but the provider leaves this file.

use std::path::Path;

use backstop_policy::provider::Provider;

/// Variables that hold a connection URL by convention; direct ones first.
const VARIABLES: [&str; 6] = [
    "DIRECT_URL",
    "DATABASE_URL_UNPOOLED",
    "POSTGRES_URL_NON_POOLING",
    "DATABASE_URL",
    "POSTGRES_URL",
    "SUPABASE_DB_URL",
];

const ENV_FILES: [&str; 5] =
    [".env", ".env.local", ".env.development", ".env.development.local", ".env.production"];

const DRIZZLE: [&str; 6] = [
    "drizzle.config.ts",
    "drizzle.config.js",
    "drizzle.config.mjs",
    "drizzle.config.mts",
    "drizzle.config.json",
    "drizzle/meta/_journal.json",
];

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Project {
    pub connection: Option<Connection>,
    /// The environment describes a Supabase project by its parts.
    pub supabase_parts: bool,
    /// The file that shows each, relative to the directory.
    pub drizzle: Option<&'static str>,
    pub prisma: Option<&'static str>,
    pub supabase: Option<&'static str>,
}

/// A variable that holds a connection URL.
#[derive(Debug, PartialEq, Eq)]
pub struct Connection {
    pub variable: String,
    /// The file that sets it; `None` is the environment itself.
    pub file: Option<&'static str>,
    pub provider: Provider,
}

pub fn detect(directory: &Path, env: &dyn Fn(&str) -> Option<String>) -> Project {
    let first = |names: &[&'static str]| names.iter().copied().find(|name| directory.join(name).exists());
    let set = |name: &str| env(name).is_some_and(|value| !value.is_empty());
    Project {
        connection: connection(directory, env),
        supabase_parts: set("SUPABASE_PROJECT_REF") && set("SUPABASE_DB_PASSWORD"),
        drizzle: first(&DRIZZLE),
        prisma: first(&["prisma/schema.prisma", "prisma/schema", "prisma/migrations"]),
        supabase: first(&["supabase/config.toml"]),
    }
}

/// The best of all connection URLs: one that a dump can use, the environment's
/// before a file's.
fn connection(directory: &Path, env: &dyn Fn(&str) -> Option<String>) -> Option<Connection> {
    let mut found = Vec::new();
    let mut look = |file, value: &dyn Fn(&str) -> Option<String>| {
        for variable in VARIABLES {
            if let Some(provider) = value(variable).as_deref().and_then(Provider::of_url) {
                found.push(Connection { variable: variable.to_owned(), file, provider });
            }
        }
    };
    look(None, env);
    for file in ENV_FILES {
        if let Ok(text) = std::fs::read_to_string(directory.join(file)) {
            look(Some(file), &|name| value_of(&text, name));
        }
    }
    let best = found.iter().position(|connection| !connection.provider.is_transaction_pooler());
    (!found.is_empty()).then(|| found.swap_remove(best.unwrap_or_default()))
}

/// The value of a variable in a `.env` file: `export` and quotes are dropped.
fn value_of(text: &str, name: &str) -> Option<String> {
    let value = text.lines().rev().find_map(|line| {
        let line = line.trim();
        let (key, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
        (key.trim() == name).then(|| value.trim())
    })?;
    let quoted = |quote| value.strip_prefix(quote).and_then(|rest| rest.split(quote).next());
    Some(quoted('"').or_else(|| quoted('\'')).unwrap_or(value).to_owned())
}

impl Project {
    /// One line for each thing that was found.
    pub fn describe(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(Connection { variable, file, provider }) = &self.connection {
            lines.push(format!(
                "{variable} in {}: {}",
                file.unwrap_or("the environment"),
                provider.describe()
            ));
        }
        if self.supabase_parts {
            lines.push("SUPABASE_PROJECT_REF and SUPABASE_DB_PASSWORD in the environment".to_owned());
        }
        let migrations = [("Drizzle", self.drizzle), ("Prisma", self.prisma), ("Supabase", self.supabase)];
        let migrations = migrations.into_iter().filter_map(|(name, file)| Some(format!("{name}: {}", file?)));
        lines.extend(migrations);
        if lines.is_empty() {
            lines.push("no connection URL and no migrations here".to_owned());
        }
        lines
    }

    /// What makes the migrations, for comments.
    pub fn migrations(&self) -> Option<&'static str> {
        let tools = [(self.drizzle, "Drizzle"), (self.prisma, "Prisma"), (self.supabase, "Supabase")];
        tools.into_iter().find(|(file, _)| file.is_some()).map(|(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_direct_connection_is_preferred_and_no_url_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let pooler = "aws-0-eu-west-1.pooler.supabase.com";
        let text = format!(
            "# db\nDATABASE_URL=\"postgres://postgres.abcdefghijklmnopqrst:s3cr3t@{pooler}:6543/postgres\"\n\
             export DIRECT_URL='postgres://postgres.abcdefghijklmnopqrst:s3cr3t@{pooler}:5432/postgres' # direct\n"
        );
        std::fs::write(folder.path().join(".env"), text).unwrap();
        let project = detect(folder.path(), &|_| None);
        assert!(!format!("{project:?}").contains("s3cr3t"));
        assert_eq!(project.describe(), ["DIRECT_URL in .env: Supabase, session pooler"]);
        // The environment comes first, but not with a connection that no dump can use.
        let env = |name: &str| {
            (name == "DATABASE_URL").then(|| "postgres://u:p@ep-x-pooler.aws.neon.tech/db".to_owned())
        };
        assert_eq!(detect(folder.path(), &env).describe(), ["DIRECT_URL in .env: Supabase, session pooler"]);
        let empty = tempfile::tempdir().unwrap();
        let only = detect(empty.path(), &env).describe();
        assert_eq!(only, ["DATABASE_URL in the environment: Neon, connection pooler"]);
    }

    #[test]
    fn the_last_line_of_an_env_file_counts() {
        let value = |text: &str| value_of(text, "A");
        assert_eq!(value("A=1\nA=2\nB=3\n").as_deref(), Some("2"));
        assert_eq!(value("A = 'x # y' # z").as_deref(), Some("x # y"));
        assert_eq!(value("#A=1\nAA=2\n"), None);
    }
}
