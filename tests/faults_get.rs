//! Getting a backup's file onto something, half of it, by a URL; and recipients
//! that are none, which end a backup before it begins.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use nix::sys::signal::Signal;
use sha2::{Digest, Sha256};

use crate::support::depot::{self, Depot, key, stock, until};
use crate::support::keys::{Age, Gpg};
use crate::support::proxy::Fault;
use crate::support::tools::tool;

#[tokio::test]
async fn onto_a_file_that_is_there() {
    let depot = Depot::local();
    depot.good_backup(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.dump");
    std::fs::write(&file, "precious").unwrap();
    // A name that an older way of downloading would have used.
    std::fs::write(folder.path().join("x.part"), "precious, too").unwrap();
    let get = |name: &str| {
        let path = folder.path().join(name).display().to_string();
        depot.command(["get", "--quiet"]).arg(format!("--output={path}"))
    };
    let said = depot.fails(2, get("x.dump")).await;
    insta::assert_snapshot!(said.replace(&folder.path().display().to_string(), "[OUT]"), @r"
    error: '[OUT]/x.dump' is there already
    hint: name another file with --output, or move that one away
    ");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
    std::os::unix::fs::symlink("/nonexistent/elsewhere", folder.path().join("link")).unwrap();
    depot.fails(2, get("link")).await;

    depot.run(get("y.dump")).await.ended(0);
    let objects = depot.objects().await;
    let got = folder.path().join("y.dump");
    assert_eq!(std::fs::read(&got).unwrap(), objects[&key(&objects, ".dump")]);
    assert_eq!(got.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(folder.path().join("x.part")).unwrap(), "precious, too");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4, "something was left");

    let said = depot.fails(2, get("missing/y.dump")).await;
    let said = said.replace(&folder.path().display().to_string(), "[OUT]");
    insta::assert_snapshot!(said.split(" at path").next().unwrap(), @r"
    error: cannot copy 'shop/manual/[ID].dump' to '[OUT]/missing/y.dump'
    caused by: No such file or directory (os error 2)
    ");
}

#[tokio::test]
async fn interrupted_on_its_way() {
    // The store stands still in the middle: the signal must be enough.
    let depot = Depot::seaweed("get-interrupted").await;
    depot.good_backup(&[]).await;
    depot.proxy().when("GET", ".dump", Fault::Hang, None);
    for (signal, what) in [(Signal::SIGINT, "get"), (Signal::SIGTERM, "verify")] {
        let before = depot.proxy().count("GET", ".dump");
        let run = depot.command([what, "--quiet"]).start();
        until("the download", async || depot.proxy().count("GET", ".dump") > before).await;
        let begun = std::time::Instant::now();
        run.signal(signal);
        let home = run.home.path().to_owned();
        let said = tokio::task::spawn_blocking(move || run.wait()).await.unwrap().ended(2);
        assert!(begun.elapsed().as_secs() < 10, "{what} took {:?} to stop", begun.elapsed());
        insta::allow_duplicates! { insta::assert_snapshot!(depot.redact(&said.stderr), @"error: interrupted"); }
        depot::assert_no_process(&home).await;
    }
}

#[tokio::test]
async fn by_a_signed_url() {
    let depot = Depot::seaweed("presign").await;
    let age = Age::new();
    depot.good_backup(&["--recipient", &age.recipient]).await;
    let objects = depot.objects().await;
    for (globals, suffix) in [(false, ".dump.age"), (true, ".globals.sql.age")] {
        let mut run = depot.command(["get", "--presign", "5m", "--format", "json"]);
        if globals {
            run = run.arg("--globals");
        }
        let said = depot.run(run).await.ended(0);
        let told: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        let url = told["url"].as_str().unwrap().to_owned();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x");
        let mut curl = Command::new(tool("curl"));
        curl.args(["--silent", "--show-error", "--fail", "--output"]).arg(&file).arg(&url);
        tokio::task::spawn_blocking(move || stock(&mut curl)).await.unwrap();
        let got = std::fs::read(file).unwrap();
        assert_eq!(got, objects[&key(&objects, suffix)]);
        assert_eq!(told["sha256"], hex::encode(Sha256::digest(&got)));
    }
    // In text, nothing but the URL, for `$(backstop get --presign 5m)`.
    let said = depot.run(depot.command(["get", "--presign", "5m"])).await.ended(0);
    assert!(said.stdout.starts_with("http") && said.stdout.lines().count() == 1, "{}", said.stdout);
    insta::assert_snapshot!(depot.fails(2, depot.command(["get", "--presign", "8d"])).await, @r"
    error: store '[STORE]' is set up wrongly: a signed URL holds for one second to seven days
    hint: correct it where the store is named: `--store`, or `stores:` in backstop.yml
    ");
    depot.remove(&key(&objects, ".dump.age")).await;
    insta::assert_snapshot!(depot.fails(2, depot.command(["get", "--presign", "5m"])).await, @r"
    error: no object 'shop/manual/[ID].dump.age' in '[STORE]'
    hint: it was removed behind backstop's back: bring it back from the bucket's versions or from another store
    ");
}

#[tokio::test]
async fn a_folder_signs_no_urls() {
    let depot = Depot::local();
    depot.good_backup(&[]).await;
    insta::assert_snapshot!(depot.fails(2, depot.command(["get", "--presign", "5m"])).await, @r"
    error: store '[STORE]' makes no signed URLs
    hint: a folder is read where it lies; buckets make signed URLs
    ");
}

#[tokio::test]
async fn recipients_that_are_none() {
    let (age, gpg, expired) = (Age::new(), Gpg::new(), Gpg::expired());
    let depot = Depot::local();
    let secret = std::fs::read_to_string(age.identity()).unwrap();
    let secret = secret.lines().last().unwrap();
    let mut typo = age.recipient.clone().into_bytes();
    typo[20] = if typo[20] == b'q' { b'p' } else { b'q' };
    let typo = String::from_utf8(typo).unwrap();
    let path = |path: std::path::PathBuf| path.display().to_string();
    let mut said = String::new();
    for recipients in [
        vec![typo.clone()],
        vec![age.recipient[..30].to_owned()],
        vec![secret.to_owned()],
        vec![path(age.identity())],
        vec![path(gpg.secret_key())],
        vec![path(expired.certificate())],
        vec![age.recipient.clone(), path(gpg.certificate())],
        vec!["/nonexistent/team.asc".to_owned()],
        vec!["team".to_owned()],
    ] {
        let flags: Vec<&str> = recipients.iter().flat_map(|recipient| ["--recipient", recipient]).collect();
        let one = depot.fails(2, depot.backup(&flags).await).await;
        assert!(!one.contains(secret), "a private key is shown: {one}");
        said = said + &one + "\n";
    }
    assert!(depot.objects().await.is_empty());
    for (found, instead) in [
        (&typo, "[TYPO]"),
        (&age.recipient[..30].to_owned(), "[HALF]"),
        (&path(age.identity()), "[IDENTITY]"),
        (&path(gpg.secret_key()), "[SECRET KEY]"),
        (&path(expired.certificate()), "[CERTIFICATE]"),
    ] {
        said = said.replace(found.as_str(), instead);
    }
    // Which certificate it was is told by its fingerprint.
    let (before, after) = said.split_once(" (key ").unwrap();
    let said = format!("{before}{}", &after[41..]);
    insta::assert_snapshot!(said, @r"
    error: a recipient cannot be used: it is no whole age recipient: `age1` and 58 more characters, with a checksum
    hint: make a pair of keys with `backstop key generate`

    error: a recipient cannot be used: it is no whole age recipient: `age1` and 58 more characters, with a checksum
    hint: make a pair of keys with `backstop key generate`

    error: --recipient holds a secret, which every user of this machine could read from the list of processes
    hint: give the public key, `age1…`

    error: a recipient cannot be used: it is neither an age recipient (`age1…`) nor an OpenPGP certificate (a file `*.asc`, `*.gpg` or `*.pgp`, or armored text)
    hint: make a pair of keys with `backstop key generate`

    error: '[SECRET KEY]' is a private key, but recipients are public keys
    hint: give the public part (`backstop key recipient FILE` prints it) and keep the private key off the machine that makes backups

    error: OpenPGP certificate '[CERTIFICATE]' cannot be a recipient: it expired on 2020-01-02
    hint: export a current certificate with `gpg --export --armor ID`, or renew it with `gpg --quick-set-expire`

    error: age recipients and OpenPGP certificates cannot open the same artifact
    hint: name either only age recipients or only OpenPGP certificates; each one alone can open the backup

    error: cannot read the key file '/nonexistent/team.asc'
    caused by: No such file or directory (os error 2)
    hint: check the path, and who may read it

    error: a recipient cannot be used: it is neither an age recipient (`age1…`) nor an OpenPGP certificate (a file `*.asc`, `*.gpg` or `*.pgp`, or armored text)
    hint: make a pair of keys with `backstop key generate`
    ");
}
