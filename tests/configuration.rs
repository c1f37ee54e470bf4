//! `init` and `config` as a user meets them.

use assert_cmd::Command;

fn backstop(folder: &tempfile::TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backstop"));
    command.current_dir(folder).env_clear().env("HOME", folder.path());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn init_writes_a_file_once_that_passes_the_check_and_holds_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let url = "postgres://postgres:s3cr3t@db.abcdefghijklmnopqrst.supabase.co:5432/postgres";
    std::fs::write(folder.path().join(".env"), format!("DATABASE_URL={url}\n")).unwrap();

    let first = backstop(&folder).args(["init", "--database", "shop"]).assert().success();
    let said = text(&first.get_output().stdout);
    assert!(said.contains("DATABASE_URL in .env: Supabase, direct connection"), "{said}");
    let written = std::fs::read_to_string(folder.path().join("backstop.yml")).unwrap();
    assert!(written.contains("\n  shop:\n"), "{written}");
    assert!(!(said + &written).contains("s3cr3t"));

    let again = backstop(&folder).args(["init", "--database", "other"]).assert().code(2);
    assert!(text(&again.get_output().stderr).contains("is there already; --force writes over it"));
    assert_eq!(std::fs::read_to_string(folder.path().join("backstop.yml")).unwrap(), written);
    backstop(&folder).args(["init", "--database", "other", "--force"]).assert().success();
    assert_ne!(std::fs::read_to_string(folder.path().join("backstop.yml")).unwrap(), written);

    // An unset variable is a note: the check also runs where no secret is.
    backstop(&folder).args(["config", "check"]).assert().success();
}

#[test]
fn config_check_judges_with_the_exit_status_and_in_json() {
    let folder = tempfile::tempdir().unwrap();
    backstop(&folder).args(["config", "check"]).assert().code(2);
    std::fs::write(folder.path().join("backstop.yml"), "version: 1\ntires: {}\n").unwrap();
    let plain = backstop(&folder).args(["config", "check"]).assert().code(1);
    assert_eq!(
        text(&plain.get_output().stdout),
        "backstop.yml:2:1: error[unknown-key]: unknown key 'tires'\nhelp: did you mean `tiers`?\n"
    );
    let json = backstop(&folder).args(["config", "check", "--format", "json"]).assert().code(1);
    let json: serde_json::Value = serde_json::from_slice(&json.get_output().stdout).unwrap();
    assert_eq!(json["findings"][0]["rule"], "unknown-key");
    assert_eq!(
        (json["findings"][0]["line"].as_u64(), json["findings"][0]["end_column"].as_u64()),
        (Some(2), Some(6))
    );
}

#[test]
fn config_schema_is_json_on_standard_out() {
    let folder = tempfile::tempdir().unwrap();
    let printed = backstop(&folder).args(["config", "schema"]).assert().success();
    let schema: serde_json::Value = serde_json::from_slice(&printed.get_output().stdout).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(schema["$defs"]["Database"]["properties"]["url"].is_object());
}
