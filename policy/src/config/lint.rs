//! `lint:`, the settings of `backstop lint`. They are also read alone, so that a
//! file with other errors can be linted, and those errors be found.

use serde_json::{Map, Value as Json, json};

use crate::finding::{Finding, Severity};
use crate::lint::Options;
use crate::parse::yaml::{self, Node};
use crate::rules;

use super::value::{Reader, Section, Value, choices, quote, section};

section! {
    /// What `backstop lint` looks for.
    pub struct Lint {
        /// Rules or groups of rules, and no others.
        pub select: Vec<RuleName>,
        /// Rules or groups that are left out.
        pub ignore: Vec<RuleName>,
        /// Rules or groups that are left out below some paths. The keys are patterns
        /// as in a .gitignore, from this file's folder.
        pub per_path_ignores: PathIgnores,
        /// What is less severe is left out.
        pub min_severity: Option<Severity>,
    }
}

choices!(Severity:
    "error" => Severity::Error,
    "warning" => Severity::Warning,
    "note" => Severity::Note,
);

/// The id of a rule, or the name of a group of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleName(pub String);

impl Value for RuleName {
    fn schema(_: &mut Map<String, Json>) -> Json {
        json!({ "type": "string", "pattern": "^[a-z][a-z0-9-]*$" })
    }
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text_of(node, "the id of a rule or the name of a group")?;
        if !rules::is_name(text) {
            let message = format!("no rule and no group is called {}", quote(text));
            let help = rules::similar(text).map(|name| format!("did you mean `{name}`?"));
            reader
                .findings
                .push(Finding { help, ..Finding::error("unknown-rule", reader.path, node.span, message) });
            return None;
        }
        Some(Self(text.to_owned()))
    }
}

/// Patterns of paths, each with what is left out below it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PathIgnores(pub Vec<(String, Vec<RuleName>)>);

impl Value for PathIgnores {
    fn schema(definitions: &mut Map<String, Json>) -> Json {
        json!({ "type": "object", "additionalProperties": Vec::<RuleName>::schema(definitions) })
    }
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let section = Section::open(node, &[], reader)?;
        let each = |(pattern, _, node): &(&str, _, &Node)| {
            Some(((*pattern).to_owned(), Vec::<RuleName>::read(node, reader)?))
        };
        let read: Vec<Option<_>> = section.entries().iter().map(each).collect();
        read.into_iter().collect::<Option<_>>().map(Self)
    }
    fn absent() -> Option<Self> {
        Some(Self::default())
    }
}

impl Lint {
    pub fn options(&self) -> Options {
        let names = |list: &[RuleName]| list.iter().map(|name| name.0.clone()).collect();
        let ignores = self.per_path_ignores.0.iter();
        Options {
            select: names(&self.select),
            ignore: names(&self.ignore),
            per_path_ignores: ignores.map(|(pattern, list)| (pattern.clone(), names(list))).collect(),
            min_severity: self.min_severity,
            folder: String::new(),
        }
    }
}

/// What `lint:` says, whatever else is wrong with the file; or what is wrong with it.
pub fn lint_options(path: &str, text: &str) -> Result<Options, Vec<Finding>> {
    // A file that is no YAML says nothing here: to lint it says what is wrong.
    let documents = yaml::parse(text).unwrap_or_default();
    let Some(node) = documents.first().and_then(|root| root.get("lint")) else {
        return Ok(Options::default());
    };
    let mut reader = Reader::new(path, text);
    reader.key = "lint";
    match Lint::read(node, &mut reader) {
        Some(lint) if reader.findings.is_empty() => Ok(lint.options()),
        _ => Err(reader.findings),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::render;

    #[test]
    fn settings_are_read_from_a_file_that_is_wrong_elsewhere() {
        let text = "tires: {}\nlint:\n  select: [secrets]\n  ignore: [pipefail-missing]\n  per_path_ignores:\n    docs/**: [dump, credential-in-file]\n  min_severity: warning\n";
        let options = lint_options("backstop.yml", text).unwrap();
        assert_eq!(options.select, ["secrets"]);
        assert_eq!(options.ignore, ["pipefail-missing"]);
        assert_eq!(
            options.per_path_ignores,
            [("docs/**".to_owned(), vec!["dump".to_owned(), "credential-in-file".to_owned()])]
        );
        assert_eq!(options.min_severity, Some(Severity::Warning));
    }

    #[test]
    fn names_that_nothing_has_are_errors() {
        let text = "lint:\n  select: [secret]\n  ignores: [x]\n  min_severity: high\n";
        insta::assert_snapshot!(render(&lint_options("backstop.yml", text).unwrap_err(), text), @r"
        backstop.yml:3:3: error[unknown-key]: unknown key 'ignores'
        help: did you mean `ignore`?
        backstop.yml:2:12: error[unknown-rule]: no rule and no group is called 'secret'
        help: did you mean `secrets`?
        backstop.yml:4:17: error[invalid-value]: 'high' cannot be used for 'min_severity'
        help: one of: error, warning, note
        ");
    }
}
