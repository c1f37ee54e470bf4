//! A throwaway PostgreSQL cluster: made in a private directory, reached through
//! a Unix socket in it that only its owner can open, tuned for speed since
//! nothing in it has to survive, and gone when we are, however we end: a small
//! shell process (`supervise.sh`) holds a pipe to us and cleans up behind us.

use std::fmt::Write as _;
use std::io::{self, Read, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rand::RngCore;
use rand::rngs::OsRng;
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::NoTls;

use super::account::{Account, NoAccount};
use super::target::Target;
use super::tools::{self, ServerTools};
use crate::error::Advise;

mod layout;

const SUPERVISE: &str = include_str!("supervise.sh");
/// What the supervisor would have done, for when somebody killed it. It runs as
/// the server's account, so a forged pid file cannot make root kill anything.
const RESCUE: &str = r#"
if pid=$(head -n 1 "$1/data/postmaster.pid") && kill -QUIT "$pid"; then
    tries=0
    while kill -0 "$pid" && [ "$tries" -lt 70 ]; do sleep 0.1; tries=$((tries + 1)); done
    kill -KILL "$pid"
fi
rm -rf -- "$1"
"#;
/// From nothing to the first connection; initdb on a slow, busy machine is most of it.
const START_LIMIT: Duration = Duration::from_secs(90);
/// PostgreSQL kills what does not stop by itself after 5 seconds.
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// Without TCP the port is only a part of the socket's name.
const SOCKET_PORT: u16 = 5432;

/// What a throwaway cluster is like.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// PostgreSQL's name of an encoding.
    pub encoding: String,
    /// The locale that is wanted. Where it does not exist here, `C.UTF-8` or
    /// `C` is taken, and [`Cluster::notes`] says so.
    pub locale: Option<String>,
    pub superuser: String,
    pub max_connections: u16,
    /// Listen on a free port of 127.0.0.1 too, with a random password. Without
    /// it nothing but the private socket leads to the server.
    pub tcp: bool,
    /// Further server settings; they win over our own.
    pub settings: Vec<(String, String)>,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            encoding: "UTF8".into(),
            locale: None,
            superuser: "postgres".into(),
            max_connections: 40,
            tcp: false,
            settings: Vec::new(),
        }
    }
}

/// A running throwaway cluster. Dropping it stops the server and removes its
/// directory; [`Cluster::stop`] does the same without blocking the runtime.
#[derive(Debug)]
pub struct Cluster {
    base: PathBuf,
    port: u16,
    superuser: String,
    password: Option<SecretString>,
    account: Option<Account>,
    supervisor: Child,
    /// Open for as long as the cluster shall live.
    lifeline: Option<ChildStdin>,
    notes: Vec<String>,
}

impl Cluster {
    /// Make a cluster and wait until it answers.
    pub async fn start(tools: &ServerTools, options: &ClusterOptions) -> Result<Self, Error> {
        let mut tries = 3;
        loop {
            tries -= 1;
            match Self::start_once(tools, options).await {
                // Somebody took the free port between our look and the server's.
                Err(Error::Server { log }) if options.tcp && tries > 0 && log.contains("could not bind") => {}
                done => return done,
            }
        }
    }

    async fn start_once(tools: &ServerTools, options: &ClusterOptions) -> Result<Self, Error> {
        let account = Account::for_servers()?;
        if let Some(account) = account.filter(|account| !account.can_enter(&tools.dir)) {
            return Err(Error::Unreachable { dir: tools.dir.clone(), uid: account.uid });
        }
        let mut cluster = Self::spawn(tools, options, account).map_err(|source| Error::Spawn { source })?;
        let begun = Instant::now();
        let locale = loop {
            if let Some(status) = cluster.supervisor.try_wait().map_err(|source| Error::Spawn { source })? {
                return Err(cluster.why_it_ended(status));
            }
            match cluster.ask_locale().await {
                Ok(locale) => break locale,
                Err(source) if begun.elapsed() > START_LIMIT => {
                    return Err(Error::Silent { log: cluster.log_tail(), source });
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(25)).await,
            }
        };
        if let Some(wanted) = options.locale.as_ref().filter(|wanted| !same_locale(wanted, &locale)) {
            cluster.notes.push(format!(
                "locale '{wanted}' does not exist here, or not for encoding {}; '{locale}' is used instead, \
                 so text may sort differently",
                options.encoding
            ));
        }
        Ok(cluster)
    }

