//! The documentation of a rule, taken apart: a sentence, sections, and the
//! examples that the tests run.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::Rule;

/// Sections that every rule has, in this order. `## Why` may be followed by others.
pub const SECTIONS: [&str; 5] = ["What", "Why", "Bad", "Good", "Sources"];

/// The comments of all rules by their ids: 100 kB by which nothing is found, so a module
/// that is sent over a network may come without (feature `documentation`) and be given
/// them later.
#[derive(Debug, Serialize, Deserialize)]
pub struct Documentation(BTreeMap<String, String>);

impl Documentation {
    #[cfg(feature = "documentation")]
    pub fn built_in() -> Self {
        Self(crate::rules::all().map(|rule| (rule.id.to_owned(), rule.comment.to_owned())).collect())
    }

    pub fn of(&self, rule: &Rule) -> Docs {
        Docs::parse(self.0.get(rule.id).map_or("", String::as_str))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Docs {
    /// The first paragraph: one sentence for lists.
    pub summary: String,
    /// Heading and Markdown of each section.
    pub sections: Vec<(String, String)>,
    text: String,
}

/// A fenced block of an example: `bash backup.sh` after the fence is a language
/// and a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    pub path: String,
    pub text: String,
}

impl Docs {
    /// Of a doc comment, in which each line starts with the blank after `///`.
    pub fn parse(comment: &str) -> Self {
        let text: String =
            comment.lines().map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line))).collect();
        let mut summary = String::new();
        let mut sections: Vec<(String, String)> = Vec::new();
        let mut fence: Option<&str> = None;
        for line in text.lines() {
            match (fence, fence_of(line)) {
                (None, Some((marks, _))) => fence = Some(marks),
                (Some(open), Some((marks, ""))) if marks.starts_with(open) => fence = None,
                _ => {}
            }
            if fence.is_none()
                && let Some(heading) = line.strip_prefix("## ")
            {
                sections.push((heading.to_owned(), String::new()));
            } else {
                let part = sections.last_mut().map_or(&mut summary, |(_, body)| body);
                let _ = writeln!(part, "{line}");
            }
        }
        for (_, body) in &mut sections {
            *body = body.trim().to_owned();
        }
        let summary = summary.trim().split("\n\n").next().unwrap_or_default().replace('\n', " ");
        Self { summary, sections, text }
    }

    /// As Markdown.
    pub fn markdown(&self) -> &str {
        self.text.trim()
    }

    pub fn section(&self, heading: &str) -> Option<&str> {
        self.sections.iter().find(|(name, _)| name == heading).map(|(_, body)| body.as_str())
    }

    /// Groups of documents: each group is one set-up. Blocks that follow each
    /// other are one group; a line `or` between two begins another.
    pub fn examples(&self, heading: &str) -> Vec<Vec<Example>> {
        let mut groups: Vec<Vec<Example>> = vec![Vec::new()];
        let mut open: Option<(&str, Example)> = None;
        for line in self.section(heading).unwrap_or_default().lines() {
            match (&mut open, fence_of(line)) {
                (Some((marks, _)), Some((end, ""))) if end.starts_with(*marks) => {
                    if let (Some((_, example)), Some(group)) = (open.take(), groups.last_mut()) {
                        group.push(example);
                    }
                }
                (Some((_, example)), _) => {
                    let _ = writeln!(example.text, "{line}");
                }
                (None, Some((marks, info))) => {
                    let path = info.split_whitespace().nth(1).unwrap_or(info).to_owned();
                    open = Some((marks, Example { path, text: String::new() }));
                }
                (None, None) if line.trim() == "or" => groups.push(Vec::new()),
                (None, None) => {}
            }
        }
        groups.retain(|group| !group.is_empty());
        groups
    }
}

/// The marks of a fence and what follows them.
fn fence_of(line: &str) -> Option<(&str, &str)> {
    let first = line.chars().next().filter(|first| matches!(first, '`' | '~'))?;
    let (marks, info) = line.split_at(line.find(|c| c != first).unwrap_or(line.len()));
    (marks.len() >= 3).then_some((marks, info.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_taken_apart() {
        let docs = Docs::parse(
            " One\n sentence.\n\n ## What\n Text.\n\n ## Bad\n ~~~markdown a.md\n ## no heading\n ```sh\n x\n ```\n ~~~\n ```json rules.json\n {}\n ```\n or\n ```bash b.sh\n y\n ```\n",
        );
        assert_eq!(docs.summary, "One sentence.");
        assert_eq!(docs.section("What"), Some("Text."));
        let groups = docs.examples("Bad");
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0].len(), 2);
        assert_eq!(groups[0][0].path, "a.md");
        assert_eq!(groups[0][0].text, "## no heading\n```sh\nx\n```\n");
        assert_eq!(groups[1][0], Example { path: "b.sh".to_owned(), text: "y\n".to_owned() });
    }
}
