//! A shop on a PostgreSQL 15 server, and a store of a test's own for its backups:
//! a folder, or a bucket behind the fault proxy. What a run said comes out without
//! what differs from run to run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::bucket::Bucket;
use super::cluster::Server;
use super::command::{Backstop, Outcome, Running, backstop};
use super::proxy::Proxy;
use crate::store::read;

/// How long what must happen may take.
const PATIENCE: Duration = Duration::from_secs(30);

const NOT_ENCRYPTED: &str = "warning: the backup is not encrypted: whoever reads the store reads the data\n";

/// Ten megabytes that no compression makes smaller: their dump goes up in more than
/// one part, and takes long enough to be caught on its way.
const NOISE: &str = "
    CREATE TABLE noise (n int PRIMARY KEY, bytes bytea);
    ALTER TABLE noise ALTER bytes SET STORAGE EXTERNAL;
    INSERT INTO noise SELECT n, string_agg(sha256((n * 100000 + m)::text::bytea), '')
      FROM generate_series(1, 5) n, generate_series(1, 65536) m GROUP BY n";

/// The server that the stories share. It is gone with the tests' process.
pub async fn server() -> &'static Server {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    SERVER
        .get_or_init(|| async {
            let server = Server::start(15).await;
            server.create_shop("shop", 0.02).await;
            server
        })
        .await
}

/// The name of a database whose dump takes several parts.
pub async fn large() -> &'static str {
    static MADE: OnceCell<()> = OnceCell::const_new();
    MADE.get_or_init(|| async {
        let server = server().await;
        server.sql("postgres", "CREATE DATABASE large TEMPLATE template0").await;
        server.sql("large", NOISE).await;
    })
    .await;
    "large"
}

/// Every object by its key, with its bytes.
pub type Objects = BTreeMap<String, Vec<u8>>;

pub struct Depot {
    /// As a flag takes it.
    pub url: String,
    env: Vec<(&'static str, String)>,
    place: Place,
}

enum Place {
    Folder { root: PathBuf, _temporary: Option<TempDir> },
    Bucket { bucket: Box<Bucket>, proxy: Proxy },
}

impl Depot {
    /// A new folder.
    pub fn local() -> Self {
        let temporary = tempfile::Builder::new().prefix("backstop-depot-").tempdir().unwrap();
        let root = temporary.path().join("backups");
        Self { place: Place::Folder { root: root.clone(), _temporary: Some(temporary) }, ..Self::at(&root) }
    }

    /// A folder that is somebody else's to remove.
    pub fn at(root: &Path) -> Self {
        let place = Place::Folder { root: root.to_owned(), _temporary: None };
        Self { url: format!("file://{}", root.display()), env: Vec::new(), place }
    }

    /// SeaweedFS behind the proxy: signatures and checksums are checked.
    pub async fn seaweed(test: &str) -> Self {
        Self::in_bucket(Bucket::seaweed(test).await).await
    }

    /// moto behind the proxy: requests may be changed on their way.
    pub async fn moto(test: &str) -> Self {
        Self::in_bucket(Bucket::moto(test).await).await
    }

    async fn in_bucket(bucket: Bucket) -> Self {
        let proxy = Proxy::before(&bucket.endpoint).await;
        let mut env = bucket.env();
        env.push(("AWS_ENDPOINT_URL_S3", proxy.endpoint.clone()));
        Self { url: bucket.url(), env, place: Place::Bucket { bucket: Box::new(bucket), proxy } }
    }

    pub fn root(&self) -> &Path {
        let Place::Folder { root, .. } = &self.place else { panic!("not a folder") };
        root
    }

    pub fn bucket(&self) -> &Bucket {
        let Place::Bucket { bucket, .. } = &self.place else { panic!("not a bucket") };
        bucket
    }

    pub fn proxy(&self) -> &Proxy {
        let Place::Bucket { proxy, .. } = &self.place else { panic!("not a bucket") };
        proxy
    }

    /// A command on this store.
    pub fn command<'a>(&'a self, arguments: impl IntoIterator<Item = &'a str>) -> Backstop {
        self.elsewhere(arguments.into_iter().chain(["--store", &self.url]))
    }

