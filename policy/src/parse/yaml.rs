//! YAML (and so JSON) as a tree in which every key and value keeps its bytes.
//!
//! Nothing is interpreted that a reader should judge: duplicate keys stay,
//! aliases and tags are kept as such and never expanded. Nesting is bounded by
//! [`DEPTH`]. The only file that names the parser library.

use std::borrow::Cow;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle};

use crate::finding::Span;

/// Collections inside collections; more is an error and never a stack overflow.
pub const DEPTH: usize = 100;

#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub span: Span,
    /// The node's explicit tag (`!env`, `!!str`), where it has one.
    pub tag: Option<Span>,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
    /// `*name`: never followed, so no bomb can go off.
    Alias,
}

/// One key with its value. A mapping may hold the same key twice.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub key: Node,
    pub value: Node,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// After escapes and line folding.
    pub text: String,
    /// Without quotes: only then may it be a number, a boolean or null.
    pub plain: bool,
    /// A block behind `|` or `>`.
    pub block: bool,
}

/// What a scalar is in YAML 1.2's core schema (`yes` and `on` are text there).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Null,
    Boolean,
    Integer,
    Float,
    Text,
}

impl Scalar {
    pub fn kind(&self) -> Kind {
        if !self.plain {
            return Kind::Text;
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
            "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Kind::Boolean,
            text if is_integer(text) => Kind::Integer,
            text if is_float(text) => Kind::Float,
            _ => Kind::Text,
        }
    }
}

impl Node {
    pub fn as_scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// What it is, for "expected x, found y".
    pub fn describe(&self) -> &'static str {
        match &self.value {
            Value::Alias => "an alias",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
            Value::Scalar(scalar) => match scalar.kind() {
                Kind::Null => "nothing",
                Kind::Boolean => "a boolean",
                Kind::Integer | Kind::Float => "a number",
                Kind::Text => "text",
            },
        }
    }

    /// Where a part of a scalar's text lies in the document. The whole node
    /// where escapes or folding keep the two from running in step.
    pub fn locate(&self, source: &str, part: std::ops::Range<usize>) -> Span {
        let Some(scalar) = self.as_scalar() else { return self.span };
        let Some(slice) = source.get(self.span.start..self.span.end) else { return self.span };
        let quote = usize::from(slice.starts_with(['"', '\'']) && !scalar.plain && !scalar.block);
        match slice.get(quote..quote + scalar.text.len()) {
            Some(inner) if inner == scalar.text => {
                Span::from(self.span.start + quote..self.span.end).part(part)
            }
            _ => self.span,
        }
    }

    /// Every scalar below this node, keys included, in document order.
    pub fn scalars<'n>(&'n self, visit: &mut dyn FnMut(&'n Node, &'n Scalar)) {
        match &self.value {
            Value::Scalar(scalar) => visit(self, scalar),
            Value::Sequence(items) => items.iter().for_each(|item| item.scalars(visit)),
            Value::Mapping(entries) => {
                for entry in entries {
                    entry.key.scalars(visit);
                    entry.value.scalars(visit);
                }
            }
            Value::Alias => {}
        }
    }
}

/// Text that is no YAML, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub span: Span,
    pub message: String,
}

/// Every document of a stream.
pub fn parse(text: &str) -> Result<Vec<Node>, Error> {
    // The library takes the mark for text; it is no part of the document.
    let skipped = text.len() - text.trim_start_matches('\u{feff}').len();
    let body = text.get(skipped..).unwrap_or_default();
    let options = granit_parser::options! {
        // Comments are not kept, so their buffer must not limit a commented file.
        emit_comments: false,
        emit_unresolved_aliases: true,
        flow_nesting_limit: DEPTH,
        block_nesting_limit: DEPTH,
    };
    let mut tree = Builder { skipped, documents: Vec::new(), open: Vec::new() };
    for event in Parser::new_from_str_with_options(body, options) {
        let (event, span) = event.map_err(|error| {
            let at = skipped + error.marker().byte_offset().unwrap_or_default().min(body.len());
            let message = match error.kind() {
                ErrorKind::RecursionLimitExceeded => format!("more than {DEPTH} levels of nesting"),
                _ => error.info().to_ascii_lowercase(),
            };
            Error { span: Span::new(at, at), message }
        })?;
        tree.take(event, span);
    }
    Ok(tree.documents)
}

struct Builder {
    skipped: usize,
    documents: Vec<Node>,
    open: Vec<Open>,
}

