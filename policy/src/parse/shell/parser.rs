//! Lists, pipelines and simple commands; what goes wrong ends here.
//!
//! A construct that the text ends in is read as far as it goes. A quote or
//! substitution that nothing closes would swallow the rest: its line is passed
//! over and the next one is read, a bounded number of times, so that the whole
//! stays linear.

use super::LENGTH;
use super::word::Stop;
use super::{
    Command, Heredoc, InlineKind, Join, Kind, List, Pipeline, Problem, Script, Shebang, Statement, Word,
};
use crate::finding::Span;
use crate::parse::source::Source;
use crate::path;

/// How often a text may be read again behind a line that nothing closes.
const RESCANS: u8 = 16;

pub(super) struct Parser<'s> {
    pub(super) source: &'s Source<'s>,
    pub(super) text: &'s str,
    pub(super) at: usize,
    /// Nothing is read from here on.
    pub(super) end: usize,
    pub(super) depth: usize,
    /// How many scripts this one is a word of.
    pub(super) inline_depth: usize,
    /// Whether a backtick ends what is read now.
    pub(super) backtick: bool,
    /// What the open constructs wait for.
    closers: Vec<Closer>,
    /// Here-documents whose bodies begin on the next line.
    pub(super) pending: Vec<usize>,
    pub(super) heredocs: Vec<Heredoc>,
    /// Here-documents that a shell reads.
    pub(super) feeds: Vec<(usize, InlineKind)>,
    comments: Vec<Span>,
    pub(super) problems: Vec<Problem>,
    /// The text ended inside of a quote or a substitution.
    pub(super) unterminated: bool,
    pub(super) rescans: u8,
    /// Where the next `}}` lies, once somebody asked.
    pub(super) github_end: Option<usize>,
}

/// What ends a list, in the order of their tokens in [`closer_of`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closer {
    Then,
    /// Also `elif` and `else`.
    Fi,
    Do,
    Done,
    /// `;;`, `;&`, `;;&` and `esac`.
    CaseArm,
    Brace,
    Paren,
    Backtick,
}

struct Mark {
    at: usize,
    heredocs: usize,
    pending: usize,
    comments: usize,
    problems: usize,
    closers: usize,
}

impl<'s> Parser<'s> {
    pub(super) fn new(source: &'s Source<'s>) -> Self {
        let text = source.text();
        Self {
            source,
            text,
            at: 0,
            end: text.len(),
            depth: 0,
            inline_depth: 0,
            backtick: false,
            closers: Vec::new(),
            pending: Vec::new(),
            heredocs: Vec::new(),
            feeds: Vec::new(),
            comments: Vec::new(),
            problems: Vec::new(),
            unterminated: false,
            rescans: RESCANS,
            github_end: None,
        }
    }

    /// For a script inside of a word of this one.
    pub(super) fn inner<'i>(&self, source: &'i Source<'i>) -> Parser<'i> {
        let mut parser = Parser::new(source);
        (parser.depth, parser.inline_depth) = (self.depth, self.inline_depth + 1);
        parser
    }

    pub(super) fn script(mut self) -> Script {
        self.at = self.text.len() - self.text.trim_start_matches('\u{feff}').len();
        let shebang = self.shebang();
        if self.text.len() > LENGTH {
            let read = self.text.get(..self.text.floor_char_boundary(LENGTH)).unwrap_or_default();
            self.end = read.rfind('\n').map_or(read.len(), |at| at + 1);
            let span = self.span(self.end, self.text.len());
            self.problems.push(Problem { span, message: "too long to be read" });
        }
        let body = self.list();
        let (comments, problems, heredocs) = (self.comments, self.problems, self.heredocs);
        Script { span: self.source.span(0, self.text.len()), shebang, body, heredocs, comments, problems }
    }

