//! Every server version, store and way to seal: back up a shop and a zoo of
//! awkward objects, verify by a trial restore, and hold a restore by stock
//! tools against the source by SQL and pg_dump.

use std::ffi::OsString;
use std::path::Path;

use backstop_policy::manifest::{Counted, Level, Manifest, Proof, Verification};

use crate::support::bucket::Bucket;
use crate::support::cluster::{Server, awkward, zoo};
use crate::support::command::{Backstop, backstop};
use crate::support::sealing::{Keys, Sealing};
use crate::support::{equality, tools};

const DATABASES: &str = "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'";

/// The shop and the zoo side by side in one database.
async fn full_database(server: &Server, major: u32) {
    server.create_shop("zoo", 0.01).await;
    server.sql("zoo", &zoo()).await;
    server.sql("zoo", &awkward(major)).await;
}

fn arguments(of: &[&str], more: &[Vec<OsString>]) -> Vec<OsString> {
    of.iter().map(Into::into).chain(more.iter().flatten().cloned()).collect()
}

/// With programs of these majors and no other of the tests'.
fn with_programs(run: Backstop, majors: &[u32]) -> Backstop {
    run.env("BACKSTOP_PG_BIN", std::env::join_paths(majors.iter().copied().map(tools::postgres)).unwrap())
}

struct Cell<'a> {
    server: &'a Server,
    major: u32,
    store: &'a str,
    /// For the store.
    environment: &'a [(&'static str, String)],
    keys: &'a Keys,
    sealing: Sealing,
}

impl Cell<'_> {
    fn run(&self, command: &[&str], more: &[Vec<OsString>]) -> String {
        let mut run = backstop(arguments(command, more)).env("PGDATABASE", "zoo");
        run = with_programs(run, &[self.major, 15, 18]).env("BACKSTOP_PROGRESS", "0");
        for (name, value) in self.server.environment().iter().chain(self.environment) {
            run = run.env(name, value);
        }
        run.run().ended(0).stdout
    }

    fn backup(&self) -> Manifest {
        let store = ["backup", "--format", "json", "--store", self.store];
        serde_json::from_str(&self.run(&store, &[self.keys.recipient(self.sealing)])).unwrap()
    }

    /// Restore into a throwaway cluster, or into a database on this server.
    fn verify(&self, on: Option<&Server>) -> Verification {
        let store = ["verify", "--level", "restored", "--format", "json", "--store", self.store];
        let on = on.map(|server| vec!["--on".into(), server.cluster.conninfo("postgres").into()]);
        let more = [self.keys.identity(self.sealing), on.unwrap_or_default()];
        serde_json::from_str(&self.run(&store, &more)).unwrap()
    }

    /// The stored bytes.
    fn stored(&self, folder: &Path) -> Vec<u8> {
        let file = folder.join("stored");
        let output = vec!["--output".into(), file.clone().into()];
        self.run(&["get", "--quiet", "--store", self.store], &[output]);
        std::fs::read(file).unwrap()
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Trial {
    Throwaway,
    BesideTheSource,
}

async fn every_sealing(major: u32, store: &str, environment: &[(&'static str, String)], trial: Trial) {
    let server = Server::start(major).await;
    full_database(&server, major).await;
    let rows = equality::rows(&server, "zoo").await;
    let definitions = equality::definitions(&server, major, "zoo");
    let keys = Keys::new();
    for sealing in Sealing::ALL {
        let name = format!("PostgreSQL {major}, {store}, {sealing:?}");
        let cell = Cell { server: &server, major, store, environment, keys: &keys, sealing };
        let manifest = cell.backup();
        let Proof::Snapshot { tables, sequences, large_objects, .. } = &manifest.proof else {
            panic!("{name}: unproven")
        };
        assert!(tables.len() >= 40 && sequences.len() > 8 && *large_objects == 4, "{name}: {manifest:#?}");
        assert!(tables.iter().all(|table| table.counted == Counted::Snapshot), "{name}: {tables:#?}");

        let found = cell.verify((trial == Trial::BesideTheSource).then_some(&server));
        assert_eq!(found.reached, Some(Level::Restored), "{name}: {found:#?}");
        assert!(found.passed && found.failures.is_empty() && found.partial.is_empty(), "{name}: {found:#?}");
        assert!(found.trial_server.unwrap().starts_with(&major.to_string()), "{name}");

        let folder = tempfile::tempdir().unwrap();
        let archive = keys.open(sealing, cell.stored(folder.path()));
        equality::restore_by_stock_tools(&server, major, "again", &archive).await;
        equality::same(&name, &rows, &equality::rows(&server, "again").await);
        equality::same(&name, &definitions, &equality::definitions(&server, major, "again"));
        server.sql("postgres", "DROP DATABASE again").await;
    }
    assert_eq!(server.sql("postgres", DATABASES).await, "zoo", "a trial was left behind");
    server.cluster.stop().await.unwrap();
}

#[tokio::test]
async fn to_a_local_directory() {
    for &major in tools::majors() {
        let folder = tempfile::tempdir().unwrap();
        every_sealing(major, &format!("file://{}", folder.path().display()), &[], Trial::Throwaway).await;
    }
}

#[tokio::test]
async fn to_seaweedfs() {
    for &major in tools::majors() {
        let bucket = Bucket::seaweed(&format!("matrix-{major}")).await;
        every_sealing(major, &bucket.url(), &bucket.env(), Trial::BesideTheSource).await;
    }
}

/// A trial on a newer server than the source finds nothing to complain of.
#[tokio::test]
async fn a_trial_restore_on_a_newer_server() {
    let mut servers = Vec::new();
    for &major in tools::majors() {
        // Nothing is added to a server of the user's own, so its roles must be there.
        let server = Server::start(major).await;
        full_database(&server, major).await;
        servers.push((major, server));
    }
    for (n, (major, server)) in servers.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let store = format!("file://{}", folder.path().display());
        let (keys, sealing) = (Keys::new(), Sealing::Unencrypted);
        let cell = Cell { server, major: *major, store: &store, environment: &[], keys: &keys, sealing };
        cell.backup();
        for (newer, other) in &servers[n + 1..] {
            let found = cell.verify(Some(other));
            assert!(found.passed && found.partial.is_empty(), "{major} on {newer}: {found:#?}");
            assert!(found.trial_server.unwrap().starts_with(&newer.to_string()));
        }
    }
}
