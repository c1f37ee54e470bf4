//! One listing in every format.

use serde_json::Value;

use super::*;
use crate::document::Document;
use crate::lint::{Options, lint};
use crate::rule::{Documentation, Group};

fn listing(files: &[(&str, &str)], select: &[&str]) -> Listing {
    let documents: Vec<Document> = files.iter().map(|(path, text)| Document::new(*path, *text)).collect();
    let select = select.iter().map(|id| (*id).to_owned()).collect();
    let report = lint(&documents, &Options { select, ..Options::default() });
    Listing {
        documents: documents.len(),
        findings: shown(&report.findings, &documents),
        suppressed: report.suppressed,
        commits: None,
    }
}

const SCRIPT: &str = "#!/bin/bash\nexport URL=postgres://shop:W4jx9ncQb6@db.shop-internal.net/shop\n\tpg_dump \"$URL\" | gzip > a.gz\n";

fn two() -> Listing {
    listing(&[("scripts/b.sh", SCRIPT)], &["credential-in-file", "pipefail-missing"])
}

fn in_every_format(listing: &Listing) -> [String; 6] {
    [
        text(listing),
        summary(listing),
        json(listing),
        sarif(listing, "1.0.0", &Documentation::built_in()),
        annotations(listing),
        markdown(listing),
    ]
}

#[test]
fn no_format_shows_the_secret() {
    let step = "on: push\njobs:\n  PGPASSWORD=W4jx9ncQb6:\n    runs-on: ubuntu-24.04\n    steps:\n      - name: 'dump postgres://shop:W4jx9ncQb6@db.shop-internal.net/shop'\n        run: pg_dump shop | gzip > a.gz\n";
    let heading =
        "# postgres://shop:W4jx9ncQb6@db.shop-internal.net/shop\n\n```sh\npg_dump shop | gzip > a.gz\n```\n";
    let listing = listing(
        &[("scripts/b.sh", SCRIPT), (".github/workflows/b.yml", step), ("a.md", heading)],
        &["credential-in-file", "pipefail-missing"],
    );
    let pipes = listing.findings.iter().filter(|finding| finding.rule == "pipefail-missing");
    let contexts: Vec<Option<&str>> = pipes.map(|finding| finding.context.as_deref()).collect();
    assert_eq!(
        contexts,
        [
            None,
            Some("job 'PGPASSWORD=***', step 'dump postgres://shop:***@db.shop-internal.net/shop'"),
            Some("postgres://shop:***@db.shop-internal.net/shop"),
        ]
    );
    for out in in_every_format(&listing) {
        assert!(!out.contains("W4jx9ncQb6"), "{out}");
    }
}

