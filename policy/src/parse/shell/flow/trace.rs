//! The walk that knows, at every command, what its failure leads to.

use std::collections::{HashMap, VecDeque};

use super::status::{Asks, asks_for_status};
use super::{Failure, Flags, Nesting, Run};
use crate::parse::shell::{
    AssignedValue, Body, Command, Inline, InlineKind, Join, Kind, List, PartKind, Pipeline, Script, Simple,
    Statement, Target, Word,
};

impl Script {
    /// The flags that the script's first line asks for.
    pub fn initial_flags(&self) -> Flags {
        let Some(shebang) = &self.shebang else { return Flags::default() };
        let mut flags = Flags::of_interpreter(&shebang.interpreter);
        flags.apply(shebang.options.iter().cloned());
        flags
    }

    /// Every simple command, scripts inside of it included, in the order of the
    /// text. `start` is what the caller knows about how the script is run.
    pub fn commands(&self, start: Flags) -> Vec<Run<'_>> {
        let mut flow =
            Flow { script: self, runs: Vec::new(), functions: HashMap::new(), waiting: VecDeque::new() };
        flow.script(self, State { flags: start, ..State::new(Failure::Returned, Failure::Stops) });
        flow.runs.sort_by_key(|run| (run.command.span.start, run.command.span.end));
        flow.runs
    }
}

/// What holds where a list begins.
#[derive(Debug, Clone, Copy)]
struct State<'s> {
    flags: Flags,
    /// What the status of the list's last command becomes.
    last: Failure<'s>,
    /// What a shell that stops becomes for its parent.
    exit: Failure<'s>,
    /// Within a condition, or left of `&&` and `||`, `errexit` does nothing.
    errexit_ignored: bool,
    function: Option<&'s str>,
    nesting: Nesting,
}

impl<'s> State<'s> {
    fn new(last: Failure<'s>, exit: Failure<'s>) -> Self {
        Self {
            flags: Flags::default(),
            last,
            exit,
            errexit_ignored: false,
            function: None,
            nesting: Nesting::default(),
        }
    }

    fn stops(&self) -> bool {
        self.flags.errexit && !self.errexit_ignored
    }
}

struct Function<'s> {
    name: &'s str,
    script: &'s Script,
    body: &'s Command,
    seen: bool,
}

struct Flow<'s> {
    /// The script that is read now.
    script: &'s Script,
    runs: Vec<Run<'s>>,
    functions: HashMap<&'s str, Function<'s>>,
    /// Functions that were called, and how.
    waiting: VecDeque<(&'s str, State<'s>)>,
}

impl<'s> Flow<'s> {
    fn script(&mut self, script: &'s Script, state: State<'s>) -> Flags {
        let outer = std::mem::replace(&mut self.script, script);
        let functions = std::mem::take(&mut self.functions);
        let waiting = std::mem::take(&mut self.waiting);
        let flags = self.list(&script.body, state);
        self.called();
        // What nothing here calls may be called by who knows whom.
        let mut rest: Vec<_> = self.functions.keys().copied().collect();
        rest.sort_unstable();
        for name in rest {
            self.call(name, State { flags, ..state });
            self.called();
        }
        self.functions = functions;
        self.waiting = waiting;
        self.script = outer;
        flags
    }

    /// Only the first call counts.
    fn call(&mut self, name: &str, state: State<'s>) {
        if let Some(function) = self.functions.get_mut(name)
            && !function.seen
        {
            function.seen = true;
            self.waiting.push_back((function.name, state));
        }
    }

    fn called(&mut self) {
        while let Some((name, state)) = self.waiting.pop_front() {
            let Some(function) = self.functions.get(name) else { continue };
            let (body, script) = (function.body, function.script);
            self.script = script;
            let state = State { function: Some(name), ..state };
            match &body.kind {
                Kind::Group(list) => {
                    self.list(list, state);
                }
                Kind::Subshell(list) => {
                    self.list(list, subshell(state, state.last));
                }
                _ => {}
            }
        }
    }

