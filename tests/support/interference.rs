//! A real pg_dump around which other sessions do something at a chosen moment,
//! which without it happens once in a thousand backups.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::tools;

/// When, seen from pg_dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The snapshot is taken and the fingerprint read; pg_dump has no lock yet.
    BeforeItsLocks,
    /// It holds its locks, and nobody has read its table of contents yet. What
    /// has to wait for the locks goes on waiting.
    WhileItDumps,
    /// It has ended, and nobody has seen the end of its output yet.
    AfterItsLocks,
}

/// Fill `folder` with client programs of which pg_dump is one that runs `sql`
/// in the dumped database when it is given a snapshot.
pub fn interfere(folder: &Path, major: u32, moment: Moment, sql: &str) -> PathBuf {
    let programs = folder.join("programs");
    std::fs::create_dir(&programs).unwrap();
    let real = tools::client(major);
    for program in ["pg_dumpall", "pg_restore", "psql"] {
        symlink(real.join(program), programs.join(program)).unwrap();
    }
    std::fs::write(folder.join("statements.sql"), sql).unwrap();
    let (real, statements) = (real.display(), folder.join("statements.sql"));
    let others = format!(
        "{real}/psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --output=/dev/null --file={} >&2",
        statements.display()
    );
    let dump = match moment {
        Moment::BeforeItsLocks => format!("{others} || exit 99\nexec {real}/pg_dump \"$@\""),
        Moment::AfterItsLocks => format!("{real}/pg_dump \"$@\" || exit\n{others}"),
        // It has more to write than a pipe holds, so it cannot end meanwhile.
        Moment::WhileItDumps => format!(
            "{real}/pg_dump \"$@\" | {{ sleep 0.5; {others} 2>/dev/null & sleep 0.2\n\
             dd bs=64k count=1 iflag=fullblock 2>/dev/null; sleep 1; exec cat; }}"
        ),
    };
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in *' --snapshot='*) ;; *) exec {real}/pg_dump \"$@\" ;; esac\n{dump}\n"
    );
    let path = programs.join("pg_dump");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    programs
}
