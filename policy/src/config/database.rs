//! What is backed up: one entry of the `databases` section.

use serde_json::{Map, Value as Json, json};

use crate::parse::yaml::{self, Kind, Node};
use crate::provider;

use super::collection::Named;
use super::template::{Secret, Template};
use super::tier::Tier;
use super::value::{Reader, Reference, Section, Spanned, Target, Value, choices, section};

section! {
    /// A database and how to reach it: by `url`, by parts, or as a Supabase
    /// project. Without any of these, by the environment (DATABASE_URL, or
    /// PGHOST and the other variables of libpq).
    pub struct Database(check) {
        /// Connection URL, as a rule `${DATABASE_URL}`.
        pub url: Option<DatabaseUrl>,
        /// Host name, address, or folder of a Unix socket.
        pub host: Option<Template>,
        /// TCP port.
        pub port: Option<Port>,
        /// Role to connect as.
        pub user: Option<Template>,
        /// Its password, as `${VARIABLE}`.
        pub password: Option<Secret>,
        /// Name of the database on the server.
        pub dbname: Option<Template>,
        /// How TLS is used, in libpq's words.
        pub sslmode: Option<SslMode>,
        /// File with the certificates that the server's must descend from.
        pub sslrootcert: Option<Template>,
        /// A Supabase project.
        pub supabase: Option<Supabase>,
        /// Tables that must be there and not empty for a backup to be good.
        pub critical_tables: Vec<Spanned<Text>>,
        /// SQL file with assertions that run after a trial restore.
        pub checks: Option<Template>,
        /// Only these schemas, as patterns of `pg_dump`.
        pub schemas: Vec<Spanned<Text>>,
        /// Only these tables, as patterns of `pg_dump`.
        pub tables: Vec<Spanned<Text>>,
        /// Not these tables, as patterns of `pg_dump`.
        pub exclude_tables: Vec<Spanned<Text>>,
        /// Not the rows of these tables, as patterns of `pg_dump`.
        pub exclude_table_data: Vec<Spanned<Text>>,
        /// What differs from the tiers of the same name, key by key.
        pub tiers: TierOverrides,
    }
}

section! {
    /// A Supabase project, reached by its direct connection.
    pub struct Supabase {
        /// The 20 letters in the project's address.
        pub project_ref: ProjectRef,
        /// The database's password, as `${VARIABLE}`.
        pub password: Secret,
        /// Host of the session pooler, for machines without IPv6; the dashboard
        /// shows it under Connect: `aws-0-eu-west-1.pooler.supabase.com`.
        pub pooler: Option<Template>,
    }
}

/// libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl SslMode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

choices!(SslMode:
    "disable" => SslMode::Disable,
    "allow" => SslMode::Allow,
    "prefer" => SslMode::Prefer,
    "require" => SslMode::Require,
    "verify-ca" => SslMode::VerifyCa,
    "verify-full" => SslMode::VerifyFull,
);

/// Text without variables that is not empty.
pub type Text = String;

impl Value for Text {
    fn schema(_: &mut Map<String, Json>) -> Json {
        json!({ "type": "string", "minLength": 1 })
    }
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text_of(node, "text")?;
        if text.trim().is_empty() {
            reader.error("missing-value", node.span, format!("'{}' holds empty text", reader.key));
            return None;
        }
        Some(text.to_owned())
    }
}

/// A connection URL. That no password is in it is seen to for the whole file.
#[derive(Debug, Clone, PartialEq)]
pub struct DatabaseUrl(pub Template);

impl Value for DatabaseUrl {
    fn schema(_: &mut Map<String, Json>) -> Json {
        json!({ "type": "string", "pattern": "^(postgres(ql)?://|\\$\\{)", "examples": ["${DATABASE_URL}"] })
    }
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let template = Template::read(node, reader)?;
        let head = template.head();
        let ours = ["postgres://", "postgresql://"].iter().any(|scheme| head.starts_with(scheme));
        // Its text is not shown: what is no URL may well be a password.
        if template.literal().map_or(!head.is_empty(), |_| true) && !ours {
            reader.error_help(
                "invalid-value",
                node.span,
                "the database's URL does not begin with `postgres://` or `postgresql://`",
                "use `url: ${DATABASE_URL}`, or the keys host, port, user, password and dbname",
            );
            return None;
        }
        Some(Self(template))
    }
}

