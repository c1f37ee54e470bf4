//! Whose server a host name and port point to, as far as the name tells: what
//! decides whether a dump may go through there, and which hint helps.
//!
//! Shapes from supabase.com/docs/guides/database/connecting-to-postgres and
//! neon.com/docs/connect/connection-pooling (both read in November 2026).

use super::target::Host;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provider {
    /// `db.<ref>.supabase.co:5432`; reached over IPv6 only without the add-on.
    SupabaseDirect {
        project: String,
    },
    /// `db.<ref>.supabase.co:6543`: the project's own PgBouncer, transaction mode.
    SupabaseDedicated {
        project: String,
    },
    /// `aws-….pooler.supabase.com:5432`: session mode.
    SupabaseSession,
    /// `aws-….pooler.supabase.com:6543`: transaction mode.
    SupabaseTransaction,
    NeonDirect,
    /// A Neon host with `-pooler` in its first label: transaction mode.
    NeonPooled {
        direct: String,
    },
    Socket,
    Other,
}

pub fn recognise(host: &Host) -> Provider {
    let name = host.name().trim_end_matches('.').to_ascii_lowercase();
    if host.is_socket() {
        return Provider::Socket;
    }
    if let Some(project) = name.strip_prefix("db.").and_then(|name| name.strip_suffix(".supabase.co")) {
        let project = project.to_owned();
        return match host.port() {
            6543 => Provider::SupabaseDedicated { project },
            _ => Provider::SupabaseDirect { project },
        };
    }
    if name.ends_with(".pooler.supabase.com") {
        return match host.port() {
            6543 => Provider::SupabaseTransaction,
            _ => Provider::SupabaseSession,
        };
    }
    if name.ends_with(".neon.tech") {
        let (endpoint, domain) = name.split_once('.').unwrap_or((&name, ""));
        return match endpoint.strip_suffix("-pooler") {
            Some(endpoint) => Provider::NeonPooled { direct: format!("{endpoint}.{domain}") },
            None => Provider::NeonDirect,
        };
    }
    Provider::Other
}

/// How to reach a Supabase project where its direct host cannot be reached.
pub fn supabase_session_pooler(project: &str) -> String {
    format!(
        "the direct host of a Supabase project has only an IPv6 address; use its session pooler: host \
         'aws-<n>-<region>.pooler.supabase.com', port 5432, user 'postgres.{project}' (the exact host stands in \
         the dashboard under Connect, Session pooler)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_recognised_by_their_shape() {
        let project = || "abcdefghijklmnopqrst".to_owned();
        for (name, port, expected) in [
            ("db.abcdefghijklmnopqrst.supabase.co", 5432, Provider::SupabaseDirect { project: project() }),
            ("db.abcdefghijklmnopqrst.supabase.co", 6543, Provider::SupabaseDedicated { project: project() }),
            ("aws-0-eu-central-1.pooler.supabase.com", 5432, Provider::SupabaseSession),
            ("AWS-1-us-east-1.pooler.supabase.com", 6543, Provider::SupabaseTransaction),
            ("ep-cool-a1b2.eu-central-1.aws.neon.tech", 5432, Provider::NeonDirect),
            (
                "ep-cool-a1b2-pooler.eu-central-1.aws.neon.tech",
                5432,
                Provider::NeonPooled { direct: "ep-cool-a1b2.eu-central-1.aws.neon.tech".to_owned() },
            ),
            ("/var/run/postgresql", 5432, Provider::Socket),
            ("db.example.com", 6543, Provider::Other),
        ] {
            assert_eq!(recognise(&Host::new(name, None, port)), expected, "{name}:{port}");
        }
    }
}
