//! Connection parameters by libpq's names: a table of all that libpq 18 knows,
//! with the environment variable of each, and the values that were given.
//!
//! What backstop cannot honour is refused and never ignored, because most of it
//! (`requirepeer`, `require_auth`, …) guards the connection.

use std::collections::BTreeMap;

use crate::postgres::Error;

/// Keyword and environment variable (empty: none), as in libpq's
/// `PQconninfoOptions` (fe-connect.c, PostgreSQL 18).
const KNOWN: &[(&str, &str)] = &[
    ("service", "PGSERVICE"),
    ("servicefile", "PGSERVICEFILE"),
    ("user", "PGUSER"),
    ("password", "PGPASSWORD"),
    ("passfile", "PGPASSFILE"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("dbname", "PGDATABASE"),
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("port", "PGPORT"),
    ("client_encoding", "PGCLIENTENCODING"),
    ("options", "PGOPTIONS"),
    ("application_name", "PGAPPNAME"),
    ("fallback_application_name", ""),
    ("keepalives", ""),
    ("keepalives_idle", ""),
    ("keepalives_interval", ""),
    ("keepalives_count", ""),
    ("tcp_user_timeout", ""),
    ("sslmode", "PGSSLMODE"),
    ("requiressl", "PGREQUIRESSL"),
    ("sslnegotiation", "PGSSLNEGOTIATION"),
    ("sslcompression", "PGSSLCOMPRESSION"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("sslcertmode", "PGSSLCERTMODE"),
    ("sslpassword", ""),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslcrl", "PGSSLCRL"),
    ("sslcrldir", "PGSSLCRLDIR"),
    ("sslsni", "PGSSLSNI"),
    ("sslkeylogfile", ""),
    ("requirepeer", "PGREQUIREPEER"),
    ("require_auth", "PGREQUIREAUTH"),
    ("min_protocol_version", "PGMINPROTOCOLVERSION"),
    ("max_protocol_version", "PGMAXPROTOCOLVERSION"),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
    ("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"),
    ("gssencmode", "PGGSSENCMODE"),
    ("krbsrvname", "PGKRBSRVNAME"),
    ("gsslib", "PGGSSLIB"),
    ("gssdelegation", "PGGSSDELEGATION"),
    ("replication", ""),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    ("scram_client_key", ""),
    ("scram_server_key", ""),
    ("oauth_issuer", ""),
    ("oauth_client_id", ""),
    ("oauth_client_secret", ""),
    ("oauth_scope", ""),
    ("authtype", ""),
    ("tty", ""),
];

/// Parameters that mean something which this program cannot do, with the values
/// that ask for nothing.
const REFUSED: &[(&str, &[&str])] = &[
    ("requirepeer", &[]),
    ("require_auth", &[]),
    ("sslcrldir", &[]),
    ("sslpassword", &[]),
    ("scram_client_key", &[]),
    ("scram_server_key", &[]),
    ("oauth_issuer", &[]),
    ("replication", &["false", "off", "no", "0"]),
    ("gssencmode", &["disable", "prefer"]),
    ("sslcertmode", &["allow", "disable"]),
    ("min_protocol_version", &["3.0"]),
];

/// The values that were given, by keyword. Holds the password: never printed.
#[derive(Clone, Default)]
pub(super) struct Parameters(BTreeMap<&'static str, String>);

impl Parameters {
    /// Set a value, over one that is there.
    pub(super) fn set(&mut self, keyword: &str, value: impl Into<String>) -> Result<(), Error> {
        self.0.insert(known(keyword)?, value.into());
        Ok(())
    }

    /// Set a value unless there is one.
    pub(super) fn fill(&mut self, keyword: &str, value: impl Into<String>) -> Result<(), Error> {
        self.0.entry(known(keyword)?).or_insert_with(|| value.into());
        Ok(())
    }

    /// Fill what is missing from the `PG*` variables.
    pub(super) fn fill_from(&mut self, environment: &dyn Fn(&str) -> Option<String>) {
        // An old switch that libpq still reads where no sslmode is given.
        let required = !self.0.contains_key("sslmode")
            && environment("PGSSLMODE").is_none()
            && environment("PGREQUIRESSL").is_some_and(|value| value.starts_with('1'));
        if required {
            self.0.insert("sslmode", "require".to_owned());
        }
        for &(keyword, variable) in KNOWN {
            if !variable.is_empty()
                && !self.0.contains_key(keyword)
                && let Some(value) = environment(variable)
            {
                self.0.insert(keyword, value);
            }
        }
    }

    /// A value as it was given, which may be empty.
    pub(super) fn given(&self, keyword: &str) -> Option<&str> {
        self.0.get(keyword).map(String::as_str)
    }

    /// A value that is not empty.
    pub(super) fn get(&self, keyword: &str) -> Option<&str> {
        self.given(keyword).filter(|value| !value.is_empty())
    }

    /// A whole number, blanks around it allowed.
    pub(super) fn number(&self, keyword: &'static str) -> Result<Option<i64>, Error> {
        self.get(keyword)
            .map(|value| {
                value.trim().parse().map_err(|_| Error::BadValue {
                    parameter: keyword,
                    value: value.to_owned(),
                    expected: "a whole number",
                })
            })
            .transpose()
    }

    pub(super) fn refuse_unsupported(&self) -> Result<(), Error> {
        for &(keyword, harmless) in REFUSED {
            if let Some(value) = self.get(keyword)
                && !harmless.contains(&value)
            {
                return Err(Error::UnsupportedParameter { parameter: keyword });
            }
        }
        Ok(())
    }
}

fn known(keyword: &str) -> Result<&'static str, Error> {
    KNOWN
        .iter()
        .map(|(known, _)| *known)
        .find(|known| *known == keyword)
        .ok_or_else(|| Error::UnknownParameter { parameter: printable(keyword) })
}

/// A keyword may be half a password when a string was quoted badly, so only
/// what looks like a keyword is repeated.
fn printable(keyword: &str) -> String {
    let plain = !keyword.is_empty()
        && keyword.len() <= 32
        && keyword.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if plain { keyword.to_owned() } else { "…".to_owned() }
}
