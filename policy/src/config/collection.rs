//! Lists, and mappings whose keys are names that the user chooses.

use serde_json::{Map, Value as Json, json};

use crate::finding::Span;
use crate::parse::yaml::{self, Kind, Node};

use super::value::{Reader, Section, Spanned, Value, quote};

impl<T: Value> Value for Vec<T> {
    fn schema(definitions: &mut Map<String, Json>) -> Json {
        json!({ "type": "array", "items": T::schema(definitions), "minItems": 1 })
    }
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let yaml::Value::Sequence(items) = &node.value else {
            reader.wrong_type(node, "a list");
            return None;
        };
        if items.is_empty() {
            reader.error_help(
                "missing-value",
                node.span,
                format!("'{}' is an empty list", reader.key),
                "name at least one, or remove the key",
            );
        }
        let read: Vec<Option<T>> = items.iter().map(|item| T::read(item, reader)).collect();
        read.into_iter().collect()
    }
    fn absent() -> Option<Self> {
        Some(Self::new())
    }
}

/// Names that the user chooses, sorted; the span is the name's. A list: a file has a few
/// of each, and a tree would be code of its own for every type.
#[derive(Debug, Clone, PartialEq)]
pub struct Named<T>(Vec<(String, Spanned<T>)>);

impl<T> Named<T> {
    /// Keeps the order; the name is not among them yet.
    fn insert(&mut self, name: &str, value: Spanned<T>) {
        let at = self.0.partition_point(|(other, _)| other.as_str() < name);
        self.0.insert(at, (name.to_owned(), value));
    }

    pub fn get(&self, name: &str) -> Option<&Spanned<T>> {
        let at = self.0.binary_search_by(|(other, _)| other.as_str().cmp(name)).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&String, &Spanned<T>)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.0.iter().map(|(name, _)| name)
    }

    pub fn values(&self) -> impl Iterator<Item = &Spanned<T>> {
        self.0.iter().map(|(_, value)| value)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Value> Value for Named<T> {
    fn schema(definitions: &mut Map<String, Json>) -> Json {
        json!({
            "type": "object",
            "propertyNames": { "pattern": NAME_PATTERN },
            "additionalProperties": T::schema(definitions),
        })
    }
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let section = Section::open(node, &[], reader)?;
        let mut named = Self::default();
        for (name, span, node) in section.entries() {
            check_name(name, *span, reader);
            if node.as_scalar().is_some_and(|scalar| scalar.kind() == Kind::Null) {
                let message = format!("{} has no value", quote(name));
                reader.error_help("missing-value", *span, message, "give it one, or write `{}`");
            } else if let Some(value) = T::read(node, reader) {
                named.insert(name, Spanned { value, span: *span });
            }
        }
        Some(named)
    }
    fn absent() -> Option<Self> {
        Some(Self::default())
    }
}

/// Names become folders in a store.
const NAME_PATTERN: &str = "^[a-z0-9][a-z0-9_-]{0,62}$";

/// Whether a name can be a folder in a store: see [`clean_name`].
pub fn is_name(name: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    (1..=63).contains(&name.len()) && name.bytes().all(allowed) && !name.starts_with(['_', '-'])
}

/// Any text as such a name; `database` where nothing of it can stay.
pub fn clean_name(text: &str) -> String {
    let allowed = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' { c } else { '-' };
    let name: String = text.to_ascii_lowercase().chars().map(allowed).take(63).collect();
    let name = name.trim_start_matches(['-', '_']).trim_end_matches('-');
    if name.is_empty() { "database".to_owned() } else { name.to_owned() }
}

fn check_name(name: &str, span: Span, reader: &mut Reader<'_>) {
    if !is_name(name) {
        reader.error_help(
            "invalid-name",
            span,
            format!("{} cannot be a name: it becomes a folder in the store", quote(name)),
            format!("use a-z, 0-9, '_' and '-', for example `{}`", clean_name(name)),
        );
    }
}

/// A value that may be written alone or as a list.
#[derive(Debug, Clone, PartialEq)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<T: Value> Value for OneOrMany<T> {
    fn schema(definitions: &mut Map<String, Json>) -> Json {
        let one = T::schema(definitions);
        json!({ "oneOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
    }
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.value {
            yaml::Value::Sequence(_) => Vec::read(node, reader).map(Self),
            _ => T::read(node, reader).map(|one| Self(vec![one])),
        }
    }
    fn absent() -> Option<Self> {
        Some(Self(Vec::new()))
    }
}
