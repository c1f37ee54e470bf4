//! Suppression: which findings the author of a document has allowed, and why.
//!
//! `# backstop: allow RULE -- reason` in the comment syntax of the document, or
//! `<!-- ... -->` in Markdown. Behind something it allows that line; alone on its
//! line it allows the next one with what is indented deeper or continues it, or in
//! Markdown the next block.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use memchr::memmem;

use crate::document::{Document, Kind};
use crate::finding::{Lines, Span};

mod below;

use below::Below;

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

/// The directives of a document, in order, and what they hold for.
#[derive(Debug, Default)]
pub struct Allows {
    pub all: Vec<Allow>,
    /// By rule: where one with a reason holds, by the first line.
    held: HashMap<String, Vec<Held>>,
}

#[derive(Debug)]
struct Held {
    /// Index into [`Allows::all`], and into its rules.
    at: (usize, usize),
    lines: RangeInclusive<usize>,
    /// The last line that it or one before it speaks of.
    reach: usize,
}

impl Allows {
    pub fn of(document: &Document) -> Self {
        let all = directives(document);
        let mut held: HashMap<String, Vec<Held>> = HashMap::new();
        for (index, allow) in all.iter().enumerate().filter(|(_, allow)| allow.reason.is_some()) {
            for (number, (id, _)) in allow.rules.iter().enumerate() {
                let one = Held { at: (index, number), lines: allow.lines.clone(), reach: 0 };
                held.entry(id.clone()).or_default().push(one);
            }
        }
        for of_rule in held.values_mut() {
            of_rule.sort_by_key(|held| *held.lines.start());
            let mut reach = 0;
            for held in of_rule {
                reach = reach.max(*held.lines.end());
                held.reach = reach;
            }
        }
        Self { all, held }
    }

    /// Whether any finding of `rule` may be meant.
    pub fn name(&self, rule: &str) -> bool {
        self.held.contains_key(rule)
    }

    /// Whether a finding of `rule` that begins on `line` is meant.
    pub fn cover(&self, rule: &str, line: usize) -> bool {
        let held = self.held.get(rule).map(Vec::as_slice).unwrap_or_default();
        let begun = held.partition_point(|held| *held.lines.start() <= line);
        held.get(..begun).and_then(<[Held]>::last).is_some_and(|held| held.reach >= line)
    }

    /// Which are needed for findings of `rule` on these sorted lines: indices into
    /// [`Allows::all`] and into its rules. Every one that allows a finding is.
    pub fn needed(&self, rule: &str, lines: &[usize]) -> impl Iterator<Item = (usize, usize)> {
        let held = self.held.get(rule).map(Vec::as_slice).unwrap_or_default();
        let is_needed = |held: &&Held| {
            let first = lines.partition_point(|line| line < held.lines.start());
            lines.get(first).is_some_and(|line| line <= held.lines.end())
        };
        held.iter().filter(is_needed).map(|held| held.at)
    }
}

fn directives(document: &Document) -> Vec<Allow> {
    let text = document.text.as_str();
    // Hardly any document has one: the others cost one look.
    let mut hits = memmem::find_iter(text.as_bytes(), MARKER).peekable();
    if hits.peek().is_none() {
        return Vec::new();
    }
    let table = Lines::new(text);
    let lines: Vec<&str> = text.split('\n').collect();
    let mut below = Below::new(&lines);
    let mut found = Vec::new();
    while let Some(first) = hits.next() {
        let number = table.number(first);
        let start = table.start(number);
        let Some(line) = lines.get(number - 1).copied() else { break };
        let on_line = std::iter::from_fn(|| hits.next_if(|at| *at < start + line.len()));
        let columns: Vec<usize> = std::iter::once(first).chain(on_line).map(|at| at - start).collect();
        let comments = comments(document.kind, line, &columns);
        for (index, comment) in comments.iter().enumerate() {
            let end = comments.get(index + 1).map_or(line.len(), |next| next.opens);
            let Some((body, rules, reason)) = directive(comment, line, start, end) else { continue };
            let covered = if comment.is_alone {
                below.of(number, comment.syntax.0, document.kind == Kind::Markdown && comment.syntax == HTML)
            } else {
                number..=number
            };
            found.push(Allow { span: body, rules, reason, lines: covered });
        }
    }
    found
}

/// A comment that begins with the marker.
struct Comment {
    /// Columns of its mark, and of the marker.
    opens: usize,
    marker: usize,
    syntax: Syntax,
    /// Whether nothing stands before it.
    is_alone: bool,
}