    fn spawn(tools: &ServerTools, options: &ClusterOptions, account: Option<Account>) -> io::Result<Self> {
        let base = layout::free_base(account)?;
        let port = if options.tcp { free_port()? } else { SOCKET_PORT };
        let password = SecretString::from(random_hex());

        let mut command = tools::command(Path::new("/bin"), "sh");
        command.args(["-c", SUPERVISE, "supervise"]).arg(&tools.dir).arg(&base);
        command.args([&options.encoding, &options.superuser]);
        command.arg(if options.tcp { "scram-sha-256" } else { "reject" });
        command.args(options.locale.as_deref()).args(["C.UTF-8", "C", "--"]);
        command.args(layout::server_options(&base, port, options));
        // A Ctrl-C is for us: the server goes when we have cleaned up. And its
        // account may not be allowed to see where we are.
        command.process_group(0).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        if let Some(account) = account {
            account.run(&mut command);
        }
        let mut supervisor = command.spawn()?;
        let lifeline = supervisor.stdin.take();
        let mut cluster = Self {
            base,
            port,
            superuser: options.superuser.clone(),
            password: options.tcp.then(|| password.clone()),
            account,
            supervisor,
            lifeline,
            notes: Vec::new(),
        };
        if let Some(lifeline) = &mut cluster.lifeline {
            writeln!(lifeline, "{}", password.expose_secret())?;
        }
        Ok(cluster)
    }

    /// The directory of the Unix socket, as libpq's `host`.
    pub fn socket_dir(&self) -> &Path {
        &self.base
    }

