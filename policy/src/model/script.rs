//! A run of shell, wherever it is written, as a list of [`Command`]s.

use std::collections::HashMap;
use std::ops::Range;

use crate::document::Document;
use crate::finding::{Place, Span};
use crate::parse::shell::{
    self, Environment, Failure, Flags, Invocation, Kind, PartKind, Piece, RedirectOperator, Resolved, Run,
    Target, Variables, Word,
};
use crate::parse::source::Source;

use super::branch::Choice;
use super::called;
use super::command::{Arg, Command, Fate, Pipe, Redirect, Setting, Wrapper};
use super::role::{self, Role};

/// Where a script stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A file of its own, or a fenced block of Markdown.
    File,
    /// `run:` of a workflow or a composite action: job and step by index.
    Step { job: usize, step: usize },
    /// A line of a crontab, by index.
    Cron(usize),
    /// `ExecStart=` of a unit.
    Exec,
    /// `command:` or `entrypoint:` of a service, a container's `args`.
    Container,
    /// A program started by TypeScript.
    Process,
}

/// Every command of one shell, and what it is started with.
#[derive(Debug, Clone)]
pub struct Script {
    /// Index into [`super::Set::units`].
    pub unit: usize,
    pub host: Host,
    /// The whole text.
    pub at: Place,
    /// How the shell starts.
    pub flags: Flags,
    pub interpreter: Option<String>,
    /// What it is started with, as far as that is written down: ranges in
    /// [`super::Set::environment`], of which the last holds.
    pub env: Vec<Range<usize>>,
    /// Files that it reads with `.` or `source`: these may set anything.
    pub sourced: Vec<Arg>,
    /// The name of the step.
    pub name: Option<String>,
    /// Every assignment, in order.
    pub assignments: Vec<Setting>,
    /// Indices into `assignments`.
    by_name: HashMap<String, Vec<usize>>,
    /// Range in [`super::Set::commands`].
    pub commands: std::ops::Range<usize>,
    /// Every `if`, scripts inside of it included.
    pub choices: Vec<Choice>,
    /// Whether a shell reads a here-document with quotes around its delimiter.
    pub hands_over: bool,
    /// Comments, from the `#` to the end of the line.
    pub comments: Vec<Span>,
    /// What could not be read.
    pub problems: usize,
    /// What it was read as; spans are those of the document.
    pub tree: shell::Script,
}

impl Script {
    /// Where a part of its document lies.
    pub fn place(&self, span: Span) -> Place {
        Place { document: self.at.document, span }
    }

    /// Every assignment of one variable, in order.
    pub fn assigned(&self, name: &str) -> impl DoubleEndedIterator<Item = &Setting> {
        let indices = self.by_name.get(name).map(Vec::as_slice).unwrap_or_default();
        indices.iter().filter_map(|index| self.assignments.get(*index))
    }
}

/// What a script is, before it is read.
pub struct Start<'s> {
    pub unit: usize,
    pub document: usize,
    pub host: Host,
    /// None: as its first line says.
    pub flags: Option<Flags>,
    pub env: Vec<Range<usize>>,
    pub environment: &'s Environment,
    pub source: &'s Source<'s>,
}