/// The comments of a line, by the columns of the marker.
fn comments(kind: Kind, line: &str, columns: &[usize]) -> Vec<Comment> {
    let indent = line.len() - line.trim_start().len();
    let slashes = line.find("//").unwrap_or(line.len());
    let (mut counted, mut quotes) = (0, 0);
    let mut comments = Vec::new();
    for marker in columns {
        let before = line.get(..*marker).unwrap_or_default().trim_end();
        let opened = syntaxes(kind).iter().find_map(|syntax| {
            let mark = before.strip_suffix(syntax.0)?;
            // `a#` is no comment.
            let separate = syntax.1.is_some() || mark.chars().next_back().is_none_or(char::is_whitespace);
            separate.then_some((mark.len(), *syntax))
        });
        let Some((opens, syntax)) = opened else { continue };
        let between = line.get(counted..opens).unwrap_or_default();
        (counted, quotes) = (opens, quotes + between.matches('"').count());
        // What stands in a string or in a comment of another kind is an example of one.
        let is_quoted = quotes % 2 == 1 || slashes + 2 <= opens;
        if !(is_quoted && matches!(kind, Kind::Text | Kind::TypeScript | Kind::Drizzle)) {
            comments.push(Comment { opens, marker: *marker, syntax, is_alone: opens <= indent });
        }
    }
    comments
}

type Directive = (Span, Vec<(String, Span)>, Option<String>);

/// Its place, rules and reason. The comment ends at column `end` at the latest: there
/// the line ends, or the next one begins.
fn directive(comment: &Comment, line: &str, start: usize, end: usize) -> Option<Directive> {
    let text = line.get(comment.marker..end)?;
    let closes = comment.syntax.1;
    let body = closes.and_then(|closes| text.split(closes).next()).unwrap_or(text).trim_end();
    let body = if closes.is_some() { body.trim_end_matches('-').trim_end() } else { body };
    let rest = body.strip_prefix(MARKER)?.trim_start().strip_prefix("allow")?;
    if !rest.is_empty() && !rest.starts_with([' ', '\t']) {
        return None;
    }
    let (ids, reason) = rest.split_once("--").map_or((rest, ""), |(ids, reason)| (ids, reason.trim()));
    let at = start + comment.marker;
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
    let reason = Some(reason.to_owned()).filter(|reason| !reason.is_empty());
    Some((Span::new(at, at + body.len()), rules, reason))
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
        directives(&Document::new(path, text)).into_iter().map(line).collect()
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
    fn comments_behind_each_other_are_one_each() {
        assert_eq!(
            told("a.sql", "x /* backstop: allow r-a -- why */ /* backstop: allow r-b -- so */\n"),
            "r-a (why) 1-1\nr-b (so) 1-1\n"
        );
        assert_eq!(
            told("a.sh", "x # backstop: allow r-a -- why # backstop: allow r-b -- says backstop: too\n"),
            "r-a (why) 1-1\nr-b (says backstop: too) 1-1\n"
        );
        assert_eq!(told("a.rs", "a(\"b\"); // see backstop: # backstop: allow r-a -- why\n"), "");
    }

    #[test]
    fn of_many_those_that_hold_are_needed() {
        let text = "# backstop: allow r-a -- why\n# backstop: allow r-b r-a -- why\n# backstop: allow r-a\na\n b\nc # backstop: allow r-a -- why\nd\n";
        let allows = Allows::of(&Document::new("a.sh", text));
        let covered: Vec<usize> = (1..8).filter(|line| allows.cover("r-a", *line)).collect();
        assert_eq!(covered, [4, 5, 6]);
        let needed = |rule, lines: &[usize]| allows.needed(rule, lines).collect::<Vec<_>>();
        assert_eq!(needed("r-a", &[1, 5, 7]), [(0, 0), (1, 1)]);
        assert_eq!(needed("r-a", &[6]), [(3, 0)]);
        assert_eq!(needed("r-b", &[3, 6]), []);
        assert!(allows.name("r-b") && !allows.name("r-c"));
    }

    #[test]
    fn hostile_text_is_read_in_one_pass() {
        const MANY: usize = 30_000;
        for (path, piece) in [
            ("a.sh", "# backstop: allow r-a -- why\n"),
            ("a.sh", "# backstop: allow r-a -- why \\\nx \\\n"),
            ("a.md", "<!-- backstop: allow r-a -- why -->\nx\n"),
            ("a.sql", "/* backstop: allow r-a -- why */ "),
            ("a.txt", "# backstop: allow r-a "),
        ] {
            let allows = Allows::of(&Document::new(path, piece.repeat(MANY)));
            assert_eq!(allows.all.len(), MANY, "{piece:?}");
            assert_eq!(allows.needed("r-a", &[2 * MANY + 1]).count(), 0);
        }
        for piece in ["\"# backstop: allow a -- b", "/* backstop: allowed "] {
            let text = piece.repeat(MANY);
            assert!(directives(&Document::new("a.ts", text)).len() <= MANY / 2, "{piece:?}");
        }
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
