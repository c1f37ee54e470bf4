//! What a user reads first: the help of every command, found by walking clap's
//! own tree, so that none can be forgotten; the version; completions.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use backstop::commands::Cli;
use clap::CommandFactory;

use crate::support::command::backstop;

/// Every command with those below it, as words; the first has none.
fn commands() -> Vec<Vec<String>> {
    fn walk(command: &clap::Command, words: &[String], found: &mut Vec<Vec<String>>) {
        found.push(words.to_vec());
        for below in command.get_subcommands() {
            let mut words = words.to_vec();
            words.push(below.get_name().to_owned());
            walk(below, &words, found);
        }
    }
    let mut found = Vec::new();
    walk(&Cli::command(), &[], &mut found);
    found
}

fn name(words: &[String]) -> String {
    std::iter::once("backstop").chain(words.iter().map(String::as_str)).collect::<Vec<_>>().join("_")
}

#[test]
fn the_help_of_every_command() {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_path("snapshots/help");
    settings.set_omit_expression(true);
    settings.bind(|| {
        for words in commands() {
            let mut line = words.clone();
            line.push("--help".to_owned());
            let help = backstop(line).run().ended(0);
            assert_eq!(help.stderr, "");
            let text: Vec<_> = help.stdout.lines().map(str::trim_end).collect();
            let wide = text.iter().find(|line| line.chars().count() > 100);
            assert_eq!(wide, None, "a line of {words:?} is too wide");
            insta::assert_snapshot!(name(&words), text.join("\n"));
        }
    });
}

#[test]
fn no_snapshot_outlives_its_command() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/snapshots/help");
    let files: BTreeSet<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let expected: BTreeSet<_> = commands().iter().map(|words| name(words) + ".snap").collect();
    assert_eq!(files, expected);
}

#[test]
fn every_flag_says_what_it_does() {
    fn walk(command: &clap::Command) {
        assert!(command.get_about().is_some(), "{}", command.get_name());
        for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!help.is_empty(), "{} {}", command.get_name(), argument.get_id());
            assert!(!help.ends_with('.'), "{} {}: {help}", command.get_name(), argument.get_id());
        }
        command.get_subcommands().for_each(walk);
    }
    let mut command = Cli::command();
    command.build();
    command.debug_assert();
    walk(&Cli::command());
}

#[test]
fn the_version_is_the_crates() {
    for flag in ["--version", "-V"] {
        let said = backstop([flag]).run().ended(0);
        assert_eq!(said.stdout, format!("backstop {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn a_command_that_does_not_exist_is_answered_with_the_one_that_does() {
    let said = backstop(["bakup"]).run().ended(2);
    assert!(said.stderr.contains("a similar subcommand exists: 'backup'"), "{}", said.stderr);
    assert_eq!(said.stdout, "");
}

#[test]
fn completions_name_every_command_and_bash_reads_its_own() {
    for shell in ["bash", "zsh", "fish"] {
        let script = backstop(["completions", shell]).run().ended(0).stdout;
        for words in commands() {
            for word in words {
                assert!(script.contains(&word), "{shell} knows no '{word}'");
            }
        }
        if shell == "bash" {
            let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
            bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
            assert!(bash.wait().unwrap().success());
        }
    }
}
