//! What a command does for a backup, told from its argv once, so that no rule
//! has to read options again.

mod cipher;
mod delete;
mod dump;
mod notify;
mod probe;
mod restore;
mod target;
mod transfer;
mod transform;

pub use cipher::{Cipher, CipherTool, KeyFrom};
pub use delete::{Delete, DeleteTool, read_find};
pub use dump::{Contents, Dump, DumpTool, Format};
pub use notify::{Means, Notify};
pub use probe::{Probe, ProbeKind};
pub use restore::{Restore, RestoreTool};
pub use target::Target;
pub use transfer::{Transfer, TransferTool};
pub use transform::{Layer, Transform};

use super::command::Arg;
use super::options::Value;

/// The value of an option, and the argument that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub text: String,
    pub arg: Arg,
}

impl From<Value<'_>> for Said {
    fn from(value: Value<'_>) -> Self {
        Self { text: value.text.to_owned(), arg: value.arg.clone() }
    }
}

impl From<&Arg> for Said {
    fn from(arg: &Arg) -> Self {
        Self { text: arg.text.clone(), arg: arg.clone() }
    }
}

/// The large ones are boxed: most commands are `Other`.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Role {
    /// Reads a database.
    Dump(Box<Dump>),
    /// Writes a dump into a database.
    Restore(Box<Restore>),
    /// Compresses, unpacks or renames a file: what comes out is the same dump.
    Transform(Box<Transform>),
    Encrypt(Box<Cipher>),
    Decrypt(Box<Cipher>),
    /// To another place: a bucket, a host, a repository.
    Upload(Box<Transfer>),
    /// From another place to here.
    Download(Box<Transfer>),
    /// From one other place to another.
    RemoteCopy(Box<Transfer>),
    Delete(Box<Delete>),
    /// Looks at a file or a database: exists, size, digest, list, rows.
    Probe(Box<Probe>),
    /// Writes a digest beside a file.
    Digest,
    /// Tells somebody who is elsewhere.
    Notify(Box<Notify>),
    /// Prints: `echo`, `printf`, `logger`.
    Print,
    #[default]
    Other,
}

/// What a program with these arguments does.
pub fn classify(name: &str, args: &[Arg]) -> Role {
    if matches!(name, "echo" | "printf" | "logger" | "log" | "print") {
        return Role::Print;
    }
    if let Some(dump) = dump::classify(name, args) {
        return Role::Dump(Box::new(dump));
    }
    if let Some(probe) = probe::classify(name, args) {
        return Role::Probe(Box::new(probe));
    }
    if let Some(restore) = restore::classify(name, args) {
        return Role::Restore(Box::new(restore));
    }
    if let Some((cipher, decrypts)) = cipher::classify(name, args) {
        return if decrypts { Role::Decrypt(Box::new(cipher)) } else { Role::Encrypt(Box::new(cipher)) };
    }
    if let Some(transform) = transform::classify(name, args) {
        return Role::Transform(Box::new(transform));
    }
    if let Some(delete) = delete::classify(name, args) {
        return Role::Delete(Box::new(delete));
    }
    if let Some(transfer) = transfer::classify(name, args) {
        let boxed = Box::new(transfer);
        return match (boxed.from_elsewhere(), boxed.to_elsewhere()) {
            (true, true) => Role::RemoteCopy(boxed),
            (true, false) => Role::Download(boxed),
            (false, true) => Role::Upload(boxed),
            (false, false) => Role::Other,
        };
    }
    if let Some(notify) = notify::classify(name, args) {
        return Role::Notify(Box::new(notify));
    }
    if matches!(
        name,
        "sha256sum" | "sha512sum" | "sha1sum" | "md5sum" | "b2sum" | "shasum" | "b3sum" | "xxhsum"
    ) {
        return Role::Digest;
    }
    Role::Other
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The role of a line without quotes or variables.
    pub fn role(line: &str) -> Role {
        let mut words = line.split(' ');
        let name = words.next().unwrap();
        classify(name, &words.map(Arg::of).collect::<Vec<_>>())
    }

    #[test]
    fn what_prints_does_nothing_else() {
        assert_eq!(role("echo pg_dump x"), Role::Print);
        assert_eq!(role("printf x"), Role::Print);
        assert_eq!(
            role("ls -l"),
            Role::Probe(Box::new(Probe { kind: ProbeKind::Exists, subject: None, queries: Vec::new() }))
        );
        assert_eq!(role("mkdir -p x"), Role::Other);
    }
}
