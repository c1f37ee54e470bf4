//! The linter for JavaScript: texts in, texts out, all of them JSON or plain.
//!
//! Glue only: what a request is and what is found is `policy::editor`. An error is
//! thrown as a string; `wasm/pkg` makes an `Error` of it and has the types.

use backstop_policy::document::KINDS;
use backstop_policy::editor::{self, File, Review, Utf16};
use serde_json::json;
use wasm_bindgen::prelude::wasm_bindgen;

/// What is found in some files: a `Request` in, a `View` out.
#[wasm_bindgen]
pub fn lint(request: &str) -> Result<String, String> {
    let review = Review::of_json(request).map_err(text)?;
    serde_json::to_string(&review.view()).map_err(text)
}

/// The same as `json`, `sarif`, `markdown`, `github` or `text`, as the command prints it.
#[wasm_bindgen]
pub fn render(request: &str, format: &str) -> Result<String, String> {
    Review::of_json(request).and_then(|review| review.render(format, VERSION)).map_err(text)
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
    Ok(json!(edit.as_ref().map(|edit| editor::change(edit, &table))).to_string())
}

/// The text of a `File` without its secrets, and how many lines held some.
#[wasm_bindgen]
pub fn mask(file: &str) -> Result<String, String> {
    let file: File = serde_json::from_str(file).map_err(text)?;
    let (text, lines) = editor::mask(file).map_err(text)?;
    Ok(json!({ "text": text, "lines": lines }).to_string())
}

/// Every rule, for a list.
#[wasm_bindgen]
pub fn rules() -> String {
    json!(editor::rules()).to_string()
}

/// One rule with all its documentation, or `null`.
#[wasm_bindgen]
pub fn explain(id: &str) -> String {
    json!(editor::explain(id)).to_string()
}

/// The names of the kinds of document.
#[wasm_bindgen]
pub fn kinds() -> String {
    json!(KINDS.map(|(_, name)| name)).to_string()
}

#[wasm_bindgen]
pub fn version() -> String {
    VERSION.to_owned()
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

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
        assert_eq!(explain("no-such-rule"), "null");
        assert!(rules().contains("pipefail-missing") && kinds().contains("\"workflow\""));
        let masked = mask(r#"{"path":"a.sh","text":"ls\n"}"#).unwrap();
        assert_eq!(masked, r#"{"lines":0,"text":"ls\n"}"#);
        assert_eq!(version(), VERSION);
    }

    #[test]
    fn an_error_is_one_line() {
        assert!(lint("{").unwrap_err().starts_with("the request cannot be read: "));
        assert_eq!(render(REQUEST, "xml").unwrap_err(), "no format is called 'xml'");
        assert!(allow(REQUEST, 0, 9, "pipefail-missing", "x").is_err());
    }
}
