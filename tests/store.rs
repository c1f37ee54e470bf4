//! One battery that every store passes: a directory, SeaweedFS, moto.

use std::sync::Arc;
use std::time::Duration;

use backstop::store::{self, Error, Location, Store};
use backstop::stream::{self, ByteStream};
use bytes::Bytes;

use crate::support::bucket::Bucket;

pub const PART: usize = 8 * 1024 * 1024;

/// Bytes that differ everywhere, so that a part in the wrong place shows.
pub fn noise(length: usize) -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ length as u64;
    let mut all = Vec::with_capacity(length + 8);
    while all.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        all.extend_from_slice(&state.to_le_bytes());
    }
    all.truncate(length);
    all.into()
}

/// A stream in chunks of odd size, as a pipe would give them.
pub fn in_chunks(body: Bytes) -> ByteStream {
    let (sender, stream) = stream::channel();
    tokio::spawn(async move {
        let mut body = body;
        while !body.is_empty() {
            let chunk = body.split_to(body.len().min(100_003));
            if sender.send(chunk).await.is_err() {
                return;
            }
        }
        let _ = sender.end().await;
    });
    stream
}

/// A stream that sends so much and then fails.
pub fn failing_after(bytes: usize) -> ByteStream {
    let (sender, stream) = stream::channel();
    tokio::spawn(async move {
        let mut body = noise(bytes);
        while !body.is_empty() {
            let chunk = body.split_to(body.len().min(1 << 20));
            if sender.send(chunk).await.is_err() {
                return;
            }
        }
        sender.fail(std::io::Error::other("pg_dump was killed")).await;
    });
    stream
}

pub async fn read(store: &dyn Store, key: &str) -> Bytes {
    let mut stream = store.get(key).await.unwrap();
    let mut all = Vec::new();
    while let Some(chunk) = stream.next().await.unwrap() {
        all.extend_from_slice(&chunk);
    }
    all.into()
}

async fn keys(store: &dyn Store, prefix: &str) -> Vec<String> {
    store.list(prefix).await.unwrap().into_iter().map(|object| object.key).collect()
}

async fn put(store: &dyn Store, key: &str, body: &'static [u8]) {
    assert_eq!(store.put(key, ByteStream::from_bytes(body.into())).await.unwrap(), body.len() as u64);
}

async fn battery(store: Arc<dyn Store>) {
    let store = store.as_ref();
    what_is_stored_comes_back(store).await;
    keys_may_hold_what_names_hold(store).await;
    nothing_is_overwritten(store).await;
    what_is_absent_is_told(store).await;
    listings_are_sorted_and_exact(store).await;
    the_lease_is_replaced(store).await;
    keys_cannot_escape(store).await;
    a_failing_stream_leaves_nothing(store).await;
    a_probe_sees_a_good_store_and_leaves_nothing(store).await;
}

async fn what_is_stored_comes_back(store: &dyn Store) {
    for length in [0, 1, 100_000, PART - 1, PART, PART + 1, 2 * PART, 5 * PART + 12_345] {
        let key = format!("sizes/{length}");
        let body = noise(length);
        assert_eq!(store.put(&key, in_chunks(body.clone())).await.unwrap(), length as u64);
        assert!(read(store, &key).await == body, "{length} bytes came back changed");
        let object = store.head(&key).await.unwrap().unwrap();
        assert_eq!((object.bytes, object.key), (length as u64, key.clone()));
        let age = jiff::Timestamp::now().duration_since(object.modified.unwrap());
        assert!(age.as_secs().abs() < 60, "{length} bytes are said to be {age} old");
        store.delete(&key).await.unwrap();
        assert_eq!(store.head(&key).await.unwrap(), None);
    }
    // A chunk of several parts at once.
    let body = noise(2 * PART + 1);
    store.put("sizes/one-chunk", ByteStream::from_bytes(body.clone())).await.unwrap();
    assert!(read(store, "sizes/one-chunk").await == body);
    store.delete("sizes/one-chunk").await.unwrap();
}

async fn keys_may_hold_what_names_hold(store: &dyn Store) {
    let odd = ["odd/a b", "odd/a+b", "odd/a%20b", "odd/ä&=?#", "odd/☃/'\"", "odd/.hidden", "odd/x.part"];
    for key in odd {
        put(store, key, key.as_bytes()).await;
    }
    for key in odd {
        assert_eq!(read(store, key).await, key.as_bytes(), "{key}");
        assert!(store.head(key).await.unwrap().is_some(), "{key}");
    }
    let mut sorted = odd;
    sorted.sort_unstable();
    assert_eq!(keys(store, "odd/").await, sorted);
    for key in odd {
        store.delete(key).await.unwrap();
    }
    assert_eq!(keys(store, "odd/").await, [""; 0]);
}

