//! The way to the server: the shape of its address, whether it answers, who sits
//! in between, and whether the wire is encrypted.

use backstop_policy::provider::Provider;

use crate::postgres::error::session_pooler;
use crate::postgres::pooler::shares_backends;
use crate::postgres::target::{SslMode, reserved_in_password};
use crate::postgres::{Error, Session, Target};

use super::Check;

const MODE: &str = "connection-mode";

/// What the address alone tells, before anything is sent.
pub fn address(target: &Target) -> Vec<Check> {
    let mut checks: Vec<Check> = target
        .hosts()
        .iter()
        .map(|host| {
            let user = target.user();
            if host.is_socket() {
                return Check::ok(MODE, format!("by the Unix socket in '{}'", host.name()));
            }
            match Provider::detect(host.name(), Some(host.port()), Some(user)) {
                // The dedicated pooler shares the direct host's name.
                Provider::SupabaseTransaction { project_ref: Some(project) } if host.name().starts_with("db.") => {
                    Check::error(
                        MODE,
                        format!(
                            "'{}:6543' is the project's transaction pooler, which keeps no session for a dump",
                            host.name()
                        ),
                        format!(
                            "use port 5432, the direct connection; without IPv6, {}",
                            session_pooler(&project)
                        ),
                    )
                }
                Provider::SupabaseTransaction { .. } => Check::error(
                    MODE,
                    format!(
                        "'{}:6543' is Supabase's transaction pooler, which keeps no session for a dump",
                        host.name()
                    ),
                    "use port 5432 of the same host: the session pooler",
                ),
                Provider::Neon { pooled: true } => Check::error(
                    MODE,
                    format!(
                        "'{}' is Neon's transaction pooler, which keeps no session for a dump",
                        host.name()
                    ),
                    format!("use the direct host '{}'", host.name().replacen("-pooler.", ".", 1)),
                ),
                Provider::SupabaseSession { .. } if !user.contains('.') => Check::error(
                    MODE,
                    format!("a Supabase pooler does not know the user '{user}'"),
                    format!("use the user '{user}.<project ref>'"),
                ),
                Provider::SupabaseDirect { project_ref: project } if user.ends_with(&format!(".{project}")) => {
                    Check::warning(
                        MODE,
                        format!(
                            "the user '{user}' is the form for the pooler, but the host is the direct one"
                        ),
                        "use the user 'postgres' on the direct host",
                    )
                }
                Provider::SupabaseDirect { project_ref: project } => Check {
                    fix: Some(format!(
                        "on machines without IPv6 (GitHub's runners), {}",
                        session_pooler(&project)
                    )),
                    ..Check::ok(MODE, "direct to a Supabase project (IPv6 only without the IPv4 add-on)")
                },
                Provider::SupabaseSession { .. } => Check::ok(MODE, "through Supabase's session pooler"),
                Provider::Neon { pooled: false } => Check::ok(MODE, "direct to a Neon compute"),
                Provider::Rds | Provider::SelfHosted => Check::ok(MODE, format!("to {host}")),
            }
        })
        .collect();
    checks.extend(target.warnings().iter().map(|warning| {
        let (message, fix) = warning.split_once("; ").unwrap_or((warning, "check the file"));
        Check::warning("password-file", message, fix)
    }));
    checks
}

/// Characters in a URL's password that libpq takes raw and other programs do not.
pub fn url_password(url: &str) -> Vec<Check> {
    let raw = reserved_in_password(url);
    if raw.is_empty() {
        return Vec::new();
    }
    let list = raw.iter().map(|c| format!("'{c}'")).collect::<Vec<_>>().join(", ");
    let encoded =
        raw.iter().map(|c| format!("%{:02X} for '{c}'", u32::from(*c))).collect::<Vec<_>>().join(", ");
    vec![Check::warning(
        "url-password",
        format!("the password in the URL holds {list} raw; other programs that are given the URL stop there"),
        format!("percent-encode: {encoded}"),
    )]
}

