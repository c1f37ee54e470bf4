//! GitHub's expressions: the text of an `if:` or of `${{ .. }}` in, a tree out, and
//! what it comes to when a part of the context is known.
//!
//! Comparisons ignore case, as GitHub's do. What nobody knows stays unknown, and
//! so does all that depends on it; text that is no expression is unknown too.

use std::ops::Range;

mod evaluate;

/// Parentheses and functions inside of each other.
const DEPTH: usize = 24;

#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    pub root: Node,
    /// Every context that is named, with its bytes: `secrets.token`, in lower case.
    pub references: Vec<(Range<usize>, String)>,
    /// Every text in quotes.
    pub literals: Vec<(Range<usize>, String)>,
    /// Names of functions that are called, in lower case.
    pub functions: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    Value(Value),
    Context(String),
    Call(String, Vec<Node>),
    Not(Box<Node>),
    /// Two or more.
    And(Vec<Node>),
    Or(Vec<Node>),
    Equal(Box<Node>, Box<Node>),
    Unequal(Box<Node>, Box<Node>),
    /// A comparison of size, or what could not be read.
    Unknown,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    /// Numbers too: only their text is compared.
    Text(String),
}

impl Value {
    pub fn is_true(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Text(text) => !text.is_empty() && text != "0",
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Bool(value) => value.to_string(),
            Self::Text(text) => text.to_ascii_lowercase(),
        }
    }
}

/// The condition of an `if:`, with or without `${{ }}` around all of it.
pub fn condition(text: &str) -> Expression {
    let trimmed = text.trim();
    let start = text.len() - text.trim_start().len();
    match trimmed.strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}")) {
        Some(inner) if !inner.contains("${{") => parse(inner, start + 3),
        // Text around an expression makes a text, which is always true.
        _ if trimmed.contains("${{") => {
            let mut all = Parser::new("", 0).finish(Node::Unknown);
            for (at, inner) in embedded(text) {
                let found = parse(inner, at);
                all.references.extend(found.references);
                all.literals.extend(found.literals);
                all.functions.extend(found.functions);
            }
            all
        }
        _ => parse(trimmed, start),
    }
}

/// What stands between `${{` and `}}`, with where it begins.
pub fn embedded(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text.get(at..).and_then(|rest| rest.find("${{")).map(|start| at + start + 3) {
        let Some(length) = text.get(start..).and_then(|rest| rest.find("}}")) else { break };
        found.push((start, text.get(start..start + length).unwrap_or_default()));
        at = start + length + 2;
    }
    found
}

/// One expression that begins at a byte of its text.
pub fn parse(text: &str, offset: usize) -> Expression {
    let mut parser = Parser::new(text, offset);
    let root = parser.or(0);
    parser.skip_blanks();
    let root = if parser.at == text.len() { root } else { Node::Unknown };
    parser.finish(root)
}

impl Expression {
    /// What it comes to. `known` tells a context; None is unknown.
    pub fn evaluate(&self, known: &dyn Fn(&str) -> Option<Value>) -> Option<Value> {
        evaluate::node(&self.root, known)
    }

    /// Whether it names a context or something in it.
    pub fn mentions(&self, context: &str) -> bool {
        self.references.iter().any(|(_, name)| within(name, context))
    }

    /// Whether it asks how the steps or jobs before it ended: `failure()`, `always()`.
    pub fn asks_for_status(&self) -> bool {
        self.functions
            .iter()
            .any(|name| matches!(name.as_str(), "always" | "failure" | "cancelled" | "success"))
    }
}