async fn nothing_is_overwritten(store: &dyn Store) {
    put(store, "once/small", b"first").await;
    for second in [noise(10), noise(PART + 10)] {
        let refused = store.put("once/small", in_chunks(second)).await;
        assert!(matches!(&refused, Err(Error::Exists { key, .. }) if key == "once/small"), "{refused:?}");
        assert_eq!(read(store, "once/small").await, "first");
    }
}

async fn what_is_absent_is_told(store: &dyn Store) {
    assert_eq!(store.head("none/such").await.unwrap(), None);
    let missing = store.get("none/such").await.map(|_| ());
    assert!(matches!(&missing, Err(Error::NotFound { key, .. }) if key == "none/such"), "{missing:?}");
    store.delete("none/such").await.unwrap();
    assert_eq!(keys(store, "none/").await, [""; 0]);
}

async fn listings_are_sorted_and_exact(store: &dyn Store) {
    for key in ["list/shop/b", "list/shop/a/1", "list/shop2/x", "list/shop-a", "list/shop.b", "list/shop/a-1"]
    {
        put(store, key, b"12345").await;
    }
    assert_eq!(keys(store, "list/shop/").await, ["list/shop/a-1", "list/shop/a/1", "list/shop/b"]);
    assert_eq!(keys(store, "list/shop/a").await, ["list/shop/a-1", "list/shop/a/1"]);
    assert_eq!(keys(store, "list/shop").await.len(), 6);
    assert_eq!(keys(store, "list/shop-").await, ["list/shop-a"]);
    assert_eq!(keys(store, "hop").await, [""; 0]);
    assert!(store.list("list/").await.unwrap().iter().all(|object| object.bytes == 5));
    assert!(keys(store, "").await.contains(&"list/shop2/x".to_owned()));
}

async fn the_lease_is_replaced(store: &dyn Store) {
    for body in ["first", "the second", ""] {
        store.replace("catalog/lease", body.into()).await.unwrap();
        assert_eq!(read(store, "catalog/lease").await, body);
    }
}

async fn keys_cannot_escape(store: &dyn Store) {
    for key in ["", "/etc/x", "../x", "a/../../x", "a//b", "a/", "a\0b", "./a", "a/.b.1.part"] {
        let all = [
            store.put(key, ByteStream::from_bytes("x".into())).await.map(|_| ()),
            store.replace(key, "x".into()).await,
            store.get(key).await.map(|_| ()),
            store.head(key).await.map(|_| ()),
            store.delete(key).await,
        ];
        for result in all {
            assert!(matches!(result, Err(Error::BadKey { .. })), "{key:?}: {result:?}");
        }
    }
}

async fn a_failing_stream_leaves_nothing(store: &dyn Store) {
    for length in [0, 1000, 3 * PART] {
        let failed = store.put("fails/x", failing_after(length)).await;
        assert!(
            matches!(&failed, Err(Error::Source(cause)) if cause.to_string() == "pg_dump was killed"),
            "{failed:?}"
        );
        assert_eq!(store.head("fails/x").await.unwrap(), None);
    }
    // A writer that vanished is no end of file.
    let (sender, body) = stream::channel();
    sender.send(noise(1000)).await.unwrap();
    drop(sender);
    assert!(matches!(store.put("fails/x", body).await, Err(Error::Source(_))));
    assert_eq!(keys(store, "fails/").await, [""; 0]);
    // And the key is still free.
    put(store, "fails/x", b"now").await;
    assert_eq!(read(store, "fails/x").await, "now");
}

async fn a_probe_sees_a_good_store_and_leaves_nothing(store: &dyn Store) {
    let before = keys(store, "").await;
    for prefix in ["", "shop", "shop/catalog/"] {
        let seen = store.probe(prefix).await.unwrap();
        assert!(seen.create_only, "{seen:?}");
        assert_eq!(seen.clock_ahead, Some(0));
        assert_eq!(seen.stale_uploads, Some(0));
    }
    assert_eq!(keys(store, "").await, before);
}

/// Writers of one key at once: all but the winners are told that it is there, and
/// what lies there is one winner's, whole. Returns how many won.
async fn race(store: Arc<dyn Store>, length: usize) -> usize {
    let writers: Vec<_> = (0..16_u8)
        .map(|writer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let body = Bytes::from(vec![writer; length]);
                (writer, store.put("race/key", in_chunks(body)).await)
            })
        })
        .collect();
    let mut winners = Vec::new();
    for writer in writers {
        match writer.await.unwrap() {
            (writer, Ok(_)) => winners.push(writer),
            (_, Err(Error::Exists { .. })) => {}
            (writer, Err(other)) => panic!("writer {writer}: {other:?}"),
        }
    }
    let stored = read(store.as_ref(), "race/key").await;
    assert_eq!(stored.len(), length);
    assert!(stored.iter().all(|byte| *byte == stored[0]) && winners.contains(&stored[0]));
    assert_eq!(keys(store.as_ref(), "race/").await, ["race/key"]);
    winners.len()
}

