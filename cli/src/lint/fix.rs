//! Fixes: applied round by round until nothing is left to do, shown as a patch or
//! written back, one whole file after another.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;

use backstop_policy::document::Document;
use backstop_policy::finding::{Finding, Fix, Safety};
use backstop_policy::fix::apply;
use backstop_policy::lint::{Options, lint};
use backstop_policy::secrets;
use similar::TextDiff;

use super::{Error, alone};

/// A fix can make room for another; none needs more rounds.
const ROUNDS: usize = 10;

/// What has changed.
#[derive(Debug, Default)]
pub struct Fixed {
    pub applied: usize,
    /// Each as it was, and its text afterwards.
    pub files: Vec<(Document, String)>,
}

pub(super) fn fix(
    joined: &mut [Document],
    others: &mut [Document],
    options: &Options,
    unsafe_fixes: bool,
    inexact: &BTreeSet<String>,
) -> Fixed {
    let mut before: BTreeMap<String, Document> = BTreeMap::new();
    let mut applied = 0;
    for _ in 0..ROUNDS {
        let mut findings = lint(joined, options).findings;
        for document in others.iter() {
            findings.extend(alone(document, options).findings);
        }
        let mut changed = 0;
        for document in joined.iter_mut().chain(others.iter_mut()) {
            let fixes = findings
                .iter()
                .filter(|finding| finding.path == document.path && !inexact.contains(&finding.path))
                .filter_map(|finding| wanted(finding, unsafe_fixes));
            let (text, count) = apply(&document.text, fixes);
            if count > 0 && text != document.text {
                before.entry(document.path.clone()).or_insert_with(|| document.clone());
                document.text = text;
                changed += count;
            }
        }
        applied += changed;
        if changed == 0 {
            break;
        }
    }
    let after = |path: &str| joined.iter().chain(others.iter()).find(|document| document.path == path);
    let files = before
        .into_iter()
        .filter_map(|(path, old)| Some((old, after(&path)?.text.clone())))
        .filter(|(old, new)| old.text != *new)
        .collect();
    Fixed { applied, files }
}

fn wanted(finding: &Finding, unsafe_fixes: bool) -> Option<&Fix> {
    finding.fix.as_ref().filter(|fix| unsafe_fixes || fix.safety == Safety::Safe)
}

/// The changes as a patch, in which no secret is shown.
pub fn diff(fixed: &Fixed) -> String {
    let mut patch = String::new();
    for (document, new) in &fixed.files {
        let name = &document.path;
        let mask = |text: &str| {
            let found = secrets::find(text, secrets::Place::of_document(document));
            secrets::redact_found(text, (0..text.len()).into(), &found).into_owned()
        };
        let (old, new) = (mask(&document.text), mask(new));
        if old == new {
            patch.push_str(&format!("{name}: what would change is part of a secret\n"));
            continue;
        }
        let diff = TextDiff::from_lines(&old, &new);
        patch.push_str(&diff.unified_diff().header(&format!("a/{name}"), &format!("b/{name}")).to_string());
    }
    patch
}

/// Writes each file whole or not at all.
pub fn write(fixed: &Fixed) -> Result<(), Error> {
    for (document, new) in &fixed.files {
        let path = Path::new(&document.path);
        let failed = |source| Error::Write { path: path.to_owned(), source };
        // A link stays one: what it leads to is written.
        let real = path.canonicalize().map_err(failed)?;
        if std::fs::read(&real).map_err(failed)? != document.text.as_bytes() {
            return Err(Error::Changed(path.to_owned()));
        }
        let mode = std::fs::metadata(&real).map_err(failed)?.permissions();
        let folder = real.parent().unwrap_or(Path::new("/"));
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        file.write_all(new.as_bytes()).map_err(failed)?;
        file.as_file().set_permissions(mode).map_err(failed)?;
        file.persist(&real).map_err(|cause| failed(cause.error))?;
    }
    Ok(())
}
