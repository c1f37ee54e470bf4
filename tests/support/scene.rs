//! A database, a store with one good backup of it, and what must hold after any
//! fault: a clear error, every byte of the store as it was, and nothing left over
//! on the machine or on the server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use backstop::postgres::cluster::ClusterOptions;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::cluster::Server;
use super::command::{Backstop, Outcome, Running, backstop};
use super::tools;

/// How long what ends by itself may take to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// The server that the stories share, with a database each: PostgreSQL 15, as
/// Debian builds it, on a socket and on a port of 127.0.0.1 with a password.
pub async fn shared() -> &'static Server {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    SERVER.get_or_init(|| start(15)).await
}

/// The same of PostgreSQL 18.
pub async fn shared_18() -> &'static Server {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    SERVER.get_or_init(|| start(18)).await
}

async fn start(major: u32) -> Server {
    // Stories run at the same time, one for each processor, and a backup takes up to ten.
    Server::start_with(
        major,
        &ClusterOptions { tcp: true, max_connections: 400, ..ClusterOptions::default() },
    )
    .await
}

/// Leaves the rows to `pg_dump`, which can be caught in the middle of them.
pub const ALONE: &[&str] = &["--jobs", "1"];

/// Some 25 MB that do not compress well, which a dump copies in several parts: it can
/// be caught in the middle.
pub const BIG: &str = "
    CREATE TABLE small AS SELECT 1 AS id;
    CREATE TABLE large AS SELECT n AS id, md5(n::text) || md5((-n)::text) AS word FROM generate_series(1, 350000) n;
    CREATE TABLE zlast AS SELECT 1 AS id;
    CREATE INDEX large_id ON large (id)";

/// The name under which a test's own sessions go.
const SOMEBODY_ELSE: &str = "somebody else";

/// A database with the statements of [`BIG`], and a backup of it.
pub async fn big(name: &str) -> Scene<'static> {
    static TEMPLATE: OnceCell<()> = OnceCell::const_new();
    let server = shared().await;
    TEMPLATE.get_or_init(|| async { drop(Scene::bare(server, "big", BIG).await) }).await;
    server.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE big")).await;
    Scene::of(server, name).with_backup()
}

/// A database of a test's own and a store.
pub struct Scene<'a> {
    pub server: &'a Server,
    pub database: String,
    store: TempDir,
    /// `TMPDIR` of the runs: must be empty after each.
    temporary: TempDir,
    before: BTreeMap<PathBuf, Vec<u8>>,
}

impl<'a> Scene<'a> {
    /// A new database with these statements run in it, and no backup yet.
    pub async fn bare(server: &'a Server, name: &str, statements: &str) -> Self {
        let quoted = backstop_policy::identifier::quote(name);
        server.sql("postgres", &format!("CREATE DATABASE {quoted} TEMPLATE template0")).await;
        server.sql(name, statements).await;
        Self::of(server, name)
    }

    /// A database that is there.
    pub fn of(server: &'a Server, name: &str) -> Self {
        let folder = || tempfile::Builder::new().prefix("backstop-scene-").tempdir().unwrap();
        let (store, temporary) = (folder(), folder());
        Self { server, database: name.to_owned(), store, temporary, before: BTreeMap::new() }
    }

    /// The same, with one good backup in the store.
    pub async fn new(server: &'a Server, name: &str, statements: &str) -> Self {
        Self::bare(server, name, statements).await.with_backup()
    }

    pub fn with_backup(self) -> Self {
        self.backup(&[]).run().ended(0);
        self.left_as_it_is()
    }

    /// From now on, the store is expected to stay as it is.
    pub fn left_as_it_is(mut self) -> Self {
        self.before = self.files();
        assert!(self.before.keys().any(|path| path.to_string_lossy().contains("/catalog/")));
        self
    }

    pub fn store(&self) -> String {
        format!("file://{}", self.store.path().display())
    }

    pub fn store_path(&self) -> &Path {
        self.store.path()
    }

    /// A command on this store.
    pub fn command(&self, name: &str, arguments: &[&str]) -> Backstop {
        let store = self.store();
        let all = [name, "--database", "db", "--store", &store].into_iter().chain(arguments.iter().copied());
        backstop(all)
    }

    /// `backstop backup` of this database as the superuser, through the socket.
    pub fn backup(&self, arguments: &[&str]) -> Backstop {
        self.command("backup", arguments)
            .env("PGHOST", self.server.cluster.socket_dir())
            .env("PGPORT", self.server.cluster.port().to_string())
            .env("PGUSER", self.server.cluster.user())
            .env("PGDATABASE", &self.database)
            .env("TMPDIR", self.temporary.path())
    }

