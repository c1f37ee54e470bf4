//! Which database to reach, and how: connection strings, parts and the `PG*`
//! environment come in; one [`Target`] with libpq's meaning goes out.
//!
//! Everything is decided here, once: sessions, child programs and hooks are all
//! given the same target, and its password shows in none of its texts.

mod keyword;
mod parameters;
mod passfile;
mod render;
mod resolve;
mod service;
mod uri;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use self::parameters::Parameters;
use self::passfile::Passfile;
use super::Error;

pub use self::resolve::process_environment;
pub use self::uri::reserved_in_password;

/// Seconds to wait for one address when nobody says otherwise; libpq would wait
/// for ever, and an unattended job may not.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
pub const DEFAULT_PORT: u16 = 5432;

/// One database on one server, or on the first of several that answers.
#[derive(Clone)]
pub struct Target {
    pub(super) hosts: Vec<Host>,
    pub(super) user: String,
    pub(super) database: String,
    password: Option<SecretString>,
    passfile: Passfile,
    pub(super) tls: Tls,
    pub(super) channel_binding: ChannelBinding,
    /// `None` waits for ever.
    pub(super) connect_timeout: Option<Duration>,
    pub(super) session_attrs: SessionAttrs,
    pub(super) load_balance: bool,
    pub(super) options: Option<String>,
    pub(super) application_name: Option<String>,
    pub(super) keepalives: Keepalives,
    warnings: Vec<String>,
}

/// One server of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// A name, an address, or the directory of a Unix socket. Never empty.
    pub(super) name: String,
    /// Where to connect instead of looking `name` up.
    pub(super) address: Option<IpAddr>,
    pub(super) port: u16,
}

impl Host {
    pub(super) fn new(name: &str, address: Option<IpAddr>, port: u16) -> Self {
        Self { name: name.to_owned(), address, port }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether this is a Unix socket, whose directory the name is.
    pub fn is_socket(&self) -> bool {
        self.name.starts_with('/')
    }

    fn passfile_name(&self) -> &str {
        if self.name == default_socket_directory() { "localhost" } else { &self.name }
    }
}

/// `sslmode`, from the weakest to the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SslMode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl SslMode {
    const ALL: [(&'static str, Self); 6] = [
        ("disable", Self::Disable),
        ("allow", Self::Allow),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-full", Self::VerifyFull),
    ];

    pub fn as_str(self) -> &'static str {
        Self::ALL[self as usize].0
    }
}