/// A collection whose end has not come.
struct Open {
    start: Span,
    tag: Option<Span>,
    items: Vec<Node>,
    mapping: bool,
}

impl Builder {
    fn span(&self, span: granit_parser::Span) -> Span {
        let range = span.byte_range().unwrap_or_default();
        Span::new(range.start + self.skipped, range.end + self.skipped)
    }

    fn take(&mut self, event: Event<'_>, at: granit_parser::Span) {
        let span = self.span(at);
        let tag = at.tag_span().map(|tag| self.span(tag));
        match event {
            Event::Scalar(text, style, ..) => {
                let plain = style == ScalarStyle::Plain;
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let text = Cow::into_owned(text);
                self.push(Node { span, tag, value: Value::Scalar(Scalar { text, plain, block }) });
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.push(Node { span, tag, value: Value::Alias });
            }
            Event::SequenceStart(..) => {
                self.open.push(Open { start: span, tag, items: Vec::new(), mapping: false });
            }
            Event::MappingStart(..) => {
                self.open.push(Open { start: span, tag, items: Vec::new(), mapping: true });
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            _ => {}
        }
    }

    fn close(&mut self, end: Span) {
        let Some(Open { start, tag, items, mapping }) = self.open.pop() else { return };
        // A block collection ends where its last item does, not on the next line.
        let last = items.last().map_or(start.end, |item| item.span.end);
        let end = if end.end > end.start { end.end } else { last.max(start.end) };
        let first = items.first().map_or(start.start, |item| item.span.start.min(start.start));
        let value = if mapping { Value::Mapping(pairs(items)) } else { Value::Sequence(items) };
        self.push(Node { span: Span::new(first, end), tag, value });
    }

    fn push(&mut self, node: Node) {
        match self.open.last_mut() {
            Some(open) => open.items.push(node),
            None => self.documents.push(node),
        }
    }
}

fn pairs(items: Vec<Node>) -> Vec<Entry> {
    let mut items = items.into_iter();
    let mut entries = Vec::with_capacity(items.len() / 2);
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        entries.push(Entry { key, value });
    }
    entries
}

fn is_integer(text: &str) -> bool {
    let digits = unsigned(text);
    let all = |digits: &str, test: fn(&u8) -> bool| !digits.is_empty() && digits.as_bytes().iter().all(test);
    all(digits, u8::is_ascii_digit)
        || text.strip_prefix("0x").is_some_and(|hex| all(hex, u8::is_ascii_hexdigit))
        || text.strip_prefix("0o").is_some_and(|octal| all(octal, |byte| (b'0'..=b'7').contains(byte)))
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['-', '+']).unwrap_or(text)
}