/// A TCP port, as a number or as a variable.
#[derive(Debug, Clone, PartialEq)]
pub struct Port(pub Template);

impl Value for Port {
    fn schema(_: &mut Map<String, Json>) -> Json {
        json!({ "oneOf": [
            { "type": "integer", "minimum": 1, "maximum": 65535 },
            { "type": "string", "pattern": "\\$\\{" },
        ] })
    }
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let kinds = [Kind::Integer, Kind::Text];
        let Some(scalar) = node.as_scalar().filter(|scalar| kinds.contains(&scalar.kind())) else {
            reader.wrong_type(node, "a number");
            return None;
        };
        let template = Template::of(node, &scalar.text, reader)?;
        if template.literal().is_some() && !scalar.text.parse().is_ok_and(|port: u16| port > 0) {
            reader.invalid(node, &scalar.text, "a port is a number from 1 to 65535");
            return None;
        }
        Some(Self(template))
    }
}

/// The reference of a Supabase project.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectRef(pub Template);

impl Value for ProjectRef {
    fn schema(_: &mut Map<String, Json>) -> Json {
        json!({ "type": "string", "pattern": "^([a-z0-9]{20}|.*\\$\\{.*)$" })
    }
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let template = Template::read(node, reader)?;
        match template.literal() {
            Some(text) if !provider::is_project_ref(text) => {
                reader.invalid(
                    node,
                    text,
                    "it is the 20 letters before `.supabase.co` in the project's address",
                );
                None
            }
            _ => Some(Self(template)),
        }
    }
}

/// Tiers of one database. Each must be one of the file's tiers, so that a
/// mistyped name does not quietly become a tier of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct TierOverrides(pub Named<Tier>);

impl Value for TierOverrides {
    fn schema(definitions: &mut Map<String, Json>) -> Json {
        Named::<Tier>::schema(definitions)
    }
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if let yaml::Value::Mapping(entries) = &node.value {
            for entry in entries {
                if let Some(scalar) = entry.key.as_scalar() {
                    let name = Spanned { value: scalar.text.clone(), span: entry.key.span };
                    reader.references.push(Reference { target: Target::Tier, name });
                }
            }
        }
        Named::read(node, reader).map(Self)
    }
    fn absent() -> Option<Self> {
        Some(Self(Named::default()))
    }
}

/// The keys that say how a database is reached, one group an alternative.
pub(super) const SOURCES: [&[&str]; 3] =
    [&["url"], &["host", "port", "user", "password", "dbname", "sslmode", "sslrootcert"], &["supabase"]];

impl Database {
    /// Whether the file says nothing of how to reach it.
    pub fn is_from_environment(&self) -> bool {
        self.url.is_none() && self.supabase.is_none() && !self.has_parts()
    }

    pub fn has_parts(&self) -> bool {
        self.host.is_some()
            || self.port.is_some()
            || self.user.is_some()
            || self.password.is_some()
            || self.dbname.is_some()
            || self.sslmode.is_some()
            || self.sslrootcert.is_some()
    }
}

fn check(_: &Database, section: &Section<'_>, reader: &mut Reader<'_>) {
    let mut used = SOURCES.iter().filter_map(|keys| keys.iter().find(|key| section.span_of(key).is_some()));
    let Some(first) = used.next() else { return };
    for other in used {
        let (Some(a), Some(b)) = (section.span_of(first), section.span_of(other)) else { continue };
        let (kept, span, extra) = if a < b { (first, b, other) } else { (other, a, first) };
        reader.error_help(
            "conflicting-keys",
            span,
            format!("'{extra}' cannot stand beside '{kept}'"),
            "a database is reached by 'url', by its parts, or as 'supabase': keep one",
        );
    }
}
