//! What happened, in words: manifests and checks become the lines that people
//! read, and the Markdown of a job's summary.

use backstop_policy::manifest::{Artifact, Encryption, Level, Manifest, Proof, Verification};
use indicatif::{HumanBytes, HumanCount};
use jiff::Timestamp;

use crate::catalog::{Backup, Listing};
use crate::github;
use crate::ui::count;

/// A committed backup, for the one who took it.
pub fn taken(manifest: &Manifest, store: &str) -> String {
    let artifact = &manifest.artifact;
    let mut text = format!("backup {} of {} (tier {})\n", manifest.id, manifest.database, manifest.tier);
    for (label, value) in [
        ("stored", format!("{}, {} in {store}", artifact.key, HumanBytes(artifact.stored.bytes))),
        ("source", source(manifest)),
        ("encrypted", encryption(&artifact.encryption)),
        ("proof", proof(&manifest.proof)),
        ("checked", checked(manifest)),
        ("took", seconds(elapsed(manifest))),
    ] {
        text += &line(label, &value);
    }
    text
}

/// The backups of a store, newest first.
pub fn table(listing: &Listing, now: Timestamp) -> String {
    let mut rows = vec![["BACKUP", "AGE", "TIER", "SIZE", "ENCRYPTION", "VERIFIED"].map(str::to_owned)];
    for backup in &listing.backups {
        let manifest = &backup.manifest;
        rows.push([
            manifest.id.clone(),
            age(now, manifest.started_at),
            manifest.tier.clone(),
            HumanBytes(manifest.artifact.stored.bytes).to_string(),
            method(&manifest.artifact.encryption).to_owned(),
            verified(backup, now),
        ]);
    }
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text += cells.join("  ").trim_end();
        text.push('\n');
    }
    for broken in &listing.damaged {
        let what = if broken.unread { "cannot read" } else { "damaged" };
        text += &format!("{what}: {}: {}\n", broken.key, broken.reason);
    }
    text
}

/// One backup with all that is known of it.
pub fn whole(backup: &Backup, store: &str, now: Timestamp) -> String {
    let manifest = &backup.manifest;
    let mut text = format!("backup {} of {} (tier {})\n", manifest.id, manifest.database, manifest.tier);
    let mut say = |label: &str, value: String| text += &line(label, &value);
    say("taken", format!("{} ({} ago)", manifest.started_at, age(now, manifest.started_at)));
    say("source", source(manifest));
    say("stored", object(&manifest.artifact, store));
    if let Some(globals) = &manifest.globals {
        say("globals", object(globals, store));
    }
    say("encrypted", encryption(&manifest.artifact.encryption));
    say(
        "archive",
        format!(
            "format {}, {}, {}, needs pg_restore {} or newer",
            manifest.archive.version,
            manifest.archive.compression,
            count(manifest.archive.entries.into(), "entry"),
            manifest.archive.oldest_pg_restore
        ),
    );
    say("proof", proof(&manifest.proof));
    say("checked", checked(manifest));
    if !manifest.not_captured.is_empty() {
        say("not inside", manifest.not_captured.join("; "));
    }
    for check in &backup.verifications {
        say("verified", verification(check));
    }
    if let Proof::Snapshot { tables, .. } = &manifest.proof {
        text.push_str("tables\n");
        for table in tables {
            let name = printable(&format!("{}.{}", table.schema, table.name));
            text += &format!("  {:>15}  {name}\n", HumanCount(table.rows).to_string());
        }
    }
    text
}

/// One check in one line.
pub fn verification(check: &Verification) -> String {
    let reached = check.reached.map_or("nothing", Level::as_str);
    let partial = if check.partial.is_empty() { "" } else { ", partial" };
    let verdict = if check.passed {
        format!("passed: {reached}{partial}")
    } else {
        format!("FAILED: asked for {}, reached {reached}", check.asked)
    };
    let mut text = format!("{verdict}, {} in {}", check.at, seconds(check.seconds));
    if let (Some(restore), Some(server)) = (check.restore_seconds, &check.trial_server) {
        text += &format!(" (restore {} on PostgreSQL {server})", seconds(restore));
    }
    if !check.passed {
        text += &format!(": {}", check.failures.join("; "));
    }
    text
}

