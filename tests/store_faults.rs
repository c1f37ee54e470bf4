//! What a bucket and the way to it can do wrong, each by name: the answer is a
//! success, or a clear error with nothing left behind.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use backstop::error::Advise;
use backstop::store::{self, Error, Location, Store};
use backstop::stream::{self, ByteStream};
use bytes::Bytes;

use crate::store::{PART, failing_after, in_chunks, noise, read};
use crate::support::bucket::Bucket;
use crate::support::child;
use crate::support::proxy::{Fault, Proxy};
use crate::support::server;

const NOTHING: [&str; 0] = [];

struct Scene {
    bucket: Bucket,
    proxy: Proxy,
    store: Arc<dyn Store>,
}

impl Scene {
    /// SeaweedFS, which checks the signature of everything that gets through.
    async fn seaweed(test: &str) -> Self {
        Self::of(Bucket::seaweed(test).await).await
    }

    /// moto, where requests may be changed on their way.
    async fn moto(test: &str) -> Self {
        Self::of(Bucket::moto(test).await).await
    }

    async fn of(bucket: Bucket) -> Self {
        let proxy = Proxy::before(&bucket.endpoint).await;
        let store = bucket.store_at(&proxy.endpoint).await;
        Self { bucket, proxy, store }
    }

    async fn put(&self, key: &str, length: usize) -> Result<u64, Error> {
        self.store.put(key, in_chunks(noise(length))).await
    }

    async fn assert_nothing_is_left(&self) {
        assert_eq!(self.bucket.keys().await, NOTHING);
        assert_eq!(self.bucket.uploads().await, NOTHING);
    }
}

/// All that a user would see of an error, and more.
fn told(error: &Error) -> String {
    let hint = error.hint().unwrap_or_default();
    let mut text = format!("{error}\n{hint}\n{error:?}\n");
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text = format!("{text}{cause}\n{cause:?}\n");
        next = cause.source();
    }
    for secret in ["testsecret", "wrongsecret", "Signature=", "Credential=", "authorization", "x-amz-content"]
    {
        assert!(!text.to_lowercase().contains(&secret.to_lowercase()), "'{secret}' is in: {text}");
    }
    text
}

