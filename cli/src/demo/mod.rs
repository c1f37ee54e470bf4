//! The demo: a database is backed up, proved, damaged and brought back, on a
//! throwaway server and in a folder of its own.
//!
//! Every step is a command that a user could type, run with our own binary:
//! what is shown works as it is shown. Whether the data is back is judged by
//! SQL, not by what those commands say. Nothing is left behind.

mod commands;
mod screen;
mod tables;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use backstop_policy::manifest::Level;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::catalog::{self, Backup, Catalog};
use crate::error::Advise;
use crate::pipeline::{self, Keys};
use crate::postgres::cluster::{self, Cluster, ClusterOptions};
use crate::postgres::tools::{self, ServerTools};
use crate::store::{self, Location};
use crate::stream::{Stopped, unless};
use crate::ui::Ui;

use commands::{Ran, Runner};
use screen::Screen;
use tables::Table;

const SHOP: &str = include_str!("shop.sql");
/// The server that is taken where several are installed; where none is, the
/// wheel's stands in.
const PREFERRED_MAJOR: u32 = 15;
const DATABASE: &str = "shop";
const KEY: &str = "key.txt";

/// What goes wrong on the bad day: a lost table, lost rows, and rows that are
/// all there but wrong, which only a checksum sees.
const DAMAGE: [&str; 3] = [
    "DROP TABLE order_items CASCADE;",
    "DELETE FROM orders WHERE status <> 'cart';",
    "UPDATE products SET price = round(price / 100, 2);",
];

/// How to do the same to one's own database.
pub const YOURS: &str = "\
export DATABASE_URL='postgresql://USER:PASSWORD@HOST:5432/DATABASE'
backstop key generate --output key.txt
backstop init --recipient \"$(backstop key recipient key.txt)\"
backstop doctor                        # is everything there that a backup needs?
backstop backup
backstop verify --identity key.txt     # restores it into a throwaway server
backstop restore --identity key.txt    # into a new database beside yours
";

/// How long it may be silent before it is said what takes so long.
const PATIENCE: Duration = Duration::from_millis(700);

/// Where the demo happens.
#[derive(Debug, Default)]
pub struct Request {
    /// A folder that is made; a temporary one by default.
    pub folder: Option<PathBuf>,
    /// Whether the folder stays.
    pub keep: bool,
}

