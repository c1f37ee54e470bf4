//! Commands that read a database: `pg_dump` and what stands beside it.

use crate::model::command::Arg;
use crate::model::options::{Options, Spec};

use super::Said;
use super::target::Target;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DumpTool {
    PgDump,
    PgDumpAll,
    PgBaseBackup,
    /// `supabase db dump`
    Supabase,
    /// pgBackRest, WAL-G, Barman: they keep WAL, verify and expire by themselves.
    Physical,
    /// backstop itself.
    Backstop,
}

/// The format of pg_dump's archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    Plain,
    Custom,
    Directory,
    Tar,
}

impl Format {
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "p" | "plain" => Some(Self::Plain),
            "c" | "custom" => Some(Self::Custom),
            "d" | "directory" => Some(Self::Directory),
            "t" | "tar" => Some(Self::Tar),
            _ => None,
        }
    }

    pub fn describe(self) -> &'static str {
        match self {
            Self::Plain => "plain SQL",
            Self::Custom => "pg_dump's custom format",
            Self::Directory => "pg_dump's directory format",
            Self::Tar => "tar",
        }
    }
}

/// What of a database is in a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    All,
    SchemaOnly,
    DataOnly,
    RolesOnly,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Dump {
    pub tool: DumpTool,
    pub format: Format,
    /// Where the format is chosen; none where it is the default.
    pub format_at: Option<Said>,
    /// `-Z`: `0` is none.
    pub compress: Option<Said>,
    /// `--file`; a redirection or a pipe is with the command.
    pub file: Option<Said>,
    pub contents: Contents,
    /// `--schema`
    pub schemas: Vec<Said>,
    /// `--table`
    pub tables: Vec<Said>,
    pub no_privileges: Option<Arg>,
    pub target: Target,
}

impl Dump {
    /// Whether its bytes are compressed already.
    pub fn is_compressed(&self) -> bool {
        let off = |said: &Said| matches!(said.text.as_str(), "0" | "none") || said.text.ends_with(":0");
        match self.format {
            Format::Custom | Format::Directory => !self.compress.as_ref().is_some_and(off),
            Format::Plain => self.compress.as_ref().is_some_and(|said| !off(said)),
            Format::Tar => false,
        }
    }

    /// Whether it copies a database's rows as SQL or an archive: a logical dump.
    pub fn is_logical(&self) -> bool {
        matches!(self.tool, DumpTool::PgDump | DumpTool::PgDumpAll | DumpTool::Supabase)
    }
}

/// Options of pg_dump and pg_dumpall with a value.
pub const PG_DUMP: Spec = Spec::gnu(
    "fFjnNtTZEdhpUSlDc",
    &[
        "file",
        "format",
        "jobs",
        "schema",
        "exclude-schema",
        "table",
        "exclude-table",
        "exclude-table-data",
        "compress",
        "encoding",
        "dbname",
        "host",
        "port",
        "username",
        "superuser",
        "role",
        "lock-wait-timeout",
        "extra-float-digits",
        "snapshot",
        "section",
        "rows-per-insert",
        "extension",
        "filter",
        "restrict-key",
        "exclude-extension",
        "sync-method",
        "database",
        "exclude-database",
        "pgdata",
    ],
);

pub(super) fn classify(name: &str, args: &[Arg]) -> Option<Dump> {
    // `pg_dump --version` asks which one it is.
    if args.iter().any(|arg| matches!(arg.text.as_str(), "--version" | "-V" | "--help" | "-?")) {
        return None;
    }
    let first = args.first().map_or("", |arg| arg.text.as_str());
    let (tool, args) = match name {
        "pg_dump" => (DumpTool::PgDump, args),
        "pg_dumpall" => (DumpTool::PgDumpAll, args),
        "pg_basebackup" => (DumpTool::PgBaseBackup, args),
        "supabase" if subcommand(args) == ["db", "dump"] => (DumpTool::Supabase, args),
        "pgbackrest" if args.iter().any(|arg| arg.text == "backup") => (DumpTool::Physical, args),
        "wal-g" if first == "backup-push" => (DumpTool::Physical, args),
        "barman" if first == "backup" => (DumpTool::Physical, args),
        "backstop" if first == "backup" => (DumpTool::Backstop, args),
        _ => return None,
    };
    Some(read(tool, args))
}

/// The words before the first option.
fn subcommand(args: &[Arg]) -> Vec<&str> {
    args.iter().map(|arg| arg.text.as_str()).take_while(|text| !text.starts_with('-')).take(2).collect()
}