#[test]
fn text_has_the_line_and_a_caret() {
    insta::assert_snapshot!(text(&two()), @r#"
    scripts/b.sh:2:12: error[credential-in-file]: password in a database URL: whoever reads this file can log in to the database
      |
    2 | export URL=postgres://shop:***@db.shop-internal.net/shop
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = help: change the password, then read it from the environment (`$DATABASE_URL`) or a password file

    scripts/b.sh:3:2: error[pipefail-missing]: if pg_dump fails, gzip still succeeds: what it has made of nothing is kept and the run looks green
      |
    3 | pg_dump "$URL" | gzip > a.gz
      | ^^^^^^^
      = help: put `set -o pipefail` before it (`--fix` does it)
    "#);
    insta::assert_snapshot!(summary(&two()), @"2 errors in 1 document");
}

#[test]
fn json_has_the_documented_keys() {
    insta::assert_snapshot!(json(&two()), @r#"
    {
      "schema": 1,
      "documents": 1,
      "findings": [
        {
          "rule": "credential-in-file",
          "group": "secrets",
          "severity": "error",
          "path": "scripts/b.sh",
          "line": 2,
          "column": 12,
          "end_line": 2,
          "end_column": 64,
          "message": "password in a database URL: whoever reads this file can log in to the database",
          "help": "change the password, then read it from the environment (`$DATABASE_URL`) or a password file",
          "url": "https://backstop-db.github.io/backstop/rules/credential-in-file",
          "fix": false,
          "context": null,
          "fingerprint": "9dfe7d3e3d3b8508-1"
        },
        {
          "rule": "pipefail-missing",
          "group": "dump",
          "severity": "error",
          "path": "scripts/b.sh",
          "line": 3,
          "column": 2,
          "end_line": 3,
          "end_column": 9,
          "message": "if pg_dump fails, gzip still succeeds: what it has made of nothing is kept and the run looks green",
          "help": "put `set -o pipefail` before it",
          "url": "https://backstop-db.github.io/backstop/rules/pipefail-missing",
          "fix": true,
          "context": null,
          "fingerprint": "663c48cac263ad3d-1"
        }
      ],
      "suppressed": 0,
      "summary": {
        "errors": 2,
        "warnings": 0,
        "notes": 0
      }
    }
    "#);
}

#[test]
fn annotations_are_escaped() {
    let mut listing = two();
    listing.findings.truncate(1);
    listing.findings[0].path = "a,b:c%.sh".to_owned();
    listing.findings[0].message = "50% of\r\nit".to_owned();
    insta::assert_snapshot!(annotations(&listing), @"::error file=a%2Cb%3Ac%25.sh,line=2,col=12,endColumn=64,title=backstop%3A credential-in-file::50%25 of%0D%0Ait%0Ahelp: change the password, then read it from the environment (`$DATABASE_URL`) or a password file");
}

#[test]
fn annotations_stop_at_ten_of_a_kind_and_say_so() {
    let mut listing = two();
    let one = listing.findings[0].clone();
    let kind = |severity, number| vec![Shown { severity, ..one.clone() }; number];
    let counts = |listing: &Listing| {
        ["::error ", "::warning ", "::notice "].map(|kind| annotations(listing).matches(kind).count())
    };
    listing.findings = kind(Severity::Error, 10);
    assert_eq!(counts(&listing), [10, 0, 0]);
    listing.findings = kind(Severity::Error, 11);
    assert_eq!(counts(&listing), [10, 0, 1]);
    assert!(annotations(&listing).ends_with("::notice title=backstop::1 finding more, which GitHub would not show here: see the log or the SARIF file\n"));
    listing.findings =
        [kind(Severity::Error, 30), kind(Severity::Warning, 3), kind(Severity::Note, 10)].concat();
    assert_eq!(counts(&listing), [10, 3, 10]);
    assert!(annotations(&listing).contains("21 findings more"));
}

#[test]
fn markdown_is_a_table_that_no_text_can_leave() {
    let mut listing = two();
    listing.findings.truncate(1);
    listing.findings[0].path = "a|b<c>`.sh".to_owned();
    listing.findings[0].message = "![x](http://e) a\n| b".to_owned();
    insta::assert_snapshot!(markdown(&listing), @r"
    ### backstop lint: 1 error in 1 document

    | severity | rule | where | what will happen |
    |---|---|---|---|
    | error | [credential-in-file](https://backstop-db.github.io/backstop/rules/credential-in-file) | <code>a\|b&lt;c&gt;\`.sh:2</code> | \!\[x\](http://e) a�\| b<br>change the password, then read it from the environment (\`\$DATABASE\_URL\`) or a password file |
    ");
}

#[test]
fn sarif_names_rules_places_and_lines() {
    let mut listing = two();
    listing.findings[0].path = "a b/ü.sh".to_owned();
    let sarif: Value = serde_json::from_str(&sarif(&listing, "1.0.0", &Documentation::built_in())).unwrap();
    let run = &sarif["runs"][0];
    let result = &run["results"][0];
    let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
    assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "a%20b/%C3%BC.sh");
    assert_eq!(place["region"]["startLine"], 2);
    assert!(run["tool"]["driver"]["rules"][index]["help"]["markdown"].as_str().unwrap().contains("## Why"));
}

#[test]
fn a_fingerprint_follows_its_line() {
    let of = |text: &str| listing(&[("a.sh", text)], &["credential-in-file"]).findings;
    let line = "U=postgres://shop:W4jx9ncQb6@db.shop-internal.net/shop\n";
    let (one, moved) = (of(line), of(&format!("\n\n  {line}")));
    assert_eq!(one[0].fingerprint, moved[0].fingerprint);
    assert_eq!(one[0].group, Some(Group::Secrets));
    let twice = of(&line.repeat(2));
    assert_eq!(twice[0].fingerprint, one[0].fingerprint);
    assert_ne!(twice[1].fingerprint, one[0].fingerprint);
    assert_ne!(
        of("V=postgres://shop:W4jx9ncQb6@db.shop-internal.net/shop\n")[0].fingerprint,
        one[0].fingerprint
    );
}

#[test]
fn a_long_line_is_cut_around_the_finding_and_controls_are_shown() {
    let line = format!(
        "{}\u{1b}[31m U=postgres://shop:W4jx9ncQb6@db.shop-internal.net/shop {}\n",
        "x".repeat(300),
        "y".repeat(300)
    );
    let text = text(&listing(&[("a\u{1b}.sh", &line)], &["credential-in-file"]));
    assert!(text.lines().all(|line| line.chars().count() < 260), "{text}");
    assert!(!text.contains('\u{1b}') && text.contains('…'), "{text}");
}

#[test]
fn a_line_with_a_finding_every_few_bytes_costs_each_a_look() {
    let pieces: String = (0..20_000).map(|_| "/* backstop: allow nothing -- at all */ ").collect();
    let listing = listing(&[("a.sql", &pieces)], &["invalid-allow"]);
    assert_eq!(listing.findings.len(), 20_000);
    let last = listing.findings.last().unwrap();
    assert_eq!((last.start.line, last.start.column), (1, 19_999 * 40 + 20));
    assert!(last.snippet.before.starts_with('…') && last.snippet.marked == "nothing");
    assert!(last.fingerprint.ends_with("-20000"));
}
