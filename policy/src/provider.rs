//! Who runs a server, and how it is reached, from the shape of its address.
//!
//! Host, port and user in; nothing is looked up. Sources: Supabase "Connect to
//! your database", Neon "Connection pooling", Amazon RDS endpoints (2026-11).

use crate::secrets;

/// A provider and the way a connection goes to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provider {
    /// `db.<ref>.supabase.co:5432`: no pooler between; IPv6 only without an add-on.
    SupabaseDirect {
        project_ref: String,
    },
    /// `*.pooler.supabase.com:5432`: one server session each.
    SupabaseSession {
        project_ref: Option<String>,
    },
    /// Port 6543 of either host: no session state, so not for dumps.
    SupabaseTransaction {
        project_ref: Option<String>,
    },
    /// `*.neon.tech`; `pooled` where the first label ends in `-pooler`.
    Neon {
        pooled: bool,
    },
    /// `*.rds.amazonaws.com`.
    Rds,
    SelfHosted,
}

impl Provider {
    pub fn detect(host: &str, port: Option<u16>, user: Option<&str>) -> Self {
        let transaction = port == Some(6543);
        if let Some(project_ref) = project_of(host) {
            return if transaction {
                Self::SupabaseTransaction { project_ref: Some(project_ref) }
            } else {
                Self::SupabaseDirect { project_ref }
            };
        }
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        if host.ends_with(".pooler.supabase.com") {
            // The pooler knows the project by the user: `postgres.<ref>`.
            let project_ref =
                user.and_then(|user| user.split_once('.')).map(|(_, project)| project.to_owned());
            return if transaction {
                Self::SupabaseTransaction { project_ref }
            } else {
                Self::SupabaseSession { project_ref }
            };
        }
        if host.ends_with(".neon.tech") {
            let pooled = host.split('.').next().is_some_and(|label| label.ends_with("-pooler"));
            return Self::Neon { pooled };
        }
        let rds = [".rds.amazonaws.com", ".rds.amazonaws.com.cn"];
        if rds.iter().any(|suffix| host.ends_with(suffix)) { Self::Rds } else { Self::SelfHosted }
    }

    /// The provider of a connection URL, or `None` where it is no URL of PostgreSQL.
    pub fn of_url(url: &str) -> Option<Self> {
        let address = Address::of(url)?;
        let (host, port) = address.each().last()?;
        Some(Self::detect(host, port, address.user))
    }

    /// Whether the connection runs through a pooler that keeps no session.
    pub fn is_transaction_pooler(&self) -> bool {
        matches!(self, Self::SupabaseTransaction { .. } | Self::Neon { pooled: true })
    }

    pub fn describe(&self) -> &'static str {
        match self {
            Self::SupabaseDirect { .. } => "Supabase, direct connection",
            Self::SupabaseSession { .. } => "Supabase, session pooler",
            Self::SupabaseTransaction { .. } => "Supabase, transaction pooler",
            Self::Neon { pooled: false } => "Neon, direct connection",
            Self::Neon { pooled: true } => "Neon, connection pooler",
            Self::Rds => "Amazon RDS",
            Self::SelfHosted => "PostgreSQL",
        }
    }
}

/// Where a connection URL leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address<'u> {
    pub user: Option<&'u str>,
    /// With ports, and with commas between them: each is tried.
    hosts: &'u str,
}

impl<'u> Address<'u> {
    /// None where it is no URL of PostgreSQL. A password in it may hold anything; it is
    /// not looked at.
    pub fn of(url: &'u str) -> Option<Self> {
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"))?;
        let (userinfo, address) = match secrets::password_in_url(url) {
            // The host follows the `@` after the password.
            Some(password) if url.get(password.end..)?.starts_with('@') => {
                (url.get(url.len() - rest.len()..password.start)?, url.get(password.end + 1..)?)
            }
            _ => {
                let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
                rest.get(..end)?.rsplit_once('@').map_or(("", rest), |(user, host)| {
                    (user, rest.get(end - host.len()..).unwrap_or_default())
                })
            }
        };
        let user = userinfo.split(':').next().filter(|user| !user.is_empty());
        Some(Self { user, hosts: address.split(['/', '?', '#']).next()? })
    }

    /// Each host, and its port where one is written as a number.
    pub fn each(self) -> impl Iterator<Item = (&'u str, Option<u16>)> {
        self.hosts.split(',').map(|one| {
            let host = secrets::without_port(one);
            let port = one.get(host.len()..).and_then(|rest| rest.strip_prefix(':'));
            (host, port.and_then(|port| port.parse().ok()))
        })
    }
}

