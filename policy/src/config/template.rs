//! Text with `${NAME}` in it. The references are kept, with their spans; they
//! are resolved when the value is needed, so that a job which backs up one
//! database need not know another's secrets.
//!
//! `${NAME}` and `${NAME:-default}` are all there is; `$${` is a literal `${`.
//! A variable that is empty counts as unset: that is what an absent secret is
//! in most CI systems.

use std::ops::Range;

use serde_json::{Map, Value as Json, json};

use crate::finding::Span;
use crate::parse::yaml::{Kind, Node};

use super::value::{Reader, Value};

#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    pub span: Span,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Literal(String),
    Variable(Variable),
}

/// One `${NAME}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    pub default: Option<String>,
    pub span: Span,
}

impl Template {
    /// The text, where it holds no variable.
    pub fn literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The text before the first variable.
    pub fn head(&self) -> &str {
        match self.parts.first() {
            Some(Part::Literal(text)) => text,
            _ => "",
        }
    }

    /// The text with every variable's value, or the first one that has none.
    pub fn resolve(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<String, Variable> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Variable(variable) => match env(&variable.name).filter(|value| !value.is_empty()) {
                    Some(value) => text.push_str(&value),
                    None => text.push_str(variable.default.as_deref().ok_or_else(|| variable.clone())?),
                },
            }
        }
        Ok(text)
    }

    /// Exactly one variable, without a default: nothing of a secret is in the file.
    fn is_one_variable(&self) -> bool {
        matches!(self.parts.as_slice(), [Part::Variable(Variable { default: None, .. })])
    }

    /// The template of any scalar, whatever its kind.
    pub(super) fn of(node: &Node, text: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let parts = match split(text) {
            Ok(parts) => parts,
            Err((at, why)) => {
                let span = node.locate(reader.text, at);
                let help = "write `${NAME}` or `${NAME:-default}`; `$${` stands for a literal `${`";
                reader.error_help("broken-variable", span, why, help);
                return None;
            }
        };
        let part = |part| match part {
            Piece::Literal(text) => Part::Literal(text),
            Piece::Variable { name, default, at } => {
                let span = node.locate(reader.text, at);
                Part::Variable(Variable { name, default, span })
            }
        };
        let parts: Vec<Part> = parts.into_iter().map(part).collect();
        for part in &parts {
            if let Part::Variable(variable) = part {
                reader.variables.push(variable.clone());
            }
        }
        Some(Self { span: node.span, parts })
    }
}

impl Value for Template {
    fn schema(_: &mut Map<String, Json>) -> Json {
        json!({ "type": "string", "minLength": 1 })
    }

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text_of(node, "text")?;
        if text.is_empty() {
            reader.error("missing-value", node.span, format!("'{}' is empty", reader.key));
            return None;
        }
        Self::of(node, text, reader)
    }
}

/// A password or passphrase: one variable and nothing else.
#[derive(Debug, Clone, PartialEq)]
pub struct Secret(pub Template);

impl Value for Secret {
    fn schema(_: &mut Map<String, Json>) -> Json {
        json!({ "type": "string", "pattern": "^\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}$" })
    }

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        // A number or a boolean is a secret in the file as well.
        let Some(scalar) = node.as_scalar().filter(|scalar| scalar.kind() != Kind::Null) else {
            reader.wrong_type(node, "a variable");
            return None;
        };
        let template = Template::of(node, &scalar.text, reader)?;
        if template.is_one_variable() {
            return Some(Self(template));
        }
        let key = reader.key;
        let variable = if key == "password" { "PGPASSWORD" } else { "BACKSTOP_PASSPHRASE" };
        reader.error_help(
            "credential-in-file",
            node.span,
            format!("{key} written in the configuration"),
            format!("use `{key}: ${{{variable}}}`"),
        );
        None
    }
}

enum Piece {
    Literal(String),
    Variable { name: String, default: Option<String>, at: Range<usize> },
}

