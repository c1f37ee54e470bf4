//! A live session with a server: a [`Target`] goes in, its hosts are tried in
//! order with libpq's meaning of `sslmode` and `target_session_attrs`, and the
//! first server that will do comes out.
//!
//! Nothing here hangs: each address gets the connect timeout. The connection of
//! a dropped session is closed at once; the server sees that when its running
//! statement next sends something, or ends.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::time::Duration;

use rand::seq::SliceRandom;
use secrecy::ExposeSecret;
use tokio::task::JoinHandle;
use tokio_postgres::config::{self, SslNegotiation};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::{Error, OLDEST_SERVER};
use super::lane::Lanes;
use super::target::{ChannelBinding, Host, SessionAttrs, SslMode, Target};
use super::{refusal, tls};

/// What the server sees as our name, unless the target gives one.
const APPLICATION_NAME: &str = "backstop";
/// For a session beside others that read whole tables as well. From PostgreSQL 18 on, a
/// few workers (three, where nobody says otherwise) read pages for all sessions, and who
/// asked has to fetch them from another core. Several connections read ahead of each
/// other as it is: each does better by itself.
pub const READS_ITSELF: &str = "SELECT pg_catalog.set_config('effective_io_concurrency', '0', false) \
    WHERE pg_catalog.current_setting('io_method', true) = 'worker'";
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

pub struct Session {
    client: Client,
    task: JoinHandle<()>,
    target: Target,
    tls: MakeRustlsConnect,
    encrypted: bool,
    state: State,
}

/// What a server says about itself first.
#[derive(Debug, Clone)]
struct State {
    version: String,
    version_num: u32,
    read_only: bool,
    standby: bool,
}

impl Session {
    pub async fn connect(target: &Target) -> Result<Self, Error> {
        let tls = tls::connector(&target.tls)?;
        let mut hosts = target.hosts.clone();
        if target.load_balance {
            hosts.shuffle(&mut rand::thread_rng());
        }
        // `prefer-standby` asks all for a standby before it takes any.
        let passes: &[SessionAttrs] = match target.session_attrs {
            SessionAttrs::PreferStandby => &[SessionAttrs::Standby, SessionAttrs::Any],
            _ => std::slice::from_ref(&target.session_attrs),
        };
        let mut last = None;
        for attrs in passes {
            for host in &hosts {
                match on_host(target, host, *attrs, &tls).await {
                    Ok(session) => return Ok(session),
                    Err(error) if error.is_about_this_server() => last = Some(error),
                    Err(error) => return Err(error),
                }
            }
        }
        let last = last.unwrap_or_else(|| Error::BadTarget { reason: "it names no host".to_owned() });
        Err(match hosts.len() {
            0 | 1 => last,
            count => Error::EveryServer { count, last: Box::new(last) },
        })
    }

    /// One that outlasts whatever its work waits for: it is not ended meanwhile because
    /// the role or the database is set so, and takes as long as it takes. Not for a
    /// pooler, which may hand its settings on.
    pub async fn patient(target: &Target) -> Result<Self, Error> {
        let session = Self::connect(target).await?;
        let sql = no_limits(session.server_version_num());
        session
            .batch_execute(&sql)
            .await
            .map_err(Error::asking("take the limits of time off a connection"))?;
        Ok(session)
    }

    /// `server_version_num`, e.g. 150018.
    pub fn server_version_num(&self) -> u32 {
        self.state.version_num
    }

    /// `server_version`, e.g. `15.18 (Debian 15.18-0+deb12u1)`.
    pub fn server_version(&self) -> &str {
        &self.state.version
    }

    /// Whether the server is in recovery: a standby.
    pub fn is_standby(&self) -> bool {
        self.state.standby
    }

    /// Whether the bytes between us and what answered, be it a pooler, are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// The target narrowed to the server and address that answered, so that
    /// child programs reach the same one.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// More connections to the very server that answered, for rows only.
    pub fn lanes(&self) -> Lanes {
        Lanes { target: self.target.clone(), tls: self.tls.clone(), encrypted: self.encrypted }
    }

