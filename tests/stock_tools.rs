//! What is stored restores without backstop, by the very commands that README.txt
//! in the store prints, on a server that has never seen the source.

use std::path::Path;
use std::process::Command;

use crate::support::cluster::Server;
use crate::support::depot::{self, Depot, Objects, key, stock};
use crate::support::equality;
use crate::support::keys::{Age, Gpg};
use crate::support::tools;

/// The commands of the README for files of one kind: those that name such files, and
/// the one that makes the database.
fn commands(readme: &str, suffix: &str) -> Vec<String> {
    let indented = readme.lines().filter_map(|line| line.strip_prefix("  "));
    let programs = ["sha256sum ", "psql ", "age -d ", "gpg ", "createdb ", "pg_restore "];
    let all = indented.filter(|line| programs.iter().any(|program| line.starts_with(program)));
    let of_kind = |line: &str| {
        let kind = [".age", ".gpg"].into_iter().find(|kind| line.contains(kind)).unwrap_or_default();
        let of_all = line.starts_with("sha256sum") || line.starts_with("createdb");
        of_all || kind == suffix
    };
    all.filter(|line| of_kind(line)).map(str::to_owned).collect()
}

/// Run them one after the other, as somebody would who copies them from there.
async fn restores(objects: &Objects, suffix: &str, environment: &[(&str, &Path)]) {
    let folder = tempfile::tempdir().unwrap();
    for (object, bytes) in objects.iter().filter(|(key, _)| key.starts_with("shop/manual/")) {
        std::fs::write(folder.path().join(object.rsplit('/').next().unwrap()), bytes).unwrap();
    }
    let sums = key(objects, ".sha256");
    let name = sums.rsplit('/').next().unwrap().trim_end_matches(".sha256");
    let readme = String::from_utf8(objects["shop/README.txt"].clone()).unwrap();
    let commands = commands(&readme, suffix);
    assert_eq!(commands.len(), 4, "{commands:?}");

    let server = Server::start(15).await;
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", tools::postgres(15).display());
    for command in commands {
        let command = command.replace("<time>-<id>", name);
        let mut shell = Command::new("bash");
        shell.args(["-o", "pipefail", "-c", &command]).current_dir(folder.path());
        shell.env_clear().env("PATH", &path).env("HOME", folder.path()).envs(server.environment());
        for (variable, value) in environment {
            match *variable {
                "identity.txt" => drop(std::fs::copy(value, folder.path().join("identity.txt")).unwrap()),
                variable => drop(shell.env(variable, value)),
            }
        }
        let said = stock(&mut shell);
        if command.starts_with("sha256sum") {
            assert_eq!(said.lines().filter(|line| line.ends_with(": OK")).count(), 2, "{said}");
        }
    }
    let source = depot::server().await;
    equality::same("rows", &equality::rows(source, "shop").await, &equality::rows(&server, "new").await);
    let definitions = |server: &Server, database: &str| equality::definitions(server, 15, database);
    equality::same("definitions", &definitions(source, "shop"), &definitions(&server, "new"));
    server.cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_plain_backup() {
    let depot = Depot::local();
    depot.good_backup(&[]).await;
    restores(&depot.objects().await, "", &[]).await;
}

#[tokio::test]
async fn a_backup_for_age() {
    let (depot, age) = (Depot::local(), Age::new());
    depot.good_backup(&["--recipient", &age.recipient]).await;
    restores(&depot.objects().await, ".age", &[("identity.txt", &age.identity())]).await;
}

#[tokio::test]
async fn a_backup_for_openpgp() {
    let (depot, gpg) = (Depot::local(), Gpg::new());
    depot.good_backup(&["--recipient", &gpg.certificate().display().to_string()]).await;
    restores(&depot.objects().await, ".gpg", &[("GNUPGHOME", gpg.home())]).await;
}

#[tokio::test]
async fn damage_is_seen_by_sha256sum() {
    let depot = Depot::local();
    depot.good_backup(&[]).await;
    let objects = depot.objects().await;
    let dump = key(&objects, ".dump");
    let mut damaged = objects[&dump].clone();
    damaged[5000] ^= 1;
    depot.overwrite(&dump, damaged).await;
    let mut check = Command::new("sha256sum");
    let sums = key(&objects, ".sha256");
    check.arg("--check").arg(sums.rsplit('/').next().unwrap()).current_dir(depot.root().join("shop/manual"));
    let output = check.output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().filter(|line| line.ends_with(".dump: FAILED")).count(), 1, "{said}");
}