/// What happened.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether the data was lost, the backup was proved, and all data is back.
    pub proven: bool,
    pub server_version: String,
    /// The backup that was restored.
    pub backup: String,
    /// Bytes as they are stored, encrypted.
    pub bytes: u64,
    /// How far the backup was verified.
    pub level: Option<Level>,
    pub tables: Vec<Table>,
    pub commands: Vec<Ran>,
    pub seconds: f64,
    /// The folder, where it was kept.
    pub folder: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Tools(#[from] tools::Error),
    #[error(transparent)]
    Cluster(#[from] cluster::Error),
    #[error(transparent)]
    Pipeline(#[from] pipeline::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    #[error("cannot make the folder '{}'", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("cannot {doing} in the demo's database")]
    Sql { doing: &'static str, source: tokio_postgres::Error },
    #[error("cannot run '{command}'")]
    Start { command: String, source: io::Error },
    #[error("'{command}' ended with {status}{}", indented(output))]
    Command { command: String, status: std::process::ExitStatus, output: String },
    #[error("interrupted; nothing of the demo runs any more")]
    Interrupted,
}

impl From<Stopped> for Error {
    fn from(_: Stopped) -> Self {
        Self::Interrupted
    }
}

impl Advise for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Folder { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => {
                Some("name a folder that does not exist yet".into())
            }
            Self::Folder { .. } => Some("name another folder with --folder".into()),
            Self::Tools(error) => error.hint(),
            Self::Cluster(error) => error.hint(),
            Self::Pipeline(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Catalog(error) => error.hint(),
            Self::Sql { .. } | Self::Start { .. } | Self::Command { .. } | Self::Interrupted => None,
        }
    }
}

fn indented(output: &str) -> String {
    output.lines().flat_map(|line| ["\n  ", line]).collect()
}

/// Play it. What it started is gone when this returns, whatever happened.
pub async fn run(request: &Request, ui: Ui, stop: &CancellationToken) -> Result<Report, Error> {
    let begun = Instant::now();
    let screen = Screen::new(ui);
    let folder = Folder::make(request)?;
    let mut report = play(&folder.path, &screen, stop).await?;
    report.seconds = begun.elapsed().as_secs_f64();
    report.folder = request.keep.then(|| folder.path.clone());
    screen.end(&report);
    Ok(report)
}

async fn play(folder: &Path, screen: &Screen, stop: &CancellationToken) -> Result<Report, Error> {
    screen.title("backstop demo: lose data, get it back");
    screen.text("A throwaway PostgreSQL and a folder of its own; nothing of yours is touched.");

    screen.step("A database with something to lose");
    let programs = unless(stop, server(screen)).await??;
    let cluster = unless(stop, Cluster::start(&programs, &ClusterOptions::default())).await??;
    screen.text(&format!("PostgreSQL {} in {}", programs.version, cluster.socket_dir().display()));
    unless(stop, load(&cluster)).await??;
    let before = unless(stop, tables::look(&cluster, DATABASE)).await??;
    screen.text(&tables::describe(&before));
    let url = url(&cluster);
    let runner = Runner { folder, url: &url, screen, stop };
    runner.export();
    let mut ran = Vec::new();

    screen.step("A key: what its public half encrypts, only its private half opens");
    ran.push(runner.backstop(&["key", "generate", "--quiet", "--output", KEY]).await?);
    let mut keys = Keys::default();
    keys.add_identity_file(&folder.join(KEY))?;
    let recipient = keys.recipients().concat();

    screen.step("The configuration: which database, where to, for whom");
    let store = format!("file://{}", encoded(&folder.join("backups")));
    ran.push(
        runner
            .backstop(&["init", "--database", DATABASE, "--store", &store, "--recipient", &recipient])
            .await?,
    );

    screen.step("A backup");
    ran.push(runner.backstop(&["backup", "--tier", "daily"]).await?);

    screen.step("The proof: restored into another throwaway server, and compared");
    ran.push(runner.backstop(&["verify", "--level", "restored", "--identity", KEY]).await?);
    ran.push(runner.backstop(&["list"]).await?);
    let backup = unless(stop, newest(&store)).await??;

    screen.step("A bad day");
    for statement in DAMAGE {
        screen.sql(DATABASE, statement);
        screen.rows(unless(stop, tables::execute(&cluster, DATABASE, statement)).await??);
    }
    let damaged = unless(stop, tables::look(&cluster, DATABASE)).await??;

    screen.step("The way back");
    ran.push(runner.backstop(&["restore", "latest", "--in-place", "--yes", "--identity", KEY]).await?);
    let restored = unless(stop, tables::look(&cluster, DATABASE)).await??;

    let tables = tables::compare(before, damaged, restored);
    cluster.stop().await?;
    Ok(Report {
        proven: backup.level() == Some(Level::Restored)
            && tables.iter().any(Table::was_damaged)
            && tables.iter().all(Table::is_back),
        server_version: programs.version.to_string(),
        bytes: backup.manifest.artifact.stored.bytes,
        level: backup.level(),
        backup: backup.manifest.id,
        tables,
        commands: ran,
        seconds: 0.0,
        folder: None,
    })
}

/// The installed server, or one that is fetched now, which is told.
async fn server(screen: &Screen) -> Result<ServerTools, tools::Error> {
    let mut finding = std::pin::pin!(ServerTools::for_major(PREFERRED_MAJOR));
    if let Ok(found) = tokio::time::timeout(PATIENCE, &mut finding).await {
        return found;
    }
    screen.text("looking for PostgreSQL; where none is installed, pip fetches its programs (13 MB)");
    finding.await
}

async fn load(cluster: &Cluster) -> Result<(), Error> {
    tables::execute(cluster, "postgres", &format!("CREATE DATABASE {DATABASE} TEMPLATE template0")).await?;
    tables::execute(cluster, DATABASE, SHOP).await?;
    Ok(())
}

/// The backup as its store holds it, with the record of the check.
async fn newest(store: &str) -> Result<Backup, Error> {
    let location = Location { url: store.to_owned(), ..Location::default() };
    Ok(Catalog::new(store::connect(&location).await?, DATABASE).find("latest").await?)
}

/// As a user of this server would write it. The socket is private to us, and
/// asks for no password.
fn url(cluster: &Cluster) -> String {
    format!("postgresql://{}@/{DATABASE}?host={}", cluster.user(), encoded(cluster.socket_dir()))
}

/// A path as a part of a URL.
fn encoded(path: &Path) -> String {
    const SPECIAL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.');
    utf8_percent_encode(&path.to_string_lossy(), SPECIAL).to_string()
}

/// The demo's folder: only for its owner, and removed when it is dropped.
struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    fn make(request: &Request) -> Result<Self, Error> {
        use std::os::unix::fs::DirBuilderExt;
        let (path, made) = match &request.folder {
            Some(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
                (path, made)
            }
            None => match tempfile::Builder::new().prefix("backstop-demo-").tempdir() {
                Ok(folder) => (folder.keep(), Ok(())),
                Err(cause) => (std::env::temp_dir(), Err(cause)),
            },
        };
        match made {
            Ok(()) => Ok(Self { path, keep: request.keep }),
            Err(source) => Err(Error::Folder { path, source }),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