/// `secrets` and `secrets.token` are within `secrets`.
pub fn within(name: &str, context: &str) -> bool {
    name.strip_prefix(context).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

struct Parser<'t> {
    text: &'t str,
    offset: usize,
    at: usize,
    references: Vec<(Range<usize>, String)>,
    literals: Vec<(Range<usize>, String)>,
    functions: Vec<String>,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, offset: usize) -> Self {
        Self { text, offset, at: 0, references: Vec::new(), literals: Vec::new(), functions: Vec::new() }
    }

    fn finish(self, root: Node) -> Expression {
        Expression { root, references: self.references, literals: self.literals, functions: self.functions }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest();
        let Some(after) = rest.trim_start().strip_prefix(token) else { return false };
        self.at += rest.len() - after.len();
        true
    }

    fn or(&mut self, depth: usize) -> Node {
        let mut parts = vec![self.and(depth)];
        while self.take("||") {
            parts.push(self.and(depth));
        }
        joined(parts, Node::Or)
    }

    fn and(&mut self, depth: usize) -> Node {
        let mut parts = vec![self.comparison(depth)];
        while self.take("&&") {
            parts.push(self.comparison(depth));
        }
        joined(parts, Node::And)
    }

    fn comparison(&mut self, depth: usize) -> Node {
        let left = self.unary(depth);
        if self.take("==") {
            Node::Equal(Box::new(left), Box::new(self.unary(depth)))
        } else if self.take("!=") {
            Node::Unequal(Box::new(left), Box::new(self.unary(depth)))
        } else if ["<=", ">=", "<", ">"].into_iter().any(|sign| self.take(sign)) {
            self.unary(depth);
            Node::Unknown
        } else {
            left
        }
    }

    fn unary(&mut self, depth: usize) -> Node {
        let mut negations = 0;
        self.skip_blanks();
        while self.rest().starts_with('!') && !self.rest().starts_with("!=") {
            self.at += 1;
            negations += 1;
            self.skip_blanks();
        }
        let inner = self.primary(depth);
        match negations {
            0 => inner,
            // Twice is what it was, as a boolean.
            count if count % 2 == 1 => Node::Not(Box::new(inner)),
            _ => Node::Not(Box::new(Node::Not(Box::new(inner)))),
        }
    }

    fn primary(&mut self, depth: usize) -> Node {
        self.skip_blanks();
        if depth > DEPTH {
            self.at = self.text.len();
            return Node::Unknown;
        }
        if self.take("(") {
            let inner = self.or(depth + 1);
            return if self.take(")") { inner } else { Node::Unknown };
        }
        if self.rest().starts_with('\'') {
            return self.literal().map_or(Node::Unknown, |text| Node::Value(Value::Text(text)));
        }
        let start = self.at;
        let word = self.rest();
        let length = word.find(|c: char| !(c.is_ascii_alphanumeric() || "_-.*".contains(c)));
        let word = word.get(..length.unwrap_or(word.len())).unwrap_or_default();
        if word.is_empty() {
            return Node::Unknown;
        }
        self.at += word.len();
        let name = word.to_ascii_lowercase();
        match name.as_str() {
            "true" => return Node::Value(Value::Bool(true)),
            "false" => return Node::Value(Value::Bool(false)),
            "null" => return Node::Value(Value::Null),
            _ if name.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
                return Node::Value(Value::Text(name));
            }
            _ => {}
        }
        if self.take("(") {
            self.functions.push(name.clone());
            let arguments = self.arguments(depth + 1);
            return Node::Call(name, arguments);
        }
        self.context(start, name, depth)
    }

    fn arguments(&mut self, depth: usize) -> Vec<Node> {
        let mut arguments = Vec::new();
        while !self.take(")") && self.at < self.text.len() {
            let before = self.at;
            arguments.push(self.or(depth));
            self.take(",");
            if self.at == before {
                break;
            }
        }
        arguments
    }

    /// `a.b`, `a['b']`, `a[0].c`.
    fn context(&mut self, start: usize, mut name: String, depth: usize) -> Node {
        while self.rest().starts_with('[') {
            self.at += 1;
            self.skip_blanks();
            if let Some(key) = self.literal() {
                name = format!("{name}.{}", key.to_ascii_lowercase());
            } else {
                self.or(depth + 1);
                name.push_str(".*");
            }
            if !self.take("]") {
                return Node::Unknown;
            }
            let rest = self.rest();
            if rest.starts_with('.') {
                let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_-.*".contains(c)));
                let more = rest.get(..length.unwrap_or(rest.len())).unwrap_or_default();
                name.push_str(&more.to_ascii_lowercase());
                self.at += more.len();
            }
        }
        self.references.push((self.offset + start..self.offset + self.at, name.clone()));
        Node::Context(name)
    }

    /// A text in quotes; two quotes inside are one.
    fn literal(&mut self) -> Option<String> {
        let start = self.at;
        let mut rest = self.rest().strip_prefix('\'')?;
        let mut text = String::new();
        loop {
            let end = rest.find('\'')?;
            text.push_str(rest.get(..end)?);
            rest = rest.get(end + 1..)?;
            match rest.strip_prefix('\'') {
                Some(after) => {
                    text.push('\'');
                    rest = after;
                }
                None => break,
            }
        }
        self.at = self.text.len() - rest.len();
        self.literals.push((self.offset + start..self.offset + self.at, text.clone()));
        Some(text)
    }
}

