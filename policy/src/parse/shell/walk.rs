//! A walk over everything in a script, scripts inside of it included.

use super::{
    AssignedValue, Assignment, Body, Command, Expansion, Heredoc, Inline, Kind, List, Part, PartKind,
    Pipeline, Script, Statement, Target, Word,
};
use crate::finding::Span;

/// What a walk meets, before what lies inside of it. Nothing has to be answered.
pub trait Visitor<'s> {
    fn statement(&mut self, _statement: &'s Statement) {}
    fn pipeline(&mut self, _pipeline: &'s Pipeline) {}
    fn command(&mut self, _command: &'s Command) {}
    /// `prefix` where the assignment is for one program alone.
    fn assignment(&mut self, _assignment: &'s Assignment, _prefix: bool) {}
    fn word(&mut self, _word: &'s Word) {}
    fn expansion(&mut self, _part: &'s Part, _expansion: &'s Expansion) {}
    fn heredoc(&mut self, _heredoc: &'s Heredoc) {}
    fn enter(&mut self, _scope: Scope<'s>) {}
    fn leave(&mut self) {}
    fn enter_inline(&mut self, _inline: &'s Inline) {}
    fn leave_inline(&mut self) {}
}

/// Where what is set may be unknown outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope<'s> {
    pub span: Span,
    pub kind: ScopeKind<'s>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeKind<'s> {
    /// May run or not: a branch of an `if`, the body of a loop.
    Branch,
    Function(&'s str),
    /// A process of its own: parentheses, a substitution.
    Subshell,
}

pub fn walk<'s>(script: &'s Script, visitor: &mut dyn Visitor<'s>) {
    let mut walk = Walk { script, visitor };
    walk.list(&script.body);
}

struct Walk<'s, 'v> {
    script: &'s Script,
    visitor: &'v mut dyn Visitor<'s>,
}

impl<'s> Walk<'s, '_> {
    fn list(&mut self, list: &'s List) {
        for statement in list {
            self.visitor.statement(statement);
            for pipeline in statement.pipelines() {
                self.visitor.pipeline(pipeline);
                for command in &pipeline.commands {
                    self.command(command);
                }
            }
        }
    }

    fn body(&mut self, body: &'s Body) {
        self.scoped(body.span, ScopeKind::Branch, |walk| walk.list(&body.list));
    }

    fn scoped(&mut self, span: Span, kind: ScopeKind<'s>, inside: impl FnOnce(&mut Self)) {
        self.visitor.enter(Scope { span, kind });
        inside(self);
        self.visitor.leave();
    }

    fn command(&mut self, command: &'s Command) {
        self.visitor.command(command);
        match &command.kind {
            Kind::Simple(simple) => {
                let prefix = !simple.words.is_empty();
                for assignment in &simple.assignments {
                    self.assignment(assignment, prefix);
                }
                for word in &simple.words {
                    self.word(word);
                }
                for assignment in &simple.declares {
                    self.assignment(assignment, false);
                }
                for inline in &simple.scripts {
                    self.inline(inline);
                }
            }
            Kind::Group(list) => self.list(list),
            Kind::Subshell(list) => self.scoped(command.span, ScopeKind::Subshell, |walk| walk.list(list)),
            Kind::If { arms, otherwise } => {
                for arm in arms {
                    self.list(&arm.condition);
                    self.body(&arm.body);
                }
                if let Some(body) = otherwise {
                    self.body(body);
                }
            }
            Kind::While { arm, .. } => {
                self.list(&arm.condition);
                self.body(&arm.body);
            }
            Kind::For { words, body, .. } => {
                for word in words {
                    self.word(word);
                }
                self.body(body);
            }
            Kind::Case { subject, arms } => {
                self.word(subject);
                for arm in arms {
                    for word in &arm.patterns {
                        self.word(word);
                    }
                    self.body(&arm.body);
                }
            }
            Kind::Function { name, body } => {
                self.scoped(body.span, ScopeKind::Function(name), |walk| walk.command(body));
            }
            Kind::Test(words) => {
                for word in words {
                    self.word(word);
                }
            }
            Kind::Arithmetic(word) => self.word(word),
            Kind::Opaque => {}
        }
        for redirect in &command.redirects {
            match &redirect.target {
                Target::Word(word) => self.word(word),
                Target::Heredoc(index) => {
                    let Some(heredoc) = self.script.heredocs.get(*index) else { continue };
                    self.visitor.heredoc(heredoc);
                    self.word(&heredoc.body);
                    if let Some(inline) = &heredoc.script {
                        self.inline(inline);
                    }
                }
            }
        }
    }

    fn inline(&mut self, inline: &'s Inline) {
        self.visitor.enter_inline(inline);
        walk(&inline.script, self.visitor);
        self.visitor.leave_inline();
    }

    fn assignment(&mut self, assignment: &'s Assignment, prefix: bool) {
        self.visitor.assignment(assignment, prefix);
        match &assignment.value {
            AssignedValue::Word(word) => self.word(word),
            AssignedValue::Array(words) => {
                for word in words {
                    self.word(word);
                }
            }
        }
    }

    fn word(&mut self, word: &'s Word) {
        self.visitor.word(word);
        for part in &word.parts {
            match &part.kind {
                PartKind::Variable(expansion) => {
                    self.visitor.expansion(part, expansion);
                    if let Some(operand) = &expansion.operand {
                        self.word(operand);
                    }
                }
                PartKind::Command(list) | PartKind::Process { list, .. } => {
                    self.scoped(part.span, ScopeKind::Subshell, |walk| walk.list(list));
                }
                PartKind::Arithmetic(word) => self.word(word),
                PartKind::Literal(_) | PartKind::Github(_) | PartKind::Placeholder(_) => {}
            }
        }
    }
}
