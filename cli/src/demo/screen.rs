//! What a person sees of the demo: numbered steps, commands after a prompt, and
//! what they print below them, in lines of at most 100 columns that are broken
//! between words and never cut.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU32, Ordering};

use indicatif::{HumanBytes, HumanCount};

use super::tables::{State, Table};
use super::{Report, YOURS};
use crate::report::seconds;
use crate::ui::{Format, Ui};

const WIDTH: usize = 100;
const INDENT: &str = "   ";

pub struct Screen {
    ui: Ui,
    /// Whether the steps are shown, and not only the end.
    tells: bool,
    bold: bool,
    steps: AtomicU32,
}

impl Screen {
    pub fn new(ui: Ui) -> Self {
        let bold = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { ui, tells: ui.format == Format::Text && !ui.quiet, bold, steps: AtomicU32::new(0) }
    }

    pub fn title(&self, text: &str) {
        self.tell(&self.strong(text));
    }

    /// The next step.
    pub fn step(&self, text: &str) {
        let number = self.steps.fetch_add(1, Ordering::Relaxed) + 1;
        self.tell("");
        self.tell(&self.strong(&format!("{number}. {text}")));
    }

    pub fn text(&self, text: &str) {
        self.tell(&format!("{INDENT}{text}"));
    }

    /// A command, broken before its flags where it is long.
    pub fn command(&self, words: &[String]) {
        for (number, line) in broken_command(words).into_iter().enumerate() {
            let prompt = if number == 0 { "$ " } else { "    " };
            self.tell(&format!("{INDENT}{prompt}{}", self.strong(&line)));
        }
    }

    pub fn sql(&self, database: &str, statement: &str) {
        self.tell(&format!("{INDENT}{database}=# {}", self.strong(statement)));
    }

    /// The count that a statement answered with.
    pub fn rows(&self, rows: u64) {
        if rows > 0 {
            self.tell(&format!("{INDENT}{} rows", HumanCount(rows)));
        }
    }

    /// A line that a command printed; whether it was shown.
    pub fn line(&self, line: &str) -> bool {
        for part in broken(line, WIDTH - INDENT.len()) {
            self.tell(format!("{INDENT}{part}").trim_end());
        }
        self.tells
    }

    /// How it ended; shown with `--quiet` too.
    pub fn end(&self, report: &Report) {
        self.step("Judged by SQL: rows, and the beginning of the MD5 of all of them");
        if self.tells {
            for line in table(&report.tables) {
                self.text(&line);
            }
            self.tell("");
        }
        let say = |line: String| self.ui.say(line);
        if report.proven {
            say(self.strong(&format!(
                "Proven: all data is back, out of an encrypted backup of {}. It took {}.",
                HumanBytes(report.bytes),
                seconds(report.seconds)
            )));
        } else {
            say(self.strong("NOT proven: the data above is not what it was before."));
        }
        if let Some(folder) = &report.folder {
            say(format!("Kept: {} with key.txt, backstop.yml and backups/", folder.display()));
        } else if self.tells {
            self.tell("Nothing of it is left: the server and its folder are gone.");
        }
        if self.tells {
            self.tell("\nThe same for your own database:");
            if let Some(line) = search_path() {
                self.text(&line);
            }
            for line in YOURS.lines() {
                self.text(line);
            }
        }
    }

    fn tell(&self, line: &str) {
        if self.tells {
            self.ui.say(line);
        }
    }

