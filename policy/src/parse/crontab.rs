//! Crontabs: entries, variables and comments, with the times at which an entry
//! runs.
//!
//! A system's crontab (`/etc/crontab`, `/etc/cron.d`) has a user before the
//! command. Which of the two a text is, a caller may know by its path; else
//! [`parse`] decides by the words that stand there. Cron runs in the host's time
//! zone, unless `CRON_TZ` names another.

use jiff::Timestamp;

use super::source::{self, Source};
use crate::finding::Span;
use crate::schedule::Schedule;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Crontab {
    pub entries: Vec<Entry>,
    /// `NAME=value` lines: for the entries below them.
    pub variables: Vec<Variable>,
    pub comments: Vec<Span>,
    /// Lines that are nothing of the kind.
    pub invalid: Vec<Span>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub span: Span,
    /// The five fields, or `@daily`.
    pub time: String,
    pub time_span: Span,
    /// Of each of the five fields; empty for `@daily`.
    pub fields: Vec<Span>,
    pub when: When,
    pub user: Option<String>,
    /// Up to the first `%` that is not escaped: what follows is its input.
    pub command: Source<'static>,
    pub command_span: Span,
    /// What the first `%` passes to the command.
    pub input: Option<Span>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    Times(Schedule),
    Reboot,
    /// Why the fields say no time.
    Invalid(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    pub span: Span,
    pub name: String,
    pub value: String,
    pub value_span: Span,
}

/// Whether a user stands before the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    User,
    System,
    /// By what the lines look like.
    Guess,
}

pub fn parse(text: &str, form: Form) -> Crontab {
    parse_in(&Source::whole(text), form)
}

pub fn parse_in(source: &Source<'_>, form: Form) -> Crontab {
    let text = source.text();
    let mut crontab = Crontab::default();
    for (offset, line) in source::lines(text) {
        let body = line.trim_start_matches(['\u{feff}', ' ', '\t']);
        let start = offset + line.len() - body.len();
        let body = body.trim_end();
        let span = source.span(start, start + body.len());
        if body.is_empty() {
            continue;
        }
        if body.starts_with('#') {
            crontab.comments.push(span);
        } else if let Some(entry) = entry(source, start, body, form) {
            crontab.entries.push(entry);
        } else if let Some(variable) = variable(source, start, body) {
            crontab.variables.push(variable);
        } else {
            crontab.invalid.push(span);
        }
    }
    crontab
}

const NICKNAMES: [&str; 8] =
    ["reboot", "yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly"];

/// Firings that [`gaps`] looks at: days of a schedule of minutes, years of one of
/// days.
const FIRINGS: usize = 1500;

/// The shortest and the longest time between two firings, in seconds. `from` is
/// where to begin to look: any day will do.
pub fn gaps(schedule: &Schedule, from: Timestamp) -> Option<(i64, i64)> {
    let mut last = schedule.next_after(from)?;
    let mut gaps: Option<(i64, i64)> = None;
    for _ in 0..FIRINGS {
        let Some(next) = schedule.next_after(last) else { break };
        let gap = next.as_second() - last.as_second();
        gaps = Some(gaps.map_or((gap, gap), |(short, long)| (short.min(gap), long.max(gap))));
        last = next;
    }
    gaps
}

/// Whether a line begins like an entry: five fields, or `@daily`, and a command.
pub fn looks_like_entry(line: &str) -> bool {
    let line = line.trim();
    time(line).is_some_and(|length| line.len() > length)
}

/// The schedule of `*/5 * * * *` or of `@daily`.
pub fn when(text: &str) -> When {
    let five = match text.trim() {
        "@reboot" => return When::Reboot,
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        text => text,
    };
    Schedule::parse(five).map_or_else(When::Invalid, When::Times)
}

/// The length of the time that a line begins with, blanks behind it included.
fn time(line: &str) -> Option<usize> {
    let word = |at: usize| {
        let rest = line.get(at..).unwrap_or_default();
        let length = rest.find([' ', '\t']).unwrap_or(rest.len());
        let blanks = rest.get(length..).map_or(0, |rest| rest.len() - rest.trim_start().len());
        (at + length, at + length + blanks)
    };
    if line.starts_with('@') {
        let (end, next) = word(0);
        return NICKNAMES.contains(&line.get(1..end)?).then_some(next);
    }
    let mut at = 0;
    for index in 0..5 {
        let (end, next) = word(at);
        let field = line.get(at..end)?;
        if !is_field(field, index) {
            return None;
        }
        at = next;
    }
    Some(at)
}

