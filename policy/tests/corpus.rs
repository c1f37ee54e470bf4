//! The inputs of the fuzz targets, read as each target reads them.
//!
//! What a fuzzer once broke stays below `fuzz/corpus` and is read in every test run.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests read files, and fail when they cannot"
)]

#[path = "../../fuzz/reads/crontab.rs"]
mod crontab;
#[path = "../../fuzz/reads/env.rs"]
mod env;
#[path = "../../fuzz/reads/markdown.rs"]
mod markdown;
#[path = "../../fuzz/reads/script_calls.rs"]
mod script_calls;
#[path = "../../fuzz/reads/shell.rs"]
mod shell;
#[path = "../../fuzz/reads/sql.rs"]
mod sql;
#[path = "../../fuzz/reads/suppress.rs"]
mod suppress;
#[path = "../../fuzz/reads/systemd.rs"]
mod systemd;
#[path = "../../fuzz/reads/yaml.rs"]
mod yaml;

type Read = fn(&str);

const TARGETS: [(&str, Read); 9] = [
    ("crontab", crontab::read),
    ("env", env::read),
    ("markdown", markdown::read),
    ("script_calls", script_calls::read),
    ("shell", shell::read),
    ("sql", sql::read),
    ("suppress", suppress::read),
    ("systemd", systemd::read),
    ("yaml", yaml::read),
];

/// Every input of every target, with the target's name.
fn inputs() -> Vec<(String, String)> {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus");
    let mut inputs = Vec::new();
    for target in TARGETS {
        for entry in std::fs::read_dir(format!("{corpus}/{}", target.0)).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            inputs.push((target.0.to_owned(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    inputs
}

#[test]
fn every_target_has_inputs_and_reads_them() {
    let inputs = inputs();
    for (name, read) in TARGETS {
        let mut own = inputs.iter().filter(|(target, _)| target == name).peekable();
        assert!(own.peek().is_some(), "fuzz/corpus/{name} is empty");
        own.for_each(|(_, text)| read(text));
    }
}

/// A text of one language is a hostile one for all the others; and so is each of its
/// beginnings.
#[test]
fn every_parser_reads_every_input_cut_anywhere() {
    for (_, text) in inputs() {
        for (_, read) in TARGETS {
            read(&text);
        }
        for end in (0..text.len()).step_by(7).filter(|end| text.is_char_boundary(*end)) {
            for (_, read) in TARGETS {
                read(&text[..end]);
            }
        }
    }
}
