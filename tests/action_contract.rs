//! What action.yml promises by its shape: no expression becomes shell, nothing
//! that a caller gives is dropped, and the README's table is the truth. act would
//! not see some of it: it hands inputs to scripts that GitHub does not.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use backstop_policy::parse::yaml::{self, Node, Value};

use crate::support::{act, tools};

/// Of the list that GitHub accepts for a badge.
const COLORS: [&str; 9] =
    ["white", "black", "yellow", "blue", "green", "orange", "red", "purple", "gray-dark"];

fn action() -> Node {
    let text = std::fs::read_to_string(act::sources().join("action.yml")).unwrap();
    yaml::parse(&text).unwrap().pop().unwrap()
}

/// The members of a mapping, in order.
fn members(node: &Node) -> Vec<(&str, &Node)> {
    let Value::Mapping(entries) = &node.value else { panic!("{} is no mapping", node.describe()) };
    entries.iter().map(|entry| (entry.key.as_scalar().unwrap().text.as_str(), &entry.value)).collect()
}

fn find<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    members(node).into_iter().find(|(name, _)| *name == key).map(|(_, value)| value)
}

fn get<'n>(node: &'n Node, key: &str) -> &'n Node {
    find(node, key).unwrap_or_else(|| panic!("no '{key}'"))
}

fn text<'n>(node: &'n Node, key: &str) -> &'n str {
    &get(node, key).as_scalar().unwrap().text
}

fn steps(action: &Node) -> &[Node] {
    let Value::Sequence(steps) = &get(get(action, "runs"), "steps").value else { panic!("no steps") };
    steps
}

fn script(name: &str) -> String {
    std::fs::read_to_string(act::sources().join("scripts/action").join(name)).unwrap()
}

/// The variable that carries an input into the script.
fn variable(input: &str) -> String {
    format!("INPUT_{}", input.to_uppercase().replace('-', "_"))
}

#[test]
fn the_marketplace_takes_it() {
    let action = action();
    for key in ["name", "description", "author"] {
        assert!(!text(&action, key).is_empty());
    }
    assert!(text(&action, "description").len() <= 125);
    assert!(COLORS.contains(&text(get(&action, "branding"), "color")));
    assert_eq!(text(get(&action, "branding"), "icon"), "shield");
    assert_eq!(text(get(&action, "runs"), "using"), "composite");
}

#[test]
fn no_expression_becomes_shell() {
    let action = action();
    for step in steps(&action) {
        // Nothing of somebody else's that we would have to pin.
        assert!(find(step, "uses").is_none());
        assert_eq!(text(step, "shell"), "bash");
        assert_eq!(text(get(step, "env"), "BASH_ENV"), "");
        let run = text(step, "run");
        let file = run.strip_prefix("exec \"$GITHUB_ACTION_PATH/").and_then(|rest| rest.strip_suffix('"'));
        let file = file.unwrap_or_else(|| panic!("a signal to the step would not reach its script: {run}"));
        let path = act::sources().join(file);
        assert!(path.metadata().unwrap().permissions().mode() & 0o111 == 0o111, "{file} is not executable");
        assert!(std::fs::read_to_string(path).unwrap().starts_with("#!/bin/bash -p\n"));
    }
    let last = script("run");
    assert!(last.trim_end().lines().last().unwrap().starts_with("exec \"$BACKSTOP_BIN\" "));
}

#[test]
fn every_input_reaches_the_script() {
    let action = action();
    let step = steps(&action).last().unwrap();
    let script = script("run");
    let mut expected = vec![
        ("BASH_ENV".to_owned(), String::new()),
        ("BACKSTOP_BIN".to_owned(), "${{ steps.install.outputs.bin }}".to_owned()),
        ("PULL_REQUEST_BASE".to_owned(), "${{ github.event.pull_request.base.sha }}".to_owned()),
    ];
    for (name, input) in members(get(&action, "inputs")) {
        assert!(!text(input, "description").is_empty(), "{name}");
        // An input without a default could be nothing at all.
        assert_eq!(find(input, "default").is_some(), name != "command", "{name}");
        assert_eq!(text(input, "required"), (name == "command").to_string(), "{name}");
        let value = format!("${{{{ inputs.{name} }}}}");
        if name == "working-directory" {
            assert_eq!(text(step, name), value);
            continue;
        }
        assert!(
            script.contains(&format!("\"${}\"", variable(name))) || name == "backup",
            "{name} is not used"
        );
        assert!(script.contains(&variable(name)));
        expected.push((variable(name), value));
    }
    let env = members(get(step, "env")).into_iter();
    let env: Vec<_> =
        env.map(|(name, value)| (name.to_owned(), value.as_scalar().unwrap().text.clone())).collect();
    assert_eq!(env, expected);
    for secret in ["database-url", "identity", "passphrase"] {
        assert!(script.contains("unset ") && script.contains(&format!(" {}", variable(secret))), "{secret}");
    }
}

