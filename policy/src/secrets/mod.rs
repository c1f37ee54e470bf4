//! Secrets in any text file: where they lie, how bad that is, and what to do.
//!
//! Text goes in, byte spans and fixed words come out; no byte of a secret is ever
//! part of an answer. One pass of Aho-Corasick says where to look (`anchors`), and
//! a structural parser around each hit says what is there. Every parser looks a
//! bounded way from its hit, so time grows with the length of the text alone.

mod anchors;
mod argv;
mod assign;
mod checksum;
mod cloud;
mod dsn;
mod encoded;
mod host;
mod join;
mod judge;
mod keys;
mod kind;
mod literal;
mod name;
mod operand;
mod pgpass;
mod place;
mod rules;
mod scan;
mod separator;
mod surroundings;
mod template;
mod token;
mod uri;
mod url;
mod vocabulary;
mod webhook;
mod words;

use std::borrow::Cow;

pub(crate) use host::without_port;
pub use kind::Kind;
pub use literal::{password_in_conninfo, password_in_url, private_key};
pub use place::{Place, Syntax};
pub use rules::{
    Argument, Report, StaticKey, credential_in_argument, credential_in_file, static_cloud_key,
    url_password_unencoded,
};

use crate::finding::{Severity, Span};
use scan::Scan;

/// What stands for a value that is not shown. Its length says nothing.
pub const MASK: &str = "***";

/// One line with something in it that should not be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// What to point at: the whole URL, assignment or key.
    pub span: Span,
    /// What must never be shown. Sorted, and without overlaps.
    pub values: Vec<Span>,
    pub kind: Kind,
    pub verdict: Verdict,
    /// Characters that stand unencoded in the password of a URL.
    pub raw: Vec<Raw>,
}

/// How bad it is, judged on user, password and host together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Opens nothing outside a developer's machine or a CI job.
    Development,
    /// Of use to somebody who has a second thing: a hash, an encrypted key.
    Doubtful,
    /// As good as published: to be replaced.
    Leaked,
}

impl Verdict {
    pub fn severity(self) -> Severity {
        match self {
            Self::Leaked => Severity::Error,
            Self::Doubtful => Severity::Warning,
            Self::Development => Severity::Note,
        }
    }
}

/// A character of a URL's password that readers of URLs take for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Raw {
    /// The one byte.
    pub span: Span,
    pub character: char,
    /// What to write instead.
    pub encoded: &'static str,
}

impl Secret {
    pub fn severity(&self) -> Severity {
        self.verdict.severity()
    }

    /// What will happen, in one line.
    pub fn message(&self) -> String {
        let mut message = match self.verdict {
            Verdict::Leaked => format!("{}: {}", self.kind.noun(), self.kind.consequence()),
            Verdict::Doubtful => format!("{}: {}", self.kind.noun(), self.kind.doubt()),
            Verdict::Development => {
                format!("{} that only a development machine should know", self.kind.noun())
            }
        };
        if let Some(raw) = self.raw.first() {
            message.push_str("; ");
            message.push_str(rules::why_encode(raw.character));
        }
        message
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self.verdict {
            Verdict::Development => "let a variable override it, so that production never starts with it",
            Verdict::Leaked | Verdict::Doubtful => self.kind.help(),
        }
    }
}

/// Every line of `text` that holds a secret, in order, one [`Secret`] a line.
///
/// A value that stands on five lines is five secrets. Two on one line are one,
/// with the worse verdict and the values of both.
pub fn find(text: &str, place: Place) -> Vec<Secret> {
    search(text, place).secrets
}

/// What one pass over a text finds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// See [`find`].
    pub secrets: Vec<Secret>,
    /// Where a database URL is put together with a variable for its password.
    pub built: Vec<Span>,
}

/// [`find`], and what else the same pass sees.
pub fn search(text: &str, place: Place) -> Found {
    let (secrets, built) = Scan::new(text, place).run_with_built();
    Found { secrets: one_a_line(text, secrets), built }
}

/// `text` with [`MASK`] for every value that [`find`] finds in it.
pub fn redact(text: &str) -> Cow<'_, str> {
    redact_found(text, Span::new(0, text.len()), &find(text, Place::default()))
}

/// The part `within` of `text`, for an excerpt: what was `found` in the whole is
/// masked, even where the part alone would not show that it is a secret.
pub fn redact_found<'t>(text: &'t str, within: Span, found: &[Secret]) -> Cow<'t, str> {
    let end = text.floor_char_boundary(within.end);
    let mut at = text.floor_char_boundary(within.start.min(end));
    let first = found.partition_point(|secret| secret.values.last().is_some_and(|value| value.end <= at));
    let values = found.get(first..).unwrap_or_default().iter().flat_map(|secret| &secret.values);
    let mut masked = String::new();
    let mut touched = false;
    for value in values {
        if value.start >= end {
            break;
        }
        if value.end <= at {
            continue;
        }
        masked.push_str(text.get(at..value.start).unwrap_or_default());
        masked.push_str(MASK);
        touched = true;
        at = value.end.min(end);
    }
    if !touched {
        return Cow::Borrowed(text.get(at..end).unwrap_or_default());
    }
    masked.push_str(text.get(at..end).unwrap_or_default());
    Cow::Owned(masked)
}

fn one_a_line(text: &str, mut found: Vec<Secret>) -> Vec<Secret> {
    found.sort_by_key(|secret| (secret.span.start, std::cmp::Reverse(secret.verdict)));
    let mut lines: Vec<Secret> = Vec::with_capacity(found.len());
    let mut last_start = 0;
    for secret in found {
        let between = text.as_bytes().get(last_start..secret.span.start).unwrap_or_default();
        let same_line = !lines.is_empty() && memchr::memchr(b'\n', between).is_none();
        last_start = secret.span.start;
        match lines.last_mut() {
            Some(line) if same_line => merge(line, secret),
            _ => lines.push(secret),
        }
    }
    for line in &mut lines {
        tidy(&mut line.values);
        line.raw.sort_unstable();
        line.raw.dedup();
    }
    lines
}

/// The worse of two says what the line is; the values of both are hidden.
fn merge(line: &mut Secret, other: Secret) {
    if other.verdict > line.verdict {
        line.verdict = other.verdict;
        line.kind = other.kind;
        line.span = other.span;
    }
    line.values.extend(other.values);
    line.raw.extend(other.raw);
}

fn tidy(values: &mut Vec<Span>) {
    values.sort_unstable();
    values.dedup_by(|next, kept| {
        let overlaps = next.start < kept.end;
        if overlaps {
            kept.end = kept.end.max(next.end);
        }
        overlaps
    });
}