    /// Say goodbye to the server and wait until it is said.
    pub async fn close(mut self) {
        let task = std::mem::replace(&mut self.task, tokio::spawn(async {}));
        let abort = task.abort_handle();
        drop(self);
        if tokio::time::timeout(GOODBYE, task).await.is_err() {
            abort.abort();
        }
    }
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Statements that take as long as they take, in a session that is not ended meanwhile.
pub fn no_limits(version_num: u32) -> String {
    let mut sql = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; ".to_owned();
    let major = version_num / 10_000;
    if major >= 14 {
        sql += "SET idle_session_timeout = 0; ";
    }
    if major >= 17 {
        sql += "SET transaction_timeout = 0; ";
    }
    sql
}

/// Try the addresses of one host.
async fn on_host(
    target: &Target,
    host: &Host,
    attrs: SessionAttrs,
    tls: &MakeRustlsConnect,
) -> Result<Session, Error> {
    let addresses = addresses(host, target).await?;
    let only_ipv6 = !addresses.is_empty() && addresses.iter().all(|ip| ip.is_some_and(|ip| ip.is_ipv6()));
    let mut last = None;
    for address in addresses {
        let pinned = Host { address, ..host.clone() };
        match at_address(target, &pinned, attrs, tls).await {
            Ok(session) => return Ok(session),
            Err(error) if error.is_about_this_server() => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(match last {
        Some(error @ (Error::Unreachable { .. } | Error::Timeout { .. }))
            if only_ipv6 && host.name().parse::<IpAddr>().is_err() =>
        {
            Error::Ipv6Only { host: host.name().to_owned(), source: Box::new(error) }
        }
        Some(error) => error,
        None => Error::UnknownHost {
            host: host.name().to_owned(),
            source: io::Error::new(io::ErrorKind::NotFound, "the name has no address"),
        },
    })
}

/// Where to connect, in order; `None` is a Unix socket.
async fn addresses(host: &Host, target: &Target) -> Result<Vec<Option<IpAddr>>, Error> {
    if host.is_socket() {
        return Ok(vec![None]);
    }
    if let Some(address) = host.address {
        return Ok(vec![Some(address)]);
    }
    let found = within(target, host, tokio::net::lookup_host((host.name(), host.port())))
        .await?
        .map_err(|source| Error::UnknownHost { host: host.name().to_owned(), source })?;
    let mut addresses = Vec::new();
    for ip in found.map(|address: SocketAddr| Some(address.ip())) {
        if !addresses.contains(&ip) {
            addresses.push(ip);
        }
    }
    Ok(addresses)
}

/// Try one address, encrypted and plain in the order of `sslmode`.
async fn at_address(
    target: &Target,
    host: &Host,
    attrs: SessionAttrs,
    tls: &MakeRustlsConnect,
) -> Result<Session, Error> {
    // The driver's own `Prefer` would not say what it took.
    use config::SslMode::{Disable, Require};
    let (first, second) = match target.tls.mode {
        _ if host.is_socket() => (Disable, None),
        SslMode::Disable => (Disable, None),
        SslMode::Allow => (Disable, Some(Require)),
        SslMode::Prefer => (Require, Some(Disable)),
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => (Require, None),
    };
    let error = match once(target, host, attrs, first, tls).await {
        Ok(session) => return Ok(session),
        Err(error) => error,
    };
    // libpq tries the other way after any refusal. A wrong password stays wrong,
    // and counting it twice can lock an account out, so that one is final here.
    let other_way = match error {
        Error::TlsRefused { .. } => second == Some(Disable),
        Error::NotAllowed { .. } | Error::Tls { .. } | Error::Untrusted { .. } | Error::WrongName { .. } => {
            true
        }
        _ => false,
    };
    match second {
        Some(second) if other_way => match once(target, host, attrs, second, tls).await {
            // That the server has no TLS either says less than its first answer.
            Err(Error::TlsRefused { .. }) => Err(error),
            result => result,
        },
        _ => Err(error),
    }
}

async fn once(
    target: &Target,
    host: &Host,
    attrs: SessionAttrs,
    mode: config::SslMode,
    tls: &MakeRustlsConnect,
) -> Result<Session, Error> {
    let config = driver_config(target, host, mode);
    let (client, connection) = within(target, host, config.connect(tls.clone()))
        .await?
        .map_err(|error| refusal::classify(error, target, host))?;
    let task = tokio::spawn(async move {
        // How it ended shows at the statement that was running.
        let _ = connection.await;
    });
    let mut session = Session {
        client,
        task,
        target: target.pinned(host.clone()),
        tls: tls.clone(),
        encrypted: mode == config::SslMode::Require,
        state: State { version: String::new(), version_num: 0, read_only: false, standby: false },
    };
    let at = host.to_string();
    session.state = within(target, host, state(&session.client)).await??.supported(&at)?;
    let (read_only, standby) = (session.state.read_only, session.state.standby);
    let wrong = match attrs {
        SessionAttrs::ReadWrite if read_only => Some("read-only"),
        SessionAttrs::ReadOnly if !read_only => Some("writable"),
        SessionAttrs::Primary if standby => Some("a standby"),
        SessionAttrs::Standby if !standby => Some("a primary"),
        _ => None,
    };
    match wrong {
        Some(found) => Err(Error::WrongRole { at, found, wanted: attrs.as_str() }),
        None => Ok(session),
    }
}

impl State {
    fn supported(self, at: &str) -> Result<Self, Error> {
        if self.version_num < OLDEST_SERVER {
            return Err(Error::Unsupported { at: at.to_owned(), version: self.version });
        }
        Ok(self)
    }
}

/// Plain protocol, because a pooler may not keep prepared statements.
async fn state(client: &Client) -> Result<State, Error> {
    let action = "read the server's version";
    let messages = client
        .simple_query(
            "SELECT current_setting('server_version'), current_setting('server_version_num'), \
             current_setting('transaction_read_only'), pg_catalog.pg_is_in_recovery()",
        )
        .await
        .map_err(Error::asking(action))?;
    messages
        .iter()
        .find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(State {
                version: row.get(0)?.to_owned(),
                version_num: row.get(1)?.parse().ok()?,
                read_only: row.get(2)? == "on",
                standby: row.get(3)? == "t",
            }),
            _ => None,
        })
        .ok_or_else(|| Error::Query {
            action: action.to_owned(),
            message: "the answer is no version".to_owned(),
            sqlstate: SqlState::PROTOCOL_VIOLATION.code().to_owned(),
        })
}

/// One host for the driver, which knows neither pgpass nor the other modes.
pub(super) fn driver_config(target: &Target, host: &Host, mode: config::SslMode) -> Config {
    let mut config = Config::new();
    config
        .user(target.user())
        .dbname(target.database())
        .host(host.name())
        .port(host.port())
        .application_name(target.application_name.as_deref().unwrap_or(APPLICATION_NAME))
        .ssl_mode(mode)
        .ssl_negotiation(if target.tls.direct { SslNegotiation::Direct } else { SslNegotiation::Postgres })
        .channel_binding(match target.channel_binding {
            ChannelBinding::Disable => config::ChannelBinding::Disable,
            ChannelBinding::Prefer => config::ChannelBinding::Prefer,
            ChannelBinding::Require => config::ChannelBinding::Require,
        })
        .keepalives(target.keepalives.on)
        .keepalives_idle(target.keepalives.idle);
    if let Some(address) = host.address {
        config.hostaddr(address);
    }
    if let Some(options) = &target.options {
        config.options(options.as_str());
    }
    if let Some(interval) = target.keepalives.interval {
        config.keepalives_interval(interval);
    }
    if let Some(count) = target.keepalives.count {
        config.keepalives_retries(count);
    }
    if let Some(timeout) = target.keepalives.user_timeout {
        config.tcp_user_timeout(timeout);
    }
    if let Some(password) = target.password(host) {
        config.password(password.expose_secret());
    }
    config
}

/// Not longer than the target's connect timeout. Holds on to neither of them.
pub(super) fn within<F: Future>(
    target: &Target,
    host: &Host,
    future: F,
) -> impl Future<Output = Result<F::Output, Error>> + use<F> {
    let limit = target.connect_timeout;
    let (at, host) = (host.to_string(), host.name().to_owned());
    async move {
        match limit {
            None => Ok(future.await),
            Some(limit) => tokio::time::timeout(limit, future).await.map_err(|_| Error::Timeout {
                at,
                host,
                seconds: limit.as_secs(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_server_is_13() {
        let of = |version: &str, version_num| {
            let state = State { version: version.to_owned(), version_num, read_only: false, standby: false };
            state.supported("db:5432").map(|state| state.version_num)
        };
        assert_eq!(of("13beta1", 130_000).unwrap(), 130_000);
        assert_eq!(of("18.6", 180_006).unwrap(), 180_006);
        let error = of("12.22 (Debian 12.22-1)", 120_022).unwrap_err();
        assert_eq!(error.to_string(), "db:5432 runs PostgreSQL 12.22 (Debian 12.22-1), older than 13");
    }
}