fn split(text: &str) -> Result<Vec<Piece>, (Range<usize>, String)> {
    if let Some(name) = text.strip_prefix('$').filter(|name| is_variable(name)) {
        return Err((0..text.len(), format!("a variable is written with braces: `${{{name}}}`")));
    }
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("$${") {
            literal.push_str("${");
            at += 3;
        } else if let Some(inner) = rest.strip_prefix("${") {
            let end = inner.find('}').ok_or_else(|| (at..text.len(), "'${' is not closed".to_owned()))?;
            let whole = at..at + end + 3;
            let inner = inner.get(..end).unwrap_or_default();
            let (name, default) = match inner.split_once(":-") {
                Some((name, default)) => (name, Some(default.to_owned())),
                None => (inner, None),
            };
            if default.as_deref().is_some_and(|default| default.contains("${")) {
                return Err((whole, "a variable's default cannot hold another variable".to_owned()));
            }
            if !is_variable(name) {
                return Err((whole, "no variable has such a name".to_owned()));
            }
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Variable { name: name.to_owned(), default, at: whole.clone() });
            at = whole.end;
        } else {
            let next =
                rest.char_indices().skip(1).find(|(_, c)| *c == '$').map_or(rest.len(), |(next, _)| next);
            literal.push_str(rest.get(..next).unwrap_or_default());
            at += next;
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// `text` without its variables that have no default: what of it is written in the file.
pub(super) fn literal_part(text: &str) -> String {
    match split(text) {
        Ok(pieces) => pieces
            .into_iter()
            .map(|piece| match piece {
                Piece::Literal(text) => text,
                Piece::Variable { default, .. } => default.unwrap_or_default(),
            })
            .collect(),
        Err(_) => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::yaml;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Template, String> {
        let node = yaml::parse(text).unwrap().remove(0);
        let mut reader = Reader::new("f.yml", text);
        let scalar = node.as_scalar().unwrap().text.clone();
        Template::of(&node, &scalar, &mut reader).ok_or_else(|| reader.findings[0].message.clone())
    }

    fn env(name: &str) -> Option<String> {
        match name {
            "USER" => Some("ada".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn variables_are_replaced() {
        let resolve = |text: &str| read(text).unwrap().resolve(&env).unwrap();
        assert_eq!(resolve("plain"), "plain");
        assert_eq!(resolve("${USER}@${HOST:-localhost}/$x$"), "ada@localhost/$x$");
        assert_eq!(resolve("${EMPTY:-default}|${NONE:-}|"), "default||");
        assert_eq!(resolve("a$${USER}b"), "a${USER}b");
    }

    #[test]
    fn an_unset_or_empty_variable_is_named_with_its_place() {
        for name in ["NONE", "EMPTY"] {
            let text = format!("\"ü ${{{name}}}\"");
            let missing = read(&text).unwrap().resolve(&env).unwrap_err();
            assert_eq!(missing.name, name);
            assert_eq!(&text[missing.span.start..missing.span.end], format!("${{{name}}}"));
        }
    }

    #[test]
    fn broken_variables_are_refused() {
        let error = |text: &str| read(text).unwrap_err();
        assert_eq!(error("x${A"), "'${' is not closed");
        assert_eq!(error("${}"), "no variable has such a name");
        assert_eq!(error("${1A}"), "no variable has such a name");
        assert_eq!(error("${{ secrets.URL }}"), "no variable has such a name");
        assert_eq!(error("${A:?why}"), "no variable has such a name");
        assert_eq!(error("${A:-${B}}"), "a variable's default cannot hold another variable");
        assert_eq!(error("$DATABASE_URL"), "a variable is written with braces: `${DATABASE_URL}`");
    }

    proptest! {
        #[test]
        fn text_without_dollars_stays_as_it_is(text in "[^$]{0,40}") {
            prop_assert_eq!(literal_part(&text), text);
        }

        #[test]
        fn nothing_panics(text in "[${}:A-C\u{e9}-]{0,30}") {
            let _ = split(&text);
        }
    }
}
