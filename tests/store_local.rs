//! What is particular to a store in a directory: modes, a full or read-only disk,
//! roots that are not there, files that change under the reader.

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use backstop::error::Advise;
use backstop::store::{self, Error, Location, Store};
use backstop::stream::{self, ByteStream};

use crate::store::{failing_after, in_chunks, noise, read};
use crate::support::child;

async fn open(root: &Path) -> Arc<dyn Store> {
    let location = Location { url: root.display().to_string(), ..Location::default() };
    store::connect(&location).await.unwrap()
}

/// Every file and folder below, the root included, with its mode.
fn tree(root: &Path) -> Vec<(String, u32)> {
    let mut found = vec![(root.display().to_string(), root.metadata().unwrap().mode() & 0o777)];
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let about = path.symlink_metadata().unwrap();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            found.push((name, about.mode() & 0o777));
            if about.is_dir() {
                folders.push(path);
            }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn files_are_0600_in_folders_of_0700() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    let store = open(&root).await;
    assert!(!root.exists(), "connecting made the folder");
    store.put("shop/daily/x.dump", in_chunks(noise(10))).await.unwrap();
    store.replace("shop/catalog/lease", "x".into()).await.unwrap();
    let modes = [
        (root.display().to_string(), 0o700),
        ("shop".to_owned(), 0o700),
        ("shop/catalog".to_owned(), 0o700),
        ("shop/catalog/lease".to_owned(), 0o600),
        ("shop/daily".to_owned(), 0o700),
        ("shop/daily/x.dump".to_owned(), 0o600),
    ];
    assert_eq!(tree(&root), modes);
}

#[tokio::test]
async fn a_root_whose_parent_is_missing_is_no_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("tpyo/shop")).await;
    let all = [
        store.put("x", ByteStream::from_bytes("x".into())).await.map(|_| ()),
        store.get("x").await.map(|_| ()),
        store.head("x").await.map(|_| ()),
        store.list("").await.map(|_| ()),
        store.delete("x").await,
        store.probe("").await.map(|_| ()),
    ];
    for result in all {
        let Err(error @ Error::NoStore { .. }) = result else { panic!("{result:?}") };
        assert!(error.hint().unwrap().contains("mkdir -p -m 700"), "{:?}", error.hint());
    }
    assert!(!folder.path().join("tpyo").exists());
}

#[tokio::test]
async fn a_disk_that_is_not_mounted_is_not_replaced_by_a_folder() {
    // /mnt is there on every Linux system, and nobody mounts this.
    let root = Path::new("/mnt/backstop-test-no-such-disk");
    let store = open(root).await;
    let refused = store.put("x", ByteStream::from_bytes("x".into())).await;
    assert!(matches!(refused, Err(Error::NoStore { .. })), "{refused:?}");
    assert!(!root.exists());
}

#[tokio::test]
async fn settings_of_a_bucket_are_refused_beside_a_folder() {
    let location =
        Location { url: "/tmp/x".to_owned(), sse: Some("AES256".to_owned()), ..Location::default() };
    let refused = store::connect(&location).await.map(|_| ());
    assert!(matches!(refused, Err(Error::BadSetting { .. })), "{refused:?}");
}

#[tokio::test]
async fn links_in_the_root_are_followed_and_loops_end() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    symlink(other.path(), folder.path().join("shop")).unwrap();
    let store = open(folder.path()).await;
    store.put("shop/daily/x", in_chunks(noise(10))).await.unwrap();
    symlink(folder.path(), other.path().join("daily/up")).unwrap();
    assert!(other.path().join("daily/x").is_file());
    let keys: Vec<_> = store.list("").await.unwrap().into_iter().map(|object| object.key).collect();
    assert_eq!(keys, ["shop/daily/x"]);
}

