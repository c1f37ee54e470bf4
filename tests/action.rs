//! The action in workflows, run by act against a real server: what later steps
//! are given, what the job's page shows, and what never shows.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use backstop::postgres::cluster::ClusterOptions;

use crate::support::act::{Repository, copy_action, sources};
use crate::support::cluster::Server;
use crate::support::command::backstop;
use crate::support::tools;

const PASSWORD: &str = "p@ss:w/rd #%?";
/// [`PASSWORD`], percent-encoded.
const ENCODED: &str = "p%40ss%3Aw%2Frd%20%23%25%3F";

/// A server with a shop, and a superuser whose password needs encoding.
pub async fn shop() -> (Server, String) {
    let options = ClusterOptions { tcp: true, ..ClusterOptions::default() };
    let server = Server::start_with(15, &options).await;
    server.create_shop("shop", 0.02).await;
    server.sql("shop", &format!("CREATE ROLE ada SUPERUSER LOGIN PASSWORD '{PASSWORD}'")).await;
    let url = url(&server, "ada", ENCODED);
    (server, url)
}

fn url(server: &Server, user: &str, password: &str) -> String {
    format!("postgresql://{user}:{password}@127.0.0.1:{}/shop", server.cluster.port())
}

/// A key file with its comments, and the public key.
fn identity() -> (String, String) {
    let output = Command::new(tools::tool("age-keygen")).output().unwrap();
    let identity = String::from_utf8(output.stdout).unwrap();
    let recipient = identity.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned();
    (identity, recipient)
}

/// The one file of the store whose name ends so.
fn stored(store: &Path, suffix: &str) -> PathBuf {
    let mut folders = vec![store.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().unwrap().ends_with(suffix) {
                found.push(path);
            }
        }
    }
    assert_eq!(found.len(), 1, "{suffix}: {found:?}");
    found.remove(0)
}

