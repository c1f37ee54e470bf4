//! Reaching a real server: every way in that libpq knows, and every refusal told
//! apart, with the next step and without the password.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use backstop::doctor::connection::reach;
use backstop::doctor::role::role;
use backstop::doctor::{Check, Status, exit_status};
use backstop::error::{Advise, ExitStatus};
use backstop::postgres::privileges::Privileges;
use backstop::postgres::{Error, Session, Target};
use secrecy::ExposeSecret;

use crate::support::tls_server::{ENCODED, PASSWORD, TlsServer, free_port, nothing, refusal, tool};

/// One value of the first row.
async fn ask(session: &Session, sql: &str) -> String {
    session
        .simple_query(sql)
        .await
        .unwrap()
        .iter()
        .find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })
        .unwrap()
}

fn environment(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> + use<> {
    let map: HashMap<String, String> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    move |name| map.get(name).cloned()
}

/// The message and its causes, which must not hold the password.
fn words(error: &Error) -> String {
    let text = format!("{error:?} {error} {:?}", error.hint());
    assert!(!text.contains(PASSWORD) && !text.contains(ENCODED), "{text}");
    error.to_string()
}

#[tokio::test]
async fn the_ways_in() {
    let server = TlsServer::start();
    let (port, ca) = (server.port, server.path("ca.crt").display().to_string());

    for query in [
        String::new(),
        "?sslmode=allow".to_owned(),
        "?sslmode=prefer".to_owned(),
        "?sslmode=require&channel_binding=require".to_owned(),
        format!("?sslmode=verify-ca&sslrootcert={ca}"),
        format!("?sslmode=require&sslrootcert={ca}&ssl_min_protocol_version=TLSv1.3"),
    ] {
        let session =
            Session::connect(&server.target(&query)).await.unwrap_or_else(|e| panic!("{query}: {e}"));
        assert_eq!(ask(&session, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").await, "t");
        assert_eq!(ask(&session, "SHOW application_name").await, "backstop");
        assert!(session.server_version_num() >= 130_000);
        assert!(session.is_encrypted());
        session.close().await;
    }
    let without = TlsServer::start_plain();
    for query in ["", "?sslmode=allow", "?sslmode=disable"] {
        assert!(!Session::connect(&without.target(query)).await.unwrap().is_encrypted());
    }
    let full = server.url("localhost", &format!("?sslmode=verify-full&sslrootcert={ca}"));
    let session = Session::connect(&Target::parse(&full, &nothing).unwrap()).await.unwrap();
    session.close().await;

    // A root certificate in the home makes `require` check the chain.
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".postgresql")).unwrap();
    std::fs::copy(server.path("other-ca.crt"), home.path().join(".postgresql/root.crt")).unwrap();
    let at_home = environment(&[("HOME", home.path().to_str().unwrap())]);
    let error =
        refusal(&Target::parse(&server.url("127.0.0.1", "?sslmode=require"), &at_home).unwrap()).await;
    assert!(matches!(error, Error::Untrusted { .. }), "{error}");

    // Unix socket, as a parameter and as a percent-encoded host.
    let socket = server.path("").display().to_string();
    for url in [
        format!("postgresql://admin:{ENCODED}@/postgres?host={socket}&port={port}&sslmode=require"),
        format!("postgresql://admin:{ENCODED}@{}:{port}/postgres", socket.replace('/', "%2F")),
        format!("host={socket} port={port} user=admin dbname=postgres password='{PASSWORD}'"),
    ] {
        let session = Session::connect(&Target::parse(&url, &nothing).unwrap()).await.unwrap();
        assert_eq!(ask(&session, "SELECT inet_server_addr() IS NULL").await, "t");
        session.close().await;
    }

    let missing =
        format!("host={socket} port={port} user=admin dbname=postgres sslmode=verify-full sslrootcert=/nope");
    assert!(
        matches!(server.refusal(&missing).await, Error::NoPassword { .. }),
        "a socket needs no certificate"
    );

    // A dead host first, then the live one; children reach the one that answered.
    let url = format!("postgresql://admin:{ENCODED}@127.0.0.1:{},127.0.0.1:{port}/postgres", free_port());
    let target = Target::parse(&url, &nothing).unwrap();
    let session = Session::connect(&target).await.unwrap();
    assert_eq!((session.target().hosts().len(), session.target().port()), (1, port));
    let attrs = Target::parse(&format!("{url}?target_session_attrs=standby"), &nothing).unwrap();
    assert!(matches!(refusal(&attrs).await, Error::EveryServer { count: 2, .. }));

    // The environment of a child says the same, and its argv nothing.
    for target in [&target, session.target(), &server.target("?sslmode=require").with_database("template1")] {
        let mut psql = Command::new(tool("psql"));
        psql.args(["-XAtc", "SELECT current_database()"]);
        target.apply(&mut psql);
        let done = psql.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&done.stdout).trim(), target.database(), "{done:?}");
        // And so does the URL for hooks.
        let mut psql = Command::new(tool("psql"));
        psql.args(["-XAtc", "SELECT current_database()", target.url().expose_secret()]);
        let done = psql.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&done.stdout).trim(), target.database());
    }
    assert!(!format!("{target:?} {target}").contains(PASSWORD));
}

