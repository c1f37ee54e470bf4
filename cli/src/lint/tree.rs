//! Folders and files, walked as git would: what is ignored is passed over, hidden
//! files are not.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use backstop_policy::document::Document;
use backstop_policy::lint::{Options, lint};
use backstop_policy::relevance::concerns_backups;
use backstop_policy::render::{Listing, shown};
use ignore::{WalkBuilder, WalkState};

use super::{Error, add, alone, fix, read, threads};
use crate::git::Patch;

/// What was read, and what it comes to.
#[derive(Debug, Default)]
pub struct Tree {
    /// Everything that concerns backups, by path.
    pub documents: Vec<Document>,
    /// Other documents in which something can be mended.
    pub others: Vec<Document>,
    /// Paths of documents that are not their files byte by byte.
    inexact: BTreeSet<String>,
    /// What the others hold.
    found: Listing,
    /// Files that could not be read, each with the reason.
    pub unread: Vec<String>,
}

/// What a user wants to see of a tree: only lines that were added.
#[derive(Debug, Default)]
pub struct Changes {
    /// By absolute path.
    files: HashMap<PathBuf, Change>,
    directory: PathBuf,
}

#[derive(Debug)]
struct Change {
    patch: Patch,
    /// Instead of what the file holds.
    text: Option<Vec<u8>>,
}

impl Changes {
    /// `patches` count from `root`; `texts` are those of an index.
    pub fn new(directory: &Path, root: &Path, patches: Vec<Patch>, texts: Vec<(&str, Vec<u8>)>) -> Self {
        let mut texts: HashMap<String, Vec<u8>> =
            texts.into_iter().map(|(path, text)| (path.to_owned(), text)).collect();
        let each = |patch: Patch| {
            let text = texts.remove(&patch.path);
            (root.join(&patch.path), Change { patch, text })
        };
        Self { files: patches.into_iter().map(each).collect(), directory: directory.to_owned() }
    }

    fn of(&self, path: &Path) -> Option<&Change> {
        self.files.get(&absolute(&self.directory, path))
    }

    /// Changed files below a path, called as a walk from there would.
    fn below<'c>(&'c self, path: &'c Path) -> impl Iterator<Item = PathBuf> + 'c {
        let root = absolute(&self.directory, path);
        self.files.keys().filter_map(move |file| {
            let rest = file.strip_prefix(&root).ok()?;
            Some(if rest.as_os_str().is_empty() { path.to_owned() } else { path.join(rest) })
        })
    }

    /// Only what lies on a line that was added.
    pub fn retain(&self, listing: &mut Listing) {
        listing.findings.retain(|finding| {
            self.of(Path::new(&finding.path))
                .is_some_and(|change| change.patch.touches(finding.start.line, finding.end.line))
        });
    }
}

/// Without `.` and `..`; links stay as they are.
fn absolute(directory: &Path, path: &Path) -> PathBuf {
    let mut all = PathBuf::new();
    for part in directory.join(path).components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                all.pop();
            }
            part => all.push(part),
        }
    }
    all
}

impl Tree {
    /// One text that was not read from a file.
    pub fn of(document: Document) -> Self {
        let found = Listing { documents: 1, ..Listing::default() };
        Self { documents: vec![document], found, ..Self::default() }
    }

    /// Reads files and folders. With `changes`, secrets are looked for in changed files alone.
    pub fn read(
        paths: &[PathBuf],
        options: &Options,
        changes: Option<&Changes>,
        keep: bool,
    ) -> Result<Self, Error> {
        for path in paths {
            let found = std::fs::symlink_metadata(path);
            found.map_err(|source| Error::Read { path: path.clone(), source })?;
        }
        let tree = Mutex::new(Self::default());
        let visit = |path: &Path, change: Option<Option<&Change>>| {
            let mut one = Self::default();
            if let Err(cause) = one.file(path, options, change, keep) {
                one.unread.push(format!("'{}': {cause}", read::shown(path)));
            }
            if !one.is_empty() {
                tree.lock().unwrap_or_else(PoisonError::into_inner).merge(one);
            }
        };
        match changes {
            None => walk(paths, &|path| visit(path, None)),
            Some(changes) => {
                for path in paths.iter().flat_map(|path| changes.below(path)) {
                    visit(&path, Some(changes.of(&path)));
                }
                // What did not change matters only beside something that it can join.
                let joins = !tree.lock().unwrap_or_else(PoisonError::into_inner).documents.is_empty();
                if joins {
                    walk(paths, &|path| {
                        if changes.of(path).is_none() {
                            visit(path, Some(None));
                        }
                    });
                }
            }
        }
        let mut tree = tree.into_inner().unwrap_or_else(PoisonError::into_inner);
        tree.documents.sort_by(|a, b| a.path.cmp(&b.path));
        tree.documents.dedup_by(|a, b| a.path == b.path);
        tree.unread.sort();
        Ok(tree)
    }

