//! What a document says to people: each line with the headings and labels that it
//! stands under, and the promises in it - how long, how much may be lost, how
//! fast it comes back.

use crate::finding::{Place, Span};
use crate::parse::markdown::{Kind, Markdown, plain};
use crate::units::Days;

use super::amount::{Amount, Tier, amounts};

/// One line of prose, one list item, one row of a table; a comment of a script.
#[derive(Debug, Clone, PartialEq)]
pub struct Passage {
    pub at: Place,
    /// Without emphasis, links and code marks; a row's cells are divided by ` | `.
    pub text: String,
    /// Headings from the outside in, then the label (`**Weekly:**`) and the items
    /// that it stands under.
    pub context: Vec<String>,
    /// Of a row: header and cell of each column.
    pub columns: Vec<Column>,
    /// A list item.
    pub item: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub header: String,
    pub text: String,
    pub at: Place,
}

impl Passage {
    /// Whether it or what it stands under holds one of these words. Lower case.
    pub fn concerns(&self, words: &[&str]) -> bool {
        self.says(words) || self.context.iter().any(|context| holds(context, words))
    }

    /// Whether its own text holds one of these words. Lower case.
    pub fn says(&self, words: &[&str]) -> bool {
        holds(&self.text, words)
    }

    /// Its own tier, else that of what it stands under, from the inside.
    pub fn tier(&self) -> Option<Tier> {
        let own = |text: &str| Tier::all_in(text).first().map(|(_, tier)| *tier);
        own(&self.text)
            .or_else(|| sunday(&self.text))
            .or_else(|| self.context.iter().rev().find_map(|context| own(context)))
    }

    /// Whether it is about what a provider does by itself.
    pub fn is_managed(&self) -> bool {
        const PROVIDERS: [&str; 12] = [
            "supabase",
            "neon",
            "rds",
            "aurora",
            "cloud sql",
            "render",
            "railway",
            "heroku",
            "point-in-time",
            "pitr",
            "built-in",
            "managed",
        ];
        self.concerns(&PROVIDERS)
    }
}

/// "Sundays", "1st of month" name a tier as well.
fn sunday(text: &str) -> Option<Tier> {
    let lower = text.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(&["sunday", "monday", "saturday", "every week"]) {
        return Some(Tier::Weekly);
    }
    has(&["1st of", "first of the month", "first day of"]).then_some(Tier::Monthly)
}

/// Whether a text holds one of these words, from the beginning of a word. Lower case.
pub(super) fn holds(text: &str, words: &[&str]) -> bool {
    let text = text.as_bytes();
    let mut begins = true;
    text.iter().enumerate().any(|(at, byte)| {
        let first = byte.to_ascii_lowercase();
        let is_here = |word: &&str| {
            let word = word.as_bytes();
            word.first() == Some(&first)
                && text.get(at..at + word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word))
        };
        std::mem::replace(&mut begins, !byte.is_ascii_alphanumeric()) && words.iter().any(is_here)
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// How long backups of a tier are kept.
    Retention,
    /// How much work may be lost.
    Rpo,
    /// How long a restore may take.
    Rto,
}

/// One thing that a document says will hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Promise {
    /// The words that say how long.
    pub at: Place,
    pub subject: Subject,
    pub tier: Option<Tier>,
    pub amount: Amount,
    /// Where the backups are, if the line says so: `S3 + Local`.
    pub storage: Option<String>,
    /// What the provider does, not the team.
    pub managed: bool,
    /// Index into [`super::Set::passages`].
    pub passage: usize,
}

/// The lines of a document.
pub fn passages(document: usize, text: &str, markdown: &Markdown) -> Vec<Passage> {
    let mut reader =
        Reader { document, text, markdown, label: None, parents: Vec::new(), header: Vec::new() };
    let mut heading = None;
    let mut found = Vec::new();
    for item in &markdown.items {
        if item.heading != heading {
            heading = item.heading;
            reader.label = None;
            reader.parents.clear();
        }
        found.extend(reader.item(item));
    }
    found
}

struct Reader<'m> {
    document: usize,
    text: &'m str,
    markdown: &'m Markdown,
    label: Option<String>,
    /// Items that the next one may stand under, by indentation.
    parents: Vec<(usize, String)>,
    header: Vec<String>,
}