/// Certificates that a server's certificate is checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Roots {
    /// No file is there; nothing is checked below `verify-ca`.
    None,
    File(PathBuf),
    /// `sslrootcert=system`.
    System,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tls {
    pub(super) mode: SslMode,
    pub(super) roots: Roots,
    /// Certificate and key that we show when asked.
    pub(super) client: Option<(PathBuf, PathBuf)>,
    pub(super) revoked: Option<PathBuf>,
    pub(super) server_name: bool,
    pub(super) direct: bool,
    pub(super) oldest: Option<TlsVersion>,
    pub(super) newest: Option<TlsVersion>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TlsVersion {
    V1_2,
    V1_3,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChannelBinding {
    Disable,
    Prefer,
    Require,
}

/// `target_session_attrs`: which of several servers will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionAttrs {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

impl SessionAttrs {
    const ALL: [(&'static str, Self); 6] = [
        ("any", Self::Any),
        ("read-write", Self::ReadWrite),
        ("read-only", Self::ReadOnly),
        ("primary", Self::Primary),
        ("standby", Self::Standby),
        ("prefer-standby", Self::PreferStandby),
    ];

    pub fn as_str(self) -> &'static str {
        Self::ALL[self as usize].0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keepalives {
    pub(super) on: bool,
    pub(super) idle: Duration,
    pub(super) interval: Option<Duration>,
    pub(super) count: Option<u32>,
    pub(super) user_timeout: Option<Duration>,
}

/// A target by its parts; what is missing comes from the environment.
#[derive(Clone, Default)]
pub struct Parts {
    pub host: Option<String>,
    pub port: Option<u16>,
    pub user: Option<String>,
    pub password: Option<SecretString>,
    pub database: Option<String>,
    pub sslmode: Option<String>,
    pub sslrootcert: Option<PathBuf>,
}

impl Target {
    /// Read a `postgres://` or `postgresql://` URI or a `key=value` string.
    /// `environment` answers `PG*` variables and `HOME`.
    pub fn parse(conninfo: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, Error> {
        // A secret's last line break is never part of it.
        let text = conninfo.trim_end_matches(['\r', '\n']);
        let parameters = if uri::is(text) {
            uri::parse(text)?
        } else if text.contains("://") && !text.contains(char::is_whitespace) {
            return Err(Error::BadTarget { reason: "it starts with no 'postgres://'".to_owned() });
        } else if text.trim().is_empty() {
            return Err(Error::BadTarget { reason: "it is empty".to_owned() });
        } else {
            keyword::parse(text)?
        };
        resolve::target(parameters, environment)
    }

    /// The target that a bare `psql` would take.
    pub fn from_environment(environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, Error> {
        resolve::target(Parameters::default(), environment)
    }

    pub fn from_parts(parts: &Parts, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let mut parameters = Parameters::default();
        let port = parts.port.map(|port| port.to_string());
        let root = parts.sslrootcert.as_ref().map(|path| path.to_string_lossy().into_owned());
        for (keyword, value) in [
            ("host", parts.host.as_deref()),
            ("port", port.as_deref()),
            ("user", parts.user.as_deref()),
            ("password", parts.password.as_ref().map(ExposeSecret::expose_secret)),
            ("dbname", parts.database.as_deref()),
            ("sslmode", parts.sslmode.as_deref()),
            ("sslrootcert", root.as_deref()),
        ] {
            if let Some(value) = value {
                parameters.set(keyword, value)?;
            }
        }
        resolve::target(parameters, environment)
    }

    /// A Supabase project, by its session pooler's host where one is given, else
    /// directly; over TLS. Its certificate comes from a private authority, so it
    /// is not checked unless a root is named.
    pub fn supabase(project_ref: &str, password: SecretString, pooler: Option<&str>) -> Self {
        // The pooler tells projects apart by the user's name.
        let (host, user) = match pooler {
            Some(host) => (host.to_owned(), format!("postgres.{project_ref}")),
            None => (format!("db.{project_ref}.supabase.co"), "postgres".to_owned()),
        };
        let host = Host::new(&host, None, DEFAULT_PORT);
        resolve::plain(host, &user, "postgres", password, SslMode::Require)
    }

    /// The same server, another database.
    #[must_use]
    pub fn with_database(&self, name: &str) -> Self {
        Self { database: name.to_owned(), ..self.clone() }
    }

    /// The same target, narrowed to one server and address.
    pub(super) fn pinned(&self, host: Host) -> Self {
        Self { hosts: vec![host], session_attrs: SessionAttrs::Any, load_balance: false, ..self.clone() }
    }

    pub fn database(&self) -> &str {
        &self.database
    }

    pub fn user(&self) -> &str {
        &self.user
    }

    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The first server's name, address or socket directory.
    pub fn host(&self) -> &str {
        self.hosts.first().map_or("", |host| &host.name)
    }

    /// The first server's port.
    pub fn port(&self) -> u16 {
        self.hosts.first().map_or(DEFAULT_PORT, |host| host.port)
    }

    pub fn sslmode(&self) -> SslMode {
        self.tls.mode
    }

    /// What was ignored on the way here, one sentence each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The password for one of the servers: given, or from the password file.
    pub(super) fn password(&self, host: &Host) -> Option<SecretString> {
        self.password.clone().or_else(|| self.passfile.password(host, &self.database, &self.user))
    }
}

/// Where servers of this system's packages put their sockets.
pub(super) fn default_socket_directory() -> &'static str {
    const PACKAGED: &str = "/var/run/postgresql";
    if std::path::Path::new(PACKAGED).is_dir() { PACKAGED } else { "/tmp" }
}
