//! Fixes over every case there is: applied round by round they come to an end, what
//! they leave can be read as before, and nothing is left that they would mend.

use backstop_policy::document::{Document, Kind};
use backstop_policy::finding::{Finding, Fix, Safety};
use backstop_policy::fix::apply;
use backstop_policy::lint::{Options, lint};
use backstop_policy::parse::{shell, yaml};

use super::set::cases;

/// As many as the command makes.
const ROUNDS: usize = 10;

#[test]
fn fixes_settle_in_texts_that_can_still_be_read() {
    let (mut safe, mut with_unsafe) = (0, 0);
    for case in cases().unwrap().iter().filter(|case| case.is_bad) {
        let name = format!("{}, {}", case.rule, case.title);
        let (now, applied) = settled(&case.documents, &name, |fix| fix.safety == Safety::Safe);
        safe += applied;
        with_unsafe += settled(&now, &name, |_| true).1;
    }
    assert!(safe > 100 && with_unsafe > 50, "{safe} safe ones, {with_unsafe} others");
}

/// What is left, and how many fixes it took.
fn settled(documents: &[Document], name: &str, wanted: impl Fn(&Fix) -> bool) -> (Vec<Document>, usize) {
    let mut now = documents.to_vec();
    let mut applied = 0;
    for _ in 0..ROUNDS {
        let before = applied;
        let findings = lint(&now, &Options::default()).findings;
        for document in &mut now {
            let own = |finding: &&Finding| finding.path == document.path;
            let fixes = findings.iter().filter(own).filter_map(|finding| finding.fix.as_ref());
            let (text, count) = apply(&document.text, fixes.filter(|fix| wanted(fix)));
            assert_eq!(count > 0, text != document.text, "{name}: a fix changes something");
            document.text = text;
            applied += count;
        }
        if applied == before {
            for (old, new) in documents.iter().zip(&now) {
                assert!(!is_read(old) || is_read(new), "{name}: {} cannot be read:\n{}", new.path, new.text);
            }
            return (now, applied);
        }
    }
    panic!("{name}: the fixes do not settle: {now:#?}");
}

/// Whether its language can be read to its end.
fn is_read(document: &Document) -> bool {
    match document.kind {
        Kind::Workflow | Kind::Compose | Kind::Lifecycle | Kind::BucketPolicy => {
            yaml::parse(&document.text).is_ok()
        }
        Kind::Shell => shell::parse(&document.text).problems.is_empty(),
        _ => true,
    }
}
