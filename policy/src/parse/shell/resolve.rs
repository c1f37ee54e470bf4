//! What a word becomes, as far as the document tells.
//!
//! A variable has the value of the last assignment before it that surely ran;
//! where a branch may have changed it, it stays unknown. `${NAME:-default}` is
//! the default where nothing else is known. Nothing is ever run.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use super::affix::{remove_prefix, remove_suffix};
use super::walk::{Scope, ScopeKind, Visitor, walk};
use super::{
    AssignedValue, Assignment, Command, Environment, Expansion, Kind, Operator, Part, PartKind, Script, Word,
};
use crate::finding::Span;

/// Assignments inside of assignments.
const DEPTH: usize = 16;
/// Bytes of one resolved word.
const LENGTH: usize = 16 << 10;
/// Variables that are looked up for a whole script: `A=$A$A` on every line doubles
/// what each is made of. What comes behind stays unknown.
const LOOKUPS: usize = 1 << 19;
/// Assignments that are looked at for one use.
const LOOK_BACK: usize = 64;

/// A word after expansion.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resolved {
    pub pieces: Vec<Piece>,
    /// A default took the place of a variable that the document does not set.
    pub assumed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    /// A variable whose value is not in the document.
    Variable(String),
    /// What a command prints.
    Output(Span),
    Arithmetic,
    /// GitHub's expression.
    Github(String),
    /// What a reader has to fill in.
    Placeholder(String),
}

impl Resolved {
    /// The text, where all of it is known.
    pub fn literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// What it surely begins with.
    pub fn prefix(&self) -> &str {
        match self.pieces.first() {
            Some(Piece::Text(text)) => text,
            _ => "",
        }
    }

    /// What it surely ends with.
    pub fn suffix(&self) -> &str {
        match self.pieces.last() {
            Some(Piece::Text(text)) => text,
            _ => "",
        }
    }

    /// Whether one piece of its known text holds this.
    pub fn contains(&self, text: &str) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Text(known) if known.contains(text)))
    }

    fn push(&mut self, piece: Piece) {
        match (self.pieces.last_mut(), piece) {
            (_, Piece::Text(text)) if text.is_empty() => {}
            (Some(Piece::Text(last)), Piece::Text(text)) => last.push_str(&text),
            (_, piece) => self.pieces.push(piece),
        }
    }

    fn length(&self) -> usize {
        let length = |piece: &Piece| if let Piece::Text(text) = piece { text.len() } else { 8 };
        self.pieces.iter().map(length).sum()
    }
}

/// With what is unknown as a shell would write it: `/backups/$NAME-$(..).sql`.
impl fmt::Display for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Variable(name)
                if !name.starts_with(|first: char| first.is_alphabetic() || first == '_') =>
            {
                write!(f, "${name}")
            }
            Piece::Variable(name) => write!(f, "${{{name}}}"),
            Piece::Output(_) => f.write_str("$(..)"),
            Piece::Arithmetic => f.write_str("$((..))"),
            Piece::Github(inner) => write!(f, "${{{{ {inner} }}}}"),
            Piece::Placeholder(name) => write!(f, "<{name}>"),
        })
    }
}

/// Every variable that a script sets.
#[derive(Debug, Default)]
pub struct Variables<'s> {
    bindings: HashMap<&'s str, Vec<Binding<'s>>>,
    /// What the script is started with.
    environment: Option<(&'s Environment, &'s [Range<usize>])>,
    /// Bodies of functions, in order.
    functions: Vec<Span>,
    /// Files that the script reads with `.` or `source`: they may set anything.
    sourced: Vec<&'s Word>,
    /// Variables that were looked up.
    spent: Cell<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Binding<'s> {
    /// From here on it holds.
    at: usize,
    /// None where the value is unknown.
    value: Option<&'s Word>,
    appends: bool,
    scope: Option<Scope<'s>>,
}

impl<'s> Variables<'s> {
    pub fn of(script: &'s Script) -> Self {
        let mut collector = Collector { variables: Self::default(), scopes: Vec::new() };
        walk(script, &mut collector);
        let mut variables = collector.variables;
        variables.bindings.values_mut().for_each(|bindings| bindings.sort_by_key(|binding| binding.at));
        variables
    }

