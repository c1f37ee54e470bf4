//! Every way to name a database, with the built program: the backup works, and while
//! it runs the password is in no command line, and afterwards in no file and no word.

use std::path::Path;

use nix::sys::signal::{Signal, kill};
use secrecy::ExposeSecret;

use crate::support::command::{Backstop, backstop};
use crate::support::scene::{ALONE, BIG, Scene, processes, shared};

/// Of the throwaway server; nobody else has it.
fn password(scene: &Scene<'_>) -> String {
    let url = scene.server.cluster.url("postgres").unwrap();
    url.expose_secret().split(['@', ':']).nth(2).unwrap().to_owned()
}

fn url(scene: &Scene<'_>) -> String {
    scene.server.cluster.url(&scene.database).unwrap().expose_secret().to_owned()
}

/// A backup that is told nothing yet of where the database is.
fn untold(scene: &Scene<'_>) -> Backstop {
    ["PGHOST", "PGPORT", "PGUSER", "PGDATABASE"].iter().fold(scene.backup(ALONE), |mut run, name| {
        run.command.env_remove(name);
        run
    })
}

/// Run it, look at every command line in the middle, and at everything it left.
async fn works_and_keeps(scene: &Scene<'_>, secret: &str, run: Backstop) {
    let before: Vec<_> = scene.files().into_keys().collect();
    let mut run = run.start();
    let home = run.home.path().to_owned();
    let pg_dump = scene.freeze(&mut run).await;
    let running = processes(&home);
    kill(pg_dump, Signal::SIGCONT).unwrap();
    assert!(running.iter().any(|(_, command)| command.contains("backstop")), "{running:?}");
    assert!(running.iter().any(|(_, command)| command.contains("pg_dump")), "{running:?}");
    // Anybody's, not only those that we know as ours.
    for process in std::fs::read_dir("/proc").unwrap() {
        let line = std::fs::read(process.unwrap().path().join("cmdline")).unwrap_or_default();
        assert!(!holds(&line, secret), "in a command line: {}", String::from_utf8_lossy(&line));
    }
    let outcome = tokio::task::spawn_blocking(move || run.wait().ended(0)).await.unwrap();
    scene.nothing_left(&home).await;
    assert!(!outcome.stdout.contains(secret), "{}", outcome.stdout);
    assert!(!outcome.stderr.contains(secret), "{}", outcome.stderr);
    let files = scene.files();
    assert!(files.len() > before.len(), "a backup was added");
    for (path, bytes) in files {
        assert!(!holds(&bytes, secret), "in '{}'", path.display());
        assert!(!path.to_string_lossy().contains(secret));
    }
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

async fn scene(name: &str) -> Scene<'static> {
    Scene::bare(shared().await, name, BIG).await
}

#[tokio::test]
async fn a_url_in_the_environment() {
    let scene = scene("by_url").await;
    works_and_keeps(&scene, &password(&scene), untold(&scene).env("DATABASE_URL", url(&scene))).await;
}

#[tokio::test]
async fn parts_in_the_configuration() {
    let scene = scene("by_parts").await;
    let config = format!(
        "version: 1\ndatabases:\n  db:\n    host: 127.0.0.1\n    port: {}\n    user: {}\n    password: ${{SHOP_PASSWORD}}\n    dbname: {}\n",
        scene.server.cluster.port(),
        scene.server.cluster.user(),
        scene.database
    );
    let secret = password(&scene);
    let run = untold(&scene).file("backstop.yml", &config).env("SHOP_PASSWORD", &secret);
    works_and_keeps(&scene, &secret, run).await;
}

#[tokio::test]
async fn a_url_in_the_configuration() {
    let scene = scene("by_configured_url").await;
    let config = "version: 1\ndatabases:\n  db: { url: \"${SHOP_URL}\" }\n";
    let run = untold(&scene).file("backstop.yml", config).env("SHOP_URL", url(&scene));
    works_and_keeps(&scene, &password(&scene), run).await;
}

#[tokio::test]
async fn the_environment_of_libpq() {
    let scene = scene("by_environment").await;
    let secret = password(&scene);
    works_and_keeps(
        &scene,
        &secret,
        scene.backup(ALONE).env("PGHOST", "127.0.0.1").env("PGPASSWORD", &secret),
    )
    .await;
}

