//! One run over one text: what the detectors share. It holds the text, what was
//! found, and the two bounds that keep hostile input linear: how far something was
//! already read, and how often the surroundings may still be asked.

use std::ops::Range;

use super::anchors::{self, Detector};
use super::place::{Place, Syntax};
use super::{Kind, Raw, Secret, Verdict};
use super::{argv, assign, cloud, dsn, encoded, keys, pgpass, token, url};
use crate::finding::Span;

/// How far a line is looked at, to either side of a hit. A longer line is read by
/// windows of this size.
const REACH: usize = 4096;
/// A text with more candidates than this has no surroundings that mean anything.
const LOOKUPS: u32 = 3_000;

#[derive(Debug)]
pub(super) struct Scan<'t> {
    pub text: &'t str,
    pub place: Place,
    found: Vec<Secret>,
    past: usize,
    line: Range<usize>,
    lookups: u32,
    /// Database URLs whose password is a variable.
    built: Vec<Span>,
    /// The password file's entries were looked for up to here.
    pub entries_past: usize,
    last_dsn: usize,
    /// How many encodings deep the text was wrapped.
    pub depth: u8,
}

impl<'t> Scan<'t> {
    pub fn new(text: &'t str, place: Place) -> Self {
        Self {
            text,
            place,
            found: Vec::new(),
            past: 0,
            line: 0..0,
            lookups: LOOKUPS,
            built: Vec::new(),
            entries_past: 0,
            last_dsn: 0,
            depth: 0,
        }
    }

    pub fn run(mut self) -> Vec<Secret> {
        self.detect();
        self.found
    }

    /// Beside secrets, where a database URL is put together with a variable for its password.
    pub fn run_with_built(mut self) -> (Vec<Secret>, Vec<Span>) {
        self.detect();
        (self.found, self.built)
    }

    pub fn add_built(&mut self, span: Range<usize>) {
        self.built.push(span.into());
    }

    fn detect(&mut self) {
        match self.place.syntax {
            Syntax::Pgpass => return pgpass::file(self),
            Syntax::Userlist => return pgpass::userlist(self),
            Syntax::Config | Syntax::Code | Syntax::Prose => {}
        }
        for (hit, detector) in anchors::hits(self.text) {
            if hit.start < self.past {
                continue;
            }
            match detector {
                Detector::Url => url::detect(self, hit),
                Detector::Name => assign::detect(self, &hit),
                Detector::Token => token::detect(self, hit.start),
                Detector::Pem => keys::pem(self, hit.start),
                Detector::Age => keys::age(self, hit.start),
                Detector::Jwt => encoded::jwt(self, hit.start),
                Detector::AwsKeyId => cloud::access_key_id(self, hit.start),
                Detector::Signature => cloud::signature(self, &hit),
                Detector::GoDsn => dsn::go(self, &hit),
                Detector::GetConnection => dsn::get_connection(self, hit.end),
                Detector::Oracle => dsn::oracle(self, &hit),
                Detector::PgpassLine => pgpass::line_around(self, hit.start),
                Detector::Command => argv::detect(self, &hit),
                Detector::Identified => assign::identified_by(self, hit.end),
                Detector::Encoded => encoded::base64(self, hit.start),
            }
        }
    }

    pub fn byte(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(0)
    }

    pub fn before(&self, at: usize) -> u8 {
        at.checked_sub(1).map_or(0, |at| self.byte(at))
    }

    /// A part of the text; empty where its ends are no ends of characters.
    pub fn part(&self, range: Range<usize>) -> &'t str {
        self.text.get(range).unwrap_or_default()
    }

    /// The bytes from `at`, at most `limit` of them.
    pub fn ahead(&self, at: usize, limit: usize) -> &'t [u8] {
        let end = self.text.len().min(at.saturating_add(limit));
        self.text.as_bytes().get(at..end).unwrap_or_default()
    }

    /// The end of the run of bytes from `at` that `is_part` holds for.
    pub fn run_end(&self, at: usize, limit: usize, is_part: impl Fn(u8) -> bool) -> usize {
        at + self.ahead(at, limit).iter().take_while(|byte| is_part(**byte)).count()
    }

    /// The start of the run of bytes before `at`.
    pub fn run_start(&self, at: usize, limit: usize, is_part: impl Fn(u8) -> bool) -> usize {
        let bytes = self.text.as_bytes().get(at.saturating_sub(limit)..at).unwrap_or_default();
        at - bytes.iter().rev().take_while(|byte| is_part(**byte)).count()
    }

    pub fn skip_blanks(&self, at: usize) -> usize {
        self.run_end(at, 80, |byte| byte == b' ' || byte == b'\t')
    }

    /// The line around `at` without its break, or a window of a line that is long.
    pub fn line_of(&mut self, at: usize) -> Range<usize> {
        let bytes = self.text.as_bytes();
        let is_whole = |end: usize| bytes.get(end).is_none_or(|byte| *byte == b'\n');
        let cached = &self.line;
        if cached.contains(&at) && (is_whole(cached.end) || at + REACH / 4 < cached.end) {
            return cached.clone();
        }
        let back = at.saturating_sub(REACH);
        let start = bytes
            .get(back..at)
            .and_then(|part| memchr::memrchr(b'\n', part))
            .map_or(back, |found| back + found + 1);
        let far = bytes.len().min(at + REACH);
        let end =
            bytes.get(at..far).and_then(|part| memchr::memchr(b'\n', part)).map_or(far, |found| at + found);
        self.line = self.text.ceil_char_boundary(start)..self.text.floor_char_boundary(end);
        self.line.clone()
    }

    /// The text of the line before `at`.
    pub fn line_before(&mut self, at: usize) -> &'t str {
        let line = self.line_of(at);
        self.part(line.start..at)
    }

    /// Whether the surroundings may be asked once more.
    pub fn may_look(&mut self) -> bool {
        self.lookups = self.lookups.saturating_sub(1);
        self.lookups > 0
    }

    /// The text around `at`: some lines to either side, never far.
    pub fn around(&self, at: usize, reach: usize) -> (usize, &'t str) {
        let start = self.text.ceil_char_boundary(at.saturating_sub(reach));
        let end = self.text.floor_char_boundary(self.text.len().min(at + reach));
        (start, self.part(start..end))
    }

    pub fn add(&mut self, span: Range<usize>, value: Range<usize>, kind: Kind, verdict: Verdict) {
        self.add_parts(span, vec![value.into()], kind, verdict, Vec::new());
    }

    pub fn add_parts(
        &mut self,
        span: Range<usize>,
        values: Vec<Span>,
        kind: Kind,
        verdict: Verdict,
        raw: Vec<Raw>,
    ) {
        let verdict =
            if self.place.test && kind.is_made_for_tests() { Verdict::Development } else { verdict };
        // Ends that are no ends of characters would break the mask.
        let sound = |span: &Span| self.text.get(span.start..span.end).is_some_and(|value| !value.is_empty());
        if values.iter().all(sound) && self.text.get(span.clone()).is_some() {
            self.found.push(Secret { span: span.into(), values, kind, verdict, raw });
        }
    }

    /// How far back the password of a DSN may reach: not into the one before it.
    pub fn since_last_dsn(&mut self, hit: &Range<usize>) -> usize {
        let since = hit.start.saturating_sub(self.last_dsn);
        self.last_dsn = hit.end;
        since
    }

    /// What lies before `end` was read, and nobody else needs to look at it.
    pub fn skip_to(&mut self, end: usize) {
        self.past = self.past.max(end);
    }
}

/// Part of a word as most languages and shells have it.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

pub(super) fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}
