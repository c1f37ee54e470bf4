//! The tree of a script: lists of statements, pipelines, commands, words.

use super::Flags;
use crate::finding::Span;

#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    pub span: Span,
    /// `#!/bin/bash -eu`, as its words: the interpreter and its options.
    pub shebang: Option<Shebang>,
    pub body: List,
    pub heredocs: Vec<Heredoc>,
    /// From the `#` to the end of the line.
    pub comments: Vec<Span>,
    pub problems: Vec<Problem>,
}

impl Script {
    /// The here-document that a redirection opens.
    pub fn heredoc(&self, redirect: &Redirect) -> Option<&Heredoc> {
        match redirect.target {
            Target::Heredoc(index) => self.heredocs.get(index),
            Target::Word(_) => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shebang {
    pub span: Span,
    /// Without its folder, and without `env`.
    pub interpreter: String,
    pub options: Vec<String>,
}

/// What could not be read, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub span: Span,
    pub message: &'static str,
}

/// Statements one after another.
pub type List = Vec<Statement>;

/// `first && second || third`, with its `;` or `&`.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    pub span: Span,
    pub first: Pipeline,
    pub rest: Vec<(Join, Pipeline)>,
    pub background: bool,
}

impl Statement {
    pub fn pipelines(&self) -> impl Iterator<Item = &Pipeline> {
        std::iter::once(&self.first).chain(self.rest.iter().map(|(_, pipeline)| pipeline))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    And,
    Or,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    pub span: Span,
    /// `! command`.
    pub negated: bool,
    /// Never empty.
    pub commands: Vec<Command>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    pub span: Span,
    pub kind: Kind,
    pub redirects: Vec<Redirect>,
    /// `|&` sends standard error into the pipe as well.
    pub pipes_errors: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Simple(Simple),
    /// `{ ..; }`
    Group(List),
    /// `( .. )`
    Subshell(List),
    If {
        /// `if` and each `elif`.
        arms: Vec<Arm>,
        otherwise: Option<Body>,
    },
    While {
        until: bool,
        arm: Arm,
    },
    For {
        /// None in the C form `for ((..))`.
        variable: Option<String>,
        /// `in ..`; empty where the loop runs over the script's arguments.
        words: Vec<Word>,
        body: Body,
    },
    Case {
        subject: Word,
        arms: Vec<CaseArm>,
    },
    Function {
        name: String,
        body: Box<Command>,
    },
    /// `[[ .. ]]`, its operators as words.
    Test(Vec<Word>),
    /// `(( .. ))`
    Arithmetic(Word),
    /// What could not be read.
    Opaque,
}

/// A condition and what it guards.
#[derive(Debug, Clone, PartialEq)]
pub struct Arm {
    pub condition: List,
    pub body: Body,
}

/// Statements that may run or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    pub span: Span,
    pub list: List,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CaseArm {
    pub patterns: Vec<Word>,
    pub body: Body,
}

/// `NAME=value program argument ..`
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Simple {
    /// Before the program: for it alone, or for the shell where no program follows.
    pub assignments: Vec<Assignment>,
    pub words: Vec<Word>,
    /// `export NAME=value`, `local`, `readonly`, `declare`, `typeset`: these
    /// arguments are here and not among the words.
    pub declares: Vec<Assignment>,
    /// Arguments that are scripts themselves.
    pub scripts: Vec<Inline>,
}

impl Simple {
    /// The program's name as written, where that is plain text.
    pub fn name(&self) -> Option<String> {
        self.words.first()?.literal()
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    pub span: Span,
    pub name: String,
    /// `NAME[index]=..`
    pub indexed: bool,
    /// `NAME+=..`
    pub appends: bool,
    pub value: AssignedValue,
}

#[derive(Debug, Clone, PartialEq)]
pub enum AssignedValue {
    Word(Word),
    Array(Vec<Word>),
}

/// A script in an argument or a here-document of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Inline {
    pub kind: InlineKind,
    pub script: Script,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InlineKind {
    /// `bash -c '..'`, `sh <<EOF`, `su -c '..'`: another shell.
    Shell(Flags),
    /// `ssh host '..'`: a shell elsewhere, without our variables.
    Remote,
    /// `eval '..'`: this shell.
    Eval,
    /// `trap '..' EXIT`: this shell, later.
    Trap,
}

/// One argument: parts that the shell joins.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Word {
    pub span: Span,
    pub parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Without quotes and backslashes around it.
    pub span: Span,
    pub quote: Quote,
    pub kind: PartKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quote {
    None,
    /// One character after a backslash, outside of quotes.
    Escape,
    Single,
    Double,
    /// `$'..'`
    Dollar,
}

#[derive(Debug, Clone, PartialEq)]
pub enum PartKind {
    /// After quotes and escapes.
    Literal(String),
    Variable(Expansion),
    /// `$(..)` or backticks.
    Command(List),
    /// `$((..))`
    Arithmetic(Word),
    /// `<(..)` or, with `output`, `>(..)`.
    Process {
        list: List,
        output: bool,
    },
    /// `${{ .. }}`: what stands between the braces, trimmed.
    Github(String),
    /// `<name>` in a document: what a reader has to fill in.
    Placeholder(String),
}

/// `$name` or `${name..}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Expansion {
    /// Also `1`, `@`, `?` and the like.
    pub name: String,
    /// As written, for scripts inside of words.
    pub raw: String,
    /// `${#name}`
    pub length: bool,
    /// `${!name}`
    pub indirect: bool,
    /// `${name[..]}`
    pub indexed: bool,
    pub operator: Option<Operator>,
    /// What follows the operator.
    pub operand: Option<Box<Word>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `:-` and `-`
    Default,
    /// `:=` and `=`
    Assign,
    /// `:?` and `?`
    Require,
    /// `:+` and `+`
    Alternative,
    /// `#` and `##`
    RemovePrefix,
    /// `%` and `%%`
    RemoveSuffix,
    /// `/` and `//`
    Replace,
    /// `:offset:length`
    Substring,
    /// `^`, `,`, `@Q` and the like
    Transform,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Redirect {
    pub span: Span,
    /// Before the operator; where none is written the operator has its own.
    pub descriptor: Option<u32>,
    pub operator: RedirectOperator,
    pub target: Target,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedirectOperator {
    /// `<`
    Read,
    /// `>`, `>|`
    Write,
    /// `>>`
    Append,
    /// `<>`
    ReadWrite,
    /// `<&`
    CopyInput,
    /// `>&`: `2>&1`, and `>& file` too.
    CopyOutput,
    /// `&>`
    WriteBoth,
    /// `&>>`
    AppendBoth,
    /// `<<`, `<<-`
    Heredoc,
    /// `<<<`
    HereString,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    Word(Word),
    /// Index into the script's here-documents.
    Heredoc(usize),
}

impl Redirect {
    pub fn word(&self) -> Option<&Word> {
        match &self.target {
            Target::Word(word) => Some(word),
            Target::Heredoc(_) => None,
        }
    }

    /// Whether what the program prints on `stream` (1 or 2) goes to the target.
    pub fn takes(&self, stream: u32) -> bool {
        match self.operator {
            RedirectOperator::Write | RedirectOperator::Append | RedirectOperator::CopyOutput => {
                self.descriptor.unwrap_or(1) == stream
            }
            RedirectOperator::WriteBoth | RedirectOperator::AppendBoth => stream == 1 || stream == 2,
            _ => false,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Heredoc {
    /// The body, without the line of its end.
    pub span: Span,
    pub delimiter: String,
    /// `<<'EOF'`: nothing in the body is expanded.
    pub quoted: bool,
    /// `<<-`
    pub strips_tabs: bool,
    /// The body; its literals are quoted.
    pub body: Word,
    /// The body as a script, where a shell reads it.
    pub script: Option<Box<Inline>>,
}
