//! Markdown as lines with a meaning: headings, prose, list items, rows of tables,
//! comments, and fenced blocks with the text that they hold.
//!
//! One pass over the lines; what a line is depends on the line before it and on
//! an open fence alone. A fence in a list or in a quote loses its indentation and
//! its marks, and [`Fence::source`] still knows every byte's place. A fence that
//! nothing closes ends with the document.

mod inline;
mod line;
mod table;
#[cfg(test)]
mod tests;

use super::source::{self, Builder, Source};
use crate::finding::Span;

use line::{Marks, heading, inside, list_item, opening, quoted, underline};

pub use inline::plain;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Markdown {
    /// In the order of the document.
    pub items: Vec<Item>,
    pub headings: Vec<Heading>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub span: Span,
    /// Index of the heading that it stands under.
    pub heading: Option<usize>,
    pub kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Index into the headings.
    Heading(usize),
    Fence(Fence),
    /// One line of text, without marks of lists and quotes. `item` where a list
    /// item begins here.
    Prose {
        text: Span,
        item: Option<ListItem>,
    },
    Row(Row),
    /// Between `<!--` and `-->`.
    Comment {
        text: Span,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    pub span: Span,
    /// 1 to 6.
    pub level: usize,
    /// Without its marks.
    pub text: String,
    /// The heading that it stands under.
    pub parent: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListItem {
    /// Columns before the mark.
    pub indent: usize,
    pub ordered: bool,
    /// `[ ]` or `[x]`
    pub done: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Counts the tables of the document.
    pub table: usize,
    pub header: bool,
    pub cells: Vec<Cell>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    pub span: Span,
    /// Without emphasis and code marks.
    pub text: String,
}

/// A block between two lines of backticks or tildes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// All that follows the opening marks: `yaml title="x"`.
    pub info: String,
    /// Of the lines between the marks, indentation included.
    pub content: Span,
    pub closed: bool,
    indent: usize,
    quotes: usize,
}

impl Fence {
    /// The first word of the info string, in lower case; `{.bash}` and `bash{1,2}`
    /// are `bash`.
    pub fn language(&self) -> String {
        let info = self.info.trim_start_matches(['{', '.', ' ']);
        let end = info
            .find(|c: char| c.is_whitespace() || matches!(c, '{' | '}' | ',' | ':'))
            .unwrap_or(info.len());
        info.get(..end).unwrap_or_default().to_ascii_lowercase()
    }

    /// What the block holds; `document` is the text that was parsed.
    pub fn source<'t>(&self, document: &'t str) -> Source<'t> {
        let content = document.get(self.content.start..self.content.end).unwrap_or_default();
        if self.indent == 0 && self.quotes == 0 {
            return Source::at(content, self.content.start);
        }
        let mut builder = Builder::default();
        let mut at = self.content.start;
        for line in content.split_inclusive('\n') {
            let inner = inside(line, self.quotes, self.indent);
            builder.push(line.get(inner..).unwrap_or_default(), at + inner);
            at += line.len();
        }
        builder.finish()
    }
}

pub fn parse(text: &str) -> Markdown {
    let mut reader = Reader::new(text);
    let mut lines = source::lines(text).peekable();
    reader.front_matter(&mut lines);
    while let Some((offset, line)) = lines.next() {
        let next = lines.peek().map(|(_, line)| *line);
        reader.line(offset, line, next);
    }
    reader.finish()
}

