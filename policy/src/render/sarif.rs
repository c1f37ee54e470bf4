//! SARIF 2.1.0 (OASIS), for code scanning. Rules that fired carry their
//! documentation, so that GitHub shows it beside each alert.

use serde_json::{Map, Value, json};

use super::{Listing, Shown};
use crate::finding::{Position, Severity};
use crate::rule::Rule;
use crate::rules;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

pub fn sarif(listing: &Listing, version: &str) -> Value {
    let fired = |rule: &&Rule| listing.findings.iter().any(|finding| finding.rule == rule.id);
    let used: Vec<&Rule> = rules::all().filter(fired).collect();
    let results: Vec<Value> = listing.findings.iter().map(|finding| result(finding, &used)).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "backstop",
                "semanticVersion": version,
                "informationUri": "https://github.com/backstop-db/backstop",
                "rules": used.iter().map(|rule| descriptor(rule)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn descriptor(rule: &Rule) -> Value {
    let docs = rule.docs();
    let mut properties = json!({ "tags": ["backup", rule.group.as_str()], "precision": "high" });
    if rule.group.as_str() == "secrets"
        && let Some(properties) = properties.as_object_mut()
    {
        // GitHub sorts alerts with a number among those on security.
        properties.insert("security-severity".to_owned(), json!("8.0"));
        properties.insert("tags".to_owned(), json!(["backup", "secrets", "security"]));
    }
    json!({
        "id": rule.id,
        "shortDescription": { "text": docs.summary },
        "fullDescription": { "text": docs.section("What").unwrap_or(&docs.summary) },
        "help": { "text": docs.markdown(), "markdown": docs.markdown() },
        "helpUri": rule.url(),
        "defaultConfiguration": { "level": level(rule.severity) },
        "properties": properties,
    })
}

fn result(finding: &Shown, used: &[&Rule]) -> Value {
    let mut result = Map::new();
    result.insert("ruleId".to_owned(), json!(finding.rule));
    if let Some(index) = used.iter().position(|rule| rule.id == finding.rule) {
        result.insert("ruleIndex".to_owned(), json!(index));
    }
    let help = finding.help.as_ref().map(|help| format!("\n{help}")).unwrap_or_default();
    result.insert("level".to_owned(), json!(level(finding.severity)));
    result.insert("message".to_owned(), json!({ "text": format!("{}{help}", finding.message) }));
    let region = json!({
        "startLine": finding.start.line,
        "startColumn": finding.start.column,
        "endLine": finding.end.line,
        "endColumn": finding.end.column,
    });
    result.insert("locations".to_owned(), json!([location(&finding.path, &region)]));
    if !finding.related.is_empty() {
        let related = finding.related.iter().map(|label| {
            let mut place = location(&label.path, &at(label.at));
            if let Some(place) = place.as_object_mut() {
                place.insert("message".to_owned(), json!({ "text": label.message }));
            }
            place
        });
        result.insert("relatedLocations".to_owned(), related.collect());
    }
    result.insert("partialFingerprints".to_owned(), json!({ "backstop/v1": finding.fingerprint }));
    if let Some(commit) = &finding.commit {
        result.insert("properties".to_owned(), json!({ "commit": commit }));
    }
    Value::Object(result)
}

fn at(position: Position) -> Value {
    json!({ "startLine": position.line, "startColumn": position.column })
}

fn location(path: &str, region: &Value) -> Value {
    json!({ "physicalLocation": { "artifactLocation": { "uri": uri(path) }, "region": region } })
}

/// A path as a relative reference (RFC 3986): bytes that it may not hold are encoded.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=@".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

fn level(severity: Severity) -> &'static str {
    severity.as_str()
}
