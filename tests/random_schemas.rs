//! Random schemas from end to end: backed up, verified by a trial restore, and a
//! restore by stock tools held against the source by SQL and pg_dump.
//!
//! A failure names the seed; `BACKSTOP_TEST_SEED=n` runs that one alone.

use backstop_policy::manifest::{Level, Verification};

use crate::support::cluster::Server;
use crate::support::zoo::random_schema;
use crate::support::{command::backstop, equality, tools};

fn seeds() -> Vec<u64> {
    if let Some(seed) = std::env::var_os("BACKSTOP_TEST_SEED") {
        return vec![seed.to_str().unwrap().parse().unwrap()];
    }
    (1..=if tools::majors().len() > 2 { 60 } else { 6 }).collect()
}

async fn from_end_to_end(server: &Server, major: u32, seed: u64) {
    let name = format!("zoo_{seed}");
    server.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0")).await;
    server.sql(&name, &random_schema(seed)).await;
    let folder = tempfile::tempdir().unwrap();
    let store = format!("file://{}", folder.path().display());
    let run = |arguments: &[&str]| {
        let all = arguments.iter().copied().chain(["--store", &store]);
        let run =
            server.environment().into_iter().fold(backstop(all), |run, (name, value)| run.env(name, value));
        run.env("PGDATABASE", &name).run()
    };
    let (rows, definitions) =
        (equality::rows(server, &name).await, equality::definitions(server, major, &name));
    let backup = run(&["backup"]);
    assert_eq!(backup.status, Some(0), "seed {seed}: {}", backup.stderr);
    // The roles are there only beside the source.
    let verify = run(&["verify", "--format", "json", "--on", &server.cluster.conninfo("postgres")]);
    let found: Verification = serde_json::from_str(&verify.stdout).unwrap();
    assert_eq!(found.reached, Some(Level::Restored), "seed {seed}: {found:#?}");
    assert!(found.passed && found.partial.is_empty(), "seed {seed}: {found:#?}");

    let archive = folder.path().join("archive");
    let got = run(&["get", "--output", archive.to_str().unwrap()]);
    assert_eq!(got.status, Some(0), "seed {seed}: {}", got.stderr);
    let again = format!("again_{seed}");
    equality::restore_by_stock_tools(server, major, &again, &std::fs::read(archive).unwrap()).await;
    equality::same(&format!("seed {seed}"), &rows, &equality::rows(server, &again).await);
    equality::same(&format!("seed {seed}"), &definitions, &equality::definitions(server, major, &again));
}

#[tokio::test]
async fn random_schemas_come_back_equal() {
    let (majors, seeds) = (tools::majors(), seeds());
    for (n, &major) in majors.iter().enumerate() {
        let mine = |seed: &&u64| (**seed % majors.len() as u64) == n as u64;
        let server = Server::start(major).await;
        for seed in seeds.iter().filter(mine) {
            from_end_to_end(&server, major, *seed).await;
        }
        server.cluster.stop().await.unwrap();
    }
}
