//! Stored objects that are no longer what was committed: `verify` says FAILED at
//! every level, with exit 1 and a record of it; `get` gives no file. A wrong key
//! says nothing about a backup, and nothing is recorded.

use std::path::Path;

use crate::support::command::Backstop;
use crate::support::depot::{Depot, Objects, key};
use crate::support::keys::{Age, Gpg};

const LEVELS: [&str; 4] = ["stored", "readable", "contents", "restored"];

/// Verify at a level; a command that may open what it finds.
fn verify<'a>(depot: &'a Depot, level: &'a str, identity: Option<&'a Path>) -> Backstop {
    opening(depot.command(["verify", "--no-progress", "--level", level]), identity)
}

fn opening(run: Backstop, identity: Option<&Path>) -> Backstop {
    match identity {
        Some(path) => run.arg("--identity").arg(path),
        None => run,
    }
}

/// The failed checks in the store, as they were recorded.
fn records(objects: &Objects) -> Vec<serde_json::Value> {
    let records = objects.iter().filter(|(key, _)| key.contains(".verified-"));
    records
        .map(|(_, bytes)| serde_json::from_slice::<serde_json::Value>(bytes).unwrap()["record"].clone())
        .collect()
}

/// Put the bytes in the place of an object, look at them at every level, and get it.
async fn refused_everywhere(
    depot: &Depot,
    object: &str,
    bytes: Vec<u8>,
    identity: Option<&Path>,
    reason: &str,
) {
    let whole = depot.objects().await;
    depot.overwrite(object, bytes).await;
    for level in LEVELS {
        let said = depot.run(verify(depot, level, identity)).await.ended(1);
        assert!(
            said.stdout.starts_with("FAILED ") && said.stdout.contains(reason),
            "{level}: {}",
            said.stdout
        );
    }
    let recorded = records(&depot.objects().await);
    assert_eq!(recorded.len(), LEVELS.len());
    for record in recorded {
        assert_eq!((&record["passed"], record.get("reached")), (&false.into(), None), "{record}");
        assert!(record["failures"][0].as_str().unwrap().contains(reason), "{record}");
    }
    for decrypt in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.dump");
        let mut get = depot.command(["get", "--quiet"]).arg("--output").arg(&file);
        if object.contains(".globals.sql") {
            get = get.arg("--globals");
        }
        if decrypt {
            get = opening(get.arg("--decrypt"), identity);
        }
        let said = depot.run(get).await.ended(2);
        assert!(said.stderr.contains(object), "it does not name the object: {}", said.stderr);
        assert!(said.stderr.contains("hint: "), "no next step: {}", said.stderr);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a file was left");
    }
    // As it was, and without the records.
    depot.overwrite(object, whole[object].clone()).await;
    for name in depot.objects().await.keys().filter(|name| !whole.contains_key(*name)) {
        depot.remove(name).await;
    }
}

/// One bit at several depths, cuts, and bytes too many: of the dump and the globals.
async fn damaged_in_many_places(recipient: &[&str], suffix: &str, identity: Option<&Path>) {
    let depot = Depot::local();
    depot.good_backup(recipient).await;
    let objects = depot.objects().await;
    for kind in [".dump", ".globals.sql"] {
        let object = key(&objects, &format!("{kind}{suffix}"));
        let whole = &objects[&object];
        // Header, table of contents, middle, end.
        let depths = if kind == ".dump" {
            &[7, 3000, whole.len() / 2, whole.len() - 1][..]
        } else {
            &[whole.len() / 2]
        };
        for depth in depths {
            let mut damaged = whole.clone();
            damaged[*depth] ^= 1;
            refused_everywhere(&depot, &object, damaged, identity, "was changed since it was committed")
                .await;
        }
        if kind == ".dump" {
            let short = whole[..whole.len() / 2].to_vec();
            refused_everywhere(&depot, &object, short, identity, "were committed").await;
        }
    }
    // And all is well again.
    depot.run(verify(&depot, "contents", identity)).await.ended(0);
}

#[tokio::test]
async fn damage_to_a_plain_backup() {
    damaged_in_many_places(&[], "", None).await;
}

#[tokio::test]
async fn damage_to_a_backup_for_age() {
    let age = Age::new();
    damaged_in_many_places(&["--recipient", &age.recipient], ".age", Some(&age.identity())).await;
}

#[tokio::test]
async fn damage_to_a_backup_for_openpgp() {
    let gpg = Gpg::new();
    let certificate = gpg.certificate().display().to_string();
    damaged_in_many_places(&["--recipient", &certificate], ".gpg", Some(&gpg.secret_key())).await;
}

