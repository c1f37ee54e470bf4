//! What a place is a part of, in words: the heading above it, the job and the step.

use crate::document::Kind;
use crate::finding::{Place, Span};
use crate::parse::markdown::Heading;
use crate::parse::yaml::Node;

use super::Set;

impl Set<'_> {
    /// `job 'backup', step 'Dump'`, or the heading that a place stands under.
    pub fn context(&self, place: Place) -> Option<String> {
        self.step(place).or_else(|| self.heading(place).map(str::to_owned))
    }

    /// The heading that a place stands under.
    pub(super) fn heading(&self, place: Place) -> Option<&str> {
        let headings = self.headings(place.document);
        let before = headings.partition_point(|heading| heading.span.start <= place.span.start);
        headings.get(before.checked_sub(1)?).map(|heading| heading.text.as_str())
    }

    /// The headings of a document, in order.
    pub fn headings(&self, document: usize) -> &[Heading] {
        self.headings.get(document).map(Vec::as_slice).unwrap_or_default()
    }

    fn step(&self, place: Place) -> Option<String> {
        let holds = |span: Span| span.start <= place.span.start && place.span.start < span.end;
        let unit = self.unit_at(place).filter(|unit| unit.kind == Kind::Workflow && holds(unit.span))?;
        // One of many: what begins last before it.
        let begins = |node: &Node| unit.place(node.span).span.start <= place.span.start;
        let jobs = unit.tree.as_ref()?.get("jobs")?.entries();
        let job = jobs.get(jobs.partition_point(|job| begins(&job.key)).checked_sub(1)?)?;
        let id = job.key.text().filter(|_| place.span.start < unit.place(job.value.span).span.end)?;
        let of_job = format!("job '{id}'");
        let steps = job.value.get("steps").map(Node::items).unwrap_or_default();
        let Some(index) = steps.partition_point(begins).checked_sub(1) else { return Some(of_job) };
        let Some(step) = steps.get(index).filter(|step| holds(unit.place(step.span).span)) else {
            return Some(of_job);
        };
        let name = step.get("name").or_else(|| step.get("id")).and_then(Node::text);
        let step = name.map_or_else(|| format!("step {}", index + 1), |name| format!("step '{name}'"));
        Some(format!("{of_job}, {step}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;

    #[test]
    fn a_place_is_told_in_words() {
        let text = "# A\n\n## Encryption\n\n```yaml\non: push\njobs:\n  b:\n    steps:\n      - run: one\n      - name: Dump\n        run: two\n```\ntext\n";
        let documents = [Document::new("a.md", text)];
        let set = Set::of(&documents);
        let context = |word: &str| {
            let at = text.find(word).unwrap();
            set.context(Place { document: 0, span: Span::new(at, at + 1) })
        };
        assert_eq!(context("one").as_deref(), Some("job 'b', step 1"));
        assert_eq!(context("two").as_deref(), Some("job 'b', step 'Dump'"));
        assert_eq!(context("text").as_deref(), Some("Encryption"));
        assert_eq!(context("on: push").as_deref(), Some("Encryption"));
    }
}