struct Reader<'t> {
    text: &'t str,
    markdown: Markdown,
    /// The fence that is open, and its marks.
    fence: Option<(usize, Fence, Marks)>,
    /// Where the comment that is open began.
    comment: Option<usize>,
    /// No `-->` lies ahead.
    no_comment_end: bool,
    /// The table that the line before belongs to.
    table: Option<usize>,
    tables: usize,
    /// The heading of each level that is open.
    open: Vec<usize>,
    /// Whether the line before was prose that a line of dashes makes a heading.
    underlined: bool,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            text,
            markdown: Markdown::default(),
            fence: None,
            comment: None,
            no_comment_end: false,
            table: None,
            tables: 0,
            open: Vec::new(),
            underlined: false,
        }
    }

    /// `---` on the first line up to the next one is no Markdown.
    fn front_matter(&self, lines: &mut std::iter::Peekable<impl Iterator<Item = (usize, &'t str)>>) {
        if lines.peek().is_none_or(|(_, line)| line.trim_end() != "---") {
            return;
        }
        let closes = source::lines(self.text).skip(1).any(|(_, line)| line.trim_end() == "---");
        if closes {
            lines.next();
            for (_, line) in lines.by_ref() {
                if line.trim_end() == "---" {
                    return;
                }
            }
        }
    }

    fn line(&mut self, offset: usize, line: &'t str, next: Option<&str>) {
        if self.fence.is_some() {
            self.fenced(offset, line);
            return;
        }
        if let Some(start) = self.comment {
            self.commented(start, offset, line);
            return;
        }
        let (quotes, skip) = quoted(line);
        let body = line.get(skip..).unwrap_or_default();
        let trimmed = body.trim_start_matches([' ', '\t']);
        let indent = body.len() - trimmed.len();
        let at = offset + skip + indent;
        let underlined = std::mem::take(&mut self.underlined);
        let table = self.table.take();
        if trimmed.trim_end().is_empty() {
            return;
        }
        if let Some((marks, info)) = opening(trimmed) {
            // In `- ```sh` the list's mark indents the block as well.
            let fence =
                Fence { info: info.to_owned(), content: Span::default(), closed: false, indent, quotes };
            self.fence = Some((offset, fence, marks));
            return;
        }
        if let Some((level, range)) = heading(trimmed) {
            self.heading(level, Span::new(offset, offset + line.len()), at + range.start..at + range.end);
            return;
        }
        if underlined && let Some(level) = underline(trimmed) {
            self.underline(level, offset + line.len());
            return;
        }
        let is_row = trimmed.contains('|');
        if is_row && let Some(table) = table {
            self.table = Some(table);
            if !table::is_delimiter(trimmed) {
                self.row(table, false, at, trimmed);
            }
            return;
        }
        if is_row && next.is_some_and(|next| table::is_delimiter(next.trim())) {
            let table = self.tables;
            self.tables += 1;
            self.table = Some(table);
            self.row(table, true, at, trimmed);
            return;
        }
        self.prose(at, indent, trimmed);
    }

    fn push(&mut self, span: Span, kind: Kind) {
        let heading = self.open.last().copied();
        self.markdown.items.push(Item { span, heading, kind });
    }

    fn fenced(&mut self, offset: usize, line: &str) {
        let Some((start, mut fence, marks)) = self.fence.take() else { return };
        if fence.content == Span::default() {
            fence.content = Span::new(offset, offset);
        }
        let inner = inside(line, fence.quotes, 0);
        let rest = line.get(inner..).unwrap_or_default();
        let trimmed = rest.trim();
        let deeper = rest.len() - rest.trim_start().len() > fence.indent + 3;
        let closes =
            !deeper && trimmed.len() >= marks.count && trimmed.bytes().all(|byte| byte == marks.mark);
        if closes {
            fence.closed = true;
            fence.content.end = offset;
            self.push(Span::new(start, offset + line.len()), Kind::Fence(fence));
        } else {
            fence.content.end = offset + line.len();
            self.fence = Some((start, fence, marks));
        }
    }

    fn heading(&mut self, level: usize, span: Span, text: std::ops::Range<usize>) {
        let text = plain(self.text.get(text).unwrap_or_default());
        self.open.retain(|open| self.markdown.headings.get(*open).is_some_and(|open| open.level < level));
        let parent = self.open.last().copied();
        let index = self.markdown.headings.len();
        self.markdown.headings.push(Heading { span, level, text, parent });
        self.push(span, Kind::Heading(index));
        self.open.push(index);
    }

    /// The prose before a line of `=` or `-` is a heading.
    fn underline(&mut self, level: usize, end: usize) {
        if let Some(Item { span, kind: Kind::Prose { text, .. }, .. }) = self.markdown.items.pop() {
            self.heading(level, Span::new(span.start, end), text.start..text.end);
        }
    }

    fn row(&mut self, table: usize, header: bool, at: usize, line: &str) {
        let cells = table::cells(at, line);
        let span = Span::new(at, at + line.trim_end().len());
        self.push(span, Kind::Row(Row { table, header, cells }));
    }

    fn prose(&mut self, at: usize, indent: usize, line: &str) {
        let (item, skip) = list_item(indent, line);
        // A block may begin behind the mark of its item.
        let rest = line.get(skip..).unwrap_or_default();
        if item.is_some()
            && let Some((marks, info)) = opening(rest)
        {
            let fence = Fence {
                info: info.to_owned(),
                content: Span::default(),
                closed: false,
                indent: indent + skip,
                quotes: 0,
            };
            self.fence = Some((at, fence, marks));
            return;
        }
        let (mut from, end) = (at + skip, at + line.trim_end().len());
        let mut item = item;
        while let Some(found) = self.text.get(from..end).and_then(|rest| rest.find("<!--")) {
            let start = from + found;
            let ahead = if self.no_comment_end { None } else { self.text.get(start + 4..) };
            let Some(length) = ahead.and_then(|rest| rest.find("-->")) else {
                self.no_comment_end = true;
                break;
            };
            self.text_piece(at, from, start, item.take());
            if start + 4 + length > end {
                self.comment = Some(start);
                return;
            }
            from = start + 4 + length + 3;
            let text = Span::new(start + 4, start + 4 + length);
            self.push(Span::new(start, from), Kind::Comment { text });
            if from >= end {
                return;
            }
        }
        self.text_piece(at, from, end, item);
        self.underlined = true;
    }

    fn text_piece(&mut self, line: usize, start: usize, end: usize, item: Option<ListItem>) {
        let piece = self.text.get(start..end).unwrap_or_default();
        if piece.trim().is_empty() && item.is_none() {
            return;
        }
        let text = Span::new(start, start + piece.trim_end().len());
        self.push(Span::new(if item.is_some() { line } else { start }, text.end), Kind::Prose { text, item });
    }

    fn commented(&mut self, start: usize, offset: usize, line: &'t str) {
        let Some(length) = line.find("-->") else { return };
        self.comment = None;
        let end = offset + length;
        self.push(Span::new(start, end + 3), Kind::Comment { text: Span::new(start + 4, end) });
        let rest = line.get(length + 3..).unwrap_or_default();
        if !rest.trim().is_empty() {
            self.prose(end + 3, 0, rest);
        }
    }

    fn finish(mut self) -> Markdown {
        if let Some((start, mut fence, _)) = self.fence.take() {
            if fence.content == Span::default() {
                fence.content = Span::new(self.text.len(), self.text.len());
            }
            fence.content.end = self.text.len();
            self.push(Span::new(start, self.text.len()), Kind::Fence(fence));
        }
        self.markdown
    }
}
