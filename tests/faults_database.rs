//! A backup that cannot reach its database, or may not read all of it: what it
//! says, and that it leaves everything as it was.

use crate::support::cluster::Server;
use crate::support::scene::{ALONE, Scene, shared, shared_18};
use crate::support::tls_server::free_port;
use crate::support::{command::Backstop, tools};

/// A backup over TCP, with the right password.
fn over_tcp(scene: &Scene<'_>) -> Backstop {
    use secrecy::ExposeSecret;
    let url = scene.server.cluster.url(&scene.database).unwrap();
    let password = url.expose_secret().split(['@', ':']).nth(2).unwrap();
    scene.backup(&[]).env("PGHOST", "127.0.0.1").env("PGPASSWORD", password)
}

const ONE_TABLE: &str = "CREATE TABLE t AS SELECT 1 AS id";

#[tokio::test]
async fn wrong_password() {
    let scene = Scene::new(shared().await, "wrong_password", ONE_TABLE).await;
    let said = scene.fails(over_tcp(&scene).env("PGPASSWORD", "s3cret-and-wrong")).await;
    insta::assert_snapshot!(said, @r"
    error: 127.0.0.1:[PORT] refused the password of user 'postgres'
    hint: check user and password; percent-encode special characters if they come from a URL
    ");
    insta::assert_snapshot!(scene.fails(scene.backup(&[]).env("PGHOST", "127.0.0.1")).await, @r"
    error: 127.0.0.1:[PORT] asks for a password for user 'postgres', and none is given
    hint: set PGPASSWORD, or add a line to ~/.pgpass (mode 0600): host:port:database:user:password
    ");
}

#[tokio::test]
async fn no_way_to_the_server() {
    let scene = Scene::new(shared().await, "no_way", ONE_TABLE).await;
    let said = scene.fails(over_tcp(&scene).env("PGHOST", "no-such-host.invalid")).await;
    // The resolver has words of its own for it.
    let said: Vec<&str> = said.lines().filter(|line| !line.starts_with("caused by: ")).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    error: host 'no-such-host.invalid' is unknown
    hint: check the host name; if the password holds '@' or '/', percent-encode it (%40, %2F)
    ");

    let closed = free_port().to_string();
    let said = scene.fails(over_tcp(&scene).env("PGPORT", &closed)).await;
    insta::assert_snapshot!(said.replace(&closed, "[CLOSED]"), @r"
    error: 127.0.0.1:[CLOSED] refused the connection
    caused by: Connection refused (os error 111)
    hint: check that PostgreSQL listens on 127.0.0.1:[CLOSED] and that a firewall lets this machine in
    ");

    let said = scene.fails(scene.backup(&[]).env("PGHOST", "/nonexistent")).await;
    insta::assert_snapshot!(said, @r"
    error: socket /nonexistent/.s.PGSQL.[PORT] refused the connection
    caused by: No such file or directory (os error 2)
    hint: check that PostgreSQL listens on socket /nonexistent/.s.PGSQL.[PORT] and that a firewall lets this machine in
    ");
}

#[tokio::test]
async fn tls_is_asked_of_a_server_without() {
    let scene = Scene::new(shared().await, "tls_refused", ONE_TABLE).await;
    insta::assert_snapshot!(scene.fails(over_tcp(&scene).env("PGSSLMODE", "require")).await, @r"
    error: 127.0.0.1:[PORT] does not speak TLS
    hint: turn TLS on in the server (ssl = on), or connect over a trusted path with sslmode=prefer
    ");
}

#[tokio::test]
async fn no_such_database() {
    let scene = Scene::new(shared().await, "there", ONE_TABLE).await;
    let said = scene.fails(scene.backup(&[]).env("PGDATABASE", "not there")).await;
    insta::assert_snapshot!(said, @r"
    error: there is no database 'not there' on socket [SOCKET]/.s.PGSQL.[PORT]
    hint: list the databases with `psql -l` and correct the name
    ");
}

/// Only an older client is installed, and downloads are off.
#[tokio::test]
async fn client_older_than_the_server() {
    let scene = Scene::new(shared_18().await, "newer_server", ONE_TABLE).await;
    let old = scene.backup(&[]).env("BACKSTOP_PG_BIN", tools::postgres(15));
    insta::assert_snapshot!(scene.fails(old).await, @r"
    error: pg_dump 15 cannot dump server version 18
    caused by: the download of PostgreSQL's programs is switched off by BACKSTOP_NO_DOWNLOAD
    hint: install postgresql-client-18 (apt), postgresql18 (dnf) or postgresql@18 (brew), or name its directory in BACKSTOP_PG_BIN
    ");
}

/// 12 is the oldest that a registry still holds. By default the unit test in
/// `postgres::session` alone stands for this refusal.
#[tokio::test]
#[ignore = "for `scripts/test --full`"]
async fn server_older_than_13() {
    let server = Server::start(12).await;
    server.sql("postgres", ONE_TABLE).await;
    let scene = Scene::of(&server, "postgres");
    insta::assert_snapshot!(scene.fails(scene.backup(&[])).await, @"
    error: socket [SOCKET]/.s.PGSQL.[PORT] runs PostgreSQL 12.22, older than 13
    hint: upgrade the server to PostgreSQL 13 or newer
    ");
}

/// Roles are shared by all databases of a server: each test has its own.
async fn limited<'a>(role: &str, statements: &str) -> Scene<'a> {
    let all = format!(
        "CREATE ROLE \"{role}\" LOGIN; CREATE TABLE mine AS SELECT 1 AS id; ALTER TABLE mine OWNER TO \"{role}\";
         CREATE SCHEMA theirs; GRANT USAGE ON SCHEMA theirs TO \"{role}\"; {statements}"
    );
    Scene::new(shared().await, role, &all).await
}

#[tokio::test]
async fn a_table_without_the_privilege() {
    let scene = limited(
        "no_select",
        "CREATE TABLE theirs.\"Pay roll\" (id serial, salary int); CREATE SCHEMA hidden;
         CREATE TABLE hidden.t (id int); GRANT SELECT ON hidden.t TO no_select",
    )
    .await;
    let as_role = |arguments: &[&str]| scene.backup(arguments).env("PGUSER", "no_select");
    insta::assert_snapshot!(scene.fails(as_role(&[])).await, @r#"
    error: user 'no_select' may not read 'hidden.t', 'theirs.Pay roll', 'theirs.Pay roll_id_seq'
    hint: as a superuser: GRANT pg_read_all_data TO "no_select" (PostgreSQL 14 and newer)
    "#);
    insta::assert_snapshot!(scene.fails(as_role(&["--schema", "theirs"])).await, @r#"
    error: pg_dump failed (exit status: 1): permission denied for table Pay roll; detail: Query was: LOCK TABLE theirs."Pay roll" IN ACCESS SHARE MODE
    hint: run `backstop doctor`: it lists what the role may not read, with the GRANTs
    "#);
    insta::assert_snapshot!(scene.fails(as_role(&["--content", "schema"])).await, @r#"
    error: pg_dump failed (exit status: 1): permission denied for table Pay roll; detail: Query was: LOCK TABLE theirs."Pay roll" IN ACCESS SHARE MODE
    hint: run `backstop doctor`: it lists what the role may not read, with the GRANTs
    "#);
}

#[tokio::test]
async fn row_level_security_without_bypassrls() {
    let scene = limited(
        "no_bypass",
        "CREATE TABLE theirs.orders AS SELECT n AS id, 'x' AS customer FROM generate_series(1, 10) n;
         ALTER TABLE theirs.orders ENABLE ROW LEVEL SECURITY;
         CREATE POLICY own ON theirs.orders USING (customer = current_user);
         GRANT pg_read_all_data TO no_bypass",
    )
    .await;
    let as_role = |arguments: &[&str]| scene.backup(arguments).env("PGUSER", "no_bypass");
    insta::assert_snapshot!(scene.fails(as_role(&[])).await, @r#"
    error: row-level security would hide rows of 'theirs.orders'
    hint: as a superuser: ALTER ROLE "no_bypass" BYPASSRLS; or back up as the owner of the tables
    "#);
    // The server says it when only a part is dumped.
    insta::assert_snapshot!(scene.fails(as_role(&["--table", "theirs.orders"])).await, @r#"
    error: cannot copy the rows of 'theirs.orders'
    caused by: permission denied while trying to copy its rows: query would be affected by row-level security policy for table "orders"
    hint: give the role BYPASSRLS, or back up as the owner of the tables: with the policies on, rows would be missing
    "#);
    let alone = as_role(&[&["--table", "theirs.orders"], ALONE].concat());
    insta::assert_snapshot!(scene.fails(alone).await, @r#"
    error: pg_dump failed (exit status: 1): query would be affected by row-level security policy for table "orders"; detail: Query was: COPY theirs.orders (id, customer) TO stdout;
    hint: give the role BYPASSRLS, or back up as the owner of the tables: with the policies on, rows would be missing
    "#);
    // Definitions have no rows that could be hidden.
    as_role(&["--content", "schema"]).run().ended(0);
}

/// The policies of a partitioned table do not apply to who reads its partitions.
#[tokio::test]
async fn row_level_security_on_a_partitioned_table_hides_nothing_from_a_dump() {
    let scene = limited(
        "rls_above",
        "CREATE TABLE theirs.events (id int) PARTITION BY RANGE (id);
         CREATE TABLE theirs.events_1 PARTITION OF theirs.events FOR VALUES FROM (0) TO (100);
         INSERT INTO theirs.events SELECT generate_series(1, 10);
         ALTER TABLE theirs.events ENABLE ROW LEVEL SECURITY;
         GRANT pg_read_all_data TO rls_above",
    )
    .await;
    scene.backup(&[]).env("PGUSER", "rls_above").run().ended(0);
    scene.verify(&[]).run().ended(0);
}

#[tokio::test]
async fn a_large_object_without_the_privilege() {
    let scene = limited(
        "no_lo",
        "SELECT lo_from_bytea(0, 'secret'), lo_from_bytea(0, 'secret too');
         GRANT pg_read_all_data TO no_lo",
    )
    .await;
    let as_role = |arguments: &[&str]| scene.backup(arguments).env("PGUSER", "no_lo");
    insta::assert_snapshot!(scene.fails(as_role(&[])).await, @r"
    error: user 'no_lo' may not read 2 large objects
    hint: run `backstop doctor`: it prints the statement that grants them
    ");
    // Which of the two it met first differs.
    let said = scene.fails(as_role(&["--exclude-table", "mine"])).await;
    let said: String = said.chars().filter(|c| !c.is_ascii_digit()).collect();
    insta::assert_snapshot!(said, @r"
    warning: pg_dump copies the rows alone: permission denied while trying to measure the large objects: permission denied for large object 
    error: pg_dump failed (exit status: ): could not open large object : ERROR:  permission denied for large object 
    hint: run `backstop doctor`: it lists what the role may not read, with the GRANTs
    ");
}

#[tokio::test]
async fn an_empty_database() {
    let scene = Scene::bare(shared().await, "empty", "SELECT 1").await;
    let outcome = scene.backup(&[]).run().ended(0);
    insta::assert_snapshot!(outcome.stderr, @r"
    warning: the backup is not encrypted: whoever reads the store reads the data
    warning: database 'empty' holds no table; its backup is empty
    ");
    let outcome = scene.verify(&[]).run().ended(0);
    assert!(outcome.stdout.contains("restored"), "{}", outcome.stdout);
}

/// What an administrator sets for a role must not get into a dump's way.
#[tokio::test]
async fn the_settings_of_the_role_and_of_the_database() {
    let settings = [
        // Shorter than the dump of `long` takes.
        "statement_timeout = '300ms'",
        "lock_timeout = '300ms'",
        "idle_in_transaction_session_timeout = '300ms'",
        "default_transaction_read_only = on",
        "default_transaction_isolation = 'read uncommitted'",
        "search_path = theirs, public",
        "quote_all_identifiers = on",
        "\"TimeZone\" = 'Pacific/Chatham'",
        "\"DateStyle\" = 'SQL, DMY'",
        "\"IntervalStyle\" = 'sql_standard'",
        "bytea_output = 'escape'",
        "extra_float_digits = -10",
        "standard_conforming_strings = off",
        "row_security = on",
        "client_encoding = 'LATIN1'",
        "xmlbinary = 'hex'",
    ];
    let alter = |what: &str| settings.map(|set| format!("ALTER {what} SET {set};")).concat();
    let scene = limited(
        "Set ter",
        &format!(
            "CREATE TABLE theirs.t (at timestamptz DEFAULT '2026-03-01 12:00+00', day date DEFAULT '2026-03-02',
               span interval DEFAULT '1 day 2 hours', raw bytea DEFAULT '\\xff00', x float8 DEFAULT 0.1,
               word text DEFAULT 'a\\b') PARTITION BY RANGE (at);
             CREATE TABLE theirs.p PARTITION OF theirs.t FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
             CREATE VIEW theirs.v AS SELECT * FROM theirs.t WHERE at > '2026-02-03 04:05+00' AND word <> 'c\\d';
             INSERT INTO theirs.t DEFAULT VALUES;
             CREATE TABLE theirs.long AS SELECT md5(n::text) || md5((-n)::text) AS a FROM generate_series(1, 200000) n;
             GRANT pg_read_all_data TO \"Set ter\";
             {} {}",
            alter("ROLE \"Set ter\""),
            alter("DATABASE \"Set ter\"")
        ),
    )
    .await;
    scene.backup(&[]).env("PGUSER", "Set ter").run().ended(0);
    scene.verify(&[]).run().ended(0);
}