/// `<ref>` of `db.<ref>.supabase.co`: there a Supabase project's own server listens, and
/// on port 6543 its own transaction pooler, which has no session pooler beside it.
pub fn project_of(host: &str) -> Option<String> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let label = host.strip_prefix("db.")?.strip_suffix(".supabase.co")?;
    (!label.contains('.')).then(|| label.to_owned())
}

/// Whether `text` has the shape of a Supabase project reference.
pub fn is_project_ref(text: &str) -> bool {
    text.len() == 20 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_shape() {
        let project = || Some("abcdefghijklmnopqrst".to_owned());
        let cases = [
            (
                ("db.abcdefghijklmnopqrst.supabase.co", 5432, "postgres"),
                Provider::SupabaseDirect { project_ref: project().unwrap() },
            ),
            (
                ("db.abcdefghijklmnopqrst.supabase.co", 6543, "postgres"),
                Provider::SupabaseTransaction { project_ref: project() },
            ),
            (
                ("aws-0-eu-west-1.pooler.supabase.com", 5432, "postgres.abcdefghijklmnopqrst"),
                Provider::SupabaseSession { project_ref: project() },
            ),
            (
                ("AWS-1-eu-west-1.Pooler.Supabase.com.", 6543, "postgres.abcdefghijklmnopqrst"),
                Provider::SupabaseTransaction { project_ref: project() },
            ),
            (
                ("aws-0-eu-west-1.pooler.supabase.com", 5432, "postgres"),
                Provider::SupabaseSession { project_ref: None },
            ),
            (("ep-cool-a1b2.eu-central-1.aws.neon.tech", 5432, "u"), Provider::Neon { pooled: false }),
            (("ep-cool-a1b2-pooler.eu-central-1.aws.neon.tech", 5432, "u"), Provider::Neon { pooled: true }),
            (("shop.c9akciq32.eu-west-1.rds.amazonaws.com", 5432, "u"), Provider::Rds),
            (("db.internal", 5432, "u"), Provider::SelfHosted),
            // Nobody else's domain that only looks like one.
            (("db.abcdefghijklmnopqrst.supabase.co.evil.example", 5432, "u"), Provider::SelfHosted),
            (("neon.tech.example", 5432, "u"), Provider::SelfHosted),
            (("", 5432, "u"), Provider::SelfHosted),
        ];
        for ((host, port, user), provider) in cases {
            assert_eq!(Provider::detect(host, Some(port), Some(user)), provider, "{host}:{port}");
        }
    }

    #[test]
    fn the_provider_of_a_url_whatever_its_password() {
        let of = |url: &str| Provider::of_url(url).map(|provider| provider.describe());
        let pooler = "aws-0-eu-west-1.pooler.supabase.com";
        for password in ["", ":pw", ":p@w", ":p/w#x?y", ":${PW}", ":[YOUR-PASSWORD]"] {
            let url =
                format!("postgresql://postgres.abcdefghijklmnopqrst{password}@{pooler}:6543/postgres?x=y");
            assert_eq!(of(&url), Some("Supabase, transaction pooler"), "{url}");
        }
        assert_eq!(of("postgres://ep-x-pooler.eu.aws.neon.tech/db"), Some("Neon, connection pooler"));
        assert_eq!(of("postgres://u:p@[::1]:5432/db"), Some("PostgreSQL"));
        assert_eq!(of("postgres://u@localhost"), Some("PostgreSQL"));
        assert_eq!(of("mysql://u@h/db"), None);
        let user = Provider::of_url(&format!("postgres://postgres.abc:pw@{pooler}:5432/postgres"));
        assert_eq!(user, Some(Provider::SupabaseSession { project_ref: Some("abc".to_owned()) }));
    }

    #[test]
    fn the_hosts_of_a_url() {
        let hosts = |url: &str| -> Vec<String> {
            let each = Address::of(url).map(Address::each).into_iter().flatten();
            each.map(|(host, port)| format!("{host} {}", port.unwrap_or_default())).collect()
        };
        assert_eq!(hosts("postgres://u:p@[::1]/db"), ["[::1] 0"]);
        assert_eq!(hosts("postgres://u:p/w?x@a:5,[fd00::1]:6,c/db"), ["a 5", "[fd00::1] 6", "c 0"]);
        assert_eq!(hosts("postgres://u:$PW@$HOST:$PORT/db?sslmode=require"), ["$HOST 0"]);
        assert_eq!(hosts("postgresql:///db"), [" 0"]);
        assert_eq!(hosts("mysql://u@h/db"), [""; 0]);
    }

    #[test]
    fn only_poolers_without_sessions_are_called_so() {
        assert!(Provider::Neon { pooled: true }.is_transaction_pooler());
        assert!(Provider::SupabaseTransaction { project_ref: None }.is_transaction_pooler());
        assert!(!Provider::SupabaseSession { project_ref: None }.is_transaction_pooler());
    }
}
