//! Whether a document can have anything to do with backups: one look at its kind and
//! its words. Only those that do are parsed and joined; in a large source tree these
//! are few, and all others are searched for secrets alone.

use std::sync::LazyLock;

use crate::document::{Document, Kind};
use crate::words::{Words, automaton, has};

/// A document that is longer is data: a dump, a log, a generated file.
const LIMIT: usize = 1 << 20;

/// Programs that take, read or keep a backup. Nobody writes these by chance.
const PROGRAMS: &[&str] = &[
    "pg_dump",
    "pg_restore",
    "pg_basebackup",
    "psql",
    "pgbackrest",
    "wal-g",
    "barman",
    "createdb",
    "dropdb",
    "drizzle-kit",
    "prisma migrate",
    "supabase db",
    "db push",
    "restic",
    "borg ",
    "rclone",
    "duplicity",
];

/// Words that concern databases and copies of them.
const WORDS: &[&str] = &[
    "backup",
    "back-up",
    "restore",
    "postgres",
    "supabase",
    "neon.tech",
    "pg_",
    "migrat",
    "dump",
    "database",
];

/// Words of a document for people, beside one of [`WORDS`]' databases.
const COPIES: &[&str] = &["backup", "back up", "back-up", "restor", "dump", "snapshot", "pitr", "migrat"];
const DATABASES: &[&str] = &["postgres", "supabase", "neon.tech", "pg_", "psql", "drizzle", "database"];

/// Whether rules that parse a document may find something in it.
pub fn concerns_backups(document: &Document) -> bool {
    let text = document.text.as_str();
    match document.kind {
        // What is always small, or always meant.
        Kind::Backstop | Kind::Lifecycle | Kind::BucketPolicy | Kind::Drizzle => true,
        _ if text.len() > LIMIT => false,
        Kind::Workflow | Kind::Action | Kind::Crontab => true,
        Kind::Shell
        | Kind::Systemd
        | Kind::Compose
        | Kind::Kubernetes
        | Kind::Sql
        | Kind::Env
        | Kind::Pgpass => has(&ANY_WORD, text),
        Kind::TypeScript => has(&ANY_PROGRAM, text),
        Kind::Markdown => has(&ANY_PROGRAM, text) || (has(&ANY_COPY, text) && has(&ANY_DATABASE, text)),
        Kind::Text => false,
    }
}

static ANY_PROGRAM: Words = LazyLock::new(|| automaton(PROGRAMS));
static ANY_WORD: Words = LazyLock::new(|| automaton(&[PROGRAMS, WORDS].concat()));
static ANY_COPY: Words = LazyLock::new(|| automaton(COPIES));
static ANY_DATABASE: Words = LazyLock::new(|| automaton(DATABASES));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_speaks_of_backups_is_parsed() {
        for (path, text, expected) in [
            ("backstop.yml", "version: 1\n", true),
            (".github/workflows/ci.yml", "on: push\njobs: {}\n", true),
            ("a.sh", "PG_DUMP=/usr/bin/pg_dump\n", true),
            ("a.sh", "ls\n", false),
            ("src/a.ts", "spawn('pg_dump')", true),
            ("src/a.ts", "const backup = restore(database)", false),
            ("README.md", "Run `pg_dump` each night.\n", true),
            ("README.md", "We take a backup of the database.\n", true),
            ("README.md", "Restore the window.\n", false),
            ("notes.txt", "pg_dump\n", false),
        ] {
            assert_eq!(concerns_backups(&Document::new(path, text)), expected, "{path}: {text}");
        }
        let dump = "insert into backups values (1);\n".repeat(LIMIT / 20);
        assert!(!concerns_backups(&Document::new("dump.sql", dump)));
    }
}
