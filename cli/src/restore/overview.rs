//! A database that is about to be overwritten: what is in it, who uses it, what
//! hangs on it, and whether the server's disk holds it twice.

use std::path::Path;

use serde::Serialize;

use super::Error;
use crate::postgres;
use crate::postgres::session::Session;
use crate::ui::count;

/// What would be lost without a backup.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    pub database: String,
    pub tables: i64,
    /// By the server's statistics.
    pub rows_estimated: i64,
    pub bytes: u64,
    pub sessions: i64,
    /// When one of them last did something.
    pub last_activity: Option<String>,
    /// The largest tables with their estimated rows.
    pub largest: Vec<(String, i64)>,
}

impl Overview {
    pub async fn of(session: &Session) -> Result<Self, Error> {
        let failed = || postgres::Error::asking("look at what would be overwritten");
        let row = session
            .query_one(
                "SELECT current_database()::text, pg_database_size(current_database()), \
                 (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                  AND pid <> pg_backend_pid()), \
                 (SELECT to_char(max(greatest(query_start, state_change)) AT TIME ZONE 'UTC', \
                  'YYYY-MM-DD HH24:MI:SS \"UTC\"') FROM pg_stat_activity WHERE datname = current_database() \
                  AND pid <> pg_backend_pid())",
                &[],
            )
            .await
            .map_err(failed())?;
        let tables = session
            .query(
                "SELECT c.oid::regclass::text, greatest(c.reltuples::int8, s.n_live_tup, 0) FROM pg_class c \
                 JOIN pg_namespace n ON n.oid = c.relnamespace \
                 LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid \
                 WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
                 ORDER BY 2 DESC, 1",
                &[],
            )
            .await
            .map_err(failed())?;
        Ok(Self {
            database: row.get(0),
            bytes: u64::try_from(row.get::<_, i64>(1)).unwrap_or_default(),
            sessions: row.get(2),
            last_activity: row.get(3),
            tables: i64::try_from(tables.len()).unwrap_or_default(),
            rows_estimated: tables.iter().map(|row| row.get::<_, i64>(1)).sum(),
            largest: tables.iter().take(5).map(|row| (row.get(0), row.get(1))).collect(),
        })
    }

    pub fn text(&self) -> String {
        use indicatif::HumanBytes;
        let some = |number: i64, noun| count(u64::try_from(number).unwrap_or_default(), noun);
        let mut text = format!(
            "database '{}' would be overwritten: {}, about {}, {}\n",
            self.database,
            some(self.tables, "table"),
            some(self.rows_estimated, "row"),
            HumanBytes(self.bytes)
        );
        for (table, rows) in &self.largest {
            text += &format!("  {table}: about {}\n", some(*rows, "row"));
        }
        text += &match &self.last_activity {
            Some(when) => format!("  {}, last active {when}\n", some(self.sessions, "other session")),
            None => "  no other session\n".to_owned(),
        };
        text
    }
}

/// Refuse where something outside hangs on the database and would go on with the
/// old one, or be lost with it.
pub async fn nothing_attached(session: &Session, database: &str) -> Result<(), Error> {
    for (what, query) in [
        (
            "replication slots",
            "SELECT slot_name::text FROM pg_replication_slots WHERE database = current_database()",
        ),
        (
            "subscriptions",
            "SELECT subname::text FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid \
             WHERE d.datname = current_database()",
        ),
        ("prepared transactions", "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"),
    ] {
        let rows =
            session.query(query, &[]).await.map_err(postgres::Error::asking(format!("look for {what}")))?;
        let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        if !names.is_empty() {
            return Err(Error::Attached { what, database: database.to_owned(), names });
        }
    }
    Ok(())
}

/// Whether this role can put another database in this one's place.
pub async fn may_rename(session: &Session) -> Result<bool, Error> {
    let row = session
        .query_one(
            "SELECT r.rolsuper OR r.rolcreatedb AND pg_has_role(d.datdba, 'USAGE') \
             FROM pg_roles r, pg_database d WHERE r.rolname = current_user AND d.datname = current_database()",
            &[],
        )
        .await
        .map_err(postgres::Error::asking("ask what this role may do"))?;
    Ok(row.get(0))
}

/// Free bytes on the disk of the server's data, where that disk is ours to see.
pub async fn disk_free(session: &Session) -> Result<u64, String> {
    let host = session.target().host();
    let here = host.starts_with('/') || matches!(host, "localhost" | "127.0.0.1" | "::1");
    if !here {
        return Err("the server is on another machine".to_owned());
    }
    let directory: String = session
        .query_one("SELECT current_setting('data_directory')", &[])
        .await
        .map_err(|_| "this role may not see where the server keeps its data".to_owned())?
        .get(0);
    let disk = nix::sys::statvfs::statvfs(Path::new(&directory))
        .map_err(|error| format!("'{directory}' cannot be looked at from here ({error})"))?;
    let (blocks, size) = (disk.blocks_available(), disk.fragment_size());
    #[expect(clippy::unnecessary_cast, reason = "their types differ between platforms")]
    Ok((blocks as u64).saturating_mul(size as u64))
}
