//! PostgreSQL's own programs: their version and what their build can do, asked
//! of the programs themselves, and the commands that run them by their full path
//! in a clean environment. Which ones are taken is [`finder`](super::finder)'s to say.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::finder::INSTALLED;
use super::wheel;
use crate::error::Advise;

/// A program that does not tell its version by then is passed over.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// What a program says of itself; `minor` is 0 for a beta or a release candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
}

impl FromStr for Version {
    type Err = ();

    /// From `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` or `... 19beta1`.
    fn from_str(said: &str) -> Result<Self, ()> {
        let (_, after) = said.split_once("(PostgreSQL) ").ok_or(())?;
        let number = |text: &str| -> Option<u32> {
            text[..text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())].parse().ok()
        };
        let major = number(after).ok_or(())?;
        let minor = after.split_once('.').and_then(|(before, minor)| {
            before.bytes().all(|byte| byte.is_ascii_digit()).then(|| number(minor))?
        });
        Ok(Self { major, minor: minor.unwrap_or(0) })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A directory of client programs of one version.
#[derive(Debug, Clone)]
pub struct ClientTools {
    pub dir: PathBuf,
    pub version: Version,
    /// Asked when it matters: each takes a run of the program.
    compressions: Arc<OnceCell<Vec<&'static str>>>,
}

impl ClientTools {
    /// Look for the installed clients, which takes a run of each; asked once.
    pub async fn look_around() {
        INSTALLED.clients().await;
    }

    /// The installed client whose major is the server's, else the nearest newer
    /// one, else the pinned wheel; never one older than the server.
    ///
    /// # Errors
    /// [`Error::NoClient`] where there is none and none can be had.
    pub async fn for_server(server_major: u32) -> Result<Self, Error> {
        INSTALLED.client_for_server(server_major).await
    }

    /// A pg_restore that reads archives which need at least `oldest_major` and
    /// is not older than the target server, whose major is `prefer_major`; the
    /// nearest to it where there are several.
    pub async fn for_restore(oldest_major: u32, prefer_major: u32) -> Result<Self, Error> {
        INSTALLED.client_for_restore(oldest_major, prefer_major).await
    }

    /// The client programs in a given directory.
    pub async fn at(dir: PathBuf) -> Result<Self, Error> {
        let version = ask_version(&dir, "pg_dump").await?;
        Ok(Self { dir, version, compressions: Arc::default() })
    }

    /// Whether this build reads and writes archives with a compression as
    /// pg_dump calls it: `none`, `gzip`, `lz4` or `zstd`.
    pub async fn supports(&self, compression: &str) -> bool {
        let ask = async || {
            let probes = ["gzip", "lz4", "zstd"].map(|name| probe_compression(&self.dir, name));
            join_all(probes).await.into_iter().flatten().collect()
        };
        compression == "none" || self.compressions.get_or_init(ask).await.contains(&compression)
    }

    /// pg_dump by its full path, in a [clean environment](command).
    pub fn pg_dump(&self) -> Command {
        command(&self.dir, "pg_dump")
    }

    pub fn pg_dumpall(&self) -> Command {
        command(&self.dir, "pg_dumpall")
    }

    pub fn pg_restore(&self) -> Command {
        command(&self.dir, "pg_restore")
    }

    /// psql, which reads no psqlrc.
    pub fn psql(&self) -> Command {
        let mut psql = command(&self.dir, "psql");
        psql.arg("--no-psqlrc");
        psql
    }
}

/// A directory of server programs of one version.
#[derive(Debug, Clone)]
pub struct ServerTools {
    pub dir: PathBuf,
    pub version: Version,
}

impl ServerTools {
    /// The installed server of this major, else the nearest newer one, else the
    /// pinned wheel. The caller sees from `version` that it is newer.
    ///
    /// # Errors
    /// [`Error::NoServer`] where there is none and none can be had.
    pub async fn for_major(major: u32) -> Result<Self, Error> {
        INSTALLED.server_for_major(major).await
    }

