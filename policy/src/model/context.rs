//! What a place is a part of, in words: the heading above it, the job and the step.

use crate::finding::{Place, Span};
use crate::parse::yaml::Node;

use super::Set;

impl Set<'_> {
    /// `job 'backup', step 'Dump'`, or the heading that a place stands under.
    pub fn context(&self, place: Place) -> Option<String> {
        self.step(place).or_else(|| self.heading(place).map(str::to_owned))
    }

    /// The heading that a place stands under.
    pub(super) fn heading(&self, place: Place) -> Option<&str> {
        let headings = self.headings.get(place.document)?;
        let before = headings.partition_point(|(start, _)| *start <= place.span.start);
        headings.get(before.checked_sub(1)?).map(|(_, text)| text.as_str())
    }

    fn step(&self, place: Place) -> Option<String> {
        let holds = |span: Span| span.start <= place.span.start && place.span.start < span.end;
        let mut units = self.units.iter().filter(|unit| unit.document == place.document && holds(unit.span));
        let (unit, workflow) = units.find_map(|unit| Some((unit, unit.workflow()?)))?;
        let inside = |node: &Node| holds(unit.place(node.span).span);
        let job = workflow.jobs.iter().find(|job| inside(job.node) || inside(job.key))?;
        let of_job = format!("job '{}'", job.id);
        let Some(index) = job.steps.iter().position(|step| inside(step.node)) else { return Some(of_job) };
        let name = job.steps.get(index).and_then(|step| step.name.or(step.id)).and_then(Node::text);
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
