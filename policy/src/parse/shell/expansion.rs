//! What begins with a dollar, a backtick or `<(`: variables, substitutions,
//! arithmetic, GitHub's expressions, and placeholders.

use super::parser::{Closer, Parser};
use super::simple::identifier;
use super::word::{Region, Stop};
use super::{Expansion, List, Operator, Part, PartKind, Quote, Word};

impl Parser<'_> {
    /// Reads one expansion. False, and nothing read, where none begins.
    pub(super) fn expansion(&mut self, parts: &mut Vec<Part>, quote: Quote) -> bool {
        let start = self.at;
        let kind = match (self.peek(), self.peek_at(1)) {
            (Some(b'`'), _) => self.backticks(),
            (Some(b'<'), Some(b'(')) => self.process(false),
            (Some(b'>'), Some(b'(')) => self.process(true),
            (Some(b'<'), _) => match self.placeholder_length() {
                Some(length) => {
                    let name = self.rest()[1..length - 1].to_owned();
                    self.at += length;
                    PartKind::Placeholder(name)
                }
                None => return false,
            },
            (Some(b'$'), Some(b'(')) => self.parenthesized(),
            (Some(b'$'), Some(b'{')) => {
                if self.peek_at(2) == Some(b'{')
                    && let Some(part) = self.github(quote)
                {
                    parts.push(part);
                    return true;
                }
                match self.braced(quote == Quote::Double) {
                    Some(expansion) => PartKind::Variable(expansion),
                    None => return false,
                }
            }
            (Some(b'$'), Some(b'\'')) if quote == Quote::None => {
                self.at += 1;
                self.dollar_quoted(parts);
                return true;
            }
            (Some(b'$'), Some(b'"')) if quote == Quote::None => {
                self.at += 2;
                self.region(parts, Region::Double);
                return true;
            }
            (Some(b'$'), Some(_)) => match self.plain_variable() {
                Some(expansion) => PartKind::Variable(expansion),
                None => return false,
            },
            _ => return false,
        };
        parts.push(Part { span: self.from(start), quote, kind });
        true
    }

    /// `$name`, `$1`, `$?`
    fn plain_variable(&mut self) -> Option<Expansion> {
        let rest = self.rest().get(1..)?;
        let mut name = identifier(rest);
        if name.is_empty()
            && rest.starts_with(|first: char| first.is_ascii_digit() || "@*#?-$!".contains(first))
        {
            name = &rest[..1];
        }
        if name.is_empty() {
            return None;
        }
        self.at += 1 + name.len();
        Some(Expansion {
            name: name.to_owned(),
            raw: format!("${name}"),
            length: false,
            indirect: false,
            indexed: false,
            operator: None,
            operand: None,
        })
    }

    /// `${name..}`. None, and nothing read, where no name follows.
    fn braced(&mut self, in_double: bool) -> Option<Expansion> {
        let start = self.at;
        let rest = self.rest();
        let mut at = 2;
        let begins_name = |at: usize| {
            rest.as_bytes().get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_@*?".contains(byte))
        };
        let length = rest[at..].starts_with('#') && begins_name(at + 1);
        let indirect = rest[at..].starts_with('!') && begins_name(at + 1);
        at += usize::from(length || indirect);
        let name = match identifier(&rest[at..]) {
            "" => {
                let digits = rest[at..].bytes().take(4).take_while(u8::is_ascii_digit).count();
                let special = rest[at..].starts_with(|first| "@*#?-$!".contains(first));
                rest.get(at..at + if digits > 0 { digits } else { usize::from(special) }).unwrap_or_default()
            }
            name => name,
        };
        if name.is_empty() || !self.enter() {
            return None;
        }
        at += name.len();
        let indexed = rest[at..].starts_with('[');
        if indexed {
            let close = rest.as_bytes()[at..].iter().take(256).position(|byte| *byte == b']');
            at += close.map_or(0, |close| close + 1);
        }
        self.at += at;
        let operator = self.operator();
        let operand = (self.peek() != Some(b'}')).then(|| Box::new(self.word(Stop::Brace { in_double })));
        if self.peek() == Some(b'}') {
            self.at += 1;
        } else {
            self.unterminated = true;
        }
        self.leave();
        let raw = self.text.get(start..self.at).unwrap_or_default().to_owned();
        Some(Expansion { name: name.to_owned(), raw, length, indirect, indexed, operator, operand })
    }

    fn operator(&mut self) -> Option<Operator> {
        let operator = match (self.peek()?, self.peek_at(1)) {
            (b':', Some(b'-' | b'=' | b'?' | b'+')) => {
                self.at += 1;
                return self.operator();
            }
            (b'-', _) => Operator::Default,
            (b'=', _) => Operator::Assign,
            (b'?', _) => Operator::Require,
            (b'+', _) => Operator::Alternative,
            (b'#', _) => Operator::RemovePrefix,
            (b'%', _) => Operator::RemoveSuffix,
            (b'/', _) => Operator::Replace,
            (b':', _) => Operator::Substring,
            (b'^' | b',' | b'@', _) => Operator::Transform,
            _ => return None,
        };
        self.at += 1;
        // `##`, `%%`, `//`
        if let Operator::RemovePrefix | Operator::RemoveSuffix | Operator::Replace = operator
            && self.peek() == self.text.as_bytes().get(self.at - 1).copied()
        {
            self.at += 1;
        }
        Some(operator)
    }

    /// `$((..))`, else `$(..)`.
    fn parenthesized(&mut self) -> PartKind {
        if self.peek_at(2) == Some(b'(')
            && let Some(word) = self.attempt(|parser| parser.arithmetic(3))
        {
            return PartKind::Arithmetic(word);
        }
        PartKind::Command(self.nested(2))
    }

    /// `..))` behind an opening of `skip` bytes. None where it is something else.
    pub(super) fn arithmetic(&mut self, skip: usize) -> Option<Word> {
        self.at += skip;
        let start = self.at;
        let mut parts = Vec::new();
        if !self.enter() {
            return None;
        }
        let before = std::mem::replace(&mut self.unterminated, false);
        self.region(&mut parts, Region::Arithmetic);
        let closed = !self.unterminated && self.eat(")");
        self.unterminated |= before;
        self.leave();
        closed.then(|| Word { span: self.span(start, self.at.saturating_sub(2)), parts })
    }

    fn process(&mut self, output: bool) -> PartKind {
        PartKind::Process { list: self.nested(2), output }
    }

    /// A list in parentheses behind an opening of `skip` bytes.
    pub(super) fn nested(&mut self, skip: usize) -> List {
        self.at += skip;
        if !self.enter() {
            self.unterminated = true;
            return List::new();
        }
        let backtick = std::mem::replace(&mut self.backtick, false);
        let list = self.list_until(Closer::Paren);
        self.backtick = backtick;
        self.leave();
        if !self.eat(")") {
            self.unterminated = true;
        }
        list
    }

    fn backticks(&mut self) -> PartKind {
        self.at += 1;
        if !self.enter() {
            return PartKind::Command(List::new());
        }
        let outer = std::mem::replace(&mut self.backtick, true);
        let list = self.list_until(Closer::Backtick);
        self.backtick = outer;
        self.leave();
        if !self.eat("`") {
            self.unterminated = true;
        }
        PartKind::Command(list)
    }

    /// `${{ .. }}`, which GitHub replaces before any shell runs.
    pub(super) fn github(&mut self, quote: Quote) -> Option<Part> {
        let start = self.at;
        // Where the next `}}` is, is looked up once.
        if self.github_end.is_none_or(|end| end < start + 3) {
            let ahead = self.text.get(start + 3..).and_then(|rest| rest.find("}}"));
            self.github_end = Some(ahead.map_or(usize::MAX, |ahead| start + 3 + ahead));
        }
        let end = self.github_end.filter(|end| *end < self.end.saturating_sub(1))?;
        let inner = self.text.get(start + 3..end)?.trim().to_owned();
        self.at = end + 2;
        Some(Part { span: self.from(start), quote, kind: PartKind::Github(inner) })
    }
}
