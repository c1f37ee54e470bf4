//! From a YAML tree to typed values with spans.
//!
//! One trait says how a type is read and what JSON Schema describes it; the
//! `section!` macro writes both, and the struct, from one list of keys, so that
//! parser, schema and documentation cannot drift apart. A value that cannot be
//! read leaves a finding and never stops the reading of the rest.

use std::ops::Deref;

use serde_json::{Map, Value as Json, json};

use crate::finding::{Finding, Lines, Span};
use crate::parse::yaml::{self, Kind, Node};
use crate::secrets;

use super::template::Variable;

/// A value and where it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Spanned<T> {
    pub value: T,
    pub span: Span,
}

impl<T> Deref for Spanned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

/// Something that a key can hold.
pub(super) trait Value: Sized {
    /// A JSON Schema; sections are put into `definitions` and referred to.
    fn schema(definitions: &mut Map<String, Json>) -> Json;
    /// The value, or `None` after at least one finding.
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self>;
    /// What an absent key means; `None` where the key is required.
    fn absent() -> Option<Self> {
        None
    }
}

/// What one reading of one file gathers.
pub(super) struct Reader<'t> {
    pub path: &'t str,
    pub text: &'t str,
    pub lines: Lines<'t>,
    /// The key whose value is being read, for messages.
    pub key: &'static str,
    pub findings: Vec<Finding>,
    pub references: Vec<Reference>,
    pub variables: Vec<Variable>,
}

/// A name that must be defined elsewhere in the file.
pub(super) struct Reference {
    pub target: Target,
    pub name: Spanned<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Store,
    Tier,
}

impl<'t> Reader<'t> {
    pub fn new(path: &'t str, text: &'t str) -> Self {
        Self {
            path,
            text,
            lines: Lines::new(text),
            key: "",
            findings: Vec::new(),
            references: Vec::new(),
            variables: Vec::new(),
        }
    }

    pub fn error(&mut self, rule: &'static str, span: Span, message: impl Into<String>) {
        self.findings.push(Finding::error(rule, self.path, span, message));
    }

    pub fn error_help(
        &mut self,
        rule: &'static str,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.findings.push(Finding::error(rule, self.path, span, message).help(help));
    }

    /// "expected x, found y". Aliases were reported before anything was read.
    pub fn wrong_type(&mut self, node: &Node, expected: &str) {
        if !matches!(node.value, yaml::Value::Alias) {
            let (key, found) = (self.key, node.describe());
            self.error("wrong-type", node.span, format!("'{key}' takes {expected}, not {found}"));
        }
    }

    /// The text of a scalar that is text.
    pub fn text_of<'n>(&mut self, node: &'n Node, expected: &str) -> Option<&'n str> {
        match node.as_scalar() {
            Some(scalar) if scalar.kind() == Kind::Text => Some(&scalar.text),
            Some(scalar) if scalar.kind() != Kind::Null => {
                self.wrong_type(node, expected);
                if let Some(last) = self.findings.last_mut().filter(|_| expected == "text") {
                    last.help = Some("put it in quotes".to_owned());
                }
                None
            }
            _ => {
                self.wrong_type(node, expected);
                None
            }
        }
    }

    /// A scalar in a small language of its own, without variables.
    pub fn parse_text<T>(
        &mut self,
        node: &Node,
        expected: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text_of(node, expected)?;
        if text.contains("${") {
            let message = format!("a variable cannot stand in '{}'", self.key);
            self.error("misplaced-variable", node.span, message);
            return None;
        }
        parse(text).map_err(|why| self.invalid(node, text, &why)).ok()
    }

    pub fn invalid(&mut self, node: &Node, text: &str, why: &str) {
        self.error(
            "invalid-value",
            node.span,
            format!("{} cannot be used for '{}': {why}", quote(text), self.key),
        );
    }
}

