//! A simple command as a program with arguments: `sudo`, `docker exec` and the
//! like are taken off, options are told from operands.

use super::programs::{COMPOSE, Long, SPECS, STARTERS, Starter};
use super::resolve::{Piece, Resolved, Variables};
use super::{Quote, Simple, Word};
use crate::finding::Span;
use crate::path;

#[derive(Debug, Clone)]
pub struct Invocation<'s> {
    /// Without its folder.
    pub program: String,
    /// Of the program's name.
    pub span: Span,
    pub arguments: Vec<Argument<'s>>,
    /// `sudo`, `docker exec`, `timeout`, from the outside.
    pub wrappers: Vec<Wrapper<'s>>,
}

#[derive(Debug, Clone)]
pub struct Argument<'s> {
    pub word: &'s Word,
    pub text: Resolved,
}

impl Argument<'_> {
    /// As the name of a program, without its folder.
    fn program(&self) -> Option<&str> {
        self.text.literal().map(path::name)
    }
}

/// A program that starts another one.
#[derive(Debug, Clone)]
pub struct Wrapper<'s> {
    /// `docker exec`
    pub name: &'static str,
    /// Between its name and the program that it starts.
    pub arguments: Vec<Argument<'s>>,
}

/// An option of a program.
#[derive(Debug, Clone)]
pub struct Setting<'a> {
    /// `-f` or `--file`.
    pub name: String,
    pub value: Option<Resolved>,
    /// The argument that it begins in.
    pub argument: &'a Argument<'a>,
}

/// Options and operands of an invocation.
#[derive(Debug, Clone, Default)]
pub struct Options<'a> {
    pub settings: Vec<Setting<'a>>,
    pub operands: Vec<&'a Argument<'a>>,
}

impl<'a> Options<'a> {
    /// The last setting under one of these names.
    pub fn get(&self, names: &[&str]) -> Option<&Setting<'a>> {
        self.settings.iter().rfind(|setting| names.contains(&setting.name.as_str()))
    }

    pub fn has(&self, names: &[&str]) -> bool {
        self.get(names).is_some()
    }

    pub fn value(&self, names: &[&str]) -> Option<&Resolved> {
        self.get(names)?.value.as_ref()
    }
}

/// `$COMPOSE` of known text is as many words as that has; `"$COMPOSE"` is one.
fn split<'s>(argument: Argument<'s>, words: &mut Vec<Argument<'s>>) {
    let alone = matches!(argument.word.parts.as_slice(), [part] if part.quote == Quote::None);
    // What a command prints, as a workflow hands it on, is no list of words.
    let blanks =
        |piece: &Piece| matches!(piece, Piece::Text(text) if text.contains(' ') && !text.contains('$'));
    if !alone || !argument.word.may_split() || !argument.text.pieces.iter().any(blanks) {
        words.push(argument);
        return;
    }
    let assumed = argument.text.assumed;
    let mut parts = vec![Resolved { pieces: Vec::new(), assumed }];
    for piece in &argument.text.pieces {
        let Piece::Text(text) = piece else {
            parts.last_mut().into_iter().for_each(|word| word.pieces.push(piece.clone()));
            continue;
        };
        for (index, part) in text.split(' ').enumerate() {
            if index > 0 {
                parts.push(Resolved { pieces: Vec::new(), assumed });
            }
            if let Some(word) = parts.last_mut().filter(|_| !part.is_empty()) {
                word.pieces.push(Piece::Text(part.to_owned()));
            }
        }
    }
    parts.retain(|word| !word.pieces.is_empty());
    words.extend(parts.into_iter().map(|text| Argument { word: argument.word, text }));
}