/// A check with every failure, for the one who ran it.
pub fn verdict(manifest: &Manifest, check: &Verification) -> String {
    let reached = check.reached.map_or("nothing", Level::as_str);
    let partial = if check.partial.is_empty() { "" } else { ", partial" };
    let name = format!("{} of {}", manifest.id, manifest.database);
    let mut text = if check.passed {
        format!("verified {name}: {reached}{partial}\n")
    } else {
        format!("FAILED {name}: asked for {}, reached {reached}{partial}\n", check.asked)
    };
    if check.reached == Some(Level::Restored)
        && let Proof::Snapshot { tables, sequences, fingerprint, .. } = &manifest.proof
    {
        let rows: u64 = tables.iter().map(|table| table.rows).sum();
        let objects: usize = fingerprint.kinds.keys().map(|kind| fingerprint.count(kind)).sum();
        let equal = format!(
            "{} with {}, {}, {}",
            count(tables.len() as u64, "table"),
            count(rows, "row"),
            count(sequences.len() as u64, "sequence"),
            count(objects as u64, "catalogue entry")
        );
        text += &line("equal", &equal);
    }
    if let (Some(restore), Some(server)) = (check.restore_seconds, &check.trial_server) {
        text += &line("restored", &format!("in {} on PostgreSQL {server}", seconds(restore)));
    }
    for failure in &check.failures {
        text += &line("failed", failure);
    }
    for partial in &check.partial {
        text += &line("left out", partial);
    }
    if !check.checks.is_empty() {
        text += &line("checks", &check.checks.join(", "));
    }
    text += &line("took", &seconds(check.seconds));
    text
}

/// A backup as a job's summary.
pub fn summary_of_backup(manifest: &Manifest, store: &str) -> String {
    let stored = HumanBytes(manifest.artifact.stored.bytes);
    let rows = [
        ("Backup", format!("{} (tier {})", github::code(&manifest.id), github::cell(&manifest.tier))),
        ("Stored", format!("{stored} in {}", github::code(store))),
        ("Source", github::cell(&source(manifest))),
        ("Encrypted", github::cell(&encryption(&manifest.artifact.encryption))),
        ("Proof", github::cell(&proof(&manifest.proof))),
        ("Checked", github::cell(&checked(manifest))),
        ("Took", seconds(elapsed(manifest))),
    ];
    summary(&format!("Backup of {} is complete", github::cell(&manifest.database)), &rows)
}

/// A check as a job's summary.
pub fn summary_of_check(manifest: &Manifest, check: &Verification) -> String {
    let verdict = if check.passed { "is verified" } else { "FAILED its verification" };
    let mut rows = vec![
        ("Level asked", check.asked.to_string()),
        ("Level reached", check.reached.map_or("none", Level::as_str).to_owned()),
    ];
    if let (Some(restore), Some(server)) = (check.restore_seconds, &check.trial_server) {
        rows.push(("Restored", format!("in {} on PostgreSQL {}", seconds(restore), github::cell(server))));
    }
    rows.push(("Took", seconds(check.seconds)));
    rows.extend(check.failures.iter().map(|failure| ("Failure", github::cell(failure))));
    rows.extend(check.partial.iter().map(|partial| ("Left out", github::cell(partial))));
    let (id, database) = (github::code(&manifest.id), github::cell(&manifest.database));
    summary(&format!("Backup {id} of {database} {verdict}"), &rows)
}

/// A failed check as an annotation: the level that was missed, and why.
pub fn failure_of_check(manifest: &Manifest, check: &Verification) -> String {
    let reached = check.reached.map_or("nothing", Level::as_str);
    let mut text =
        format!("backup {} of {} reached {reached}, not {}", manifest.id, manifest.database, check.asked);
    for failure in &check.failures {
        text += &format!("\n{failure}");
    }
    text
}

