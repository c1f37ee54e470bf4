//! Which differences between a restored database and its snapshot are explained
//! by what the restore left out on purpose. A grant that is left out explains
//! the grants of its table, and nothing else of it.

use std::collections::BTreeSet;

use backstop_policy::identifier;
use backstop_policy::manifest::Difference;

use crate::archive::{Plan, Toc};

/// Entries that hold rows or a position, or make what does.
const RELATIONS: &[&str] = &[
    "TABLE",
    "TABLE DATA",
    "FOREIGN TABLE",
    "VIEW",
    "MATERIALIZED VIEW",
    "MATERIALIZED VIEW DATA",
    "SEQUENCE",
    "SEQUENCE SET",
];

/// Kinds of the fingerprint, and the kinds of entries that make them. What is
/// named by its table too has `table name` as its tag.
const KINDS: &[(&str, &[&str])] = &[
    ("constraint", &["CONSTRAINT", "FK CONSTRAINT", "CHECK CONSTRAINT", "DOMAIN"]),
    ("index", &["INDEX", "CONSTRAINT"]),
    ("policy", &["POLICY"]),
    ("trigger", &["TRIGGER"]),
    ("rule", &["RULE"]),
    ("function", &["FUNCTION", "PROCEDURE", "AGGREGATE"]),
    ("type", &["TYPE", "DOMAIN"]),
    ("statistics", &["STATISTICS"]),
    ("schema", &["SCHEMA"]),
    ("extension", &["EXTENSION"]),
    ("event_trigger", &["EVENT TRIGGER"]),
    ("publication", &["PUBLICATION", "PUBLICATION TABLE", "PUBLICATION TABLES IN SCHEMA"]),
    // The default of a column, or the value of a setting like row security.
    ("column", &["DEFAULT"]),
    ("table", &["ROW SECURITY"]),
    ("grant", &["ACL"]),
    ("default_privilege", &["DEFAULT ACL"]),
    ("foreign_server", &["SERVER"]),
    ("collation", &["COLLATION"]),
    ("text_search_configuration", &["TEXT SEARCH CONFIGURATION"]),
    ("text_search_dictionary", &["TEXT SEARCH DICTIONARY"]),
    ("inherits", &["TABLE ATTACH"]),
    ("populated", &["MATERIALIZED VIEW DATA"]),
];

pub struct LeftOut<'a> {
    /// Kind, schema and tag of each entry.
    entries: BTreeSet<(&'a str, &'a str, &'a str)>,
}

impl<'a> LeftOut<'a> {
    pub fn new(toc: &'a Toc, plan: &Plan) -> Self {
        let ids: BTreeSet<i32> = plan.left_out.iter().map(|entry| entry.dump_id).collect();
        let entries = toc.entries.iter().filter(|entry| ids.contains(&entry.dump_id));
        Self { entries: entries.map(|entry| (&*entry.desc, &*entry.namespace, &*entry.tag)).collect() }
    }

    /// Whether a table, view or sequence, or what is in it, was left out.
    pub fn relation(&self, schema: &str, name: &str) -> bool {
        RELATIONS.iter().any(|kind| self.entries.contains(&(*kind, schema, name)))
    }

    pub fn large_objects(&self) -> bool {
        self.entries.iter().any(|(kind, ..)| *kind == "BLOBS")
    }

    pub fn explains(&self, difference: &Difference) -> bool {
        let parts = identifier::split(&difference.object);
        let (schema, object) = match parts.as_slice() {
            [name] => ("", vec![name.as_str()]),
            [schema, rest @ ..] => (schema.as_str(), rest.iter().map(String::as_str).collect()),
            [] => return false,
        };
        if object.first().is_some_and(|table| self.relation(schema, table)) {
            return true;
        }
        let made_by =
            KINDS.iter().find(|(kind, _)| *kind == difference.kind).map_or(&[][..], |(_, made)| made);
        self.entries.iter().any(|(kind, namespace, tag)| {
            made_by.contains(kind) && *namespace == schema && names(kind, tag, &object)
        })
    }
}

/// Whether a tag names an object: in the words of its kind.
fn names(kind: &str, tag: &str, object: &[&str]) -> bool {
    let whole = object.join(" ");
    // A routine's arguments are worded in several ways; an overload more or less
    // is not worth a false alarm.
    let bare = |text: &str| text.split('(').next().unwrap_or_default().trim().to_owned();
    match kind {
        // `TABLE orders`, `FUNCTION f(integer)`, `COLUMN orders.id`
        "ACL" => tag.split_once(' ').is_some_and(|(_, name)| name == whole || bare(name) == bare(&whole)),
        // `DEFAULT PRIVILEGES FOR TABLES`, of any role.
        "DEFAULT ACL" => true,
        "FUNCTION" | "PROCEDURE" | "AGGREGATE" => bare(tag) == bare(&whole),
        // An index bears the name of its constraint, without the table's.
        "CONSTRAINT" => tag == whole || object.len() == 1 && tag.ends_with(&format!(" {whole}")),
        _ => tag == whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backstop_policy::manifest::Change;

    fn explains(entry: (&str, &str, &str), kind: &str, object: &str) -> bool {
        let left_out = LeftOut { entries: [entry].into() };
        let (kind, object) = (kind.to_owned(), object.to_owned());
        left_out.explains(&Difference { kind, object, change: Change::Missing })
    }

    #[test]
    fn what_is_left_out_explains_itself_alone() {
        assert!(explains(("POLICY", "public", "orders own"), "policy", "public.orders.own"));
        assert!(!explains(("POLICY", "public", "orders own"), "policy", "public.orders.other"));
        assert!(!explains(("POLICY", "public", "orders own"), "column", "public.orders.id"));
        assert!(explains(("TABLE", "public", "orders"), "column", "public.orders.id"));
        assert!(explains(("ACL", "public", "TABLE orders"), "grant", "public.orders"));
        assert!(explains(("ACL", "public", "FUNCTION f(a integer)"), "grant", "public.f(integer)"));
        assert!(!explains(("ACL", "public", "TABLE orders"), "owner", "public.orders"));
        assert!(explains(("CONSTRAINT", "public", "t t_pkey"), "index", "public.t_pkey"));
        assert!(explains(("FUNCTION", "s", "f(integer)"), "function", "s.f(integer)"));
        assert!(explains(("EXTENSION", "", "citext"), "extension", "citext"));
        assert!(explains(("FK CONSTRAINT", "public", "a a_b_fkey"), "constraint", "public.a.a_b_fkey"));
    }

    #[test]
    fn a_left_out_key_says_nothing_of_its_tables_rows() {
        let left_out = LeftOut { entries: [("FK CONSTRAINT", "public", "a a_b_fkey")].into() };
        assert!(!left_out.relation("public", "a"));
    }
}
