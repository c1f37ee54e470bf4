//! The generated set, at three seeds: what must be found, and what must not.

use backstop_policy::secrets::{Place, Verdict, find};

use super::generator::set;

#[test]
fn the_generated_set_is_judged_as_a_person_would() {
    for seed in [7, 11, 23] {
        let mut wrong = Vec::new();
        for case in set(seed) {
            let found = find(&case.text, Place::of(case.path)).iter().map(|secret| secret.verdict).max();
            if found != case.wanted {
                wrong.push(format!(
                    "{}: {} {:?}: {found:?}, not {:?}",
                    case.family, case.path, case.text, case.wanted
                ));
            }
        }
        assert!(wrong.is_empty(), "seed {seed}:\n{}", wrong.join("\n"));
    }
}

#[test]
fn the_generated_set_is_large_enough_to_say_something() {
    let cases = set(7);
    let count = |wanted| cases.iter().filter(|case| case.wanted == wanted).count();
    assert!(
        count(Some(Verdict::Leaked)) >= 90 && count(None) >= 50 && count(Some(Verdict::Development)) >= 25
    );
}