/// `*/5`, `1-5,7`, and names in the last two fields.
fn is_field(field: &str, index: usize) -> bool {
    let named = index >= 3 && field.bytes().any(|byte| byte.is_ascii_alphabetic());
    !field.is_empty()
        && (field.starts_with(|c: char| c.is_ascii_digit() || c == '*') || named)
        && field.bytes().all(|byte| {
            byte.is_ascii_digit()
                || matches!(byte, b'*' | b'/' | b',' | b'-')
                || (named && byte.is_ascii_alphabetic())
        })
}

fn entry(source: &Source<'_>, start: usize, line: &str, form: Form) -> Option<Entry> {
    let length = time(line)?;
    let time = line.get(..length)?.trim_end();
    let mut fields = Vec::new();
    if !time.starts_with('@') {
        let mut at = 0;
        for field in time.split_whitespace() {
            let begin = at + time.get(at..)?.find(field)?;
            at = begin + field.len();
            fields.push(source.span(start + begin, start + at));
        }
    }
    let mut rest = line.get(length..)?;
    let mut user = None;
    let first = rest.split_whitespace().next()?;
    if (form == Form::System && !first.starts_with('/')) || (form == Form::Guess && is_user(first, rest)) {
        user = Some(first.to_owned());
        rest = rest.get(first.len()..)?.trim_start();
    }
    let begin = start + line.len() - rest.len();
    let (command, input) = command(source, begin, rest);
    Some(Entry {
        span: source.span(start, start + line.len()),
        time: time.split_whitespace().collect::<Vec<_>>().join(" "),
        time_span: source.span(start, start + time.len()),
        fields,
        when: when(time),
        user,
        command,
        command_span: source.span(begin, start + line.len()),
        input,
    })
}

/// A plain name, with a command behind it.
fn is_user(word: &str, rest: &str) -> bool {
    const USERS: [&str; 12] = [
        "root", "postgres", "ubuntu", "deploy", "backup", "www-data", "nobody", "admin", "ec2-user", "app",
        "debian", "git",
    ];
    let behind = rest.get(word.len()..).unwrap_or_default().trim_start();
    let begins_command = behind.starts_with(['/', '.', '(', '[', '"', '$', '{']) || {
        let next = behind.split_whitespace().next().unwrap_or_default();
        matches!(
            next,
            "cd" | "test" | "env" | "bash" | "sh" | "flock" | "nice" | "set" | "exec" | "pg_dump" | "find"
        )
    };
    USERS.contains(&word)
        && !behind.is_empty()
        // `backup /dir` may be a program with an argument.
        && (begins_command || matches!(word, "root" | "postgres" | "ubuntu" | "www-data" | "ec2-user"))
}

/// The command without the backslash of `\%`, and what follows a bare `%`.
fn command(source: &Source<'_>, begin: usize, text: &str) -> (Source<'static>, Option<Span>) {
    let mut builder = source::Builder::default();
    let mut from = 0;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        if byte == b'%' {
            let end = if escaped { at - 1 } else { at };
            builder.push_range(source, begin + from, begin + end);
            from = at;
            if !escaped {
                let input = source.span(begin + at + 1, begin + text.len());
                return (builder.finish(), Some(input));
            }
        }
        escaped = byte == b'\\' && !escaped;
    }
    builder.push_range(source, begin + from, begin + text.len());
    (builder.finish(), None)
}