#[tokio::test]
async fn errors_of_a_moment_are_retried() {
    let scene = Scene::seaweed("moment").await;
    scene.proxy.when("PUT", "partNumber=1", Fault::Answer(500, "InternalError"), Some(2));
    scene.proxy.when("PUT", "partNumber=2", Fault::Answer(503, "SlowDown"), Some(2));
    scene.proxy.when("POST", "uploads", Fault::Answer(500, "InternalError"), Some(1));
    scene.proxy.when("POST", "uploadId=", Fault::Answer(500, "InternalError"), Some(1));
    scene.proxy.when("HEAD", "/x", Fault::Answer(503, "SlowDown"), Some(1));
    scene.proxy.when("GET", "/x", Fault::Answer(500, "InternalError"), Some(1));
    let length = 2 * PART + 7;
    assert_eq!(scene.put("x", length).await.unwrap(), length as u64);
    assert!(read(scene.store.as_ref(), "x").await == noise(length));
    assert_eq!(scene.proxy.count("PUT", "partNumber=1"), 3);
    assert_eq!(scene.proxy.count("PUT", "partNumber=2"), 3);
    assert_eq!(scene.bucket.keys().await, ["x"]);
    assert_eq!(scene.bucket.uploads().await, NOTHING);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_known_as_our_own() {
    let scene = Scene::seaweed("lost-answer").await;
    // The repetition is answered 412, or 404 for the upload that is done.
    scene.proxy.when("PUT", "/small", Fault::LoseAnswer(500, "InternalError"), Some(1));
    scene.proxy.when("POST", "uploadId=", Fault::LoseAnswer(500, "InternalError"), Some(1));
    for (key, length) in [("small", 1000), ("parts", PART + 1)] {
        assert_eq!(scene.put(key, length).await.unwrap(), length as u64);
        assert!(read(scene.store.as_ref(), key).await == noise(length));
    }
    assert_eq!(scene.proxy.count("PUT", "/small"), 2);
    assert_eq!(scene.proxy.count("POST", "uploadId="), 2);
    assert_eq!(scene.bucket.uploads().await, NOTHING);
}

#[tokio::test]
async fn an_error_that_stays_ends_the_upload_and_leaves_nothing() {
    let rules = [
        ("PUT", "/x?", "upload a part"),
        ("POST", "uploads", "begin an upload"),
        ("POST", "uploadId=", "complete an upload"),
    ];
    let scenes = rules.map(async |(method, target, action)| {
        let scene = Scene::seaweed("for-ever").await;
        scene.proxy.when(method, target, Fault::Answer(500, "InternalError"), None);
        let failed = scene.put("x", 3 * PART).await.unwrap_err();
        let text = told(&failed);
        assert!(text.contains(&format!("cannot {action} in store 's3://")), "{text}");
        assert!(text.contains("the service answered 500 InternalError: Made up"), "{text}");
        scene.assert_nothing_is_left().await;
    });
    futures::future::join_all(scenes).await;
}

#[tokio::test]
async fn an_upload_that_cannot_even_be_aborted_is_told() {
    let scene = Scene::seaweed("no-abort").await;
    scene.proxy.when("DELETE", "uploadId=", Fault::Answer(403, "AccessDenied"), None);
    let failed = scene.store.put("x", failing_after(3 * PART)).await.unwrap_err();
    assert!(matches!(&failed, Error::LeftBehind { source, .. } if matches!(**source, Error::Source(_))));
    let text = told(&failed);
    assert!(text.contains("AbortIncompleteMultipartUpload") && text.contains("pg_dump was killed"), "{text}");
    assert_eq!(scene.bucket.uploads().await.len(), 1);
}

#[tokio::test]
async fn a_connection_that_drops_in_a_part_is_made_anew() {
    let scene = Scene::seaweed("drop").await;
    scene.proxy.when("PUT", "partNumber=", Fault::DropRequest, Some(3));
    let length = 3 * PART;
    scene.put("x", length).await.unwrap();
    assert!(read(scene.store.as_ref(), "x").await == noise(length));
    assert_eq!(scene.proxy.count("PUT", "partNumber="), 6);
}

#[tokio::test]
async fn a_slow_answer_is_waited_for() {
    let scene = Scene::seaweed("slow").await;
    // Longer than the SDK's own patience with a body that stands still, by default.
    scene.proxy.when("PUT", "partNumber=", Fault::Delay(Duration::from_secs(7)), Some(1));
    scene.proxy.when("GET", "/x", Fault::Delay(Duration::from_secs(7)), Some(1));
    scene.put("x", PART + 1).await.unwrap();
    assert!(read(scene.store.as_ref(), "x").await == noise(PART + 1));
    assert_eq!(scene.proxy.count("PUT", "partNumber="), 2);
    assert_eq!(scene.proxy.count("GET", "/x"), 1);
}

#[tokio::test]
async fn a_short_body_is_taken_up_where_it_stopped() {
    let scene = Scene::seaweed("short").await;
    let length = 2 * PART + 3;
    scene.put("x", length).await.unwrap();
    scene.proxy.when("GET", "/x", Fault::CutAnswer(1_000_000), Some(3));
    assert!(read(scene.store.as_ref(), "x").await == noise(length));
    assert_eq!(scene.proxy.count("GET", "/x"), 4);
}

#[tokio::test]
async fn a_body_that_stays_short_is_an_error() {
    let scene = Scene::seaweed("short-for-ever").await;
    scene.put("x", 100_000).await.unwrap();
    scene.proxy.when("GET", "/x", Fault::CutAnswer(0), None);
    let mut body = scene.store.get("x").await.unwrap();
    let error = loop {
        match body.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a short body passed for a whole one"),
            Err(cause) => break Error::from_stream(cause, scene.store.url()),
        }
    };
    assert!(matches!(error, Error::Short { expected: 100_000, found: 0, .. }), "{error:?}");
    assert_eq!(scene.proxy.count("GET", "/x"), 5);
    assert!(told(&error).contains("ended after 0 of 100000 bytes"));
}

#[tokio::test]
async fn a_body_that_ends_early_and_in_order_is_not_whole() {
    let scene = Scene::seaweed("early-end").await;
    let length = 1_000_000;
    scene.put("x", length).await.unwrap();
    // Once: the rest is asked for.
    scene.proxy.when("GET", "/x", Fault::EndAnswerEarly, Some(1));
    assert!(read(scene.store.as_ref(), "x").await == noise(length));
    assert_eq!(scene.proxy.count("GET", "/x"), 2);
    // Ever again: half, three quarters, and so on, but never all.
    scene.proxy.when("GET", "/x", Fault::EndAnswerEarly, None);
    let mut body = scene.store.get("x").await.unwrap();
    let error = loop {
        match body.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a short body passed for a whole one"),
            Err(cause) => break Error::from_stream(cause, scene.store.url()),
        }
    };
    assert!(matches!(error, Error::Short { expected: 1_000_000, .. }), "{error:?}");
}

