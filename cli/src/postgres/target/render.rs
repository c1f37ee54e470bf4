//! A [`Target`] for others: in words, as a child's environment, as a URL.
//!
//! The password goes into the child's environment or the secret URL and nowhere
//! else; never into an argument.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};

use super::{ChannelBinding, Host, Roots, SessionAttrs, SslMode, Target, TlsVersion};

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where systems keep the authorities that they trust, in one file.
const SYSTEM_ROOTS: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/opt/homebrew/etc/ca-certificates/cert.pem",
];

impl Target {
    /// Make a child (`pg_dump`, `pg_restore`, `psql`) connect exactly there: no
    /// `PG*` variable of ours reaches it, all of the target's do.
    pub fn apply(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        for (name, value) in self.variables() {
            command.env(name, value);
        }
        if let Some(password) = self.common_password() {
            command.env("PGPASSWORD", password.expose_secret());
        } else if let Some(path) = &self.passfile.path {
            command.env("PGPASSFILE", path);
        }
    }

    /// A URL with everything percent-encoded, as `DATABASE_URL` for the user's
    /// own programs. It says only what differs from the defaults, since other
    /// drivers know fewer parameters.
    pub fn url(&self) -> SecretString {
        let encode = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
        let mut url = format!("postgresql://{}", encode(&self.user));
        if let Some(password) = self.common_password() {
            url.push(':');
            url.push_str(&encode(password.expose_secret()));
        }
        url.push('@');
        let mut query = Vec::new();
        match self.hosts.as_slice() {
            [host] if host.is_socket() => {
                let _ = write!(url, "localhost:{}", host.port);
                query.push(("host", host.name.clone()));
            }
            hosts => url.push_str(&hosts.iter().map(url_host).collect::<Vec<_>>().join(",")),
        }
        url.push('/');
        url.push_str(&encode(&self.database));
        if self.tls.mode != SslMode::Prefer {
            query.push(("sslmode", self.tls.mode.as_str().to_owned()));
        }
        match &self.tls.roots {
            Roots::File(path) => query.push(("sslrootcert", text(path))),
            Roots::System => query.push(("sslrootcert", "system".to_owned())),
            Roots::None => {}
        }
        if let Some((certificate, key)) = &self.tls.client {
            query.push(("sslcert", text(certificate)));
            query.push(("sslkey", text(key)));
        }
        if self.channel_binding != ChannelBinding::Prefer {
            query.push(("channel_binding", self.channel_binding.as_str().to_owned()));
        }
        if self.session_attrs != SessionAttrs::Any {
            query.push(("target_session_attrs", self.session_attrs.as_str().to_owned()));
        }
        query.extend(self.options.clone().map(|options| ("options", options)));
        for (index, (name, value)) in query.iter().enumerate() {
            let _ = write!(url, "{}{name}={}", if index == 0 { '?' } else { '&' }, encode(value));
        }
        url.into()
    }

    /// The password where all the servers have the same one.
    fn common_password(&self) -> Option<SecretString> {
        let mut passwords = self.hosts.iter().map(|host| self.password(host));
        let first = passwords.next()??;
        passwords
            .all(|other| other.is_some_and(|other| other.expose_secret() == first.expose_secret()))
            .then_some(first)
    }

    /// Everything but the password.
    fn variables(&self) -> Vec<(&'static str, String)> {
        let list =
            |field: &dyn Fn(&Host) -> String| self.hosts.iter().map(field).collect::<Vec<_>>().join(",");
        let mut all = vec![
            ("PGHOST", list(&|host| host.name.clone())),
            ("PGPORT", list(&|host| host.port.to_string())),
            ("PGUSER", self.user.clone()),
            ("PGDATABASE", self.database.clone()),
            ("PGSSLMODE", self.tls.mode.as_str().to_owned()),
            ("PGCHANNELBINDING", self.channel_binding.as_str().to_owned()),
            ("PGGSSENCMODE", "disable".to_owned()),
            ("PGCONNECT_TIMEOUT", self.connect_timeout.map_or(0, |timeout| timeout.as_secs()).to_string()),
        ];
        if self.hosts.iter().any(|host| host.address.is_some()) {
            let address = |host: &Host| host.address.map(|ip| ip.to_string()).unwrap_or_default();
            all.push(("PGHOSTADDR", list(&address)));
        }
        match &self.tls.roots {
            Roots::File(path) => all.push(("PGSSLROOTCERT", text(path))),
            Roots::System => all.push(("PGSSLROOTCERT", system_roots())),
            Roots::None => {}
        }
        if let Some((certificate, key)) = &self.tls.client {
            all.push(("PGSSLCERT", text(certificate)));
            all.push(("PGSSLKEY", text(key)));
        }
        all.extend(self.tls.revoked.as_deref().map(|path| ("PGSSLCRL", text(path))));
        if !self.tls.server_name {
            all.push(("PGSSLSNI", "0".to_owned()));
        }
        if self.tls.direct {
            all.push(("PGSSLNEGOTIATION", "direct".to_owned()));
        }
        for (name, version) in
            [("PGSSLMINPROTOCOLVERSION", self.tls.oldest), ("PGSSLMAXPROTOCOLVERSION", self.tls.newest)]
        {
            all.extend(version.map(|version| (name, version.as_str().to_owned())));
        }
        if self.session_attrs != SessionAttrs::Any {
            all.push(("PGTARGETSESSIONATTRS", self.session_attrs.as_str().to_owned()));
        }
        if self.load_balance {
            all.push(("PGLOADBALANCEHOSTS", "random".to_owned()));
        }
        all.extend(self.options.clone().map(|options| ("PGOPTIONS", options)));
        all.extend(self.application_name.clone().map(|name| ("PGAPPNAME", name)));
        all
    }
}

/// `sslrootcert=system` as a file, because clients before 16 and clients that
/// were built elsewhere do not know where this system keeps its authorities.
fn system_roots() -> String {
    std::env::var("SSL_CERT_FILE")
        .ok()
        .into_iter()
        .chain(SYSTEM_ROOTS.map(str::to_owned))
        .find(|path| Path::new(path).is_file())
        .unwrap_or_else(|| "system".to_owned())
}

fn text(path: &Path) -> String {
    PathBuf::from(path).to_string_lossy().into_owned()
}

fn url_host(host: &Host) -> String {
    if host.name.contains(':') {
        format!("[{}]:{}", host.name, host.port)
    } else {
        format!("{}:{}", utf8_percent_encode(&host.name, RESERVED), host.port)
    }
}

impl ChannelBinding {
    fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
        }
    }
}

impl TlsVersion {
    fn as_str(self) -> &'static str {
        match self {
            Self::V1_2 => "TLSv1.2",
            Self::V1_3 => "TLSv1.3",
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_socket() {
            write!(f, "socket {}/.s.PGSQL.{}", self.name, self.port)
        } else if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "database '{}' on ", self.database)?;
        for (index, host) in self.hosts.iter().enumerate() {
            write!(f, "{}{host}", if index == 0 { "" } else { " or " })?;
        }
        write!(f, " as '{}'", self.user)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("hosts", &self.hosts)
            .field("user", &self.user)
            .field("database", &self.database)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}
