//! Every commit's added lines, searched for secrets: one `git log` writes, this
//! thread takes its patches apart, others search them.

use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use backstop_policy::document::Document;
use backstop_policy::lint::Options;
use backstop_policy::render::{Commit, Listing, Shown};

use super::{add, alone, read, threads};
use crate::git::{self, Event, Git, Patch};

/// Patches that wait for a thread.
const QUEUE: usize = 64;

struct Job {
    number: usize,
    commit: Arc<Commit>,
    patch: Patch,
}

/// What was ever committed, or since a revision; the newest commit first.
pub fn history(
    git: &Git,
    since: Option<&str>,
    paths: &[String],
    options: &Options,
) -> Result<Listing, git::Error> {
    let options = without_suppression_rules(options);
    let (sender, receiver) = sync_channel::<Job>(QUEUE);
    let receiver = Mutex::new(receiver);
    let found: Mutex<Vec<(usize, Listing)>> = Mutex::new(Vec::new());
    let mut number = 0;
    let commits = std::thread::scope(|scope| {
        for _ in 0..threads() {
            scope.spawn(|| work(&receiver, &found, &options));
        }
        let mut commit = Arc::new(Commit { id: String::new(), author: String::new(), date: String::new() });
        let streamed = git.history(since, paths, |event| match event {
            Event::Commit(git::Commit { id, date, author }) => {
                commit = Arc::new(Commit { id, author, date });
            }
            Event::Patch(patch) => {
                number += 1;
                // It fails only where every thread has gone, and there is nobody to tell.
                let _ = sender.send(Job { number, commit: Arc::clone(&commit), patch });
            }
        });
        drop(sender);
        streamed
    })?;
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by_key(|(number, _)| *number);
    let mut listing = Listing { documents: number, commits: Some(commits), ..Listing::default() };
    for (_, one) in found {
        listing.findings.extend(one.findings);
        listing.suppressed += one.suppressed;
    }
    Ok(listing)
}

/// A patch shows a part of a file: whether a comment there is needed, nobody knows.
fn without_suppression_rules(options: &Options) -> Options {
    let mut options = options.clone();
    options.ignore.push("suppression".to_owned());
    options
}

fn work(jobs: &Mutex<Receiver<Job>>, found: &Mutex<Vec<(usize, Listing)>>, options: &Options) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        let listing = search(&job, options);
        if !listing.findings.is_empty() || listing.suppressed > 0 {
            found.lock().unwrap_or_else(PoisonError::into_inner).push((job.number, listing));
        }
    }
}

fn search(job: &Job, options: &Options) -> Listing {
    let mut listing = Listing::default();
    let bytes: Vec<u8> = job.patch.hunks.iter().flat_map(|hunk| hunk.text.iter().copied()).collect();
    if read::is_binary(&bytes) {
        return listing;
    }
    let (text, _) = read::to_text(bytes);
    let document = Document::new(job.patch.path.as_str(), text);
    let report = alone(&document, options);
    if report.findings.is_empty() && report.suppressed == 0 {
        return listing;
    }
    add(&mut listing, &report, std::slice::from_ref(&document));
    for finding in &mut listing.findings {
        place(finding, &job.patch);
        finding.commit = Some(Commit::clone(&job.commit));
    }
    listing
}

/// From the line among those that were added to the line in the file.
fn place(finding: &mut Shown, patch: &Patch) {
    let real = |line: usize| {
        let mut before = 0;
        for hunk in &patch.hunks {
            if line <= before + hunk.lines {
                return hunk.line + (line - before).saturating_sub(1);
            }
            before += hunk.lines;
        }
        patch.hunks.last().map_or(line, |hunk| hunk.line + hunk.lines)
    };
    finding.start.line = real(finding.start.line);
    finding.end.line = real(finding.end.line).max(finding.start.line);
}