    /// A command that has this store's credentials, and is told of its store in
    /// another way.
    pub fn elsewhere<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Backstop {
        let run = backstop(arguments.into_iter().chain(["--database", "shop"]));
        self.env.iter().fold(run, |run, (name, value)| run.env(name, value))
    }

    /// A backup of a database of the [`server`], which is filed as `shop`.
    pub async fn backup_of<'a>(&'a self, database: &str, arguments: &[&'a str]) -> Backstop {
        self.connected("backup", database, arguments).await
    }

    /// A command that reaches a database of the [`server`].
    pub async fn connected<'a>(
        &'a self,
        command: &'a str,
        database: &str,
        arguments: &[&'a str],
    ) -> Backstop {
        connected(self.command([command].into_iter().chain(arguments.iter().copied())), database).await
    }

    pub async fn backup<'a>(&'a self, arguments: &[&'a str]) -> Backstop {
        self.backup_of("shop", arguments).await
    }

    /// Take a good backup; its id.
    pub async fn good_backup(&self, arguments: &[&str]) -> String {
        let taken = self.run(self.backup(arguments).await.arg("--format=json")).await.ended(0);
        let manifest: serde_json::Value = serde_json::from_str(&taken.stdout).unwrap();
        manifest["id"].as_str().unwrap().to_owned()
    }

    /// Run it to its end, while the proxy goes on working.
    pub async fn run(&self, run: Backstop) -> Outcome {
        tokio::task::spawn_blocking(move || run.run()).await.unwrap()
    }

    /// Run what must fail with this status: nothing but what was there before is in
    /// the store, and no process is left. What it said, redacted.
    pub async fn fails(&self, status: i32, run: Backstop) -> String {
        let before = self.objects().await;
        let home = run.home().to_owned();
        let said = self.run(run).await.ended(status);
        assert_unchanged(&before, &self.objects().await);
        self.assert_no_upload().await;
        assert_no_process(&home).await;
        assert_eq!(said.stdout, "", "an error is told on standard error");
        self.redact(said.stderr.trim_start_matches(NOT_ENCRYPTED))
    }

    /// What a run that ended with this status printed and said, redacted.
    pub async fn says(&self, status: i32, run: Backstop) -> String {
        let said = self.run(run).await.ended(status);
        self.redact(&(said.stdout + &said.stderr))
    }

    /// All there is in the store, past the proxy.
    pub async fn objects(&self) -> Objects {
        match &self.place {
            Place::Folder { root, .. } => files(root),
            Place::Bucket { bucket, .. } => {
                let store = bucket.store().await;
                let mut objects = Objects::new();
                for key in bucket.keys().await {
                    let bytes = read(store.as_ref(), &key).await;
                    objects.insert(key, bytes.to_vec());
                }
                objects
            }
        }
    }

    /// Put other bytes in the place of an object.
    pub async fn overwrite(&self, key: &str, bytes: Vec<u8>) {
        match &self.place {
            Place::Folder { root, .. } => std::fs::write(root.join(key), bytes).unwrap(),
            Place::Bucket { bucket, .. } => bucket.overwrite(key, bytes).await,
        }
    }

    pub async fn remove(&self, key: &str) {
        match &self.place {
            Place::Folder { root, .. } => std::fs::remove_file(root.join(key)).unwrap(),
            Place::Bucket { bucket, .. } => bucket.remove(key).await,
        }
    }

    pub async fn assert_no_upload(&self) {
        if let Place::Bucket { bucket, .. } = &self.place {
            assert!(bucket.uploads().await.is_empty(), "an upload in parts was left");
        }
    }

    pub fn redact(&self, text: &str) -> String {
        let mut text = text.replace(&self.url, "[STORE]");
        match &self.place {
            Place::Folder { root, .. } => text = text.replace(&root.display().to_string(), "[FOLDER]"),
            Place::Bucket { bucket, proxy } => {
                text = text.replace(&bucket.prefix, "[PREFIX]").replace(&proxy.endpoint, "[ENDPOINT]");
            }
        }
        redact(&text)
    }
}