/// A table of Markdown; the values are Markdown already.
fn summary(title: &str, rows: &[(&str, String)]) -> String {
    let rows: String = rows.iter().map(|(label, value)| format!("| {label} | {value} |\n")).collect();
    format!("### {title}\n\n| | |\n|---|---|\n{rows}")
}

fn line(label: &str, value: &str) -> String {
    format!("  {label:<11}{value}\n")
}

fn source(manifest: &Manifest) -> String {
    let source = &manifest.source;
    format!(
        "database '{}', PostgreSQL {}, {}",
        source.database,
        source.server_version,
        HumanBytes(source.bytes)
    )
}

fn object(artifact: &Artifact, store: &str) -> String {
    format!(
        "{} in {store}, {}, SHA-256 {}",
        artifact.key,
        HumanBytes(artifact.stored.bytes),
        artifact.stored.sha256
    )
}

fn method(encryption: &Encryption) -> &'static str {
    match encryption {
        Encryption::None => "none",
        Encryption::Age { .. } => "age",
        Encryption::AgePassphrase => "age passphrase",
        Encryption::Openpgp { .. } => "OpenPGP",
        Encryption::OpenpgpPassphrase => "OpenPGP passphrase",
    }
}

fn encryption(encryption: &Encryption) -> String {
    match encryption {
        Encryption::None => "no: whoever reads the store reads the data".to_owned(),
        Encryption::Age { recipients } | Encryption::Openpgp { recipients } => {
            format!("{}, for {}", method(encryption), recipients.join(", "))
        }
        Encryption::AgePassphrase | Encryption::OpenpgpPassphrase => method(encryption).to_owned(),
    }
}

fn proof(proof: &Proof) -> String {
    match proof {
        Proof::Unproven { reason } => format!("unproven: {reason}"),
        Proof::Snapshot { tables, sequences, large_objects, .. } => format!(
            "{} with {}, {}, {}, seen in the dump's snapshot",
            count(tables.len() as u64, "table"),
            count(tables.iter().map(|table| table.rows).sum(), "row"),
            count(sequences.len() as u64, "sequence"),
            count(*large_objects, "large object")
        ),
    }
}

fn checked(manifest: &Manifest) -> String {
    let stored = if manifest.checked.stored { "; stored bytes read back" } else { "" };
    format!("{} in flight{stored}", manifest.checked.in_flight)
}

fn verified(backup: &Backup, now: Timestamp) -> String {
    let level = backup.level().map_or("no", Level::as_str);
    match backup.verifications.last() {
        Some(check) if !check.passed => format!("FAILED {} ago", age(now, check.at)),
        Some(check) if !check.partial.is_empty() => format!("{level}, partial, {} ago", age(now, check.at)),
        Some(check) => format!("{level}, {} ago", age(now, check.at)),
        None => format!("{level}, at backup"),
    }
}

/// A name may hold anything, a line break or a terminal's escape code too.
fn printable(name: &str) -> String {
    name.chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}

fn elapsed(manifest: &Manifest) -> f64 {
    manifest.finished_at.duration_since(manifest.started_at).as_secs_f64()
}

/// `0.8 s`, `42 s`, `3 min 5 s`, `2 h 10 min`.
pub fn seconds(seconds: f64) -> String {
    // Whole seconds of any wall-clock time fit.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
    let whole = seconds.clamp(0.0, 1e12) as u64;
    match whole {
        0..=9 => format!("{seconds:.1} s"),
        10..=59 => format!("{whole} s"),
        60..=3599 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// `30 s`, `5 min`, `7 h`, `3 days`: one unit, rounded down.
fn age(now: Timestamp, then: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs().max(0);
    match seconds {
        0..=59 => format!("{seconds} s"),
        60..=3599 => format!("{} min", seconds / 60),
        3600..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