/// Reads one script; `first` is the index of its first command.
pub fn read(start: Start<'_>, documents: &[Document], index: usize, first: usize) -> (Script, Vec<Command>) {
    let tree = shell::parse_in(start.source);
    let variables = Variables::of(&tree).with(start.environment, &start.env);
    let text = documents.get(start.document).map_or("", |document| document.text.as_str());
    let reader = Reader { document: start.document, text, variables: &variables };
    let flags = start.flags.unwrap_or_else(|| tree.initial_flags());
    let runs = tree.commands(flags);
    let mut assignments = Vec::new();
    let mut commands: Vec<Command> = Vec::with_capacity(runs.len());
    for run in &runs {
        for assignment in run.simple.assignments.iter().chain(&run.simple.declares) {
            if let shell::AssignedValue::Word(word) = &assignment.value
                && (run.simple.words.is_empty() || run.simple.declares.contains(assignment))
            {
                assignments.push(Setting { name: assignment.name.clone(), value: reader.arg(word) });
            }
        }
        commands.extend(reader.command(run, index));
    }
    let mut met = Met::default();
    shell::walk(&tree, &mut met);
    if !met.tests.is_empty() {
        commands.extend(met.tests.into_iter().map(|(at, words)| reader.test(at, words, index, flags)));
        commands.sort_by_key(|command| (command.at.span.start, command.at.span.end));
    }
    super::pipe::join(&mut commands);
    let script = Script {
        unit: start.unit,
        host: start.host,
        at: Place { document: start.document, span: tree.span },
        flags,
        interpreter: tree.shebang.as_ref().map(|shebang| shebang.interpreter.clone()),
        env: start.env.clone(),
        sourced: variables.sourced().iter().map(|word| reader.arg(word)).collect(),
        name: None,
        by_name: by_name(&assignments),
        assignments,
        commands: first..first + commands.len(),
        choices: met.choices,
        hands_over: met.hands_over,
        comments: tree.comments.clone(),
        problems: tree.problems.len(),
        tree,
    };
    (script, commands)
}

fn by_name(assignments: &[Setting]) -> HashMap<String, Vec<usize>> {
    let mut indices: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, setting) in assignments.iter().enumerate() {
        indices.entry(setting.name.clone()).or_default().push(index);
    }
    indices
}

struct Reader<'r, 's> {
    document: usize,
    text: &'r str,
    variables: &'r Variables<'s>,
}

impl Reader<'_, '_> {
    fn place(&self, span: Span) -> Place {
        Place { document: self.document, span }
    }

