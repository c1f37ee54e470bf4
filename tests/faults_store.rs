//! A backup to a bucket that does not take it: what it says, that there is no
//! manifest for it, no upload left over, and that the backups before it are as
//! they were, byte for byte.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::depot::{self, Depot, assert_unchanged, key, keys, large, redact, until};
use crate::support::proxy::Fault;
use crate::support::tls_server::free_port;

const FOR_EVER: Option<u32> = None;

/// A depot with one good backup, whose store then begins to fail.
async fn failing(depot: Depot, method: &'static str, target: &'static str, fault: Fault) -> Depot {
    depot.good_backup(&[]).await;
    depot.proxy().when(method, target, fault, FOR_EVER);
    depot
}

/// What the next backup says.
async fn backup_fails(depot: &Depot) -> String {
    depot.fails(2, depot.backup(&["--quiet"]).await).await
}

#[tokio::test]
async fn an_error_500_on_the_dump() {
    let depot =
        failing(Depot::seaweed("dump-500").await, "PUT", ".dump", Fault::Answer(500, "InternalError")).await;
    insta::assert_snapshot!(backup_fails(&depot).await, @r"
    error: cannot write an object in store '[STORE]' ('shop/manual/[ID].dump')
    caused by: the service answered 500 InternalError: Made up
    hint: run it again; if it fails again, the fault lies with the store: `backstop doctor` tests it
    ");
}

#[tokio::test]
async fn a_refusal_in_the_middle_of_a_dump_of_several_parts() {
    let depot =
        failing(Depot::seaweed("part-403").await, "PUT", "partNumber=2", Fault::Answer(403, "AccessDenied"))
            .await;
    let said = depot.fails(2, depot.backup_of(large().await, &["--quiet"]).await).await;
    insta::assert_snapshot!(said, @r"
    error: store '[STORE]' refused to upload a part ('shop/manual/[ID].dump')
    caused by: the service answered 403 AccessDenied: Made up
    hint: check the access key and its secret, and that its policy allows s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucketMultipartUploads here
    ");
    assert!(depot.proxy().count("PUT", "partNumber=1") > 0, "it did not go up in parts");
}

#[tokio::test]
async fn an_error_503_on_the_manifest() {
    let depot =
        failing(Depot::seaweed("manifest-503").await, "PUT", ".manual.json", Fault::Answer(503, "SlowDown"))
            .await;
    insta::assert_snapshot!(backup_fails(&depot).await, @r"
    error: cannot write an object in store '[STORE]' ('shop/catalog/[ID].manual.json')
    caused by: the service answered 503 SlowDown: Made up
    hint: run it again; if it fails again, the fault lies with the store: `backstop doctor` tests it
    ");
}

#[tokio::test]
async fn a_dump_that_is_refused_when_it_is_read_back() {
    let depot =
        failing(Depot::seaweed("read-back").await, "GET", ".dump", Fault::Answer(403, "AccessDenied")).await;
    insta::assert_snapshot!(backup_fails(&depot).await, @r"
    error: store '[STORE]' refused to read an object ('shop/manual/[ID].dump')
    caused by: the service answered 403 AccessDenied: Made up
    hint: check the access key and its secret, and that its policy allows s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucketMultipartUploads here
    ");
}

#[tokio::test]
async fn a_dump_that_reads_back_short() {
    let depot = failing(Depot::seaweed("short").await, "GET", ".dump", Fault::CutAnswer(0)).await;
    insta::assert_snapshot!(backup_fails(&depot).await, @r"
    error: cannot read 'shop/manual/[ID].dump' back
    caused by: 'shop/manual/[ID].dump' in '[STORE]' ended after 0 of [N] bytes
    hint: the object is damaged or the connection is bad: run again, and check it with `backstop verify`
    ");
}

#[tokio::test]
async fn a_lost_answer_to_the_manifest_makes_neither_two_backups_nor_none() {
    let depot = Depot::seaweed("lost-answer").await;
    depot.proxy().when("PUT", ".manual.json", Fault::LoseAnswer(500, "InternalError"), Some(1));
    let id = depot.good_backup(&[]).await;
    assert_eq!(depot.proxy().count("PUT", ".manual.json"), 2);
    let objects = depot.objects().await;
    assert_eq!(key(&objects, ".manual.json"), format!("shop/catalog/{id}.manual.json"));
}

#[tokio::test]
async fn a_manifest_of_which_nobody_knows_whether_it_was_stored_goes_first() {
    // It is stored, its answer is lost, and what became of it is not told.
    let depot = Depot::seaweed("unknown").await;
    depot.good_backup(&[]).await;
    let proxy = depot.proxy();
    let lose_it = || {
        proxy.when("HEAD", ".manual.json", Fault::Delay(Duration::ZERO), Some(1));
        proxy.when("HEAD", ".manual.json", Fault::Answer(403, "AccessDenied"), Some(1));
    };
    lose_it();
    proxy.when("PUT", ".manual.json", Fault::LoseAnswer(403, "AccessDenied"), FOR_EVER);
    backup_fails(&depot).await;
    assert_eq!(proxy.count("DELETE", ".manual.json"), 1);

    // Nor can it be removed: then all that it names must stay, as the backup that it is.
    lose_it();
    proxy.when("DELETE", ".manual.json", Fault::Answer(403, "AccessDenied"), FOR_EVER);
    let before = depot.objects().await;
    let said = depot.run(depot.backup(&["--quiet"]).await).await.ended(2);
    insta::assert_snapshot!(depot.redact(&said.stderr), @r"
    warning: the backup is not encrypted: whoever reads the store reads the data
    error: store '[STORE]' refused to write an object ('shop/catalog/[ID].manual.json')
    caused by: the service answered 403 AccessDenied: Made up
    hint: check the access key and its secret, and that its policy allows s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucketMultipartUploads here
    ");
    let after = depot.objects().await;
    let added: Vec<String> =
        after.keys().filter(|key| !before.contains_key(*key)).map(|key| redact(key)).collect();
    insta::assert_snapshot!(added.join("\n"), @r"
    shop/catalog/[ID].manual.json
    shop/manual/[ID].dump
    shop/manual/[ID].globals.sql
    shop/manual/[ID].sha256
    ");
    depot.run(depot.command(["verify", "--level", "contents"])).await.ended(0);
}

/// The store has all of it and publishes it later: the manifest of a dump that is
/// removed by then would be a false backup.
#[tokio::test]
async fn interrupted_while_the_manifest_is_on_its_way() {
    let depot = Depot::seaweed("manifest-on-its-way").await;
    depot.good_backup(&[]).await;
    let before = depot.objects().await;
    depot.proxy().when("PUT", ".manual.json", Fault::Delay(Duration::from_secs(3)), Some(1));
    let run = depot.backup(&["--quiet"]).await.start();
    until("the manifest's upload", async || depot.proxy().count("PUT", ".manual.json") == 2).await;
    run.signal(Signal::SIGINT);
    tokio::task::spawn_blocking(move || run.wait().ended(2)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_unchanged(&before, &depot.objects().await);
}

/// Counting may take hours, and the dump is lost already.
#[tokio::test]
async fn a_store_that_fails_is_told_while_rows_are_still_counted() {
    let depot =
        failing(Depot::seaweed("while-counting").await, "PUT", ".dump", Fault::Answer(403, "AccessDenied"))
            .await;
    let server = depot::server().await;
    server.sql("postgres", "CREATE DATABASE slow_counts TEMPLATE template0").await;
    server.sql("slow_counts", "CREATE TABLE t AS SELECT 1 AS id").await;
    let signs = tempfile::tempdir().unwrap();
    let (ready, go) = (signs.path().join("ready"), signs.path().join("go"));
    let held = crate::faults_dump::instead(&format!(
        "touch '{}'\nwhile [ ! -e '{}' ]; do sleep 0.05; done\nexec \"$real\" \"$@\"",
        ready.display(),
        go.display()
    ));
    let run = depot.backup_of("slow_counts", &["--quiet", "--jobs", "1"]).await;
    let mut run = run.env("BACKSTOP_PG_BIN", held.path()).start();
    until("pg_dump", async || ready.exists()).await;
    // The session that has the snapshot, and is to count in it, answers no more.
    let counting =
        "SELECT pid FROM pg_stat_activity WHERE datname = 'slow_counts' AND state = 'idle in transaction'";
    let pid = Pid::from_raw(server.sql("postgres", counting).await.parse().unwrap());
    kill(pid, Signal::SIGSTOP).unwrap();
    std::fs::write(&go, "").unwrap();
    until("the end", async || run.is_over()).await;
    kill(pid, Signal::SIGCONT).unwrap();
    let said = run.wait().ended(2).stderr;
    assert!(said.contains("refused to write an object ('shop/manual/"), "{said}");
}

#[tokio::test]
async fn slow_answers_are_waited_for() {
    let depot = Depot::seaweed("slow-backup").await;
    for (method, target) in
        [("PUT", ".dump"), ("GET", ".dump"), ("PUT", ".manual.json"), ("GET", "list-type")]
    {
        depot.proxy().when(method, target, Fault::Delay(Duration::from_secs(2)), Some(1));
    }
    depot.good_backup(&[]).await;
    depot.run(depot.command(["list"])).await.ended(0);
    assert_eq!(depot.proxy().count("PUT", ".dump"), 1, "it was sent twice");
}

#[tokio::test]
async fn a_moment_of_errors_is_not_the_end_of_a_backup() {
    let depot = Depot::seaweed("moments").await;
    for (method, target) in [("PUT", ".dump"), ("HEAD", ".dump"), ("GET", ".dump"), ("PUT", ".manual.json")] {
        depot.proxy().when(method, target, Fault::Answer(503, "SlowDown"), Some(1));
    }
    depot.proxy().when("GET", ".globals.sql", Fault::CutAnswer(10), Some(1));
    depot.good_backup(&[]).await;
    depot.run(depot.command(["verify", "--level", "contents"])).await.ended(0);
}

#[tokio::test]
async fn a_store_that_drops_the_bytes() {
    let depot = failing(Depot::moto("drops").await, "PUT", ".dump", Fault::Swallow).await;
    insta::assert_snapshot!(backup_fails(&depot).await, @r"
    error: store '[STORE]' accepted 'shop/manual/[ID].dump' but does not have it
    hint: do not trust this store with backups until it is repaired; `backstop doctor` tests it
    ");
    let depot = failing(Depot::moto("drops-half").await, "PUT", ".dump", Fault::Halve).await;
    insta::assert_snapshot!(backup_fails(&depot).await, @r"
    error: 'shop/manual/[ID].dump' in '[STORE]' holds [N] bytes, but [N] were sent
    hint: do not trust this store with backups until it is repaired; `backstop doctor` tests it
    ");
}

#[tokio::test]
async fn a_store_that_changes_one_bit_is_found_out_before_the_commit() {
    for (target, what) in [(".dump", "dump"), (".globals.sql", "globals")] {
        let depot = failing(Depot::moto(what).await, "PUT", target, Fault::FlipBit).await;
        // It keeps no checksum that would show it, either.
        depot.proxy().when("GET", target, Fault::Without("x-amz-checksum-mode"), FOR_EVER);
        let said = backup_fails(&depot).await.replace(target, ".[OBJECT]");
        insta::allow_duplicates! { insta::assert_snapshot!(said, @r"
        error: 'shop/manual/[ID].[OBJECT]' was stored, but reads back differently: [N] bytes with SHA-256 [SHA256] were sent, [N] bytes with [SHA256] came back
        hint: it was not committed there; the store loses or changes bytes: run `backstop doctor`
        "); }
        // They arrived in the right number: only reading them again shows it.
        assert_eq!(depot.proxy().count("PUT", ".manual.json"), 1, "a manifest was tried for it");
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong() {
    let skewed = Fault::Answer(403, "RequestTimeTooSkewed");
    let depot = failing(Depot::seaweed("skew").await, "GET", "", skewed).await;
    depot.proxy().when("PUT", "", skewed, FOR_EVER);
    depot.proxy().when("HEAD", "", skewed, FOR_EVER);
    let said = backup_fails(&depot).await;
    insta::assert_snapshot!(said, @r"
    error: the clock of this machine and that of store '[STORE]' differ too much
    hint: set this machine's clock (`timedatectl set-ntp true`) and run again
    ");
    for command in ["list", "show", "verify", "get"] {
        assert_eq!(depot.fails(2, depot.command([command])).await, said, "{command}");
    }
}

#[tokio::test]
async fn a_bucket_that_is_missing() {
    let mut depot = Depot::moto("bucket").await;
    depot.url = "s3://no-such-bucket/shop".to_owned();
    let said = backup_fails(&depot).await;
    insta::assert_snapshot!(said, @r"
    error: store '[STORE]' does not exist
    hint: check the bucket's name, the region and the endpoint, or create the bucket
    ");
    for command in ["list", "show", "verify", "get"] {
        assert_eq!(depot.fails(2, depot.command([command])).await, said, "{command}");
    }
}

#[tokio::test]
async fn wrong_credentials() {
    let depot = Depot::seaweed("wrong-credentials").await;
    depot.good_backup(&[]).await;
    let mut said = String::new();
    for (name, value) in [("AWS_SECRET_ACCESS_KEY", "not-the-secret"), ("AWS_ACCESS_KEY_ID", "nobody")] {
        said += &depot.fails(2, depot.backup(&["--quiet"]).await.env(name, value)).await;
        said += &depot.fails(2, depot.command(["list"]).env(name, value)).await;
    }
    assert!(!said.contains("not-the-secret"), "{said}");
    insta::assert_snapshot!(said, @r"
    error: store '[STORE]' refused to list objects
    caused by: the service answered 403 SignatureDoesNotMatch: The request signature we calculated does not match the signature you provided. Check your key and signing method
    hint: check the access key and its secret, and that its policy allows s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucketMultipartUploads here
    error: store '[STORE]' refused to list objects
    caused by: the service answered 403 SignatureDoesNotMatch: The request signature we calculated does not match the signature you provided. Check your key and signing method
    hint: check the access key and its secret, and that its policy allows s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucketMultipartUploads here
    error: store '[STORE]' refused to list objects
    caused by: the service answered 403 InvalidAccessKeyId: The access key ID you provided does not exist in our records
    hint: check the access key and its secret, and that its policy allows s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucketMultipartUploads here
    error: store '[STORE]' refused to list objects
    caused by: the service answered 403 InvalidAccessKeyId: The access key ID you provided does not exist in our records
    hint: check the access key and its secret, and that its policy allows s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucketMultipartUploads here
    ");
}

#[tokio::test]
async fn no_credentials() {
    let depot = Depot::seaweed("no-credentials").await;
    depot.good_backup(&[]).await;
    for mut run in [depot.backup(&["--quiet"]).await, depot.command(["list"]), depot.command(["verify"])] {
        run.command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        let said = depot.fails(2, run).await;
        insta::allow_duplicates! { insta::assert_snapshot!(said, @r"
        error: no credentials for store '[STORE]'
        caused by: other: the credential provider was not enabled: no credentials found in chain. Attempted:
          Environment: the credential provider was not enabled: environment variable not set
          Profile: the credential provider was not enabled
          WebIdentityToken: the credential provider was not enabled: $AWS_WEB_IDENTITY_TOKEN_FILE was not set
          EcsContainer: the credential provider was not enabled: ECS provider not configured
          Ec2InstanceMetadata: the credential provider was not enabled: IMDS disabled by AWS_EC2_METADATA_DISABLED env var set to `true`
        hint: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a `profile`, or run with a role (web identity, container or machine)
        "); }
    }
}

#[tokio::test]
async fn a_store_that_nobody_answers_for() {
    let depot = Depot::seaweed("nobody").await;
    let closed = format!("http://127.0.0.1:{}", free_port());
    let said = depot.fails(2, depot.command(["list"]).env("AWS_ENDPOINT_URL_S3", closed)).await;
    insta::assert_snapshot!(said, @r"
    error: store '[STORE]' cannot be reached
    caused by: io error: client error (Connect): tcp connect error: Connection refused (os error 111)
    hint: check `endpoint` and `region`, and that this machine's network, proxy and DNS reach the store
    ");
}

#[tokio::test]
async fn list_and_verify_ask_again_and_then_say_that_they_cannot_tell() {
    let depot = Depot::seaweed("reading").await;
    depot.good_backup(&[]).await;
    let proxy = depot.proxy();
    proxy.when("GET", "list-type", Fault::Answer(500, "InternalError"), Some(1));
    proxy.when("GET", ".manual.json", Fault::Answer(503, "SlowDown"), Some(1));
    proxy.when("GET", ".manual.json", Fault::CutAnswer(100), Some(1));
    proxy.when("GET", ".dump", Fault::CutAnswer(1000), Some(2));
    depot.run(depot.command(["verify", "--level", "contents"])).await.ended(0);
    // No answer says nothing about the backup: no record of it is written.
    proxy.when("GET", ".dump", Fault::CutAnswer(0), FOR_EVER);
    let verify = depot.fails(2, depot.command(["verify", "--level", "stored", "--quiet"])).await;
    insta::assert_snapshot!(verify, @r"
    error: cannot read 'shop/manual/[ID].dump' back
    caused by: 'shop/manual/[ID].dump' in '[STORE]' ended after 0 of [N] bytes
    hint: the object is damaged or the connection is bad: run again, and check it with `backstop verify`
    ");
    proxy.when("GET", ".manual.json", Fault::CutAnswer(0), FOR_EVER);
    insta::assert_snapshot!(depot.fails(2, depot.command(["list"])).await, @r"
    error: cannot read 'shop/catalog/[ID].manual.json' back
    caused by: 'shop/catalog/[ID].manual.json' in '[STORE]' ended after 0 of [N] bytes
    hint: the object is damaged or the connection is bad: run again, and check it with `backstop verify`
    ");
    proxy.when("GET", "list-type", Fault::Answer(500, "InternalError"), FOR_EVER);
    insta::assert_snapshot!(depot.fails(2, depot.command(["list"])).await, @r"
    error: cannot list objects in store '[STORE]'
    caused by: the service answered 500 InternalError: Made up
    hint: run it again; if it fails again, the fault lies with the store: `backstop doctor` tests it
    ");
}

/// One manifest that nobody may read hides no other backup, and is not passed over.
#[tokio::test]
async fn a_record_that_cannot_be_read() {
    let depot = Depot::seaweed("unread").await;
    let older = depot.good_backup(&[]).await;
    tokio::time::sleep(Duration::from_millis(1001)).await;
    let newer = depot.good_backup(&[]).await;
    let manifest: &'static str = format!("{newer}.manual.json").leak();
    depot.proxy().when("GET", manifest, Fault::Answer(403, "AccessDenied"), FOR_EVER);
    let list = depot.says(1, depot.command(["list"])).await;
    let (backups, unread) = list.split_once("cannot read: ").expect(&list);
    assert!(backups.contains("\n[ID]  "), "{list}");
    insta::assert_snapshot!(unread, @r"
    shop/catalog/[ID].manual.json: store '[STORE]' refused to read an object ('shop/catalog/[ID].manual.json'): the service answered 403 AccessDenied: Made up
    hint: a record that cannot be read may be whole: see who may read that object, then run again
    ");
    depot.run(depot.command(["show", &older])).await.ended(0);
    for selector in [newer.as_str(), "latest"] {
        let said = depot.fails(2, depot.command(["show", selector])).await;
        insta::allow_duplicates! { insta::assert_snapshot!(said, @r"
        error: record 'shop/catalog/[ID].manual.json' cannot be read: store '[STORE]' refused to read an object ('shop/catalog/[ID].manual.json'): the service answered 403 AccessDenied: Made up
        hint: it may be whole: see who may read that object, then run again; the other backups are not affected, name one of them by its id as `backstop list` shows it
        "); }
    }
    // An id tells the second in which a backup began.
    tokio::time::sleep(Duration::from_millis(1001)).await;
    depot.good_backup(&[]).await;
    depot.run(depot.command(["verify", "--level", "stored"])).await.ended(0);
}

#[tokio::test]
async fn a_verification_costs_the_same_however_many_there_were() {
    let depot = Depot::seaweed("verifications").await;
    depot.good_backup(&[]).await;
    for n in 1..=3 {
        depot.run(depot.command(["verify", "--level", "stored"])).await.ended(0);
        // One before and one after each record.
        assert_eq!(depot.proxy().count("HEAD", ".verified-"), 2 * n);
    }
    let objects = depot.objects().await;
    assert_eq!(objects.keys().filter(|key| key.contains(".verified-")).count(), 3);
}

#[tokio::test]
async fn after_a_failure_nothing_is_in_the_way_of_the_next_backup() {
    let depot = Depot::seaweed("next").await;
    depot.proxy().when("PUT", ".sha256", Fault::Answer(403, "AccessDenied"), Some(1));
    insta::assert_snapshot!(backup_fails(&depot).await, @r"
    error: store '[STORE]' refused to write an object ('shop/manual/[ID].sha256')
    caused by: the service answered 403 AccessDenied: Made up
    hint: check the access key and its secret, and that its policy allows s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucketMultipartUploads here
    ");
    depot.good_backup(&[]).await;
    let objects = depot.objects().await;
    insta::assert_snapshot!(keys(&objects), @r"
    shop/README.txt
    shop/catalog/[ID].manual.json
    shop/manual/[ID].dump
    shop/manual/[ID].globals.sql
    shop/manual/[ID].sha256
    ");
}