    /// Adds what the script is started with: `env:` of a workflow, an `EnvironmentFile`.
    #[must_use]
    pub fn with(mut self, environment: &'s Environment, ranges: &'s [Range<usize>]) -> Self {
        self.environment = Some((environment, ranges));
        self
    }

    /// What the script is started with; the last holds.
    fn given(&self, name: &str) -> impl DoubleEndedIterator<Item = Option<&'s str>> {
        let environment = self.environment.into_iter();
        environment.flat_map(move |(environment, ranges)| environment.values(ranges, name))
    }

    /// Whether the document gives the variable a value anywhere.
    pub fn sets(&self, name: &str) -> bool {
        self.bindings.contains_key(name) || self.given(name).next().is_some()
    }

    /// The files that `.` and `source` read.
    pub fn sourced(&self) -> &[&'s Word] {
        &self.sourced
    }

    pub fn resolve(&self, word: &Word) -> Resolved {
        let mut resolved = Resolved::default();
        self.word(word, word.span.start, 0, &mut resolved);
        resolved
    }

    /// The value of a variable at an offset of the document.
    pub fn value(&self, name: &str, at: usize) -> Option<Resolved> {
        let mut resolved = Resolved::default();
        self.variable(name, at, 0, &mut resolved).then_some(resolved)
    }

    fn word(&self, word: &Word, at: usize, depth: usize, out: &mut Resolved) {
        for part in &word.parts {
            match &part.kind {
                PartKind::Literal(text) => out.push(Piece::Text(text.clone())),
                PartKind::Variable(expansion) => self.expansion(expansion, at, depth, out),
                PartKind::Command(_) | PartKind::Process { .. } => out.push(Piece::Output(part.span)),
                PartKind::Arithmetic(_) => out.push(Piece::Arithmetic),
                PartKind::Github(inner) => out.push(Piece::Github(inner.clone())),
                PartKind::Placeholder(name) => out.push(Piece::Placeholder(name.clone())),
            }
        }
    }

    fn expansion(&self, expansion: &Expansion, at: usize, depth: usize, out: &mut Resolved) {
        let unknown = || Piece::Variable(expansion.name.clone());
        if expansion.length || expansion.indirect || expansion.indexed {
            return out.push(unknown());
        }
        let mut value = Resolved::default();
        let known = self.variable(&expansion.name, at, depth + 1, &mut value);
        let operand = expansion.operand.as_deref();
        match expansion.operator {
            Some(Operator::Default | Operator::Assign) if !known || value.pieces.is_empty() => {
                out.assumed = true;
                if let Some(operand) = operand
                    && depth < DEPTH
                {
                    self.word(operand, at, depth + 1, out);
                }
            }
            Some(Operator::RemovePrefix | Operator::RemoveSuffix) if known => {
                let pattern = operand.and_then(Word::literal).unwrap_or_default();
                let greedy = expansion.raw.contains("##") || expansion.raw.contains("%%");
                let trimmed = if expansion.operator == Some(Operator::RemovePrefix) {
                    remove_prefix(&mut value, &pattern, greedy)
                } else {
                    remove_suffix(&mut value, &pattern, greedy)
                };
                if trimmed {
                    append(out, value);
                } else {
                    out.push(unknown());
                }
            }
            None | Some(Operator::Default | Operator::Assign | Operator::Require) if known => {
                append(out, value);
            }
            _ => out.push(unknown()),
        }
    }

    /// Appends the variable's value. False, and nothing appended, where it is unknown.
    fn variable(&self, name: &str, at: usize, depth: usize, out: &mut Resolved) -> bool {
        let spent = self.spent.get();
        self.spent.set(spent.saturating_add(1));
        if depth > DEPTH || spent > LOOKUPS || out.length() > LENGTH {
            return false;
        }
        match self.binding(name, at) {
            Ok(binding) => {
                let Some(word) = binding.value else { return false };
                let mut value = Resolved::default();
                if binding.appends && !self.variable(name, word.span.start, depth + 1, &mut value) {
                    value = Resolved::default();
                    value.push(Piece::Variable(name.to_owned()));
                }
                self.word(word, word.span.start, depth + 1, &mut value);
                if value.length() > LENGTH {
                    return false;
                }
                append(out, value);
                true
            }
            Err(true) => false,
            Err(false) => match self.given(name).next_back().flatten() {
                Some(value) => {
                    out.push(Piece::Text(value.to_owned()));
                    true
                }
                None => false,
            },
        }
    }

    /// The assignment that holds at an offset; the error tells whether there may
    /// be one.
    fn binding(&self, name: &str, at: usize) -> Result<Binding<'s>, bool> {
        let Some(bindings) = self.bindings.get(name) else { return Err(false) };
        let before = bindings.partition_point(|binding| binding.at <= at);
        for binding in bindings.iter().take(before).rev().take(LOOK_BACK) {
            match binding.scope {
                Some(scope) if !(scope.span.start <= at && at < scope.span.end) => match scope.kind {
                    ScopeKind::Subshell => {}
                    ScopeKind::Branch | ScopeKind::Function(_) => break,
                },
                _ => return Ok(*binding),
            }
        }
        // A function may use what is set further down, and set what is used elsewhere.
        match bindings.as_slice() {
            [only] if !only.contains(at) => match only.scope.map(|scope| scope.kind) {
                None if self.in_function(at) => Ok(*only),
                Some(ScopeKind::Function(_)) => Ok(*only),
                _ => Err(true),
            },
            _ => Err(true),
        }
    }
}