impl Reader<'_> {
    fn slice(&self, span: Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    fn place(&self, span: Span) -> Place {
        Place { document: self.document, span }
    }

    fn context(&self, heading: Option<usize>) -> Vec<String> {
        let mut context = Vec::new();
        let mut next = heading;
        while let Some(heading) = next.and_then(|index| self.markdown.headings.get(index)) {
            context.push(heading.text.clone());
            next = heading.parent;
        }
        context.reverse();
        context.extend(self.label.clone());
        context.extend(self.parents.iter().map(|(_, text)| text.clone()));
        context
    }

    fn item(&mut self, item: &crate::parse::markdown::Item) -> Option<Passage> {
        match &item.kind {
            Kind::Prose { text: span, item: list } => {
                let text = plain(self.slice(*span));
                let bold = is_bold(self.slice(*span).trim());
                if let Some(list) = list {
                    self.parents.retain(|(indent, _)| *indent < list.indent);
                } else {
                    self.parents.clear();
                }
                let context = self.context(item.heading);
                match list {
                    Some(list) => self.parents.push((list.indent, text.clone())),
                    // A line that is bold, or ends with a colon, names what follows.
                    None if bold || text.ends_with(':') => {
                        self.label = Some(text.clone());
                    }
                    None => {}
                }
                Some(Passage {
                    at: self.place(*span),
                    text,
                    context,
                    columns: Vec::new(),
                    item: list.is_some(),
                })
            }
            Kind::Row(row) if row.header => {
                self.header = row.cells.iter().map(|cell| cell.text.clone()).collect();
                None
            }
            Kind::Row(row) => {
                let column = |(index, cell): (usize, &crate::parse::markdown::Cell)| Column {
                    header: self.header.get(index).cloned().unwrap_or_default(),
                    text: cell.text.clone(),
                    at: self.place(cell.span),
                };
                let columns: Vec<Column> = row.cells.iter().enumerate().map(column).collect();
                let text = columns.iter().map(|column| column.text.as_str()).collect::<Vec<_>>().join(" | ");
                self.label = None;
                self.parents.clear();
                Some(Passage {
                    at: self.place(item.span),
                    text,
                    context: self.context(item.heading),
                    columns,
                    item: false,
                })
            }
            Kind::Heading(_) | Kind::Fence(_) | Kind::Comment { .. } => None,
        }
    }
}

fn is_bold(line: &str) -> bool {
    line.starts_with("**") && line.trim_end_matches(':').ends_with("**")
}

const RETENTION: [&str; 7] =
    ["retention", "retain", "keep", "kept", "stored for", "preserve", "delete after"];
const RPO: [&str; 4] = ["rpo", "recovery point", "data loss", "maximum loss"];
const RTO: [&str; 5] = ["rto", "recovery time", "time to recover", "time to restore", "restore time"];

/// The promises of a document's passages; `first` is the index of the first one.
pub fn promises(passages: &[Passage], first: usize, text: &str) -> Vec<Promise> {
    let mut found = Vec::new();
    for (offset, passage) in passages.iter().enumerate() {
        let index = first + offset;
        if passage.columns.is_empty() {
            found.extend(of_line(passage, index, text));
        } else {
            found.extend(of_row(passage, index));
        }
    }
    found
}

/// What a line is about: by its own words, else by what it stands under.
fn subject(passage: &Passage) -> Option<Subject> {
    let by = |says: &dyn Fn(&[&str]) -> bool| {
        if says(&RPO) {
            Some(Subject::Rpo)
        } else if says(&RTO) {
            Some(Subject::Rto)
        } else if says(&RETENTION) {
            Some(Subject::Retention)
        } else {
            None
        }
    };
    by(&|words| passage.says(words))
        .or_else(|| {
            // Under a heading only what lists values: an item, a labelled line.
            let lists = passage.item || passage.text.contains(':');
            by(&|words| passage.context.iter().any(|context| holds(context, words))).filter(|_| lists)
        })
        .or_else(|| lists_tier(passage).then_some(Subject::Retention))
}

/// `Weekly backups: 60 days`, an item about backups: how long they stay, and no rhythm.
fn lists_tier(passage: &Passage) -> bool {
    let Some((name, value)) = passage.text.split_once(':').filter(|_| passage.item) else { return false };
    let of_tier = |(index, word): (usize, &str)| match index {
        0 => Tier::only_in(word).is_some(),
        _ => holds(word, &["backup", "dump", "archive", "full", "cop", "snapshot"]),
    };
    let starts = amounts(value).first().is_some_and(|(range, amount)| {
        range.start <= value.len() - value.trim_start().len()
            && amount.days().is_some_and(|days| days >= Days(1.0))
    });
    name.split_whitespace().enumerate().all(of_tier) && starts && passage.concerns(&["backup", "dump"])
}

