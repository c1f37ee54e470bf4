//! What a job on GitHub sees beside the log: outputs, the whole result as a
//! file, annotations and the job summary. Outside a job nothing is written.
//!
//! In the action, secrets are masked before anything else is printed, and then
//! the runner takes nothing that we print for a command, whatever the name of a
//! table or the message of a server looks like.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use backstop_policy::secrets;
use percent_encoding::percent_decode_str;
use rand::Rng;
use serde::Serialize;

use crate::error::Advise;

/// The process id that `scripts/action/run` hands over by `exec`. Another
/// process, such as a hook that calls us, finds that it is not meant.
const ACTION: &str = "BACKSTOP_ACTION";
const SECRETS: [&str; 5] = [
    "PGPASSWORD",
    "SUPABASE_DB_PASSWORD",
    "BACKSTOP_IDENTITY",
    "BACKSTOP_PASSPHRASE",
    "AWS_SECRET_ACCESS_KEY",
];
/// The runner refuses a summary above 1 MiB.
const SUMMARY_LIMIT: usize = 900 * 1024;
/// Nobody reads more beside a line of a file, and the runner cuts it anyway.
const ANNOTATION_LIMIT: usize = 4000;

/// Ends the time in which the runner listens to no commands. Set in the action.
static RESUME: OnceLock<String> = OnceLock::new();

/// Whether this runs as a step of a job.
pub fn is_job() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// The first thing that the program does.
pub fn begin() {
    let ours = std::env::var(ACTION).is_ok_and(|pid| pid == std::process::id().to_string());
    if !is_job() || !ours {
        return;
    }
    let set = |name: &str| std::env::var(name).unwrap_or_default();
    let mut text: String = unmasked(&parts_of_url(&set("DATABASE_URL")));
    text.extend(SECRETS.iter().map(|name| unmasked(&lines_of(&set(name)))));
    let token = RESUME.get_or_init(random_name);
    print(&format!("{text}::stop-commands::{token}\n"));
}

/// The last thing that the program does.
pub fn end() {
    if let Some(token) = RESUME.get() {
        print(&format!("::{token}::\n"));
    }
}

/// Have the runner hide a secret. The command holds it, so without the runner
/// at the other end nothing is printed.
pub fn mask(secret: &str) {
    hide(&lines_of(secret));
}

/// The same for a URL or connection string, its password included.
pub fn mask_url(url: &str) {
    hide(&parts_of_url(url));
}

/// An error beside the job's log, and in its summary.
pub fn failed(message: &str) -> Result<(), Error> {
    annotate("error", message);
    // A fence that the text cannot close.
    let longest = message.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    add_summary(&format!("### backstop failed\n\n{fence}text\n{message}\n{fence}"))
}

/// An annotation, on standard error: results stay alone on standard out.
pub fn annotate(level: &str, message: &str) {
    if is_job() {
        command(&annotation(level, message));
    }
}

/// Annotations that were made elsewhere, one workflow command a line.
pub fn annotations(commands: &str) {
    if is_job() && !commands.is_empty() {
        command(commands);
    }
}

/// A file for later steps, until the job ends.
pub fn file(suffix: &str, text: &str) -> Result<Option<PathBuf>, Error> {
    let folder = std::env::var_os("RUNNER_TEMP").filter(|folder| is_job() && !folder.is_empty());
    let Some(folder) = folder.map(PathBuf::from) else { return Ok(None) };
    write_file(&folder, suffix, text.as_bytes())
        .map(Some)
        .map_err(|source| Error::Write { path: folder, source })
}

/// What came of a command: outputs of the step, the whole result as a file that
/// one of them names, and Markdown for the job's summary.
pub fn publish(outputs: &[(&str, String)], result: &impl Serialize, summary: &str) -> Result<(), Error> {
    if !is_job() {
        return Ok(());
    }
    let mut text: String = outputs.iter().map(|(name, value)| output(name, value)).collect();
    if let Some(folder) = std::env::var_os("RUNNER_TEMP").filter(|folder| !folder.is_empty()) {
        let report = write_report(Path::new(&folder), result)
            .map_err(|source| Error::Write { path: PathBuf::from(folder), source })?;
        text += &output("report-file", &report.to_string_lossy());
    }
    append("GITHUB_OUTPUT", &text)?;
    add_summary(summary)
}

/// Any text as it is, in a table cell of the summary.
pub fn cell(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '&' | '~' | '!' | '$' | '#' | '@' => {
                safe.extend(['\\', c]);
            }
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

/// The same as code.
pub fn code(text: &str) -> String {
    format!("<code>{}</code>", cell(text))
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot write '{}' for the job's next steps", path.display())]
    Write { path: PathBuf, source: io::Error },
}

impl Advise for Error {
    fn hint(&self) -> Option<String> {
        Some("what was done stands: `backstop list` shows it".to_owned())
    }
}

fn add_summary(markdown: &str) -> Result<(), Error> {
    let mut markdown = format!("{markdown}\n");
    if markdown.len() > SUMMARY_LIMIT {
        let end = (0..SUMMARY_LIMIT).rev().find(|at| markdown.is_char_boundary(*at)).unwrap_or(0);
        markdown.truncate(markdown.get(..end).and_then(|text| text.rfind('\n')).map_or(end, |at| at + 1));
        markdown += "\nToo long for a summary: the rest is in the log.\n";
    }
    append("GITHUB_STEP_SUMMARY", &markdown)
}

fn write_report(folder: &Path, result: &impl Serialize) -> io::Result<PathBuf> {
    write_file(folder, ".json", &serde_json::to_vec_pretty(result)?)
}

fn write_file(folder: &Path, suffix: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    let mut file = tempfile::Builder::new().prefix("backstop-").suffix(suffix).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.write_all(b"\n")?;
    let (_, path) = file.keep()?;
    Ok(path)
}

fn append(variable: &str, text: &str) -> Result<(), Error> {
    let Some(path) = std::env::var_os(variable).filter(|path| is_job() && !path.is_empty()) else {
        return Ok(());
    };
    let path = PathBuf::from(path);
    let written = OpenOptions::new().append(true).create(true).open(&path);
    written
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| Error::Write { path, source })
}