impl Variables<'_> {
    fn in_function(&self, at: usize) -> bool {
        let before = self.functions.partition_point(|span| span.start <= at);
        before.checked_sub(1).and_then(|last| self.functions.get(last)).is_some_and(|span| at < span.end)
    }
}

impl Binding<'_> {
    /// Whether an offset lies in its own value.
    fn contains(&self, at: usize) -> bool {
        self.value.is_some_and(|word| word.span.start <= at && at <= word.span.end)
    }
}

fn append(out: &mut Resolved, value: Resolved) {
    out.assumed |= value.assumed;
    value.pieces.into_iter().for_each(|piece| out.push(piece));
}

struct Collector<'s> {
    variables: Variables<'s>,
    scopes: Vec<Scope<'s>>,
}

impl<'s> Collector<'s> {
    fn bind(&mut self, name: &'s str, at: usize, value: Option<&'s Word>, appends: bool) {
        let scope = self.scopes.last().copied();
        self.variables.bindings.entry(name).or_default().push(Binding { at, value, appends, scope });
    }

    fn sets_nothing_known(&mut self, words: &'s [Word], at: usize) {
        for word in words {
            if let [Part { kind: PartKind::Literal(name), .. }] = word.parts.as_slice()
                && !name.starts_with('-')
            {
                self.bind(name, at, None, false);
            }
        }
    }
}

impl<'s> Visitor<'s> for Collector<'s> {
    fn assignment(&mut self, assignment: &'s Assignment, prefix: bool) {
        if !prefix {
            let value = match &assignment.value {
                AssignedValue::Word(word) if !assignment.indexed => Some(word),
                _ => None,
            };
            self.bind(&assignment.name, assignment.span.end, value, assignment.appends);
        }
    }

    fn command(&mut self, command: &'s Command) {
        let at = command.span.start;
        match &command.kind {
            Kind::For { variable: Some(name), .. } => self.bind(name, at, None, false),
            Kind::Simple(simple) => {
                let arguments = simple.words.get(1..).unwrap_or_default();
                match simple.words.first().and_then(Word::literal).as_deref() {
                    Some("read" | "mapfile" | "readarray" | "getopts" | "unset") => {
                        self.sets_nothing_known(arguments, command.span.end);
                    }
                    Some("printf") if arguments.first().is_some_and(|word| word.is("-v")) => {
                        self.sets_nothing_known(arguments.get(1..2).unwrap_or_default(), command.span.end);
                    }
                    Some("." | "source") => self.variables.sourced.extend(arguments.first()),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// `: "${NAME:=default}"`
    fn expansion(&mut self, part: &'s Part, expansion: &'s Expansion) {
        if expansion.operator == Some(Operator::Assign) {
            self.bind(&expansion.name, part.span.end, expansion.operand.as_deref(), false);
        }
    }

    fn enter(&mut self, scope: Scope<'s>) {
        if matches!(scope.kind, ScopeKind::Function(_)) {
            self.variables.functions.push(scope.span);
        }
        self.scopes.push(scope);
    }

    fn leave(&mut self) {
        self.scopes.pop();
    }
}
