//! Keys as their owners make them: age identities by age-keygen, OpenPGP keys by
//! gpg in a home of its own.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::depot::stock;
use super::tools::tool;

/// An identity in a file, and its recipient.
pub struct Age {
    folder: TempDir,
    pub recipient: String,
}

impl Age {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("backstop-age-").tempdir().unwrap();
        let path = folder.path().join("identity.txt");
        stock(Command::new(tool("age-keygen")).arg("-o").arg(&path));
        let recipient = stock(Command::new(tool("age-keygen")).arg("-y").arg(&path));
        Self { recipient: recipient.trim().to_owned(), folder }
    }

    pub fn identity(&self) -> PathBuf {
        self.folder.path().join("identity.txt")
    }
}

/// A key ring with one key without a passphrase. Its agent goes with it.
pub struct Gpg {
    home: TempDir,
}

impl Gpg {
    pub fn new() -> Self {
        Self::made(&[], "never")
    }

    /// Of a key that was good for one day, long ago.
    pub fn expired() -> Self {
        Self::made(&["--faked-system-time", "20200101T000000!"], "1d")
    }

    fn made(options: &[&str], expires: &str) -> Self {
        // A short path: the agent's socket lies there.
        let home = tempfile::Builder::new().prefix("gpg").tempdir_in("/tmp").unwrap();
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let gpg = Self { home };
        let make =
            ["--passphrase", "", "--quick-generate-key", "backups@example.com", "future-default", "default"];
        stock(gpg.command().args(options).args(make).arg(expires));
        for (name, export) in [("team.asc", "--export"), ("secret.asc", "--export-secret-keys")] {
            stock(gpg.command().args(["--armor", "--output"]).arg(gpg.path(name)).arg(export));
        }
        gpg
    }

    /// `gpg` with this key ring.
    pub fn command(&self) -> Command {
        let mut command = Command::new(tool("gpg"));
        command.args(["--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback"]);
        command.env("GNUPGHOME", self.home());
        command
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn certificate(&self) -> PathBuf {
        self.path("team.asc")
    }

    pub fn secret_key(&self) -> PathBuf {
        self.path("secret.asc")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home().join(name)
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").args(["--kill", "all"]).env("GNUPGHOME", self.home()).status();
    }
}
