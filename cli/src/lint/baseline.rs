//! A baseline: the findings that a team knows of, as an earlier `--format json` has
//! them. What is in it is not reported again.

use std::collections::HashSet;
use std::path::Path;

use backstop_policy::render::Listing;
use serde::Deserialize;

use super::Error;

#[derive(Debug)]
pub struct Baseline(HashSet<Key>);

/// A line by its fingerprint, and in a history the commit that brought it.
type Key = (String, Option<String>);

#[derive(Deserialize)]
struct File {
    findings: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    fingerprint: String,
    commit: Option<Commit>,
}

#[derive(Deserialize)]
struct Commit {
    id: String,
}

impl Baseline {
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let file: File = serde_json::from_str(&text)
            .map_err(|why| Error::Baseline { path: path.to_owned(), why: why.to_string() })?;
        let key = |entry: Entry| (entry.fingerprint, entry.commit.map(|commit| commit.id));
        Ok(Self(file.findings.into_iter().map(key).collect()))
    }

    /// Takes out what is known; how much that was.
    pub fn apply(&self, listing: &mut Listing) -> usize {
        let before = listing.findings.len();
        listing.findings.retain(|finding| {
            let commit = finding.commit.as_ref().map(|commit| commit.id.clone());
            !self.0.contains(&(finding.fingerprint.clone(), commit))
        });
        before - listing.findings.len()
    }
}
