//! What a person reads about a command: the headings, jobs and steps that it stands
//! under, the names of its file and function, the comments above it.
//!
//! Only words: rules ask whether a restore is meant as a test, or a dump as a full
//! one. A command's own arguments are not among them.

use crate::finding::Place;

use super::Set;
use super::command::Command;
use super::prose::{Passage, holds};
use super::script::{Host, Script};

/// Comments that are read above a line, and at the head of a script.
const LINES: usize = 16;

/// The words around a command, one text after another.
#[derive(Debug, Clone, Default)]
pub struct About {
    texts: Vec<String>,
}

impl About {
    /// Whether one of these words begins anywhere in it. Lower case.
    pub fn says(&self, words: &[&str]) -> bool {
        self.texts.iter().any(|text| holds(text, words))
    }
}

impl Set<'_> {
    pub fn about(&self, command: &Command) -> About {
        let mut texts: Vec<String> = self.heading(command.at).map(str::to_owned).into_iter().collect();
        texts.extend(command.function.clone());
        if let Some(script) = self.script_of(command) {
            let unit = self.units.get(script.unit);
            texts.extend(unit.and_then(|unit| unit.path.as_deref()).map(file_name));
            texts.extend(script.name.clone());
            if let (Host::Step { .. }, Some(unit)) = (&script.host, unit) {
                let name = unit.tree.as_ref().and_then(|tree| tree.get("name")?.text());
                texts.extend(name.map(str::to_owned));
            }
            texts.extend(self.comments_on(script, command));
        }
        About { texts }
    }

    /// Comments right above a statement.
    pub fn comments_above(&self, command: &Command) -> Vec<String> {
        let Some(script) = self.script_of(command) else { return Vec::new() };
        let text = |start: usize, end: usize| {
            self.text(Place { document: script.at.document, span: (start..end).into() })
        };
        let mut found = Vec::new();
        let mut above = command.statement.start;
        let before = script.comments.partition_point(|comment| comment.end <= above);
        for comment in script.comments.get(..before).unwrap_or_default().iter().rev().take(LINES) {
            if !text(comment.end, above).trim().is_empty() {
                break;
            }
            above = comment.start;
            found.push(text(comment.start, comment.end).to_owned());
        }
        found
    }

    /// Those at the head of the script, and those right above the statement.
    fn comments_on(&self, script: &Script, command: &Command) -> Vec<String> {
        let text = |start: usize, end: usize| {
            self.text(Place { document: script.at.document, span: (start..end).into() })
        };
        let first = self.commands.get(script.commands.start).map_or(0, |first| first.at.span.start);
        let head = script.comments.iter().take_while(|comment| comment.end <= first);
        let mut found: Vec<String> =
            head.take(LINES).map(|comment| text(comment.start, comment.end).to_owned()).collect();
        found.extend(
            self.comments_above(command)
                .into_iter()
                .filter(|comment| !found.contains(comment))
                .collect::<Vec<_>>(),
        );
        found
    }

    /// What the text says under the heading that a place stands under.
    pub fn prose_around(&self, place: Place) -> impl Iterator<Item = &Passage> {
        let headings = self.headings(place.document);
        let next = headings.partition_point(|heading| heading.span.start <= place.span.start);
        let own = next.checked_sub(1).and_then(|own| headings.get(own));
        let start = own.map_or(0, |heading| heading.span.start);
        let end = headings.get(next).map_or(usize::MAX, |heading| heading.span.start);
        let key = |passage: &Passage| (passage.at.document, passage.at.span.start);
        let from = self.passages.partition_point(|passage| key(passage) < (place.document, start));
        let rest = self.passages.get(from..).unwrap_or_default();
        rest.iter().take_while(move |passage| key(passage) < (place.document, end))
    }

    /// Lines that a document shows to people who type them: a block of Markdown that
    /// is no file, neither by a name nor by its first line. Who types sees an error.
    pub fn is_typed(&self, script: &Script) -> bool {
        script.host == Host::File
            && script.interpreter.is_none()
            && self.units.get(script.unit).is_some_and(|unit| unit.embedded && unit.path.is_none())
    }
}

/// `backup_validation.sh` as its words.
fn file_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;

    #[test]
    fn words_around_a_command_are_found() {
        let documents = [Document::new(
            "scripts/nightly_check.sh",
            "#!/bin/sh\n# Proves a backup\nset -e\n\n# copy one\ncp a b\n\n# full,\n# all of it\n\nkeep() {\n  pg_dump shop\n}\nkeep\npg_dump shop\n",
        )];
        let set = Set::of(&documents);
        let dumps: Vec<About> =
            set.commands.iter().filter(|it| it.name == "pg_dump").map(|it| set.about(it)).collect();
        assert!(dumps[0].says(&["keep"]) && dumps[0].says(&["check"]) && dumps[0].says(&["proves"]));
        assert!(!dumps[0].says(&["copy"]) && !dumps[0].says(&["full"]));
        assert!(!dumps[1].says(&["keep"]) && !dumps[1].says(&["shop"]));
    }

    #[test]
    fn a_section_ends_at_the_next_heading() {
        let text = "one\n## A\ntwo\n```bash\nls\n```\nthree\n### B\nfour\n";
        let documents = [Document::new("a.md", text)];
        let set = Set::of(&documents);
        let told: Vec<&str> =
            set.prose_around(set.commands[0].at).map(|passage| passage.text.as_str()).collect();
        assert_eq!(told, ["two", "three"]);
    }

    #[test]
    fn typed_lines_are_told_from_files() {
        let typed = |text: &str| {
            let documents = [Document::new("a.md", text)];
            let set = Set::of(&documents);
            set.is_typed(&set.scripts[0])
        };
        assert!(typed("## Drill\n\n```bash\npg_dump shop\n```\n"));
        assert!(!typed("```bash\n#!/bin/bash\npg_dump shop\n```\n"));
        assert!(!typed("**backup.sh:**\n```bash\npg_dump shop\n```\n"));
    }
}
