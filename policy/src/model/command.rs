//! One command that runs: its program, its arguments with the script's variables
//! put in, and everything around it that decides what its failure does.

use crate::finding::{Place, Span};
use crate::parse::shell::{Flags, Nesting, RedirectOperator};

use super::called::Called;
use super::role::Role;

/// One argument, as its program gets it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arg {
    pub at: Place,
    /// With known variables put in. What nobody knows stays in one spelling:
    /// `${NAME}`, `$(date +%F)`, `${{ secrets.X }}`, `<host>`. So two arguments
    /// with the same text are the same file.
    pub text: String,
    /// As written, quotes and all.
    pub raw: String,
    /// Every variable that it names, known or not.
    pub variables: Vec<String>,
    /// An unquoted expansion: it may be no argument, or several.
    pub may_split: bool,
    /// An unquoted `*`, `?` or `[`.
    pub is_glob: bool,
}

impl Arg {
    /// An argument of plain text that lies nowhere.
    pub fn of(text: &str) -> Self {
        Self { text: text.to_owned(), raw: text.to_owned(), ..Self::default() }
    }

    /// An argument of plain text.
    pub fn plain(at: Place, text: &str) -> Self {
        Self { at, ..Self::of(text) }
    }

    /// Whether all of it is known: no variable, no date, no placeholder, no pattern.
    pub fn is_known(&self) -> bool {
        !self.is_glob && !self.text.contains("${") && !self.text.contains("$(") && !self.text.contains('<')
    }

    pub fn span(&self) -> Span {
        self.at.span
    }
}

/// `NAME=value` before a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub name: String,
    pub value: Arg,
}

/// `> file`, `2>&1`, `< file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    pub at: Place,
    pub operator: RedirectOperator,
    /// 0, 1 or 2, written or by the operator.
    pub descriptor: u32,
    /// None for a here-document.
    pub target: Option<Arg>,
}

impl Redirect {
    /// The file that it writes or appends what is printed on `stream` to.
    pub fn output(&self, stream: u32) -> Option<&Arg> {
        let writes = match self.operator {
            RedirectOperator::Write | RedirectOperator::Append => self.descriptor == stream,
            RedirectOperator::WriteBoth | RedirectOperator::AppendBoth => stream == 1 || stream == 2,
            _ => false,
        };
        self.target.as_ref().filter(|_| writes)
    }

    /// The file that it reads.
    pub fn input(&self) -> Option<&Arg> {
        self.target.as_ref().filter(|_| self.operator == RedirectOperator::Read && self.descriptor == 0)
    }
}

/// `sudo -u postgres`, `docker exec -t db`: what starts the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapper {
    /// `docker exec`
    pub name: &'static str,
    pub args: Vec<Arg>,
}

/// What happens when a command fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The script ends there and fails.
    Stops,
    /// Its status is that of the script: it comes last.
    Returned,
    /// What follows `||` runs instead: the commands in this span.
    Handled(Span),
    /// A condition (`if`, `while`, `!`) asks for it.
    Tested,
    /// The next statement reads `$?` or `PIPESTATUS`.
    Checked,
    /// `&&` leaves out what follows, and the script goes on and forgets it.
    Skipped,
    /// A pipe without `pipefail` takes the status of its last command.
    LostInPipe,
    /// `$(..)` in an argument, or in `local x=`, leaves no status.
    LostInWord,
    /// Nobody waits for it.
    Background,
    /// Nothing stops the script: the next statement runs.
    Ignored,
}

impl Fate {
    /// Whether the script goes on as if nothing had happened.
    pub fn is_lost(self) -> bool {
        matches!(self, Self::LostInPipe | Self::LostInWord | Self::Background | Self::Ignored | Self::Skipped)
    }
}

/// Its place in a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pipe {
    /// Of the whole pipe; commands with the same span are one pipe.
    pub span: Span,
    /// From zero.
    pub index: usize,
    /// One where there is no pipe.
    pub length: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// Of the command with its arguments, and what stands before it.
    pub at: Place,
    /// Of the program's name.
    pub name_at: Place,
    /// Index into [`super::Set::scripts`].
    pub script: usize,
    /// Without its folder: `pg_dump`, `aws`, `[`.
    pub name: String,
    pub args: Vec<Arg>,
    pub env: Vec<Setting>,
    pub redirects: Vec<Redirect>,
    /// From the outside.
    pub wrappers: Vec<Wrapper>,
    pub pipe: Pipe,
    /// Its statement, with `&&` and `||`.
    pub statement: Span,
    pub fate: Fate,
    pub flags: Flags,
    pub nesting: Nesting,
    /// The function whose body it stands in.
    pub function: Option<String>,
    pub role: Role,
    /// Code elsewhere that it runs.
    pub called: Option<Called>,
    /// Where that is in the set: index into [`super::Set::units`].
    pub callee: Option<usize>,
}

impl Command {
    /// The program and its arguments with variables put in, for a message.
    pub fn line(&self) -> String {
        let words = std::iter::once(self.name.as_str()).chain(self.args.iter().map(|arg| arg.text.as_str()));
        words.collect::<Vec<_>>().join(" ")
    }

    /// Whether an argument is exactly this.
    pub fn has(&self, word: &str) -> bool {
        self.args.iter().any(|arg| arg.text == word)
    }

    /// Where what it prints on `stream` (1 or 2) is written, if that is a file.
    pub fn output(&self, stream: u32) -> Option<&Arg> {
        self.redirects.iter().rev().find_map(|redirect| redirect.output(stream))
    }

    /// `< file`
    pub fn input(&self) -> Option<&Arg> {
        self.redirects.iter().rev().find_map(Redirect::input)
    }

    /// Whether it prints into a pipe.
    pub fn pipes(&self) -> bool {
        self.pipe.index + 1 < self.pipe.length
    }

    /// The program whose presence it asks for: `command -v aws`, `which aws`.
    pub fn asks_for_program(&self) -> Option<&str> {
        if matches!(self.name.as_str(), "which" | "type" | "hash") {
            return self.args.iter().map(|arg| arg.text.as_str()).find(|text| !text.starts_with('-'));
        }
        let asks = |arg: &Arg| arg.text == "-v" || arg.text == "-V";
        self.wrapper("command").filter(|it| it.args.iter().any(asks)).map(|_| self.name.as_str())
    }

    pub fn wrapper(&self, name: &str) -> Option<&Wrapper> {
        self.wrappers.iter().find(|wrapper| wrapper.name == name)
    }
}
