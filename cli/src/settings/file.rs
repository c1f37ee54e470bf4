//! The configuration file: where it lies, and what is wrong with it.
//!
//! It is looked for in the working directory, and above it only inside a git
//! repository: a file in a folder that others can write to, such as /tmp, must
//! not decide where this user's backups go.

use std::path::{Path, PathBuf};

use backstop_policy::config::{self, Config, FILE_NAMES, Parsed, Variable};
use backstop_policy::finding::{self, Severity};

use super::Error;

/// A configuration file that was read.
#[derive(Debug)]
pub struct Document {
    pub path: PathBuf,
    /// The path as messages show it: relative to where the user stands.
    pub shown: String,
    pub text: String,
}

/// The file that holds for a directory.
pub fn find(directory: &Path) -> Result<Option<PathBuf>, Error> {
    let root = directory.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(directory);
    for folder in directory.ancestors() {
        let mut present = FILE_NAMES.into_iter().filter(|name| folder.join(name).is_file());
        if let Some(first) = present.next() {
            return match present.next() {
                Some(second) => Err(Error::TwoFiles { folder: folder.to_owned(), first, second }),
                None => Ok(Some(folder.join(first))),
            };
        }
        if folder == root {
            break;
        }
    }
    Ok(None)
}

impl Document {
    /// The given file, or the one that holds for `directory`, if there is one.
    pub fn open(given: Option<&Path>, directory: &Path) -> Result<Option<Self>, Error> {
        let path = match given {
            Some(path) => directory.join(path),
            None => match find(directory)? {
                Some(path) => path,
                None => return Ok(None),
            },
        };
        let shown = given.map_or_else(|| shown(&path, directory), |path| path.display().to_string());
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(Self { path, shown, text })),
            Err(source) => Err(Error::Read { path: PathBuf::from(shown), source }),
        }
    }

    /// The folder that relative paths in the file count from.
    pub fn folder(&self) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("/")).to_owned()
    }

    /// Everything that is wrong with the file.
    pub fn judge(&self) -> Parsed {
        config::parse(&self.shown, &self.text)
    }

    /// The configuration, or all of its errors.
    pub fn parse(&self) -> Result<Config, Error> {
        let Parsed { config, findings, .. } = self.judge();
        config.ok_or_else(|| Error::Invalid {
            path: self.shown.clone(),
            count: findings.iter().filter(|finding| finding.severity == Severity::Error).count(),
            findings: finding::render(&findings, &self.text).trim_end().to_owned(),
        })
    }

    /// The error of a variable that is needed and has no value.
    pub fn unset(&self, variable: &Variable) -> Error {
        let mut finding = config::unset_variable(&self.shown, variable);
        let hint = finding.help.take().unwrap_or_default();
        Error::Unset { at: finding::render(&[finding], &self.text).trim_end().to_owned(), hint }
    }
}

fn shown(path: &Path, directory: &Path) -> String {
    for (up, folder) in directory.ancestors().enumerate() {
        if let Ok(relative) = path.strip_prefix(folder) {
            return format!("{}{}", "../".repeat(up), relative.display());
        }
    }
    path.display().to_string()
}
