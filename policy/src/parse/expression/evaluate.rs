//! What a tree comes to when a part of the context is known.

use super::{Node, Value};

pub(super) fn node(node: &Node, known: &dyn Fn(&str) -> Option<Value>) -> Option<Value> {
    match node {
        Node::Value(value) => Some(value.clone()),
        Node::Context(name) => known(name),
        Node::Not(inner) => self::node(inner, known).map(|value| Value::Bool(!value.is_true())),
        Node::And(parts) => chain(parts, known, false),
        Node::Or(parts) => chain(parts, known, true),
        Node::Equal(left, right) => {
            Some(Value::Bool(self::node(left, known)?.text() == self::node(right, known)?.text()))
        }
        Node::Unequal(left, right) => {
            Some(Value::Bool(self::node(left, known)?.text() != self::node(right, known)?.text()))
        }
        Node::Call(name, arguments) => call(name, arguments, known),
        Node::Unknown => None,
    }
}

/// `&&` is its first part that is false, `||` its first that is true; else the last.
fn chain(parts: &[Node], known: &dyn Fn(&str) -> Option<Value>, decides: bool) -> Option<Value> {
    let values: Vec<Option<Value>> = parts.iter().map(|part| self::node(part, known)).collect();
    let decisive = |value: &Value| value.is_true() == decides;
    match values.iter().find(|value| value.as_ref().is_none_or(decisive)) {
        Some(Some(value)) => Some(value.clone()),
        // Something unknown comes first: a later part may decide all the same.
        Some(None) => values.iter().flatten().find(|value| decisive(value)).cloned(),
        None => values.last().cloned().flatten(),
    }
}

fn call(name: &str, arguments: &[Node], known: &dyn Fn(&str) -> Option<Value>) -> Option<Value> {
    if name == "always" {
        return Some(Value::Bool(true));
    }
    let [text, part] = arguments else { return None };
    let (text, part) = (self::node(text, known)?.text(), self::node(part, known)?.text());
    Some(Value::Bool(match name {
        "contains" => text.contains(&part),
        "startswith" => text.starts_with(&part),
        "endswith" => text.ends_with(&part),
        _ => return None,
    }))
}