#[tokio::test]
async fn an_object_that_changes_while_it_is_read_is_not_mixed() {
    let scene = Scene::seaweed("changes").await;
    scene.put("x", 2 * PART).await.unwrap();
    scene.proxy.when("GET", "/x", Fault::CutAnswer(PART), Some(1));
    let mut body = scene.store.get("x").await.unwrap();
    body.next().await.unwrap();
    scene.bucket.overwrite("x", vec![0; 2 * PART]).await;
    let error = loop {
        match body.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("bytes of two objects were mixed"),
            Err(cause) => break Error::from_stream(cause, scene.store.url()),
        }
    };
    assert!(matches!(error, Error::Changed { .. }), "{error:?}");
}

#[tokio::test]
async fn a_store_that_drops_the_bytes_is_found_out() {
    let scene = Scene::moto("liar").await;
    scene.proxy.when("PUT", "/lost", Fault::Swallow, None);
    scene.proxy.when("PUT", "/half", Fault::Halve, None);
    scene.proxy.when("PUT", "partNumber=2", Fault::Halve, None);
    let lost = scene.put("lost", 1000).await.unwrap_err();
    assert!(matches!(lost, Error::Lost { .. }), "{lost:?}");
    for (key, length, stored) in [("half", 1000, 500), ("parts", 2 * PART, PART + PART / 2)] {
        let error = scene.put(key, length).await.unwrap_err();
        let sizes = match &error {
            Error::WrongSize { sent, found, .. } => (*sent, *found),
            other => panic!("{other:?}"),
        };
        assert_eq!(sizes, (length as u64, stored as u64));
        assert!(told(&error).contains("do not trust this store"));
    }
    scene.assert_nothing_is_left().await;
}

#[tokio::test]
async fn a_store_that_leaves_encryption_out_is_found_out() {
    let scene = Scene::moto("no-sse").await;
    scene.proxy.when("PUT", "/x", Fault::Without("x-amz-server-side-encryption"), None);
    scene.proxy.when("POST", "uploads", Fault::Without("x-amz-server-side-encryption"), None);
    let location = Location {
        sse: Some("aws:kms".to_owned()),
        endpoint: Some(scene.proxy.endpoint.clone()),
        ..scene.bucket.location()
    };
    let store = scene.bucket.open(&location).await.unwrap();
    for length in [1000, PART + 1] {
        let error = store.put("x", in_chunks(noise(length))).await.unwrap_err();
        assert!(matches!(&error, Error::NotEncrypted { asked, .. } if asked == "aws:kms"), "{error:?}");
        told(&error);
        scene.assert_nothing_is_left().await;
    }
}

#[tokio::test]
async fn a_store_that_ignores_conditions_is_seen_by_the_probe() {
    for (method, target) in [("PUT", "/backstop-probe-"), ("POST", "uploadId=")] {
        let scene = Scene::moto("ignores").await;
        scene.proxy.when(method, target, Fault::Without("if-none-match"), None);
        let seen = scene.store.probe("").await.unwrap();
        assert!(!seen.create_only, "{method}: {seen:?}");
        scene.assert_nothing_is_left().await;
        // An ordinary write is guarded all the same, by the look beforehand.
        scene.proxy.when("PUT", "/once", Fault::Without("if-none-match"), None);
        scene.put("once", 10).await.unwrap();
        assert!(matches!(scene.put("once", 11).await, Err(Error::Exists { .. })));
        assert!(read(scene.store.as_ref(), "once").await == noise(10));
    }
}

#[tokio::test]
async fn unfinished_uploads_of_others_are_counted() {
    // moto dates every upload in parts to 2010.
    let scene = Scene::moto("stale").await;
    scene.bucket.leave_upload("shop/x").await;
    scene.bucket.leave_upload("shop/y").await;
    assert_eq!(scene.store.probe("shop").await.unwrap().stale_uploads, Some(2));
    // SeaweedFS knows that they are of today.
    let scene = Scene::seaweed("stale").await;
    scene.bucket.leave_upload("shop/x").await;
    assert_eq!(scene.store.probe("shop").await.unwrap().stale_uploads, Some(0));
    scene.proxy.when("GET", "uploads", Fault::Answer(501, "NotImplemented"), None);
    assert_eq!(scene.store.probe("shop").await.unwrap().stale_uploads, None);
}