    /// Reads a list and returns the flags behind it.
    fn list(&mut self, list: &'s List, mut state: State<'s>) -> Flags {
        // A function is known to the statements before it as well: they may be in
        // functions themselves.
        for statement in list {
            for command in statement.pipelines().flat_map(|pipeline| &pipeline.commands) {
                if let Kind::Function { name, body } = &command.kind {
                    let function = Function { name, script: self.script, body, seen: false };
                    self.functions.insert(name, function);
                }
            }
        }
        for (index, statement) in list.iter().enumerate() {
            let next = list.get(index + 1);
            let comes_last = next.is_none();
            let checked = next.and_then(asks_for_status);
            let fate = if comes_last {
                state.last
            } else if checked.is_some() {
                Failure::Checked
            } else {
                Failure::Ignored
            };
            let pipe_checked = checked == Some(Asks::Pipe);
            state.flags = self.statement(statement, fate, pipe_checked, state);
        }
        state.flags
    }

    fn statement(
        &mut self,
        statement: &'s Statement,
        fate: Failure<'s>,
        pipe_checked: bool,
        state: State<'s>,
    ) -> Flags {
        let mut state = state;
        let whole = if statement.background {
            Failure::Background
        } else if state.stops() {
            state.exit
        } else {
            fate
        };
        // What runs when a pipeline fails: the right side of the next `||`.
        let mut fallbacks = vec![None; statement.rest.len() + 1];
        for (index, (join, pipeline)) in statement.rest.iter().enumerate().rev() {
            fallbacks[index] = if *join == Join::Or { Some(pipeline) } else { fallbacks[index + 1] };
        }
        for (index, (pipeline, fallback)) in statement.pipelines().zip(fallbacks).enumerate() {
            let followed = index < statement.rest.len();
            let own = match fallback {
                Some(fallback) => Failure::Handled(fallback),
                // `a && b` as the last statement fails as a whole.
                None if followed && matches!(fate, Failure::Ignored) => Failure::Skipped,
                None if followed => fate,
                None => whole,
            };
            let own = if pipeline.negated { Failure::Tested } else { own };
            let mut inner = state;
            inner.errexit_ignored |= followed || pipeline.negated;
            inner.nesting.subshell |= statement.background;
            self.pipeline(statement, pipeline, own, pipe_checked, inner);
            if let [command] = pipeline.commands.as_slice() {
                state.flags = state.flags.behind(command);
            }
        }
        state.flags
    }

    fn pipeline(
        &mut self,
        statement: &'s Statement,
        pipeline: &'s Pipeline,
        fate: Failure<'s>,
        pipe_checked: bool,
        state: State<'s>,
    ) {
        let piped = pipeline.commands.len() > 1;
        for (index, command) in pipeline.commands.iter().enumerate() {
            let last = index + 1 == pipeline.commands.len();
            let own = if last || state.flags.pipefail {
                fate
            } else if pipe_checked {
                Failure::Checked
            } else {
                Failure::LostInPipe
            };
            let state = if piped { subshell(state, own) } else { state };
            match &command.kind {
                Kind::Simple(simple) => {
                    let run = Run {
                        script: self.script,
                        statement,
                        pipeline,
                        index,
                        command,
                        simple,
                        function: state.function,
                        nesting: state.nesting,
                        flags: state.flags,
                        failure: own,
                    };
                    self.runs.push(run);
                    self.simple(simple, own, state);
                }
                _ => self.compound(command, own, state),
            }
            self.redirects(command, own, state);
        }
    }

    fn simple(&mut self, simple: &'s Simple, fate: Failure<'s>, state: State<'s>) {
        if let Some(name) = simple.name() {
            self.call(&name, State { last: fate, ..state });
        }
        // `x=$(..)` alone takes the status of its substitution.
        let status = if simple.words.is_empty() { fate } else { Failure::LostInWord };
        for assignment in &simple.assignments {
            self.assigned(&assignment.value, status, state);
        }
        for assignment in &simple.declares {
            self.assigned(&assignment.value, Failure::LostInWord, state);
        }
        for word in &simple.words {
            self.word(word, Failure::LostInWord, state);
        }
        for inline in &simple.scripts {
            self.inline(inline, fate, state);
        }
    }

    fn assigned(&mut self, value: &'s AssignedValue, fate: Failure<'s>, state: State<'s>) {
        match value {
            AssignedValue::Word(word) => self.word(word, fate, state),
            AssignedValue::Array(words) => {
                for word in words {
                    self.word(word, Failure::LostInWord, state);
                }
            }
        }
    }

    fn inline(&mut self, inline: &'s Inline, fate: Failure<'s>, state: State<'s>) {
        let mut state = State { last: fate, ..state };
        state.nesting.inline = Some(inline.kind);
        match inline.kind {
            InlineKind::Eval => {
                self.list_of(inline, state);
                return;
            }
            InlineKind::Trap => (state.last, state.exit) = (Failure::Ignored, Failure::Ignored),
            InlineKind::Shell(flags) => {
                state = subshell(state, fate);
                (state.flags, state.errexit_ignored) = (flags, false);
            }
            InlineKind::Remote => {
                state = subshell(state, fate);
                (state.flags, state.errexit_ignored) = (Flags::default(), false);
            }
        }
        self.script(&inline.script, state);
    }