    fn is_empty(&self) -> bool {
        self.found.documents == 0 && self.unread.is_empty()
    }

    fn merge(&mut self, other: Self) {
        self.documents.extend(other.documents);
        self.others.extend(other.others);
        self.inexact.extend(other.inexact);
        self.unread.extend(other.unread);
        self.found.documents += other.found.documents;
        self.found.suppressed += other.found.suppressed;
        self.found.findings.extend(other.found.findings);
    }

    /// `change`: none where all files count, and none inside where this one did not change.
    fn file(
        &mut self,
        path: &Path,
        options: &Options,
        change: Option<Option<&Change>>,
        keep: bool,
    ) -> std::io::Result<()> {
        let name = read::shown(path);
        if let Some(text) = change.flatten().and_then(|change| change.text.as_ref()) {
            if !read::is_binary(text) {
                let (text, _) = read::to_text(text.clone());
                self.part(&name, read::Part { text, lines: 0, is_exact: false }, options, true, keep);
            }
            return Ok(());
        }
        let is_changed = change.is_none_or(|change| change.is_some());
        read::parts(path, |part| self.part(&name, part, options, is_changed, keep))
    }

    fn part(&mut self, name: &str, part: read::Part, options: &Options, is_changed: bool, keep: bool) {
        let read::Part { text, lines, is_exact } = part;
        self.found.documents += usize::from(lines == 0);
        let document = Document::new(name, text);
        if !is_exact {
            self.inexact.insert(name.to_owned());
        }
        // What comes in parts is data, and read as such.
        if lines == 0 && concerns_backups(&document) {
            self.documents.push(document);
            return;
        }
        if !is_changed {
            return;
        }
        let report = alone(&document, options);
        let documents = std::slice::from_ref(&document);
        let mut listing = Listing::default();
        add(&mut listing, &report, documents);
        for finding in &mut listing.findings {
            finding.start.line += lines;
            finding.end.line += lines;
        }
        self.found.findings.append(&mut listing.findings);
        self.found.suppressed += report.suppressed;
        if keep && is_exact && report.findings.iter().any(|finding| finding.fix.is_some()) {
            self.others.push(document);
        }
    }

    /// Everything that is found in it.
    pub fn listing(&self, options: &Options) -> Listing {
        let report = lint(&self.documents, options);
        let mut listing = self.found.clone();
        listing.findings.extend(shown(&report.findings, &self.documents));
        listing.suppressed += report.suppressed;
        listing.sort();
        listing
    }

    /// Applies fixes until none is left; the tree is as if its files had been so.
    pub fn fix(&mut self, options: &Options, unsafe_fixes: bool) -> fix::Fixed {
        let fixed = fix::fix(&mut self.documents, &mut self.others, options, unsafe_fixes, &self.inexact);
        let paths: BTreeSet<&str> = self.others.iter().map(|document| document.path.as_str()).collect();
        self.found.findings.retain(|finding| !paths.contains(finding.path.as_str()));
        for document in &self.others {
            let report = alone(document, options);
            self.found.findings.extend(shown(&report.findings, std::slice::from_ref(document)));
        }
        fixed
    }
}

/// Calls `visit` with every file, from several threads.
fn walk(paths: &[PathBuf], visit: &(impl Fn(&Path) + Sync)) {
    let Some((first, more)) = paths.split_first() else { return };
    let mut builder = WalkBuilder::new(first);
    for path in more {
        builder.add(path);
    }
    builder
        .hidden(false)
        .ignore(false)
        .require_git(false)
        .threads(threads())
        .filter_entry(|entry| entry.file_name() != ".git");
    builder.build_parallel().run(|| {
        Box::new(|entry| {
            // What cannot be listed is told by what lies around it, or is a path of
            // its own, which was looked at before.
            if let Ok(entry) = entry
                && entry.file_type().is_some_and(|kind| kind.is_file())
            {
                visit(entry.path());
            }
            WalkState::Continue
        })
    });
}
