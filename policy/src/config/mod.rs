//! `backstop.yml`: text in, a typed configuration with spans and every problem
//! of the file out, in one pass.
//!
//! Variables are kept as they are written (see [`template`]); what a value means
//! is for the room that uses it.

use serde_json::{Map, Value as Json, json};

use crate::finding::{Finding, Severity, Span};
use crate::manifest::Level;
use crate::parse::yaml::{self, Kind, Node};

use crate::units::{Percent, Period, Size};

mod checks;
mod collection;
mod database;
mod encryption;
mod lint;
mod store;
mod template;
mod tier;
mod value;

pub use collection::{Named, OneOrMany, clean_name, is_name};
pub use database::{Database, DatabaseUrl, Port, ProjectRef, SslMode, Supabase, TierOverrides};
pub use encryption::{Encryption, Method, Recipient, RecipientKind};
pub use lint::{Lint, PathIgnores, RuleName, lint_options};
pub use store::{Sse, StorageClass, Store, StoreUrl, UrlError, check_url};
pub use template::{Secret, Template, Variable};
pub use tier::{Archive, Keep, StoreName, Tier, TierName};
pub use value::Spanned;

use value::{Reader, Value, choices, section};

/// The names under which the file is looked for, in this order.
pub const FILE_NAMES: [&str; 3] = ["backstop.yml", "backstop.yaml", ".backstop.yml"];

section! {
    /// Configuration of backstop: what is backed up, where to, when, for how
    /// long, and how it is proved.
    pub struct Config {
        /// Version of this file's format.
        pub version: Version,
        /// What is backed up, by names of your choice.
        pub databases: Named<Database>,
        /// Where backups are kept, by names of your choice.
        pub stores: Named<Store>,
        /// Who can open a backup.
        pub encryption: Option<Spanned<Encryption>>,
        /// When backups are made and how long they stay, by names of your choice.
        pub tiers: Named<Tier>,
        /// What the backups are to achieve.
        pub objectives: Option<Objectives>,
        /// How far backups are checked.
        pub verify: Option<Verify>,
        /// Commands around a restore.
        pub hooks: Option<Hooks>,
        /// When someone is to be told.
        pub alerts: Option<Alerts>,
        /// What `backstop lint` looks for.
        pub lint: Option<Lint>,
    }
}

section! {
    /// What the backups are to achieve.
    pub struct Objectives {
        /// Recovery point objective: at most this much work may be lost.
        pub rpo: Option<Spanned<Period>>,
        /// Recovery time objective: a restore may take at most this long.
        pub rto: Option<Spanned<Period>>,
    }
}

section! {
    /// How far backups are checked.
    pub struct Verify {
        /// Level that every backup must reach right after it was made.
        pub after_backup: Option<Level>,
        /// The tier whose backups are restored into a throwaway cluster.
        pub trial_restore: Option<TierName>,
        /// Level from which a backup counts as one for the objectives.
        pub counts_as: Option<Level>,
    }
}

section! {
    /// Commands around a restore, run by the shell from this file's folder.
    pub struct Hooks {
        /// Stops what uses the database.
        pub before_restore: Option<Spanned<String>>,
        /// Starts it again.
        pub after_restore: Option<Spanned<String>>,
    }
}

section! {
    /// When someone is to be told, and where.
    pub struct Alerts {
        /// A backup whose size differs this much from the one before.
        pub size_change: Option<Percent>,
        /// A backup smaller than this.
        pub min_size: Option<Size>,
        /// A store that holds more than this.
        pub quota: Option<Size>,
        /// Whom to tell.
        pub notify: Vec<Channel>,
    }
}

/// Where alerts go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    Slack,
    Discord,
    Email,
    Webhook,
    GithubIssue,
}

choices!(Channel:
    "slack" => Channel::Slack,
    "discord" => Channel::Discord,
    "email" => Channel::Email,
    "webhook" => Channel::Webhook,
    "github-issue" => Channel::GithubIssue,
);

choices!(Level:
    "stored" => Level::Stored,
    "readable" => Level::Readable,
    "contents" => Level::Contents,
    "restored" => Level::Restored,
);

/// The format's version: 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version;

