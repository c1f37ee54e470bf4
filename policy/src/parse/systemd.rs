//! Units of systemd: services, timers and the rest, as sections of settings; and
//! what `OnCalendar=` means, where five cron fields can say it.

mod calendar;

use super::source::{self, Builder, Source};
use crate::finding::Span;

pub use calendar::{Calendar, calendar};

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Unit {
    pub settings: Vec<Setting>,
    pub sections: Vec<Section>,
    pub comments: Vec<Span>,
    /// Lines that are nothing of the kind.
    pub invalid: Vec<Span>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// `Service`
    pub name: String,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Index into the sections.
    pub section: Option<usize>,
    pub span: Span,
    pub name: String,
    /// With continued lines joined.
    pub value: Source<'static>,
    pub value_span: Span,
}

impl Unit {
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// All settings of a name in a section, in order.
    pub fn all(&self, section: &str, name: &str) -> Vec<&Setting> {
        let within = |index: usize| self.sections.get(index).is_some_and(|found| found.name == section);
        self.settings.iter().filter(|found| found.name == name && found.section.is_some_and(within)).collect()
    }

    /// The last one.
    pub fn get(&self, section: &str, name: &str) -> Option<&Setting> {
        self.all(section, name).pop()
    }

    /// `Environment=` of the service, each `NAME=value` with its span.
    pub fn environment(&self) -> Vec<(String, String, Span)> {
        let mut all = Vec::new();
        for setting in self.all("Service", "Environment") {
            let script = super::shell::parse_in(&setting.value);
            for word in words(&script) {
                if let Some(text) = word.literal()
                    && let Some((name, value)) = text.split_once('=')
                {
                    all.push((name.to_owned(), value.to_owned(), word.span));
                }
            }
        }
        all
    }
}

/// `Environment=A=1 "B=2 3"` reads like the words of a command, of which the first
/// ones are assignments.
fn words(script: &super::shell::Script) -> Vec<super::shell::Word> {
    use super::shell::{AssignedValue, Kind, Part, PartKind, Quote, Word};
    let commands = script.body.iter().flat_map(|statement| &statement.first.commands);
    let mut all = Vec::new();
    for command in commands {
        let Kind::Simple(simple) = &command.kind else { continue };
        for assignment in &simple.assignments {
            let AssignedValue::Word(value) = &assignment.value else { continue };
            let name = PartKind::Literal(format!("{}=", assignment.name));
            let mut parts = vec![Part { span: assignment.span, quote: Quote::None, kind: name }];
            parts.extend(value.parts.iter().cloned());
            all.push(Word { span: assignment.span, parts });
        }
        all.extend(simple.words.iter().cloned());
    }
    all
}

impl Setting {
    /// The value of `ExecStart=` without the marks before the program.
    pub fn command(&self) -> Source<'static> {
        let text = self.value.text();
        let rest = text.trim_start_matches(['@', '-', ':', '+', '!', '|']);
        let mut builder = Builder::default();
        builder.push_range(&self.value, text.len() - rest.len(), text.len());
        builder.finish()
    }

    /// Whether a failure of the command counts for nothing: `ExecStart=-/bin/x`.
    pub fn ignores_failure(&self) -> bool {
        let text = self.value.text();
        let marks = text.len() - text.trim_start_matches(['@', '-', ':', '+', '!', '|']).len();
        text.get(..marks).is_some_and(|marks| marks.contains('-'))
    }
}

pub fn parse(text: &str) -> Unit {
    parse_in(&Source::whole(text))
}