/// A run that reaches a database of the [`server`].
pub async fn connected(run: Backstop, database: &str) -> Backstop {
    let cluster = &server().await.cluster;
    run.env("PGHOST", cluster.socket_dir())
        .env("PGPORT", cluster.port().to_string())
        .env("PGUSER", cluster.user())
        .env("PGDATABASE", database)
}

fn files(root: &Path) -> Objects {
    let mut found = Objects::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(bytes) = std::fs::read(&path) {
                found.insert(path.strip_prefix(root).unwrap().display().to_string(), bytes);
            }
        }
    }
    found
}

#[track_caller]
pub fn assert_unchanged(before: &Objects, after: &Objects) {
    let names = |objects: &Objects| objects.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(after), names(before));
    assert!(before == after, "bytes of an object changed");
}

/// Keys, with the ids of backups left out.
pub fn keys(objects: &Objects) -> String {
    let mut keys: Vec<String> = objects.keys().map(|key| redact(key)).collect();
    keys.sort();
    keys.join("\n")
}

/// The only key that ends so.
#[track_caller]
pub fn key(objects: &Objects, suffix: &str) -> String {
    let found: Vec<&String> = objects.keys().filter(|key| key.ends_with(suffix)).collect();
    assert_eq!(found.len(), 1, "{suffix}: {found:?}");
    found[0].clone()
}

/// Wait until it holds.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// End it as the kernel does when memory runs out, and wait until everything that it
/// had started is gone, too.
pub async fn kill(mut run: Running) {
    assert!(!run.is_over(), "it was over before it could be killed");
    run.signal(Signal::SIGKILL);
    let home = run.home.path().to_owned();
    let ended = tokio::task::spawn_blocking(move || run.wait()).await.unwrap();
    assert_eq!(ended.status, None, "{}", ended.stderr);
    assert_no_process(&home).await;
}

/// No process of a run is there, known by the home that it was given.
pub async fn assert_no_process(home: &Path) {
    let mark = format!("HOME={}", home.display()).into_bytes();
    let is_of_it = |pid: &PathBuf| {
        let environment = std::fs::read(pid.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| *variable == *mark)
    };
    until("the end of every process", async || {
        let entries = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
        !entries.into_iter().any(|entry| is_of_it(&entry))
    })
    .await;
}

/// Run a stock program that must succeed; its standard output.
#[track_caller]
pub fn stock(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Leave out what differs from run to run: ids, digests, times, ports, sizes.
pub fn redact(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "-_:.".contains(c);
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len()).max(first.len_utf8());
        let (word, after) = rest.split_at(length);
        // What ends a sentence is not part of the word.
        let bare = word.trim_end_matches([':', '.']);
        match id(bare) {
            Some(kind) => out.push_str(&format!("[ID]{kind}")),
            None => out.push_str(instead(bare, &out, &word[bare.len()..], after).unwrap_or(bare)),
        }
        out.push_str(&word[bare.len()..]);
        rest = after;
    }
    out
}

/// What follows a backup's id in a word that begins with one.
fn id(word: &str) -> Option<&str> {
    let (id, rest) = word.split_at_checked("20261121T050013Z-7f3a9c".len())?;
    shape(&id[..17]).eq("99999999T999999Z-").then_some(rest)
}

fn shape(word: &str) -> String {
    word.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect()
}

fn instead(word: &str, before: &str, end: &str, after: &str) -> Option<&'static str> {
    let number = !word.is_empty() && shape(word).trim_matches(['9', '.']).is_empty();
    let units = [" bytes", " were", " KiB", " MiB", " B,", " s", " ms"];
    let counts = units.iter().any(|unit| after.starts_with(unit)) || before.ends_with("process ");
    if word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Some("[SHA256]")
    } else if shape(word).starts_with("9999-99-99T99:99:99") {
        Some("[TIME]")
    } else if shape(word).starts_with("999.9.9.9:") {
        Some("[ADDRESS]")
    } else if number && end.is_empty() && counts {
        Some("[N]")
    } else {
        None
    }
}
