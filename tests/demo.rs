//! The demo ends with a proven restore and leaves nothing behind, also when it
//! is interrupted, and the commands that it ends with work as they are printed.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::command::{Backstop, backstop};
use crate::support::tools;

/// A demo whose folders and servers all lie in a directory of its own. The path
/// must be short: a socket lies in it; and the servers' account must get there.
fn demo(arguments: &[&str]) -> (Backstop, tempfile::TempDir) {
    use std::os::unix::fs::PermissionsExt;
    let place = tempfile::Builder::new().prefix("demo").tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o1777)).unwrap();
    let run = backstop(std::iter::once(&"demo").chain(arguments)).env("TMPDIR", place.path());
    (run, place)
}

/// What still runs when whatever was about to end has had its time.
fn stays_in(place: &Path) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let found = processes_in(place);
        if found.is_empty() || begun.elapsed() > Duration::from_secs(2) {
            return found;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Processes whose command line, environment or working directory names a path.
fn processes_in(place: &Path) -> Vec<String> {
    let needle = place.to_str().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes
        .filter(|process| process.file_name().to_string_lossy().parse::<u32>().is_ok())
        .filter_map(|process| {
            let read = |file| std::fs::read(process.path().join(file)).unwrap_or_default();
            let line = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
            let environment = String::from_utf8_lossy(&read("environ")).into_owned();
            let stands = std::fs::read_link(process.path().join("cwd")).unwrap_or_default();
            (line.contains(needle) || environment.contains(needle) || stands.starts_with(place))
                .then_some(line)
        })
        .collect()
}

#[track_caller]
fn nothing_is_left(place: &Path) {
    assert_eq!(stays_in(place), Vec::<String>::new());
    let left: Vec<_> = std::fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}

#[test]
fn it_ends_with_a_proven_restore_and_leaves_nothing() {
    let (run, place) = demo(&[]);
    let said = run.run().ended(0);
    assert_eq!(said.stderr, "");
    let lines: Vec<_> = said.stdout.lines().collect();
    assert!(lines.iter().any(|line| line.starts_with("Proven: all data is back")), "{}", said.stdout);
    let table: Vec<_> = lines.iter().filter(|line| line.ends_with("equal")).collect();
    assert_eq!(table.len(), 5, "{}", said.stdout);
    assert!(table.iter().any(|line| line.contains("order_items") && line.contains("gone")), "{table:?}");
    let wide = lines.iter().find(|line| line.chars().count() > 100);
    assert_eq!(wide, None, "a line is too wide");
    assert!(!said.stdout.contains("AGE-SECRET-KEY"), "{}", said.stdout);
    nothing_is_left(place.path());
}

#[test]
fn as_json_it_tells_what_it_ran_and_what_came_of_it() {
    let (run, place) = demo(&["--format", "json", "--keep"]);
    let said = run.env("BACKSTOP_PG_BIN", tools::postgres(18)).run().ended(0);
    assert_eq!(said.stderr, "");
    let report: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(report["proven"], true);
    assert_eq!(report["level"], "restored");
    let run: Vec<_> = report["commands"].as_array().unwrap().iter().map(|ran| &ran["command"]).collect();
    let begins =
        run.iter().map(|line| line.as_str().unwrap().split(' ').take(2).collect::<Vec<_>>().join(" "));
    assert_eq!(
        begins.collect::<Vec<_>>(),
        ["key generate", "init", "backup", "verify", "list", "restore"]
            .map(|line| format!("backstop {}", line.split(' ').next().unwrap()))
    );

    // What was kept is a store and a key that open without the demo.
    let folder = PathBuf::from(report["folder"].as_str().unwrap());
    assert!(folder.starts_with(place.path()), "{}", folder.display());
    let id = report["backup"].as_str().unwrap();
    let mut get = backstop(["get", id, "--decrypt", "--identity", "key.txt", "--output", "shop.dump"]);
    get.command.current_dir(&folder);
    get.run().ended(0);
    assert!(std::fs::read(folder.join("shop.dump")).unwrap().starts_with(b"PGDMP"));
    assert_eq!(stays_in(place.path()), Vec::<String>::new());
    let left: BTreeSet<_> =
        std::fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, BTreeSet::from([folder]));
}

/// Who gets the signal.
#[derive(PartialEq)]
enum To {
    /// The demo alone, as `kill -INT` sends it.
    It,
    /// Its whole process group, as a terminal's Ctrl-C does.
    Group,
}

/// Interrupt it when it prints a line.
#[track_caller]
fn interrupted_at(line: &str, to: &To) {
    use std::os::unix::process::CommandExt;
    let (mut run, place) = demo(&[]);
    run.command.process_group(0);
    let mut child = run.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|said| said.contains(line)), "'{line}' was never said");
    let pid: i32 = child.id().try_into().unwrap();
    kill(Pid::from_raw(if *to == To::Group { -pid } else { pid }), Signal::SIGINT).unwrap();
    let rest: Vec<_> = lines.collect();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(2), "{rest:?}");
    assert_eq!(
        String::from_utf8_lossy(&ended.stderr),
        "error: interrupted; nothing of the demo runs any more\n"
    );
    assert!(!rest.iter().any(|said| said.contains("Proven")), "{rest:?}");
    nothing_is_left(place.path());
}

#[test]
fn a_ctrl_c_while_the_server_starts_leaves_nothing() {
    interrupted_at("1. A database", &To::Group);
}

#[test]
fn a_ctrl_c_in_a_trial_restore_leaves_nothing() {
    interrupted_at("backstop verify", &To::It);
}

#[test]
fn a_ctrl_c_in_the_restore_leaves_nothing() {
    interrupted_at("taking a safety backup first", &To::Group);
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let (run, place) = demo(&["--folder", "/proc/nothing/here"]);
    let said = run.run().ended(2);
    assert!(said.stderr.starts_with("error: cannot make the folder '/proc/nothing/here'"), "{}", said.stderr);
    assert!(said.stderr.contains("hint: name another folder"), "{}", said.stderr);
    nothing_is_left(place.path());
}

#[test]
fn a_command_that_fails_ends_it_unproven_and_is_told() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let programs = tempfile::tempdir().unwrap();
    for name in ["pg_dump", "pg_dumpall", "psql"] {
        symlink(tools::postgres(15).join(name), programs.path().join(name)).unwrap();
    }
    let restores_nothing = "#!/bin/sh\n[ \"$1\" != --version ] || echo 'pg_restore (PostgreSQL) 15.18'\n";
    let broken = programs.path().join("pg_restore");
    std::fs::write(&broken, restores_nothing).unwrap();
    std::fs::set_permissions(&broken, std::fs::Permissions::from_mode(0o755)).unwrap();

    let (run, place) = demo(&["--quiet"]);
    let said = run.env("BACKSTOP_PG_BIN", programs.path()).run().ended(2);
    assert_eq!(said.stdout, "");
    let told =
        "error: 'backstop verify --level restored --identity key.txt' ended with exit status: 1\n  FAILED ";
    assert!(said.stderr.starts_with(told), "{}", said.stderr);
    nothing_is_left(place.path());
}
