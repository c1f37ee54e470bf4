//! A piece of text of one kind: a whole document, or a fenced block of Markdown.

use crate::config;
use crate::document::Kind;
use crate::finding::{Place, Span};
use crate::parse::bucket_policy::{self, Policy};
use crate::parse::compose::{self, Service};
use crate::parse::lifecycle::{self, Lifecycle};
use crate::parse::source::Source;
use crate::parse::systemd;
use crate::parse::workflow::{self, Workflow};
use crate::parse::yaml::Node;

#[derive(Debug)]
pub struct Unit<'d> {
    /// Index into [`super::Set::documents`].
    pub document: usize,
    pub kind: Kind,
    pub source: Source<'d>,
    pub span: Span,
    /// The file that it is: the document's path, or what a text says about its block.
    pub path: Option<String>,
    /// Whether it is a block inside a document.
    pub embedded: bool,
    /// Range in [`super::Set::scripts`].
    pub scripts: std::ops::Range<usize>,
    /// YAML and JSON: the first document, in bytes of `source`; see [`Unit::place`].
    pub tree: Option<Node>,
    /// A unit of systemd.
    pub systemd: Option<systemd::Unit>,
    /// `backstop.yml`, in bytes of `source` as well.
    pub config: Option<config::Parsed>,
}

impl Unit<'_> {
    pub fn at(&self) -> Place {
        Place { document: self.document, span: self.span }
    }

    /// Where a span of the unit's own text lies: of a node of its tree.
    pub fn place(&self, inner: Span) -> Place {
        Place { document: self.document, span: self.source.span(inner.start, inner.end) }
    }

    /// Its tree as a workflow; spans go through [`Unit::place`], as in each view.
    pub fn workflow(&self) -> Option<Workflow<'_>> {
        workflow::view(self.tree_of(Kind::Workflow)?)
    }

    pub fn lifecycle(&self) -> Option<Lifecycle<'_>> {
        lifecycle::view(self.tree_of(Kind::Lifecycle)?)
    }

    pub fn bucket_policy(&self) -> Option<Policy<'_>> {
        bucket_policy::view(self.tree_of(Kind::BucketPolicy)?)
    }

    /// The services of a Compose file.
    pub fn services(&self) -> Vec<Service<'_>> {
        self.tree_of(Kind::Compose).and_then(compose::view).unwrap_or_default()
    }

    fn tree_of(&self, kind: Kind) -> Option<&Node> {
        self.tree.as_ref().filter(|_| self.kind == kind)
    }

    pub fn text(&self) -> &str {
        self.source.text()
    }
}

/// Whether a call of `called` means the file at `path`: the same name, and folders
/// that do not contradict each other.
pub fn is_called(path: &str, called: &str) -> bool {
    let clean = |text: &str| -> Vec<String> {
        text.split('/')
            .filter(|part| !matches!(*part, "" | "." | "..") && !part.contains('$'))
            .map(str::to_owned)
            .collect()
    };
    let (path, called) = (clean(path), clean(called));
    match (path.last(), called.last()) {
        // Where it is installed says nothing about where it lies in the repository.
        (Some(name), Some(wanted)) => name == wanted,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_called_by_its_name() {
        assert!(is_called("scripts/backup.sh", "./scripts/backup.sh"));
        assert!(is_called("scripts/backup.sh", "/opt/app/backup.sh"));
        assert!(is_called("backup.sh", "$DIR/backup.sh"));
        assert!(!is_called("scripts/backup.sh", "scripts/restore.sh"));
    }
}