fn is_float(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let number = unsigned(text);
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = unsigned(exponent);
    matches!(number, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN")
        || (digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()))
            && (digits(exponent) && !exponent.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The tree as `text@start..end`, which shows both shape and spans.
    fn outline(node: &Node, text: &str) -> String {
        let slice = &text[node.span.start..node.span.end];
        match &node.value {
            Value::Scalar(scalar) => format!("{:?}<{slice}>", scalar.kind()),
            Value::Alias => format!("Alias<{slice}>"),
            Value::Sequence(items) => {
                format!("[{}]", items.iter().map(|item| outline(item, text)).collect::<Vec<_>>().join(", "))
            }
            Value::Mapping(entries) => {
                let pair =
                    |entry: &Entry| format!("{}: {}", outline(&entry.key, text), outline(&entry.value, text));
                format!("{{{}}}", entries.iter().map(pair).collect::<Vec<_>>().join(", "))
            }
        }
    }

    fn outlines(text: &str) -> String {
        parse(text).unwrap().iter().map(|node| outline(node, text)).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn numbers_are_told_from_words() {
        for text in ["1.5", "-1.5", "+.5", "1.", "1e3", "1.5E-3", "-.inf", ".NaN"] {
            assert!(is_float(text) && !is_integer(text), "{text}");
        }
        for text in ["", "-", ".", "e3", "1e", "1e+", "--1.5", "1.2.3", "1.5x", "inf", "nan"] {
            assert!(!is_float(text), "{text}");
        }
    }

    #[test]
    fn keys_and_values_keep_their_bytes() {
        insta::assert_snapshot!(
            outlines("a: 1\nb: [on, 'x', \"ü\", 2.5, true]\nc:\n  - d: ~\n  - e:\nf: |\n  two\n  lines\n"),
            @r#"
        {Text<a>: Integer<1>, Text<b>: [Text<on>, Text<'x'>, Text<"ü">, Float<2.5>, Boolean<true>], Text<c>: [{Text<d>: Null<~>}, {Text<e>: Null<>}], Text<f>: Text<two
          lines
        >}
        "#);
    }

    #[test]
    fn json_is_yaml() {
        insta::assert_snapshot!(outlines("{\n\t\"a\": {\"b\": [1, null, \"${X}\"]}\n}"), @r#"{Text<"a">: {Text<"b">: [Integer<1>, Null<null>, Text<"${X}">]}}"#);
    }

    #[test]
    fn duplicate_keys_aliases_and_tags_are_kept() {
        insta::assert_snapshot!(outlines("a: &x 1\na: *x\nb: *missing\n<<: {c: 1}\n"), @r"{Text<a>: Integer<1>, Text<a>: Alias<*x>, Text<b>: Alias<*missing>, Text<<<>: {Text<c>: Integer<1>}}");
        let tagged = parse("a: !env FOO").unwrap();
        let Value::Mapping(entries) = &tagged[0].value else { panic!("no mapping") };
        assert_eq!(entries[0].value.tag, Some(Span::new(3, 7)));
    }

    #[test]
    fn a_collection_ends_where_its_last_item_does() {
        let text = "a:\n  b: 1\n\n# comment\nc: [1,\n 2]\nd: 4\n";
        let documents = parse(text).unwrap();
        let Value::Mapping(entries) = &documents[0].value else { panic!("no mapping") };
        let slices: Vec<_> = entries.iter().map(|e| &text[e.value.span.start..e.value.span.end]).collect();
        assert_eq!(slices, ["b: 1", "[1,\n 2]", "4"]);
    }

    #[test]
    fn every_document_of_a_stream_is_there() {
        assert_eq!(parse("a: 1\n---\nb: 2\n").unwrap().len(), 2);
        assert_eq!(parse("# only a comment\n").unwrap().len(), 0);
    }

    #[test]
    fn a_byte_order_mark_shifts_no_span() {
        assert_eq!(outlines("\u{feff}a: 1"), "{Text<a>: Integer<1>}");
    }

    #[test]
    fn errors_point_at_the_byte() {
        let at = |text: &str| parse(text).map_err(|error| (error.span.start, error.message));
        insta::assert_debug_snapshot!(at("a: [1, 2\nb: 3\n"), @r#"
        Err(
            (
                10,
                "illegal placement of ':' indicator",
            ),
        )
        "#);
        insta::assert_debug_snapshot!(at("a: 1\n\tb: 2\n"), @r#"
        Err(
            (
                3,
                "while scanning a plain scalar, found a tab",
            ),
        )
        "#);
        insta::assert_debug_snapshot!(at("a: 'open\n"), @r#"
        Err(
            (
                9,
                "invalid indentation in multiline quoted scalar",
            ),
        )
        "#);
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_overflow() {
        for text in ["[".repeat(10_000), "{a: ".repeat(10_000), "- ".repeat(10_000), "? ".repeat(10_000)] {
            assert_eq!(parse(&text).unwrap_err().message, "more than 100 levels of nesting");
        }
        let block = (0..10_000).map(|depth| " ".repeat(depth) + "a:").collect::<Vec<_>>().join("\n");
        assert_eq!(parse(&block).unwrap_err().message, "more than 100 levels of nesting");
    }

    #[test]
    fn a_part_of_a_scalar_is_found_in_the_document() {
        let text = "a: \"x${Y}\"\nb: x${Y}\nc: \"\\x41${Y}\"";
        let documents = parse(text).unwrap();
        let Value::Mapping(entries) = &documents[0].value else { panic!("no mapping") };
        let found: Vec<_> = entries.iter().map(|entry| entry.value.locate(text, 1..5)).collect();
        assert_eq!(&text[found[0].start..found[0].end], "${Y}");
        assert_eq!(&text[found[1].start..found[1].end], "${Y}");
        assert_eq!(found[2], entries[2].value.span);
    }

    proptest! {
        #[test]
        fn spans_lie_in_the_text_and_nothing_panics(text in "[-a:\\[\\]{}'\"&*!|> \n#,?\u{e9}1]{0,80}") {
            if let Ok(documents) = parse(&text) {
                for node in &documents {
                    node.scalars(&mut |node, _| {
                        assert!(text.get(node.span.start..node.span.end).is_some(), "{:?}", node.span);
                    });
                }
            }
        }
    }
}