    /// The server programs in a given directory.
    pub async fn at(dir: PathBuf) -> Result<Self, Error> {
        let version = ask_version(&dir, "postgres").await?;
        Ok(Self { dir, version })
    }
}

/// A program that inherits only what it cannot do without: nothing from libpq's
/// environment (where a connection goes is said by its caller alone), no
/// locale (messages are read), and none of the secrets that we were given.
pub(super) fn command(dir: &Path, program: &str) -> Command {
    const KEPT: &[&str] = &[
        "HOME",
        "PATH",
        "TMPDIR",
        "USER",
        "LOGNAME", // where things are, who asks
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
        "DYLD_FALLBACK_LIBRARY_PATH", // how the program loads
        "KRB5CCNAME",
        "KRB5_CONFIG",
        "KRB5_CLIENT_KTNAME", // Kerberos
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "OPENSSL_CONF",
        "OPENSSL_MODULES", // TLS
    ];
    let mut command = Command::new(dir.join(program));
    command.env_clear();
    command.envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.env("LC_ALL", "C");
    command
}

async fn ask_version(dir: &Path, program: &'static str) -> Result<Version, Error> {
    let mut asking = command(dir, program);
    asking.arg("--version");
    let unusable = |reason: String| Error::Unusable { program: dir.join(program), reason };
    let output = answer(asking).await.map_err(unusable)?;
    let said = String::from_utf8_lossy(&output.stdout);
    said.parse().map_err(|()| {
        let line = String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned();
        unusable(if line.is_empty() { format!("it says '{}'", said.trim()) } else { line })
    })
}

/// pg_dump looks at its compression before it connects, so a connection that
/// cannot succeed tells what the build can do: a failed connection means that
/// the compression was accepted. Nothing is a directory below /dev/null.
async fn probe_compression(dir: &Path, name: &'static str) -> Option<&'static str> {
    // Before PostgreSQL 16 a level was all that could be said.
    let argument = if name == "gzip" { "1".to_owned() } else { format!("{name}:1") };
    let mut probe = command(dir, "pg_dump");
    probe.args(["--format=custom", "--file=/dev/null"]).arg(format!("--compress={argument}"));
    probe.arg("--dbname=host=/dev/null/none port=1 user=none dbname=none connect_timeout=1");
    let said = answer(probe).await.ok()?;
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    (said.contains("connect") && !said.contains("compress")).then_some(name)
}

async fn answer(command: Command) -> Result<std::process::Output, String> {
    let mut command = tokio::process::Command::from(command);
    command.stdin(Stdio::null()).kill_on_drop(true);
    match timeout(ANSWER_LIMIT, command.output()).await {
        Ok(output) => output.map_err(|cause| cause.to_string()),
        Err(_) => Err(format!("no answer within {} s", ANSWER_LIMIT.as_secs())),
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}", too_old("pg_dump", *newest, &format!("cannot dump server version {server}")))]
    NoClient {
        server: u32,
        newest: Option<u32>,
        #[source]
        wheel: Option<wheel::Error>,
    },
    #[error("{}", too_old("pg_restore", *newest, &format!("cannot do what needs version {needed}")))]
    NoRestore {
        needed: u32,
        newest: Option<u32>,
        #[source]
        wheel: Option<wheel::Error>,
    },
    #[error("{}", too_old("server", *newest, &format!("cannot stand in for version {major}")))]
    NoServer {
        major: u32,
        newest: Option<u32>,
        #[source]
        wheel: Option<wheel::Error>,
    },
    #[error("'{}' cannot be used: {reason}", program.display())]
    Unusable { program: PathBuf, reason: String },
}

fn too_old(program: &str, newest: Option<u32>, cannot: &str) -> String {
    match newest {
        Some(newest) => format!("{program} {newest} {cannot}"),
        None => format!("no {program} was found on this machine"),
    }
}

impl Advise for Error {
    fn hint(&self) -> Option<String> {
        // The Debian, Red Hat and Homebrew names of the same programs.
        let client = |major: &u32| {
            format!(
                "install postgresql-client-{major} (apt), postgresql{major} (dnf) or postgresql@{major} (brew)"
            )
        };
        let server = |major: &u32| {
            format!(
                "install postgresql-{major} (apt), postgresql{major}-server (dnf) or postgresql@{major} (brew)"
            )
        };
        let or_name = |install: String| format!("{install}, or name its directory in BACKSTOP_PG_BIN");
        match self {
            Self::NoClient { wheel: Some(cause), .. }
            | Self::NoRestore { wheel: Some(cause), .. }
            | Self::NoServer { wheel: Some(cause), .. }
                if cause.hint().is_some() =>
            {
                cause.hint()
            }
            Self::NoClient { server: major, .. } => Some(or_name(client(major))),
            Self::NoRestore { needed, .. } => Some(or_name(client(needed))),
            Self::NoServer { major, .. } => Some(or_name(server(major))),
            Self::Unusable { .. } => {
                Some("reinstall it, or name another directory in BACKSTOP_PG_BIN".into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_every_packager_writes_them() {
        let version = |said: &str| said.parse::<Version>().map(|version| version.to_string());
        assert_eq!(version("pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n").unwrap(), "15.18");
        assert_eq!(version("postgres (PostgreSQL) 18.6").unwrap(), "18.6");
        assert_eq!(version("pg_dump (PostgreSQL) 19beta1 (Ubuntu 19~beta1-1.pgdg24.04+1)").unwrap(), "19.0");
        assert_eq!(version("pg_dump (PostgreSQL) 20devel").unwrap(), "20.0");
        assert_eq!(version("psql 8"), Err(()));
        assert_eq!(version("pg_dump (PostgreSQL) none"), Err(()));
    }

    #[test]
    fn a_program_inherits_no_connection_and_no_secret() {
        let output = command(Path::new("/usr/bin"), "env").output().unwrap();
        let names: Vec<String> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .filter_map(|line| Some(line.split_once('=')?.0.to_owned()))
            .collect();
        assert!(names.contains(&"LC_ALL".to_owned()));
        // Cargo sets these in our own environment, as anybody's secrets would be.
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some());
        let leaked: Vec<_> =
            names.iter().filter(|name| name.starts_with("CARGO") || name.starts_with("PG")).collect();
        assert_eq!(leaked, Vec::<&String>::new());
    }
}