fn of_line(passage: &Passage, index: usize, text: &str) -> Vec<Promise> {
    let Some(subject) = subject(passage) else { return Vec::new() };
    let raw = text.get(passage.at.span.start..passage.at.span.end).unwrap_or_default();
    let promise = |(range, amount): (std::ops::Range<usize>, Amount)| Promise {
        at: Place { span: passage.at.span.part(range), ..passage.at },
        subject,
        tier: passage.tier(),
        amount,
        storage: storage(&passage.text),
        managed: passage.is_managed(),
        passage: index,
    };
    amounts(raw).into_iter().map(promise).collect()
}

fn of_row(passage: &Passage, index: usize) -> Vec<Promise> {
    let mut found = Vec::new();
    let tier = passage
        .columns
        .iter()
        .find_map(|column| Tier::all_in(&column.text).first().map(|(_, tier)| *tier))
        .or_else(|| passage.columns.iter().find_map(|column| sunday(&column.text)));
    let place = passage
        .columns
        .iter()
        .find(|column| holds(&column.header, &["storage", "location", "where", "destination"]));
    let named = |text: &str| match () {
        () if holds(text, &RETENTION) => Some(Subject::Retention),
        () if holds(text, &RPO) => Some(Subject::Rpo),
        () if holds(text, &RTO) => Some(Subject::Rto),
        () => None,
    };
    // `| RPO | 15 minutes |`: the row's first cell says what its others are.
    let row = passage.columns.first().and_then(|column| named(&column.text));
    for column in &passage.columns {
        let Some(subject) = named(&column.header).or(row) else { continue };
        let promise = |(_, amount)| Promise {
            at: column.at,
            subject,
            tier,
            amount,
            storage: place.map(|column| column.text.clone()),
            managed: passage.is_managed(),
            passage: index,
        };
        found.extend(amounts(&column.text).into_iter().map(promise));
    }
    found
}

fn storage(text: &str) -> Option<String> {
    const PLACES: [&str; 9] =
        ["s3", "glacier", "gcs", "google cloud", "azure", "local", "r2", "b2", "bucket"];
    PLACES.iter().find(|place| holds(text, &[place])).map(|place| (*place).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::markdown;

    fn told(text: &str) -> String {
        let passages = passages(0, text, &markdown::parse(text));
        let line = |promise: Promise| {
            let slice = &text[promise.at.span.start..promise.at.span.end];
            let tier = promise.tier.map_or("-", Tier::as_str);
            let managed = if promise.managed { " (managed)" } else { "" };
            format!("{:?} {tier} {} <{slice}>{managed}\n", promise.subject, promise.amount)
        };
        promises(&passages, 0, text).into_iter().map(line).collect()
    }

    #[test]
    fn promises_are_read_from_items_labels_and_headings() {
        insta::assert_snapshot!(told(
            "# Backup\n### 3. Monthly Archive\n**Retention**: 12 months\n\n## Retention Policy\n- **Daily backups**: Keep for 7 days\n- Weekly: 4 weeks\n- **Yearly backups**: Keep indefinitely\n\n### Manual\n**Weekly:**\n- Every Sunday at 2:00 AM\n- Retained for 30 days\n\n## Supabase\n- **Retention**: 7 days (free) / 30 days (pro)\n"
        ), @r"
        Retention monthly 12 months <12 months>
        Retention daily 7 days <7 days>
        Retention weekly 4 weeks <4 weeks>
        Retention yearly for ever <indefinitely>
        Retention weekly 30 days <30 days>
        Retention - 7 days <7 days> (managed)
        Retention - 30 days <30 days> (managed)
        ");
    }

    #[test]
    fn promises_are_read_from_tables() {
        insta::assert_snapshot!(told(
            "| Type | Frequency | Retention | Storage |\n|---|---|---|---|\n| Full | Daily at 2 AM | 30 days | S3 |\n| Weekly Archive | Sundays | 1 year | Glacier |\n| Logs | Continuous | 24 hours | S3 |\n"
        ), @r"
        Retention daily 30 days <30 days>
        Retention weekly 1 year <1 year>
        Retention - 24 hours <24 hours>
        ");
    }

    #[test]
    fn objectives_are_told_from_retention() {
        insta::assert_snapshot!(told(
            "### RTO\n**Target:** 1 hour\n- Time to detect issue: 5-10 minutes\n\n### Recovery Point Objectives (RPO)\n- **Maximum data loss**: 24 hours\n\nThis is about 3 days of work.\n"
        ), @r"
        Rto - 1 hour <1 hour>
        Rto - 5 minutes <5-10 minutes>
        Rto - 10 minutes <10 minutes>
        Rpo - 24 hours <24 hours>
        ");
    }
}
