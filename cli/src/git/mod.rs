//! What the user's git knows: which lines were added since a revision, in the index
//! or by any commit. Nothing is written, and nothing of a repository's configuration
//! is run.

use std::ffi::OsStr;
use std::io::{BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use crate::error::Advise;

mod patch;

pub use patch::{Commit, Event, Hunk, Patch};

/// A work tree.
#[derive(Debug)]
pub struct Git {
    /// Where its top folder lies; paths of [`Patch`]es count from there.
    pub root: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot run `git`")]
    Start(#[source] std::io::Error),
    #[error("'{}' is not in a git repository", .0.display())]
    NoRepository(PathBuf),
    #[error("`git {command}` failed: {said}")]
    Failed { command: String, said: String },
    #[error("cannot read what `git` says")]
    Read(#[source] std::io::Error),
}

impl Advise for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Start(_) => Some("install git, or name the files to lint".to_owned()),
            Self::Failed { said, .. } if said.contains("dubious ownership") => {
                Some("the repository belongs to somebody else: `git config --global --add safe.directory DIRECTORY` trusts it".to_owned())
            }
            Self::Failed { said, .. } if said.contains("unknown revision") || said.contains("bad revision") => {
                Some("a shallow clone lacks it: fetch it first, as `fetch-depth: 0` does".to_owned())
            }
            _ => None,
        }
    }
}

