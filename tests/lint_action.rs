//! The action's `lint` on a pull request, run by act: annotations on the lines that
//! it adds, the SARIF file, the job's summary; without a secret and with no more
//! permission than to read.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::act::{Repository, Run};

const PIPE: &str = "#!/bin/bash\npg_dump \"$DATABASE_URL\" | gzip > shop.sql.gz\n";
/// Made up, and in two pieces so that no scanner takes this file for a leak.
const PASSWORD: &str = concat!("W4jx9", "ncQb6");

const WORKFLOW: &str = r#"
on: [pull_request, push]
permissions: {contents: read}
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1
      - if: github.event.pull_request.head
        run: git checkout --quiet --detach ${{ github.event.pull_request.head.sha }}
      - id: lint
        continue-on-error: true
        uses: ./
        with: {command: lint, paths: scripts, min-severity: error}
      - env:
          FOUND: ${{ steps.lint.outputs.findings }} ${{ steps.lint.outcome }}
          SARIF: ${{ steps.lint.outputs.sarif-file }}
          REPORT: ${{ steps.lint.outputs.report-file }}
        run: |
          echo "found $FOUND"
          python3 -c 'import json, sys; print("sarif", json.load(open(sys.argv[1]))["version"])' "$SARIF"
          python3 -c 'import json, sys; print("json", json.load(open(sys.argv[1]))["schema"])' "$REPORT"
"#;

#[test]
fn a_pull_request_is_told_of_the_lines_that_it_adds() {
    let repository = Repository::new().workflow(WORKFLOW).file("scripts/old.sh", PIPE);
    let base = repository.commit();
    let leak = format!("{PIPE}psql postgres://shop:{PASSWORD}@db.shop-internal.net/shop\n");
    let repository = repository.file("scripts/new.sh", &leak);
    repository.commit();
    let repository = repository.event(&json!({ "pull_request": { "number": 7, "base": { "sha": base } } }));

    let run = repository.run("pull_request").passed();
    let outputs = run.outputs("job", "lint");
    let said = run.messages();
    let errors = run.annotations("error");
    assert_eq!(outputs["findings"], errors.len().to_string(), "{errors:#?}\n{said}");
    assert!(
        errors.iter().any(|error| error.starts_with("if pg_dump fails, gzip still succeeds")),
        "{errors:?}"
    );
    for event in run.commands("error") {
        assert_eq!(event["kvPairs"]["file"], "scripts/new.sh", "{event}");
    }
    for part in [format!("found {} failure", errors.len()), "sarif 2.1.0".to_owned(), "json 1".to_owned()] {
        assert!(said.contains(&part), "{part}\n{said}");
    }
    let summary = run.summary("job", "lint");
    assert!(summary.starts_with("### backstop lint: ") && summary.contains("scripts/new.sh:2"), "{summary}");
    assert!(!summary.contains("old.sh"), "{summary}");
    assert!(!run.log.contains(PASSWORD), "{}", run.log);

    // Without a pull request everything counts.
    let everything = repository.event(&json!({})).run("push").passed();
    assert!(everything.summary("job", "lint").contains("scripts/old.sh:2"), "{}", everything.messages());
}

/// The test merge that GitHub makes has the base as its first parent; a merge by the
/// author of the branch has not.
#[test]
fn a_branch_that_took_over_its_base_is_held_against_the_base() {
    let repository = Repository::new().workflow(WORKFLOW);
    let start = repository.commit();
    let repository = repository.file("scripts/new.sh", PIPE);
    let own = repository.commit();
    repository.checkout(&start);
    let repository = repository.file("scripts/old.sh", PIPE);
    let base = repository.commit();
    let head = repository.merge(&base, &own);
    repository.merge(&head, &base);
    let files = |run: Run| -> BTreeSet<String> {
        run.commands("error").map(|event| event["kvPairs"]["file"].as_str().unwrap().to_owned()).collect()
    };

    let pull = json!({ "number": 7, "base": { "sha": base } });
    let repository = repository.event(&json!({ "pull_request": pull }));
    assert_eq!(files(repository.run("pull_request").passed()), ["scripts/new.sh".to_owned()].into());
    // The head itself is checked out, and not the test merge.
    let pull = json!({ "number": 7, "base": { "sha": base }, "head": { "sha": head } });
    let repository = repository.event(&json!({ "pull_request": pull }));
    assert_eq!(files(repository.run("pull_request").passed()), ["scripts/new.sh".to_owned()].into());
}