#[tokio::test]
async fn a_self_signed_certificate_is_its_own_authority() {
    let server = TlsServer::start_self_signed();
    let own = server.path("self.crt").display().to_string();
    let url = |host: &str, mode: &str| server.url(host, &format!("?sslmode={mode}&sslrootcert={own}"));
    for (host, mode) in [("localhost", "verify-full"), ("127.0.0.1", "verify-ca")] {
        let target = Target::parse(&url(host, mode), &nothing).unwrap();
        Session::connect(&target).await.unwrap_or_else(|e| panic!("{mode}: {e}")).close().await;
    }
    let error = server.refusal(&url("127.0.0.1", "verify-full")).await;
    assert!(matches!(error, Error::WrongName { .. }), "{error:?}");
    let other = server.path("other-ca.crt").display().to_string();
    let error =
        server.refusal(&server.url("localhost", &format!("?sslmode=verify-ca&sslrootcert={other}"))).await;
    assert!(matches!(error, Error::Untrusted { .. }), "{error:?}");
}

#[tokio::test]
async fn a_client_certificate_logs_in() {
    let server = TlsServer::start();
    server.admin().await.batch_execute("CREATE ROLE certified LOGIN").await.unwrap();
    let (cert, key) = (server.path("client.crt"), server.path("client.key"));
    let base = format!("postgresql://certified@127.0.0.1:{}/postgres?sslmode=require", server.port);
    let with = format!("{base}&sslcert={}&sslkey={}", cert.display(), key.display());
    let session = Session::connect(&Target::parse(&with, &nothing).unwrap()).await.unwrap();
    assert_eq!(ask(&session, "SELECT current_user").await, "certified");
    assert!(matches!(server.refusal(&base).await, Error::NotAllowed { .. }));

    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = server.refusal(&with).await;
    assert!(matches!(error, Error::BadCertificateFile { .. }), "{error:?}");
}