/// `$COMPOSE exec -T db pg_dump`, `dc exec db pg_dump`: whatever starts it, the
/// program of PostgreSQL that it starts is named.
fn unnamed(words: &[Argument<'_>]) -> Option<usize> {
    const PROGRAMS: [&str; 5] = ["pg_dump", "pg_dumpall", "pg_basebackup", "pg_restore", "psql"];
    let exec =
        words.iter().take(4).position(|word| word.text.literal() == Some("exec")).filter(|at| *at > 0)?;
    // A name of one's own for `docker compose`, not one for `echo`.
    let starts = words.first().and_then(|word| word.text.literal()).is_none_or(|name| {
        ["docker", "compose", "kube", "podman", "nerdctl"].iter().any(|part| name.contains(part))
            || matches!(name, "dc" | "k" | "oc")
    });
    let behind = words.get(exec + 1..).filter(|_| starts)?;
    let found =
        behind.iter().position(|word| word.text.literal().is_some_and(|name| PROGRAMS.contains(&name)))?;
    Some(exec + 1 + found)
}

impl<'s> Invocation<'s> {
    /// None where no program is named: assignments alone, or a name that nobody
    /// knows.
    pub fn of(simple: &'s Simple, variables: &Variables<'_>) -> Option<Self> {
        let mut words: Vec<Argument<'s>> = Vec::with_capacity(simple.words.len());
        for word in &simple.words {
            split(Argument { word, text: variables.resolve(word) }, &mut words);
        }
        let mut wrappers = Vec::new();
        while let Some((starter, taken, end)) = starter(&words) {
            let arguments = words.drain(..end).skip(taken).collect();
            wrappers.push(Wrapper { name: starter.name, arguments });
        }
        if let Some(end) = unnamed(&words) {
            wrappers.push(Wrapper { name: "docker compose exec", arguments: words.drain(..end).collect() });
        }
        if words.is_empty() {
            return None;
        }
        let first = words.remove(0);
        let program = first.program()?;
        (!program.is_empty()).then(|| Self {
            program: program.to_owned(),
            span: first.word.span,
            arguments: words,
            wrappers,
        })
    }

    pub fn wrapper(&self, name: &str) -> Option<&Wrapper<'s>> {
        self.wrappers.iter().find(|wrapper| wrapper.name == name)
    }

    /// Whether the first arguments that are no options are these: `aws s3 cp`.
    pub fn is(&self, program: &str, subcommands: &[&str]) -> bool {
        self.program == program && {
            let options = self.options();
            subcommands.len() <= options.operands.len()
                && options
                    .operands
                    .iter()
                    .zip(subcommands)
                    .all(|(operand, subcommand)| operand.text.literal() == Some(subcommand))
        }
    }

    /// Options and operands, by what is known about the program. Of one that is
    /// not known, only `--name=value` has a value.
    pub fn options(&self) -> Options<'_> {
        let spec = SPECS.iter().find(|spec| spec.programs.contains(&self.program.as_str()));
        let mut options = Options::default();
        let mut arguments = self.arguments.iter();
        while let Some(argument) = arguments.next() {
            let prefix = argument.text.prefix();
            if prefix == "--" && argument.text.literal().is_some() {
                options.operands.extend(arguments);
                break;
            }
            if let Some(long) = prefix.strip_prefix("--") {
                let (name, mut value) = match long.split_once('=') {
                    Some((name, _)) => (name, Some(behind(&argument.text, 2 + name.len() + 1))),
                    None => (long, None),
                };
                let takes = spec.is_some_and(|spec| match &spec.long {
                    Long::Values(names) => names.contains(&name),
                    Long::AllBut(names) => !names.contains(&name) && !name.starts_with("no-"),
                });
                if value.is_none() && takes {
                    value = arguments.next().map(|value| value.text.clone());
                }
                options.settings.push(Setting { name: format!("--{name}"), value, argument });
            } else if prefix.len() > 1 && prefix.starts_with('-') {
                let mut at = 1;
                for letter in prefix.chars().skip(1) {
                    at += letter.len_utf8();
                    let name = format!("-{letter}");
                    if spec.is_some_and(|spec| spec.short.contains(letter)) {
                        let glued = behind(&argument.text, at);
                        let value = if glued.pieces.is_empty() {
                            arguments.next().map(|value| value.text.clone())
                        } else {
                            Some(glued)
                        };
                        options.settings.push(Setting { name, value, argument });
                        break;
                    }
                    options.settings.push(Setting { name, value: None, argument });
                }
            } else {
                options.operands.push(argument);
            }
        }
        options
    }
}

/// A resolved text without its first bytes, which are literal.
fn behind(text: &Resolved, skip: usize) -> Resolved {
    let mut rest = text.clone();
    if let Some(super::Piece::Text(first)) = rest.pieces.first_mut() {
        *first = first.get(skip..).unwrap_or_default().to_owned();
        if first.is_empty() {
            rest.pieces.remove(0);
        }
    }
    rest
}

/// What these words start another program with, how many words name it, and where the
/// other one stands.
fn starter(words: &[Argument<'_>]) -> Option<(&'static Starter, usize, usize)> {
    let program = words.first()?.program()?;
    let mut named = STARTERS.iter().filter(|starter| starter.words.first() == Some(&program));
    named.find_map(|starter| {
        let taken = starter.taken(words)?;
        let end = starter.end(words, taken);
        // `docker exec db` alone starts nothing that is named.
        (end < words.len()).then_some((starter, taken, end))
    })
}

impl Starter {
    /// How many words its name takes, if those behind the program are its own. Options
    /// of compose may stand between them.
    fn taken(&self, words: &[Argument<'_>]) -> Option<usize> {
        let mut index = 1;
        for name in self.words.get(1..)? {
            let mut text = words.get(index)?.text.literal()?;
            while text.starts_with('-') {
                index += if COMPOSE.contains(&text) { 2 } else { 1 };
                text = words.get(index)?.text.literal()?;
            }
            if text != *name {
                return None;
            }
            index += 1;
        }
        Some(index)
    }

    /// Where the program that it starts stands.
    fn end(&self, words: &[Argument<'_>], taken: usize) -> usize {
        let mut index = taken;
        let mut operands = self.operands;
        while let Some(word) = words.get(index) {
            let text = word.text.prefix();
            if text == "--" {
                return index + 1;
            }
            if text.starts_with('-') && text.len() > 1 {
                index += if self.values.contains(&text) { 2 } else { 1 };
            } else if self.name == "env" && text.split_once('=').is_some_and(|(name, _)| is_name(name)) {
                index += 1;
            } else if operands > 0 {
                operands -= 1;
                index += 1;
            } else {
                break;
            }
        }
        index
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
