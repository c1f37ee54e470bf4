//! Any text, as any kind of file: no panic, spans that are sound, and an answer in
//! time that grows with the length of the text alone (libFuzzer's own limit holds it).
#![no_main]

use backstop_policy::secrets::{Place, credential_in_argument, find, redact, search, static_cloud_key, url_password_unencoded};
use libfuzzer_sys::fuzz_target;

const PATHS: &[&str] = &["a.sh", "a.ts", "a.md", ".pgpass", ".github/workflows/a.yml", "tests/a.py"];

fuzz_target!(|text: &str| {
    for path in PATHS {
        let found = find(text, Place::of(path));
        for secret in &found {
            assert!(text.get(secret.span.start..secret.span.end).is_some());
            assert!(!secret.values.is_empty());
            for value in &secret.values {
                assert!(text.get(value.start..value.end).is_some_and(|value| !value.is_empty()));
            }
            assert!(secret.values.is_sorted_by(|one, next| one.end <= next.start));
        }
        assert!(found.is_sorted_by(|one, next| one.span.start < next.span.start));
    }
    let _ = (url_password_unencoded(&search(text, Place::default())), credential_in_argument(text), static_cloud_key(text));
    let _ = redact(text);
});
