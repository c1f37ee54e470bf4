//! A backup to a folder that does not take it: a full disk, a read-only one, a
//! folder that is not there, a run that was killed on its way.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use crate::support::child;
use crate::support::depot::{self, Depot, assert_unchanged, key, keys, large, until};

#[tokio::test]
async fn a_folder_that_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let depot = Depot::at(&folder.path().join("tpyo/backups"));
    let said = depot.fails(2, depot.backup(&[]).await).await;
    insta::assert_snapshot!(said, @r"
    error: store '[STORE]' does not exist
    hint: if a disk belongs there, mount it; else check the path, or make the folder: mkdir -p -m 700 '[FOLDER]'
    ");
    for command in ["list", "show", "verify", "get"] {
        assert_eq!(depot.fails(2, depot.command([command])).await, said, "{command}");
    }
    assert!(!folder.path().join("tpyo").exists());
}

#[tokio::test]
async fn a_folder_that_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("backups");
    std::fs::write(&path, "not a folder").unwrap();
    let depot = Depot::at(&path);
    insta::assert_snapshot!(depot.fails(2, depot.backup(&[]).await).await, @r"
    error: store '[STORE]' is set up wrongly: it is a file, not a folder
    hint: correct it where the store is named: `--store`, or `stores:` in backstop.yml
    ");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "not a folder");
}

#[tokio::test]
async fn a_catalog_that_cannot_be_written_to_leaves_no_dump() {
    // What stands where the manifests belong is not theirs.
    let depot = Depot::local();
    std::fs::create_dir_all(depot.root().join("shop")).unwrap();
    std::fs::write(depot.root().join("shop/catalog"), "in the way").unwrap();
    insta::assert_snapshot!(depot.fails(2, depot.backup(&[]).await).await, @r"
    error: store '[STORE]' is set up wrongly: '[FOLDER]/shop/catalog' is a file, not a folder
    hint: correct it where the store is named: `--store`, or `stores:` in backstop.yml
    ");
}

/// In a mount namespace of its own, so that nothing stays mounted.
fn in_own_mounts(test: &str) {
    let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let wrapper: &[&str] = if root { &["unshare", "-m"] } else { &["unshare", "-Urm"] };
    child::passed(&mut child::again(test, wrapper));
}

fn mount(folder: &Path, options: &str) {
    depot::stock(Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder));
}

fn unmount(folder: &Path) {
    depot::stock(Command::new("umount").arg(folder));
}