impl Value for Version {
    fn schema(_: &mut Map<String, Json>) -> Json {
        json!({ "const": 1 })
    }
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match node.as_scalar() {
            Some(scalar) if scalar.kind() == Kind::Integer && scalar.text == "1" => Some(Self),
            Some(scalar) if scalar.kind() == Kind::Integer => {
                let message = format!("version {} of the format is not known to this backstop", scalar.text);
                reader.error_help("invalid-value", node.span, message, "use `version: 1`");
                None
            }
            _ => {
                reader.wrong_type(node, "a number");
                None
            }
        }
    }
}

/// What a file says, and all that is wrong with it.
#[derive(Debug)]
pub struct Parsed {
    /// Only where no finding is an error.
    pub config: Option<Config>,
    /// By position.
    pub findings: Vec<Finding>,
    /// Every variable that the file refers to, by position.
    pub variables: Vec<Variable>,
    /// What was read, where it is YAML.
    pub root: Option<Node>,
}

/// Read a configuration; `path` is how messages call it.
pub fn parse(path: &str, text: &str) -> Parsed {
    let mut reader = Reader::new(path, text);
    let (config, root) = match yaml::parse(text) {
        Ok(documents) => (read(&documents, &mut reader), documents.into_iter().next()),
        Err(yaml::Error { span, message }) => {
            reader.error_help(
                "invalid-yaml",
                span,
                message,
                "look at the indentation, quotes and brackets before it",
            );
            (None, None)
        }
    };
    let Reader { mut findings, mut variables, .. } = reader;
    findings.sort_by_key(|finding| finding.span.start);
    // A tier and what an override makes of it can be wrong in the same way.
    findings.dedup();
    variables.sort_by_key(|variable| variable.span.start);
    let sound = findings.iter().all(|finding| finding.severity != Severity::Error);
    Parsed { config: config.filter(|_| sound), findings, variables, root }
}

fn read(documents: &[Node], reader: &mut Reader<'_>) -> Option<Config> {
    let [root, rest @ ..] = documents else {
        reader.error_help(
            "missing-key",
            Span::default(),
            "the file is empty",
            "write one with `backstop init`",
        );
        return None;
    };
    if let Some(second) = rest.first() {
        let message = "a second document: only the first would be read";
        reader.error_help("extra-document", second.span, message, "remove the line `---` before it");
    }
    checks::refuse_indirection(root, reader);
    checks::refuse_secrets(root, reader);
    reader.key = "backstop.yml";
    let config = Config::read(root, reader);
    checks::references(root, reader);
    checks::tier_names(root, reader);
    checks::environment(root, reader);
    if let Some(config) = &config {
        checks::overrides(config, reader);
        checks::alerts(config, root, reader);
    }
    config
}

/// One note for each variable that has no value in `env`.
pub fn unset_variables(path: &str, parsed: &Parsed, env: &dyn Fn(&str) -> Option<String>) -> Vec<Finding> {
    let unset = parsed.variables.iter().filter(|variable| {
        variable.default.is_none() && env(&variable.name).is_none_or(|value| value.is_empty())
    });
    unset.map(|variable| unset_variable(path, variable).severity(Severity::Note)).collect()
}

/// The error of a value that is needed and has a variable without a value.
pub fn unset_variable(path: &str, variable: &Variable) -> Finding {
    let name = &variable.name;
    Finding::error("unset-variable", path, variable.span, format!("variable '{name}' is not set, or empty"))
        .help(format!("set it in the environment of this command: `export {name}=…`"))
}

impl Default for Config {
    /// What holds where there is no file.
    fn default() -> Self {
        Self {
            version: Version,
            databases: Named::default(),
            stores: Named::default(),
            encryption: None,
            tiers: Named::default(),
            objectives: None,
            verify: None,
            hooks: None,
            alerts: None,
            lint: None,
        }
    }
}

impl Config {
    /// A tier as it holds for one database.
    pub fn tier(&self, database: &str, tier: &str) -> Option<Tier> {
        let base = &self.tiers.get(tier)?.value;
        let over = self.databases.get(database).and_then(|database| database.tiers.0.get(tier));
        Some(over.map_or_else(|| base.clone(), |over| base.overridden_by(over)))
    }
}

/// The JSON Schema of the file (draft 2020-12). It is made of the same lists of
/// keys as the parser, so it knows no key that the parser does not, and the
/// other way round.
pub fn schema() -> Json {
    let mut definitions = Map::new();
    let root = Config::schema(&mut definitions);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "backstop.yml",
        "$ref": root["$ref"],
        "$defs": definitions,
    })
}

#[cfg(test)]
mod tests;
