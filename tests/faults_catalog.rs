//! Records that cannot be believed: each is named, by `list` with exit 1, and the
//! other backups stay as usable as they were.

use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::depot::{Depot, key};

/// Ids tell whole seconds: where a manifest cannot be read, no more is known.
const SECOND: Duration = Duration::from_millis(1001);

/// A depot with two backups, the older one first.
async fn two() -> (Depot, String, String) {
    let depot = Depot::local();
    let older = depot.good_backup(&[]).await;
    tokio::time::sleep(SECOND).await;
    let newer = depot.good_backup(&[]).await;
    (depot, older, newer)
}

fn manifest(id: &str) -> String {
    format!("shop/catalog/{id}.manual.json")
}

/// A record changed by somebody who knows how to wrap it.
fn rewritten(bytes: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut record = serde_json::from_slice::<Value>(bytes).unwrap()["record"].take();
    change(&mut record);
    let record = record.to_string();
    let sha256 = hex::encode(Sha256::digest(&record));
    format!("{{\"sha256\": \"{sha256}\", \"record\": {record}}}\n").into_bytes()
}

/// The newest manifest is bad: what `list` says of it. Everything else works on the
/// older backup.
async fn bad_manifest(change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    let (depot, older, newer) = two().await;
    let object = manifest(&newer);
    let bytes = change(depot.objects().await[&object].clone());
    depot.overwrite(&object, bytes).await;

    let list = depot.run(depot.command(["list"])).await.ended(1);
    assert!(list.stdout.contains(&format!("{older}  ")), "{}", list.stdout);
    let damaged: Vec<&str> = list.stdout.lines().filter(|line| line.starts_with("damaged: ")).collect();
    assert_eq!(damaged.len(), 1, "{}", list.stdout);
    assert!(damaged[0].contains(&object));
    let json = depot.run(depot.command(["list", "--format", "json"])).await.ended(1);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["damaged"][0]["key"], Value::from(object));
    assert_eq!(json["backups"].as_array().unwrap().len(), 1);

    // The older one, by its name and as the latest; of that the user is told.
    for selector in [older.as_str(), "latest"] {
        for command in ["show", "verify", "get"] {
            let mut run = depot.command([command, selector, "--quiet"]);
            if command == "verify" {
                run = run.arg("--level=contents");
            }
            let said = depot.run(run).await.ended(0);
            assert_eq!(
                said.stderr.contains("is newer, but cannot be read"),
                selector == "latest",
                "{}",
                said.stderr
            );
        }
    }
    // The bad one is refused by name, and a new backup does not mind.
    let refused = depot.fails(2, depot.command(["verify", newer.as_str()])).await;
    tokio::time::sleep(SECOND).await;
    depot.good_backup(&[]).await;
    let warned = depot.run(depot.command(["show", "latest"])).await.ended(0);
    assert_eq!(warned.stderr, "", "there is a newer one");
    depot.redact(&format!("{}\n{}\n{refused}", damaged[0], list.stderr.trim_end()))
}

/// Where a parser stopped depends on the shop.
fn without_positions(said: &str) -> String {
    let mut text = String::new();
    for line in said.lines() {
        let short = line.split_once(" at line ").map(|(before, _)| format!("{before})"));
        text += short.as_deref().unwrap_or(line);
        text.push('\n');
    }
    text
}

