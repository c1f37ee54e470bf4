//! What a person or a script sees while a command runs: results on standard
//! out, everything else on standard error; bars on a terminal, a plain line now
//! and then in CI, nothing beside the JSON with `--format json`.

use std::io::{self, IsTerminal, Write};
use std::str::FromStr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use serde::Serialize;

/// Seconds between two progress lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Every command knows the first two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    #[default]
    Text,
    Json,
    Sarif,
    Github,
    Markdown,
}

impl Format {
    pub const ALL: [(Self, &str); 5] = [
        (Self::Text, "text"),
        (Self::Json, "json"),
        (Self::Sarif, "sarif"),
        (Self::Github, "github"),
        (Self::Markdown, "markdown"),
    ];
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|(_, name)| *name == text);
        known.map(|(format, _)| format).ok_or_else(|| format!("'{text}' is no format"))
    }
}

/// `1 table`, `4,000 tables`, `2 entries`.
pub fn count(number: u64, noun: &str) -> String {
    let counted = HumanCount(number);
    match (number, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{counted} {stem}ies"),
        (_, None) => format!("{counted} {noun}s"),
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Ui {
    pub format: Format,
    pub quiet: bool,
    pub no_progress: bool,
}

impl Ui {
    /// A line of the result, on standard out; nothing with `--format json`.
    pub fn say(self, line: impl AsRef<str>) {
        if self.format == Format::Text {
            let written = print(line.as_ref());
            if let Err(cause) = written {
                self.warn(format!("cannot write to standard out: {cause}"));
            }
        }
    }

    /// A line beside the result, on standard error; nothing with `--quiet`.
    pub fn note(self, line: impl AsRef<str>) {
        if !self.quiet {
            complain(line.as_ref());
        }
    }

    /// A line that even `--quiet` may not hide.
    pub fn warn(self, line: impl AsRef<str>) {
        complain(&format!("warning: {}", line.as_ref()));
    }

    /// The whole result as one JSON document; nothing in text format.
    pub fn json(self, value: &impl Serialize) -> anyhow::Result<()> {
        if self.format == Format::Json {
            print(&serde_json::to_string_pretty(value)?).context("cannot write to standard out")?;
        }
        Ok(())
    }

    /// Progress of one thing that moves bytes; `total` where it is known.
    pub fn progress(self, what: &str, total: Option<u64>) -> Progress {
        if self.quiet || self.no_progress || self.format != Format::Text {
            return Progress { bar: ProgressBar::hidden(), lines: None };
        }
        if !std::io::stderr().is_terminal() {
            return Progress {
                bar: ProgressBar::hidden(),
                lines: Some(Mutex::new(Lines {
                    what: what.to_owned(),
                    total,
                    done: 0,
                    begun: Instant::now(),
                    last: Instant::now(),
                })),
            };
        }
        let (bar, template) = match total {
            Some(total) => (
                ProgressBar::new(total),
                "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}, {eta} left",
            ),
            None => (ProgressBar::no_length(), "{msg} {spinner} {bytes} {bytes_per_sec} {elapsed}"),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        Progress { bar, lines: None }
    }
}

/// A running progress report; dropping it clears the bar.
pub struct Progress {
    bar: ProgressBar,
    lines: Option<Mutex<Lines>>,
}

struct Lines {
    what: String,
    total: Option<u64>,
    done: u64,
    begun: Instant,
    last: Instant,
}

impl Progress {
    pub fn add(&self, bytes: u64) {
        self.bar.inc(bytes);
        if let Some(Ok(mut lines)) = self.lines.as_ref().map(Mutex::lock) {
            lines.done += bytes;
            if lines.last.elapsed() >= LINE_EVERY {
                lines.last = Instant::now();
                lines.print();
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Lines {
    fn print(&self) {
        let seconds = self.begun.elapsed().as_secs().max(1);
        let rate = self.done / seconds;
        let left = match self.total {
            Some(total) if rate > 0 => format!(", about {} s left", total.saturating_sub(self.done) / rate),
            _ => String::new(),
        };
        complain(&format!("{}: {} so far, {}/s{left}", self.what, HumanBytes(self.done), HumanBytes(rate)));
    }
}

/// A line on standard out. A reader that has seen enough (`| head`) is no error.
pub fn print(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(cause) if cause.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// A line on standard error; where nobody can read it there is nobody to tell.
pub fn complain(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