fn sha256(file: &Path) -> String {
    let output = Command::new("sha256sum").stdin(File::open(file).unwrap()).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

/// The example as it is, but for the store: a backup without a private key, then
/// its proof without the database.
#[tokio::test]
async fn the_example_takes_a_backup_and_proves_it() {
    let (server, url) = shop().await;
    let (identity, recipient) = identity();
    let (store, stand_ins) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let example = std::fs::read_to_string(sources().join("examples/scheduled-backup.yml")).unwrap();
    let example = example.replace("s3://example-backups/shop", &format!("file://{}", store.path().display()));
    let uses = |name: &str| {
        let line = example.lines().find(|line| line.contains(&format!("uses: {name}@"))).unwrap();
        line.trim().trim_start_matches("- ").split(' ').nth(1).unwrap().to_owned()
    };
    let (ours, cloud) = (stand_ins.path().join("backstop"), stand_ins.path().join("cloud"));
    copy_action(&ours);
    std::fs::create_dir(&cloud).unwrap();
    let nothing = "name: x\ndescription: no cloud here\nruns: {using: composite, steps: [{run: 'true', shell: bash}]}\n";
    std::fs::write(cloud.join("action.yml"), nothing).unwrap();
    let repository = Repository::new()
        .workflow(&example)
        .action(&uses("backstop-db/backstop"), &ours)
        .action(&uses("aws-actions/configure-aws-credentials"), &cloud)
        .secret("DATABASE_URL", &url)
        .secret("BACKUP_IDENTITY", &identity)
        .var("BACKUP_RECIPIENTS", &recipient);

    let run = repository.run("schedule").passed();
    let outputs = run.outputs("backup", "backup");
    let object = stored(store.path(), ".dump.age");
    assert_eq!(outputs["backup-sha256"], sha256(&object));
    assert_eq!(outputs["backup-bytes"], object.metadata().unwrap().len().to_string());
    assert!(object.starts_with(store.path().join("shop/daily")), "{object:?}");
    assert!(object.to_str().unwrap().contains(&outputs["backup-id"]), "{outputs:?}");
    assert_eq!(outputs["level"], "contents");
    let summary = run.summary("backup", "backup");
    for part in [
        "### Backup of shop is complete\n",
        &format!("| Backup | <code>{}</code> (tier daily) |\n", outputs["backup-id"]),
        &format!("| Encrypted | age, for {recipient} |\n"),
        " in the dump's snapshot |\n",
    ] {
        assert!(summary.contains(part), "{part}\n{summary}");
    }
    let proof = run.summary("verify", "1");
    for part in [" of shop is verified\n", "| Level reached | restored |\n", "on PostgreSQL 15"] {
        assert!(proof.contains(part), "{part}\n{proof}");
    }
    assert_eq!(run.annotations("error"), <[String; 0]>::default());
    assert_eq!(run.annotations("warning"), <[String; 0]>::default());

    // By hand, as a person reads it: not one form of a secret.
    let log = repository.log("workflow_dispatch").passed().log;
    assert!(log.contains("verified ") && log.contains("Job succeeded"), "{log}");
    let key = identity.lines().last().unwrap();
    for secret in [PASSWORD, ENCODED, &url, key] {
        assert!(!log.contains(secret), "{secret}\n{log}");
    }
    server.cluster.stop().await.unwrap();
}

const CHECKED_BY_STEPS: &str = r#"
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    env:
      SHOP_URL: ${{ secrets.SHOP_URL }}
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1
      - run: |
          echo 'echo sourced >>"$STORE/sourced"' >"$RUNNER_TEMP/evil"
          echo "BASH_ENV=$RUNNER_TEMP/evil" >>"$GITHUB_ENV"
      - id: backup
        uses: ./
        with: {command: backup, config: backstop.yml, tier: hourly, working-directory: infra}
      - env:
          BASH_ENV: ""
          ID: ${{ steps.backup.outputs.backup-id }}
          SHA256: ${{ steps.backup.outputs.backup-sha256 }}
          BYTES: ${{ steps.backup.outputs.backup-bytes }}
          REPORT: ${{ steps.backup.outputs.report-file }}
        run: |
          object=$(ls "$STORE"/shop/hourly/"$ID"*.dump)
          echo "$SHA256  $object" | sha256sum --check --strict
          [ "$(stat -c %s "$object")" = "$BYTES" ]
          python3 -c 'import json, sys; assert json.load(open(sys.argv[1]))["id"] == sys.argv[2]' "$REPORT" "$ID"
          [ "$(stat -c %a "$REPORT")" = 600 ]
          [ ! -e "$STORE/sourced" ]
      - id: good
        uses: ./
        with: {command: verify, config: infra/backstop.yml, backup: latest/hourly, level: readable}
      - env: {BASH_ENV: ""}
        run: printf X | dd of="$(ls "$STORE"/shop/hourly/*.dump)" bs=1 seek=3000 conv=notrunc status=none
      - id: bad
        continue-on-error: true
        uses: ./
        with: {command: verify, config: infra/backstop.yml, database: shop, level: stored}
      - env:
          BASH_ENV: ""
          GOOD: ${{ steps.good.outputs.level }} ${{ steps.good.outcome }}
          BAD: ${{ steps.bad.outputs.level }} ${{ steps.bad.outcome }}
        run: |
          [ "$GOOD" = 'readable success' ]
          [ "$BAD" = 'none failure' ]
"#;

#[tokio::test]
async fn later_steps_are_told_the_truth() {
    let (server, url) = shop().await;
    let store = tempfile::tempdir().unwrap();
    let config = format!(
        "version: 1\ndatabases: {{shop: {{url: \"${{SHOP_URL}}\"}}}}\nstores: {{disk: {{url: \"file://{}\"}}}}\n",
        store.path().display()
    );
    let repository = Repository::new()
        .workflow(CHECKED_BY_STEPS)
        .file("infra/backstop.yml", &config)
        .secret("SHOP_URL", &url)
        .env("STORE", store.path().to_str().unwrap());
    let run = repository.run("push").passed();

    // Nothing that action.yml promises is empty, but for what `lint` alone has.
    for step in ["backup", "good", "bad"] {
        let (filled, empty): (Vec<_>, Vec<_>) =
            run.outputs("job", step).into_iter().partition(|(_, value)| !value.is_empty());
        let names =
            |outputs: Vec<(String, String)>| outputs.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(filled), ["backup-bytes", "backup-id", "backup-sha256", "level", "report-file"]);
        assert_eq!(names(empty), ["findings", "sarif-file"]);
    }
    let [warning] = run.annotations("warning").try_into().unwrap();
    assert_eq!(warning, "the backup is not encrypted: whoever reads the store reads the data");
    let [error] = run.annotations("error").try_into().unwrap();
    let id = &run.outputs("job", "backup")["backup-id"];
    assert!(error.starts_with(&format!("backup {id} of shop reached nothing, not stored\n")), "{error}");
    assert!(run.summary("job", "bad").contains(" of shop FAILED its verification\n"));
    // The URL comes from the configuration here: its password is masked all the same.
    let masks: Vec<&str> = run.commands("add-mask").filter_map(|event| event["arg"].as_str()).collect();
    assert!(masks.contains(&PASSWORD) && masks.contains(&ENCODED), "{masks:?}");
    server.cluster.stop().await.unwrap();
}

