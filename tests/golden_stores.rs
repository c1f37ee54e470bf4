//! Stores as released versions wrote them (`tests/fixtures/stores`) are listed,
//! shown, verified and got for ever. If one of these fails, the fault is in the code,
//! never in a golden file.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::command::{Backstop, backstop};
use crate::support::depot::redact;

struct Golden {
    name: &'static str,
    /// The private key, of those beside the stores.
    key: Option<&'static str>,
    encryption: &'static str,
}

const ALL: [Golden; 3] = [
    Golden { name: "plain", key: None, encryption: "none" },
    Golden { name: "age", key: Some("age.txt"), encryption: "age" },
    Golden { name: "openpgp", key: Some("openpgp.asc"), encryption: "openpgp" },
];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/stores")
}

/// A copy that may be written to, since checks are recorded in it.
struct Store {
    copy: TempDir,
    key: Option<PathBuf>,
}

impl Golden {
    fn open(&self) -> Store {
        let copy = tempfile::Builder::new().prefix("backstop-golden-").tempdir().unwrap();
        copy_tree(&fixtures().join("v1").join(self.name), copy.path());
        Store { copy, key: self.key.map(|key| fixtures().join("keys").join(key)) }
    }
}

fn copy_tree(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
            std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o400)).unwrap();
        }
    }
}

impl Store {
    fn run(&self, arguments: &[&str]) -> Backstop {
        let store = format!("file://{}", self.copy.path().display());
        let run = backstop(arguments.iter().copied().chain(["--database", "tiny", "--store", &store]));
        match &self.key {
            Some(key) if matches!(arguments[0], "verify" | "get") => run.arg("--identity").arg(key),
            _ => run,
        }
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let said = self.run(&[arguments, &["--format", "json"]].concat()).run().ended(0);
        serde_json::from_str(&said.stdout).unwrap()
    }
}

#[test]
fn they_are_listed() {
    for golden in ALL {
        let listed = golden.open().json(&["list"]);
        assert_eq!(listed["damaged"], Value::Array(Vec::new()));
        let backups = listed["backups"].as_array().unwrap();
        let tiers: Vec<&str> = backups.iter().map(|backup| backup["tier"].as_str().unwrap()).collect();
        assert_eq!(tiers, ["weekly", "daily"], "{}", golden.name);
        for backup in backups {
            assert_eq!(backup["schema"], 1);
            assert_eq!(backup["archive"]["oldest_pg_restore"], 12);
            assert_eq!(backup["artifact"]["encryption"]["method"], golden.encryption);
        }
        assert!(backups[0].get("globals").is_none() && backups[1].get("globals").is_some());
        // Passed, passed, failed; of the other nobody has asked.
        let verdicts = |backup: &Value| -> Vec<(String, bool)> {
            let checks = backup["verifications"].as_array().unwrap().iter();
            checks
                .map(|check| (check["asked"].as_str().unwrap().to_owned(), check["passed"] == true))
                .collect()
        };
        let expected = [("contents", true), ("restored", true), ("stored", false)];
        assert_eq!(verdicts(&backups[1]), expected.map(|(level, passed)| (level.to_owned(), passed)));
        assert_eq!(verdicts(&backups[0]), []);
    }
}

