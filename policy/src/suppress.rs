//! Suppression: which findings the author of a document has allowed, and why.
//!
//! `# backstop: allow RULE -- reason` in the comment syntax of the document, or
//! `<!-- ... -->` in Markdown. Behind something it allows that line; alone on its
//! line it allows the next one with what is indented deeper or continues it, or in
//! Markdown the next block.

use std::ops::RangeInclusive;

use memchr::memmem;

use crate::document::{Document, Kind};
use crate::finding::{Lines, Span};

/// What every directive starts with.
const MARKER: &str = "backstop:";

/// A mark that opens a comment, and the one that closes it.
type Syntax = (&'static str, Option<&'static str>);

const HASH: Syntax = ("#", None);
const SEMICOLON: Syntax = (";", None);
const DASHES: Syntax = ("--", None);
const SLASHES: Syntax = ("//", None);
const STARS: Syntax = ("/*", Some("*/"));
const HTML: Syntax = ("<!--", Some("-->"));

/// The comments of a kind. JSON has none, but its readers mostly take `//`.
fn syntaxes(kind: Kind) -> &'static [Syntax] {
    match kind {
        Kind::Sql => &[DASHES, STARS],
        Kind::TypeScript | Kind::Drizzle | Kind::Lifecycle | Kind::BucketPolicy => &[SLASHES, STARS],
        Kind::Systemd => &[HASH, SEMICOLON],
        // A document speaks its own language, its blocks each another.
        Kind::Markdown | Kind::Text => &[HTML, HASH, DASHES, SLASHES, STARS, SEMICOLON],
        _ => &[HASH],
    }
}

/// What opens and closes a comment of a kind, where it has one to itself.
pub fn comment(kind: Kind) -> Option<(&'static str, &'static str)> {
    let (opens, closes) = syntaxes(kind).first()?;
    Some((opens, closes.map_or("", |closes| if closes == "-->" { " -->" } else { closes })))
}

/// One directive, whether it holds or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// From the marker to the end of the reason.
    pub span: Span,
    /// Ids as they are written, each with its place.
    pub rules: Vec<(String, Span)>,
    pub reason: Option<String>,
    /// Lines that findings may begin on, counted from one.
    pub lines: RangeInclusive<usize>,
}

impl Allow {
    /// Whether a finding of `rule` that begins on `line` is meant. Without a reason
    /// none is.
    pub fn covers(&self, rule: &str, line: usize) -> bool {
        self.reason.is_some() && self.lines.contains(&line) && self.rules.iter().any(|(id, _)| id == rule)
    }
}

/// Every directive of a document, in order.
pub fn allows(document: &Document) -> Vec<Allow> {
    let text = document.text.as_str();
    // Hardly any document has one: the others cost one look.
    let mut hits = memmem::find_iter(text.as_bytes(), MARKER).peekable();
    if hits.peek().is_none() {
        return Vec::new();
    }
    let lines = Lines::new(text);
    let all: Vec<&str> = text.split('\n').collect();
    hits.filter_map(|at| directive(document.kind, at, &lines, &all)).collect()
}

fn directive(kind: Kind, at: usize, lines: &Lines<'_>, all: &[&str]) -> Option<Allow> {
    let number = lines.position(at).line;
    let line = all.get(number - 1)?;
    let column = at - lines.start(number);
    let before = line.get(..column)?.trim_end();
    let (mark, (opens, closes)) = syntaxes(kind).iter().find_map(|syntax| {
        let mark = before.strip_suffix(syntax.0)?;
        // `a#` is no comment.
        let separate = syntax.1.is_some() || mark.chars().next_back().is_none_or(char::is_whitespace);
        separate.then_some((mark, *syntax))
    })?;
    // What stands in a string or in a comment of another kind is an example of one.
    let is_quoted = mark.matches('"').count() % 2 == 1 || mark.contains("//");
    if is_quoted && matches!(kind, Kind::Text | Kind::TypeScript | Kind::Drizzle) {
        return None;
    }
    let comment = line.get(column..)?;
    let body = closes.and_then(|closes| comment.split(closes).next()).unwrap_or(comment).trim_end();
    let body = if closes.is_some() { body.trim_end_matches('-').trim_end() } else { body };
    let rest = body.strip_prefix(MARKER)?.trim_start().strip_prefix("allow")?;
    if !rest.is_empty() && !rest.starts_with([' ', '\t']) {
        return None;
    }
    let (ids, reason) = rest.split_once("--").map_or((rest, ""), |(ids, reason)| (ids, reason.trim()));
    let first = at + body.len() - rest.len();
    let separator = |c: char| matches!(c, ' ' | '\t' | ',');
    let mut rules = Vec::new();
    let mut offset = 0;
    for id in ids.split(separator) {
        if !id.is_empty() {
            rules.push((id.to_owned(), Span::new(first + offset, first + offset + id.len())));
        }
        offset += id.len() + 1;
    }
    let covered = if mark.trim().is_empty() {
        below(kind == Kind::Markdown && opens == HTML.0, opens, number, all)
    } else {
        number..=number
    };
    Some(Allow {
        span: Span::new(at, at + body.len()),
        rules,
        reason: Some(reason.to_owned()).filter(|reason| !reason.is_empty()),
        lines: covered,
    })
}