    fn slice(&self, span: Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    fn arg(&self, word: &Word) -> Arg {
        self.resolved(word, &self.variables.resolve(word))
    }

    fn resolved(&self, word: &Word, resolved: &Resolved) -> Arg {
        let mut text = String::new();
        for piece in &resolved.pieces {
            match piece {
                Piece::Text(known) => text.push_str(known),
                Piece::Variable(name) => text.push_str(&format!("${{{name}}}")),
                Piece::Output(span) => {
                    // One spelling: `$(..)`, with single blanks.
                    let inner = self.slice(*span).trim_matches('`');
                    let inner =
                        inner.strip_prefix("$(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(inner);
                    let words: Vec<&str> = inner.split_whitespace().collect();
                    text.push_str(&format!("$({})", words.join(" ")));
                }
                Piece::Arithmetic => text.push_str("$((..))"),
                Piece::Github(inner) => text.push_str(&format!("${{{{ {inner} }}}}")),
                Piece::Placeholder(name) => text.push_str(&format!("<{name}>")),
            }
        }
        Arg {
            at: self.place(word.span),
            text,
            raw: self.slice(word.span).to_owned(),
            variables: variables(word),
            may_split: word.may_split(),
            is_glob: word.is_glob(),
        }
    }

    fn redirects(&self, command: &shell::Command) -> Vec<Redirect> {
        let default = |operator| {
            u32::from(!matches!(
                operator,
                RedirectOperator::Read
                    | RedirectOperator::ReadWrite
                    | RedirectOperator::CopyInput
                    | RedirectOperator::Heredoc
                    | RedirectOperator::HereString
            ))
        };
        let each = |redirect: &shell::Redirect| Redirect {
            at: self.place(redirect.span),
            operator: redirect.operator,
            descriptor: redirect.descriptor.unwrap_or_else(|| default(redirect.operator)),
            target: match &redirect.target {
                Target::Word(word) => Some(self.arg(word)),
                Target::Heredoc(_) => None,
            },
        };
        command.redirects.iter().map(each).collect()
    }

    /// None for assignments alone, and where the program is not named.
    fn command(&self, run: &Run<'_>, script: usize) -> Option<Command> {
        let invocation = Invocation::of(run.simple, self.variables)?;
        let arg = |argument: &shell::Argument<'_>| self.resolved(argument.word, &argument.text);
        let args: Vec<Arg> = invocation.arguments.iter().map(arg).collect();
        let wrappers: Vec<Wrapper> = invocation
            .wrappers
            .iter()
            .map(|wrapper| Wrapper { name: wrapper.name, args: wrapper.arguments.iter().map(arg).collect() })
            .collect();
        let env = run.simple.assignments.iter().filter_map(|assignment| match &assignment.value {
            shell::AssignedValue::Word(word) => {
                Some(Setting { name: assignment.name.clone(), value: self.arg(word) })
            }
            shell::AssignedValue::Array(_) => None,
        });
        // `command -v pg_dump` asks whether there is one.
        let asks = wrappers.iter().any(|wrapper| {
            wrapper.name == "command" && wrapper.args.iter().any(|arg| arg.text == "-v" || arg.text == "-V")
        });
        let role = if asks { Role::Other } else { role::classify(&invocation.program, &args) };
        let mut command = Command {
            at: self.place(run.command.span),
            name_at: self.place(invocation.span),
            script,
            name: invocation.program,
            args,
            env: env.collect(),
            redirects: self.redirects(run.command),
            wrappers,
            pipe: Pipe { span: run.pipeline.span, index: run.index, length: run.pipeline.commands.len() },
            statement: run.statement.span,
            fate: fate(run.failure),
            flags: run.flags,
            nesting: run.nesting,
            function: run.function.map(str::to_owned),
            role,
            called: None,
            callee: None,
        };
        if !asks {
            command.called = called::called(&command, self.slice(invocation.span));
        }
        Some(command)
    }

    /// `[[ .. ]]` is no simple command, but it asks what `[` asks.
    fn test(&self, at: Span, words: &[Word], script: usize, flags: Flags) -> Command {
        let args: Vec<Arg> = words.iter().map(|word| self.arg(word)).collect();
        Command {
            at: self.place(at),
            name_at: self.place(Span::new(at.start, at.start + 2)),
            script,
            name: "[[".to_owned(),
            role: role::classify("[[", &args),
            args,
            env: Vec::new(),
            redirects: Vec::new(),
            wrappers: Vec::new(),
            pipe: Pipe { span: at, index: 0, length: 1 },
            statement: at,
            fate: Fate::Tested,
            flags,
            nesting: shell::Nesting { condition: true, ..shell::Nesting::default() },
            function: None,
            called: None,
            callee: None,
        }
    }
}

/// What else a script holds: seen on one walk, since its tree is large.
#[derive(Default)]
struct Met<'t> {
    /// Each `[[ .. ]]` with its words.
    tests: Vec<(Span, &'t [Word])>,
    choices: Vec<Choice>,
    hands_over: bool,
}

impl<'t> shell::Visitor<'t> for Met<'t> {
    fn command(&mut self, command: &'t shell::Command) {
        if let Kind::Test(words) = &command.kind {
            self.tests.push((command.span, words));
        }
        self.choices.extend(Choice::of(command));
    }

    fn heredoc(&mut self, heredoc: &'t shell::Heredoc) {
        self.hands_over |= heredoc.quoted && heredoc.script.is_some();
    }
}

fn variables(word: &Word) -> Vec<String> {
    let mut names = Vec::new();
    for part in &word.parts {
        match &part.kind {
            PartKind::Variable(expansion) => {
                names.push(expansion.name.clone());
                names.extend(expansion.operand.as_deref().map(variables).unwrap_or_default());
            }
            PartKind::Arithmetic(inner) => names.extend(variables(inner)),
            _ => {}
        }
    }
    names
}

fn fate(failure: Failure<'_>) -> Fate {
    match failure {
        Failure::Stops => Fate::Stops,
        Failure::Returned => Fate::Returned,
        Failure::Handled(pipeline) => Fate::Handled(pipeline.span),
        Failure::Tested => Fate::Tested,
        Failure::Checked => Fate::Checked,
        Failure::Skipped => Fate::Skipped,
        Failure::LostInPipe => Fate::LostInPipe,
        Failure::LostInWord => Fate::LostInWord,
        Failure::Background => Fate::Background,
        Failure::Ignored => Fate::Ignored,
    }
}
