//! Throwaway clusters: private, not root's, and gone whatever happens to us.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use backstop::error::Advise;
use backstop::postgres::cluster::{Cluster, ClusterOptions, Error};
use backstop::postgres::locale::{Locale, Provider, create_closest};
use backstop::postgres::tools::ServerTools;
use secrecy::ExposeSecret;
use tokio_postgres::NoTls;

use crate::support::cluster::{Server, server_tools};

/// The postmaster's process id.
fn server_pid(cluster: &Cluster) -> u32 {
    let file = std::fs::read_to_string(cluster.data_dir().join("postmaster.pid")).unwrap();
    file.lines().next().unwrap().parse().unwrap()
}

fn runs(pid: u32) -> bool {
    // A process that ended and was not waited for has no executable any more.
    Path::new(&format!("/proc/{pid}/exe")).read_link().is_ok()
}

/// Wait until neither the server nor its directory is there.
#[track_caller]
fn assert_gone(pid: u32, base: &Path) {
    let begun = Instant::now();
    while runs(pid) || base.exists() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "server runs: {}, directory exists: {}",
            runs(pid),
            base.exists()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
async fn stop_leaves_nothing_behind() {
    let server = Server::start(18).await;
    hold_if_asked(&server.cluster);
    let (pid, base) = (server_pid(&server.cluster), server.cluster.socket_dir().to_owned());
    assert!(runs(pid));
    assert_eq!(server.sql("postgres", "SELECT 1, NULL, 'a'").await, "1||a");
    server.cluster.stop().await.unwrap();
    assert!(!runs(pid) && !base.exists());
}

#[tokio::test]
async fn a_dropped_cluster_leaves_nothing_behind() {
    let server = Server::start(15).await;
    let (pid, base) = (server_pid(&server.cluster), server.cluster.socket_dir().to_owned());
    drop(server);
    assert!(!runs(pid) && !base.exists());
}

#[tokio::test]
async fn a_server_with_an_open_transaction_is_stopped_all_the_same() {
    let server = Server::start(18).await;
    let (client, connection) = server.cluster.config("postgres").connect(NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute("CREATE TABLE t (); BEGIN; LOCK TABLE t").await.unwrap();
    let (pid, base) = (server_pid(&server.cluster), server.cluster.socket_dir().to_owned());
    server.cluster.stop().await.unwrap();
    assert!(!runs(pid) && !base.exists());
    assert!(client.batch_execute("COMMIT").await.is_err());
    let _ = connection.await.unwrap();
}

/// Set in a process that a test starts to hold a cluster until it is killed.
const HOLD: &str = "BACKSTOP_TEST_HOLD_CLUSTER";

/// Where we are that process: tell the parent what we hold, and hold it.
fn hold_if_asked(cluster: &Cluster) {
    if std::env::var_os(HOLD).is_some() {
        println!("\nholds {} {}", server_pid(cluster), cluster.socket_dir().display());
        std::thread::sleep(Duration::from_mins(1));
        panic!("nobody killed this process");
    }
}

/// Another process that holds a cluster.
struct Holder(Child);

impl Holder {
    fn start(temporary: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "throwaway_cluster::stop_leaves_nothing_behind", "--nocapture"]);
        command.env(HOLD, "1").env("TMPDIR", temporary).stdout(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// Wait for its cluster: the server's process id and directory.
    fn cluster(&mut self) -> (u32, PathBuf) {
        let mut lines = BufReader::new(self.0.stdout.take().unwrap()).lines().map(Result::unwrap);
        let line = lines.find(|line| line.starts_with("holds ")).unwrap();
        let mut words = line.split(' ').skip(1);
        let (pid, base) = (words.next().unwrap().parse().unwrap(), PathBuf::from(words.next().unwrap()));
        assert!(runs(pid) && base.exists());
        (pid, base)
    }

    /// As `kill -9` does.
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[track_caller]
fn signal(name: &str, pid: &str) {
    assert!(Command::new("kill").args([name, pid]).status().unwrap().success());
}

#[test]
fn a_killed_process_leaves_no_server_behind() {
    let mut holder = Holder::start(&std::env::temp_dir());
    let (pid, base) = holder.cluster();
    holder.kill();
    assert_gone(pid, &base);
}

#[test]
fn a_server_that_is_killed_after_us_is_cleaned_up_all_the_same() {
    let mut holder = Holder::start(&std::env::temp_dir());
    let (pid, base) = holder.cluster();
    // It cannot act on the supervisor's signal, so it dies of this one.
    signal("-STOP", &pid.to_string());
    holder.kill();
    signal("-KILL", &pid.to_string());
    assert_gone(pid, &base);
}

/// Command lines of the processes that name this path.
fn processes_naming(path: &Path) -> Vec<String> {
    let path = path.to_str().unwrap();
    let all = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = all.filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok());
    lines.filter(|line| line.contains(path)).collect()
}

#[test]
fn a_process_killed_while_initdb_runs_leaves_nothing_behind() {
    let room = tempfile::tempdir().unwrap();
    std::fs::set_permissions(room.path(), std::fs::Permissions::from_mode(0o1777)).unwrap();
    let entries = || std::fs::read_dir(room.path()).unwrap().count();
    let holder = Holder::start(room.path());
    let begun = Instant::now();
    while entries() == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "no cluster was begun");
        std::thread::sleep(Duration::from_millis(1));
    }
    holder.kill();
    while entries() > 0 || !processes_naming(room.path()).is_empty() {
        assert!(begun.elapsed() < Duration::from_mins(1), "{:?}", processes_naming(room.path()));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The process group, from the fields after the name in `/proc/PID/stat`.
fn process_group(pid: &str) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.split(' ').nth(2).unwrap().to_owned()
}

#[tokio::test]
async fn a_ctrl_c_for_us_does_not_reach_the_server() {
    let server = Server::start(15).await;
    assert_ne!(process_group(&server_pid(&server.cluster).to_string()), process_group("self"));
}

#[tokio::test]
async fn a_killed_supervisor_leaves_no_server_behind() {
    let server = Server::start(18).await;
    let (pid, base) = (server_pid(&server.cluster), server.cluster.socket_dir().to_owned());
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let supervisor = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().to_owned();
    signal("-KILL", &supervisor);
    drop(server);
    assert_gone(pid, &base);
}

#[tokio::test]
async fn the_directory_is_private_and_the_server_is_not_roots() {
    let server = Server::start(15).await;
    let base = server.cluster.socket_dir().metadata().unwrap();
    assert_eq!(base.permissions().mode() & 0o777, 0o700);
    let process = Path::new("/proc").join(server_pid(&server.cluster).to_string()).metadata().unwrap();
    assert_ne!(process.uid(), 0);
    assert_eq!(process.uid(), base.uid());
    assert_eq!(server.sql("postgres", "SHOW listen_addresses").await, "");
    // The file of the superuser's password is gone once it was used.
    assert!(!server.cluster.socket_dir().join("password").exists());
}

#[tokio::test]
async fn two_clusters_run_side_by_side() {
    let (one, other) = tokio::join!(Server::start(15), Server::start(18));
    one.sql("postgres", "CREATE DATABASE only_here").await;
    let names = "SELECT count(*) FROM pg_database WHERE datname = 'only_here'";
    assert_eq!(one.sql("postgres", names).await, "1");
    assert_eq!(other.sql("postgres", names).await, "0");
    assert_ne!(one.cluster.socket_dir(), other.cluster.socket_dir());
}

#[tokio::test]
async fn over_tcp_only_the_password_opens_it() {
    let options = ClusterOptions { tcp: true, superuser: "Ådmin @ x".into(), ..ClusterOptions::default() };
    for major in [15, 18] {
        let server = Server::start_with(major, &options).await;
        let url = server.cluster.url("postgres").unwrap();
        let (client, connection) = tokio_postgres::connect(url.expose_secret(), NoTls).await.unwrap();
        tokio::spawn(connection);
        let user: String = client.query_one("SELECT current_user::text", &[]).await.unwrap().get(0);
        assert_eq!(user, "Ådmin @ x");

        let mut config: tokio_postgres::Config = url.expose_secret().parse().unwrap();
        config.password("guessed");
        let refused = config.connect(NoTls).await.err().unwrap();
        assert_eq!(refused.code().unwrap().code(), "28P01");
        assert!(
            !format!("{:?}", server.cluster).contains(url.expose_secret().split([':', '@']).nth(2).unwrap())
        );
    }
}

#[tokio::test]
async fn libpq_reads_the_conninfo() {
    let options = ClusterOptions { superuser: "the admin".into(), ..ClusterOptions::default() };
    let server = Server::start_with(15, &options).await;
    server.sql("postgres", r#"CREATE DATABASE "it's \ odd""#).await;
    let client =
        backstop::postgres::tools::ClientTools::at(crate::support::tools::postgres(15)).await.unwrap();
    let output = client
        .psql()
        .args(["-At", "-c", "SELECT current_database(), current_user"])
        .arg(server.cluster.conninfo(r"it's \ odd"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "it's \\ odd|the admin\n");
}

#[tokio::test]
async fn a_locale_that_is_not_here_is_replaced_and_told() {
    let options = ClusterOptions { locale: Some("xx_YY.UTF-8".into()), ..ClusterOptions::default() };
    let server = Server::start_with(15, &options).await;
    let [note] = server.cluster.notes() else { panic!("{:?}", server.cluster.notes()) };
    assert!(
        note.starts_with("locale 'xx_YY.UTF-8' does not exist here, or not for encoding UTF8; 'C"),
        "{note}"
    );

    let options = ClusterOptions { encoding: "LATIN1".into(), locale: Some("C".into()), ..options };
    let server = Server::start_with(18, &options).await;
    assert_eq!(server.cluster.notes(), &[] as &[String]);
    assert_eq!(server.sql("postgres", "SHOW server_encoding").await, "LATIN1");
}

async fn create(
    server: &Server,
    name: &str,
    locale: &Locale,
) -> Result<Option<String>, tokio_postgres::Error> {
    let (client, connection) = server.cluster.config("postgres").connect(NoTls).await?;
    tokio::spawn(connection);
    create_closest(&client, name, locale).await
}

#[tokio::test]
async fn a_database_is_made_in_the_locale_of_another_or_the_closest_to_it() {
    let old = Server::start(15).await;
    let new = Server::start(18).await;
    let locale_of = async |server: &Server, database: &str| {
        let (client, connection) = server.cluster.config(database).connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        Locale::of(&client).await.unwrap()
    };

    old.sql("postgres", "CREATE DATABASE l1 TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'").await;
    old.sql("postgres", "CREATE DATABASE icu TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'sv-SE'")
        .await;
    let (latin, icu) = (locale_of(&old, "l1").await, locale_of(&old, "icu").await);
    assert_eq!((icu.provider, icu.provider_locale.as_deref()), (Provider::Icu, Some("sv-SE")));
    for (server, database, locale) in [(&new, "latin", &latin), (&old, "icu too", &icu)] {
        assert_eq!(create(server, database, locale).await.unwrap(), None);
        assert_eq!(&locale_of(server, database).await, locale);
    }

    // The wheel's server is built without ICU, 15 has no provider of its own,
    // and no libc knows this language.
    let note = create(&new, "icu", &icu).await.unwrap().unwrap();
    assert!(
        note.starts_with("ICU locale 'sv-SE' is not to be had here; database 'icu' has locale 'C"),
        "{note}"
    );
    new.sql(
        "postgres",
        "CREATE DATABASE own TEMPLATE template0 LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'",
    )
    .await;
    let own = locale_of(&new, "own").await;
    assert_eq!(own.describe(), "builtin locale 'C.UTF-8'");
    let note = create(&old, "own", &own).await.unwrap().unwrap();
    assert!(
        note.starts_with("builtin locale 'C.UTF-8' is not to be had here; database 'own' has locale 'C"),
        "{note}"
    );

    let swedish = Locale {
        provider: Provider::Libc,
        collate: "sv_XX.UTF-8".into(),
        ctype: "sv_XX.UTF-8".into(),
        ..locale_of(&old, "postgres").await
    };
    let note = create(&old, "swedish", &swedish).await.unwrap().unwrap();
    assert!(note.contains("has ICU locale 'sv-XX' instead"), "{note}");
    assert_eq!(
        old.sql("swedish", "SELECT string_agg(x, '' ORDER BY x) FROM unnest('{z,ö,a}'::text[]) AS x").await,
        "azö"
    );

    // What no other locale would mend is told as it is.
    let again = create(&old, "swedish", &swedish).await.unwrap_err();
    assert!(again.code().is_some(), "{again}");
}

#[tokio::test]
async fn the_callers_settings_win() {
    let settings = [("wal_level", "logical"), ("max_wal_senders", "4"), ("cluster_name", "it's = here")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let server = Server::start_with(18, &ClusterOptions { settings, ..ClusterOptions::default() }).await;
    assert_eq!(server.sql("postgres", "SHOW wal_level; SHOW cluster_name").await, "logical\nit's = here");
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why_and_leaves_nothing() {
    let settings = vec![("shared_buffers".to_owned(), "a lot".to_owned())];
    let tools = server_tools(18).await;
    let error =
        Cluster::start(&tools, &ClusterOptions { settings, ..ClusterOptions::default() }).await.unwrap_err();
    let said = error.to_string();
    assert!(said.starts_with("the throwaway server ended before it answered\n  "), "{said}");
    assert!(said.contains(r#"invalid value for parameter "shared_buffers": "a lot""#), "{said}");

    let options = ClusterOptions { encoding: "KLINGON".into(), ..ClusterOptions::default() };
    let error = Cluster::start(&tools, &options).await.unwrap_err();
    assert!(matches!(error, Error::Initdb { .. }), "{error:?}");
    assert!(error.to_string().contains("KLINGON"), "{error}");
}

#[tokio::test]
async fn programs_that_the_servers_account_cannot_reach_are_told() {
    let private = tempfile::tempdir().unwrap();
    let bin = private.path().join("bin");
    std::os::unix::fs::symlink(crate::support::tools::postgres(15), &bin).unwrap();
    let copy = private.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    let tools = ServerTools { dir: copy, ..ServerTools::at(bin).await.unwrap() };
    let error = Cluster::start(&tools, &ClusterOptions::default()).await.unwrap_err();
    // Root's server runs as somebody else, who may not enter; ours finds no program.
    match error {
        Error::Unreachable { .. } => assert!(error.hint().unwrap().contains("BACKSTOP_PG_BIN")),
        Error::Initdb { .. } => assert!(error.to_string().contains("not found"), "{error}"),
        _ => panic!("{error:?}"),
    }
}