    fn shebang(&self) -> Option<Shebang> {
        let line = self.text.get(self.at..)?.lines().next()?;
        let mut words = line.strip_prefix("#!")?.split_whitespace();
        let mut interpreter = path::name(words.next()?);
        if interpreter == "env" {
            interpreter = words.by_ref().find(|word| !word.starts_with('-') && !word.contains('='))?;
        }
        Some(Shebang {
            span: self.span(self.at, self.at + line.len()),
            interpreter: interpreter.to_owned(),
            options: words.map(str::to_owned).collect(),
        })
    }

    /// Everything between two statements.
    fn gap(&mut self) {
        loop {
            self.blanks();
            match self.peek() {
                Some(b'\n') => self.newline(),
                Some(b'#') => self.comment(),
                Some(b';') if self.peek_at(1).is_none_or(|next| next != b';' && next != b'&') => self.at += 1,
                _ => return,
            }
        }
    }

    pub(super) fn newline(&mut self) {
        self.at += 1;
        if !self.pending.is_empty() {
            self.read_heredocs();
        }
    }

    fn comment(&mut self) {
        let start = self.at;
        let line = self.rest().split('\n').next().unwrap_or_default();
        self.at += line.len();
        // In backticks a comment ends with them.
        if self.backtick
            && let Some(length) = line.find('`')
        {
            self.at = start + length;
        }
        let end = start + self.text.get(start..self.at).unwrap_or_default().trim_end().len();
        let span = self.span(start, end);
        self.comments.push(span);
    }

    /// Statements up to what `closer` names.
    pub(super) fn list_until(&mut self, closer: Closer) -> List {
        self.closers.push(closer);
        let list = self.list();
        self.closers.pop();
        list
    }

    fn list(&mut self) -> List {
        let mut list = List::new();
        loop {
            self.gap();
            if self.at >= self.end {
                return list;
            }
            let start = self.at;
            if let Some((closer, length)) = self.closer_here() {
                if self.expects(closer) {
                    return list;
                }
                self.at += length;
                self.problem(start, "closes nothing");
                list.push(self.opaque(start));
                continue;
            }
            let mark = self.mark();
            let statement = self.statement();
            if self.unterminated && self.rescans > 0 {
                self.rescans -= 1;
                self.rewind(&mark);
                let line = self.rest().split('\n').next().unwrap_or_default();
                self.at += line.len();
                self.problem(start, "nothing closes what is opened here");
                list.push(self.opaque(start));
            } else if self.at == start {
                self.bump();
                self.problem(start, "not expected here");
                list.push(self.opaque(start));
            } else {
                list.push(statement);
            }
        }
    }

    pub(super) fn push_closer(&mut self, closer: Closer) {
        self.closers.push(closer);
    }

    pub(super) fn pop_closer(&mut self) {
        self.closers.pop();
    }

    fn opaque(&self, start: usize) -> Statement {
        let span = self.from(start);
        let command = Command { span, kind: Kind::Opaque, redirects: Vec::new(), pipes_errors: false };
        let first = Pipeline { span, negated: false, commands: vec![command] };
        Statement { span, first, rest: Vec::new(), background: false }
    }

    fn mark(&self) -> Mark {
        Mark {
            at: self.at,
            heredocs: self.heredocs.len(),
            pending: self.pending.len(),
            comments: self.comments.len(),
            problems: self.problems.len(),
            closers: self.closers.len(),
        }
    }

    fn rewind(&mut self, mark: &Mark) {
        self.at = mark.at;
        self.heredocs.truncate(mark.heredocs);
        self.pending.truncate(mark.pending);
        self.comments.truncate(mark.comments);
        self.problems.truncate(mark.problems);
        self.closers.truncate(mark.closers);
        self.unterminated = false;
        self.github_end = None;
    }

