//! Simple commands: assignments, words, redirections.

use super::parser::Parser;
use super::word::Stop;
use super::{AssignedValue, Assignment, Kind, Redirect, RedirectOperator, Simple, Target};

/// Programs whose `NAME=value` arguments set variables.
const DECLARES: [&str; 5] = ["export", "local", "readonly", "declare", "typeset"];

impl Parser<'_> {
    /// The redirections behind a compound command.
    pub(super) fn redirects(&mut self, redirects: &mut Vec<Redirect>) {
        loop {
            let end = self.at;
            self.blanks();
            let Some(redirect) = self.redirect() else {
                self.at = end;
                return;
            };
            redirects.push(redirect);
        }
    }

    pub(super) fn simple(&mut self, redirects: &mut Vec<Redirect>) -> Kind {
        let mut simple = Simple::default();
        let mut declares = false;
        let start = self.at;
        let mut end = self.at;
        loop {
            self.blanks();
            if self.at >= self.end {
                break;
            }
            if let Some(redirect) = self.redirect() {
                redirects.push(redirect);
                end = self.at;
                continue;
            }
            let begin = self.at;
            if self.peek() == Some(b'#') && (begin > start || simple.words.is_empty()) {
                break;
            }
            if (simple.words.is_empty() || declares)
                && let Some(assignment) = self.assignment()
            {
                let list = if declares { &mut simple.declares } else { &mut simple.assignments };
                list.push(assignment);
                end = self.at;
                continue;
            }
            let word = self.word(Stop::Blank);
            if self.at == begin {
                break;
            }
            end = self.at;
            if simple.words.is_empty() {
                declares = DECLARES.iter().any(|name| word.is(name));
                if simple.assignments.is_empty()
                    && redirects.is_empty()
                    && let Some(name) = word.literal()
                    && self.function_parentheses()
                {
                    return self.function_body(name);
                }
            }
            simple.words.push(word);
        }
        self.at = end;
        self.inline(&mut simple, redirects);
        Kind::Simple(simple)
    }

    /// `NAME=`, `NAME+=` or `NAME[..]=` with its value.
    fn assignment(&mut self) -> Option<Assignment> {
        let start = self.at;
        let rest = self.rest();
        let name = identifier(rest);
        let mut length = name.len();
        if name.is_empty() {
            return None;
        }
        let mut indexed = false;
        if rest[length..].starts_with('[') {
            // An index is short and on its line.
            let index =
                rest.as_bytes()[length..].iter().take(256).position(|byte| matches!(byte, b']' | b'\n'))?;
            indexed = true;
            length += index + 1;
        }
        let tail = rest.get(length..)?;
        let appends = tail.starts_with("+=");
        if !appends && !tail.starts_with('=') {
            return None;
        }
        self.at += length + if appends { 2 } else { 1 };
        let value = if self.peek() == Some(b'(') {
            self.array()
        } else {
            AssignedValue::Word(self.word(Stop::Blank))
        };
        Some(Assignment { span: self.from(start), name: name.to_owned(), indexed, appends, value })
    }

    fn array(&mut self) -> AssignedValue {
        self.at += 1;
        let mut words = Vec::new();
        loop {
            self.lines();
            match self.peek() {
                None => {
                    self.unterminated = true;
                    break;
                }
                Some(b')') => {
                    self.at += 1;
                    break;
                }
                _ => {}
            }
            let start = self.at;
            let word = self.word(Stop::Blank);
            if self.at == start {
                self.bump();
            } else {
                words.push(word);
            }
        }
        AssignedValue::Array(words)
    }

    /// A redirection, if one begins here.
    fn redirect(&mut self) -> Option<Redirect> {
        let start = self.at;
        let rest = self.rest();
        let digits = rest.bytes().take(4).take_while(u8::is_ascii_digit).count();
        let braced = rest.strip_prefix('{').map_or(0, |inner| identifier(inner).len());
        let before = match braced {
            0 => digits,
            name if rest[name + 1..].starts_with('}') => name + 2,
            _ => return None,
        };
        let tail = &rest[before..];
        let (token, operator) = OPERATORS.iter().find(|(token, _)| tail.starts_with(token))?;
        // `<(..)` is a word, and so is `<host>`; `&>` takes no number.
        if tail[1..].starts_with('(')
            || (token.starts_with('&') && before > 0)
            || (before == 0 && *token == "<" && self.placeholder_length().is_some())
        {
            return None;
        }
        let descriptor = rest[..digits].parse().ok();
        self.at += before + token.len();
        self.blanks();
        let target = if *operator == RedirectOperator::Heredoc {
            Target::Heredoc(self.open_heredoc(*token == "<<-"))
        } else {
            Target::Word(self.word(Stop::Blank))
        };
        Some(Redirect { span: self.from(start), descriptor, operator: *operator, target })
    }
}

/// The longer first.
const OPERATORS: [(&str, RedirectOperator); 12] = [
    ("&>>", RedirectOperator::AppendBoth),
    ("&>", RedirectOperator::WriteBoth),
    ("<<<", RedirectOperator::HereString),
    ("<<-", RedirectOperator::Heredoc),
    ("<<", RedirectOperator::Heredoc),
    ("<&", RedirectOperator::CopyInput),
    ("<>", RedirectOperator::ReadWrite),
    ("<", RedirectOperator::Read),
    (">>", RedirectOperator::Append),
    (">&", RedirectOperator::CopyOutput),
    (">|", RedirectOperator::Write),
    (">", RedirectOperator::Write),
];

/// The variable name that a text begins with.
pub(super) fn identifier(text: &str) -> &str {
    let bytes = text.as_bytes();
    if bytes.first().is_none_or(u8::is_ascii_digit) {
        return "";
    }
    let length = bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    text.get(..length).unwrap_or_default()
}