fn joined(mut parts: Vec<Node>, join: fn(Vec<Node>) -> Node) -> Node {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            join(parts)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn on_schedule(text: &str) -> Option<bool> {
        let known = |name: &str| match name {
            "github.event_name" => Some(Value::Text("schedule".to_owned())),
            "github.event.schedule" => Some(Value::Text("0 3 * * *".to_owned())),
            _ => None,
        };
        condition(text).evaluate(&known).map(|value| value.is_true())
    }

    #[test]
    fn conditions_are_evaluated_as_far_as_they_are_known() {
        for (text, wanted) in [
            ("github.event_name == 'Schedule'", Some(true)),
            ("${{ github.event_name != 'schedule' }}", Some(false)),
            ("github.event.schedule == '0 4 * * 0' || inputs.test == 'true'", None),
            ("github.event.schedule == '0 4 * * 0' && inputs.test == 'true'", Some(false)),
            ("github.event['schedule'] == '0 3 * * *' || inputs.x", Some(true)),
            ("!(github.event_name == 'schedule')", Some(false)),
            ("always() && github.event_name == 'push'", Some(false)),
            ("failure()", None),
            ("contains(github.event_name, 'sched')", Some(true)),
            ("${{ github.event_name == 'push' }} && true", None),
            ("github.run_number > 3", None),
            ("'it''s' == 'IT''S'", Some(true)),
            ("(", None),
            ("", None),
        ] {
            assert_eq!(on_schedule(text), wanted, "{text}");
        }
    }

    #[test]
    fn contexts_are_named_with_their_bytes() {
        let text = " failure() && secrets.HOOK != '' || needs['a-b'].result";
        let found = condition(text);
        let told: Vec<_> =
            found.references.iter().map(|(range, name)| (&text[range.clone()], name.as_str())).collect();
        assert_eq!(told, [("secrets.HOOK", "secrets.hook"), ("needs['a-b'].result", "needs.a-b.result")]);
        assert!(found.mentions("secrets") && !found.mentions("secret") && found.asks_for_status());
        let text = "x ${{ env.A }} y ${{ secrets.B }}";
        let found = condition(text);
        assert_eq!(found.references[1], (21..30, "secrets.b".to_owned()));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[-a-c.'()\\[\\]!=&|<>{}$, \u{e9}]{0,60}") {
            let found = condition(&text);
            for (range, _) in found.references.iter().chain(&found.literals) {
                prop_assert!(text.get(range.clone()).is_some());
            }
            let _ = found.evaluate(&|_| None);
        }

        #[test]
        fn depth_is_bounded(count in 0usize..4000) {
            let _ = condition(&format!("{}a", "(".repeat(count))).evaluate(&|_| None);
            let _ = condition(&format!("{}a", "!".repeat(count))).evaluate(&|_| None);
            let _ = condition(&"a && ".repeat(count)).evaluate(&|_| None);
        }
    }
}