#[tokio::test]
async fn a_link_in_the_place_of_an_object_is_not_written_through() {
    let folder = tempfile::tempdir().unwrap();
    symlink("/nonexistent/elsewhere", folder.path().join("x")).unwrap();
    let store = open(folder.path()).await;
    let refused = store.put("x", in_chunks(noise(10))).await;
    assert!(matches!(refused, Err(Error::Exists { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_failed_put_removes_its_temporary_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    assert!(store.put("x", failing_after(1_000_000)).await.is_err());
    assert_eq!(tree(folder.path()).len(), 1);
}

#[tokio::test]
async fn a_cancelled_put_removes_its_temporary_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let (sender, body) = stream::channel();
    let put = tokio::spawn(async move { store.put("x", body).await });
    for _ in 0..20 {
        sender.send(noise(100_000)).await.unwrap();
    }
    assert_eq!(tree(folder.path()).len(), 2, "no temporary file to remove");
    put.abort();
    assert!(put.await.unwrap_err().is_cancelled());
    assert_eq!(tree(folder.path()).len(), 1);
}

#[tokio::test]
async fn an_unfinished_file_is_not_listed_and_counts_as_stale_after_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    store.put("shop/x", in_chunks(noise(10))).await.unwrap();
    for (name, hours) in [(".x.aaaa.part", 25), (".x.bbbb.part", 1)] {
        let file = std::fs::File::create(folder.path().join("shop").join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3600)).unwrap();
    }
    let keys: Vec<_> = store.list("").await.unwrap().into_iter().map(|object| object.key).collect();
    assert_eq!(keys, ["shop/x"]);
    assert_eq!(store.probe("shop").await.unwrap().stale_uploads, Some(1));
}

#[tokio::test]
async fn a_file_that_shrinks_or_grows_while_it_is_read_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    // More than the stream's buffer holds, so that the reader is still at it.
    let length: usize = 16 << 20;
    for new_length in [length / 2, length + 1] {
        let key = format!("to-{new_length}");
        store.put(&key, in_chunks(noise(length))).await.unwrap();
        let mut body = store.get(&key).await.unwrap();
        body.next().await.unwrap();
        let file = std::fs::File::options().write(true).open(folder.path().join(&key)).unwrap();
        file.set_len(new_length as u64).unwrap();
        let error = loop {
            match body.next().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the stream ended as if nothing had happened"),
                Err(cause) => break Error::from_stream(cause, store.url()),
            }
        };
        let told = match error {
            Error::Short { expected, found, .. } => (expected, found) == (length as u64, new_length as u64),
            Error::Changed { .. } => new_length > length,
            _ => false,
        };
        assert!(told, "{error:?}");
    }
}

#[tokio::test]
async fn a_full_or_read_only_disk_is_told_and_leaves_nothing() {
    if !child::is_child() {
        // A mount namespace of its own: nothing is left mounted, whatever happens.
        let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
        let wrapper: &[&str] = if root { &["unshare", "-m"] } else { &["unshare", "-Urm"] };
        let test = "store_local::a_full_or_read_only_disk_is_told_and_leaves_nothing";
        child::passed(&mut child::again(test, wrapper));
        return;
    }
    let disk = tempfile::tempdir().unwrap();
    let mount = |options: &str| {
        let done = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(disk.path())
            .status()
            .unwrap();
        assert!(done.success(), "cannot mount a tmpfs, even in a namespace");
    };
    mount("size=4m");
    let store = open(&disk.path().join("root")).await;
    store.put("good", in_chunks(noise(1_000_000))).await.unwrap();
    let full = store.put("shop/daily/big", in_chunks(noise(8_000_000))).await;
    assert!(matches!(&full, Err(Error::Full { .. })), "{full:?}");
    assert!(full.unwrap_err().hint().unwrap().contains("free space"));
    let files: Vec<_> = store.list("").await.unwrap().into_iter().map(|object| object.key).collect();
    assert_eq!(files, ["good"]);
    assert!(tree(&disk.path().join("root")).iter().all(|(name, _)| !name.contains(".part")));
    assert!(read(store.as_ref(), "good").await == noise(1_000_000));

    mount("remount,ro");
    let denied = store.put("new", in_chunks(noise(10))).await;
    assert!(matches!(&denied, Err(Error::Denied { .. })), "{denied:?}");
    assert!(denied.unwrap_err().hint().unwrap().contains("read-only"));
    assert!(matches!(store.delete("good").await, Err(Error::Denied { .. })));
    assert!(read(store.as_ref(), "good").await == noise(1_000_000));
    drop(store);
    let gone = std::process::Command::new("umount").arg(disk.path()).status().unwrap();
    assert!(gone.success());
}