/// A value as a message may show it: short, and never with a secret in it.
pub(super) fn quote(text: &str) -> String {
    if secrets::password_in_url(text).is_some() || secrets::private_key(text).is_some() {
        return "the value".to_owned();
    }
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("'{}…'", text.get(..end).unwrap_or_default().escape_debug()),
        None => format!("'{}'", text.escape_debug()),
    }
}

/// The name that was probably meant.
pub(super) fn similar<'n>(given: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let given = given.to_ascii_lowercase();
    names
        .into_iter()
        .map(|name| (strsim::osa_distance(&given, &name.to_ascii_lowercase()), name))
        .filter(|(distance, name)| *distance <= (name.chars().count() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// "did you mean", or the list of what there is.
pub(super) fn suggest(given: &str, names: &[&str]) -> String {
    match similar(given, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("one of: {}", names.join(", ")),
    }
}

/// The entries of a mapping whose keys are known, each once.
pub(super) struct Section<'n> {
    pub span: Span,
    entries: Vec<(&'n str, Span, &'n Node)>,
}

impl<'n> Section<'n> {
    /// `known` is empty where the keys are names that the user chooses.
    pub fn open(node: &'n Node, known: &[&str], reader: &mut Reader<'_>) -> Option<Self> {
        let yaml::Value::Mapping(pairs) = &node.value else {
            reader.wrong_type(node, "a mapping");
            return None;
        };
        let mut entries: Vec<(&str, Span, &Node)> = Vec::new();
        for pair in pairs {
            let span = pair.key.span;
            let Some(key) = pair.key.as_scalar().map(|scalar| scalar.text.as_str()) else {
                reader.error("wrong-type", span, format!("a key must be text, not {}", pair.key.describe()));
                continue;
            };
            if let Some((_, first, _)) = entries.iter().find(|(name, ..)| *name == key) {
                let line = reader.lines.number(first.start);
                reader.error_help(
                    "duplicate-key",
                    span,
                    format!("{} is given twice", quote(key)),
                    format!("the first is on line {line}; remove one of them"),
                );
            } else if known.is_empty() || known.contains(&key) {
                entries.push((key, span, &pair.value));
            } else {
                reader.error_help(
                    "unknown-key",
                    span,
                    format!("unknown key {}", quote(key)),
                    suggest(key, known),
                );
            }
        }
        Some(Self { span: Span::new(node.span.start, node.span.start), entries })
    }

    pub fn key<T: Value>(&self, name: &'static str, reader: &mut Reader<'_>) -> Option<T> {
        let Some((_, span, node)) = self.entries.iter().find(|(key, ..)| *key == name) else {
            if T::absent().is_none() {
                reader.error("missing-key", self.span, format!("'{name}' is missing"));
            }
            return T::absent();
        };
        read_present(name, *span, node, reader).or_else(T::absent)
    }

    /// Where a key is written, if it is.
    pub fn span_of(&self, name: &str) -> Option<Span> {
        self.entries.iter().find(|(key, ..)| *key == name).map(|(_, span, _)| *span)
    }

    pub fn entries(&self) -> &[(&'n str, Span, &'n Node)] {
        &self.entries
    }
}

fn read_present<T: Value>(name: &'static str, key: Span, node: &Node, reader: &mut Reader<'_>) -> Option<T> {
    if node.as_scalar().is_some_and(|scalar| scalar.kind() == Kind::Null) {
        reader.error_help(
            "missing-value",
            key,
            format!("'{name}' has no value"),
            "give it one, or remove the key",
        );
        return None;
    }
    let outer = std::mem::replace(&mut reader.key, name);
    let value = T::read(node, reader);
    reader.key = outer;
    value
}

impl<T: Value> Value for Option<T> {
    fn schema(definitions: &mut Map<String, Json>) -> Json {
        T::schema(definitions)
    }
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        T::read(node, reader).map(Some)
    }
    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Value> Value for Spanned<T> {
    fn schema(definitions: &mut Map<String, Json>) -> Json {
        T::schema(definitions)
    }
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self { value: T::read(node, reader)?, span: node.span })
    }
}