#[tokio::test]
async fn a_folder_passes_the_battery() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}/shop", folder.path().display());
    let store = store::connect(&Location { url, ..Location::default() }).await.unwrap();
    battery(store).await;
}

#[tokio::test]
async fn seaweedfs_passes_the_battery() {
    let bucket = Bucket::seaweed("battery").await;
    battery(bucket.store().await).await;
    assert_eq!(bucket.uploads().await, [""; 0]);
}

#[tokio::test]
async fn moto_passes_the_battery() {
    let bucket = Bucket::moto("battery").await;
    battery(bucket.store().await).await;
    assert_eq!(bucket.uploads().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_16_writers_to_a_folder_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().display().to_string();
    let store = store::connect(&Location { url, ..Location::default() }).await.unwrap();
    assert_eq!(race(store, 100_000).await, 1);
    let left: Vec<_> = std::fs::read_dir(folder.path().join("race")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_16_writers_to_seaweedfs_one_wins() {
    let bucket = Bucket::seaweed("race").await;
    assert_eq!(race(bucket.store().await, 100_000).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_16_writers_to_moto_one_wins() {
    let bucket = Bucket::moto("race").await;
    assert_eq!(race(bucket.store().await, 100_000).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_16_uploads_in_parts_one_is_there_whole_and_none_is_left_open() {
    // SeaweedFS may complete several, one over the other: its check of the
    // condition and its completion are two steps. So there may be more winners.
    let bucket = Bucket::seaweed("race-parts").await;
    assert!(race(bucket.store().await, PART + 1).await >= 1);
    assert_eq!(bucket.uploads().await, [""; 0]);
}

#[tokio::test]
async fn more_objects_than_a_page_holds_are_listed() {
    use futures::{StreamExt, stream};
    for bucket in [Bucket::seaweed("pages").await, Bucket::moto("pages").await] {
        let store = bucket.store().await;
        let wanted: Vec<_> = (0..1203).map(|n| format!("shop/catalog/{n:04}.json")).collect();
        let written = stream::iter(&wanted).map(|key| store.replace(key, "{}".into())).buffer_unordered(16);
        written.for_each(async |done| done.unwrap()).await;
        assert_eq!(keys(store.as_ref(), "shop/").await, wanted, "{}", bucket.endpoint);
    }
}

#[tokio::test]
async fn a_signed_url_reads_without_credentials_for_a_while() {
    let bucket = Bucket::seaweed("presign").await;
    let store = bucket.store().await;
    let body = noise(100_000);
    store.put("a b/ü", in_chunks(body.clone())).await.unwrap();
    // From the second in which it was signed.
    let url = store.presign("a b/ü", Duration::from_secs(5)).await.unwrap().unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(&url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.bytes().await.unwrap() == body);
    let forged = client.get(url.replace("X-Amz-Expires=5&", "X-Amz-Expires=999&")).send().await.unwrap();
    assert_eq!(forged.status(), 403);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(client.get(&url).send().await.unwrap().status(), 403, "it outlived its time");
    for bad in [Duration::ZERO, Duration::from_hours(8 * 24)] {
        assert!(matches!(store.presign("a b/ü", bad).await, Err(Error::BadSetting { .. })));
    }
}

#[tokio::test]
async fn server_side_encryption_is_asked_for_and_kept() {
    let bucket = Bucket::moto("sse").await;
    for (sse, key) in [("AES256", "aes"), ("aws:kms", "kms")] {
        let location = Location { sse: Some(sse.to_owned()), ..bucket.location() };
        let store = bucket.open(&location).await.unwrap();
        for (length, name) in [(10, "small"), (PART + 10, "parts")] {
            let key = format!("{key}/{name}");
            store.put(&key, in_chunks(noise(length))).await.unwrap();
            assert_eq!(bucket.encryption(&key).await.as_deref(), Some(sse));
        }
    }
    for (sse, key_id) in [(Some("aes"), None), (None, Some("key")), (Some("AES256"), Some("key"))] {
        let location = Location {
            sse: sse.map(str::to_owned),
            sse_kms_key_id: key_id.map(str::to_owned),
            ..bucket.location()
        };
        let refused = bucket.open(&location).await.map(|_| ());
        assert!(matches!(refused, Err(Error::BadSetting { .. })), "{refused:?}");
    }
}
