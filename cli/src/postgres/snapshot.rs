//! One REPEATABLE READ, READ ONLY transaction whose snapshot is exported, so
//! that `pg_dump` and our own questions see the very same rows.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use backstop_policy::identifier::literal;
use backstop_policy::manifest::{Fingerprint, Source};
use tokio_postgres::{Client, Row};

use super::lane::{Lane, Lanes};
use super::locale::Locale;
use super::privileges::Privileges;
use super::session::{READS_ITSELF, Session};
use super::target::Target;
use super::{Error, fingerprint};

/// Tables counted in one statement: few round trips, and few locks at a time.
const BATCH: usize = 50;

/// An open snapshot. It ends with its connection.
pub struct Snapshot {
    session: Session,
    id: Option<String>,
    not_shared: Option<String>,
}

/// How to open connections that see what a snapshot sees.
#[derive(Clone)]
pub struct Shared {
    lanes: Lanes,
    setup: String,
}

impl Shared {
    pub async fn open(&self) -> Result<Lane, Error> {
        self.lanes.open(&self.setup).await
    }
}

/// A table whose rows are in the archive, by the archive's own words.
#[derive(Debug, Clone)]
pub struct Table {
    pub oid: u32,
    pub schema: String,
    pub name: String,
}

impl Snapshot {
    pub async fn open(target: &Target) -> Result<Self, Error> {
        Self::begin(Session::connect(target).await?).await
    }

    pub async fn begin(session: Session) -> Result<Self, Error> {
        begin(&session).await?;
        // Poolers in transaction mode and some providers refuse: then the dump
        // takes a snapshot of its own and the manifest says "unproven".
        let (id, not_shared) = match session.query_one("SELECT pg_export_snapshot()", &[]).await {
            Ok(row) => (Some(row.get(0)), None),
            Err(error) => {
                let reason =
                    error.as_db_error().map_or_else(|| error.to_string(), |db| db.message().to_owned());
                session.batch_execute("ROLLBACK").await.map_err(Error::asking("roll back"))?;
                begin(&session).await?;
                (None, Some(reason))
            }
        };
        Ok(Self { session, id, not_shared })
    }

    /// The name to give to `pg_dump --snapshot`.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// What further connections need to see the very same rows.
    pub fn shared(&self) -> Option<Shared> {
        let id = self.id.as_deref()?;
        let settings = settings(&self.session);
        // The snapshot has to come before any other query.
        let setup = format!("{settings} {BEGIN}; SET TRANSACTION SNAPSHOT {}; {READS_ITSELF}", literal(id));
        Some(Shared { lanes: self.session.lanes(), setup })
    }

    /// Why the snapshot could not be exported.
    pub fn not_shared(&self) -> Option<&str> {
        self.not_shared.as_deref()
    }

    /// The very server that answered: where several hosts are named, a second
    /// connection must not end up on another one.
    pub fn target(&self) -> &Target {
        self.session.target()
    }

    pub async fn privileges(&self) -> Result<Privileges, Error> {
        Privileges::of(&self.session).await
    }

    pub fn server_major(&self) -> u32 {
        self.session.server_version_num() / 10_000
    }

    pub fn is_standby(&self) -> bool {
        self.session.is_standby()
    }

    /// Whether a condition on `ctid` reads a range of pages and not all of them.
    pub fn reads_ranges(&self) -> bool {
        self.server_major() >= 14
    }

    pub async fn source(&self) -> Result<Source, Error> {
        source(&self.session).await
    }

    pub async fn fingerprint(&self) -> Result<Fingerprint, Error> {
        fingerprint::read(&self.session, self.server_major()).await
    }