impl Value for bool {
    fn schema(_: &mut Map<String, Json>) -> Json {
        json!({ "type": "boolean" })
    }
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let scalar = node.as_scalar().filter(|scalar| scalar.kind() == Kind::Boolean);
        if scalar.is_none() {
            reader.wrong_type(node, "`true` or `false`");
        }
        scalar.map(|scalar| scalar.text.eq_ignore_ascii_case("true"))
    }
}

/// The schema of a section, from its keys.
pub(super) struct Keys {
    pub properties: Map<String, Json>,
    pub required: Vec<&'static str>,
}

impl Keys {
    pub fn add<T: Value>(&mut self, name: &'static str, docs: &[&str], definitions: &mut Map<String, Json>) {
        let mut schema = T::schema(definitions);
        schema["description"] = json!(paragraph(docs));
        if T::absent().is_none() {
            self.required.push(name);
        }
        self.properties.insert(name.to_owned(), schema);
    }
}

pub(super) fn paragraph(docs: &[&str]) -> String {
    docs.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// Declares a section: the struct, its reader and its schema, from one list of
/// keys. `check` sees the whole section once its keys were read.
macro_rules! section {
    (
        $(#[doc = $doc:literal])+
        pub struct $name:ident $(($check:path))? {
            $($(#[doc = $key_doc:literal])+ pub $key:ident: $type:ty,)+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $($(#[doc = $key_doc])+ pub $key: $type,)+
        }

        impl $crate::config::value::Value for $name {
            fn schema(definitions: &mut serde_json::Map<String, serde_json::Value>) -> serde_json::Value {
                if !definitions.contains_key(stringify!($name)) {
                    let mut keys =
                        $crate::config::value::Keys { properties: serde_json::Map::new(), required: Vec::new() };
                    $(keys.add::<$type>(stringify!($key), &[$($key_doc),+], definitions);)+
                    let schema = serde_json::json!({
                        "description": $crate::config::value::paragraph(&[$($doc),+]),
                        "type": "object",
                        "properties": keys.properties,
                        "required": keys.required,
                        "additionalProperties": false,
                    });
                    definitions.insert(stringify!($name).to_owned(), schema);
                }
                serde_json::json!({ "$ref": concat!("#/$defs/", stringify!($name)) })
            }

            fn read(
                node: &$crate::parse::yaml::Node,
                reader: &mut $crate::config::value::Reader<'_>,
            ) -> Option<Self> {
                let known = [$(stringify!($key)),+];
                let section = $crate::config::value::Section::open(node, &known, reader)?;
                $(let $key: Option<$type> = section.key(stringify!($key), reader);)+
                let read = Self { $($key: $key?),+ };
                $($check(&read, &section, reader);)?
                Some(read)
            }
        }
    };
}
pub(super) use section;

/// Says by which words the variants of an enum are written.
macro_rules! choices {
    ($type:ty: $($word:literal => $variant:expr),+ $(,)?) => {
        impl $crate::config::value::Value for $type {
            fn schema(_: &mut serde_json::Map<String, serde_json::Value>) -> serde_json::Value {
                serde_json::json!({ "enum": [$($word),+] })
            }

            fn read(
                node: &$crate::parse::yaml::Node,
                reader: &mut $crate::config::value::Reader<'_>,
            ) -> Option<Self> {
                let words: &[&str] = &[$($word),+];
                let text = reader.text_of(node, &format!("one of {}", words.join(", ")))?;
                match text {
                    $($word => Some($variant),)+
                    _ => {
                        let message =
                            format!("{} cannot be used for '{}'", $crate::config::value::quote(text), reader.key);
                        let help = $crate::config::value::suggest(text, words);
                        reader.error_help("invalid-value", node.span, message, help);
                        None
                    }
                }
            }
        }
    };
}
pub(super) use choices;
