//! Against stock `age`, `gpg` and `openssl`, both ways; then the same files cut
//! short and changed at many places, which must never read as whole.

use std::ffi::OsStr;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::{Encryption, Error, Keys, Layer, open, seal};
use crate::error::Advise;
use crate::stream::Source;

mod age;
mod damage;
mod openpgp;
mod openssl;
mod sealing;

const PASSPHRASE: &str = "correct horse battery staple";

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

/// Bytes that are neither text nor compressible, the same in every run, behind
/// the magic of an archive.
fn payload(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = b"PGDMP".to_vec();
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A source that ends well.
struct Bytes(Cursor<Vec<u8>>);

impl Read for Bytes {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(out)
    }
}

impl Source for Bytes {
    type Outcome = ();
    fn finish(self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Through the whole of `seal`, with both digests checked.
fn sealed(bytes: &[u8], encryption: Encryption) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let source = Bytes(Cursor::new(bytes.to_vec()));
    let (stored, sealed) = runtime.block_on(async {
        let (mut stream, sealing) = seal(source, encryption, CancellationToken::new(), |_| {});
        let mut stored = Vec::new();
        while let Some(chunk) = stream.next().await.unwrap() {
            stored.extend_from_slice(&chunk);
        }
        (stored, sealing.finish().await.unwrap().0)
    });
    assert_eq!(sealed.plain(), &digest(bytes));
    assert_eq!(sealed.stored(), &digest(&stored));
    stored
}

fn digest(bytes: &[u8]) -> backstop_policy::manifest::Digest {
    let mut tally = super::TallyWriter::new(std::io::sink());
    tally.write_all(bytes).unwrap();
    tally.digest()
}

/// Everything inside, and the layers around it; or the error, also where it
/// comes only at the end.
fn opened(stored: &[u8], keys: &Keys) -> Result<(Vec<u8>, Vec<Layer>), Error> {
    let mut opened = open(Cursor::new(stored.to_vec()), keys)?;
    let mut plain = Vec::new();
    match opened.read_to_end(&mut plain) {
        Ok(_) => Ok((plain, opened.layers)),
        Err(error) => Err(error.downcast::<Error>().expect("a pipeline error")),
    }
}

fn with_passphrase(passphrase: &str) -> Keys {
    let mut keys = Keys::default();
    keys.add_passphrase(secret(passphrase));
    keys
}

/// Run a tool with bytes on its standard input; its standard output.
fn run(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let program = command.get_program().to_owned();
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap_or_else(
            |error| {
                panic!("{} does not run ({error}): apt-get install -y age gnupg openssl", program.display())
            },
        );
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || {
        // A tool that stops early says why on its standard error.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    assert!(output.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A GnuPG home of its own, whose agent ends with it.
struct Gpg {
    home: tempfile::TempDir,
}

impl Gpg {
    fn new() -> Self {
        use std::os::unix::fs::PermissionsExt;
        // Sockets have short paths, so not below a long temporary directory.
        let home = tempfile::Builder::new().prefix("gpg").tempdir_in("/tmp").unwrap();
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        Self { home }
    }

    fn run(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>, input: &[u8]) -> Vec<u8> {
        let mut command = Command::new("gpg");
        command.args(["--batch", "--yes", "--quiet", "--no-tty", "--pinentry-mode", "loopback"]);
        command.args(["--trust-model", "always", "--passphrase", PASSPHRASE]);
        command.args(arguments).env("GNUPGHOME", self.home.path());
        run(&mut command, input)
    }

    /// A key that is not locked, so that only what needs a passphrase has one,
    /// with an encryption subkey of this algorithm.
    fn generate(&self, name: &str, encryption: &str) {
        self.unlocked(&["--quick-generate-key", name, "ed25519", "default", "never"]);
        self.unlocked(&["--quick-add-key", &self.fingerprint(name), encryption, "encr", "never"]);
    }

    /// Make keys without a passphrase.
    fn unlocked(&self, arguments: &[&str]) {
        let mut command = Command::new("gpg");
        command.args(["--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", ""]);
        run(command.args(arguments).env("GNUPGHOME", self.home.path()), b"");
    }

    fn fingerprint(&self, name: &str) -> String {
        let list = String::from_utf8(self.run(["--list-keys", "--with-colons", name], b"")).unwrap();
        let line = list.lines().find_map(|line| line.strip_prefix("fpr:::::::::")).unwrap();
        line.trim_end_matches(':').to_owned()
    }

    fn certificate(&self, name: &str) -> String {
        String::from_utf8(self.run(["--export", "--armor", name], b"")).unwrap()
    }

    fn secret_key(&self, name: &str) -> Vec<u8> {
        self.run(["--export-secret-keys", name], b"")
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").args(["--kill", "all"]).env("GNUPGHOME", self.home.path()).status();
    }
}

fn file(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}