    /// Every table whose rows a whole dump holds: the ordinary ones, but of an
    /// extension's only those that it marked as configuration.
    pub async fn tables(&self) -> Result<Vec<Table>, Error> {
        let rows = self
            .session
            .query(
                "SELECT c.oid, convert_to(n.nspname, e.name), convert_to(c.relname, e.name) \
                 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, \
                 (SELECT CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END) AS e(name) \
                 WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
                 AND (NOT EXISTS (SELECT FROM pg_depend d WHERE d.deptype = 'e' \
                   AND d.classid = 'pg_class'::regclass AND d.objid = c.oid) \
                   OR EXISTS (SELECT FROM pg_extension x WHERE c.oid = ANY (x.extconfig)))",
                &[],
            )
            .await
            .map_err(Error::asking("list the tables"))?;
        let table = |row: &Row| Table { oid: row.get(0), schema: shown(row.get(1)), name: shown(row.get(2)) };
        Ok(rows.iter().map(table).collect())
    }

    pub fn client(&self) -> &Client {
        &self.session
    }

    pub async fn large_objects(&self) -> Result<u64, Error> {
        let row = self
            .session
            .query_one("SELECT count(*) FROM pg_largeobject_metadata", &[])
            .await
            .map_err(Error::asking("count the large objects"))?;
        Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or_default())
    }

    /// Rows of tables by qualified name; one that does not exist is left out. A
    /// partitioned table counts all its partitions, any other only itself.
    pub async fn rows_of(&self, names: Vec<String>) -> Result<BTreeMap<String, u64>, Error> {
        let failed = |error| Error::asking("count the restored rows")(error);
        // Partition by partition, because one of them may be a foreign table: its
        // rows lie on another server. And of an extension's table, what it marked.
        let tables = self
            .session
            .query(
                &format!(
                    "SELECT n, t.oid::regclass::text, {CONDITION} \
                     FROM unnest($1::text[]) AS n JOIN pg_class c ON c.oid = to_regclass(n), \
                     LATERAL (SELECT c.oid WHERE c.relkind <> 'p' UNION ALL \
                       SELECT p.relid FROM pg_partition_tree(c.oid) p JOIN pg_class l ON l.oid = p.relid \
                       WHERE c.relkind = 'p' AND l.relkind = 'r') AS t(oid)"
                ),
                &[&names],
            )
            .await
            .map_err(failed)?;
        // A partitioned table without any partition has no rows, and is there.
        let mut rows: BTreeMap<String, u64> = self
            .session
            .query("SELECT n FROM unnest($1::text[]) AS n WHERE to_regclass(n) IS NOT NULL", &[&names])
            .await
            .map_err(failed)?
            .iter()
            .map(|row| (row.get(0), 0))
            .collect();
        for batch in tables.chunks(BATCH) {
            let counts = batch
                .iter()
                .enumerate()
                .map(|(n, table)| {
                    let (name, condition): (&str, &str) = (table.get(1), table.get(2));
                    format!("SELECT {n}, count(*) FROM ONLY {name} {condition}")
                })
                .collect::<Vec<_>>()
                .join(" UNION ALL ");
            for row in self.unlocked("count the restored rows", &counts).await? {
                let index = usize::try_from(row.get::<_, i32>(0)).unwrap_or_default();
                *rows.entry(batch[index].get(0)).or_default() +=
                    u64::try_from(row.get::<_, i64>(1)).unwrap_or_default();
            }
        }
        Ok(rows)
    }

    /// Where sequences stand (last value, and whether it was given out), by
    /// qualified name; one that does not exist is left out.
    pub async fn positions_of(&self, names: &[String]) -> Result<BTreeMap<String, (i64, bool)>, Error> {
        let failed = |error| Error::asking("read the sequences")(error);
        let mut positions = BTreeMap::new();
        for batch in names.chunks(BATCH) {
            let there: Vec<String> = self
                .session
                .query("SELECT n FROM unnest($1::text[]) AS n WHERE to_regclass(n) IS NOT NULL", &[&batch])
                .await
                .map_err(failed)?
                .iter()
                .map(|row| row.get(0))
                .collect();
            if there.is_empty() {
                continue;
            }
            let read = there
                .iter()
                .enumerate()
                .map(|(n, name)| format!("SELECT {n}, last_value, is_called FROM {name}"))
                .collect::<Vec<_>>()
                .join(" UNION ALL ");
            for row in self.unlocked("read the sequences", &read).await? {
                let index = usize::try_from(row.get::<_, i32>(0)).unwrap_or_default();
                positions.insert(there[index].clone(), (row.get(1), row.get(2)));
            }
        }
        Ok(positions)
    }

    /// A query whose locks do not stay for the rest of the transaction: a server
    /// has room for some thousand.
    async fn unlocked(&self, doing: &'static str, query: &str) -> Result<Vec<Row>, Error> {
        let failed = |error| Error::asking(doing)(error);
        self.session.batch_execute("SAVEPOINT unlocked").await.map_err(failed)?;
        let rows = self.session.query(query, &[]).await.map_err(failed)?;
        self.session.batch_execute("ROLLBACK TO unlocked; RELEASE unlocked").await.map_err(failed)?;
        Ok(rows)
    }

    /// Exact row counts. `None` for a table that is gone or looks empty because it
    /// was rewritten, and for one that could not be locked at once: somebody waits
    /// to change it, and waiting behind them could be for ever.
    pub async fn count(&self, tables: &[Table]) -> Result<Vec<Option<u64>>, Error> {
        let mut counts = Vec::with_capacity(tables.len());
        for batch in tables.chunks(BATCH) {
            match self.count_batch(batch).await {
                Ok(counted) => counts.extend(counted),
                Err(error) if error.is_out_of_reach() => {
                    for table in batch {
                        match self.count_batch(std::slice::from_ref(table)).await {
                            Ok(counted) => counts.extend(counted),
                            Err(error) if error.is_out_of_reach() => counts.push(None),
                            Err(error) => return Err(error),
                        }
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(counts)
    }

    /// Count some tables in a savepoint, so that their locks go when it ends: a
    /// dump of many tables already holds most of the server's lock table.
    async fn count_batch(&self, tables: &[Table]) -> Result<Vec<Option<u64>>, Error> {
        let counting = |error| Error::asking("count the rows of the snapshot")(error);
        self.session.batch_execute("SAVEPOINT counting").await.map_err(counting)?;
        let counted = self.count_locked(tables).await;
        self.session.batch_execute("ROLLBACK TO counting; RELEASE counting").await.map_err(counting)?;
        counted
    }

    async fn count_locked(&self, tables: &[Table]) -> Result<Vec<Option<u64>>, Error> {
        let oids: Vec<u32> = tables.iter().map(|table| table.oid).collect();
        // The name of today as the server quotes it, the filter of an extension's
        // configuration table, and the file of its rows in the snapshot. A number
        // for a name means that the table was dropped since the snapshot.
        let facts = self
            .session
            .query(
                &format!(
                    "SELECT convert_to(t.oid::regclass::text, e.name), {CONDITION}, c.relfilenode \
                     FROM unnest($1::oid[]) WITH ORDINALITY AS t(oid, n) JOIN pg_class c ON c.oid = t.oid, \
                     (SELECT CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END) AS e(name) \
                     WHERE t.oid::regclass::text <> t.oid::text ORDER BY t.n"
                ),
                &[&oids],
            )
            .await
            .map_err(Error::asking("look the dumped tables up"))?;
        if facts.len() != tables.len() {
            return Err(Error::TableVanished { count: tables.len() - facts.len() });
        }
        let names: Vec<String> = facts.iter().map(|row| shown(row.get(0))).collect();
        let lock = format!("LOCK TABLE ONLY {} IN ACCESS SHARE MODE NOWAIT", names.join(", ONLY "));
        self.session.batch_execute(&lock).await.map_err(Error::asking("lock the dumped tables"))?;
        // Both of today, and under a lock: whether the name still means that table,
        // and where its rows lie.
        let counts = names
            .iter()
            .zip(&facts)
            .zip(&oids)
            .enumerate()
            .map(|(n, ((name, fact), oid))| {
                let condition: &str = fact.get(1);
                format!(
                    "SELECT {n}, (SELECT count(*) FROM ONLY {name} {condition}), pg_relation_filenode({oid}), \
                     to_regclass({})::oid",
                    literal(name)
                )
            })
            .collect::<Vec<_>>()
            .join(" UNION ALL ");
        let rows = self
            .session
            .query(&format!("{counts} ORDER BY 1"), &[])
            .await
            .map_err(Error::asking("count the rows of the snapshot"))?;
        let count = |((row, fact), oid): ((&Row, &Row), &u32)| {
            let (file, relation): (Option<u32>, Option<u32>) = (row.get(2), row.get(3));
            let unchanged = file == fact.get(2) && relation == Some(*oid);
            unchanged.then(|| u64::try_from(row.get::<_, i64>(1)).unwrap_or_default())
        };
        Ok(rows.iter().zip(&facts).zip(&oids).map(count).collect())
    }
}

/// Which rows of an extension's configuration table `t` are dumped.
pub const CONDITION: &str = "coalesce((SELECT f.condition FROM pg_extension e, \
    unnest(e.extconfig, e.extcondition) AS f(oid, condition) WHERE f.oid = t.oid LIMIT 1), '')";

/// A name as the archive's reader shows it. In an SQL_ASCII database it may be
/// any bytes: what is no UTF-8 comes out as `\xNN`.
pub(super) fn shown(name: &[u8]) -> String {
    let mut text = String::new();
    for chunk in name.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// A dump's session settings: nothing may time out, nothing may be filtered,
/// every name comes out qualified, and what the server prints depends neither on
/// the settings of a role nor on those of a database, which a trial lacks.
async fn begin(session: &Session) -> Result<(), Error> {
    let settings = settings(session);
    session
        .batch_execute(&format!("{settings} SET lc_monetary = 'C'; {BEGIN}"))
        .await
        .map_err(Error::asking("begin the dump's snapshot"))
}

const BEGIN: &str = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// Without `lc_monetary`, by which amounts of money are also read again.
fn settings(session: &Session) -> String {
    let newer = if session.server_version_num() >= 170_000 { "SET transaction_timeout = 0;" } else { "" };
    format!(
        "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0; {newer} \
         SET row_security = off; SET search_path = ''; SET DateStyle = ISO; SET IntervalStyle = postgres; \
         SET extra_float_digits = 3; SET synchronize_seqscans = off; SET TimeZone = 'UTC'; \
         SET quote_all_identifiers = off; SET bytea_output = hex; SET xmlbinary = base64; \
         SET standard_conforming_strings = on;"
    )
}

async fn source(client: &Client) -> Result<Source, Error> {
    let failed = |error| Error::asking("describe the database")(error);
    let locale = Locale::of(client).await.map_err(failed)?;
    let row = client
        .query_one(
            "SELECT current_database()::text, current_setting('server_version'), \
             current_setting('server_version_num')::int4, pg_get_userbyid(d.datdba)::text, pg_database_size(d.oid) \
             FROM pg_database d WHERE d.datname = current_database()",
            &[],
        )
        .await
        .map_err(failed)?;
    Ok(Source {
        database: row.get(0),
        server_version: row.get(1),
        server_version_num: u32::try_from(row.get::<_, i32>(2)).unwrap_or_default(),
        system_identifier: system_identifier(client).await,
        encoding: locale.encoding,
        collate: locale.collate,
        ctype: locale.ctype,
        locale_provider: locale.provider.as_str().to_owned(),
        locale: locale.provider_locale,
        icu_rules: locale.icu_rules,
        owner: row.get(3),
        bytes: u64::try_from(row.get::<_, i64>(4)).unwrap_or_default(),
    })
}

/// Managed providers hide it; that is no reason to stop, so it is asked for
/// inside a savepoint.
async fn system_identifier(client: &Client) -> Option<String> {
    client.batch_execute("SAVEPOINT identity").await.ok()?;
    let row = client.query_one("SELECT system_identifier::text FROM pg_control_system()", &[]).await;
    client.batch_execute("ROLLBACK TO identity; RELEASE identity").await.ok()?;
    row.ok().map(|row| row.get(0))
}
