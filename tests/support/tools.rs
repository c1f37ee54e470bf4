//! The programs that `scripts/test-tools` installed. One that is missing fails
//! the test and says how to get it; nothing is skipped.

use std::path::{Path, PathBuf};

/// A program from the tests' Python packages (`weed`, `moto_server`) or the system's.
pub fn tool(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-tools/venv/bin"))
        .chain(std::env::split_paths(&path))
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
        .unwrap_or_else(|| panic!("'{name}' is not installed: run ./scripts/test-tools"))
}
