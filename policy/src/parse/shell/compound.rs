//! `if`, `while`, `for`, `case`, functions, groups, tests.

use super::parser::{Closer, Parser};
use super::word::Stop;
use super::{Arm, Body, CaseArm, Kind};

impl Parser<'_> {
    /// A compound command, if one begins here.
    pub(super) fn compound(&mut self) -> Option<Kind> {
        if self.peek()? == b'(' {
            if self.peek_at(1) == Some(b'(')
                && let Some(word) = self.attempt(|parser| parser.arithmetic(2))
            {
                return Some(Kind::Arithmetic(word));
            }
            return Some(Kind::Subshell(self.nested(1)));
        }
        let start = self.at;
        let word = self.plain_word();
        match word {
            "if" => Some(self.conditional()),
            "while" | "until" => {
                self.at += word.len();
                self.push_closer(Closer::Done);
                let condition = self.list_until(Closer::Do);
                let body = self.loop_body(start);
                Some(Kind::While { until: word == "until", arm: Arm { condition, body } })
            }
            "for" | "select" => {
                self.at += word.len();
                Some(self.for_loop(start))
            }
            "case" => Some(self.case()),
            "function" => {
                self.at += word.len();
                let name = self.next_word().literal()?;
                self.function_parentheses();
                Some(self.function_body(name))
            }
            "[[" => Some(self.test()),
            "{" => {
                self.at += 1;
                let list = self.list_until(Closer::Brace);
                if !self.keyword("}") {
                    self.problem(start, "the group has no '}'");
                }
                Some(Kind::Group(list))
            }
            _ => None,
        }
    }

    fn body(&mut self, closer: Closer) -> Body {
        let start = self.at;
        let list = self.list_until(closer);
        Body { span: self.from(start), list }
    }

    fn conditional(&mut self) -> Kind {
        let start = self.at;
        self.at += 2;
        self.push_closer(Closer::Fi);
        let mut arms = Vec::new();
        let mut otherwise = None;
        loop {
            let condition = self.list_until(Closer::Then);
            if !self.keyword("then") {
                self.problem(start, "the condition has no 'then'");
            }
            let body = self.body(Closer::Fi);
            arms.push(Arm { condition, body });
            if self.keyword("elif") {
                continue;
            }
            if self.keyword("else") {
                otherwise = Some(self.body(Closer::Fi));
            }
            break;
        }
        if !self.keyword("fi") {
            self.problem(start, "the condition has no 'fi'");
        }
        self.pop_closer();
        Kind::If { arms, otherwise }
    }

    /// `do .. done`; its closer was pushed by the caller.
    fn loop_body(&mut self, start: usize) -> Body {
        self.lines();
        let braces = self.peek() == Some(b'{') && self.keyword("{");
        if !braces && !self.keyword("do") {
            self.problem(start, "the loop has no 'do'");
        }
        let body = self.body(if braces { Closer::Brace } else { Closer::Done });
        if !self.keyword(if braces { "}" } else { "done" }) {
            self.problem(start, "the loop has no 'done'");
        }
        self.pop_closer();
        body
    }

    fn for_loop(&mut self, start: usize) -> Kind {
        self.blanks();
        let mut variable = None;
        let mut words = Vec::new();
        if self.starts_with("((") {
            let word = self.attempt(|parser| parser.arithmetic(2));
            words.extend(word);
        } else {
            variable = self.next_word().literal();
            self.lines();
            if self.keyword("in") {
                loop {
                    self.blanks();
                    let begin = self.at;
                    if self.peek() == Some(b'#') {
                        break;
                    }
                    let word = self.word(Stop::Blank);
                    if self.at == begin {
                        break;
                    }
                    words.push(word);
                }
            }
        }
        self.blanks();
        self.eat(";");
        self.push_closer(Closer::Done);
        let body = self.loop_body(start);
        Kind::For { variable, words, body }
    }

    fn case(&mut self) -> Kind {
        let start = self.at;
        self.at += 4;
        let subject = self.next_word();
        self.lines();
        if !self.keyword("in") {
            self.problem(start, "the 'case' has no 'in'");
        }
        let mut arms = Vec::new();
        loop {
            self.lines();
            if self.at >= self.end {
                self.problem(start, "the 'case' has no 'esac'");
                break;
            }
            if self.keyword("esac") {
                break;
            }
            let begin = self.at;
            self.eat("(");
            let mut patterns = Vec::new();
            loop {
                self.blanks();
                patterns.push(self.word(Stop::Blank));
                self.blanks();
                if !self.eat("|") {
                    break;
                }
            }
            self.eat(")");
            let body = self.body(Closer::CaseArm);
            let _ = self.eat(";;&") || self.eat(";;") || self.eat(";&");
            if self.at == begin {
                // Something that closes a construct around this one.
                self.problem(start, "the 'case' has no 'esac'");
                break;
            }
            arms.push(CaseArm { patterns, body });
        }
        Kind::Case { subject, arms }
    }

    /// Passes over `()` and tells whether it was there.
    pub(super) fn function_parentheses(&mut self) -> bool {
        let before = self.at;
        self.blanks();
        if self.eat("(") {
            self.blanks();
            if self.eat(")") {
                return true;
            }
        }
        self.at = before;
        false
    }

    pub(super) fn function_body(&mut self, name: String) -> Kind {
        self.lines();
        Kind::Function { name, body: Box::new(self.command()) }
    }

    fn test(&mut self) -> Kind {
        self.at += 2;
        let mut words = Vec::new();
        loop {
            self.lines();
            if self.at >= self.end || (self.backtick && self.peek() == Some(b'`')) {
                self.unterminated = true;
                break;
            }
            if self.starts_with("]]") && self.peek_at(2).is_none_or(|byte| self.ends_word(byte)) {
                self.at += 2;
                break;
            }
            let begin = self.at;
            let word = self.word(Stop::Test);
            if self.at == begin {
                self.bump();
            } else {
                words.push(word);
            }
        }
        Kind::Test(words)
    }
}
