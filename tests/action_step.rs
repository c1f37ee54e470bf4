//! The program as a step of a job, without act: what a signal does, and what a
//! script of one's own gets.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use backstop::postgres::cluster::ClusterOptions;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::action::shop;
use crate::support::act::sources;
use crate::support::cluster::Server;
use crate::support::command::backstop;
use crate::support::tools;

/// GitHub cancels a job by a signal to the step's process alone.
#[tokio::test]
async fn a_cancelled_step_cleans_up() {
    let (server, url) = shop().await;
    let store = tempfile::tempdir().unwrap();
    let (client, connection) = server.cluster.config("shop").connect(tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute("BEGIN; LOCK TABLE orders").await.unwrap();

    let script = sources().join("scripts/action/run");
    let programs = [15, 18].map(tools::postgres);
    let mut step = Command::new("/bin/bash");
    // As the runner does it: a file of one line, the step's `run`.
    let line = store.path().join("step.sh");
    std::fs::write(&line, format!("exec '{}'", script.display())).unwrap();
    step.args(["--noprofile", "--norc", "-e", "-o", "pipefail"]).arg(&line).env_clear();
    step.env("PATH", "/usr/bin:/bin").env("GITHUB_ACTIONS", "true").env("HOME", store.path());
    step.env("BACKSTOP_BIN", env!("CARGO_BIN_EXE_backstop")).env("BACKSTOP_NO_DOWNLOAD", "1");
    step.env("BACKSTOP_PG_BIN", std::env::join_paths(programs).unwrap());
    let inputs = "CONFIG DATABASE TIER RECIPIENTS BACKUP LEVEL IDENTITY PASSPHRASE PATHS SINCE MIN_SEVERITY";
    for input in inputs.split(' ') {
        step.env(format!("INPUT_{input}"), "");
    }
    step.env("INPUT_COMMAND", "backup").env("INPUT_DATABASE_URL", &url);
    step.env("INPUT_STORE", format!("file://{}", store.path().join("backups").display()));
    std::fs::create_dir(store.path().join("backups")).unwrap();
    let log = store.path().join("log");
    let output = File::create(&log).unwrap();
    let output_too = output.try_clone().unwrap();
    step.stdout(Stdio::from(output)).stderr(Stdio::from(output_too)).process_group(0);
    let mut step = step.spawn().unwrap();

    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    let begun = Instant::now();
    while server.sql("postgres", waits).await == "0" {
        assert!(begun.elapsed() < Duration::from_secs(30), "{}", std::fs::read_to_string(&log).unwrap());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let group = Pid::from_raw(i32::try_from(step.id()).unwrap());
    kill(group, Signal::SIGINT).unwrap();
    let begun = Instant::now();
    let status = loop {
        match step.try_wait().unwrap() {
            Some(status) => break status,
            // GitHub waits ten seconds before it kills.
            None if begun.elapsed() > Duration::from_secs(10) => {
                killpg(group, Signal::SIGKILL).unwrap();
                panic!("it goes on");
            }
            None => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    let log = std::fs::read_to_string(&log).unwrap();
    assert_eq!(status.code(), Some(2), "{log}");
    assert!(log.contains("::error title=backstop::"), "{log}");
    let left = Command::new("find").arg(store.path().join("backups")).args(["-type", "f"]).output().unwrap();
    let left = String::from_utf8(left.stdout).unwrap();
    assert!(!left.contains(".dump") && !left.contains(".part") && !left.contains("manifest"), "{left}");
    drop(client);
    connection.await.unwrap().unwrap();
    let others = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'ada'";
    let begun = Instant::now();
    while server.sql("postgres", others).await != "0" {
        assert!(begun.elapsed() < Duration::from_secs(10), "a session is left");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.cluster.stop().await.unwrap();
}

/// In a job, but not in the action: somebody may keep our output, so it holds no
/// masks, and standard out holds the result alone.
#[tokio::test]
async fn a_step_of_ones_own_gets_pure_json() {
    let options = ClusterOptions { tcp: true, ..ClusterOptions::default() };
    let server = Server::start_with(15, &options).await;
    let url = server.cluster.url("postgres").unwrap();
    let (store, job) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let to = format!("file://{}", store.path().display());
    let file = |name: &str| job.path().join(name).to_str().unwrap().to_owned();
    let run = |arguments: &[&str], pid: &str| {
        backstop(arguments)
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_OUTPUT", file("output"))
            .env("GITHUB_STEP_SUMMARY", file("summary"))
            .env("RUNNER_TEMP", file(""))
            .env("DATABASE_URL", url.expose_secret())
            .env("BACKSTOP_ACTION", pid)
            .run()
    };
    // The process id of another: a hook below the action.
    let done = run(&["backup", "--format", "json", "--store", &to], "1").ended(0);
    let manifest: Value = serde_json::from_str(&done.stdout).unwrap();
    assert!(
        done.stderr.contains("\n::warning title=backstop::the backup is not encrypted"),
        "{}",
        done.stderr
    );
    let outputs = std::fs::read_to_string(file("output")).unwrap();
    assert!(outputs.contains(&format!("\n{}\n", manifest["id"].as_str().unwrap())), "{outputs}");
    assert!(std::fs::read_to_string(file("summary")).unwrap().contains(" is complete\n"));

    let failed = run(&["verify", "--format", "json", "--store", &to, "none-such"], "").ended(2);
    assert_eq!(failed.stdout, "");
    assert!(failed.stderr.contains("\n::error title=backstop::"), "{}", failed.stderr);
    let misused = run(&["verify", "--level", "some"], "").ended(2);
    let told = "::error title=backstop::invalid value 'some' for '--level <LEVEL>'%0A";
    assert!(misused.stderr.contains(told), "{}", misused.stderr);
    for said in [done.stderr, failed.stderr, misused.stderr] {
        assert!(!said.contains("add-mask") && !said.contains("stop-commands"), "{said}");
    }

    // The backup stands, though the job cannot be told.
    std::fs::remove_file(file("output")).unwrap();
    std::fs::create_dir(file("output")).unwrap();
    let untold = run(&["backup", "--store", &to], "").ended(2);
    assert!(untold.stderr.contains("for the job's next steps"), "{}", untold.stderr);
    assert!(untold.stderr.contains("hint: what was done stands: `backstop list` shows it"));
    let listed =
        backstop(["list", "--database", "postgres", "--format", "json", "--store", &to]).run().ended(0);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(listed["backups"].as_array().unwrap().len(), 2);
    server.cluster.stop().await.unwrap();
}