#[test]
fn every_output_is_the_steps_own() {
    for (name, output) in members(get(&action(), "outputs")) {
        assert!(!text(output, "description").is_empty());
        assert_eq!(text(output, "value"), format!("${{{{ steps.run.outputs.{name} }}}}"));
    }
}

/// The rows between two markers are what action.yml says.
#[test]
fn the_readme_has_every_input_and_output() {
    let readme = std::fs::read_to_string(act::sources().join("README.md")).unwrap();
    let action = action();
    let table = |name: &str, of: &str| {
        let rows = members(get(&action, of)).into_iter();
        let rows: String =
            rows.map(|(name, member)| format!("| `{name}` | {} |\n", text(member, "description"))).collect();
        let title = of.trim_end_matches('s');
        format!("<!-- {name} -->\n| {title} | |\n|---|---|\n{rows}<!-- /{name} -->\n")
    };
    for (name, of) in [("action-inputs", "inputs"), ("action-outputs", "outputs")] {
        let table = table(name, of);
        assert!(readme.contains(&table), "README.md needs this:\n{table}");
    }
}

/// Start the first step's script as the runner would.
fn install(path: &str, action: &std::path::Path, bin: Option<&str>) -> (Option<i32>, String, String) {
    let work = tempfile::tempdir().unwrap();
    let output = work.path().join("output");
    std::fs::write(work.path().join("rust-toolchain.toml"), "[toolchain]\nchannel = \"0.0.0\"\n").unwrap();
    std::fs::copy("/bin/true", work.path().join("backstop")).unwrap();
    let mut command = Command::new(act::sources().join("scripts/action/install"));
    command.env("PATH", path).env("GITHUB_ACTION_PATH", action).env("GITHUB_OUTPUT", &output);
    command.env_remove("BACKSTOP_BIN").envs(bin.map(|bin| ("BACKSTOP_BIN", bin)));
    command.env("CARGO_BUILD_TARGET", "none-such").current_dir(work.path());
    let done = command.output().unwrap();
    let written = std::fs::read_to_string(&output).unwrap_or_default();
    let stdout = String::from_utf8(done.stdout).unwrap();
    (done.status.code(), stdout, written.replace(&work.path().display().to_string(), "WORK"))
}

#[test]
fn the_binary_is_named_or_the_step_says_what_is_missing() {
    let nowhere = tempfile::tempdir().unwrap();
    let usual = "/usr/bin:/bin";
    let (status, said, written) = install(usual, nowhere.path(), Some("./backstop"));
    assert_eq!((status, said.as_str(), written.as_str()), (Some(0), "", "bin=WORK/backstop\n"));

    let (status, said, written) = install(usual, nowhere.path(), Some("./nothing"));
    assert_eq!((status, written.as_str()), (Some(2), ""));
    assert_eq!(said, "::error title=backstop::BACKSTOP_BIN: './nothing' is not an executable file\n");

    let (status, said, _) = install(nowhere.path().to_str().unwrap(), nowhere.path(), None);
    assert_eq!(status, Some(2));
    assert_eq!(
        said,
        "::error title=backstop::no Rust toolchain to build backstop with; install one, or set BACKSTOP_BIN to a binary\n"
    );
}

/// A package of the same name that cargo builds in a second; with `--full` the
/// real one too.
#[test]
fn without_a_binary_it_is_built_from_the_action() {
    let path = std::env::var("PATH").unwrap();
    let small = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(small.path().join(name), text).unwrap();
    let toolchain = std::fs::read_to_string(act::sources().join("rust-toolchain.toml")).unwrap();
    write("rust-toolchain.toml", &toolchain);
    write("Cargo.toml", "[package]\nname = \"backstop\"\nedition = \"2024\"\n[workspace]\n");
    write("Cargo.lock", "version = 4\n\n[[package]]\nname = \"backstop\"\nversion = \"0.0.0\"\n");
    std::fs::create_dir(small.path().join("src")).unwrap();
    write("src/main.rs", "fn main() { println!(\"backstop 0.0.0\") }\n");
    let mut sources = vec![small.path().to_owned()];
    if tools::is_full() {
        sources.push(act::sources());
    }
    for source in sources {
        let (status, said, written) = install(&path, &source, None);
        assert_eq!(status, Some(0), "{said}");
        assert_eq!(said, "::group::Build backstop (some minutes)\n::endgroup::\n");
        let bin = written.strip_prefix("bin=").unwrap().trim_end();
        assert!(bin.starts_with(source.to_str().unwrap()));
        let version = Command::new(bin).arg("--version").output().unwrap();
        assert!(version.stdout.starts_with(b"backstop 0."), "{bin}");
    }

    write("src/main.rs", "fn main() { broken }\n");
    let (status, said, written) = install(&path, small.path(), None);
    assert_eq!((status, written.as_str()), (Some(2), ""));
    assert!(said.ends_with(
        "::error title=backstop::cannot build backstop from its sources; the log above says why\n"
    ));
}
