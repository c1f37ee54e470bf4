//! Scripts inside of a command: `bash -c '..'`, `ssh host '..'`, `su -c '..'`,
//! `eval`, `trap`, and here-documents that a shell reads.

use super::flow::Flags;
use super::parser::Parser;
use super::{Inline, InlineKind, Redirect, RedirectOperator, Simple, Target, Word};
use crate::finding::Span;
use crate::parse::source::{Builder, Source};
use crate::path;

/// Scripts in scripts in scripts; each level needs quotes in quotes.
const LEVELS: usize = 4;

const SHELLS: [&str; 6] = ["bash", "sh", "dash", "zsh", "ksh", "ash"];

/// Programs that start the program that their arguments name.
const STARTERS: [&str; 29] = [
    "sudo",
    "doas",
    "env",
    "exec",
    "command",
    "nohup",
    "time",
    "timeout",
    "nice",
    "ionice",
    "setsid",
    "stdbuf",
    "flock",
    "xargs",
    "find",
    "chronic",
    "cronic",
    "chroot",
    "nsenter",
    "systemd-run",
    "gosu",
    "su-exec",
    "docker",
    "podman",
    "docker-compose",
    "kubectl",
    "ssh",
    "su",
    "runuser",
];

/// Options of ssh that take a value.
const SSH_VALUES: &str = "BbcDEeFIiJLlmOopQRSWw";

impl Parser<'_> {
    /// Finds the scripts in a command and in the here-documents that feed it.
    pub(super) fn inline(&mut self, simple: &mut Simple, redirects: &[Redirect]) {
        if self.inline_depth >= LEVELS {
            return;
        }
        let Some(found) = find(&simple.words) else { return };
        match found {
            Found::Script(kind, source) => simple.scripts.extend(self.inline_script(kind, &source)),
            Found::Input(kind) => {
                let documents = redirects.iter().filter_map(|redirect| match redirect.target {
                    Target::Heredoc(index) if redirect.operator == RedirectOperator::Heredoc => {
                        Some((index, kind))
                    }
                    _ => None,
                });
                self.feeds.extend(documents);
            }
        }
    }

    pub(super) fn inline_script(&self, kind: InlineKind, source: &Source<'_>) -> Option<Inline> {
        let script = self.inner(source).script();
        (!script.body.is_empty()).then_some(Inline { kind, script })
    }
}

enum Found {
    Script(InlineKind, Source<'static>),
    /// What the command reads on its standard input.
    Input(InlineKind),
}

fn find(words: &[Word]) -> Option<Found> {
    let first = base_name(words.first()?)?;
    match first.as_str() {
        "eval" => return Some(Found::Script(InlineKind::Eval, joined(words.get(1..)?)?)),
        "trap" => {
            let action = words.get(1).filter(|word| !word.is("-") && !word.is(""))?;
            return Some(Found::Script(InlineKind::Trap, action.source()));
        }
        _ => {}
    }
    if !SHELLS.contains(&first.as_str()) && !STARTERS.contains(&first.as_str()) && !enters(&first, words) {
        return None;
    }
    for (index, word) in words.iter().enumerate() {
        let Some(name) = base_name(word) else { continue };
        let arguments = words.get(index + 1..)?;
        match name.as_str() {
            "ssh" => return remote(arguments),
            "su" | "runuser" => {
                if let Some(found) = substitute_user(arguments) {
                    return Some(found);
                }
            }
            name if SHELLS.contains(&name) => return shell(arguments),
            _ => {}
        }
    }
    None
}

/// `docker_cmd compose exec db sh -c '..'`: a name of one's own for docker.
fn enters(first: &str, words: &[Word]) -> bool {
    ["docker", "compose", "podman", "kube"].iter().any(|name| first.contains(name))
        && words.iter().skip(1).take(3).any(|word| word.is("exec") || word.is("run"))
}

/// `-euo pipefail -c 'script'`, or a script on the standard input.
fn shell(arguments: &[Word]) -> Option<Found> {
    let mut flags = Flags::default();
    let mut command = false;
    let mut input = false;
    let mut arguments = arguments.iter();
    while let Some(word) = arguments.next() {
        let text = word.literal().unwrap_or_default();
        let options = match text.strip_prefix('-') {
            Some("-" | "") => continue,
            Some(long) if long.starts_with('-') => continue,
            Some(options) => options,
            None if command => return Some(Found::Script(InlineKind::Shell(flags), word.source())),
            // The name of a file.
            None if !input => return None,
            None => break,
        };
        for option in options.chars() {
            match option {
                'c' => command = true,
                's' => input = true,
                'o' => {
                    let name = arguments.next().and_then(Word::literal).unwrap_or_default();
                    flags.set_named(&name, true);
                }
                letter => flags.set_letter(letter, true),
            }
        }
    }
    (!command).then_some(Found::Input(InlineKind::Shell(flags)))
}

/// `[options] host [command ..]`
fn remote(arguments: &[Word]) -> Option<Found> {
    let mut index = 0;
    while let Some(option) = arguments.get(index).and_then(Word::literal).filter(|text| text.starts_with('-'))
    {
        let takes_value =
            option.len() == 2 && option.chars().nth(1).is_some_and(|letter| SSH_VALUES.contains(letter));
        index += if takes_value { 2 } else { 1 };
    }
    match arguments.get(index + 1..)? {
        [] => Some(Found::Input(InlineKind::Remote)),
        command => {
            let command = joined(command)?;
            // `ssh host bash -s <<EOF`
            let mut words = command.text().split_whitespace();
            let reads_input = words.next().is_some_and(|name| SHELLS.contains(&path::name(name)))
                && words.all(|word| word.starts_with('-') && !word.contains('c'));
            if reads_input {
                return Some(Found::Input(InlineKind::Remote));
            }
            Some(Found::Script(InlineKind::Remote, command))
        }
    }
}

/// `- postgres -c 'script'`
fn substitute_user(arguments: &[Word]) -> Option<Found> {
    let kind = InlineKind::Shell(Flags::default());
    for (index, word) in arguments.iter().enumerate() {
        let text = word.literal().unwrap_or_default();
        if text == "-c" || text == "--command" {
            return Some(Found::Script(kind, arguments.get(index + 1)?.source()));
        }
    }
    None
}

fn base_name(word: &Word) -> Option<String> {
    word.literal().map(|name| path::name(&name).to_owned())
}

/// Several arguments as the one line that they become.
fn joined(words: &[Word]) -> Option<Source<'static>> {
    let mut builder = Builder::default();
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            builder.push_for(" ", Span::new(word.span.start, word.span.start));
        }
        builder.push_source(&word.source());
    }
    (!words.is_empty()).then(|| builder.finish())
}