/// Connect, and say what answers. The session is for the checks that follow.
pub async fn reach(target: &Target) -> (Option<Session>, Vec<Check>) {
    let session = match Session::connect(target).await {
        Ok(session) => session,
        Err(error) => return (None, vec![Check::failed("server", &error)]),
    };
    let mut checks = vec![Check::ok(
        "server",
        format!("PostgreSQL {}, database '{}'", session.server_version(), target.database()),
    )];
    if session.is_standby() {
        checks.push(Check::warning(
            "standby",
            "this server is a standby: it may cancel a long dump in favour of replay",
            "back up the primary, or set max_standby_streaming_delay = -1 and hot_standby_feedback = on here",
        ));
    }
    checks.push(wire(session.target(), session.is_encrypted()));
    match shares_backends(&session).await {
        Ok(false) => checks.push(Check::ok("pooler", "sessions keep their server process")),
        Ok(true) => checks.push(Check::error(
            "pooler",
            "a connection pooler in transaction mode is in between: it keeps no session for a dump",
            "connect to PostgreSQL itself, or to a pool with pool_mode = session",
        )),
        Err(error @ Error::TooManyConnections { .. }) => checks.push(Check::failed("connections", &error)),
        Err(error) => checks.push(Check::failed("pooler", &error)),
    }
    (Some(session), checks)
}

fn wire(target: &Target, encrypted: bool) -> Check {
    const NAME: &str = "tls";
    let local = target.hosts().iter().all(|host| {
        host.is_socket()
            || host.name() == "localhost"
            || host.name().parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    });
    match (encrypted, target.sslmode()) {
        (true, SslMode::VerifyFull) => Check::ok(NAME, "encrypted, and the server's name is verified"),
        (true, SslMode::VerifyCa) => Check::ok(NAME, "encrypted, and the server's authority is verified"),
        (true, _) => {
            Check::ok(NAME, "encrypted; the server's identity is not verified (sslmode=verify-full would)")
        }
        (false, _) if local => Check::ok(NAME, "not encrypted, and does not leave this machine"),
        (false, _) => Check::warning(
            NAME,
            "the connection is not encrypted: passwords and data can be read on the way",
            "set sslmode=verify-full with sslrootcert, or at least sslmode=require",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    fn first(url: &str) -> Check {
        address(&Target::parse(url, &|_| None).unwrap()).remove(0)
    }

    #[test]
    fn transaction_poolers_are_errors_that_name_the_right_address() {
        for (url, fix) in [
            (
                "postgres://postgres.abc@aws-0-eu-central-1.pooler.supabase.com:6543/postgres",
                "use port 5432 of the same host",
            ),
            ("postgres://postgres@db.abc.supabase.co:6543/postgres", "user 'postgres.abc'"),
            ("postgres://me@ep-x-1-pooler.eu.aws.neon.tech/shop", "'ep-x-1.eu.aws.neon.tech'"),
            (
                "postgres://postgres@aws-0-eu-central-1.pooler.supabase.com/postgres",
                "'postgres.<project ref>'",
            ),
        ] {
            let check = first(url);
            assert_eq!(check.status, Status::Error, "{url}");
            assert!(check.fix.as_ref().unwrap().contains(fix), "{check:?}");
        }
    }

    #[test]
    fn other_ways_are_fine() {
        for url in [
            "postgres://postgres.abc@aws-0-eu-central-1.pooler.supabase.com:5432/postgres",
            "postgres://postgres@db.abc.supabase.co/postgres",
            "postgres://me@ep-x-1.eu.aws.neon.tech/shop",
            "postgres://me@db.example.com:6543/shop",
            "postgres:///shop?host=/run/postgresql&user=me",
        ] {
            assert_eq!(first(url).status, Status::Ok, "{url}");
        }
        assert_eq!(first("postgres://postgres.abc@db.abc.supabase.co/postgres").status, Status::Warning);
    }

    #[test]
    fn raw_characters_are_named_and_the_password_is_not() {
        let check = url_password("postgres://app:hun#ter2?@db/shop").remove(0);
        assert_eq!(check.fix.as_deref(), Some("percent-encode: %23 for '#', %3F for '?'"));
        assert!(!check.message.contains("hun"));
        assert_eq!(url_password("postgres://app:hun%23ter2@db/shop"), []);
        assert_eq!(url_password("host=db password=a#b"), []);
    }

    #[test]
    fn an_unencrypted_wire_matters_only_when_it_leaves_the_machine() {
        let target = |url: &str| Target::parse(url, &|_| None).unwrap();
        assert_eq!(wire(&target("postgres://u@db.example.com/d"), false).status, Status::Warning);
        assert_eq!(wire(&target("postgres://u@127.0.0.1/d"), false).status, Status::Ok);
        assert_eq!(wire(&target("postgres://u@db.example.com/d"), true).status, Status::Ok);
    }
}
