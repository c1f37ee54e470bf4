//! `set -e` and its kin, from wherever they come.

use crate::parse::shell::{Body, Command, Kind, Statement};
use crate::path;

/// The shell's options that decide about failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "the shell's own options, each on or off")]
pub struct Flags {
    pub errexit: bool,
    pub pipefail: bool,
    pub nounset: bool,
    /// `$(..)` keeps `errexit`: `shopt -s inherit_errexit`, and sh, but not bash.
    pub inherits_errexit: bool,
}

impl Flags {
    /// What GitHub gives a `run` step by its `shell` (`bash -e` where none is set).
    pub fn github(shell: Option<&str>) -> Self {
        match shell {
            None => Self { errexit: true, ..Self::default() },
            Some("bash") => Self { errexit: true, pipefail: true, ..Self::default() },
            Some("sh") => Self { errexit: true, inherits_errexit: true, ..Self::default() },
            Some(command) => Self::of_command(command),
        }
    }

    /// The options in a command such as `bash -eo pipefail {0}`.
    pub fn of_command(command: &str) -> Self {
        let mut words = command.split_whitespace();
        let interpreter = words.next().unwrap_or_default();
        let mut flags = Self::of_interpreter(path::name(interpreter));
        flags.apply(words.map(str::to_owned));
        flags
    }

    pub(super) fn of_interpreter(name: &str) -> Self {
        Self { inherits_errexit: matches!(name, "sh" | "dash" | "ash"), ..Self::default() }
    }

    pub(in crate::parse::shell) fn set_letter(&mut self, letter: char, on: bool) {
        match letter {
            'e' => self.errexit = on,
            'u' => self.nounset = on,
            _ => {}
        }
    }

    pub(in crate::parse::shell) fn set_named(&mut self, name: &str, on: bool) {
        match name {
            "errexit" => self.errexit = on,
            "pipefail" => self.pipefail = on,
            "nounset" => self.nounset = on,
            "inherit_errexit" => self.inherits_errexit = on,
            _ => {}
        }
    }

    /// The arguments of `set`, or of a shell.
    pub(super) fn apply(&mut self, words: impl Iterator<Item = String>) {
        let mut words = words;
        while let Some(word) = words.next() {
            let on = word.starts_with('-');
            let Some(letters) = word.strip_prefix(['-', '+']) else { return };
            if word.starts_with("--") {
                if word == "--" {
                    return;
                }
                continue;
            }
            for letter in letters.chars() {
                match letter {
                    'o' | 'O' => {
                        let name = words.next().unwrap_or_default();
                        self.set_named(&name, on);
                    }
                    letter => self.set_letter(letter, on),
                }
            }
        }
    }

    /// `set -e`, also in a group or function that was just read.
    #[must_use]
    pub(super) fn behind(self, command: &Command) -> Self {
        let mut flags = self;
        let Kind::Simple(simple) = &command.kind else {
            if let Kind::Group(list) | Kind::If { otherwise: Some(Body { list, .. }), .. } = &command.kind {
                for pipeline in list.iter().flat_map(Statement::pipelines) {
                    if let [command] = pipeline.commands.as_slice() {
                        flags = flags.behind(command);
                    }
                }
            }
            return flags;
        };
        let name = simple.name().unwrap_or_default();
        let mut arguments = simple.words.iter().skip(1).map(|word| word.literal().unwrap_or_default());
        match name.as_str() {
            "set" => flags.apply(arguments),
            "shopt" => {
                let on = arguments.next().as_deref() == Some("-s");
                arguments.for_each(|option| flags.set_named(&option, on));
            }
            _ => {}
        }
        flags
    }
}
