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
        let mut texts: Vec<String> = self.context(command.at).into_iter().collect();
        texts.extend(command.function.clone());
        if let Some(script) = self.script_of(command) {
            let unit = self.units.get(script.unit);
            texts.extend(unit.and_then(|unit| unit.path.as_deref()).map(file_name));
            let workflow = unit.and_then(|unit| Some(unit.workflow()?.name?.text()?.to_owned()));
            texts.extend(workflow);
            texts.extend(self.comments_on(script, command));
        }
        About { texts }
    }

    /// Those at the head of the script, and those right above the statement.
    fn comments_on(&self, script: &Script, command: &Command) -> Vec<String> {
        let text = |start: usize, end: usize| {
            self.text(Place { document: script.at.document, span: (start..end).into() })
        };
        let first = self.commands.get(script.commands.start).map_or(0, |first| first.at.span.start);
        let mut above = command.statement.start;
        let mut found = Vec::new();
        for comment in script.comments.iter().rev() {
            let is_near = comment.end <= above && text(comment.end, above).trim().is_empty();
            if is_near {
                above = comment.start;
            }
            if is_near || comment.end <= first {
                found.push(text(comment.start, comment.end).to_owned());
            }
        }
        found
    }

    /// What the text says under the heading that a place stands under.
    pub fn prose_around(&self, place: Place) -> impl Iterator<Item = &Passage> {
        let headings = self.headings.get(place.document).map(Vec::as_slice).unwrap_or_default();
        let next = headings.partition_point(|(start, _)| *start <= place.span.start);
        let start = next.checked_sub(1).and_then(|own| headings.get(own)).map_or(0, |(start, _)| *start);
        let end = headings.get(next).map_or(usize::MAX, |(start, _)| *start);
        self.passages.iter().filter(move |passage| {
            passage.at.document == place.document && (start..end).contains(&passage.at.span.start)
        })
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