/// Every operation must tell the same reason.
async fn everything_fails(store: &dyn Store, fits: impl Fn(&Error) -> bool) -> String {
    let all = [
        ("put", store.put("x", in_chunks(noise(10))).await.map(|_| ())),
        ("parts", store.put("x", in_chunks(noise(PART + 10))).await.map(|_| ())),
        ("replace", store.replace("x", Bytes::from_static(b"x")).await),
        ("get", store.get("x").await.map(|_| ())),
        ("head", store.head("x").await.map(|_| ())),
        ("list", store.list("").await.map(|_| ())),
        ("delete", store.delete("x").await),
        ("probe", store.probe("").await.map(|_| ())),
    ];
    let mut text = String::new();
    for (what, result) in all {
        let Err(error) = result else { panic!("{what} worked") };
        text = told(&error);
        assert!(fits(&error), "{what}: {text}");
    }
    text
}

#[tokio::test]
async fn a_missing_bucket_is_told() {
    // SeaweedFS makes a missing bucket for an administrator, and denies all others.
    let bucket = Bucket::moto("no-bucket").await;
    let location = bucket.location();
    let pair = (server::ACCESS_KEY, server::SECRET_KEY);
    let store = bucket.open_as(&location, "no-such-bucket", pair).await.unwrap();
    let text = everything_fails(store.as_ref(), |error| matches!(error, Error::NoStore { .. })).await;
    assert!(text.contains("check the bucket's name"), "{text}");
}

#[tokio::test]
async fn wrong_credentials_are_told() {
    let bucket = Bucket::seaweed("wrong-key").await;
    for pair in [(server::ACCESS_KEY, "wrongsecret"), ("nobody", "wrongsecret")] {
        let store = bucket.open_as(&bucket.location(), "backstop-tests", pair).await.unwrap();
        let text = everything_fails(store.as_ref(), |error| matches!(error, Error::Denied { .. })).await;
        assert!(text.contains("check the access key and its secret"), "{text}");
    }
}

#[tokio::test]
async fn a_skewed_clock_is_told() {
    let scene = Scene::seaweed("skew").await;
    for method in ["GET", "PUT", "POST", "HEAD", "DELETE"] {
        scene.proxy.when(method, "/", Fault::Answer(403, "RequestTimeTooSkewed"), None);
    }
    let fits = |error: &Error| matches!(error, Error::ClockSkew { .. });
    let text = everything_fails(scene.store.as_ref(), fits).await;
    assert!(text.contains("timedatectl"), "{text}");
}

#[tokio::test]
async fn a_store_that_cannot_be_reached_is_told() {
    let bucket = Bucket::moto("unreachable").await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let store = bucket.store_at(&format!("http://{free}")).await;
    let error = store.list("").await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert!(told(&error).to_lowercase().contains("connection refused"), "{}", told(&error));
}

#[tokio::test]
async fn a_bucket_in_another_region_is_told() {
    let scene = Scene::seaweed("region").await;
    scene.proxy.when("GET", "", Fault::Answer(301, "PermanentRedirect"), None);
    let error = scene.store.list("").await.unwrap_err();
    assert!(matches!(error, Error::WrongRegion { .. }), "{error:?}");
    assert!(told(&error).contains("set `region`"));
}

#[tokio::test]
async fn an_endpoint_with_credentials_is_refused_and_not_shown() {
    let bucket = Bucket::moto("endpoint").await;
    for endpoint in ["http://test:testsecret@localhost:1", "localhost:9000", "ftp://x", ""] {
        let location = Location { endpoint: Some(endpoint.to_owned()), ..bucket.location() };
        let error = bucket.open(&location).await.map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::BadSetting { .. }), "{error:?}");
        told(&error);
    }
}

