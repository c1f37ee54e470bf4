//! What a person reads about a command: the headings, jobs and steps that it stands
//! under, the names of its file and function, the comments above it.
//!
//! Only words: rules ask whether a restore is meant as a test, or a dump as a full
//! one. A command's own arguments are not among them.

use crate::finding::Place;
use crate::path;

use super::Set;
use super::command::Command;
use super::prose::{Passage, holds};
use super::script::{Host, Script};

/// Comments that are read above a line, and at the head of a script.
const LINES: usize = 16;

/// The words around a command, one text after another.
#[derive(Debug, Clone, Default)]
pub struct About<'s> {
    texts: Vec<&'s str>,
}

impl About<'_> {
    /// Whether one of these words begins anywhere in it. Lower case.
    pub fn says(&self, words: &[&str]) -> bool {
        self.texts.iter().any(|text| holds(text, words))
    }
}

impl Set<'_> {
    pub fn about<'s>(&'s self, command: &'s Command) -> About<'s> {
        let mut texts: Vec<&str> = self.heading(command.at).into_iter().collect();
        texts.extend(command.function.as_deref());
        if let Some(script) = self.script_of(command) {
            let unit = self.units.get(script.unit);
            texts.extend(unit.and_then(|unit| unit.path.as_deref()).map(path::name));
            texts.extend(script.name.as_deref());
            if let (Host::Step { .. }, Some(unit)) = (&script.host, unit) {
                texts.extend(unit.tree.as_ref().and_then(|tree| tree.get("name")?.text()));
            }
            texts.extend(self.comments_at_head(script));
            texts.extend(self.comments_above(command));
        }
        About { texts }
    }

    /// Comments right above a statement.
    pub fn comments_above(&self, command: &Command) -> Vec<&str> {
        let Some(script) = self.script_of(command) else { return Vec::new() };
        let mut found = Vec::new();
        let mut above = command.statement.start;
        let before = script.comments.partition_point(|comment| comment.end <= above);
        for comment in script.comments.get(..before).unwrap_or_default().iter().rev().take(LINES) {
            if !self.text(script.place((comment.end..above).into())).trim().is_empty() {
                break;
            }
            above = comment.start;
            found.push(self.text(script.place(*comment)));
        }
        found
    }

    /// Comments before the first command.
    fn comments_at_head(&self, script: &Script) -> impl Iterator<Item = &str> {
        let first = self.commands.get(script.commands.start).map_or(0, |first| first.at.span.start);
        let head = script.comments.iter().take_while(move |comment| comment.end <= first);
        head.take(LINES).map(|comment| self.text(script.place(*comment)))
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
