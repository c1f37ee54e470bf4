//! A run that was killed (-9) on its way to a bucket, and the lease that it left:
//! what stays, that it is no backup, and that nothing is in the way of the next run.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::faults_local::ids;
use crate::support::depot::{self, Depot, large, redact, until};
use crate::support::proxy::Fault;

const LEASE: &str = "shop/catalog/lease";

/// Keys that are new, with ids left out.
async fn added(depot: &Depot, before: &depot::Objects) -> String {
    let after = depot.objects().await;
    let mut added: Vec<String> =
        after.keys().filter(|key| !before.contains_key(*key)).map(|key| redact(key)).collect();
    added.sort();
    for (name, bytes) in before {
        assert!(after[name] == *bytes, "{name} changed");
    }
    added.join("\n")
}

#[tokio::test]
async fn killed_between_the_data_and_the_manifest() {
    let depot = Depot::seaweed("killed-before-manifest").await;
    let good = depot.good_backup(&[]).await;
    let before = depot.objects().await;
    depot.proxy().when("PUT", ".manual.json", Fault::Hang, Some(1));
    let run = depot.backup(&[]).await.start();
    until("the manifest's upload", async || depot.proxy().count("PUT", ".manual.json") == 2).await;
    depot::kill(run).await;

    // Everything is there but the manifest: it is no backup.
    insta::assert_snapshot!(added(&depot, &before).await, @r"
    shop/catalog/lease
    shop/manual/[ID].dump
    shop/manual/[ID].globals.sql
    shop/manual/[ID].sha256
    ");
    let shown = depot.run(depot.command(["list", "--format", "json"])).await.ended(0);
    assert_eq!(ids(&shown.stdout), [good.as_str()]);
    depot.good_backup(&[]).await;
    assert!(!depot.objects().await.contains_key(LEASE));
}

#[tokio::test]
async fn killed_during_the_upload() {
    // moto dates every upload in parts to 2010, so that it counts as forgotten at once.
    let depot = Depot::moto("killed-in-upload").await;
    let good = depot.good_backup(&[]).await;
    let before = depot.objects().await;
    depot.proxy().when("PUT", "partNumber=2", Fault::Hang, Some(1));
    let run = depot.backup_of(large().await, &[]).await.start();
    until("the second part", async || depot.proxy().count("PUT", "partNumber=2") == 1).await;
    depot::kill(run).await;

    // Nobody is left to abort the upload; it is no object, but it is counted.
    assert_eq!(depot.bucket().uploads().await.len(), 1);
    insta::assert_snapshot!(added(&depot, &before).await, @"shop/catalog/lease");
    let shown = depot.run(depot.command(["list", "--format", "json"])).await.ended(0);
    assert_eq!(ids(&shown.stdout), [good.as_str()]);
    let found = depot.run(depot.connected("doctor", "shop", &[]).await).await;
    let line: Vec<&str> = found.stdout.lines().filter(|line| line.contains("unfinished")).collect();
    insta::assert_snapshot!(depot.redact(&line.join("\n")), @"warning store-uploads: unfinished uploads in '[STORE]', which are billed: 1");

    depot.good_backup(&[]).await;
    let shown = depot.run(depot.command(["list", "--format", "json"])).await.ended(0);
    assert_eq!(ids(&shown.stdout).len(), 2);
}

/// A lease as another process writes it.
fn lease(host: &str, boot: &str, pid: u32, renewed: Timestamp) -> Vec<u8> {
    let record = json!({
        "purpose": "a backup", "host": host, "boot": boot, "pid": pid, "since": renewed, "renewed": renewed,
    })
    .to_string();
    let sha256 = hex::encode(Sha256::digest(&record));
    format!("{{\"sha256\": \"{sha256}\", \"record\": {record}}}\n").into_bytes()
}

fn ago(minutes: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_mins(minutes)
}

#[tokio::test]
async fn a_lease_of_another_host_holds_until_it_is_ten_minutes_old() {
    let depot = Depot::local();
    let good = depot.good_backup(&[]).await;
    for minutes in [0, 9] {
        depot.overwrite(LEASE, lease("other-host", "boot", 4711, ago(minutes))).await;
        let said = depot.fails(2, depot.backup(&[]).await).await;
        insta::allow_duplicates! { insta::assert_snapshot!(said, @r"
        error: a backup of 'shop' is already running: process [N] on 'other-host', since [TIME]
        hint: wait for it to end; if it was killed on another machine, its lease runs out ten minutes after its last sign of life
        "); }
    }
    // Nobody who only reads waits for it.
    let shown = depot.run(depot.command(["list", "--format", "json"])).await.ended(0);
    assert_eq!(ids(&shown.stdout), [good]);
    depot.overwrite(LEASE, lease("other-host", "boot", 4711, ago(11))).await;
    depot.good_backup(&[]).await;
    assert!(!depot.objects().await.contains_key(LEASE));
}

#[tokio::test]
async fn a_lease_of_this_host_holds_while_its_process_lives() {
    let depot = Depot::local();
    depot.good_backup(&[]).await;
    let host = nix::unistd::gethostname().unwrap().into_string().unwrap();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let boot = boot.trim();
    // Old as it is, its process is there: this one.
    depot.overwrite(LEASE, lease(&host, boot, std::process::id(), ago(60))).await;
    let said = depot.fails(2, depot.backup(&[]).await).await;
    insta::assert_snapshot!(said.replace(&host, "[HOST]"), @r"
    error: a backup of 'shop' is already running: process [N] on '[HOST]', since [TIME]
    hint: wait for it to end; if it was killed on another machine, its lease runs out ten minutes after its last sign of life
    ");
    // New as it is, its process is gone.
    let mut gone = std::process::Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    depot.overwrite(LEASE, lease(&host, boot, gone.id(), ago(0))).await;
    depot.good_backup(&[]).await;
    // A process of an earlier boot says nothing, whoever has its number today.
    depot.overwrite(LEASE, lease(&host, "another-boot", std::process::id(), ago(11))).await;
    depot.good_backup(&[]).await;
}

#[tokio::test]
async fn a_lease_that_nobody_can_read_is_taken_over() {
    let depot = Depot::local();
    depot.good_backup(&[]).await;
    depot.overwrite(LEASE, b"{\"sha256\": \"0".to_vec()).await;
    depot.good_backup(&[]).await;
    assert!(!depot.objects().await.contains_key(LEASE));
}
