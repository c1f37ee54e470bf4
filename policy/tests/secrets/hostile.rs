//! Input that was made to break the search: any characters, anchors in any order,
//! megabytes of them, and the corpus of the fuzz target.

use std::borrow::Cow;

use backstop_policy::secrets::{
    Place, Secret, credential_in_argument, find, redact, search, static_cloud_key, url_password_unencoded,
};
use proptest::prelude::*;

use super::anchors::HOSTILE;

const PATHS: &[&str] = &["a.sh", "a.ts", "a.md", ".pgpass", ".github/workflows/a.yml", "tests/a.py"];

/// What holds for every text: sorted lines, sound spans, and masks that stay.
fn check(text: &str) {
    for path in PATHS {
        let found = find(text, Place::of(path));
        for pair in found.windows(2) {
            assert!(pair[0].span.start < pair[1].span.start);
        }
        for secret in &found {
            check_one(text, secret);
        }
    }
    let _ = (
        url_password_unencoded(&search(text, Place::default())),
        credential_in_argument(text),
        static_cloud_key(text),
    );
    let masked = redact(text);
    let found = find(text, Place::default());
    assert_eq!(matches!(masked, Cow::Borrowed(_)), found.is_empty());
}

fn check_one(text: &str, secret: &Secret) {
    assert!(text.get(secret.span.start..secret.span.end).is_some());
    assert!(!secret.values.is_empty());
    for value in &secret.values {
        assert!(text.get(value.start..value.end).is_some_and(|value| !value.is_empty()));
    }
    for pair in secret.values.windows(2) {
        assert!(pair[0].end <= pair[1].start);
    }
    for raw in &secret.raw {
        assert_eq!(text.get(raw.span.start..raw.span.end), Some(raw.character.to_string().as_str()));
    }
}

/// Pieces that mean something to some detector, and what stands between them.
const PIECES: &[&str] = &[
    "postgres://",
    "postgresql:\\/\\/",
    "jdbc:",
    "u",
    ":",
    "@",
    "/",
    "?",
    "#",
    "%40",
    "pw7Kq2",
    "db.shop.io",
    "PGPASSWORD",
    "password",
    "PASS",
    "secret",
    "AWS_SECRET_ACCESS_KEY",
    "token",
    "=",
    ": ",
    "\"",
    "'",
    "`",
    "\\",
    "\\\"",
    "${",
    "}",
    "{{",
    "}}",
    ":-",
    "$(",
    ")",
    "<",
    ">",
    "[",
    "]",
    "\n",
    "\r\n",
    " ",
    ",",
    ";",
    "|",
    "+",
    " + ",
    "host=",
    "user=",
    "@tcp(",
    "getConnection(",
    "-----BEGIN ",
    "PRIVATE KEY-----",
    "-----END ",
    "AGE-SECRET-KEY-1",
    "eyJ",
    ".",
    "AKIA",
    "ghp_",
    "sig=",
    "sbp_",
    ":5432:",
    ":*:",
    "*",
    "mysqldump -p",
    "curl -u ",
    "openssl ",
    "-pass pass:",
    "identified by ",
    "kind: Secret\ndata:\n  ",
    "cG9zdGdyZXNxbDov",
    "LS0tLS1CRUdJTi",
    "oracle:thin:",
    "name: ",
    "value: ",
    "pgpass",
    "<<EOF",
    "8Q~",
    "https://hooks.slack.com/services/",
    "é",
    "密码",
    "\u{feff}",
    "\0",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,200}") {
        check(&text);
    }

    #[test]
    fn anchors_in_any_order_are_read_without_a_panic(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..40)) {
        check(&pieces.concat());
    }

    #[test]
    fn a_literal_password_for_a_public_host_is_always_found_and_masked(
        password in "[A-Za-z]{3}[@/#?:!*=~+A-Za-z0-9]{3,12}[0-9]", path in proptest::sample::select(PATHS),
    ) {
        prop_assume!(!password.contains("//") && !password.contains("***") && !password.to_lowercase().contains("xxxx"));
        // Two readings: what stands after `?` may be parameters.
        prop_assume!(!(password.contains('?') && password.contains('=')));
        let text = format!("x \"postgresql://shop:{password}@db.birch.io:5432/shop\" y");
        prop_assume!(!path.ends_with("pgpass"));
        let found = find(&text, Place::of(path));
        prop_assert_eq!(found.len(), 1, "{}", text);
        prop_assert!(!redact(&text).contains(&password), "{}", redact(&text));
    }
}

/// Quadratic time would keep a debug build busy for minutes here; how long megabytes
/// take, `examples/secrets.rs` prints.
#[test]
fn long_runs_of_anchors_are_read() {
    for piece in HOSTILE {
        let text = piece.repeat(200_000 / piece.len());
        let _ = find(&text, Place::default());
    }
}

#[test]
fn the_corpus_of_the_fuzz_target_is_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/secrets");
    let mut files = 0;
    #[expect(clippy::disallowed_methods, reason = "a test reads its corpus; the crate reads nothing")]
    for entry in std::fs::read_dir(folder).expect("the corpus is a part of the repository") {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        check(&String::from_utf8_lossy(&bytes));
        files += 1;
    }
    assert!(files >= 10, "only {files} files in {folder}");
}