pub fn parse_in(source: &Source<'_>) -> Unit {
    let text = source.text();
    let mut unit = Unit::default();
    let mut lines = source::lines(text);
    while let Some((offset, line)) = lines.next() {
        let body = line.trim_start_matches(['\u{feff}', ' ', '\t']);
        let start = offset + line.len() - body.len();
        let body = body.trim_end();
        let span = source.span(start, start + body.len());
        if body.is_empty() {
            continue;
        }
        if body.starts_with(['#', ';']) {
            unit.comments.push(span);
        } else if let Some(name) = body.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            unit.sections.push(Section { name: name.to_owned(), span });
        } else if let Some((name, value)) = body.split_once('=')
            && is_name(name.trim_end())
        {
            let value_start = start + body.len() - value.trim_start().len();
            let mut builder = Builder::default();
            let mut end = push(&mut builder, source, value_start, value.trim_start());
            let mut continues = value.ends_with('\\');
            while continues {
                let Some((offset, line)) = lines.next() else { break };
                let inner = line.trim();
                // A comment between continued lines is passed over.
                if inner.starts_with(['#', ';']) {
                    continue;
                }
                let at = offset + line.len() - line.trim_start().len();
                builder.push_for(" ", source.span(offset, offset));
                end = push(&mut builder, source, at, inner);
                continues = inner.ends_with('\\');
            }
            unit.settings.push(Setting {
                section: unit.sections.len().checked_sub(1),
                span: source.span(start, end),
                name: name.trim_end().to_owned(),
                value: builder.finish(),
                value_span: source.span(value_start, end),
            });
        } else {
            unit.invalid.push(span);
        }
    }
    unit
}

/// One line of a value, without the backslash at its end. Returns where it ends.
fn push(builder: &mut Builder, source: &Source<'_>, at: usize, line: &str) -> usize {
    let kept = line.strip_suffix('\\').unwrap_or(line).trim_end();
    builder.push_range(source, at, at + kept.len());
    at + kept.len()
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::shell;
    use proptest::prelude::*;

    const SERVICE: &str = concat!(
        "[Unit]\nDescription=Backup\n# why\n\n[Service]\nType=oneshot\n",
        "Environment=A=1 \"B=two words\" C=3\n",
        "ExecStart=-/opt/backup.sh \\\n    --all \\\n# note\n    db\n",
        "ExecStartPost=/bin/true\nExecStartPost=/bin/ls\nnonsense\n",
    );

    #[test]
    fn settings_of_sections() {
        let unit = parse(SERVICE);
        let settings: Vec<_> =
            unit.settings.iter().map(|s| format!("{}={}", s.name, s.value.text())).collect();
        assert_eq!(
            settings,
            [
                "Description=Backup",
                "Type=oneshot",
                "Environment=A=1 \"B=two words\" C=3",
                "ExecStart=-/opt/backup.sh --all db",
                "ExecStartPost=/bin/true",
                "ExecStartPost=/bin/ls",
            ]
        );
        assert_eq!(unit.get("Service", "ExecStartPost").unwrap().value.text(), "/bin/ls");
        assert!(unit.get("Unit", "ExecStart").is_none() && unit.section("Service").is_some());
        assert_eq!(unit.comments.len(), 1);
        assert_eq!(unit.invalid.len(), 1);
    }

    #[test]
    fn a_command_is_found_at_its_bytes() {
        let unit = parse(SERVICE);
        let setting = unit.get("Service", "ExecStart").unwrap();
        assert!(setting.ignores_failure());
        let script = shell::parse_in(&setting.command());
        let shell::Kind::Simple(simple) = &script.body[0].first.commands[0].kind else {
            panic!("no command")
        };
        let slices: Vec<_> =
            simple.words.iter().map(|word| &SERVICE[word.span.start..word.span.end]).collect();
        assert_eq!(slices, ["/opt/backup.sh", "--all", "db"]);
    }

    #[test]
    fn the_environment_is_taken_apart() {
        let names = parse(SERVICE).environment();
        let names: Vec<_> = names.iter().map(|(name, value, _)| format!("{name}={value}")).collect();
        assert_eq!(names, ["A=1", "B=two words", "C=3"]);
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[\\[\\]A=a\"'#;\\\\ \n\t\u{e9}-]{0,60}") {
            let unit = parse(&text);
            let _ = unit.environment();
            for setting in &unit.settings {
                prop_assert!(text.get(setting.span.start..setting.span.end).is_some());
                let _ = setting.command();
            }
        }
    }
}