/// One assignment, between delimiters that its value cannot hold.
fn output(name: &str, value: &str) -> String {
    let delimiter = random_name();
    format!("{name}<<{delimiter}\n{value}\n{delimiter}\n")
}

fn annotation(level: &str, message: &str) -> String {
    let end = message.char_indices().nth(ANNOTATION_LIMIT).map_or(message.len(), |(at, _)| at);
    let more = if end < message.len() { " ..." } else { "" };
    format!("::{level} title=backstop::{}{more}\n", escape(message.get(..end).unwrap_or_default()))
}

fn hide(secrets: &[String]) {
    if RESUME.get().is_some() {
        let text = unmasked(secrets);
        if !text.is_empty() {
            command(&text);
        }
    }
}

/// Masks for what has none yet.
fn unmasked(secrets: &[String]) -> String {
    static MASKED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut masked = MASKED.lock().unwrap_or_else(PoisonError::into_inner);
    secrets.iter().filter(|secret| masked.insert((*secret).clone())).map(|secret| add_mask(secret)).collect()
}

fn add_mask(secret: &str) -> String {
    format!("::add-mask::{}\n", escape(secret))
}

fn escape(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// What of a secret could be seen in a line of the log. A key's comments are no
/// secret, and to hide a word of two letters would spoil the log.
fn lines_of(secret: &str) -> Vec<String> {
    let lines = secret.lines().map(str::trim).filter(|line| line.len() > 2 && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// The URL itself, and its password as it is written and as it is meant.
fn parts_of_url(url: &str) -> Vec<String> {
    let mut parts = lines_of(url);
    let password = secrets::password_in_url(url).or_else(|| secrets::password_in_conninfo(url));
    if let Some(password) = password.and_then(|range| url.get(range)) {
        let decoded = percent_decode_str(password).decode_utf8_lossy();
        let forms = [password, &decoded, password.trim_matches('\'')];
        parts.extend(forms.iter().flat_map(|form| lines_of(form)));
    }
    parts.sort_unstable();
    parts.dedup();
    parts
}

/// Commands for the runner, in one write so that no other line comes between.
fn command(lines: &str) {
    match RESUME.get() {
        Some(token) => print(&format!("::{token}::\n{lines}::stop-commands::{token}\n")),
        None => print(lines),
    }
}

fn print(text: &str) {
    // Standard error that is closed leaves nobody to tell.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

fn random_name() -> String {
    format!("backstop-{:032x}", rand::thread_rng().r#gen::<u128>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_ends_with_its_line() {
        assert_eq!(
            annotation("error", "50% of 'a\r\nb::c' is gone"),
            "::error title=backstop::50%25 of 'a%0D%0Ab::c' is gone\n"
        );
        let long = annotation("error", &"é".repeat(ANNOTATION_LIMIT + 1));
        assert!(long.ends_with("éé ...\n") && long.matches('é').count() == ANNOTATION_LIMIT);
        assert_eq!(add_mask("p%40s"), "::add-mask::p%2540s\n");
    }

    #[test]
    fn a_url_is_hidden_in_all_its_forms() {
        assert_eq!(
            parts_of_url("postgres://ada:p%40ss%2Fw@db.example/shop"),
            ["p%40ss%2Fw", "p@ss/w", "postgres://ada:p%40ss%2Fw@db.example/shop"]
        );
        assert_eq!(
            parts_of_url("host=db password='s3cret'"),
            ["'s3cret'", "host=db password='s3cret'", "s3cret"]
        );
        assert_eq!(parts_of_url("postgres://db/shop"), ["postgres://db/shop"]);
        assert!(parts_of_url("").is_empty());
    }

    #[test]
    fn a_key_is_hidden_line_by_line() {
        let key = "# created: today\n# public key: age1x\nAGE-SECRET-KEY-1ABC\r\n\n";
        assert_eq!(lines_of(key), ["AGE-SECRET-KEY-1ABC"]);
    }

    #[test]
    fn a_value_cannot_end_itself() {
        let text = output("level", "stored\nbackstop-0\nother<<x");
        let delimiter = text.strip_prefix("level<<").and_then(|rest| rest.split('\n').next()).unwrap();
        assert_eq!(text.lines().filter(|line| *line == delimiter).count(), 1);
        assert!(text.ends_with(&format!("\n{delimiter}\n")) && delimiter.len() > 32);
        assert_ne!(output("level", "x"), output("level", "x"));
    }

    #[test]
    fn a_cell_shows_what_it_is_given() {
        assert_eq!(cell("![x](http://e) `t|able`\n<b> a_b"), r"\!\[x\](http://e) \`t\|able\` \<b\> a\_b");
    }
}