fn variable(source: &Source<'_>, start: usize, line: &str) -> Option<Variable> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim().trim_matches(['"', '\'']);
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    let inner = value.trim();
    let quote = inner.bytes().next().filter(|quote| {
        inner.len() > 1 && matches!(quote, b'"' | b'\'') && inner.ends_with(char::from(*quote))
    });
    let cut = usize::from(quote.is_some());
    let at = start + line.len() - value.trim_start().len() + cut;
    let value = inner.get(cut..inner.len() - cut)?;
    Some(Variable {
        span: source.span(start, start + line.len()),
        name: name.to_owned(),
        value: value.to_owned(),
        value_span: source.span(at, at + value.len()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::shell;
    use proptest::prelude::*;

    fn outline(text: &str, form: Form) -> String {
        let crontab = parse(text, form);
        let entries = crontab.entries.iter().map(|entry| {
            let when = match &entry.when {
                When::Times(schedule) => {
                    let next =
                        schedule.next_after("2026-11-21T07:30:00Z".parse::<Timestamp>().unwrap()).unwrap();
                    next.strftime("%dT%H:%M").to_string()
                }
                other => format!("{other:?}"),
            };
            let input =
                entry.input.map(|span| format!(" < {:?}", &text[span.start..span.end])).unwrap_or_default();
            let user = entry.user.as_deref().unwrap_or("-");
            format!("{} ({when}) {user} {:?}{input}", entry.time, entry.command.text())
        });
        let variables = crontab.variables.iter().map(|v| format!("{}={}", v.name, v.value));
        let invalid = crontab.invalid.iter().map(|span| format!("! {}", &text[span.start..span.end]));
        entries.chain(variables).chain(invalid).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn entries_variables_and_what_is_neither() {
        insta::assert_snapshot!(outline(concat!(
            "# m h dom mon dow\n",
            "MAILTO=\"ops@example.com\"\nPATH = /usr/bin:/bin\nCRON_TZ=UTC\n",
            "0 2 * * * /opt/backup.sh >> /var/log/b.log 2>&1\n",
            "*/15\t*  * jan-mar mon,5 pg_dump db > $(date +\\%F).sql\r\n",
            "@daily mail -s done me%Hello%there\n",
            "@reboot /opt/start\n",
            "0 25 * * * too late\n",
            "0 2 * * root backup\n",
            "just some words here and there\n",
        ), Form::User), @r#"
        0 2 * * * (22T02:00) - "/opt/backup.sh >> /var/log/b.log 2>&1"
        */15 * * jan-mar mon,5 (01T00:00) - "pg_dump db > $(date +%F).sql"
        @daily (22T00:00) - "mail -s done me" < "Hello%there"
        @reboot (Reboot) - "/opt/start"
        0 25 * * * (Invalid("'25' is no hour (0 to 23)")) - "too late"
        0 2 * * root (Invalid("'root' is no day of the week (0 to 7)")) - "backup"
        MAILTO=ops@example.com
        PATH=/usr/bin:/bin
        CRON_TZ=UTC
        ! just some words here and there
        "#);
    }

    #[test]
    fn a_user_may_stand_before_the_command() {
        assert_eq!(outline("1 2 * * * me x", Form::System), "1 2 * * * (22T02:01) me \"x\"");
        insta::assert_snapshot!(outline(concat!(
            "0 2 * * * root /opt/b.sh\n",
            "0 2 * * * postgres pg_dump db\n",
            "0 2 * * * backup /srv\n",
            "0 2 * * * backup --all\n",
            "0 2 * * * cd /srv && ./b.sh\n",
        ), Form::Guess), @r#"
        0 2 * * * (22T02:00) root "/opt/b.sh"
        0 2 * * * (22T02:00) postgres "pg_dump db"
        0 2 * * * (22T02:00) backup "/srv"
        0 2 * * * (22T02:00) - "backup --all"
        0 2 * * * (22T02:00) - "cd /srv && ./b.sh"
        "#);
    }

    #[test]
    fn spans_and_commands_are_those_of_the_document() {
        let text = "A=1\n 5 4 * * *  echo \\% a && pg_dump db\n";
        let crontab = parse(text, Form::User);
        let entry = &crontab.entries[0];
        let slice = |span: Span| &text[span.start..span.end];
        assert_eq!(slice(entry.time_span), "5 4 * * *");
        assert_eq!(
            entry.fields.iter().map(|span| slice(*span)).collect::<Vec<_>>(),
            ["5", "4", "*", "*", "*"]
        );
        assert_eq!(slice(entry.command_span), "echo \\% a && pg_dump db");
        let script = shell::parse_in(&entry.command);
        assert_eq!(slice(script.body[0].rest[0].1.span), "pg_dump db");
        let [variable] = crontab.variables.as_slice() else { panic!("{:?}", crontab.variables) };
        assert_eq!((variable.name.as_str(), slice(variable.value_span)), ("A", "1"));
    }

    #[test]
    fn prose_is_told_from_entries() {
        assert!(looks_like_entry("0 2 * * * /x") && looks_like_entry("  @daily x"));
        assert!(
            !looks_like_entry("0 2 * * *")
                && !looks_like_entry("* a b c d e")
                && !looks_like_entry("@param x y z")
        );
    }

    #[test]
    fn gaps_are_measured() {
        let hours = |text: &str| {
            let When::Times(schedule) = when(text) else { panic!("{text} is no time") };
            gaps(&schedule, Timestamp::UNIX_EPOCH).map(|(short, long)| (short / 3600, long / 3600))
        };
        assert_eq!(hours("@daily"), Some((24, 24)));
        assert_eq!(hours("0 */6 * * *"), Some((6, 6)));
        assert_eq!(hours("0 0,2 * * 1-5"), Some((2, 70)));
        assert_eq!(hours("0 4 1 * *"), Some((28 * 24, 31 * 24)));
        // Behind the 29th comes the 1st.
        assert_eq!(hours("0 0 */14 * *"), Some((24, 14 * 24)));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[0-9*/,@%\\\\ a=\"'#\n\t\u{e9}-]{0,60}") {
            for form in [Form::User, Form::System, Form::Guess] {
                for entry in parse(&text, form).entries {
                    prop_assert!(text.get(entry.command_span.start..entry.command_span.end).is_some());
                }
            }
        }
    }
}
