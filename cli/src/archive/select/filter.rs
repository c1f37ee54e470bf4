//! What a target cannot take, by an explicit list: each rule names the reason,
//! and what depends on the object goes with it where it cannot do without.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{Choice, Graph, Halves, LeftOut, Plan, Selection, TargetFacts, is_remark, title};
use crate::archive::toc::{Entry, Toc};

/// A provider that keeps the superuser, and roles and schemas of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Managed {
    Supabase,
    Neon,
    Rds,
    CloudSql,
    Azure,
}

impl Managed {
    fn name(self) -> &'static str {
        match self {
            Self::Supabase => "Supabase",
            Self::Neon => "Neon",
            Self::Rds => "Amazon RDS",
            Self::CloudSql => "Cloud SQL",
            Self::Azure => "Azure",
        }
    }

    /// Roles that no customer may act for.
    fn roles(self) -> &'static [&'static str] {
        match self {
            Self::Supabase => &[
                "supabase_admin",
                "supabase_auth_admin",
                "supabase_etl_admin",
                "supabase_functions_admin",
                "supabase_read_only_user",
                "supabase_realtime_admin",
                "supabase_replication_admin",
                "supabase_storage_admin",
                "dashboard_user",
                "pgbouncer",
            ],
            Self::Neon => &["cloud_admin", "neon_superuser", "neon_service"],
            Self::Rds => &["rdsadmin", "rds_superuser", "rds_replication", "rdsrepladmin"],
            Self::CloudSql => &["cloudsqladmin", "cloudsqlagent", "cloudsqlsuperuser", "cloudsqlreplica"],
            Self::Azure => &["azuresu", "azure_superuser", "azure_pg_admin"],
        }
    }

    /// Schemas whose objects it makes and changes itself.
    fn schemas(self) -> &'static [&'static str] {
        match self {
            Self::Supabase => &[
                "auth",
                "extensions",
                "graphql",
                "graphql_public",
                "net",
                "pgbouncer",
                "pgsodium",
                "pgsodium_masks",
                "realtime",
                "_realtime",
                "storage",
                "supabase_functions",
                "supabase_migrations",
                "vault",
            ],
            Self::Neon => &["neon", "neon_auth"],
            Self::Rds | Self::CloudSql | Self::Azure => &[],
        }
    }
}

/// Kinds that are of the whole database or cluster, and take a privilege that an
/// ordinary role seldom has.
const PRIVILEGED: &[&str] = &["PUBLICATION", "SUBSCRIPTION"];
/// Kinds that only a superuser may make.
const SUPERUSER_ONLY: &[&str] = &[
    "EVENT TRIGGER",
    "FOREIGN DATA WRAPPER",
    "ACCESS METHOD",
    "OPERATOR CLASS",
    "OPERATOR FAMILY",
    "TEXT SEARCH PARSER",
    "TEXT SEARCH TEMPLATE",
];

struct Reason {
    why: String,
    /// Whether what depends on it must go too; not where the target has it.
    missing: bool,
}

impl Reason {
    fn missing(why: impl Into<String>) -> Self {
        Self { why: why.into(), missing: true }
    }

    fn there(why: impl Into<String>) -> Self {
        Self { why: why.into(), missing: false }
    }
}

/// Take out of `inside` what the target cannot take.
pub(super) fn apply(
    graph: &Graph,
    inside: &mut HashSet<i32>,
    selection: &Selection,
    target: &TargetFacts,
    plan: &mut Plan,
) {
    let mut gone: Vec<(i32, String)> = Vec::new();
    for entry in &graph.toc.entries {
        if !inside.contains(&entry.dump_id) {
            continue;
        }
        if let Some(Reason { why, missing }) = refuse(entry, selection, target) {
            inside.remove(&entry.dump_id);
            if missing {
                gone.push((entry.dump_id, title(entry)));
            }
            plan.left_out.push(LeftOut { dump_id: entry.dump_id, what: title(entry), why });
        }
    }
    for (entry, extension) in of_extensions(graph, &gone) {
        if inside.remove(&entry.dump_id) {
            let why = format!("it belongs to {extension}, which is left out");
            plan.left_out.push(LeftOut { dump_id: entry.dump_id, what: title(entry), why });
        }
    }
    while let Some((id, name)) = gone.pop() {
        for other in graph.dependents(id) {
            if inside.remove(&other.dump_id) {
                plan.left_out.push(LeftOut {
                    dump_id: other.dump_id,
                    what: title(other),
                    why: format!("it needs {name}, which is left out"),
                });
                gone.push((other.dump_id, title(other)));
            }
        }
    }
    let order: HashMap<i32, usize> =
        graph.toc.entries.iter().enumerate().map(|(at, entry)| (entry.dump_id, at)).collect();
    plan.left_out.sort_by_key(|left_out| order.get(&left_out.dump_id).copied());
}

