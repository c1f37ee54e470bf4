//! What an author says about a line: the comments right above it and behind it.

use crate::finding::{Place, Span};

use super::Set;

/// Lines of comment that are looked at above a line.
const LINES: usize = 4;

impl Set<'_> {
    /// The comments above the line of a place, the nearest first; one that stands
    /// behind it on the same line comes before all. With their marks.
    pub fn comments_near(&self, place: Place) -> Vec<Place> {
        let text = self.documents.get(place.document).map_or("", |document| document.text.as_str());
        let mut found = Vec::new();
        let mut push = |start: usize, line: &str| {
            let span = Span::new(start, start + line.trim_end().len());
            found.push(Place { document: place.document, span });
        };
        let start = crate::fix::line_start(text, place.span.start);
        let end = text.get(place.span.end..).and_then(|rest| rest.find('\n'));
        let end = end.map_or(text.len(), |length| place.span.end + length);
        if let Some(behind) = text.get(place.span.end..end)
            && let Some(mark) = behind.find(" #").map(|at| at + 1)
        {
            push(place.span.end + mark, behind.get(mark..).unwrap_or_default());
        }
        let mut at = start;
        for _ in 0..LINES {
            let Some(before) = at.checked_sub(1) else { break };
            let first = crate::fix::line_start(text, before);
            let line = text.get(first..before).unwrap_or_default();
            let body = line.trim_start();
            if !body.starts_with(['#', ';']) && !body.starts_with("--") {
                break;
            }
            push(first + line.len() - body.len(), body);
            at = first;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;

    #[test]
    fn comments_stand_above_and_behind() {
        let text = "# far\n\n# one\n  # two\n0 2 * * * x # three\n";
        let documents = [Document::new("crontab", text)];
        let set = Set::of(&documents);
        let at = text.find("0 2").unwrap();
        let place = Place { document: 0, span: Span::new(at, at + 9) };
        let told: Vec<&str> = set.comments_near(place).into_iter().map(|place| set.text(place)).collect();
        assert_eq!(told, ["# three", "# two", "# one"]);
    }
}
