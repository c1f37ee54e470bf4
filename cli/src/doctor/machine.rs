//! This machine: its clock against the server's, and room on its disk.

use std::path::Path;

use indicatif::HumanBytes;
use nix::sys::statvfs::statvfs;

use super::Check;

/// Seconds between two clocks that retention and signatures do not mind.
const CLOCK_FINE: f64 = 5.0;
/// Beyond this, object stores refuse signed requests (S3 allows 15 minutes) and
/// backups sort wrongly.
const CLOCK_BAD: f64 = 300.0;

/// Compare two clocks, both in seconds since 1970. `whose` is what `theirs` was read from.
pub fn clock(whose: &str, theirs: f64, ours: f64) -> Check {
    const NAME: &str = "clock";
    let ahead = ours - theirs;
    let message = format!(
        "this machine's clock is {:.0} s {} that of {whose}",
        ahead.abs(),
        if ahead >= 0.0 { "ahead of" } else { "behind" }
    );
    let fix = "run an NTP client on both (`timedatectl set-ntp true`)";
    match ahead.abs() {
        difference if difference > CLOCK_BAD => Check::error(NAME, message, fix),
        difference if difference > CLOCK_FINE => Check::warning(NAME, message, fix),
        _ => Check::ok(NAME, format!("within {CLOCK_FINE:.0} s of that of {whose}")),
    }
}

/// Whether a trial restore of a database fits into `directory`. A restored
/// database is about as large as its source, and WAL and sorts come on top.
pub fn disk(directory: &Path, database_bytes: u64) -> Check {
    const NAME: &str = "disk";
    let shown = directory.display();
    match statvfs(directory) {
        // The sizes differ in width from system to system.
        #[allow(clippy::useless_conversion, reason = "u32 on some systems, u64 on others")]
        Ok(found) => {
            let block = u64::from(found.fragment_size());
            room(
                &shown.to_string(),
                u64::from(found.blocks_available()).saturating_mul(block),
                database_bytes,
            )
        }
        Err(error) => Check::error(
            NAME,
            format!("cannot see how much is free in '{shown}': {error}"),
            "create the directory, or name another with TMPDIR",
        ),
    }
}

fn room(directory: &str, free: u64, database_bytes: u64) -> Check {
    const NAME: &str = "disk";
    let needed = database_bytes.saturating_add(database_bytes / 4);
    let message = format!(
        "{} free in '{directory}'; a trial restore of this database ({}) takes about {}",
        HumanBytes(free),
        HumanBytes(database_bytes),
        HumanBytes(needed)
    );
    if free < needed {
        Check::warning(NAME, message, "free some, set TMPDIR to a larger disk, or verify with `--on URL`")
    } else {
        Check::ok(NAME, message)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    #[test]
    fn clocks_are_compared_both_ways() {
        for (ours, expected) in [
            (1000.0, Status::Ok),
            (1004.9, Status::Ok),
            (1006.0, Status::Warning),
            (993.0, Status::Warning),
            (1301.0, Status::Error),
            (600.0, Status::Error),
        ] {
            assert_eq!(clock("the server", 1000.0, ours).status, expected, "{ours}");
        }
        assert_eq!(clock("x", 1000.0, 990.0).message, "this machine's clock is 10 s behind that of x");
    }

    #[test]
    fn a_trial_restore_needs_more_than_the_database() {
        assert_eq!(room("/tmp", 1_249, 1_000).status, Status::Warning);
        assert_eq!(room("/tmp", 1_250, 1_000).status, Status::Ok);
        assert_eq!(disk(Path::new("/"), 0).status, Status::Ok);
        assert_eq!(disk(Path::new("/"), u64::MAX).status, Status::Warning);
        assert_eq!(disk(&std::env::temp_dir().join("backstop-no-such-directory"), 0).status, Status::Error);
    }
}