/// What hangs on members of the extensions that are gone. The members have no entries;
/// rows of a configuration table, grants and policies do, and depend on what is in
/// no archive. Whose rows they are shows in the OIDs: an extension's script makes
/// its tables right after the extension. Of the others nothing shows it, and where
/// every extension is there nothing is taken out.
fn of_extensions<'a>(graph: &Graph<'a>, gone: &[(i32, String)]) -> Vec<(&'a Entry, String)> {
    let extensions: BTreeMap<u32, &Entry> = graph
        .toc
        .entries
        .iter()
        .filter(|entry| entry.desc == "EXTENSION")
        .map(|entry| (entry.oid, entry))
        .collect();
    let is_gone = |extension: &Entry| gone.iter().any(|(id, _)| *id == extension.dump_id);
    let Some(any) = extensions.values().find(|extension| is_gone(extension)) else { return Vec::new() };
    let dangling =
        |entry: &&Entry| !entry.dependencies.is_empty() && graph.dependencies(entry).next().is_none();
    let whose = |entry: &'a Entry| {
        let extension = match entry.desc.as_str() {
            "TABLE DATA" | "SEQUENCE SET" => *extensions.range(..entry.oid).next_back()?.1,
            "POLICY" | "ROW SECURITY" => any,
            _ if is_remark(entry) && !entry.tag.starts_with("SCHEMA ") => any,
            _ => return None,
        };
        is_gone(extension).then(|| (entry, title(extension)))
    };
    graph.toc.entries.iter().filter(dangling).filter_map(whose).collect()
}

fn refuse(entry: &Entry, selection: &Selection, target: &TargetFacts) -> Option<Reason> {
    if selection.no_privileges && matches!(entry.desc.as_str(), "ACL" | "DEFAULT ACL") {
        return Some(Reason::missing("privileges were not asked for"));
    }
    managed(entry, selection, target)
        .or_else(|| already_there(entry, target))
        .or_else(|| not_available(entry, target))
        .or_else(|| not_allowed(entry, target))
        .or_else(|| roles_missing(entry, target))
}

/// The provider's own schemas and roles.
fn managed(entry: &Entry, selection: &Selection, target: &TargetFacts) -> Option<Reason> {
    let provider = target.provider?;
    let schema = if entry.desc == "SCHEMA" { &entry.tag } else { &entry.namespace };
    // Their rows can be had where they are asked for by name.
    let asked = selection.halves == Halves::DataOnly && matches!(selection.choice, Choice::Some { .. });
    if provider.schemas().contains(&schema.as_str()) && target.schemas.contains(schema) && !asked {
        let name = provider.name();
        return Some(Reason::there(format!(
            "{name} keeps schema '{schema}' itself (its rows: --data-only with --table)"
        )));
    }
    let is_grant = matches!(entry.desc.as_str(), "ACL" | "DEFAULT ACL");
    if is_grant && provider.roles().contains(&entry.owner.as_str()) {
        return Some(Reason::missing(format!("role '{}' belongs to {}", entry.owner, provider.name())));
    }
    let grantee = named_roles(entry).into_iter().find(|role| provider.roles().contains(&role.as_str()));
    match grantee {
        Some(role) if is_grant => {
            Some(Reason::missing(format!("role '{role}' belongs to {}", provider.name())))
        }
        _ => None,
    }
}

fn already_there(entry: &Entry, target: &TargetFacts) -> Option<Reason> {
    (entry.desc == "SCHEMA" && target.schemas.contains(&entry.tag))
        .then(|| Reason { why: "it is already there".to_owned(), missing: false })
}

fn not_available(entry: &Entry, target: &TargetFacts) -> Option<Reason> {
    if entry.desc == "EXTENSION" && target.extensions.as_ref().is_some_and(|all| !all.contains(&entry.tag)) {
        return Some(Reason::missing("the target does not have this extension"));
    }
    if entry.desc == "STATISTICS DATA" && target.server_major < 18 {
        return Some(Reason::missing("servers before 18 cannot load statistics"));
    }
    None
}

