//! The linter for JavaScript: texts in, texts out, all of them JSON or plain.
//!
//! Glue only: what a request is and what is found is `policy::editor`. An error is
//! thrown as a string; `wasm/pkg` makes an `Error` of it and has the types. What the
//! rules say of themselves is handed in, where it is needed.

use backstop_policy::document::KINDS;
use backstop_policy::editor::{self, Change, File, Review, Utf16};
use backstop_policy::rule::Documentation;
use serde::Serialize;
use wasm_bindgen::prelude::wasm_bindgen;

/// What is found in some files: a `Request` in, a `View` out.
#[wasm_bindgen]
pub fn lint(request: &str) -> Result<String, String> {
    json(&Review::of_json(request).map_err(text)?.view())
}

/// The same as `json`, `markdown`, `github` or `text`, as the command prints it.
#[wasm_bindgen]
pub fn render(request: &str, format: &str) -> Result<String, String> {
    Review::of_json(request).and_then(|review| review.render(format)).map_err(text)
}

/// The same as SARIF, with a `Documentation`.
#[wasm_bindgen]
pub fn sarif(request: &str, documentation: &str) -> Result<String, String> {
    let review = Review::of_json(request).map_err(text)?;
    Ok(review.sarif(VERSION, &read(documentation)?))
}

/// The edit that allows a finding by a comment, or `null` where no comment can.
#[wasm_bindgen]
pub fn allow(
    request: &str,
    document: usize,
    from: usize,
    rule: &str,
    reason: &str,
) -> Result<String, String> {
    let review = Review::of_json(request).map_err(text)?;
    let edit = review.allow(document, from, rule, reason).map_err(text)?;
    let table = Utf16::new(review.text(document));
    let change: Option<Change<'_>> = edit.as_ref().map(|edit| editor::change(edit, &table));
    json(&change)
}

/// The text of a `File` without its secrets, and how many lines held some.
#[wasm_bindgen]
pub fn mask(file: &str) -> Result<String, String> {
    #[derive(Serialize)]
    struct Masked {
        lines: usize,
        text: String,
    }
    let file: File = serde_json::from_str(file).map_err(text)?;
    let (text, lines) = editor::mask(file).map_err(self::text)?;
    json(&Masked { lines, text })
}

/// Every rule of a `Documentation`, for a list.
#[wasm_bindgen]
pub fn rules(documentation: &str) -> Result<String, String> {
    json(&editor::rules(&read(documentation)?))
}

/// One rule with all its documentation, or `null`.
#[wasm_bindgen]
pub fn explain(id: &str, documentation: &str) -> Result<String, String> {
    json(&editor::explain(id, &read(documentation)?))
}

/// The names of the kinds of document.
#[wasm_bindgen]
pub fn kinds() -> Result<String, String> {
    json(&KINDS.map(|(_, name)| name))
}

#[wasm_bindgen]
pub fn version() -> String {
    VERSION.to_owned()
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn read(documentation: &str) -> Result<Documentation, String> {
    serde_json::from_str(documentation).map_err(text)
}

fn json(value: &impl Serialize) -> Result<String, String> {
    serde_json::to_string(value).map_err(text)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn text(error: impl ToString) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = r#"{"files":[{"path":"b.sh","text":"pg_dump a | gzip > b\n"}]}"#;

    #[test]
    fn what_comes_out_is_json() {
        let view: serde_json::Value = serde_json::from_str(&lint(REQUEST).unwrap()).unwrap();
        let finding = &view["findings"][0];
        let edit = allow(REQUEST, 0, 0, finding["rule"].as_str().unwrap(), "why").unwrap();
        assert!(edit.contains("backstop: allow") && edit.contains("-- why"), "{edit}");
        assert!(render(REQUEST, "json").unwrap().contains("\"schema\": 1"));
        assert!(kinds().unwrap().contains("\"workflow\""));
        let masked = mask(r#"{"path":"a.sh","text":"ls\n"}"#).unwrap();
        assert_eq!(masked, r#"{"lines":0,"text":"ls\n"}"#);
        assert_eq!(version(), VERSION);
    }

    #[test]
    fn rules_say_of_themselves_what_is_handed_in() {
        let documentation = json(&Documentation::built_in()).unwrap();
        assert_eq!(explain("no-such-rule", &documentation).unwrap(), "null");
        assert!(explain("pipefail-missing", &documentation).unwrap().contains("\"heading\":\"Why\""));
        assert!(rules(&documentation).unwrap().contains("pipefail-missing"));
        assert!(sarif(REQUEST, &documentation).unwrap().contains("## Why"));
        assert!(rules("").unwrap_err().starts_with("EOF"));
    }

    #[test]
    fn an_error_is_one_line() {
        assert!(lint("{").unwrap_err().starts_with("the request cannot be read: "));
        assert_eq!(render(REQUEST, "xml").unwrap_err(), "no format is called 'xml'");
        assert!(allow(REQUEST, 0, 9, "pipefail-missing", "x").is_err());
    }
}