/// The lines that a comment alone on line `number` speaks of.
fn below(prose: bool, opens: &str, number: usize, all: &[&str]) -> RangeInclusive<usize> {
    let line = |number: usize| all.get(number - 1).copied();
    let mut first = number + 1;
    // Other comments and empty lines may lie between.
    while line(first).is_some_and(|text| text.trim().is_empty() || text.trim_start().starts_with(opens)) {
        first += 1;
    }
    let Some(text) = line(first) else { return number..=number };
    let mut last = first;
    if prose {
        let fence = ["```", "~~~"].into_iter().find(|fence| text.trim_start().starts_with(fence));
        while let Some(next) = line(last + 1) {
            let ends = match fence {
                Some(fence) => next.trim_start().starts_with(fence),
                None => next.trim().is_empty(),
            };
            last += usize::from(fence.is_some() || !ends);
            if ends {
                break;
            }
        }
        return first..=last;
    }
    let indent = |text: &str| text.len() - text.trim_start().len();
    let own = indent(text);
    let mut blank = 0;
    while let Some(next) = line(last + blank + 1) {
        if next.trim().is_empty() {
            blank += 1;
            continue;
        }
        let goes_on =
            blank == 0 && line(last).is_some_and(|text| text.trim_end().ends_with(['\\', '|', '(']));
        let word = next.trim_start();
        let continues = blank == 0 && (word.starts_with('|') || word.starts_with("&&"));
        if indent(next) <= own && !goes_on && !continues {
            break;
        }
        last += blank + 1;
        blank = 0;
    }
    first..=last
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ids (reason) lines` of each directive.
    fn told(path: &str, text: &str) -> String {
        let line = |allow: Allow| {
            let ids: Vec<&str> = allow
                .rules
                .iter()
                .map(|(id, span)| {
                    assert_eq!(&text[span.start..span.end], id);
                    id.as_str()
                })
                .collect();
            let (first, last) = allow.lines.into_inner();
            format!("{} ({}) {first}-{last}\n", ids.join(" "), allow.reason.unwrap_or_default())
        };
        allows(&Document::new(path, text)).into_iter().map(line).collect()
    }

    #[test]
    fn each_kind_has_its_own_comments() {
        let told =
            |path: &str, comment: &str| told(path, &format!("{comment}\n{{\"Rules\": [\"Expiration\"]}}\n"));
        for (path, comment) in [
            ("a.sh", "# backstop: allow r-a -- why"),
            (".github/workflows/a.yml", "  #   backstop:   allow r-a -- why"),
            ("a.sql", "-- backstop: allow r-a -- why"),
            ("a.sql", "/* backstop: allow r-a -- why */"),
            ("a.ts", "// backstop: allow r-a -- why"),
            ("lifecycle.json", "// backstop: allow r-a -- why"),
            ("a.md", "<!-- backstop: allow r-a -- why -->"),
            ("a.py", "# backstop: allow r-a -- why"),
            ("a.txt", "; backstop: allow r-a -- why"),
        ] {
            assert_eq!(told(path, comment), "r-a (why) 2-2\n", "{path}");
        }
        for (path, text) in [
            ("a.sh", "// backstop: allow r-a -- why"),
            ("a.sh", "echo a#backstop: allow r-a -- why"),
            ("a.sh", "# the word backstop: allowed"),
            ("a.sh", "# backstop: allowed r-a -- why"),
            ("a.md", "see `backstop: allow r-a -- why`"),
            ("a.rs", "let a = \" # backstop: allow r-a -- why\";"),
            ("a.rs", "/// # backstop: allow r-a -- why"),
        ] {
            assert_eq!(told(path, text), "", "{text}");
        }
    }

    #[test]
    fn several_rules_one_reason_or_none() {
        assert_eq!(
            told("a.sh", "x # backstop: allow r-a, r-b -- it's -- fine\n"),
            "r-a r-b (it's -- fine) 1-1\n"
        );
        assert_eq!(told("a.sh", "x # backstop: allow r-a\n"), "r-a () 1-1\n");
        assert_eq!(told("a.sh", "x # backstop: allow r-a --  \n"), "r-a () 1-1\n");
        assert_eq!(told("a.md", "<!-- backstop: allow r-a -->\nx"), "r-a () 2-2\n");
        assert_eq!(told("a.sh", "# backstop: allow"), " () 1-1\n");
    }

    #[test]
    fn a_comment_alone_speaks_of_what_it_introduces() {
        let command = "# backstop: allow r-a -- why\n# more\n\npg_dump a \\\n  -Fc\n| gzip\n\nls\n";
        assert_eq!(told("a.sh", command), "r-a (why) 4-6\n");
        let step = "    steps:\n      # backstop: allow r-a -- why\n      - run: |\n          a\n\n          b\n      - run: c\n";
        assert_eq!(told(".github/workflows/a.yml", step), "r-a (why) 3-6\n");
    }

    #[test]
    fn in_prose_it_speaks_of_the_next_block() {
        let allow = "<!-- backstop: allow r-a -- why -->\n";
        assert_eq!(told("a.md", &format!("{allow}\none\ntwo\n\nthree\n")), "r-a (why) 3-4\n");
        assert_eq!(told("a.md", &format!("{allow}```sh\na\n\nb\n```\nc\n")), "r-a (why) 2-6\n");
        assert_eq!(told("a.md", "```sh\n# backstop: allow r-a -- why\na\nb\n```\n"), "r-a (why) 3-3\n");
    }
}
