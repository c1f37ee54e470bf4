//! The programs that `scripts/test-tools` installed. One that is missing fails
//! the test and says how to get it; nothing is skipped.

use std::path::{Path, PathBuf};

const INSTALL: &str = "run ./scripts/test-tools";

/// Where `scripts/test-tools` installs to.
fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-tools")
}

/// A program from the tests' Python packages (`weed`, `moto_server`, `act`,
/// `shellcheck` and so on) or the system's (`age`, `age-keygen`, `gpg`, `openssl`, `curl`).
pub fn tool(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(home().join("venv/bin"))
        .chain(std::env::split_paths(&path))
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
        .unwrap_or_else(|| panic!("'{name}' is not installed: {INSTALL}"))
}

/// The directory of PostgreSQL's programs of a major version: client and server
/// for 15 and 18, the server alone for 12, 13, 14, 16 and 17 (`--full`).
pub fn postgres(major: u32) -> PathBuf {
    let programs = home().join(format!("postgres-{major}/bin"));
    let full = if matches!(major, 15 | 18) { "" } else { " --full" };
    programs.canonicalize().unwrap_or_else(|_| panic!("PostgreSQL {major} is not installed: {INSTALL}{full}"))
}

/// Whether this is `scripts/test --full`.
pub fn is_full() -> bool {
    std::env::var_os("BACKSTOP_TEST_FULL").is_some()
}

/// The majors to test against: 15 and 18, all of them in `scripts/test --full`.
pub fn majors() -> &'static [u32] {
    if is_full() { &[13, 14, 15, 16, 17, 18] } else { &[15, 18] }
}

/// The stock client programs for a server: of its own major, or of the nearest newer
/// one, as Debian builds them: 17 and 18 know zstd, which no older one reads.
pub fn client(major: u32) -> PathBuf {
    match major {
        ..=15 => postgres(15),
        16 | 17 => debian(17),
        _ => debian(18),
    }
}

fn debian(major: u32) -> PathBuf {
    let programs = home().join(format!("client-{major}/bin"));
    programs.canonicalize().unwrap_or_else(|_| panic!("the clients of {major} are not installed: {INSTALL}"))
}