    fn strong(&self, text: &str) -> String {
        if self.bold && !text.is_empty() { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn table(tables: &[Table]) -> Vec<String> {
    let row = |cells: [String; 4], end: &str| {
        let [name, rest @ ..] = cells;
        let rest = rest.map(|cell| format!("{cell:20}"));
        format!("{name:14}{}{end}", rest.concat()).trim_end().to_owned()
    };
    let mut lines = vec![row(["", "before", "damaged", "restored"].map(str::to_owned), "")];
    lines.extend(tables.iter().map(|table| {
        let cells = [&table.before, &table.damaged, &table.restored].map(|state| cell(state.as_ref()));
        let [before, damaged, restored] = cells;
        let end = if table.is_back() { "equal" } else { "DIFFERENT" };
        row([table.name.to_owned(), before, damaged, restored], end)
    }));
    lines
}

fn cell(state: Option<&State>) -> String {
    state.map_or_else(
        || "gone".to_owned(),
        |State { rows, md5 }| {
            format!("{:>7}  {}", HumanCount(*rows).to_string(), md5.get(..7).unwrap_or_default())
        },
    )
}

/// How a shell finds this program, where it does not do so already.
fn search_path() -> Option<String> {
    let this = std::env::current_exe().ok()?.canonicalize().ok()?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).find_map(|folder| folder.join("backstop").canonicalize().ok());
    (found.as_ref() != Some(&this)).then(|| {
        let folder = this.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
        format!("export PATH={}:\"$PATH\"", quoted(&folder))
    })
}

/// A word as a shell takes it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:=,@%+-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A flag stays with its value, and a shell takes the lines as one.
fn broken_command(words: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut units: Vec<String> = Vec::new();
    for word in words {
        match units.last_mut() {
            Some(unit) if !word.starts_with("--") => *unit += &format!(" {word}"),
            _ => units.push(word.clone()),
        }
    }
    for unit in units {
        match lines.last_mut() {
            Some(line) if line.chars().count() + unit.chars().count() < WIDTH - 10 => {
                *line += &format!(" {unit}");
            }
            Some(line) => {
                line.push_str(" \\");
                lines.push(unit);
            }
            None => lines.push(unit),
        }
    }
    lines
}

/// Break a line between words; what follows stands below its second column
/// where it has one.
fn broken(line: &str, width: usize) -> Vec<String> {
    let lead = line.chars().take_while(|c| *c == ' ').count();
    let label = line.trim_start().split("  ").next().unwrap_or_default();
    let rest = line.trim_start().get(label.len()..).unwrap_or_default();
    let gap = rest.chars().take_while(|c| *c == ' ').count();
    let hang = if gap > 0 && lead > 0 { lead + label.chars().count() + gap } else { lead + 2 };

    let mut lines = Vec::new();
    let mut current = String::new();
    for word in line.split_inclusive(' ') {
        let length = current.chars().count() + word.trim_end().chars().count();
        if length > width && !current.trim().is_empty() {
            lines.push(std::mem::replace(&mut current, " ".repeat(hang)));
        }
        current += word;
    }
    lines.push(current);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_goes_on_below_its_second_column() {
        assert_eq!(
            broken("  stored     one two three four", 24),
            ["  stored     one two ", "             three four"]
        );
        assert_eq!(broken("one two three", 8), ["one two ", "  three"]);
        assert_eq!(broken("a_word_that_is_too_long", 8), ["a_word_that_is_too_long"]);
        assert_eq!(broken("", 8), [""]);
    }

    #[test]
    fn a_long_command_is_broken_before_a_flag() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let value = "v".repeat(60);
        assert_eq!(
            broken_command(&words(&format!("backstop init --one {value} --two {value} --three"))),
            [format!("backstop init --one {value} \\"), format!("--two {value} --three")]
        );
        assert_eq!(broken_command(&words("backstop list")), ["backstop list"]);
    }

    #[test]
    fn a_shell_reads_every_word_as_it_was() {
        for word in ["plain/word.txt", "two words", "it's", "", "a?b&c", "$HOME"] {
            let said = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {}", quoted(word))])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(said.stdout).unwrap(), word);
        }
    }

    #[test]
    fn the_table_says_what_is_not_back() {
        let state = |rows, md5: &str| Some(State { rows, md5: md5.repeat(32) });
        let tables = [
            Table {
                name: "users",
                before: state(10_000, "a"),
                damaged: state(10_000, "a"),
                restored: state(10_000, "a"),
            },
            Table { name: "orders", before: state(36_000, "b"), damaged: None, restored: state(36_000, "c") },
        ];
        let shown = table(&tables).join("\n");
        let [head, users, orders] = shown.lines().collect::<Vec<_>>()[..] else { panic!("{shown}") };
        assert!(head.contains("before") && head.contains("damaged") && head.contains("restored"), "{head}");
        assert!(users.starts_with("users") && users.ends_with("equal"), "{users}");
        assert!(orders.contains("gone") && orders.ends_with("DIFFERENT"), "{orders}");
    }
}