    /// Reads something that may turn out to be something else.
    pub(super) fn attempt<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.rescans == 0 {
            return None;
        }
        let mark = self.mark();
        let unterminated = self.unterminated;
        // Spent before it is known, so that attempts in attempts are few as well.
        self.rescans -= 1;
        let result = read(self);
        if result.is_some() {
            self.rescans += 1;
        } else {
            self.rewind(&mark);
            self.unterminated = unterminated;
        }
        result
    }

    fn closer_here(&self) -> Option<(Closer, usize)> {
        match self.peek()? {
            b')' => return Some((Closer::Paren, 1)),
            b'`' if self.backtick => return Some((Closer::Backtick, 1)),
            b';' => {
                let length =
                    [";;&", ";;", ";&"].into_iter().find(|token| self.starts_with(token)).map(str::len);
                return length.map(|length| (Closer::CaseArm, length));
            }
            b't' | b'e' | b'f' | b'd' | b'}' => {}
            _ => return None,
        }
        let word = self.plain_word();
        let closer = match word {
            "then" => Closer::Then,
            "fi" | "elif" | "else" => Closer::Fi,
            "do" => Closer::Do,
            "done" => Closer::Done,
            "esac" => Closer::CaseArm,
            "}" => Closer::Brace,
            _ => return None,
        };
        Some((closer, word.len()))
    }

    /// Whether an open construct waits for it. It may be one around a substitution
    /// or subshell that lacks its end: better to end that here.
    fn expects(&self, found: Closer) -> bool {
        self.closers.contains(&found)
    }

    fn statement(&mut self) -> Statement {
        let start = self.at;
        let first = self.pipeline();
        let mut rest = Vec::new();
        let mut end = self.at;
        loop {
            self.blanks();
            let join = match (self.peek(), self.peek_at(1)) {
                (Some(b'&'), Some(b'&')) => Join::And,
                (Some(b'|'), Some(b'|')) => Join::Or,
                _ => break,
            };
            self.at += 2;
            self.lines();
            rest.push((join, self.pipeline()));
            end = self.at;
        }
        let background = self.peek() == Some(b'&') && end > start;
        let span = self.span(start, end);
        if background {
            self.at += 1;
        }
        Statement { span, first, rest, background }
    }

    /// Blanks, comments and line breaks behind an operator.
    pub(super) fn lines(&mut self) {
        loop {
            self.blanks();
            match self.peek() {
                Some(b'\n') => self.newline(),
                Some(b'#') => self.comment(),
                _ => return,
            }
        }
    }

    fn pipeline(&mut self) -> Pipeline {
        let start = self.at;
        let mut negated = false;
        loop {
            if self.keyword("!") {
                negated = !negated;
            } else if self.keyword("time") {
                self.blanks();
                self.keyword("-p");
            } else {
                break;
            }
            self.blanks();
        }
        let mut commands = vec![self.command()];
        let mut end = self.at;
        loop {
            self.blanks();
            if self.peek() != Some(b'|') || self.peek_at(1) == Some(b'|') {
                break;
            }
            self.at += 1;
            if self.eat("&")
                && let Some(last) = commands.last_mut()
            {
                last.pipes_errors = true;
            }
            self.lines();
            commands.push(self.command());
            end = self.at;
        }
        self.at = end;
        Pipeline { span: self.span(start, end), negated, commands }
    }

    pub(super) fn command(&mut self) -> Command {
        let start = self.at;
        if !self.enter() {
            let span = self.from(start);
            return Command { span, kind: Kind::Opaque, redirects: Vec::new(), pipes_errors: false };
        }
        let mut redirects = Vec::new();
        let kind = match self.compound() {
            Some(Kind::Function { name, body }) => Kind::Function { name, body },
            Some(kind) => {
                self.redirects(&mut redirects);
                kind
            }
            None => self.simple(&mut redirects),
        };
        self.leave();
        Command { span: self.from(start), kind, redirects, pipes_errors: false }
    }

    /// A literal word, for delimiters and loop variables.
    pub(super) fn next_word(&mut self) -> Word {
        self.blanks();
        self.word(Stop::Blank)
    }
}