const FAILING: &str = r"
on: push
jobs:
  password:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1
      - uses: ./
        with:
          command: backup
          database-url: ${{ secrets.DATABASE_URL }}
          store: file://${{ env.STORE }}
          recipients: ${{ env.RECIPIENT }}
      - if: always()
        run: |
          printf '%s\n' 'A later step prints p@ss:w/rd #%?, p%40ss%3Aw%2Frd%20%23%25%3F.'
  server:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1
      - uses: ./
        with:
          command: backup
          database-url: ${{ secrets.HOSTILE }}
          store: file://${{ env.STORE }}
          recipients: ${{ env.RECIPIENT }}
  identity:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1
      - uses: ./
        with:
          command: verify
          database: shop
          store: file://${{ env.STORE }}
          identity: ${{ secrets.IDENTITY }}
  inputs:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1
      - uses: ./
        continue-on-error: true
        with: {command: backup, identity: '${{ secrets.IDENTITY }}'}
      - uses: ./
        continue-on-error: true
        with: {command: verify, tier: daily}
      - uses: ./
        continue-on-error: true
        with: {command: restore}
      - uses: ./
        with: {command: verify, level: --help}
";

/// Every failure says cause and next step beside the log, and no secret; and what
/// a server says is no command, whatever it looks like.
#[tokio::test]
async fn a_failure_shows_its_cause_and_no_secret() {
    let (server, url_of_ada) = shop().await;
    let store = tempfile::tempdir().unwrap();
    let (_, recipient) = identity();
    let (stranger, _) = identity();
    let to = format!("file://{}", store.path().display());
    let taken = backstop(["backup", "--store", &to, "--recipient", &recipient]);
    taken.env("DATABASE_URL", &url_of_ada).run().ended(0);

    let wrong = url(&server, "nobody", ENCODED);
    // The message names the user.
    let hostile = url(&server, "x%0A%3A%3Awarning%3A%3Aforged%0A%23%23%5Berror%5Dforged%0A", ENCODED);
    let repository = Repository::new()
        .workflow(FAILING)
        .env("STORE", store.path().to_str().unwrap())
        .env("RECIPIENT", &recipient)
        .secret("DATABASE_URL", &wrong)
        .secret("HOSTILE", &hostile)
        .secret("IDENTITY", &stranger);

    // act loses what it has not read when a step fails. A run of which nothing was lost
    // says seven errors; what is wrong with the last one is told below.
    let runs = (0..10).map(|_| repository.run("push").failed());
    let mut whole = None;
    for run in runs {
        let errors = run.annotations("error").len();
        whole = Some(run);
        if errors >= 7 {
            break;
        }
    }
    let run = whole.unwrap();
    assert!(run.messages().contains("\n::warning::forged\n"), "{}", run.messages());
    assert_eq!(run.annotations("warning"), <[String; 0]>::default(), "a forged one");
    let mut errors = run.annotations("error");
    // act, unlike GitHub, takes the message to begin after the last `::`.
    let of_hostile =
        errors.extract_if(.., |error| error.starts_with("forged\n##[error]forged\n'\nhint: ")).count();
    assert_eq!(of_hostile, 1, "{errors:#?}");
    errors.sort();
    let errors = errors.join("\n---\n").replace(&server.cluster.port().to_string(), "PORT");
    let id = stored(store.path(), ".dump.age").file_name().unwrap().to_str().unwrap().to_owned();
    insta::assert_snapshot!(errors.replace(&id, "ID.dump.age"), @r"
    127.0.0.1:PORT refused the password of user 'nobody'
    hint: check user and password; percent-encode special characters if they come from a URL
    ---
    cannot open 'shop/manual/ID.dump.age'
    caused by: none of the given keys opens it: it is age-encrypted to 1 X25519 recipient
    hint: give the identity that belongs to one of these recipients
    ---
    input 'command' must be backup, verify or lint
    ---
    input 'identity' is for verify, not for backup: who takes backups need not be able to read them
    ---
    input 'tier' is for backup, not for verify: a tier of backups is latest/TIER in the input backup
    ---
    invalid value '--help' for '--level <LEVEL>'
      [possible values: stored, readable, contents, restored]
    ");
    let failed = run.commands("summary").filter(|event| {
        event["content"].as_str().is_some_and(|text| text.starts_with("### backstop failed\n"))
    });
    assert!(failed.count() >= 3);

    let log = repository.log("push").failed().log;
    assert!(log.contains("A later step prints ***, ***."), "{log}");
    assert!(log.contains("hint: "), "{log}");
    for secret in [PASSWORD, ENCODED, &wrong, &hostile, stranger.lines().last().unwrap()] {
        assert!(!log.contains(secret), "{secret}\n{log}");
    }
    server.cluster.stop().await.unwrap();
}