#[tokio::test]
async fn a_disk_that_is_full_or_read_only() {
    if !child::is_child() {
        return in_own_mounts("faults_local::a_disk_that_is_full_or_read_only");
    }
    let disk = tempfile::tempdir().unwrap();
    mount(disk.path(), "size=2m");
    let depot = Depot::at(&disk.path().join("backups"));
    depot.good_backup(&[]).await;
    // Fill it, and leave room for a lease and for half of the dump.
    let filler = disk.path().join("filler");
    assert!(std::fs::write(&filler, vec![1; 2 << 20]).is_err());
    let file = std::fs::File::options().write(true).open(&filler).unwrap();
    file.set_len(file.metadata().unwrap().len() - 60_000).unwrap();
    insta::assert_snapshot!(depot.fails(2, depot.backup(&[]).await).await, @r"
    error: store '[STORE]' is full
    caused by: No space left on device (os error 28)
    hint: nothing was left behind; free space there, shorten the retention, or use another store
    ");
    drop(file);
    std::fs::remove_file(&filler).unwrap();
    depot.good_backup(&[]).await;

    mount(disk.path(), "remount,ro");
    insta::assert_snapshot!(depot.fails(2, depot.backup(&[]).await).await, @r"
    error: store '[STORE]' refused to make a file ('shop/catalog/lease')
    caused by: Read-only file system (os error 30)
    hint: check the folder's owner and mode, and whether the file system is mounted read-only
    ");
    // Reading goes on; a check that cannot be recorded says so.
    depot.run(depot.command(["list"])).await.ended(0);
    insta::assert_snapshot!(depot.fails(2, depot.command(["verify", "--level", "stored", "--quiet"])).await, @r"
    error: backup [ID] passed its check (level 'stored'), but that cannot be recorded
    caused by: store '[STORE]' refused to make a file ('shop/catalog/[ID].manual.verified-1.json')
    caused by: Read-only file system (os error 30)
    hint: check the folder's owner and mode, and whether the file system is mounted read-only
    ");
    unmount(disk.path());
}

#[tokio::test]
async fn killed_while_the_dump_is_written() {
    let depot = Depot::local();
    let good = depot.good_backup(&[]).await;
    let before = depot.objects().await;
    let run = depot.backup_of(large().await, &[]).await.start();
    let part = |key: &String| key.ends_with(".part");
    until("a file that is being written", async || {
        depot.objects().await.iter().any(|(key, bytes)| part(key) && bytes.len() > 1_000_000)
    })
    .await;
    depot::kill(run).await;

    // A lease and an unfinished file are left, and neither is a backup.
    let after = depot.objects().await;
    let left: Vec<&String> = after.keys().filter(|key| !before.contains_key(*key)).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.iter().any(|key| part(key)) && left.iter().any(|key| key.ends_with("/lease")), "{left:?}");
    let shown = depot.run(depot.command(["list", "--format", "json"])).await.ended(0);
    assert_eq!(ids(&shown.stdout), [good.as_str()]);
    let verified = depot.run(depot.command(["verify", "--level", "contents"])).await.ended(0);
    assert!(verified.stdout.contains(&good), "{}", verified.stdout);

    // The next run is stopped by neither, and takes over the lease.
    depot.good_backup(&[]).await;
    let now = depot.objects().await;
    assert!(!now.contains_key("shop/catalog/lease"));
    for (name, bytes) in &before {
        assert!(now[name] == *bytes, "{name} changed");
    }
}

/// Ids in the JSON of a listing, newest first.
pub fn ids(json: &str) -> Vec<String> {
    let listed: serde_json::Value = serde_json::from_str(json).unwrap();
    let backups = listed["backups"].as_array().unwrap();
    backups.iter().map(|backup| backup["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn interrupted_while_the_dump_is_written() {
    let depot = Depot::local();
    depot.good_backup(&[]).await;
    let before = depot.objects().await;
    let run = depot.backup_of(large().await, &["--quiet"]).await.start();
    until("a file that is being written", async || {
        depot.objects().await.iter().any(|(key, bytes)| key.ends_with(".part") && bytes.len() > 1_000_000)
    })
    .await;
    run.signal(nix::sys::signal::Signal::SIGTERM);
    let home = run.home.path().to_owned();
    let said = tokio::task::spawn_blocking(move || run.wait()).await.unwrap().ended(2);
    insta::assert_snapshot!(depot.redact(&said.stderr), @r"
    warning: the backup is not encrypted: whoever reads the store reads the data
    error: stopped before the end
    hint: nothing was committed; the older backups are as they were
    ");
    depot::assert_no_process(&home).await;
    assert_unchanged(&before, &depot.objects().await);
}

#[tokio::test]
async fn an_artifact_without_a_manifest_is_no_backup() {
    let depot = Depot::local();
    let first = depot.good_backup(&[]).await;
    let second = depot.good_backup(&[]).await;
    depot.remove(&format!("shop/catalog/{second}.manual.json")).await;
    let shown = depot.run(depot.command(["list", "--format", "json"])).await.ended(0);
    assert_eq!(ids(&shown.stdout), [first.as_str()]);
    for command in ["show", "get", "verify"] {
        let said = depot.fails(2, depot.command([command, &second])).await;
        insta::allow_duplicates! { insta::assert_snapshot!(said, @r"
        error: no backup '[ID]' of 'shop' in '[STORE]'
        hint: `backstop list` shows what there is
        "); }
    }
    let objects = depot.objects().await;
    insta::assert_snapshot!(keys(&objects), @r"
    shop/README.txt
    shop/catalog/[ID].manual.json
    shop/manual/[ID].dump
    shop/manual/[ID].dump
    shop/manual/[ID].globals.sql
    shop/manual/[ID].globals.sql
    shop/manual/[ID].sha256
    shop/manual/[ID].sha256
    ");
    assert!(key(&objects, ".manual.json").contains(&first));
}
