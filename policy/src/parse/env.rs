//! Files of environment variables: `.env` as dotenv and Compose read it, and
//! systemd's `EnvironmentFile`, which is a subset.
//!
//! A value keeps its bytes; what expansion would make of `$NAME` is not done.

use super::source::{self, Source};
use crate::finding::Span;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Env {
    pub entries: Vec<Entry>,
    /// From the `#` on.
    pub comments: Vec<Span>,
    /// Lines that set nothing and are no comments.
    pub invalid: Vec<Span>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub span: Span,
    pub exported: bool,
    pub name: String,
    /// Where the value lies, without its quotes.
    pub value_span: Span,
    /// As written between its quotes.
    pub value: String,
    pub quote: Option<char>,
}

impl Env {
    /// The last value of a name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().rfind(|entry| entry.name == name)
    }
}

pub fn parse(text: &str) -> Env {
    parse_in(&Source::whole(text))
}

pub fn parse_in(source: &Source<'_>) -> Env {
    let text = source.text();
    let mut env = Env::default();
    // Up to here a quoted value of several lines was read.
    let mut done = 0;
    // No such quote lies ahead.
    let mut none_ahead = [false; 3];
    for (offset, line) in source::lines(text) {
        if offset < done {
            continue;
        }
        let body = line.trim_start_matches(['\u{feff}', ' ', '\t']);
        let start = offset + line.len() - body.len();
        if body.trim_end().is_empty() {
            continue;
        }
        if body.starts_with('#') {
            env.comments.push(source.span(start, offset + line.trim_end().len()));
            continue;
        }
        let Some((exported, name, at)) = name(body) else {
            env.invalid.push(source.span(start, offset + line.trim_end().len()));
            continue;
        };
        let value = value(text, start + at, offset + line.len(), &mut none_ahead);
        if let Some(comment) = value.comment {
            env.comments.push(source.span(comment, offset + line.trim_end().len()));
        }
        done = value.end;
        env.entries.push(Entry {
            span: source.span(start, value.end),
            exported,
            name: name.to_owned(),
            value_span: source.span(value.inner.0, value.inner.1),
            value: text.get(value.inner.0..value.inner.1).unwrap_or_default().to_owned(),
            quote: value.quote,
        });
    }
    env
}

/// `[export ]NAME=` and its length. `NAME: value` is read too.
fn name(line: &str) -> Option<(bool, &str, usize)> {
    let bare = line.strip_prefix("export ").map(str::trim_start);
    let rest = bare.unwrap_or(line);
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')))?;
    let name = rest.get(..end).filter(|name| !name.is_empty())?;
    let after = rest.get(end..)?;
    let blank = after.len() - after.trim_start_matches([' ', '\t']).len();
    let separator = after.get(blank..)?;
    let colon = separator.starts_with(": ") && blank == 0;
    (separator.starts_with('=') || colon).then_some((
        bare.is_some(),
        name,
        line.len() - rest.len() + end + blank + 1,
    ))
}

struct Value {
    inner: (usize, usize),
    /// Behind the value and its quotes.
    end: usize,
    quote: Option<char>,
    comment: Option<usize>,
}

fn value(text: &str, from: usize, line_end: usize, none_ahead: &mut [bool; 3]) -> Value {
    let slice = text.get(from..line_end).unwrap_or_default();
    let start = from + slice.len() - slice.trim_start_matches([' ', '\t']).len();
    let quote = text.get(start..).and_then(|rest| rest.chars().next());
    if let Some(quote) = quote
        && let Some(index) = ['"', '\'', '`'].into_iter().position(|mark| mark == quote)
        && !none_ahead[index]
    {
        match closing(text, start + 1, quote) {
            Ok(close) => {
                return Value {
                    inner: (start + 1, close),
                    end: close + 1,
                    quote: Some(quote),
                    comment: None,
                };
            }
            Err(stopped) => none_ahead[index] = stopped == text.len(),
        }
    }
    let raw = text.get(start..line_end).unwrap_or_default();
    // A comment stands behind a blank.
    let comment = [" #", "\t#"].into_iter().filter_map(|mark| raw.find(mark)).min();
    let kept = raw.get(..comment.unwrap_or(raw.len())).unwrap_or_default().trim_end();
    let end = start + kept.len();
    Value { inner: (start, end), end, quote: None, comment: comment.map(|at| start + at + 1) }
}

/// The end of a quoted value, which may be lines away; else where the search
/// ended. A line that sets another name is no part of it: somebody forgot the quote.
fn closing(text: &str, from: usize, quote: char) -> Result<usize, usize> {
    let mut escaped = false;
    let mut line_start = false;
    for (at, found) in text.get(from..).unwrap_or_default().char_indices() {
        let at = from + at;
        if line_start {
            let line = text.get(at..).unwrap_or_default().lines().next().unwrap_or_default();
            if name(line).is_some_and(|(_, name, _)| is_upper(name)) {
                return Err(at);
            }
        }
        line_start = found == '\n';
        match found {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            found if found == quote => return Ok(at),
            _ => {}
        }
    }
    Err(text.len())
}

fn is_upper(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn outline(text: &str) -> String {
        let env = parse(text);
        let entries = env.entries.iter().map(|entry| {
            assert_eq!(&text[entry.value_span.start..entry.value_span.end], entry.value);
            let exported = if entry.exported { "export " } else { "" };
            format!("{exported}{}={:?}", entry.name, entry.value)
        });
        let slice = |span: &Span| format!("{:?}", &text[span.start..span.end]);
        let comments = env.comments.iter().map(slice);
        let invalid = env.invalid.iter().map(|span| format!("! {}", slice(span)));
        entries.chain(comments).chain(invalid).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn names_values_and_comments() {
        insta::assert_snapshot!(outline(concat!(
            "# Database\n",
            "DATABASE_URL=postgresql://u:p#1@h/db # the one\r\n",
            "export A='one # two'\n",
            "B = \"x \\\" y\"\n",
            "KEY=\"-----BEGIN\nline\n-----END\"\n",
            "EMPTY=\n",
            "OPEN=\"never closed\n",
            "NEXT=\"1\"\n",
            "yaml: value\n",
            "just words\n",
            "spring.datasource.url=jdbc",
        )), @r##"
        DATABASE_URL="postgresql://u:p#1@h/db"
        export A="one # two"
        B="x \\\" y"
        KEY="-----BEGIN\nline\n-----END"
        EMPTY=""
        OPEN="\"never closed"
        NEXT="1"
        yaml="value"
        spring.datasource.url="jdbc"
        "# Database"
        "# the one"
        ! "just words"
        "##);
    }

    #[test]
    fn the_last_value_counts() {
        assert_eq!(parse("A=1\nA=2").get("A").map(|entry| entry.value.clone()), Some("2".to_owned()));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[A=a\"'`# \\\\\n\t:.\u{e9}]{0,60}") {
            for entry in parse(&text).entries {
                prop_assert!(text.get(entry.span.start..entry.span.end).is_some());
            }
        }
    }
}