impl Git {
    /// The repository that a folder lies in.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let output = git(directory, &["rev-parse", "--show-toplevel"]).output().map_err(Error::Start)?;
        let path = String::from_utf8_lossy(&output.stdout);
        let said = String::from_utf8_lossy(&output.stderr);
        match path.strip_suffix('\n') {
            Some(root) if output.status.success() => Ok(Self { root: PathBuf::from(root) }),
            _ if said.contains("not a git repository") => Err(Error::NoRepository(directory.to_owned())),
            _ => Err(failed("rev-parse", &said)),
        }
    }

    /// Lines of the work tree that the common ancestor with `revision` has not, and
    /// files that git does not know yet.
    pub fn added_since(&self, revision: &str) -> Result<Vec<Patch>, Error> {
        // Else a name such as `--output=x` would be an option.
        let commit = self.text(&[
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &format!("{revision}^{{commit}}"),
        ]);
        let commit = match commit {
            Ok(commit) => commit.trim().to_owned(),
            Err(Error::Failed { .. }) => {
                let said = format!("unknown revision '{revision}'");
                return Err(Error::Failed { command: "rev-parse".to_owned(), said });
            }
            Err(cause) => return Err(cause),
        };
        // Without a common ancestor, all that the revision has not is new.
        let base = self.text(&["merge-base", &commit, "HEAD"]).unwrap_or(commit);
        let mut patches = self.diff(&[base.trim()])?;
        let untracked = self.text(&["ls-files", "--others", "--exclude-standard", "-z"])?;
        patches.extend(untracked.split('\0').filter(|path| !path.is_empty()).map(Patch::whole));
        Ok(patches)
    }

    /// Lines that the next commit would add.
    pub fn added_to_index(&self) -> Result<Vec<Patch>, Error> {
        self.diff(&["--cached"])
    }

    fn diff(&self, arguments: &[&str]) -> Result<Vec<Patch>, Error> {
        let mut command: Vec<&str> = vec!["diff"];
        command.extend(PATCH);
        command.extend(arguments);
        command.push("--");
        let mut patches = Vec::new();
        self.stream(&command, |event| {
            if let Event::Patch(patch) = event {
                patches.push(patch);
            }
        })?;
        Ok(patches)
    }

    /// Every commit that any branch or tag leads to, or those after `since`, with
    /// what each adds; roughly the newest first. How many commits that were.
    pub fn history(
        &self,
        since: Option<&str>,
        paths: &[String],
        each: impl FnMut(Event),
    ) -> Result<usize, Error> {
        let range = since.map(|since| format!("{since}..HEAD"));
        let mut range: Vec<&str> = match &range {
            Some(range) => vec!["--end-of-options", range],
            // A detached commit is no branch's, and a new repository has no commit.
            None if self.text(&["rev-parse", "--verify", "--quiet", "HEAD"]).is_ok() => vec!["--all", "HEAD"],
            None => vec!["--all"],
        };
        range.push("--");
        range.extend(paths.iter().map(String::as_str));
        let mut command: Vec<&str> =
            vec!["log", "--format=%x00%H%x09%aI%x09%an", "--diff-merges=dense-combined"];
        command.extend(PATCH);
        command.extend(&range);
        self.stream(&command, each)?;
        // Commits that add nothing are not in the log.
        let count = self.text(&[&["rev-list", "--count"], &range[..]].concat())?;
        Ok(count.trim().parse().unwrap_or_default())
    }

    pub fn is_shallow(&self) -> Result<bool, Error> {
        Ok(self.text(&["rev-parse", "--is-shallow-repository"])?.trim() == "true")
    }

    /// The index's own text of some files, in their order.
    pub fn staged<'p>(&self, paths: &[&'p str]) -> Result<Vec<(&'p str, Vec<u8>)>, Error> {
        let (mut running, out) =
            start(git(&self.root, &["cat-file", "--batch", "-z"]).stdin(Stdio::piped()))?;
        let mut stdin = running.child.stdin.take();
        let mut out = BufReader::new(out);
        let mut texts = Vec::with_capacity(paths.len());
        for path in paths {
            if let Some(stdin) = &mut stdin {
                stdin
                    .write_all(format!(":{path}\0").as_bytes())
                    .and_then(|()| stdin.flush())
                    .map_err(Error::Read)?;
            }
            if let Some(text) = patch::object(&mut out).map_err(Error::Read)? {
                texts.push((*path, text));
            }
        }
        drop(stdin);
        running.wait("cat-file")?;
        Ok(texts)
    }

    fn text(&self, arguments: &[&str]) -> Result<String, Error> {
        let output = git(&self.root, arguments).output().map_err(Error::Start)?;
        if !output.status.success() {
            return Err(failed(arguments.first().unwrap_or(&""), &String::from_utf8_lossy(&output.stderr)));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn stream(&self, arguments: &[&str], each: impl FnMut(Event)) -> Result<(), Error> {
        let (running, out) = start(&mut git(&self.root, arguments))?;
        patch::read(BufReader::with_capacity(1 << 16, out), each).map_err(Error::Read)?;
        running.wait(arguments.first().unwrap_or(&""))
    }
}

/// Bytes of what git says that are kept.
const MESSAGES: u64 = 16 * 1024;
/// A patch as [`patch`] reads it, whatever the user's configuration says.
const PATCH: [&str; 10] = [
    "--patch",
    "--unified=0",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--find-renames",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--diff-filter=d",
    "--submodule=short",
];

fn git(directory: &Path, arguments: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(directory);
    // A program that the configuration names for it would be run.
    command.args(["-c", "core.fsmonitor=false", "-c", "core.quotePath=false", "--no-pager"]);
    command.args(arguments).env("GIT_OPTIONAL_LOCKS", "0").env("LC_ALL", "C").stdin(Stdio::null());
    command
}

/// A git whose output is read as it comes, and what it says meanwhile.
struct Running {
    child: Child,
    said: JoinHandle<Vec<u8>>,
}

fn start(command: &mut Command) -> Result<(Running, ChildStdout), Error> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(Error::Start)?;
    let (Some(out), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(Error::Read(std::io::Error::other("no pipe")));
    };
    // Git waits where nobody takes what it says.
    let said = std::thread::spawn(move || {
        let mut said = Vec::new();
        // It is only for the message.
        let _ = stderr.by_ref().take(MESSAGES).read_to_end(&mut said);
        let _ = std::io::copy(&mut stderr, &mut std::io::sink());
        said
    });
    Ok((Running { child, said }, out))
}

impl Running {
    fn wait(mut self, command: &str) -> Result<(), Error> {
        let status = self.child.wait().map_err(Error::Read)?;
        let said = self.said.join().unwrap_or_default();
        if status.success() { Ok(()) } else { Err(failed(command, &String::from_utf8_lossy(&said))) }
    }
}

fn failed(command: &str, said: &str) -> Error {
    let said = said.trim().lines().next().unwrap_or_default().trim_start_matches("fatal: ");
    Error::Failed { command: command.to_owned(), said: said.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn much_that_is_said_does_not_hold_up_what_is_read() {
        let script = "echo 'fatal: bad revision' >&2; head -c 300000 /dev/zero >&2; echo out; exit 1";
        let (running, mut out) = start(Command::new("sh").args(["-c", script])).unwrap();
        let mut read = String::new();
        out.read_to_string(&mut read).unwrap();
        assert_eq!(read, "out\n");
        let error = running.wait("log").unwrap_err();
        assert_eq!(error.to_string(), "`git log` failed: bad revision");
    }
}