    pub fn data_dir(&self) -> PathBuf {
        self.base.join("data")
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The superuser, who needs no password on the socket.
    pub fn user(&self) -> &str {
        &self.superuser
    }

    /// What the caller should tell the user, such as a locale that was not to be had.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// How to connect through the socket, for libpq: no password is needed.
    pub fn conninfo(&self, database: &str) -> String {
        format!(
            "host={} port={} user={} dbname={}",
            quote(&self.base.to_string_lossy()),
            self.port,
            quote(&self.superuser),
            quote(database)
        )
    }

    /// How to connect through the socket.
    pub fn target(&self, database: &str) -> Result<Target, super::Error> {
        // Nothing of the user's own settings may lead elsewhere.
        Target::parse(&self.conninfo(database), &|_| None)
    }

    /// How to connect through the socket, for tokio-postgres.
    pub fn config(&self, database: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host_path(&self.base).port(self.port).user(&self.superuser).dbname(database);
        config
    }

    /// A URL over TCP for programs that take nothing else, where the cluster
    /// was started with [`ClusterOptions::tcp`]. It holds the password.
    pub fn url(&self, database: &str) -> Option<SecretString> {
        let encode = |text| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
        let password = self.password.as_ref()?.expose_secret();
        Some(SecretString::from(format!(
            "postgresql://{}:{password}@127.0.0.1:{}/{}",
            encode(&self.superuser),
            self.port,
            encode(database)
        )))
    }

    /// The last lines of the server's log. Statements are not logged, so it
    /// holds no password that one of them set.
    pub fn log_tail(&self) -> String {
        let log = std::fs::read(self.base.join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Stop the server, drop everything in it and remove its directory.
    pub async fn stop(mut self) -> Result<(), Error> {
        let base = self.base.clone();
        let ended = tokio::task::spawn_blocking(move || self.end()).await;
        match ended {
            Ok(()) if !base.exists() => Ok(()),
            _ => Err(Error::Left { base }),
        }
    }

    async fn ask_locale(&self) -> Result<String, tokio_postgres::Error> {
        let (client, connection) = self.config("postgres").connect(NoTls).await?;
        let connection = tokio::spawn(connection);
        let locale = client
            .query_one("SELECT datcollate::text FROM pg_database WHERE datname = current_database()", &[])
            .await
            .map(|row| row.get(0));
        drop(client);
        let _ = connection.await;
        locale
    }

    /// The supervisor ended before the server answered: its last words say why.
    fn why_it_ended(&mut self, status: ExitStatus) -> Error {
        let mut log = String::new();
        if let Some(mut said) = self.supervisor.stdout.take() {
            let _ = said.read_to_string(&mut log);
        }
        let log = log.trim_end().to_owned();
        match status.code() {
            Some(2) => Error::Directory { base: self.base.clone(), log },
            Some(3) => Error::Initdb { log },
            _ => Error::Server { log },
        }
    }

    /// Close the lifeline and see that nothing is left. Blocks, for a few
    /// hundredths of a second where nothing is wrong.
    fn end(&mut self) {
        if self.lifeline.take().is_some() {
            let begun = Instant::now();
            while matches!(self.supervisor.try_wait(), Ok(None)) && begun.elapsed() < STOP_LIMIT {
                std::thread::sleep(Duration::from_millis(5));
            }
            let _ = self.supervisor.kill();
            let _ = self.supervisor.wait();
        }
        if self.base.exists() {
            let mut rescue = Command::new("/bin/sh");
            rescue.args(["-c", RESCUE, "rescue"]).arg(&self.base).current_dir("/");
            rescue.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            if let Some(account) = self.account {
                account.run(&mut rescue);
            }
            let _ = rescue.status();
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.end();
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn random_hex() -> String {
    let mut bytes = [0; 24];
    OsRng.fill_bytes(&mut bytes);
    hex::encode(bytes)
}

/// Systems spell one encoding in several ways: `en_US.UTF-8`, `en_US.utf8`.
fn same_locale(one: &str, other: &str) -> bool {
    let plain = |name: &str| name.replace('-', "").to_lowercase();
    plain(one) == plain(other)
}

/// A value of a conninfo string (libpq, section "Connection Strings").
fn quote(value: &str) -> String {
    let mut quoted = String::from("'");
    for c in value.chars() {
        if matches!(c, '\'' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('\'');
    quoted
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Account(#[from] NoAccount),
    #[error("a throwaway server runs as user {uid}, who cannot reach '{}'", dir.display())]
    Unreachable { dir: PathBuf, uid: u32 },
    #[error("cannot start a throwaway server")]
    Spawn {
        #[source]
        source: io::Error,
    },
    #[error("cannot make directory '{}' for a throwaway server{}", base.display(), tail(log))]
    Directory { base: PathBuf, log: String },
    #[error("initdb could not make a throwaway cluster{}", tail(log))]
    Initdb { log: String },
    #[error("the throwaway server ended before it answered{}", tail(log))]
    Server { log: String },
    #[error("the throwaway server did not answer within {} s{}", START_LIMIT.as_secs(), tail(log))]
    Silent {
        log: String,
        #[source]
        source: tokio_postgres::Error,
    },
    #[error("the throwaway cluster in '{}' could not be removed", base.display())]
    Left { base: PathBuf },
}

/// A server's log below the sentence that it explains.
fn tail(log: &str) -> String {
    log.lines().fold(String::new(), |mut text, line| {
        let _ = write!(text, "\n  {line}");
        text
    })
}

impl Advise for Error {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Account(_) => "add a user 'postgres', or run backstop as an ordinary user".into(),
            Self::Unreachable { .. } => {
                "install the server's package, or name a directory that everybody may read in BACKSTOP_PG_BIN"
                    .into()
            }
            Self::Spawn { .. } | Self::Directory { .. } => {
                "set TMPDIR to a directory with a short path and free space".into()
            }
            Self::Initdb { log } | Self::Server { log } if log.contains("No space left") => {
                "set TMPDIR to a directory on a disk with more free space".into()
            }
            Self::Left { base } => format!("remove '{}' by hand", base.display()),
            Self::Initdb { .. } | Self::Server { .. } | Self::Silent { .. } => return None,
        })
    }
}