#[test]
fn they_are_shown() {
    let shown = ALL.map(|golden| {
        let store = golden.open();
        let shown = store.run(&["show", "latest/daily"]).run().ended(0).stdout;
        // All but how long ago it was, and where it lies now.
        let shown = shown.replace(&store.copy.path().display().to_string(), "[FOLDER]");
        let short = |line: &str| match line.split_once(" (") {
            Some((before, _)) if line.contains("taken") => before.to_owned(),
            _ => line.to_owned(),
        };
        redact(&shown.lines().map(short).collect::<Vec<_>>().join("\n"))
    });
    insta::assert_snapshot!(shown.join("\n\n"), @r"
    backup [ID] of tiny (tier daily)
      taken      [TIME]
      source     database 'tiny', PostgreSQL 15.18 (Debian 15.18-0+deb12u1), [N] MiB
      stored     tiny/daily/[ID].dump in file://[FOLDER], [N] KiB, SHA-256 [SHA256]
      globals    tiny/daily/[ID].globals.sql in file://[FOLDER], [N] B, SHA-256 [SHA256]
      encrypted  no: whoever reads the store reads the data
      archive    format 1.14, gzip, 29 entries, needs pg_restore 12 or newer
      proof      3 tables with 35 rows, [N] sequences, 1 large object, seen in the dump's snapshot
      checked    contents in flight; stored bytes read back
      not inside passwords of roles
      verified   passed: contents, [TIME] in [N] s
      verified   passed: restored, [TIME] in [N] s (restore [N] s on PostgreSQL 15.18 (Debian 15.18-0+deb12u1))
      verified   FAILED: asked for stored, reached nothing, [TIME] in [N] s: tiny/daily/[ID].dump was changed since it was committed: its SHA-256 is [SHA256]
    tables
                   25  public.notes
                    7  public.part_one
                    3  public.people

    backup [ID] of tiny (tier daily)
      taken      [TIME]
      source     database 'tiny', PostgreSQL 15.18 (Debian 15.18-0+deb12u1), [N] MiB
      stored     tiny/daily/[ID].dump.age in file://[FOLDER], [N] KiB, SHA-256 [SHA256]
      globals    tiny/daily/[ID].globals.sql.age in file://[FOLDER], [N] B, SHA-256 [SHA256]
      encrypted  age, for age12qaqhq789vqep4jlhrhmkn7zy8yz5tn0zm34206502zr5v3azspqa5xltp
      archive    format 1.14, gzip, 29 entries, needs pg_restore 12 or newer
      proof      3 tables with 35 rows, [N] sequences, 1 large object, seen in the dump's snapshot
      checked    contents in flight; stored bytes read back
      not inside passwords of roles
      verified   passed: contents, [TIME] in [N] s
      verified   passed: restored, [TIME] in [N] s (restore [N] s on PostgreSQL 15.18 (Debian 15.18-0+deb12u1))
      verified   FAILED: asked for stored, reached nothing, [TIME] in [N] s: tiny/daily/[ID].dump.age was changed since it was committed: its SHA-256 is [SHA256]
    tables
                   25  public.notes
                    7  public.part_one
                    3  public.people

    backup [ID] of tiny (tier daily)
      taken      [TIME]
      source     database 'tiny', PostgreSQL 15.18 (Debian 15.18-0+deb12u1), [N] MiB
      stored     tiny/daily/[ID].dump.gpg in file://[FOLDER], [N] KiB, SHA-256 [SHA256]
      globals    tiny/daily/[ID].globals.sql.gpg in file://[FOLDER], [N] B, SHA-256 [SHA256]
      encrypted  OpenPGP, for 1CB67156DFA9CB07E8CCC77895DB0674647B7E10
      archive    format 1.14, gzip, 29 entries, needs pg_restore 12 or newer
      proof      3 tables with 35 rows, [N] sequences, 1 large object, seen in the dump's snapshot
      checked    contents in flight; stored bytes read back
      not inside passwords of roles
      verified   passed: contents, [TIME] in [N] s
      verified   passed: restored, [TIME] in [N] s (restore [N] s on PostgreSQL 15.18 (Debian 15.18-0+deb12u1))
      verified   FAILED: asked for stored, reached nothing, [TIME] in [N] s: tiny/daily/[ID].dump.gpg was changed since it was committed: its SHA-256 is [SHA256]
    tables
                   25  public.notes
                    7  public.part_one
                    3  public.people
    ");
}

#[test]
fn their_contents_are_verified() {
    for golden in ALL {
        let store = golden.open();
        for tier in ["latest/daily", "latest/weekly"] {
            let check = store.json(&["verify", tier, "--level", "contents"]);
            assert_eq!(
                (&check["passed"], &check["reached"]),
                (&true.into(), &"contents".into()),
                "{}",
                golden.name
            );
        }
        let listed = store.json(&["list"]);
        let daily = &listed["backups"][1]["verifications"];
        assert_eq!(daily.as_array().unwrap().len(), 4, "the new record does not lie beside the old ones");
    }
}

#[test]
fn they_are_restored() {
    for golden in ALL {
        let check = golden.open().json(&["verify", "latest/daily", "--level", "restored"]);
        assert_eq!(
            (&check["passed"], &check["reached"]),
            (&true.into(), &"restored".into()),
            "{}",
            golden.name
        );
        assert!(check.get("partial").is_none(), "{check}");
    }
}

#[test]
fn they_are_decrypted() {
    for golden in ALL {
        let store = golden.open();
        let out = tempfile::tempdir().unwrap();
        for (flags, start) in [
            (&["get", "latest/daily", "--decrypt"][..], &b"PGDMP"[..]),
            (&["get", "latest/daily", "--decrypt", "--globals"], b"--"),
        ] {
            let file = out.path().join(format!("x{}", flags.len()));
            store.run(flags).arg("--output").arg(&file).run().ended(0);
            assert!(std::fs::read(file).unwrap().starts_with(start), "{}", golden.name);
        }
    }
}
