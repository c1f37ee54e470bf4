//! What the search for secrets finds and what it costs: recall and precision on the
//! generated set, seconds for hostile megabytes, megabytes a second for a folder.
//!
//! usage: cargo run --release -p backstop-policy --example secrets [FOLDER]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a measurement reads files and the clock"
)]

use std::path::{Path, PathBuf};
use std::time::Instant;

use backstop_policy::secrets::{Place, Verdict, find};

#[path = "../tests/secrets/anchors.rs"]
mod anchors;
#[path = "../tests/secrets/generator.rs"]
mod generator;

fn main() {
    for seed in [7, 11, 23, 101, 2027] {
        quality(seed);
    }
    println!();
    for (name, text) in hostile() {
        let (seconds, found) = time(&text, Place::default());
        println!("{seconds:7.3} s  {:>3} MB  {found:>7} found  {name}", text.len() / 1_000_000);
    }
    if let Some(folder) = std::env::args().nth(1) {
        println!();
        throughput(Path::new(&folder));
    }
}

/// A leak counts as found at full severity only; a default, at the lowest only.
fn quality(seed: u64) {
    let (mut leaks, mut hits, mut false_leaks) = (0, 0, 0);
    let (mut defaults, mut as_notes, mut silent, mut noise) = (0, 0, 0, 0);
    for case in generator::set(seed) {
        let worst = find(&case.text, Place::of(case.path)).iter().map(|secret| secret.verdict).max();
        let is_leak = worst == Some(Verdict::Leaked);
        match case.wanted {
            Some(Verdict::Leaked) => {
                leaks += 1;
                hits += u32::from(is_leak);
            }
            Some(_) => {
                defaults += 1;
                as_notes += u32::from(worst == Some(Verdict::Development));
            }
            None => {
                silent += 1;
                noise += u32::from(worst.is_some());
            }
        }
        false_leaks += u32::from(is_leak && case.wanted != Some(Verdict::Leaked));
        if worst != case.wanted {
            println!("  {}: {:?} is {worst:?}, not {:?}", case.family, case.text, case.wanted);
        }
    }
    let recall = f64::from(hits) / f64::from(leaks);
    let precision = f64::from(hits) / f64::from((hits + false_leaks).max(1));
    println!(
        "seed {seed:>4}: recall {recall:.3} ({hits}/{leaks}), precision {precision:.3}, defaults as notes \
         {as_notes}/{defaults}, placeholders reported {noise}/{silent}"
    );
}

fn hostile() -> Vec<(&'static str, String)> {
    let repeated = |piece: &str, size: usize| piece.repeat(size / piece.len());
    let mut inputs = vec![
        ("one line without anything", "lorem ipsum dolor sit amet, consectetur ".repeat(300_000)),
        ("'password=' and 'a:' for ever", format!("password={}", "a:".repeat(3_000_000))),
    ];
    for piece in anchors::HOSTILE {
        inputs.push((piece, repeated(piece, 6_000_000)));
    }
    inputs
}

fn time(text: &str, place: Place) -> (f64, usize) {
    let start = Instant::now();
    let found = find(text, place).len();
    (start.elapsed().as_secs_f64(), found)
}

fn throughput(folder: &Path) {
    let mut files = Vec::new();
    walk(folder, &mut files);
    let (mut seconds, mut bytes) = (0.0, 0);
    let mut verdicts = [0; 3];
    for file in &files {
        let Ok(text) = std::fs::read_to_string(file) else { continue };
        let place = Place::of(&file.to_string_lossy());
        let start = Instant::now();
        let found = find(&text, place);
        seconds += start.elapsed().as_secs_f64();
        bytes += text.len();
        for secret in found {
            verdicts[secret.verdict as usize] += 1;
        }
    }
    let megabytes = bytes / 1_000_000;
    let speed = f64::from(u32::try_from(megabytes).unwrap_or(u32::MAX)) / seconds;
    let [development, doubtful, leaked] = verdicts;
    println!(
        "{}: {megabytes} MB in {} files, {seconds:.2} s, {speed:.0} MB/s",
        folder.display(),
        files.len()
    );
    println!("{leaked} leaked, {doubtful} doubtful, {development} of development");
}

fn walk(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_symlink() {
        return;
    }
    match std::fs::read_dir(path) {
        Ok(entries) => entries.flatten().for_each(|entry| walk(&entry.path(), files)),
        Err(_) => files.push(path.to_owned()),
    }
}
