//! Many words looked for in one pass: each text is read once, whatever the number of
//! words, and without regard to the case of ASCII.

use std::sync::LazyLock;

use aho_corasick::automaton::Automaton;
use aho_corasick::dfa::DFA;
use aho_corasick::{Input, Match, MatchKind};

/// A dense automaton: one step a byte, whatever the text is.
pub type Words = LazyLock<Option<DFA>>;

/// Of two words that start at one place the first one counts.
pub fn automaton(words: &[&str]) -> Option<DFA> {
    DFA::builder().ascii_case_insensitive(true).match_kind(MatchKind::LeftmostFirst).build(words).ok()
}

/// Every hit, in the order of the text, and none within another.
pub fn hits<'t>(words: &'static Words, text: &'t str) -> impl Iterator<Item = Match> + 't {
    words.as_ref().and_then(|words| words.try_find_iter(Input::new(text)).ok()).into_iter().flatten()
}

/// Whether a text holds one of the words.
pub fn has(words: &'static Words, text: &str) -> bool {
    hits(words, text).next().is_some()
}