#[tokio::test]
async fn the_ways_to_a_password() {
    let server = TlsServer::start();
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    let write = |name: &str, text: &str| {
        std::fs::write(path(name), text).unwrap();
        std::fs::set_permissions(path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    let escaped = PASSWORD.replace('\\', "\\\\").replace(':', "\\:");
    write(".pgpass", &format!("localhost:*:*:*:wrong\n127.0.0.1:{}:*:admin:{escaped}\n", server.port));
    let at_home = environment(&[("HOME", home.path().to_str().unwrap())]);
    let conninfo = format!("host=127.0.0.1 port={} user=admin dbname=postgres", server.port);
    let target = Target::parse(&conninfo, &at_home).unwrap();
    Session::connect(&target).await.unwrap().close().await;
    assert!(target.warnings().is_empty());

    // The child of another account cannot read the file, so it is given the password.
    let mut child = Command::new("true");
    target.apply(&mut child);
    assert!(child.get_envs().any(|(name, value)| name == "PGPASSWORD" && value == Some(PASSWORD.as_ref())));

    std::fs::set_permissions(path(".pgpass"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let target = Target::parse(&conninfo, &at_home).unwrap();
    assert!(target.warnings()[0].contains("chmod 0600"), "{:?}", target.warnings());
    assert!(matches!(refusal(&target).await, Error::NoPassword { .. }));

    // A service file, with the password from the environment.
    let service = format!(
        "[shop]\nhost=127.0.0.1\nport={}\nuser=admin\ndbname=postgres\nsslmode=require\n",
        server.port
    );
    write("services", &service);
    let services = path("services").display().to_string();
    let with_service =
        environment(&[("PGSERVICEFILE", &services), ("PGSERVICE", "shop"), ("PGPASSWORD", PASSWORD)]);
    let target = Target::from_environment(&with_service).unwrap();
    Session::connect(&target).await.unwrap().close().await;
    assert_eq!(target.to_string(), format!("database 'postgres' on 127.0.0.1:{} as 'admin'", server.port));
}

#[tokio::test]
async fn the_refusals() {
    let server = TlsServer::start();
    let plain = TlsServer::start_plain();
    let port = server.port;

    let wrong = format!("postgresql://admin:nope@127.0.0.1:{port}/postgres");
    let error = server.refusal(&wrong).await;
    assert!(matches!(error, Error::WrongPassword { .. }), "{error:?}");
    assert_eq!(words(&error), format!("127.0.0.1:{port} refused the password of user 'admin'"));

    let error = server.refusal("postgresql://admin@nosuchhost.invalid/postgres").await;
    assert!(matches!(error, Error::UnknownHost { .. }), "{error:?}");
    assert_eq!(words(&error), "host 'nosuchhost.invalid' is unknown");

    let closed = free_port();
    let error = server.refusal(&format!("postgresql://admin@127.0.0.1:{closed}/postgres")).await;
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("listens on"));

    let error = server.refusal(&server.url("127.0.0.1", "?sslmode=disable")).await;
    assert!(matches!(error, Error::NotAllowed { .. }), "{error:?}");

    let error = refusal(&plain.target("?sslmode=require")).await;
    assert!(matches!(error, Error::TlsRefused { .. }), "{error:?}");
    let error = refusal(&plain.target("?channel_binding=require")).await;
    assert!(matches!(error, Error::NoChannelBinding { .. }), "{error:?}");

    let other = server.path("other-ca.crt").display().to_string();
    for mode in ["require", "verify-ca", "verify-full"] {
        let error =
            server.refusal(&server.url("localhost", &format!("?sslmode={mode}&sslrootcert={other}"))).await;
        assert!(matches!(error, Error::Untrusted { .. }), "{mode}: {error:?}");
    }
    let ca = server.path("ca.crt").display().to_string();
    let error =
        server.refusal(&server.url("127.0.0.1", &format!("?sslmode=verify-full&sslrootcert={ca}"))).await;
    assert!(matches!(error, Error::WrongName { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("localhost"), "{:?}", error.hint());

    let error = refusal(&server.target("").with_database("nosuch")).await;
    assert!(matches!(error, Error::NoDatabase { .. }), "{error:?}");
    assert_eq!(words(&error), format!("there is no database 'nosuch' on 127.0.0.1:{port}"));

    let error = server.refusal(&format!("postgresql://admin@127.0.0.1:{port}/postgres")).await;
    assert!(matches!(error, Error::NoPassword { .. }), "{error:?}");

    let mut held = Vec::new();
    let error = loop {
        match Session::connect(&server.target("")).await {
            Ok(session) => held.push(session),
            Err(error) => break error,
        }
        assert!(held.len() < 20);
    };
    assert!(matches!(error, Error::TooManyConnections { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = format!("postgresql://admin@127.0.0.1:{port}/postgres?connect_timeout=1");
    let error = refusal(&Target::parse(&url, &nothing).unwrap()).await;
    assert!(matches!(error, Error::Timeout { seconds: 1, .. }), "{error:?}");
}

#[tokio::test]
async fn what_a_role_may_not_read_is_found() {
    let server = TlsServer::start();
    let admin = server.admin().await;
    admin
        .batch_execute(
            r#"CREATE ROLE reader LOGIN PASSWORD 'reader';
            CREATE TABLE users (id serial PRIMARY KEY); INSERT INTO users DEFAULT VALUES;
            CREATE TABLE "or ders" (id int); ALTER TABLE "or ders" ENABLE ROW LEVEL SECURITY;
            CREATE TABLE secrets (id serial);
            CREATE UNLOGGED TABLE cache (id int);
            CREATE SCHEMA hidden; CREATE TABLE hidden.x (id int);
            GRANT SELECT ON users, "or ders", cache, users_id_seq, hidden.x TO reader;
            SELECT lo_create(42); SELECT lo_create(43); GRANT SELECT ON LARGE OBJECT 43 TO reader"#,
        )
        .await
        .unwrap();
    let url = format!("postgresql://reader:reader@127.0.0.1:{}/postgres", server.port);
    let session = Session::connect(&Target::parse(&url, &nothing).unwrap()).await.unwrap();
    let found = Privileges::of(&session).await.unwrap();
    let names = |relations: &[backstop::postgres::privileges::Relation]| {
        relations.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!((found.role.as_str(), found.superuser, found.bypass_rls), ("reader", false, false));
    assert_eq!(names(&found.filtered_tables), ["public.or ders"]);
    assert_eq!(names(&found.unreadable_tables), ["hidden.x", "public.secrets"]);
    assert_eq!(names(&found.unreadable_sequences), ["public.secrets_id_seq"]);
    assert_eq!(names(&found.unlogged_tables), ["public.cache"]);
    assert_eq!(found.unusable_schemas, ["hidden"]);
    assert_eq!((found.tables, found.large_objects, found.unreadable_large_objects), (5, 2, 1));
    assert!(found.database_bytes > 1_000_000);
    assert_eq!(found.extensions[0].name, "plpgsql");
    assert!(matches!(found.refuse(|_| true, true), Err(Error::RowSecurity { .. })));

    // The doctor's statements are the ones that mend it.
    let fixes = |checks: &[Check], name: &str| {
        checks.iter().filter(|check| check.name == name).find_map(|check| check.fix.clone()).unwrap()
    };
    let checks = role(&found, session.server_version_num());
    let large_objects = fixes(&checks, "large-objects");
    admin.batch_execute(&large_objects).await.unwrap();
    assert_eq!(Privileges::of(&session).await.unwrap().unreadable_large_objects, 0);
    admin.batch_execute("REVOKE ALL ON LARGE OBJECT 42 FROM reader").await.unwrap();
    for check in role(&found, 130_000).iter().filter(|check| check.status == Status::Error) {
        admin.batch_execute(check.fix.as_deref().unwrap()).await.unwrap();
    }
    let mended = Privileges::of(&session).await.unwrap();
    assert_eq!(exit_status(&role(&mended, 130_000)), ExitStatus::Clean, "{mended:?}");
    admin
        .batch_execute("REVOKE ALL ON LARGE OBJECT 42 FROM reader; REVOKE ALL ON secrets FROM reader")
        .await
        .unwrap();

    // BYPASSRLS and pg_read_all_data mend all but the large object.
    admin.batch_execute("ALTER ROLE reader BYPASSRLS; GRANT pg_read_all_data TO reader").await.unwrap();
    let found = Privileges::of(&session).await.unwrap();
    assert!(found.bypass_rls && found.filtered_tables.is_empty() && found.unreadable_tables.is_empty());
    assert!(found.unusable_schemas.is_empty() && found.unreadable_large_objects == 1);
    found.refuse(|_| true, false).unwrap();
    assert!(matches!(found.refuse(|_| true, true), Err(Error::UnreadableLargeObjects { count: 1, .. })));

    // An owner sees all rows, unless they are forced through the policies.
    admin
        .batch_execute(r#"ALTER ROLE reader NOBYPASSRLS; ALTER TABLE "or ders" OWNER TO reader"#)
        .await
        .unwrap();
    assert!(Privileges::of(&session).await.unwrap().filtered_tables.is_empty());
    admin.batch_execute(r#"ALTER TABLE "or ders" FORCE ROW LEVEL SECURITY"#).await.unwrap();
    assert_eq!(Privileges::of(&session).await.unwrap().filtered_tables.len(), 1);
    assert_eq!(Privileges::of(&admin).await.unwrap().filtered_tables, []);
}

#[tokio::test]
async fn the_doctor_reaches_a_server_or_says_why_not() {
    let server = TlsServer::start();
    let (session, checks) = reach(&server.target("?sslmode=require")).await;
    assert!(session.is_some());
    let seen: Vec<_> = checks.iter().map(|check| (check.name, check.status)).collect();
    assert_eq!(seen, [("server", Status::Ok), ("tls", Status::Ok), ("pooler", Status::Ok)], "{checks:?}");

    let url = format!("postgresql://admin:nope@127.0.0.1:{}/postgres", server.port);
    let (session, checks) = reach(&Target::parse(&url, &nothing).unwrap()).await;
    assert!(session.is_none());
    assert_eq!(exit_status(&checks), ExitStatus::Bad);
    assert!(checks[0].fix.as_ref().unwrap().contains("check user and password"));
}

/// Strings that libpq itself reads or refuses: `psql` must agree about each.
#[test]
fn psql_and_we_read_the_same_strings() {
    let port = free_port();
    let refused_for_its_string = |text: &str| {
        let mut psql = Command::new(tool("psql"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                psql.env_remove(name);
            }
        }
        psql.env("PGCONNECT_TIMEOUT", "2").env("HOME", "/nonexistent");
        let done = psql.args(["-Xwc", "SELECT 1", text]).output().unwrap();
        let message = String::from_utf8_lossy(&done.stderr).into_owned();
        // Anything that got as far as a socket was understood.
        !(message.contains("connection to server") || message.contains("could not translate host name"))
    };
    let local = format!("127.0.0.1:{port}");
    for text in [
        format!("postgres://u:p@{local}/d"),
        format!("postgres://u:a:b@{local}/d"),
        format!("postgres://u:a?b#c@{local}/d"),
        format!("postgres://u:%61@{local}/d%20e?sslmode=prefer&application_name=x+y"),
        format!("postgres://u@{local},[::1]:{port}/d"),
        format!("postgresql://u@%2Fnonexistent:{port}/d"),
        format!("postgresql:///d?host=/nonexistent&port={port}"),
        format!("postgres://u@{local}/d?ssl=true"),
        format!("postgres://u@{local}/d?ssl=false"),
        format!("postgres://u@{local}/d?foo=1"),
        format!("postgres://u@{local}/d?sslmode="),
        format!("postgres://u@{local}/d?sslmode=full"),
        format!("postgres://u@{local}/d?port=1=2"),
        format!("postgres://u@{local}/d?a"),
        format!("postgres://u@{local}/d%00"),
        format!("postgres://u:%zz@{local}/d"),
        "postgres://u@[::1/d".to_owned(),
        "postgres://u@[]/d".to_owned(),
        "postgres://u@[::1]x/d".to_owned(),
        "postgres://u:pa/ss@h/d".to_owned(),
        format!("host=127.0.0.1 port={port} user=u"),
        format!("host = 127.0.0.1 port= {port}"),
        format!("host='127.0.0.1' port='{port}' password='a\\'b'"),
        format!("host=127.0.0.1 port=' {port} '"),
        format!("host=127.0.0.1 port={port} password=a'b"),
        format!("host=127.0.0.1,127.0.0.1 port={port}"),
        "host='127.0.0.1".to_owned(),
        "host=127.0.0.1 port".to_owned(),
        "host=127.0.0.1 port=0".to_owned(),
        "host=127.0.0.1 port=70000".to_owned(),
        "host=127.0.0.1 port=abc".to_owned(),
        "host=127.0.0.1,b port=1,2,3".to_owned(),
        "hostaddr=127.0.0.1,::1 host=a".to_owned(),
        "host=127.0.0.1 foo=1".to_owned(),
        "host=127.0.0.1 service=nosuch".to_owned(),
        format!("host=127.0.0.1 port={port} target_session_attrs=primary"),
        format!("host=127.0.0.1 port={port} target_session_attrs=master"),
        format!("host=127.0.0.1 port={port} channel_binding=always"),
        format!("host=127.0.0.1 port={port} ssl_min_protocol_version=TLSv1.3"),
    ] {
        let ours = Target::parse(&text, &nothing);
        assert_eq!(
            ours.is_err(),
            refused_for_its_string(&text),
            "{text}: {:?}",
            ours.err().map(|e| e.to_string())
        );
    }
}

#[test]
fn a_url_for_hooks_says_everything_encoded() {
    let read = |text: &str| Target::parse(text, &nothing).unwrap().url().expose_secret().to_owned();
    for (text, expected) in [
        (
            "host=h user='a b' password='p@:/?#%' dbname='d/e'",
            "postgresql://a%20b:p%40%3A%2F%3F%23%25@h:5432/d%2Fe",
        ),
        ("host=::1 user=u dbname=d sslmode=require", "postgresql://u@[::1]:5432/d?sslmode=require"),
        ("host=/run/pg port=6 user=u dbname=d", "postgresql://u@localhost:6/d?host=%2Frun%2Fpg"),
        ("host=a,b port=1,2 user=u dbname=d", "postgresql://u@a:1,b:2/d"),
    ] {
        assert_eq!(read(text), expected);
        assert_eq!(read(&read(text)), expected, "it reads back as it was written");
    }
}
