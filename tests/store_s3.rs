//! What S3 users meet beyond keys and bytes, with the built program on SeaweedFS:
//! the configuration file, profiles, deep prefixes, long listings, large objects,
//! and keys that a job gets for a signed token.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backstop_policy::manifest::Manifest;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::bucket::Bucket;
use crate::support::cluster::Server;
use crate::support::command::{Backstop, backstop};
use crate::support::issuer::Issuer;
use crate::support::sealing::{Keys, Sealing};
use crate::support::server::{self, ACCESS_KEY, SECRET_KEY};

/// A command for the shop of a server.
fn at(server: &Server, arguments: &[&str]) -> Backstop {
    let run = backstop(arguments).env("PGDATABASE", "shop").env("AWS_EC2_METADATA_DISABLED", "true");
    server.environment().into_iter().fold(run, |run, (name, value)| run.env(name, value))
}

fn json(run: Backstop) -> Value {
    serde_json::from_str(&run.run().ended(0).stdout).unwrap()
}

/// Endpoint, region and path style from backstop.yml, the prefix some levels deep,
/// and the keys in a profile of the shared credentials file.
#[tokio::test]
async fn a_store_of_the_configuration_with_a_profile() {
    let server = Server::start(15).await;
    server.create_shop("shop", 0.01).await;
    let bucket = Bucket::seaweed("team/eu west/a+b=c").await;
    let url = bucket.url();
    let config = |extra: &str| {
        format!(
            "version: 1\ndatabases: {{ shop: {{}} }}\nencryption: {{ method: none }}\nstores:\n  main:\n    url: \"{url}\"\n    \
             region: us-east-1\n    endpoint: {}\n    path_style: true\n{extra}",
            bucket.endpoint
        )
    };
    let credentials = format!(
        "[default]\naws_access_key_id = nobody\naws_secret_access_key = wrong\n\n\
         [backups]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    );
    let run = |arguments: &[&str], extra: &str| {
        let run =
            at(&server, arguments).file("backstop.yml", &config(extra)).file("credentials", &credentials);
        let file = run.home().join("credentials");
        run.env("AWS_SHARED_CREDENTIALS_FILE", file).env("AWS_CONFIG_FILE", "/nonexistent")
    };
    // By the environment, then by the configuration.
    let taken = json(run(&["backup", "--format", "json"], "").env("AWS_PROFILE", "backups"));
    json(run(&["verify", "--level", "contents", "--format", "json"], "    profile: backups\n"));
    let keys = bucket.keys().await;
    for key in [&taken["artifact"]["key"], &taken["globals"]["key"]] {
        assert!(keys.contains(&key.as_str().unwrap().to_owned()), "{keys:?}");
    }
    let refused = run(&["list"], "").run().ended(2);
    assert!(!refused.stderr.contains("wrong"), "a secret in: {}", refused.stderr);
    let said = refused.stderr.replace(&bucket.endpoint, "[ENDPOINT]").replace(&bucket.prefix, "[PREFIX]");
    insta::assert_snapshot!(said, @"
    error: store 's3://backstop-tests/[PREFIX]' refused to list objects
    caused by: the service answered 403 InvalidAccessKeyId: The access key ID you provided does not exist in our records
    hint: check the access key and its secret, and that its policy allows s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucketMultipartUploads here
    ");
    server.cluster.stop().await.unwrap();
}

/// S3 lists a thousand objects a page.
#[tokio::test]
async fn more_records_than_a_page_lists() {
    const COPIES: u32 = 1050;
    let server = Server::start(15).await;
    server.sql("postgres", "CREATE DATABASE shop").await;
    server.sql("shop", "CREATE TABLE t AS SELECT 1 AS id").await;
    let bucket = Arc::new(Bucket::seaweed("many-records").await);
    let url = bucket.url();
    let run = |arguments: &[&str]| {
        let arguments: Vec<&str> =
            arguments.iter().copied().chain(["--store", &url, "--format", "json"]).collect();
        bucket.env().into_iter().fold(at(&server, &arguments), |run, (name, value)| run.env(name, value))
    };
    let manifest: Manifest = serde_json::from_value(json(run(&["backup"]))).unwrap();
    let mut copies = tokio::task::JoinSet::new();
    for n in 0..COPIES {
        let id = format!("20200101T{:02}{:02}{:02}Z-{n:06x}", n / 3600, n / 60 % 60, n % 60);
        let record = serde_json::to_string(&Manifest { id: id.clone(), ..manifest.clone() }).unwrap();
        let sha256 = hex::encode(Sha256::digest(&record));
        let record = format!("{{\"sha256\": \"{sha256}\", \"record\": {record}}}").into_bytes();
        let bucket = bucket.clone();
        copies
            .spawn(async move { bucket.overwrite(&format!("shop/catalog/{id}.manual.json"), record).await });
        if copies.len() >= 16 {
            copies.join_next().await.unwrap().unwrap();
        }
    }
    copies.join_all().await;

    let begun = Instant::now();
    let listed = json(run(&["list"]));
    assert!(begun.elapsed() < Duration::from_mins(1), "it took {:?}", begun.elapsed());
    let ids: Vec<&str> =
        listed["backups"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), COPIES as usize + 1);
    assert_eq!((ids[0], ids[ids.len() - 1]), (&*manifest.id, "20200101T000000Z-000000"));
    assert!(ids.is_sorted_by(|newer, older| newer > older));
    // The last of them is as easy to find as the first.
    let shown = json(run(&["show", "20200101T000001Z"]));
    assert_eq!(shown["id"], "20200101T000001Z-000001");
    server.cluster.stop().await.unwrap();
}

/// More than forty megabytes that cannot be compressed, in parts of eight.
#[tokio::test]
async fn an_object_of_several_parts() {
    let server = Server::start(15).await;
    server.sql("postgres", "CREATE DATABASE shop").await;
    server
        .sql(
            "shop",
            "CREATE TABLE noise (n int PRIMARY KEY, bytes bytea); ALTER TABLE noise ALTER bytes SET STORAGE EXTERNAL;
             INSERT INTO noise SELECT n, string_agg(sha256((n * 100000 + m)::text::bytea), '')
               FROM generate_series(1, 20) n, generate_series(1, 67000) m GROUP BY n",
        )
        .await;
    let keys = Keys::new();
    let sealing = Sealing::Age;
    let recipient = keys.recipient(sealing);
    let bucket = Bucket::seaweed("parts").await;
    let url = bucket.url();
    let run = |arguments: &[&str]| {
        let arguments: Vec<&str> =
            arguments.iter().copied().chain(["--store", &url, "--format", "json"]).collect();
        bucket.env().into_iter().fold(at(&server, &arguments), |run, (name, value)| run.env(name, value))
    };
    let recipient: Vec<&str> = recipient.iter().map(|argument| argument.to_str().unwrap()).collect();
    let manifest: Manifest =
        serde_json::from_value(json(run(&[&["backup"], recipient.as_slice()].concat()))).unwrap();
    assert!(manifest.artifact.stored.bytes > 40 << 20, "{:?}", manifest.artifact);
    // The name that S3 gives to what came in parts ends with their number.
    let tag = bucket.etag(&manifest.artifact.key).await;
    let parts: u32 = tag.trim_matches('"').rsplit_once('-').unwrap().1.parse().unwrap();
    assert!(parts >= 5, "{tag}");
    assert_eq!(bucket.uploads().await, Vec::<String>::new());

    let identity = keys.identity(sealing);
    let identity: Vec<&str> = identity.iter().map(|argument| argument.to_str().unwrap()).collect();
    let found = json(run(&[&["verify", "--level", "contents"], identity.as_slice()].concat()));
    assert_eq!(found["reached"], "contents");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("noise.age");
    json(run(&["get", "--output", file.to_str().unwrap()]));
    let archive = keys.open(sealing, std::fs::read(file).unwrap());
    assert_eq!(archive.len() as u64, manifest.artifact.plain.bytes);
    server.cluster.stop().await.unwrap();
}

/// A job without keys has a token of its CI, for which the service gives some: as
/// GitHub's with AWS. The service checks the signature, so a forged one gets none.
/// It takes a server of its own.
#[tokio::test]
#[ignore = "for `scripts/test --full`"]
async fn keys_for_the_token_of_a_job() {
    let server = Server::start(15).await;
    server.create_shop("shop", 0.01).await;
    let issuer = Issuer::start();
    let s3 = server::seaweed_that_trusts(&issuer.url);
    let bucket = Bucket::on(&s3, "web-identity").await;
    let url = bucket.url();
    let run = |arguments: &[&str], token: &str| {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--store", &url]).collect();
        let run = at(&server, &arguments).file("token", token);
        let file = run.home().join("token");
        run.env("AWS_WEB_IDENTITY_TOKEN_FILE", file)
            .env("AWS_ROLE_ARN", "arn:aws:iam::role/backup")
            .env("AWS_ROLE_SESSION_NAME", "nightly")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ENDPOINT_URL_STS", &bucket.endpoint)
            .env("AWS_ENDPOINT_URL_S3", &bucket.endpoint)
    };
    let token = issuer.token();
    json(run(&["backup", "--format", "json"], &token));
    json(run(&["verify", "--level", "contents", "--format", "json"], &token));

    let forged = format!("{}{}", &token[..token.len() - 8], "AAAAAAAA");
    let said = run(&["backup"], &forged).run().ended(2).stderr;
    assert!(!said.contains(&forged[..40]), "the token is in: {said}");
    insta::assert_snapshot!(said.replace(&bucket.prefix, "[PREFIX]"), @"
    warning: the backup is not encrypted: whoever reads the store reads the data
    error: no credentials for store 's3://backstop-tests/[PREFIX]'
    caused by: the token service answered InvalidParameterValue: failed to validate web identity token: invalid token format: provider: invalid token format: token signature is invalid: crypto/rsa: verification error
    hint: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a `profile`, or run with a role (web identity, container or machine)
    ");
    server.cluster.stop().await.unwrap();
}
