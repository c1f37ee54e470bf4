//! The three ways in which a backup is stored: as it is, by age, by OpenPGP.
//! Keys are made by the stock tools, and these open what we have sealed.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use super::equality::output;
use super::keys::{Age, Gpg};
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
    age: Age,
    gpg: Gpg,
}

impl Keys {
    pub fn new() -> Self {
        Self { age: Age::new(), gpg: Gpg::new() }
    }

    /// Where gpg finds the private key.
    pub fn gnupg_home(&self) -> &Path {
        self.gpg.home()
    }

    /// What `backstop backup` is told.
    pub fn recipient(&self, sealing: Sealing) -> Vec<OsString> {
        match sealing {
            Sealing::Unencrypted => vec![],
            Sealing::Age => vec!["--recipient".into(), self.age.recipient.clone().into()],
            Sealing::Openpgp => vec!["--recipient".into(), self.gpg.certificate().into()],
        }
    }

    /// What `backstop verify` is told.
    pub fn identity(&self, sealing: Sealing) -> Vec<OsString> {
        match sealing {
            Sealing::Unencrypted => vec![],
            Sealing::Age => vec!["--identity".into(), self.age.identity().into()],
            Sealing::Openpgp => vec!["--identity".into(), self.gpg.secret_key().into()],
        }
    }

    /// The archive inside, by the stock tool.
    pub fn open(&self, sealing: Sealing, stored: Vec<u8>) -> Vec<u8> {
        match sealing {
            Sealing::Unencrypted => stored,
            Sealing::Age => {
                output(Command::new(tool("age")).args(["-d", "-i"]).arg(self.age.identity()), &stored)
            }
            Sealing::Openpgp => output(self.gpg.command().arg("--decrypt"), &stored),
        }
    }
}
