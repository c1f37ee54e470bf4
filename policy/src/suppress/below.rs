//! Lines in, and for each comment that is alone on its line the lines below that it
//! speaks of. Each table is made in one pass, however many comments ask.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::RangeInclusive;

const FENCES: [&str; 2] = ["```", "~~~"];

/// What comments of a document speak of.
pub struct Below<'t> {
    lines: &'t [&'t str],
    /// By the mark of a comment: behind each line, the next one that says something.
    content: HashMap<&'static str, Vec<usize>>,
    /// The last line of what each begins.
    blocks: OnceCell<Vec<usize>>,
    paragraphs: OnceCell<Vec<usize>>,
}

impl<'t> Below<'t> {
    pub fn new(lines: &'t [&'t str]) -> Self {
        Self { lines, content: HashMap::new(), blocks: OnceCell::new(), paragraphs: OnceCell::new() }
    }

    /// The lines that a comment alone on line `number` speaks of: in prose the next
    /// paragraph, elsewhere the next line with what belongs to it.
    pub fn of(&mut self, number: usize, opens: &'static str, in_prose: bool) -> RangeInclusive<usize> {
        let lines = self.lines;
        let content = self.content.entry(opens).or_insert_with(|| content(lines, opens));
        let Some(first) = content.get(number - 1).filter(|first| **first < lines.len()) else {
            return number..=number;
        };
        let last = if in_prose {
            self.paragraphs.get_or_init(|| paragraphs(lines))
        } else {
            self.blocks.get_or_init(|| blocks(lines))
        };
        first + 1..=last.get(*first).unwrap_or(first) + 1
    }
}

/// Behind each line, the next that is neither empty nor such a comment.
fn content(lines: &[&str], opens: &str) -> Vec<usize> {
    let mut content = vec![lines.len(); lines.len()];
    let mut next = lines.len();
    for (index, (line, content)) in lines.iter().zip(&mut content).enumerate().rev() {
        *content = next;
        let text = line.trim_start();
        if !text.is_empty() && !text.starts_with(opens) {
            next = index;
        }
    }
    content
}

/// The last line of the paragraph or fenced block that each line begins.
fn paragraphs(lines: &[&str]) -> Vec<usize> {
    let mut last = vec![0; lines.len()];
    let mut paragraph = lines.len().saturating_sub(1);
    let mut fences = FENCES.map(|_| paragraph);
    for (index, (line, last)) in lines.iter().zip(&mut last).enumerate().rev() {
        let text = line.trim_start();
        let fence = FENCES.iter().zip(&mut fences).find(|(fence, _)| text.starts_with(**fence));
        *last = match fence {
            Some((_, end)) => std::mem::replace(end, index),
            None => paragraph,
        };
        if text.is_empty() {
            paragraph = index.saturating_sub(1);
        }
    }
    last
}

/// The last line of what each line begins: of what is indented deeper or continues it.
fn blocks(lines: &[&str]) -> Vec<usize> {
    // Before each line, the next that is not empty.
    let mut before = Vec::with_capacity(lines.len() + 1);
    let mut content = 0;
    for (index, line) in lines.iter().enumerate() {
        before.push(content);
        content = if line.trim().is_empty() { content } else { index };
    }
    before.push(content);
    let continues = |index: usize, word: &str| {
        let previous = index.checked_sub(1).and_then(|index| lines.get(index)).map_or("", |line| line.trim());
        !previous.is_empty()
            && (previous.ends_with(['\\', '|', '(']) || word.starts_with('|') || word.starts_with("&&"))
    };
    let mut last = vec![0; lines.len()];
    // Lines below that end what is indented as they are or deeper: the nearest comes
    // last, and each further one is indented less.
    let mut ends: Vec<(usize, usize)> = Vec::new();
    for (index, (line, last)) in lines.iter().zip(&mut last).enumerate().rev() {
        let word = line.trim_start();
        if word.is_empty() {
            continue;
        }
        let own = line.len() - word.len();
        let reach = ends.partition_point(|(indent, _)| *indent <= own);
        let end = ends.get(..reach).and_then(<[(usize, usize)]>::last).map_or(lines.len(), |end| end.1);
        *last = before.get(end).copied().unwrap_or(index);
        if !continues(index, word) {
            ends.truncate(ends.partition_point(|(indent, _)| *indent < own));
            ends.push((own, index));
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Line by line from the comment on.
    fn counted(lines: &[&str], number: usize, opens: &str, in_prose: bool) -> RangeInclusive<usize> {
        let line = |number: usize| lines.get(number - 1).map(|line| line.trim_start());
        let indent = |number: usize| lines[number - 1].len() - lines[number - 1].trim_start().len();
        let is_content = |number: &usize| {
            let text = line(*number).unwrap();
            !text.is_empty() && !text.starts_with(opens)
        };
        let Some(first) = (number + 1..=lines.len()).find(is_content) else { return number..=number };
        if in_prose {
            let fence = FENCES.into_iter().find(|fence| line(first).unwrap().starts_with(fence));
            let ends = |number: &usize| match fence {
                Some(fence) => line(*number).unwrap().starts_with(fence),
                None => line(*number).unwrap().is_empty(),
            };
            let end = (first + 1..=lines.len()).find(ends);
            return first..=end.map_or(lines.len(), |end| end - usize::from(fence.is_none()));
        }
        let mut last = first;
        for next in first + 1..=lines.len() {
            let word = line(next).unwrap();
            let goes_on = line(last).unwrap().trim_end().ends_with(['\\', '|', '('])
                || word.starts_with('|')
                || word.starts_with("&&");
            if word.is_empty() {
                continue;
            }
            if indent(next) <= indent(first) && !(goes_on && next == last + 1) {
                break;
            }
            last = next;
        }
        first..=last
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn tables_agree_with_reading_on(
            lines in prop::collection::vec(" {0,3}(|#|#|a|b|a \\\\|\\| c|&& d|e \\(|```|~~~|//)", 1..12),
        ) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let mut below = Below::new(&lines);
            for number in 1..=lines.len() {
                for (opens, in_prose) in [("#", false), ("//", false), ("#", true)] {
                    let wanted = counted(&lines, number, opens, in_prose);
                    prop_assert_eq!(below.of(number, opens, in_prose), wanted, "{} {:?}", number, &lines);
                }
            }
        }
    }
}