fn read(tool: DumpTool, args: &[Arg]) -> Dump {
    // `-c` is --clean with pg_dump; only pg_basebackup gives it a value.
    let spec = match tool {
        DumpTool::PgBaseBackup => PG_DUMP,
        DumpTool::Supabase => {
            Spec::gnu("fsxp", &["file", "schema", "exclude", "db-url", "password", "network-id", "workdir"])
        }
        _ => Spec { short: "fFjnNtTZEdhpUSl", ..PG_DUMP },
    };
    let options = Options::read(args, &spec);
    let said = |names: &[&str]| options.value(names).map(Said::from);
    let format_at = match tool {
        DumpTool::PgDump | DumpTool::PgBaseBackup => said(&["F", "format"]),
        _ => None,
    };
    let format = format_at.as_ref().and_then(|said| Format::parse(&said.text)).unwrap_or(Format::Plain);
    let contents = match tool {
        DumpTool::Supabase if options.has(&["data-only"]) => Contents::DataOnly,
        DumpTool::Supabase if options.has(&["role-only"]) => Contents::RolesOnly,
        DumpTool::Supabase => Contents::SchemaOnly,
        DumpTool::PgDumpAll if options.has(&["g", "globals-only", "r", "roles-only", "tablespaces-only"]) => {
            Contents::RolesOnly
        }
        _ if options.has(&["s", "schema-only"]) || options.has(&["no-data"]) => Contents::SchemaOnly,
        _ if options.has(&["a", "data-only"]) || options.has(&["no-schema"]) => Contents::DataOnly,
        _ => Contents::All,
    };
    let all = |names: &[&str]| options.values(names).map(Said::from).collect();
    Dump {
        tool,
        format,
        format_at,
        compress: said(&["Z", "compress"]),
        file: said(&["f", "file", "D", "pgdata"]),
        contents,
        schemas: match tool {
            DumpTool::PgDump => all(&["n", "schema"]),
            DumpTool::Supabase => all(&["s", "schema"]),
            _ => Vec::new(),
        },
        tables: if tool == DumpTool::PgDump { all(&["t", "table"]) } else { Vec::new() },
        no_privileges: options
            .arg(&["x", "no-privileges", "no-acl"])
            .filter(|_| tool != DumpTool::Supabase)
            .cloned(),
        target: match tool {
            DumpTool::Supabase => Target { database: said(&["db-url"]), ..Target::default() },
            DumpTool::Physical | DumpTool::Backstop => Target::default(),
            _ => Target::read(&options),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::role::Role;
    use crate::model::role::tests::role;

    fn dump(line: &str) -> Dump {
        match role(line) {
            Role::Dump(dump) => *dump,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn options_of_pg_dump_are_understood() {
        let it = dump("pg_dump -h db -U app -Fc -Z0 -n public --schema=auth -x -f a.dump shop");
        assert_eq!((it.format, it.contents), (Format::Custom, Contents::All));
        assert_eq!(it.schemas.iter().map(|said| said.text.as_str()).collect::<Vec<_>>(), ["public", "auth"]);
        assert_eq!(it.file.as_ref().map(|said| said.text.as_str()), Some("a.dump"));
        assert!(it.no_privileges.is_some() && !it.is_compressed());
        assert_eq!(it.target.host.map(|said| said.text), Some("db".to_owned()));
        assert_eq!(it.target.database.map(|said| said.text), Some("shop".to_owned()));
    }

    #[test]
    fn clean_takes_no_value() {
        let it = dump("pg_dump -c -C -O shop");
        assert_eq!(it.target.database.map(|said| said.text), Some("shop".to_owned()));
    }

    #[test]
    fn supabase_dumps_only_the_schema_unless_told() {
        assert_eq!(dump("supabase db dump -f b.sql").contents, Contents::SchemaOnly);
        assert_eq!(
            dump("supabase db dump --db-url x --data-only --use-copy -f d.sql").contents,
            Contents::DataOnly
        );
        assert!(!matches!(role("supabase db push"), Role::Dump(_)));
    }

    #[test]
    fn physical_backups_are_another_thing() {
        assert!(!dump("pgbackrest --stanza=main backup").is_logical());
        assert!(!dump("wal-g backup-push /data").is_logical());
        assert!(dump("pg_dumpall --globals-only").contents == Contents::RolesOnly);
    }
}