#[tokio::test]
async fn an_upload_whose_caller_went_away_is_aborted() {
    let scene = Scene::seaweed("cancel").await;
    let (sender, body) = stream::channel();
    let store = Arc::clone(&scene.store);
    let put = tokio::spawn(async move { store.put("x", body).await });
    for _ in 0..20 {
        sender.send(noise(1 << 20)).await.unwrap();
    }
    for _ in 0..100 {
        if scene.proxy.count("PUT", "partNumber=") >= 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(scene.bucket.uploads().await.len(), 1, "there is no upload to abort");
    put.abort();
    assert!(put.await.unwrap_err().is_cancelled());
    for _ in 0..100 {
        if scene.bucket.uploads().await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    scene.assert_nothing_is_left().await;
}

#[tokio::test]
async fn a_broken_store_is_noticed_while_the_source_is_slow() {
    let scene = Scene::seaweed("slow-source").await;
    scene.proxy.when("PUT", "partNumber=1", Fault::Answer(403, "AccessDenied"), None);
    let (sender, body) = stream::channel();
    let store = Arc::clone(&scene.store);
    let put = tokio::spawn(async move { store.put("x", body).await });
    for _ in 0..9 {
        sender.send(noise(1 << 20)).await.unwrap();
    }
    // The source says nothing more; the error comes all the same.
    let failed = tokio::time::timeout(Duration::from_secs(30), put).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(failed, Error::Denied { action: "upload a part", .. }), "{failed:?}");
    drop(sender);
    scene.assert_nothing_is_left().await;
}

#[tokio::test]
async fn the_standard_chain_finds_credentials_or_says_that_there_are_none() {
    if !child::is_child() {
        let bucket = Bucket::seaweed("chain").await;
        let test = "store_faults::the_standard_chain_finds_credentials_or_says_that_there_are_none";
        let run = |what: &str| {
            let mut command = child::again(test, &[]);
            command.env("CHAIN", what).env("CHAIN_URL", bucket.url());
            command
        };
        // From the environment, the endpoint and the region, too.
        child::passed(run("environment").envs(bucket.env()));
        // From a profile; the endpoint is given.
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let (access, secret) = (server::ACCESS_KEY, server::SECRET_KEY);
        write!(file, "[backups]\naws_access_key_id={access}\naws_secret_access_key={secret}\n").unwrap();
        let profile = |run: &mut std::process::Command| {
            child::passed(
                run.env("AWS_SHARED_CREDENTIALS_FILE", file.path()).env("CHAIN_ENDPOINT", &bucket.endpoint),
            )
        };
        profile(&mut run("profile"));
        profile(&mut run("none"));
        return;
    }
    let case = std::env::var("CHAIN").unwrap();
    let location = Location {
        url: std::env::var("CHAIN_URL").unwrap(),
        endpoint: std::env::var("CHAIN_ENDPOINT").ok(),
        profile: (case == "profile").then(|| "backups".to_owned()),
        ..Location::default()
    };
    let store = store::connect(&location).await.unwrap();
    if case == "none" {
        let text =
            everything_fails(store.as_ref(), |error| matches!(error, Error::NoCredentials { .. })).await;
        assert!(text.contains("AWS_ACCESS_KEY_ID"), "{text}");
    } else {
        store.put(&case, in_chunks(noise(1000))).await.unwrap();
        assert!(read(store.as_ref(), &case).await == noise(1000));
    }
}

/// Anonymous memory of this process, in KiB.
fn anonymous_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_bounded_whatever_the_length() {
    const LENGTH: u64 = 300 << 20;
    static PEAK: AtomicU64 = AtomicU64::new(0);
    if !child::is_child() {
        let bucket = Bucket::seaweed("memory").await;
        let test = "store_faults::memory_is_bounded_whatever_the_length";
        let mut command = child::again(test, &[]);
        println!("{}", child::passed(command.envs(bucket.env()).env("CHAIN_URL", bucket.url())));
        assert_eq!(bucket.keys().await, ["big"]);
        return;
    }
    std::thread::spawn(|| {
        loop {
            PEAK.fetch_max(anonymous_memory(), Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let location = Location { url: std::env::var("CHAIN_URL").unwrap(), ..Location::default() };
    let store = store::connect(&location).await.unwrap();
    let (sender, body) = stream::channel();
    tokio::spawn(async move {
        let chunk = noise(256 * 1024);
        for _ in 0..LENGTH / (256 * 1024) {
            sender.send(chunk.clone()).await.unwrap();
        }
        sender.end().await.unwrap();
    });
    assert_eq!(store.put("big", body).await.unwrap(), LENGTH);
    let peak = PEAK.load(Ordering::Relaxed) / 1024;
    println!("peak of anonymous memory: {peak} MiB");
    assert!(peak <= 64, "{peak} MiB");
}

#[tokio::test]
async fn the_servers_die_with_the_tests() {
    if child::is_child() {
        let bucket = Bucket::moto("dies").await;
        bucket.store().await.put("x", ByteStream::from_bytes("x".into())).await.unwrap();
        println!("\nport={}", bucket.endpoint.rsplit_once(':').unwrap().1);
        std::process::abort();
    }
    let output = child::again("store_faults::the_servers_die_with_the_tests", &[]).output().unwrap();
    assert!(!output.status.success());
    let stdout = String::from_utf8_lossy(&output.stdout);
    let port: u16 = stdout.lines().find_map(|line| line.strip_prefix("port=")).unwrap().parse().unwrap();
    for _ in 0..100 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the server on port {port} is still there");
}
