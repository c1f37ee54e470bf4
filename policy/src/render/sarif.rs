//! SARIF 2.1.0 (OASIS), for code scanning. Rules that fired carry their
//! documentation, so that GitHub shows it beside each alert.

use serde::Serialize;

use super::{Commit, Label, Listing, Shown};
use crate::finding::{Position, Severity};
use crate::rule::{Documentation, Group, Rule};
use crate::rules;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Log<'l> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'l>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'l> {
    tool: Tool<'l>,
    column_kind: &'static str,
    results: Vec<Outcome<'l>>,
}

#[derive(Serialize)]
struct Tool<'l> {
    driver: Driver<'l>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver<'l> {
    name: &'static str,
    semantic_version: &'l str,
    information_uri: &'static str,
    rules: Vec<Descriptor>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    id: &'static str,
    short_description: Message,
    full_description: Message,
    help: Help,
    help_uri: String,
    default_configuration: Configuration,
    properties: Properties,
}

#[derive(Serialize)]
struct Message {
    text: String,
}

#[derive(Serialize)]
struct Help {
    text: String,
    markdown: String,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct Properties {
    tags: Vec<&'static str>,
    precision: &'static str,
    /// GitHub sorts alerts with a number among those on security.
    #[serde(rename = "security-severity", skip_serializing_if = "Option::is_none")]
    security_severity: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'l> {
    rule_id: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_index: Option<usize>,
    level: &'static str,
    message: Message,
    locations: [Location; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location>,
    partial_fingerprints: Fingerprints<'l>,
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<Origin<'l>>,
}

#[derive(Serialize)]
struct Fingerprints<'l> {
    #[serde(rename = "backstop/v1")]
    first: &'l str,
}

/// Where in a history it was found.
#[derive(Serialize)]
struct Origin<'l> {
    commit: &'l Commit,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: Physical,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    region: Region,
}

#[derive(Serialize)]
struct Artifact {
    uri: String,
}

/// Lines and columns count from one, columns in Unicode code points.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
    start_column: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_column: Option<usize>,
}

/// Indented.
pub fn sarif(listing: &Listing, version: &str, documentation: &Documentation) -> String {
    let fired = |rule: &&Rule| listing.findings.iter().any(|finding| finding.rule == rule.id);
    let used: Vec<&Rule> = rules::all().filter(fired).collect();
    let log = Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "backstop",
                    semantic_version: version,
                    information_uri: "https://github.com/backstop-db/backstop",
                    rules: used.iter().map(|rule| descriptor(rule, documentation)).collect(),
                },
            },
            column_kind: "unicodeCodePoints",
            results: listing.findings.iter().map(|finding| outcome(finding, &used)).collect(),
        }],
    };
    // Numbers and texts under fixed keys: there is nothing in it that JSON has not.
    serde_json::to_string_pretty(&log).unwrap_or_default()
}

fn descriptor(rule: &Rule, documentation: &Documentation) -> Descriptor {
    let docs = documentation.of(rule);
    let is_secret = rule.group == Group::Secrets;
    let mut tags = vec!["backup", rule.group.as_str()];
    tags.extend(is_secret.then_some("security"));
    Descriptor {
        id: rule.id,
        full_description: Message { text: docs.section("What").unwrap_or(&docs.summary).to_owned() },
        help: Help { text: docs.markdown().to_owned(), markdown: docs.markdown().to_owned() },
        short_description: Message { text: docs.summary },
        help_uri: rule.url(),
        default_configuration: Configuration { level: level(rule.severity) },
        properties: Properties { tags, precision: "high", security_severity: is_secret.then_some("8.0") },
    }
}

fn outcome<'l>(finding: &'l Shown, used: &[&Rule]) -> Outcome<'l> {
    let help = finding.help.as_ref().map(|help| format!("\n{help}")).unwrap_or_default();
    Outcome {
        rule_id: finding.rule,
        rule_index: used.iter().position(|rule| rule.id == finding.rule),
        level: level(finding.severity),
        message: Message { text: format!("{}{help}", finding.message) },
        locations: [location(&finding.path, finding.start, Some(finding.end), None)],
        related_locations: finding.related.iter().map(related).collect(),
        partial_fingerprints: Fingerprints { first: &finding.fingerprint },
        properties: finding.commit.as_ref().map(|commit| Origin { commit }),
    }
}

fn related(label: &Label) -> Location {
    location(&label.path, label.at, None, Some(Message { text: label.message.clone() }))
}

fn location(path: &str, start: Position, end: Option<Position>, message: Option<Message>) -> Location {
    let region = Region {
        start_line: start.line,
        start_column: start.column,
        end_line: end.map(|end| end.line),
        end_column: end.map(|end| end.column),
    };
    Location {
        physical_location: Physical { artifact_location: Artifact { uri: uri(path) }, region },
        message,
    }
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
