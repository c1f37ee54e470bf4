//! Parameters into a [`Target`]: service file, then environment, then defaults,
//! in libpq's order (`conninfo_add_defaults`, `pqConnectOptions2`,
//! fe-connect.c), each value checked.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;

use super::parameters::Parameters;
use super::passfile::Passfile;
use super::{
    CONNECT_TIMEOUT, ChannelBinding, DEFAULT_PORT, Host, Keepalives, Roots, SessionAttrs, SslMode, Target,
    Tls, TlsVersion, default_socket_directory, service,
};
use crate::postgres::Error;

type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The process's own environment, with the account's home where `HOME` is unset.
pub fn process_environment(name: &str) -> Option<String> {
    let value = std::env::var(name).ok();
    if name == "HOME" && value.as_ref().is_none_or(String::is_empty) {
        let account = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok()??;
        return Some(account.dir.to_string_lossy().into_owned());
    }
    value
}

pub(super) fn target(mut parameters: Parameters, environment: Environment) -> Result<Target, Error> {
    service::fill(&mut parameters, environment)?;
    parameters.fill_from(environment);
    parameters.refuse_unsupported()?;

    let home = environment("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let hosts = hosts(&parameters)?;
    let user = match parameters.get("user") {
        Some(user) => user.to_owned(),
        None => system_user()?,
    };
    let database = parameters.get("dbname").unwrap_or(&user).to_owned();
    let password = parameters.get("password").map(SecretString::from);
    let (passfile, warning) = match (&password, passfile_path(&parameters, home.as_deref())) {
        (None, Some(path)) => Passfile::read(path),
        _ => (Passfile::default(), None),
    };
    let on_network = hosts.iter().any(|host| !host.is_socket());
    let tls = tls(&parameters, home.as_deref(), on_network)?;
    if tls.mode == SslMode::VerifyFull
        && let Some(host) =
            hosts.iter().find(|host| host.address.is_some_and(|ip| ip.to_string() == host.name))
        && parameters.get("host").is_none()
    {
        return Err(Error::NoNameToVerify { address: host.name.clone() });
    }
    Ok(Target {
        hosts,
        database,
        user,
        password,
        passfile,
        tls,
        channel_binding: choice(
            &parameters,
            "channel_binding",
            &[
                ("disable", ChannelBinding::Disable),
                ("prefer", ChannelBinding::Prefer),
                ("require", ChannelBinding::Require),
            ],
            ChannelBinding::Prefer,
        )?,
        connect_timeout: match parameters.number("connect_timeout")? {
            None => Some(CONNECT_TIMEOUT),
            Some(seconds) => u64::try_from(seconds).ok().filter(|s| *s > 0).map(Duration::from_secs),
        },
        session_attrs: choice(&parameters, "target_session_attrs", &SessionAttrs::ALL, SessionAttrs::Any)?,
        load_balance: choice(
            &parameters,
            "load_balance_hosts",
            &[("disable", false), ("random", true)],
            false,
        )?,
        options: parameters.get("options").map(str::to_owned),
        application_name: parameters
            .get("application_name")
            .or_else(|| parameters.get("fallback_application_name"))
            .map(str::to_owned),
        keepalives: keepalives(&parameters)?,
        warnings: warning.into_iter().collect(),
    })
}

/// A target that no environment touches.
pub(super) fn plain(host: Host, user: &str, database: &str, password: SecretString, mode: SslMode) -> Target {
    Target {
        hosts: vec![host],
        user: user.to_owned(),
        database: database.to_owned(),
        password: Some(password),
        passfile: Passfile::default(),
        tls: Tls {
            mode,
            roots: Roots::None,
            client: None,
            revoked: None,
            server_name: true,
            direct: false,
            oldest: None,
            newest: None,
        },
        channel_binding: ChannelBinding::Prefer,
        connect_timeout: Some(CONNECT_TIMEOUT),
        session_attrs: SessionAttrs::Any,
        load_balance: false,
        options: None,
        application_name: None,
        keepalives: Keepalives {
            on: true,
            idle: KEEPALIVE_IDLE,
            interval: None,
            count: None,
            user_timeout: None,
        },
        warnings: Vec::new(),
    }
}

/// Sooner than the idle limits of common NAT gateways (350 s on AWS); the
/// kernel's own two hours would come too late.
const KEEPALIVE_IDLE: Duration = Duration::from_mins(1);

fn hosts(parameters: &Parameters) -> Result<Vec<Host>, Error> {
    let list =
        |keyword| parameters.get(keyword).map(|text| text.split(',').map(str::trim).collect::<Vec<_>>());
    let names = list("host");
    let addresses = list("hostaddr");
    let count = addresses.as_ref().or(names.as_ref()).map_or(1, Vec::len);
    let mismatch = |what: &str, found: usize| {
        Err(Error::BadTarget { reason: format!("there are {found} {what} for {count} hosts") })
    };
    if let Some(names) = names.as_ref().filter(|names| names.len() != count) {
        return mismatch("host names", names.len());
    }
    let ports = list("port").unwrap_or_else(|| vec![""]);
    if ports.len() != 1 && ports.len() != count {
        return mismatch("ports", ports.len());
    }
    (0..count)
        .map(|index| {
            let name = names.as_ref().map_or("", |names| names[index]);
            let address = match addresses.as_ref().map_or("", |addresses| addresses[index]) {
                "" => None,
                text => Some(text.parse::<IpAddr>().map_err(|_| Error::BadValue {
                    parameter: "hostaddr",
                    value: text.to_owned(),
                    expected: "an IP address",
                })?),
            };
            let port = port(if ports.len() == 1 { ports[0] } else { ports[index] })?;
            if name.starts_with('@') {
                return Err(Error::BadTarget {
                    reason: "abstract Unix sockets are not supported".to_owned(),
                });
            }
            let name = match (name, address) {
                ("", Some(address)) => address.to_string(),
                ("", None) => default_socket_directory().to_owned(),
                (name, _) => name.to_owned(),
            };
            Ok(Host { name, address, port })
        })
        .collect()
}

fn port(text: &str) -> Result<u16, Error> {
    match text {
        "" => Ok(DEFAULT_PORT),
        text => text.parse().ok().filter(|port| *port > 0).ok_or_else(|| Error::BadPort),
    }
}

fn passfile_path(parameters: &Parameters, home: Option<&Path>) -> Option<PathBuf> {
    parameters.get("passfile").map(PathBuf::from).or_else(|| home.map(|home| home.join(".pgpass")))
}

fn tls(parameters: &Parameters, home: Option<&Path>, on_network: bool) -> Result<Tls, Error> {
    let system = parameters.get("sslrootcert") == Some("system");
    let default = if system { SslMode::VerifyFull } else { SslMode::Prefer };
    let mode = match parameters.given("sslmode") {
        None if parameters.get("requiressl") == Some("1") => SslMode::Require,
        None => default,
        // libpq refuses an empty sslmode too: it must not silently mean "prefer".
        Some("") => {
            return Err(bad("sslmode", "", "disable, allow, prefer, require, verify-ca or verify-full"));
        }
        Some(_) => choice(parameters, "sslmode", &SslMode::ALL, default)?,
    };
    if system && mode != SslMode::VerifyFull {
        return Err(bad("sslmode", mode.as_str(), "verify-full, because sslrootcert=system"));
    }
    let direct = choice(parameters, "sslnegotiation", &[("postgres", false), ("direct", true)], false)?;
    if direct && mode < SslMode::Require {
        return Err(bad("sslmode", mode.as_str(), "require or stronger, because sslnegotiation=direct"));
    }
    let ours = |name: &str| home.map(|home| home.join(".postgresql").join(name)).filter(|path| path.exists());
    let file = |keyword, name| parameters.get(keyword).map(PathBuf::from).or_else(|| ours(name));
    // Sockets are never encrypted, so no file of these may stand in their way.
    let used = on_network && mode != SslMode::Disable;
    let roots = match file("sslrootcert", "root.crt") {
        _ if !used => Roots::None,
        _ if system => Roots::System,
        // Only the checking modes need the file; in the others it may be missing.
        Some(path) if path.exists() || mode >= SslMode::VerifyCa => Roots::File(path),
        None if mode >= SslMode::VerifyCa => return Err(Error::NoRoots { mode: mode.as_str() }),
        _ => Roots::None,
    };
    let client = match (file("sslcert", "postgresql.crt"), file("sslkey", "postgresql.key")) {
        _ if !used || parameters.get("sslcertmode") == Some("disable") => None,
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (Some(certificate), None) => return Err(Error::NoClientKey { certificate }),
        (None, _) => None,
    };
    Ok(Tls {
        mode,
        roots,
        client,
        revoked: file("sslcrl", "root.crl").filter(|_| used),
        server_name: choice(parameters, "sslsni", &[("0", false), ("1", true)], true)?,
        direct,
        oldest: tls_version(parameters, "ssl_min_protocol_version")?,
        newest: tls_version(parameters, "ssl_max_protocol_version")?,
    })
}

fn tls_version(parameters: &Parameters, keyword: &'static str) -> Result<Option<TlsVersion>, Error> {
    match parameters.get(keyword) {
        None => Ok(None),
        Some("TLSv1.3") => Ok(Some(TlsVersion::V1_3)),
        Some("TLSv1.2") => Ok(Some(TlsVersion::V1_2)),
        // Older ones are not spoken, so they are no lower bound.
        Some("TLSv1" | "TLSv1.1") if keyword == "ssl_min_protocol_version" => Ok(None),
        Some(other) => Err(bad(keyword, other, "TLSv1.2 or TLSv1.3")),
    }
}

fn keepalives(parameters: &Parameters) -> Result<Keepalives, Error> {
    let positive = |keyword| -> Result<Option<u64>, Error> {
        Ok(parameters.number(keyword)?.and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0))
    };
    Ok(Keepalives {
        on: parameters.number("keepalives")?.unwrap_or(1) != 0,
        idle: positive("keepalives_idle")?.map_or(KEEPALIVE_IDLE, Duration::from_secs),
        interval: positive("keepalives_interval")?.map(Duration::from_secs),
        count: positive("keepalives_count")?.and_then(|n| u32::try_from(n).ok()),
        user_timeout: positive("tcp_user_timeout")?.map(Duration::from_millis),
    })
}

fn choice<T: Copy>(
    parameters: &Parameters,
    keyword: &'static str,
    choices: &[(&'static str, T)],
    default: T,
) -> Result<T, Error> {
    let Some(value) = parameters.get(keyword) else { return Ok(default) };
    choices.iter().find(|(name, _)| *name == value).map(|(_, choice)| *choice).ok_or_else(|| {
        Error::BadChoice {
            parameter: keyword,
            value: value.to_owned(),
            choices: choices.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "),
        }
    })
}

fn bad(parameter: &'static str, value: &str, expected: &'static str) -> Error {
    Error::BadValue { parameter, value: value.to_owned(), expected }
}

fn system_user() -> Result<String, Error> {
    match nix::unistd::User::from_uid(nix::unistd::geteuid()) {
        Ok(Some(account)) => Ok(account.name),
        _ => Err(Error::NoUser),
    }
}