    pub fn verify(&self, arguments: &[&str]) -> Backstop {
        self.command("verify", arguments)
    }

    /// Run what must fail: status 2, and no trace of it. What it said comes back
    /// with everything replaced that changes from run to run.
    pub async fn fails(&self, run: Backstop) -> String {
        let home = run.home().to_owned();
        let outcome = run.run();
        self.failed(&home, outcome).await
    }

    /// The same of a run that was started before.
    pub async fn ends_in_failure(&self, run: Running) -> String {
        let home = run.home.path().to_owned();
        let outcome = tokio::task::spawn_blocking(move || run.wait()).await.unwrap();
        self.failed(&home, outcome).await
    }

    async fn failed(&self, home: &Path, outcome: Outcome) -> String {
        let outcome = outcome.ended(2);
        assert_eq!(outcome.stdout, "", "a failure is told on standard error");
        self.nothing_left(home).await;
        self.store_is_as_before();
        let warning = "warning: the backup is not encrypted: whoever reads the store reads the data\n";
        let said = outcome.stderr.strip_prefix(warning).expect(&outcome.stderr);
        self.redact(said, home)
    }

    /// Nothing was added to the store, taken from it or changed in it.
    pub fn store_is_as_before(&self) {
        let (before, after) = (&self.before, self.files());
        let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&after), names(before), "files came or went");
        assert!(after == *before, "an older backup was changed");
    }

    /// No process, no session on the server, no temporary file.
    pub async fn nothing_left(&self, home: &Path) {
        let begun = Instant::now();
        loop {
            let (processes, sessions) = (processes_of(home), self.sessions_of_ours().await);
            if processes.is_empty() && sessions.is_empty() {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "left over: {processes:?}; sessions: {sessions}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let temporary: Vec<_> = std::fs::read_dir(self.temporary.path()).unwrap().collect();
        assert!(temporary.is_empty(), "{temporary:?}");
    }

    /// No process, where the server is gone too.
    pub async fn no_process(&self, home: &Path) {
        let begun = Instant::now();
        while !processes(home).is_empty() {
            assert!(begun.elapsed() < PATIENCE, "left over: {:?}", processes(home));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Sessions in this database, one a line.
    pub async fn sessions(&self) -> String {
        self.sessions_that("true").await
    }

    /// Sessions that no test opened.
    async fn sessions_of_ours(&self) -> String {
        self.sessions_that(&format!("application_name <> '{SOMEBODY_ELSE}'")).await
    }

    async fn sessions_that(&self, condition: &str) -> String {
        let ask = format!(
            "SELECT pid, application_name, state, query FROM pg_stat_activity WHERE datname = {} AND ({condition})
             AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
            backstop_policy::identifier::literal(&self.database)
        );
        self.server.sql("postgres", &ask).await
    }

    /// Somebody else's session in the database.
    pub async fn session(&self) -> tokio_postgres::Client {
        let mut config = self.server.cluster.config(&self.database);
        let (client, connection) =
            config.application_name(SOMEBODY_ELSE).connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Somebody keeps an index of the large table of [`BIG`] to himself: whoever copies
    /// a part of the table waits, until the transaction ends.
    pub async fn hold(&self) -> tokio_postgres::Client {
        let holder = self.session().await;
        holder.batch_execute("BEGIN; REINDEX INDEX large_id").await.unwrap();
        holder
    }

    /// Wait until so many connections stand in the middle of their rows, behind
    /// [`Self::hold`]; their pids.
    pub async fn copying(&self, run: &mut Running, connections: usize) -> Vec<i32> {
        let begun = Instant::now();
        loop {
            assert!(!run.is_over(), "the dump is not to be caught in the middle");
            let found = self.pids("wait_event_type = 'Lock' AND query LIKE '%COPY (SELECT%'").await;
            if found.len() == connections {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "sessions: {}", self.sessions().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The connection that keeps every table locked while others copy.
    pub async fn keeper(&self) -> i32 {
        let ask = "SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction' AND pid IN \
            (SELECT pid FROM pg_locks WHERE granted AND relation = \
            (SELECT oid FROM pg_class WHERE relname = 'zlast'))";
        let begun = Instant::now();
        loop {
            // Whoever describes the catalogue locks tables too, for a moment.
            let found = self.server.sql(&self.database, ask).await;
            if let Ok(keeper) = found.parse() {
                return keeper;
            }
            assert!(begun.elapsed() < PATIENCE, "sessions: {}", self.sessions().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Server processes of this database of which this is true.
    pub async fn pids(&self, condition: &str) -> Vec<i32> {
        let lines = self.sessions_that(condition).await;
        lines.lines().filter_map(|line| line.split('|').next()?.parse().ok()).collect()
    }

    /// End somebody's session, as an administrator would.
    pub async fn terminate(&self, pid: i32) {
        assert_eq!(self.server.sql("postgres", &format!("SELECT pg_terminate_backend({pid})")).await, "t");
    }

    /// The id of the newest backup.
    pub fn newest(&self) -> String {
        let list = self.command("list", &["--format", "json"]).run().ended(0);
        let list: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
        list["backups"][0]["id"].as_str().unwrap().to_owned()
    }

    /// Databases of trials of a backup.
    pub async fn trials(&self, id: &str) -> String {
        let id = id.to_lowercase().replace('-', "_");
        self.server
            .sql("postgres", &format!("SELECT datname FROM pg_database WHERE datname LIKE '%{id}%'"))
            .await
    }

    /// Wait for something that must come soon.
    pub async fn until<F: Future<Output = bool>>(&self, mut it_is_so: impl FnMut() -> F) {
        let begun = Instant::now();
        while !it_is_so().await {
            assert!(begun.elapsed() < PATIENCE, "sessions: {}", self.sessions().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Of a run that was killed nothing is new but its lease and unfinished files.
    #[track_caller]
    pub fn only_unfinished_left(&self) {
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        let new = self.paths().into_iter().filter(|path| !self.before.contains_key(path));
        let left: Vec<String> = new.map(|path| name(&path)).collect();
        assert!(left.iter().all(|name| name == "lease" || name.ends_with(".part")), "{left:?}");
        assert!(left.iter().any(|name| name == "lease"), "{left:?}");
    }

    /// Every file in the store with its bytes.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        // One may go while we look.
        self.paths().into_iter().filter_map(|path| Some((path.clone(), std::fs::read(path).ok()?))).collect()
    }

    fn paths(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.store.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files
    }

    /// Bytes of the dump that is being written.
    pub fn written(&self) -> u64 {
        let is_part = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "part");
        let length = |path: PathBuf| std::fs::metadata(path).map_or(0, |found| found.len());
        self.paths().into_iter().filter(is_part).map(length).sum()
    }

    /// Stop the `pg_dump` of a run that is [`ALONE`] with SIGSTOP in the middle of
    /// the data; its pid.
    pub async fn freeze(&self, run: &mut Running) -> Pid {
        let begun = Instant::now();
        loop {
            assert!(
                !run.is_over() && begun.elapsed() < PATIENCE,
                "the dump is not to be caught in the middle"
            );
            if self.written() > 0
                && let Some(pid) = pg_dump_of(run.home.path())
            {
                kill(pid, Signal::SIGSTOP).unwrap();
                return pid;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub fn redact(&self, text: &str, home: &Path) -> String {
        let cluster = &self.server.cluster;
        let mut text = text.to_owned();
        for (found, instead) in [
            (self.store.path().display().to_string(), "[STORE]"),
            (self.temporary.path().display().to_string(), "[TMP]"),
            (home.display().to_string(), "[HOME]"),
            (cluster.socket_dir().display().to_string(), "[SOCKET]"),
            (cluster.port().to_string(), "[PORT]"),
            (tools::postgres(15).display().to_string(), "[PG15]"),
            (tools::postgres(18).display().to_string(), "[PG18]"),
        ] {
            text = text.replace(&found, instead);
        }
        text
    }
}

/// Programs of a run, by the home that it gave them: `pid: command line`.
fn processes_of(home: &Path) -> Vec<String> {
    processes(home).into_iter().map(|(pid, command)| format!("{pid}: {command}")).collect()
}

fn pg_dump_of(home: &Path) -> Option<Pid> {
    let found = processes(home).into_iter().find(|(_, command)| {
        let program = command.split(' ').next().unwrap_or_default();
        program.ends_with("/pg_dump") && command.contains("--format=custom --compress=0")
    });
    Some(Pid::from_raw(found?.0))
}

/// Every process whose home this is, with its command line.
pub fn processes(home: &Path) -> Vec<(i32, String)> {
    let mark = format!("HOME={}", home.display()).into_bytes();
    let numbered = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let pids = std::fs::read_dir("/proc").unwrap().filter_map(|entry| numbered(entry.ok()?));
    pids.filter_map(|pid: i32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
        environment.split(|byte| *byte == 0).find(|variable| **variable == *mark)?;
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        Some((pid, String::from_utf8_lossy(&command).replace('\0', " ")))
    })
    .collect()
}