#[tokio::test]
async fn what_a_failed_check_looks_like() {
    let depot = Depot::local();
    depot.good_backup(&[]).await;
    let dump = key(&depot.objects().await, ".dump");
    let mut damaged = depot.objects().await[&dump].clone();
    damaged[5000] ^= 0x10;
    depot.overwrite(&dump, damaged).await;
    insta::assert_snapshot!(depot.says(1, verify(&depot, "contents", None)).await, @r"
    FAILED [ID] of shop: asked for contents, reached nothing
      failed     shop/manual/[ID].dump was changed since it was committed: its SHA-256 is [SHA256]
      took       [N] s
    hint: do not rely on it: take another backup, and look for this one in another store
    ");
    insta::assert_snapshot!(depot.says(2, depot.command(["get", "--quiet"])).await, @r"
    error: 'shop/manual/[ID].dump' is not what was committed: [N] bytes with SHA-256 [SHA256] came back
    hint: no file was kept; take another copy of this backup, or an older backup
    ");
    depot.overwrite(&dump, vec![0; 10]).await;
    insta::assert_snapshot!(depot.says(1, verify(&depot, "restored", None)).await, @r"
    FAILED [ID] of shop: asked for restored, reached nothing
      failed     shop/manual/[ID].dump has [N] bytes, but [N] were committed
      took       [N] s
    hint: do not rely on it: take another backup, and look for this one in another store
    ");
    depot.remove(&dump).await;
    insta::assert_snapshot!(depot.says(1, verify(&depot, "stored", None)).await, @r"
    FAILED [ID] of shop: asked for stored, reached nothing
      failed     'shop/manual/[ID].dump' is gone from the store
      took       [N] s
    hint: do not rely on it: take another backup, and look for this one in another store
    ");
    insta::assert_snapshot!(depot.says(2, depot.command(["get", "--quiet"])).await, @r"
    error: no object 'shop/manual/[ID].dump' in '[STORE]'
    hint: it was removed behind backstop's back: bring it back from the bucket's versions or from another store
    ");
    insta::assert_snapshot!(depot.says(0, depot.command(["list"])).await, @r"
    BACKUP                   AGE  TIER    SIZE        ENCRYPTION  VERIFIED
    [ID]  [N] s  manual  [N] KiB  none        FAILED [N] s ago
    ");
    let json = depot.run(depot.command(["verify", "--format", "json", "--level", "stored"])).await.ended(1);
    let check: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&check["passed"], &check["asked"]), (&false.into(), &"stored".into()));
}

#[tokio::test]
async fn globals_that_are_gone() {
    let depot = Depot::seaweed("globals-gone").await;
    depot.good_backup(&[]).await;
    depot.remove(&key(&depot.objects().await, ".globals.sql")).await;
    insta::assert_snapshot!(depot.says(1, verify(&depot, "stored", None)).await, @r"
    FAILED [ID] of shop: asked for stored, reached nothing
      failed     'shop/manual/[ID].globals.sql' is gone from the store
      took       [N] s
    hint: do not rely on it: take another backup, and look for this one in another store
    ");
    insta::assert_snapshot!(depot.says(2, depot.command(["get", "--globals"])).await, @r"
    error: no object 'shop/manual/[ID].globals.sql' in '[STORE]'
    hint: it was removed behind backstop's back: bring it back from the bucket's versions or from another store
    ");
    // What is there is still had.
    depot.run(depot.command(["get", "--quiet"])).await.ended(0);
}

#[tokio::test]
async fn a_wrong_identity_or_none() {
    let (right, wrong, gpg) = (Age::new(), Age::new(), Gpg::new());
    let depot = Depot::local();
    depot.good_backup(&["--recipient", &right.recipient]).await;
    let before = depot.objects().await;
    // No key is needed to read the stored bytes.
    depot.run(verify(&depot, "stored", None)).await.ended(0);
    let record = key(&depot.objects().await, ".verified-1.json");
    depot.remove(&record).await;

    insta::assert_snapshot!(depot.fails(2, verify(&depot, "readable", None)).await, @r"
    error: 'shop/manual/[ID].dump.age' is encrypted; level 'readable' needs the identity
    hint: give the private key with --identity FILE or in BACKSTOP_IDENTITY, or a passphrase in BACKSTOP_PASSPHRASE; a job that must not hold it can check `--level stored`
    ");
    insta::assert_snapshot!(depot.fails(2, depot.command(["get", "--decrypt"])).await, @r"
    error: 'shop/manual/[ID].dump.age' is encrypted, and no key was given to decrypt it with
    hint: give the private key with --identity FILE or in BACKSTOP_IDENTITY, or a passphrase in BACKSTOP_PASSPHRASE
    ");
    for identity in [wrong.identity(), gpg.secret_key()] {
        let said = depot.fails(2, verify(&depot, "restored", Some(&identity))).await;
        insta::allow_duplicates! { insta::assert_snapshot!(said, @r"
        error: cannot open 'shop/manual/[ID].dump.age'
        caused by: none of the given keys opens it: it is age-encrypted to 1 X25519 recipient
        hint: give the identity that belongs to one of these recipients
        "); }
        let get = depot.command(["get", "--decrypt", "--quiet"]).arg("-o").arg("x.dump");
        let said = depot.fails(2, opening(get, Some(&identity))).await;
        insta::allow_duplicates! { insta::assert_snapshot!(said, @r"
        error: cannot open 'shop/manual/[ID].dump.age'
        caused by: none of the given keys opens it: it is age-encrypted to 1 X25519 recipient
        hint: give the identity that belongs to one of these recipients
        "); }
    }
    let missing = depot.fails(2, verify(&depot, "readable", Some(Path::new("/nonexistent/key.txt")))).await;
    insta::assert_snapshot!(missing, @r"
    error: cannot read the key file '/nonexistent/key.txt'
    caused by: No such file or directory (os error 2)
    hint: check the path, and who may read it
    ");
    let public = Age::new();
    std::fs::write(public.identity(), &public.recipient).unwrap();
    let said = depot.fails(2, verify(&depot, "readable", Some(&public.identity()))).await;
    insta::assert_snapshot!(said.replace(&public.identity().display().to_string(), "[FILE]"), @r"
    error: no identity in '[FILE]': it holds a recipient, which is the public part
    hint: give a file made by `backstop key generate`, `age-keygen` or `gpg --export-secret-keys`
    ");
    assert_eq!(before, depot.objects().await);
    depot.run(verify(&depot, "contents", Some(&right.identity()))).await.ended(0);
}

#[tokio::test]
async fn a_wrong_openpgp_key() {
    let (right, wrong) = (Gpg::new(), Gpg::new());
    let depot = Depot::local();
    let certificate = right.certificate().display().to_string();
    depot.good_backup(&["--recipient", &certificate]).await;
    let said = depot.fails(2, verify(&depot, "readable", Some(&wrong.secret_key()))).await;
    // Which keys would open it is told by their ids.
    let said: Vec<&str> = said.lines().filter(|line| !line.starts_with("caused by: ")).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    error: cannot open 'shop/manual/[ID].dump.gpg'
    hint: give the identity that belongs to one of these recipients
    ");
    depot.run(verify(&depot, "contents", Some(&right.secret_key()))).await.ended(0);
}

#[tokio::test]
async fn a_wrong_passphrase() {
    const OPENPGP: &str =
        "version: 1\nencryption:\n  method: openpgp\n  passphrase: ${BACKSTOP_PASSPHRASE}\n";
    for (suffix, config) in [(".age", None), (".gpg", Some(OPENPGP))] {
        let depot = Depot::local();
        let mut backup = depot.backup(&[]).await.env("BACKSTOP_PASSPHRASE", "the right one");
        if let Some(config) = config {
            backup = backup.file("backstop.yml", config);
        }
        depot.run(backup).await.ended(0);
        key(&depot.objects().await, &format!(".dump{suffix}"));
        let with = |passphrase| verify(&depot, "contents", None).env("BACKSTOP_PASSPHRASE", passphrase);
        let wrong = depot.fails(2, with("the wrong one")).await;
        insta::allow_duplicates! { insta::assert_snapshot!(wrong.replace(suffix, ".[X]"), @r"
        error: cannot open 'shop/manual/[ID].dump.[X]'
        caused by: the passphrase does not open it
        hint: check the passphrase in BACKSTOP_PASSPHRASE
        "); }
        let age = Age::new();
        let none = depot.fails(2, verify(&depot, "contents", Some(&age.identity()))).await;
        insta::allow_duplicates! { insta::assert_snapshot!(none.replace(suffix, ".[X]").replace("OpenPGP", "age"), @r"
        error: cannot open 'shop/manual/[ID].dump.[X]'
        caused by: it is age-encrypted with a passphrase, and none was given
        hint: give the passphrase in BACKSTOP_PASSPHRASE
        "); }
        depot.run(with("the right one")).await.ended(0);
    }
}
