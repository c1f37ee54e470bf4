//! The three ways in which a backup is stored: as it is, by age, by OpenPGP.
//! Keys are made by the stock tools, and these open what we have sealed.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::equality::output;
use super::tools::tool;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealing {
    Unencrypted,
    Age,
    Openpgp,
}

impl Sealing {
    pub const ALL: [Self; 3] = [Self::Unencrypted, Self::Age, Self::Openpgp];
}

/// A pair of keys of each kind.
pub struct Keys {
    /// GnuPG's home, and the key files beside it.
    folder: TempDir,
    age_recipient: String,
}

impl Keys {
    pub fn new() -> Self {
        // The agent's socket wants a short path.
        let folder = tempfile::Builder::new().prefix("keys").tempdir_in("/tmp").unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let identity = folder.path().join("age.txt");
        output(Command::new(tool("age-keygen")).arg("-o").arg(&identity), b"");
        let recipient = output(Command::new(tool("age-keygen")).arg("-y").arg(&identity), b"");
        let keys = Self { folder, age_recipient: String::from_utf8(recipient).unwrap().trim().to_owned() };
        let name = "backups@example.com";
        let make = ["--passphrase", "", "--quick-generate-key", name, "future-default", "default", "never"];
        output(keys.gpg().args(make), b"");
        for (file, export) in [("public.asc", "--export"), ("private.asc", "--export-secret-keys")] {
            let key = output(keys.gpg().args(["--armor", export, name]), b"");
            std::fs::write(keys.file(file), key).unwrap();
        }
        keys
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where gpg finds the private key.
    pub fn gnupg_home(&self) -> &Path {
        self.folder.path()
    }

    fn gpg(&self) -> Command {
        let mut command = Command::new(tool("gpg"));
        command.args(["--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback"]);
        command.env("GNUPGHOME", self.folder.path());
        command
    }

    /// What `backstop backup` is told.
    pub fn recipient(&self, sealing: Sealing) -> Vec<OsString> {
        match sealing {
            Sealing::Unencrypted => vec![],
            Sealing::Age => vec!["--recipient".into(), self.age_recipient.clone().into()],
            Sealing::Openpgp => vec!["--recipient".into(), self.file("public.asc").into()],
        }
    }

    /// What `backstop verify` is told.
    pub fn identity(&self, sealing: Sealing) -> Vec<OsString> {
        match sealing {
            Sealing::Unencrypted => vec![],
            Sealing::Age => vec!["--identity".into(), self.file("age.txt").into()],
            Sealing::Openpgp => vec!["--identity".into(), self.file("private.asc").into()],
        }
    }

    /// The archive inside, by the stock tool.
    pub fn open(&self, sealing: Sealing, stored: Vec<u8>) -> Vec<u8> {
        match sealing {
            Sealing::Unencrypted => stored,
            Sealing::Age => {
                output(Command::new(tool("age")).args(["-d", "-i"]).arg(self.file("age.txt")), &stored)
            }
            Sealing::Openpgp => output(self.gpg().arg("--decrypt"), &stored),
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").args(["--kill", "all"]).env("GNUPGHOME", self.folder.path()).status();
    }
}
