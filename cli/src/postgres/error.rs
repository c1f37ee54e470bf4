//! What can go wrong with a server, told apart by what the user can do about it.
//! No variant holds a password or a whole connection string.

use std::fmt::Write as _;
use std::path::PathBuf;

use tokio_postgres::error::SqlState;

use super::privileges::Relation;
use crate::error::Advise;
use backstop_policy::identifier::quote;
use backstop_policy::provider::Provider;

/// The oldest server that is supported: pg_dump's own reach goes further back,
/// but nothing older still gets security fixes.
pub const OLDEST_SERVER: u32 = 130_000;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    // The connection string, its files and the environment.
    #[error("the connection string cannot be read: {reason}")]
    BadTarget { reason: String },
    #[error("the password in the connection URL holds a raw '{character}', which ends it there")]
    RawCharacter { character: char },
    #[error("the connection string names an unknown parameter '{parameter}'")]
    UnknownParameter { parameter: String },
    #[error("connection parameter '{parameter}' is not supported")]
    UnsupportedParameter { parameter: &'static str },
    #[error("connection parameter '{parameter}' is '{value}', but must be {expected}")]
    BadValue { parameter: &'static str, value: String, expected: &'static str },
    #[error("connection parameter '{parameter}' is '{value}', but must be one of {choices}")]
    BadChoice { parameter: &'static str, value: String, choices: String },
    // The value is not repeated: it may be the rest of a password.
    #[error("the port in the connection string is no number from 1 to 65535")]
    BadPort,
    #[error("service '{service}' is in no service file")]
    NoService { service: String },
    #[error("{}:{line}: {reason}", path.display())]
    BadFileLine { path: PathBuf, line: usize, reason: &'static str },
    #[error("cannot read {what} '{}'", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("no user name is given, and this account has none")]
    NoUser,
    #[error("sslmode={mode} needs a root certificate, and there is none")]
    NoRoots { mode: &'static str },
    #[error("client certificate '{}' has no key", certificate.display())]
    NoClientKey { certificate: PathBuf },
    #[error("sslmode=verify-full needs a host name, but only the address {address} is given")]
    NoNameToVerify { address: String },
    #[error("{what} '{}' cannot be used: {reason}", path.display())]
    BadCertificateFile { what: &'static str, path: PathBuf, reason: String },

    // On the way to the server.
    #[error("host '{host}' is unknown")]
    UnknownHost {
        host: String,
        #[source]
        source: std::io::Error,
    },
    #[error("host '{host}' has only an IPv6 address, which this machine cannot reach")]
    Ipv6Only {
        host: String,
        #[source]
        source: Box<Error>,
    },
    #[error("{at} refused the connection")]
    Refused {
        at: String,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot reach {at}")]
    Unreachable {
        at: String,
        #[source]
        source: std::io::Error,
    },
    #[error("{at} did not answer within {seconds} s")]
    Timeout { at: String, host: String, seconds: u64 },
    #[error("{at} closed the connection")]
    Closed {
        at: String,
        #[source]
        source: Option<tokio_postgres::Error>,
    },
    #[error("none of {count} servers would do; the last one: {last}")]
    EveryServer { count: usize, last: Box<Error> },
    #[error("{at} is {found}, but target_session_attrs={wanted} is asked for")]
    WrongRole { at: String, found: &'static str, wanted: &'static str },

    // TLS.
    #[error("{at} does not speak TLS")]
    TlsRefused { at: String },
    #[error("the certificate of {at} is not trusted: {reason}")]
    Untrusted { at: String, reason: String },
    #[error("the certificate of {at} is for another name than '{host}'")]
    WrongName { at: String, host: String, presented: Vec<String> },
    #[error("the TLS handshake with {at} failed")]
    Tls {
        at: String,
        #[source]
        source: tokio_postgres::Error,
    },
    #[error("{at} did not bind the login to the TLS channel")]
    NoChannelBinding { at: String },

    // Logging in.
    #[error("{at} asks for a password for user '{user}', and none is given")]
    NoPassword { at: String, user: String },
    #[error("{at} refused the password of user '{user}'")]
    WrongPassword { at: String, host: String, user: String },
    #[error("{at} does not let user '{user}' in: {message}")]
    NotAllowed { at: String, user: String, message: String },
    #[error("{at} asks for a way to log in that is not supported")]
    Authentication {
        at: String,
        #[source]
        source: tokio_postgres::Error,
    },
    #[error("there is no database '{database}' on {at}")]
    NoDatabase { at: String, database: String },
    #[error("{at} has no free connection: {message}")]
    TooManyConnections { at: String, message: String },
    #[error("{at} takes no connections now: {message}")]
    NotReady { at: String, message: String },
    #[error("the connection pooler at {at} refused the connection: {message}")]
    Pooler { at: String, message: String },
    #[error("{at} runs PostgreSQL {version}, older than 13")]
    Unsupported { at: String, version: String },
    #[error("{at} refused the connection: {message} (SQLSTATE {sqlstate})")]
    Startup { at: String, message: String, sqlstate: String },

    // Asking.
    #[error("permission denied while trying to {action}: {message}")]
    Denied { action: String, message: String },
    #[error("row-level security would hide rows of {}", list(tables))]
    RowSecurity { user: String, tables: Vec<Relation> },
    #[error("user '{user}' may not read {}", list(relations))]
    Unreadable { user: String, relations: Vec<Relation> },
    #[error("user '{user}' may not read {count} large objects")]
    UnreadableLargeObjects { user: String, count: u64 },
    #[error("the server could not {action}: {message} (SQLSTATE {sqlstate})")]
    Query { action: String, message: String, sqlstate: String },
    #[error("others dropped or replaced {what} while the catalogue was read: {said}")]
    Dropped { what: String, said: String },
    #[error("{count} tables went away while they were dumped")]
    TableVanished { count: usize },
    #[error("roles and tablespaces cannot be dumped: {message}")]
    Globals { message: String },
    #[error("cannot run {program}")]
    Program {
        program: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error("the connection broke while trying to {action}")]
    Broken {
        action: String,
        #[source]
        source: tokio_postgres::Error,
    },
    #[error("the connection broke while trying to {action}")]
    Lost {
        action: String,
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// What became of a statement, `action` in the infinitive ("read the tables").
    pub fn asking(action: impl Into<String>) -> impl FnOnce(tokio_postgres::Error) -> Self {
        let action = action.into();
        move |source| match source.as_db_error() {
            Some(error) if error.code() == &SqlState::INSUFFICIENT_PRIVILEGE => {
                Self::Denied { action, message: error.message().to_owned() }
            }
            Some(error) => Self::Query {
                action,
                message: error.message().to_owned(),
                sqlstate: error.code().code().to_owned(),
            },
            None => Self::Broken { action, source },
        }
    }

    /// `kind` is one of the fingerprint's, e.g. `event_trigger`.
    pub(super) fn dropped(kind: &str, said: String) -> Self {
        let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        Self::Dropped { what: format!("{article} {}", kind.replace('_', " ")), said }
    }

    /// Whether a table cannot be had now: a lock that was asked for without
    /// waiting was not free, or the table was dropped since the snapshot.
    pub fn is_out_of_reach(&self) -> bool {
        const CODES: [&SqlState; 3] =
            [&SqlState::LOCK_NOT_AVAILABLE, &SqlState::UNDEFINED_TABLE, &SqlState::INVALID_SCHEMA_NAME];
        match self {
            Self::TableVanished { .. } => true,
            Self::Query { sqlstate, .. } => CODES.iter().any(|code| code.code() == sqlstate),
            _ => false,
        }
    }

    /// Whether the next server of several may be tried. A server that answered
    /// and said no ends the search, as in libpq: the others would count a wrong
    /// password as another attempt.
    pub(super) fn is_about_this_server(&self) -> bool {
        matches!(
            self,
            Self::UnknownHost { .. }
                | Self::Ipv6Only { .. }
                | Self::Refused { .. }
                | Self::Unreachable { .. }
                | Self::Timeout { .. }
                | Self::Closed { .. }
                | Self::NotReady { .. }
                | Self::WrongRole { .. }
        )
    }
}

fn list(tables: &[Relation]) -> String {
    const SHOWN: usize = 5;
    let mut text = tables.iter().take(SHOWN).map(|table| format!("'{table}'")).collect::<Vec<_>>().join(", ");
    if tables.len() > SHOWN {
        let _ = write!(text, " and {} more", tables.len() - SHOWN);
    }
    text
}

impl Advise for Error {
    fn hint(&self) -> Option<String> {
        let project = |host: &str| match Provider::detect(host, None, None) {
            Provider::SupabaseDirect { project_ref } => Some(format!(
                "the direct host of a Supabase project has only an IPv6 address; {}",
                session_pooler(&project_ref)
            )),
            _ => None,
        };
        Some(match self {
            Self::BadTarget { .. } | Self::UnknownParameter { .. } => {
                "write `postgresql://user:password@host:5432/database`, or `host=… user=… dbname=…`; percent-encode \
                 special characters in a URL and quote blanks in the other form"
                    .to_owned()
            }
            Self::RawCharacter { character } => format!(
                "percent-encode it: write %{:02X} instead of '{character}' in the password",
                u32::from(*character)
            ),
            Self::BadPort => {
                "if the password holds '/', '@', ':' or '%', percent-encode it (%2F, %40, %3A, %25)".to_owned()
            }
            Self::Dropped { .. } => "nothing was committed; run it again when no migration is under way".to_owned(),
            Self::NoService { .. } => {
                "add a section of that name to ~/.pg_service.conf, or set PGSERVICEFILE".to_owned()
            }
            Self::UnsupportedParameter { parameter } => format!("take '{parameter}' out, or use another way to guard the connection"),
            Self::NoRoots { .. } => {
                "set sslrootcert to the authority's certificate, to `system`, or put it into ~/.postgresql/root.crt"
                    .to_owned()
            }
            Self::NoClientKey { .. } => "set sslkey to its private key (PEM, not encrypted)".to_owned(),
            Self::NoNameToVerify { .. } => "give `host` beside `hostaddr`".to_owned(),
            Self::UnknownHost { host, .. } => project(host).unwrap_or_else(|| {
                "check the host name; if the password holds '@' or '/', percent-encode it (%40, %2F)".to_owned()
            }),
            Self::Ipv6Only { host, .. } => project(host).unwrap_or_else(|| {
                "use a host name with an IPv4 address, or a machine with IPv6".to_owned()
            }),
            Self::Timeout { host, .. } => project(host).unwrap_or_else(|| {
                "check that a firewall or network restriction lets this machine in, or raise connect_timeout".to_owned()
            }),
            Self::Refused { at, .. } | Self::Unreachable { at, .. } => {
                format!("check that PostgreSQL listens on {at} and that a firewall lets this machine in")
            }
            Self::TlsRefused { .. } => {
                "turn TLS on in the server (ssl = on), or connect over a trusted path with sslmode=prefer".to_owned()
            }
            Self::Untrusted { .. } => {
                "set sslrootcert to the certificate of the authority that signed it, or to `system` for a public one"
                    .to_owned()
            }
            Self::WrongName { presented, .. } if presented.is_empty() => {
                "the certificate has no subject alternative name; issue one that has, or use sslmode=verify-ca".to_owned()
            }
            Self::WrongName { presented, .. } => {
                format!("connect by a name that it is for ({}), or use sslmode=verify-ca", presented.join(", "))
            }
            Self::NoChannelBinding { .. } => {
                "channel_binding=require needs TLS and a SCRAM password (password_encryption = scram-sha-256)".to_owned()
            }
            Self::NoPassword { .. } => {
                "set PGPASSWORD, or add a line to ~/.pgpass (mode 0600): host:port:database:user:password".to_owned()
            }
            Self::WrongPassword { host, user, .. } if host.ends_with(".pooler.supabase.com") && !user.contains('.') => {
                format!("a Supabase pooler wants the user '{user}.<project ref>'")
            }
            Self::WrongPassword { .. } => {
                "check user and password; percent-encode special characters if they come from a URL".to_owned()
            }
            Self::NotAllowed { .. } => {
                "pg_hba.conf on the server decides this: check its line for this user, database, address and TLS".to_owned()
            }
            Self::NoDatabase { .. } => "list the databases with `psql -l` and correct the name".to_owned(),
            Self::TooManyConnections { .. } => {
                "end idle sessions or raise the limit; a backup needs two connections".to_owned()
            }
            Self::NotReady { .. } => "wait until the server has started, and try again".to_owned(),
            Self::Pooler { .. } => {
                "connect to the database directly or through a session pooler; transaction poolers keep no session"
                    .to_owned()
            }
            Self::Startup { message, .. } if message.contains("Tenant or user not found") => {
                "a Supabase pooler wants the user 'postgres.<project ref>' and the host of the project's own region"
                    .to_owned()
            }
            Self::Unsupported { .. } => "upgrade the server to PostgreSQL 13 or newer".to_owned(),
            Self::Denied { message, .. } if message.contains("row-level security") => {
                "give the role BYPASSRLS, or back up as the owner of the tables: with the policies on, rows would be missing"
                    .to_owned()
            }
            Self::Denied { .. } => "run `backstop doctor`: it lists what the role may not read, with the GRANTs".to_owned(),
            Self::RowSecurity { user, .. } => format!(
                "as a superuser: ALTER ROLE {} BYPASSRLS; or back up as the owner of the tables",
                quote(user)
            ),
            Self::Unreadable { user, .. } => {
                format!("as a superuser: GRANT pg_read_all_data TO {} (PostgreSQL 14 and newer)", quote(user))
            }
            Self::UnreadableLargeObjects { .. } => {
                "run `backstop doctor`: it prints the statement that grants them".to_owned()
            }
            Self::EveryServer { last, .. } => return last.hint(),
            Self::Broken { .. } | Self::Lost { .. } | Self::Closed { .. } => {
                "look into the server's log, and try again".to_owned()
            }
            // The session was ended, or the server is going down (class 57P).
            Self::Query { sqlstate, .. } if sqlstate.starts_with("57P") => {
                "look into the server's log, and try again".to_owned()
            }
            _ => return None,
        })
    }
}

/// How to reach a Supabase project where its direct host cannot be reached.
/// Source: supabase.com/docs/guides/database/connecting-to-postgres (November 2026).
pub fn session_pooler(project: &str) -> String {
    format!(
        "use its session pooler: host 'aws-<n>-<region>.pooler.supabase.com', port 5432, user 'postgres.{project}' \
         (the exact host stands in the dashboard under Connect, Session pooler)"
    )
}