fn write_secret(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test]
async fn a_password_file() {
    let scene = scene("by_passfile").await;
    let folder = tempfile::tempdir().unwrap();
    let secret = password(&scene);
    write_secret(&folder.path().join("pass"), &format!("# for everything\n127.0.0.1:*:*:*:{secret}\n"));
    let run = scene.backup(ALONE).env("PGHOST", "127.0.0.1").env("PGPASSFILE", folder.path().join("pass"));
    works_and_keeps(&scene, &secret, run).await;
}

#[tokio::test]
async fn a_service_file() {
    let scene = scene("by_service").await;
    let folder = tempfile::tempdir().unwrap();
    let secret = password(&scene);
    let service = format!(
        "[shop]\nhost=127.0.0.1\nport={}\nuser={}\ndbname={}\npassword={secret}\n",
        scene.server.cluster.port(),
        scene.server.cluster.user(),
        scene.database
    );
    write_secret(&folder.path().join("services"), &service);
    let run = untold(&scene).env("PGSERVICE", "shop").env("PGSERVICEFILE", folder.path().join("services"));
    works_and_keeps(&scene, &secret, run).await;
}

/// No password there, but one in the environment that nobody asks for.
#[tokio::test]
async fn a_unix_socket() {
    let scene = scene("by_socket").await;
    let unused = "an-unused-password-of-the-environment";
    works_and_keeps(&scene, unused, scene.backup(ALONE).env("PGPASSWORD", unused)).await;
    let flag = scene.backup(&[ALONE, &["--url", &format!("postgresql:///{}", scene.database)]].concat());
    works_and_keeps(&scene, unused, flag).await;
}

/// A password in a flag is in every list of processes already: it is refused, and not
/// said again.
#[tokio::test]
async fn a_password_in_a_flag() {
    let scene = Scene::new(shared().await, "by_flag", "CREATE TABLE t (id int)").await;
    let outcome = scene.backup(&["--url", "postgresql://me:in-the-flag@127.0.0.1/x"]).run().ended(2);
    insta::assert_snapshot!(outcome.stderr, @r"
    error: --url holds a secret, which every user of this machine could read from the list of processes
    hint: set DATABASE_URL in the environment and leave --url away
    ");
    scene.store_is_as_before();
}

/// The same of what is restored, whatever is wrong with it.
#[tokio::test]
async fn a_password_in_the_name_of_a_dump() {
    for what in [
        "https://me:in-the-url@dumps.example:port/x.dump",
        "https://me:in-the-url@dumps.example/x.dump?a=b",
        "postgres://me:in-the-url@127.0.0.1/x",
        "host=127.0.0.1 password=in-the-url",
    ] {
        let outcome = backstop(["restore", what]).run().ended(2);
        insta::allow_duplicates! {
            insta::assert_snapshot!(outcome.stderr, @r"
            error: what to restore is named with a password, which every user of this machine could read from the list of processes
            hint: download the dump first, or take a presigned URL; a database is named with --url or --to, and its password with PGPASSWORD
            ");
        }
    }
    let outcome = backstop(["restore", "https://token-of-mine@dumps.example:port/x.dump"]).run().ended(2);
    insta::assert_snapshot!(outcome.stderr, @r"
    error: what to restore is no URL that can be fetched
    caused by: invalid port number
    hint: write it like https://host/path/to/shop.dump
    ");
}

/// In the action, what `--to` takes from a variable is masked as every other URL is.
#[test]
fn a_password_in_the_variable_of_a_destination() {
    let outcome = backstop([""; 0])
        .env("GITHUB_ACTIONS", "true")
        .env("TARGET", "postgresql://me:p%40ss-of-mine@127.0.0.1/shop")
        .shell("export BACKSTOP_ACTION=$$; exec backstop restore --undo x --to '${TARGET}'")
        .ended(2);
    for mask in ["p%2540ss-of-mine", "p@ss-of-mine"] {
        assert!(outcome.stderr.contains(&format!("::add-mask::{mask}\n")), "{}", outcome.stderr);
    }
    assert!(outcome.stderr.contains("'x' is not a database that a restore of 'shop' set aside"));
}
