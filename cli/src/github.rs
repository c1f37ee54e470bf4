//! What a job on GitHub sees beside the log: outputs, annotations and the job
//! summary. Outside a job nothing is written.

use std::fs::OpenOptions;
use std::io::{self, Write};

use rand::Rng;

/// Whether this runs as a step of a job.
pub fn is_job() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// Set outputs of the step.
pub fn set_outputs(outputs: &[(&str, String)]) -> io::Result<()> {
    // A delimiter that no value can hold, so that a value cannot end itself.
    let delimiter = format!("backstop-{:032x}", rand::thread_rng().r#gen::<u128>());
    let text: String =
        outputs.iter().map(|(name, value)| format!("{name}<<{delimiter}\n{value}\n{delimiter}\n")).collect();
    append("GITHUB_OUTPUT", &text)
}

/// Add Markdown to the job summary.
pub fn add_summary(markdown: &str) -> io::Result<()> {
    append("GITHUB_STEP_SUMMARY", &format!("{markdown}\n"))
}

/// Print an annotation; it goes to standard out, where the runner looks for it.
pub fn annotate(level: &str, title: &str, message: &str) {
    println!(
        "::{level} title={}::{}",
        escape(title).replace(':', "%3A").replace(',', "%2C"),
        escape(message)
    );
}

fn escape(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Make a text safe for a table cell of the summary.
pub fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\r', '\n'], " ").replace('<', "&lt;")
}

fn append(variable: &str, text: &str) -> io::Result<()> {
    let Some(path) = std::env::var_os(variable).filter(|_| is_job()) else { return Ok(()) };
    OpenOptions::new().append(true).create(true).open(path)?.write_all(text.as_bytes())
}
