//! Whether two databases are equal, asked without any of our own code: every
//! row by SQL, every definition by stock pg_dump, a restore by stock pg_restore.

use std::io::Write;
use std::process::{Command, Stdio};

use super::cluster::Server;
use super::tools;

/// Every table that holds rows of its own, with the size and an order-free
/// digest of its rows; a partitioned table as a whole, since a restore may put
/// a row into another of its partitions.
const TABLES: &str = "
    SELECT format('SELECT %L, count(*), md5(string_agg(\"the row\"::text, chr(10) ORDER BY \"the row\"::text COLLATE \"C\")) \
           FROM %s %s AS \"the row\"', c.oid::regclass, CASE WHEN c.relkind = 'r' THEN 'ONLY' END, c.oid::regclass)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm') AND c.relispopulated AND NOT c.relispartition
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1";
const SEQUENCES: &str = "
    SELECT format('SELECT %L, last_value, is_called FROM %s', c.oid::regclass, c.oid::regclass)
    FROM pg_class c WHERE c.relkind = 'S' ORDER BY 1";
const LARGE_OBJECTS: &str = "
    SELECT oid, lomowner::regrole, lomacl, md5(lo_get(oid)), obj_description(oid, 'pg_largeobject')
    FROM pg_largeobject_metadata ORDER BY oid";

/// The rows of a database, in words that are the same for an equal one.
pub async fn rows(server: &Server, database: &str) -> String {
    let mut rows = Vec::new();
    for questions in [TABLES, SEQUENCES] {
        let questions = server.sql(database, &format!("SET search_path = ''; {questions}")).await;
        // One question a row; a name may hold a newline.
        for question in questions.split("\nSELECT ").filter(|question| !question.is_empty()) {
            let question = question.strip_prefix("SELECT ").unwrap_or(question);
            rows.push(server.sql(database, &format!("SELECT {question}")).await);
        }
    }
    rows.push(server.sql(database, LARGE_OBJECTS).await);
    rows.join("\n")
}

/// The definitions of a database: `pg_dump --schema-only` without its comments.
pub fn definitions(server: &Server, major: u32, database: &str) -> String {
    let mut command = client(server, major, "pg_dump", database);
    let text = output(command.args(["--schema-only"]), b"");
    let text = String::from_utf8(text).unwrap();
    let kept = |line: &&str| {
        !(line.is_empty()
            || line.starts_with("--")
            || line.starts_with("\\restrict ")
            || line.starts_with("\\unrestrict "))
    };
    text.lines().filter(kept).collect::<Vec<_>>().join("\n")
}

/// Both databases are the same to the last row and definition.
#[track_caller]
pub fn same(what: &str, expected: &str, found: &str) {
    if expected != found {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
        let (expected, found) = (lines(expected), lines(found));
        let missing: Vec<_> = expected.difference(&found).collect();
        let added: Vec<_> = found.difference(&expected).collect();
        panic!("{what} is not equal: {missing:#?} became {added:#?}");
    }
}

/// Restore an archive as a user without backstop would, into a new database.
pub async fn restore_by_stock_tools(server: &Server, major: u32, database: &str, archive: &[u8]) {
    server.sql("postgres", &format!("CREATE DATABASE \"{database}\" TEMPLATE template0")).await;
    let script = output(client(server, major, "pg_restore", database).arg("--file=-"), archive);
    // A pg_restore of 17 or newer sets it whether the server knows it or not.
    let unknown = b"SET transaction_timeout = 0;\n";
    let at = script.windows(unknown.len()).position(|window| window == unknown);
    let script = match at {
        Some(at) if major < 17 => [&script[..at], &script[at + unknown.len()..]].concat(),
        _ => script,
    };
    output(
        client(server, major, "psql", database).args([
            "-X",
            "-q",
            "-o",
            "/dev/null",
            "-v",
            "ON_ERROR_STOP=1",
        ]),
        &script,
    );
}

/// A client program of the server's major, or of the nearest newer one that is
/// installed, on its way to a database.
pub fn client(server: &Server, major: u32, program: &str, database: &str) -> Command {
    let mut command = Command::new(tools::client(major).join(program));
    command.env_clear().env("PGDATABASE", database);
    if program == "pg_restore" {
        // It is to write a script, not to connect.
        command.env_remove("PGDATABASE");
    }
    command.envs(server.environment());
    command
}

/// Run a program with bytes on its standard input; its standard output.
#[track_caller]
pub fn output(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        // A program that stops early says why on its standard error.
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output().unwrap()
    });
    assert!(
        output.status.success(),
        "{command:?} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}
