//! What the linter finds and what it costs, as JSON for `scripts/bench --lint`.
//!
//! usage: cargo run --release -p backstop-policy --example measure -- quality
//!        cargo run --release -p backstop-policy --example measure -- speed FOLDER
//!
//! `quality`: hits, misses and false alarms of each rule on its own cases. `speed`:
//! seconds for the texts of a folder, which are all in memory, on one thread, and for
//! hostile megabytes.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::cast_precision_loss,
    reason = "a measurement reads files and the clock, and prints what it saw"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use backstop_policy::document::Document;
use backstop_policy::lint::{Options, lint, lint_text};
use backstop_policy::relevance::concerns_backups;
use serde_json::{Value, json};

#[path = "../tests/quality/set.rs"]
mod set;

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let figures = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["quality"] => quality()?,
        ["speed", folder] => speed(Path::new(folder))?,
        _ => return Err(std::io::Error::other("usage: measure quality | measure speed FOLDER")),
    };
    println!("{figures}");
    Ok(())
}

#[derive(Default)]
struct Score {
    good: usize,
    bad: usize,
    hits: usize,
    misses: usize,
    alarms: usize,
}

/// Each line is counted: a finding on another line of the case is a false alarm.
fn quality() -> std::io::Result<Value> {
    let mut scores: BTreeMap<(String, String), Score> = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in set::cases()? {
        let found = case.found();
        if found != case.labels {
            wrong.push(format!("{}, {}", case.rule, case.title));
        }
        let score = scores.entry((case.group, case.rule)).or_default();
        score.bad += usize::from(case.is_bad);
        score.good += usize::from(!case.is_bad);
        score.hits += found.intersection(&case.labels).count();
        score.misses += case.labels.difference(&found).count();
        score.alarms += found.difference(&case.labels).count();
    }
    let rules: Vec<Value> = scores
        .into_iter()
        .map(|((group, rule), score)| {
            let Score { good, bad, hits, misses, alarms } = score;
            json!({"rule": rule, "group": group, "bad": bad, "good": good,
                   "hits": hits, "misses": misses, "alarms": alarms})
        })
        .collect();
    Ok(json!({ "rules": rules, "wrong": wrong }))
}

fn speed(folder: &Path) -> std::io::Result<Value> {
    let mut texts = Vec::new();
    read(folder, &mut texts)?;
    let bytes: usize = texts.iter().map(|(_, text)| text.len()).sum();
    let start = Instant::now();
    let (mut joined, mut findings) = (Vec::new(), 0);
    for (path, text) in texts {
        let document = Document::new(path, text);
        if concerns_backups(&document) {
            joined.push(document);
        } else {
            findings += lint_text(&document, &Options::default()).findings.len();
        }
    }
    let alone = start.elapsed().as_secs_f64();
    findings += lint(&joined, &Options::default()).findings.len();
    let seconds = start.elapsed().as_secs_f64();
    let timed = |name: &str, document: &Document, judge: &dyn Fn(&Document) -> usize| {
        let start = Instant::now();
        let found = judge(document);
        let seconds = start.elapsed().as_secs_f64();
        json!({"name": name, "megabytes": (document.text.len() + 500_000) / 1_000_000, "seconds": seconds, "found": found})
    };
    let searched = |document: &Document| lint_text(document, &Options::default()).findings.len();
    let hostile: Vec<Value> = hostile()
        .into_iter()
        .map(|(name, text)| timed(name, &Document::new("notes/input.txt", text), &searched))
        .collect();
    let judged =
        |document: &Document| lint(std::slice::from_ref(document), &Options::default()).findings.len();
    let parsed: Vec<Value> = parsed()
        .into_iter()
        .map(|(name, path, text)| timed(name, &Document::new(path, text), &judged))
        .collect();
    Ok(json!({
        "megabytes": bytes as f64 / 1e6,
        "seconds": seconds,
        "alone": alone,
        "rate": bytes as f64 / 1e6 / seconds,
        "joined": joined.len(),
        "findings": findings,
        "hostile": hostile,
        "parsed": parsed,
    }))
}

fn hostile() -> [(&'static str, String); 3] {
    [
        ("one line", "lorem ipsum dolor sit amet, consectetur ".repeat(300_000)),
        ("'postgresql://a:b' for ever", "postgresql://a:b".repeat(6_000_000 / 16)),
        ("'password=a:a:' for ever", "password=a:a:".repeat(6_000_000 / 13)),
    ]
}

/// The largest documents that are parsed, each made of one thing.
fn parsed() -> [(&'static str, &'static str, String); 7] {
    let of = |head: &str, piece: &str| format!("{head}{}", piece.repeat(1_000_000 / piece.len()));
    let half = |one: &str, two: &str| one.repeat(500_000 / one.len()) + &two.repeat(500_000 / two.len());
    let crons = "    - cron: '0 1 * * *'\n".repeat(20_000);
    let runs = "      - run: pg_dump a > a\n".repeat(18_000);
    let schedules =
        format!("name: backup\non:\n  schedule:\n{crons}jobs:\n  a:\n    runs-on: x\n    steps:\n{runs}");
    let steps = "name: backup\non: push\njobs:\n  a:\n    runs-on: x\n    steps:\n";
    [
        (
            "steps of one job",
            ".github/workflows/backup.yml",
            of(steps, "      - run: pg_dump \"${{ secrets.A }}\" > a\n"),
        ),
        ("variables that double", "backup.sh", of("pg_dump $A\n", "A=$A$A\n")),
        ("here-documents for ssh", "backup.sh", of("", "ssh h <<'EOF'\npg_dump $A\nEOF\n")),
        (
            "comments that allow what follows",
            "backup.sh",
            of("", "# backstop: allow pipefail-missing -- a\n") + "pg_dump a | gzip > b\n",
        ),
        ("variables for lines of a crontab", "crontab", half("A=b\n", "0 1 * * * pg_dump a > b\n")),
        ("schedules of steps", ".github/workflows/backup.yml", schedules),
        ("promises", "plan.md", of("# Database backups\n", "- Daily backups: 7 days\n")),
    ]
}

/// Every text below a folder, as long as memory is not in question.
fn read(path: &Path, texts: &mut Vec<(String, String)>) -> std::io::Result<()> {
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            read(&entry?.path(), texts)?;
        }
    } else if path.is_file()
        && let Ok(text) = std::fs::read_to_string(path)
        && !text.as_bytes().iter().take(8000).any(|byte| *byte == 0)
        && text.len() < 4 << 20
    {
        texts.push((path.to_string_lossy().into_owned(), text));
    }
    Ok(())
}