/// What takes a superuser, or the object's owner, where we are neither.
fn not_allowed(entry: &Entry, target: &TargetFacts) -> Option<Reason> {
    if target.superuser {
        return None;
    }
    if SUPERUSER_ONLY.contains(&entry.desc.as_str()) {
        return Some(Reason::missing("only a superuser may make it"));
    }
    if PRIVILEGED.contains(&entry.desc.as_str()) {
        return Some(Reason::missing("making it can take a superuser"));
    }
    if is_remark(entry) && entry.desc != "ACL" {
        if entry.tag.starts_with("EXTENSION ") {
            return Some(Reason::missing("only the extension's owner may comment on it"));
        }
        if let Some(schema) = entry.tag.strip_prefix("SCHEMA ")
            && target.schemas.contains(schema)
        {
            return Some(Reason::missing("only the schema's owner may comment on it"));
        }
    }
    if entry.desc == "DEFAULT ACL" && entry.owner != target.user {
        return Some(Reason::missing(format!(
            "only role '{}' may change its default privileges",
            entry.owner
        )));
    }
    None
}

/// Grants and policies for roles that are not there.
fn roles_missing(entry: &Entry, target: &TargetFacts) -> Option<Reason> {
    let known = target.roles.as_ref()?;
    let role = named_roles(entry).into_iter().find(|role| !known.contains(role))?;
    Some(Reason::missing(format!("there is no role '{role}'")))
}

/// Every role that the archive names: owners, and who grants and policies are for.
/// A trial server without them needs stand-ins. Names that begin with `pg_` are the
/// server's own and cannot be made.
pub fn roles(toc: &Toc) -> BTreeSet<String> {
    let owners = toc.entries.iter().map(|entry| entry.owner.clone()).filter(|owner| !owner.is_empty());
    owners.chain(toc.entries.iter().flat_map(named_roles)).filter(|role| can_be_made(role)).collect()
}

/// PostgreSQL keeps these names for itself, in either case of letters: no role
/// can have them.
fn can_be_made(role: &str) -> bool {
    !role.starts_with("pg_") && !["public", "none"].contains(&role.to_ascii_lowercase().as_str())
}

/// Roles that an entry's SQL grants to, revokes from, or lets in; none of other kinds.
fn named_roles(entry: &Entry) -> BTreeSet<String> {
    let words: &[&str] = match entry.desc.as_str() {
        "ACL" => &["TO", "FROM", "BY", "AUTHORIZATION"],
        "DEFAULT ACL" => &["TO", "FROM", "ROLE"],
        "POLICY" => &["TO"],
        "USER MAPPING" => &["FOR"],
        _ => return BTreeSet::new(),
    };
    let mut roles = BTreeSet::new();
    let mut tokens = tokens(&entry.definition).into_iter().peekable();
    while let Some(token) = tokens.next() {
        // A policy's expressions may hold anything.
        if entry.desc == "POLICY" && matches!(token.as_str(), "USING" | "WITH") {
            break;
        }
        if !words.contains(&token.as_str()) {
            continue;
        }
        while let Some(role) = tokens.next() {
            // `RESET SESSION AUTHORIZATION;`, after a grant by somebody else.
            if role == ";" {
                break;
            }
            let role = role.strip_prefix('"').map_or(role.clone(), str::to_owned);
            // A user mapping says `public`.
            let special = role.eq_ignore_ascii_case("public")
                || matches!(role.as_str(), "CURRENT_USER" | "SESSION_USER" | "CURRENT_ROLE" | "DEFAULT");
            if !special && role != "GROUP" {
                roles.insert(role.clone());
            }
            if role != "GROUP" && tokens.next_if(|token| token == ",").is_none() {
                break;
            }
        }
    }
    roles
}

/// Words, quoted names (marked by a leading quote), and single signs.
fn tokens(sql: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut chars = sql.chars().peekable();
    while let Some(char) = chars.next() {
        if char == '"' || char == '\'' {
            let mut name = String::from('"');
            while let Some(inner) = chars.next() {
                if inner == char && chars.next_if_eq(&char).is_none() {
                    break;
                }
                name.push(inner);
            }
            tokens.push(name);
        } else if char.is_alphanumeric() || char == '_' {
            let mut word = String::from(char);
            while let Some(next) = chars.next_if(|c| c.is_alphanumeric() || matches!(c, '_' | '$')) {
                word.push(next);
            }
            tokens.push(word);
        } else if !char.is_whitespace() {
            tokens.push(char.to_string());
        }
    }
    tokens
}