    /// `eval` runs in the shell itself: functions stay known.
    fn list_of(&mut self, inline: &'s Inline, state: State<'s>) {
        let outer = std::mem::replace(&mut self.script, &inline.script);
        self.list(&inline.script.body, state);
        self.script = outer;
    }

    fn redirects(&mut self, command: &'s Command, fate: Failure<'s>, state: State<'s>) {
        for redirect in &command.redirects {
            match &redirect.target {
                Target::Word(word) => self.word(word, Failure::LostInWord, state),
                Target::Heredoc(index) => {
                    let Some(heredoc) = self.script.heredocs.get(*index) else { continue };
                    self.word(&heredoc.body, Failure::LostInWord, state);
                    if let Some(inline) = &heredoc.script {
                        self.inline(inline, fate, state);
                    }
                }
            }
        }
    }

    fn word(&mut self, word: &'s Word, fate: Failure<'s>, state: State<'s>) {
        for part in &word.parts {
            match &part.kind {
                PartKind::Command(list) | PartKind::Process { list, .. } => {
                    let mut inner = subshell(state, fate);
                    inner.nesting.substitution = true;
                    inner.flags.errexit &= inner.flags.inherits_errexit;
                    if matches!(part.kind, PartKind::Process { .. }) {
                        (inner.last, inner.exit) = (Failure::LostInWord, Failure::LostInWord);
                    }
                    self.list(list, inner);
                }
                PartKind::Arithmetic(word) => self.word(word, Failure::LostInWord, state),
                PartKind::Variable(expansion) => {
                    if let Some(operand) = &expansion.operand {
                        self.word(operand, Failure::LostInWord, state);
                    }
                }
                PartKind::Literal(_) | PartKind::Github(_) | PartKind::Placeholder(_) => {}
            }
        }
    }

    fn compound(&mut self, command: &'s Command, fate: Failure<'s>, state: State<'s>) {
        let in_word = Failure::LostInWord;
        let inside = State { last: fate, ..state };
        match &command.kind {
            Kind::Group(list) => {
                self.list(list, inside);
            }
            Kind::Subshell(list) => {
                self.list(list, subshell(state, fate));
            }
            Kind::If { arms, otherwise } => {
                for arm in arms {
                    self.condition(&arm.condition, state);
                    self.branch(&arm.body, inside);
                }
                if let Some(body) = otherwise {
                    self.branch(body, inside);
                }
            }
            Kind::While { arm, .. } => {
                self.condition(&arm.condition, state);
                self.looped(&arm.body, state);
            }
            Kind::For { words, body, .. } => {
                for word in words {
                    self.word(word, in_word, state);
                }
                self.looped(body, state);
            }
            Kind::Case { subject, arms } => {
                self.word(subject, in_word, state);
                for arm in arms {
                    for word in &arm.patterns {
                        self.word(word, in_word, state);
                    }
                    self.branch(&arm.body, inside);
                }
            }
            Kind::Test(words) => {
                for word in words {
                    self.word(word, in_word, state);
                }
            }
            Kind::Arithmetic(word) => self.word(word, in_word, state),
            // A function is read when it is called.
            Kind::Function { .. } | Kind::Simple(_) | Kind::Opaque => {}
        }
    }

    fn condition(&mut self, list: &'s List, state: State<'s>) {
        let mut state = State { last: Failure::Tested, errexit_ignored: true, ..state };
        state.nesting.condition = true;
        self.list(list, state);
    }

    fn branch(&mut self, body: &'s Body, mut state: State<'s>) {
        state.nesting.branch = true;
        self.list(&body.list, state);
    }

    /// The next round follows the last statement of a loop.
    fn looped(&mut self, body: &'s Body, mut state: State<'s>) {
        state.nesting.in_loop = true;
        state.last = Failure::Ignored;
        self.list(&body.list, state);
    }
}

/// The state in a process of its own whose failure becomes `fate`.
fn subshell<'s>(state: State<'s>, fate: Failure<'s>) -> State<'s> {
    let mut inner = State { last: fate, exit: fate, ..state };
    inner.nesting.subshell = true;
    inner
}
