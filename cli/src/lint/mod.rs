//! Files and commits in, a listing of findings out: the part of `backstop lint` that
//! touches the machine. What is a finding, `policy` decides.
//!
//! Every file is read once, by one of a few threads. What cannot concern backups is
//! searched for secrets and dropped; the rest is kept, joined and linted together.

mod baseline;
mod error;
mod fix;
mod history;
mod read;
mod tree;

pub use baseline::Baseline;
pub use error::Error;
pub use fix::{Fixed, diff, write};
pub use history::history;
pub use tree::{Changes, Tree};

use backstop_policy::document::Document;
use backstop_policy::lint::{Options, Report, lint_text};
use backstop_policy::render::{Listing, shown};

fn add(listing: &mut Listing, report: &Report, documents: &[Document]) {
    listing.findings.extend(shown(&report.findings, documents));
    listing.suppressed += report.suppressed;
}

/// A document that does not concern backups.
fn alone(document: &Document, options: &Options) -> Report {
    lint_text(document, options)
}

/// Threads that read files.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(8)
}
