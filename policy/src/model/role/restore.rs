//! Commands that write a dump into a database: pg_restore, and psql where it
//! reads a file or a pipe.

use crate::model::command::Arg;
use crate::model::options::{Options, Spec};

use super::Said;
use super::target::Target;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreTool {
    PgRestore,
    Psql,
    /// `supabase db reset`, pgBackRest, WAL-G, Barman, backstop.
    Other,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Restore {
    pub tool: RestoreTool,
    /// The file; none where it comes by a redirection or a pipe.
    pub input: Option<Said>,
    pub target: Target,
    /// pg_restore: `--exit-on-error`; psql: `ON_ERROR_STOP`; both: one transaction.
    pub stops_on_error: bool,
    /// `--clean`, which drops what is there.
    pub clean: Option<Arg>,
    pub data_only: bool,
    pub disables_triggers: bool,
    /// `--table`
    pub tables: Vec<Said>,
}

/// Options of pg_restore with a value.
const PG_RESTORE: Spec = Spec::gnu(
    "dfFjLnNPStThUp",
    &[
        "dbname",
        "file",
        "format",
        "jobs",
        "use-list",
        "schema",
        "exclude-schema",
        "function",
        "superuser",
        "trigger",
        "table",
        "index",
        "host",
        "port",
        "username",
        "role",
        "section",
        "filter",
        "transaction-size",
        "restrict-key",
    ],
);

/// Options of psql with a value.
pub const PSQL: Spec = Spec::gnu(
    "cdfhLoPpRTUvF",
    &[
        "command",
        "dbname",
        "file",
        "host",
        "log-file",
        "output",
        "pset",
        "port",
        "record-separator",
        "table-attr",
        "username",
        "set",
        "variable",
        "field-separator",
    ],
);

pub(super) fn classify(name: &str, args: &[Arg]) -> Option<Restore> {
    let has = |word: &str| args.iter().any(|arg| arg.text == word);
    match name {
        "pg_restore" => Some(pg_restore(args)),
        "psql" => psql(args),
        "pgbackrest" if has("restore") => Some(other()),
        "wal-g" if has("backup-fetch") => Some(other()),
        "barman" if has("recover") => Some(other()),
        "backstop" if args.first().is_some_and(|arg| arg.text == "restore") => Some(other()),
        _ => None,
    }
}

fn pg_restore(args: &[Arg]) -> Restore {
    let options = Options::read(args, &PG_RESTORE);
    let database = options.value(&["d", "dbname"]).map(Said::from);
    let mut target = Target::read(&options);
    // The operand is the archive and never the database.
    target.database = database;
    Restore {
        tool: RestoreTool::PgRestore,
        input: options.operands().first().map(|arg| Said::from(*arg)).filter(|said| said.text != "-"),
        target,
        stops_on_error: options.has(&["e", "exit-on-error", "1", "single-transaction"]),
        clean: options.arg(&["c", "clean"]).cloned(),
        data_only: options.has(&["a", "data-only"]),
        disables_triggers: options.has(&["disable-triggers"]),
        tables: options.values(&["t", "table"]).map(Said::from).collect(),
    }
}

/// None where it runs a query (`-c`), lists, or reads nothing.
fn psql(args: &[Arg]) -> Option<Restore> {
    let options = Options::read(args, &PSQL);
    let file = options.value(&["f", "file"]).map(Said::from);
    if file.is_none() && (options.has(&["c", "command", "l", "list", "version", "V"])) {
        return None;
    }
    let stops = |value: &str| {
        let (name, value) = value.split_once('=').unwrap_or((value, ""));
        name == "ON_ERROR_STOP" && !matches!(value, "0" | "off" | "false")
    };
    Some(Restore {
        tool: RestoreTool::Psql,
        input: file.filter(|said| said.text != "-"),
        target: Target::read(&options),
        // One transaction alone goes on after an error, and then rolls all of it back.
        stops_on_error: options.values(&["v", "set", "variable"]).any(|value| stops(value.text)),
        clean: None,
        data_only: false,
        disables_triggers: false,
        tables: Vec::new(),
    })
}

fn other() -> Restore {
    Restore {
        tool: RestoreTool::Other,
        input: None,
        target: Target::default(),
        stops_on_error: true,
        clean: None,
        data_only: false,
        disables_triggers: false,
        tables: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::role::tests::role;
    use crate::model::role::{ProbeKind, Role};

    fn restore(line: &str) -> Restore {
        match role(line) {
            Role::Restore(it) => *it,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_operand_of_pg_restore_is_a_file_and_that_of_psql_a_database() {
        let it = restore("pg_restore --clean --if-exists -h h -d shop a.dump");
        assert_eq!(it.input.map(|said| said.text), Some("a.dump".to_owned()));
        assert_eq!(it.target.database.map(|said| said.text), Some("shop".to_owned()));
        assert!(it.clean.is_some() && !it.stops_on_error);
        let it = restore("psql -X -v ON_ERROR_STOP=1 shop -f a.sql");
        assert_eq!(it.target.database.map(|said| said.text), Some("shop".to_owned()));
        assert!(it.stops_on_error);
        assert!(!restore("psql -1 shop -f a.sql").stops_on_error);
        assert!(restore("pg_restore -e -d x a").stops_on_error);
    }

    #[test]
    fn a_query_restores_nothing() {
        assert!(matches!(role("psql shop -c x"), Role::Probe(check) if check.kind == ProbeKind::Query));
        assert!(
            matches!(role("pg_restore --list a.dump"), Role::Probe(check) if check.kind == ProbeKind::List)
        );
    }
}