#[tokio::test]
async fn one_bit_of_a_manifest() {
    let said = bad_manifest(|mut bytes| {
        let name = b"\"tier\": \"manual";
        let last = bytes.windows(name.len()).position(|window| window == name).unwrap() + name.len() - 1;
        bytes[last] ^= 1;
        bytes
    })
    .await;
    insta::assert_snapshot!(said, @r"
    damaged: shop/catalog/[ID].manual.json: its SHA-256 does not fit its text
    hint: the other backups are not affected; bring a damaged record back from the bucket's versions or from another store
    error: record 'shop/catalog/[ID].manual.json' is damaged: its SHA-256 does not fit its text
    hint: the other backups are not affected, `backstop list` shows them; bring the record back from the bucket's versions or from another store
    ");
}

#[tokio::test]
async fn a_manifest_that_is_cut_short() {
    let said = bad_manifest(|bytes| bytes[..bytes.len() / 2].to_vec()).await;
    // What the parser met, and where, depends on the shop.
    let met = ["a value", "a string", "an object", "a list"];
    let said = met.iter().fold(said, |said, met| said.replace(&format!(" while parsing {met}"), ""));
    insta::assert_snapshot!(without_positions(&said), @r"
    damaged: shop/catalog/[ID].manual.json: not a record (EOF)
    hint: the other backups are not affected; bring a damaged record back from the bucket's versions or from another store
    error: record 'shop/catalog/[ID].manual.json' is damaged: not a record (EOF)
    hint: the other backups are not affected, `backstop list` shows them; bring the record back from the bucket's versions or from another store
    ");
}

#[tokio::test]
async fn an_empty_manifest() {
    insta::assert_snapshot!(bad_manifest(|_| Vec::new()).await, @r"
    damaged: shop/catalog/[ID].manual.json: not a record (EOF while parsing a value at line 1 column 0)
    hint: the other backups are not affected; bring a damaged record back from the bucket's versions or from another store
    error: record 'shop/catalog/[ID].manual.json' is damaged: not a record (EOF while parsing a value at line 1 column 0)
    hint: the other backups are not affected, `backstop list` shows them; bring the record back from the bucket's versions or from another store
    ");
}

#[tokio::test]
async fn a_manifest_of_a_newer_schema() {
    let said = bad_manifest(|bytes| {
        rewritten(&bytes, |record| {
            record["schema"] = 2.into();
            record["artifact"] = "something else by then".into();
        })
    })
    .await;
    insta::assert_snapshot!(said, @r"
    damaged: shop/catalog/[ID].manual.json: it has schema 2, but this version reads up to 1
    hint: read a record of a newer schema with the version of backstop that wrote it
    error: record 'shop/catalog/[ID].manual.json' has schema 2, but this version reads up to 1
    hint: use the version of backstop that wrote it, or a newer one
    ");
}

#[tokio::test]
async fn a_manifest_that_lacks_a_field() {
    let said = bad_manifest(|bytes| {
        rewritten(&bytes, |record| {
            record.as_object_mut().unwrap().remove("artifact");
        })
    })
    .await;
    insta::assert_snapshot!(without_positions(&said), @r"
    damaged: shop/catalog/[ID].manual.json: a field is not as expected (missing field `artifact`)
    hint: the other backups are not affected; bring a damaged record back from the bucket's versions or from another store
    error: record 'shop/catalog/[ID].manual.json' is damaged: a field is not as expected (missing field `artifact`)
    hint: the other backups are not affected, `backstop list` shows them; bring the record back from the bucket's versions or from another store
    ");
}

#[tokio::test]
async fn a_manifest_under_the_name_of_another() {
    let said =
        bad_manifest(|bytes| rewritten(&bytes, |record| record["id"] = "20200101T000000Z-000000".into()))
            .await;
    insta::assert_snapshot!(said, @r"
    damaged: shop/catalog/[ID].manual.json: it is the record of another backup
    hint: the other backups are not affected; bring a damaged record back from the bucket's versions or from another store
    error: record 'shop/catalog/[ID].manual.json' is damaged: it is the record of another backup
    hint: the other backups are not affected, `backstop list` shows them; bring the record back from the bucket's versions or from another store
    ");
}

#[tokio::test]
async fn a_verification_record_that_is_damaged() {
    let (depot, older, _) = two().await;
    depot.run(depot.command(["verify", &older, "--level", "contents"])).await.ended(0);
    let record = key(&depot.objects().await, ".verified-1.json");
    let whole = depot.objects().await[&record].clone();
    depot.overwrite(&record, whole[..100].to_vec()).await;
    let list = depot.run(depot.command(["list"])).await.ended(1);
    let damaged: Vec<&str> = list.stdout.lines().filter(|line| line.starts_with("damaged: ")).collect();
    insta::assert_snapshot!(depot.redact(&damaged.join("\n")).split(" (").next().unwrap(), @"damaged: shop/catalog/[ID].manual.verified-1.json: not a record");
    // The backup is as good as its manifest says, and can be verified anew.
    let shown = depot.run(depot.command(["show", &older])).await.ended(0);
    assert!(!shown.stdout.contains("verified "), "{}", shown.stdout);
    depot.run(depot.command(["verify", &older, "--level", "contents"])).await.ended(0);
    assert_eq!(depot.objects().await[&record], whole[..100], "a record was overwritten");
    let shown = depot.run(depot.command(["show", &older])).await.ended(0);
    assert!(shown.stdout.contains("passed: contents"), "{}", shown.stdout);
}

#[tokio::test]
async fn a_reader_that_has_seen_enough() {
    let (depot, ..) = two().await;
    for arguments in [&["list"][..], &["list", "--format", "json"], &["show"]] {
        let mut run = depot.command(arguments.iter().copied());
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = run.command.stdout(writer).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(output.stderr.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    // But a result that is lost is an error.
    let mut run = depot.command(["list", "--format", "json"]);
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = run.command.stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stderr), @r"
    error: cannot write to standard out
    caused by: No space left on device (os error 28)
    ");
}

/// Of several backups in one second the ids tell nothing: they are in the order in which
/// they began, whatever their names.
#[tokio::test]
async fn backups_of_one_second_are_in_the_order_in_which_they_began() {
    let depot = Depot::local();
    let id = depot.good_backup(&[]).await;
    let original = depot.objects().await[&manifest(&id)].clone();
    depot.remove(&manifest(&id)).await;
    let named = |random: &str| format!("20260102T030405Z-{random}");
    let began = [("aaaaaa", "05.2Z"), ("cccccc", "05.100000002Z"), ("bbbbbb", "05.1Z"), ("dddddd", "05Z")];
    for (random, second) in began {
        let bytes = rewritten(&original, |record| {
            record["id"] = named(random).into();
            record["started_at"] = format!("2026-01-02T03:04:{second}").into();
        });
        depot.overwrite(&manifest(&named(random)), bytes).await;
    }
    let list = depot.run(depot.command(["list", "--format", "json"])).await.ended(0);
    let list: Value = serde_json::from_str(&list.stdout).unwrap();
    let listed: Vec<&str> =
        list["backups"].as_array().unwrap().iter().map(|backup| backup["id"].as_str().unwrap()).collect();
    assert_eq!(listed, began.map(|(random, _)| named(random)));
    for command in ["show", "verify"] {
        let mut run = depot.command([command, "latest"]);
        if command == "verify" {
            run = run.arg("--level=stored");
        }
        let said = depot.run(run).await.ended(0);
        assert!(said.stdout.contains(&named("aaaaaa")), "{}", said.stdout);
        assert_eq!(said.stderr, "");
    }
    // Of one that cannot be read, nobody knows whether it is the newest.
    let damaged = manifest(&named("bbbbbb"));
    depot.overwrite(&damaged, Vec::new()).await;
    let said = depot.run(depot.command(["show", "latest"])).await.ended(0);
    assert!(said.stdout.contains(&named("aaaaaa")), "{}", said.stdout);
    assert!(
        said.stderr.contains(&format!("'{damaged}' may be newer, but cannot be read: ")),
        "{}",
        said.stderr
    );
    depot.run(depot.command(["show", &named("cccccc")])).await.ended(0);
}
