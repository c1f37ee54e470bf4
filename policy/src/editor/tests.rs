//! What the editor gets is what the command prints, and an allowance allows.

use super::*;
use crate::fix::apply_edit;
use crate::rules;

fn request(files: &[(&str, &str)]) -> Request {
    let file = |(path, text): &(&str, &str)| File { path: (*path).into(), text: (*text).into(), kind: None };
    Request { files: files.iter().map(file).collect(), ..Request::default() }
}

fn review(files: &[(&str, &str)]) -> Review {
    Review::of(request(files)).unwrap()
}

const SCRIPT: &str = "#!/bin/bash\n# Größe \u{1f512}\npg_dump shop | gzip > a.gz\n";

#[test]
fn places_count_in_utf16() {
    let review = review(&[("b.sh", SCRIPT)]);
    let view = review.view();
    let item = view.findings.iter().find(|item| item.entry.rule == "pipefail-missing").unwrap();
    let units: Vec<u16> = SCRIPT.encode_utf16().collect();
    assert_eq!(String::from_utf16_lossy(&units[item.from..item.to]), "pg_dump");
    let fix = item.quick_fix.as_ref().unwrap();
    assert!(fix.safe && fix.edits[0].insert.contains("pipefail"), "{fix:?}");
    assert_eq!(fix.edits[0].from, fix.edits[0].to);
}

#[test]
fn what_does_not_concern_backups_is_searched_for_secrets_alone() {
    let secret = concat!("U=postgres://shop:", "V7kq2mzRt9", "@db.shop-internal.net/s\n");
    let review = review(&[("a.py", secret), ("b.sh", SCRIPT)]);
    let view = review.view();
    assert_eq!(view.findings[0].entry.rule, "credential-in-file");
    let concerns: Vec<bool> = view.documents.iter().map(|about| about.concerns_backups).collect();
    assert_eq!(concerns, [false, true]);
    let file = File { path: "a.py".into(), text: secret.into(), kind: None };
    assert_eq!(mask(file).unwrap(), ("U=postgres://shop:***@db.shop-internal.net/s\n".to_owned(), 1));
}

#[test]
fn a_chosen_kind_says_what_is_a_secret() {
    let text = concat!("db.shop-internal.net:5433:shop:app:", "V7kq2mzRt9", "\n");
    let file = File { path: "untitled".into(), text: text.into(), kind: Some("pgpass".into()) };
    let review = Review::of(Request { files: vec![file.clone()], ..Request::default() }).unwrap();
    assert_eq!(review.view().findings[0].entry.rule, "credential-in-file");
    assert!(!review.render("text").unwrap().contains("V7kq2mzRt9"));
    assert_eq!(mask(file).unwrap(), ("db.shop-internal.net:5433:shop:app:***\n".to_owned(), 1));
}

#[test]
fn a_configuration_among_the_files_holds_and_the_request_comes_after_it() {
    let ignoring = "version: 1\nlint:\n  ignore: [dump]\n";
    let has = |review: &Review, rule: &str| review.found.iter().any(|(finding, _)| finding.rule == rule);
    assert!(has(&review(&[("b.sh", SCRIPT)]), "pipefail-missing"));
    assert!(!has(&review(&[("b.sh", SCRIPT), ("backstop.yml", ignoring)]), "pipefail-missing"));
    assert!(has(&review(&[("b.sh", SCRIPT), ("backstop.yml", "lint: 1\n")]), "pipefail-missing"));
    let select = vec!["encryption".to_owned()];
    let only = Review::of(Request { select, ..request(&[("b.sh", SCRIPT)]) }).unwrap();
    assert!(!has(&only, "pipefail-missing") && has(&only, "dump-unencrypted"));
}

#[test]
fn what_is_no_request_is_refused() {
    let refused = |json: &str| Review::of_json(json).unwrap_err().to_string();
    assert!(refused("{").starts_with("the request cannot be read: "));
    assert_eq!(refused(r#"{"files":[{"path":"a","text":"","kind":"yml"}]}"#), "'yml' is no kind of document");
    assert_eq!(
        refused(r#"{"files":[{"path":"a","text":""},{"path":"a","text":""}]}"#),
        "two files are called 'a'"
    );
    assert_eq!(refused(r#"{"files":[],"select":["x"]}"#), "no rule and no group is called 'x'");
    let error = review(&[("b.sh", SCRIPT)]).render("xml").unwrap_err();
    assert_eq!(error.to_string(), "no format is called 'xml'");
}

#[test]
fn every_rule_can_be_explained() {
    let documentation = Documentation::built_in();
    for listed in rules(&documentation) {
        let rule = explain(listed.id, &documentation).unwrap();
        assert!(!rule.bad.is_empty() && !rule.good.is_empty() && rule.sections.len() >= 5, "{}", listed.id);
    }
    assert!(explain("no-such-rule", &documentation).is_none());
}

/// Each bad example of each rule, as the files of a request.
fn examples() -> impl Iterator<Item = (&'static str, Vec<Document>)> {
    rules::all().flat_map(|rule| {
        let document =
            |example: &crate::rule::Example| Document::new(example.path.as_str(), example.text.as_str());
        let examples = rule.docs().examples("Bad");
        examples
            .iter()
            .map(|group| (rule.id, group.iter().map(document).collect()))
            .collect::<Vec<(&str, Vec<Document>)>>()
    })
}

#[test]
fn an_allowance_silences_its_finding_and_nothing_else() {
    let mut without = Vec::new();
    for (id, documents) in examples() {
        let review = Review::with(documents, Options::default());
        for (finding, _) in review.found.iter().filter(|(finding, _)| finding.rule == id) {
            let index = review.documents.iter().position(|document| document.path == finding.path).unwrap();
            let document = &review.documents[index];
            let from = Utf16::new(&document.text).units(finding.span.start);
            match review.allow(index, from, id, "it's\nwell -- known").unwrap() {
                Some(edit) => {
                    let text = apply_edit(&document.text, &edit);
                    assert!(text.contains(&format!("backstop: allow {id} -- it's well -- known")), "{text}");
                }
                None => without.push(format!("{id} {}", finding.path)),
            }
        }
    }
    without.sort();
    without.dedup();
    // JSON has no comments that its readers all take; a comment about comments allows nothing.
    insta::assert_snapshot!(without.join("\n"), @r"
    bucket-policy-aes256-only policy.json
    invalid-allow backup.sh
    lifecycle-malformed lifecycle.json
    stale-allow backup.sh
    ");
}

#[test]
fn an_allowance_does_not_cut_a_command_in_two() {
    let text = "#!/bin/bash\nif true; then\n  docker exec db \\\n    pg_dump shop | gzip > a.gz\nfi\n";
    let review = review(&[("b.sh", text)]);
    let item = review.view().findings.into_iter().find(|item| item.entry.rule == "pipefail-missing");
    let from = item.unwrap().from;
    let edit = review.allow(0, from, "pipefail-missing", "x").unwrap().unwrap();
    insta::assert_snapshot!(apply_edit(text, &edit), @r"
    #!/bin/bash
    if true; then
      docker exec db \
        pg_dump shop | gzip > a.gz  # backstop: allow pipefail-missing -- x
    fi
    ");
    assert!(review.allow(0, 0, "pipefail-missing", "x").is_err());
    assert!(review.allow(7, 0, "pipefail-missing", "x").is_err());
}
