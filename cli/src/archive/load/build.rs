//! Indexes and keys that a connection makes itself: the table of contents and its
//! stages flow in, statements by the table that they stand on flow out.

use std::collections::{HashMap, HashSet};
use std::slice;

use backstop_policy::identifier::quote;

use super::Stages;
use crate::archive::toc::{Entry, Toc};

/// An index or a key, as a connection makes it itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Build {
    pub dump_id: i32,
    /// What it is, and of which table, for messages.
    pub name: String,
    /// Of any table: one statement.
    pub at_once: String,
    /// Of a key: an index, and then a key of it, each a transaction of its own.
    pub in_steps: Option<[String; 2]>,
}

impl Build {
    /// What is not ASCII waits for pg_restore, which knows every encoding, and what has a
    /// backslash too: an archive says how it is to be read.
    fn of(entry: &Entry, table: &Entry) -> Option<Self> {
        let Entry { dump_id, definition, tablespace, .. } = entry;
        let is_plain = definition.is_ascii() && !definition.contains('\\');
        if definition.is_empty() || !is_plain || !tablespace.is_ascii() {
            return None;
        }
        let place = if tablespace.is_empty() { "''".to_owned() } else { quote(tablespace) };
        let in_place = |statement: &str| format!("SET default_tablespace = {place}; {statement}");
        let in_steps = Key::read(definition).map(|key| [in_place(&key.index()), key.constraint()]);
        let at_once = in_place(definition);
        // The tag of a constraint begins with its table's.
        let own = entry.tag.strip_prefix(&table.tag).and_then(|rest| rest.strip_prefix(' '));
        let (own, kind) = (own.unwrap_or(&entry.tag), entry.desc.to_ascii_lowercase());
        let name = format!("{kind} '{own}' of '{}'", table.name());
        Some(Self { dump_id: *dump_id, name, at_once, in_steps })
    }

    /// What makes it. On a large table, others are to be made beside it.
    pub fn statements(&self, is_large: bool) -> &[String] {
        match &self.in_steps {
            Some(steps) if is_large => steps,
            _ => slice::from_ref(&self.at_once),
        }
    }
}

/// A key that is nothing but columns. Made in one go it keeps everybody from its table
/// until its index is there; as an index that then becomes a key, it is made beside the
/// other indexes of the table.
struct Key<'a> {
    /// With its schema, like all names here as pg_dump writes it.
    table: &'a str,
    name: &'a str,
    /// `PRIMARY KEY` or `UNIQUE`.
    kind: &'static str,
    columns: &'a str,
}

impl<'a> Key<'a> {
    fn read(definition: &'a str) -> Option<Self> {
        let qualified = definition.strip_prefix("ALTER TABLE ONLY ")?;
        let rest = after_name(after_name(qualified)?.strip_prefix('.')?)?;
        let table = &qualified[..qualified.len() - rest.len()];
        let named = rest.strip_prefix("\n    ADD CONSTRAINT ")?;
        let rest = after_name(named)?;
        let name = &named[..named.len() - rest.len()];
        let (kind, listed) = ["PRIMARY KEY", "UNIQUE"]
            .into_iter()
            .find_map(|kind| Some((kind, rest.strip_prefix(' ')?.strip_prefix(kind)?.strip_prefix(" (")?)))?;
        let mut rest = after_name(listed)?;
        while let Some(more) = rest.strip_prefix(", ") {
            rest = after_name(more)?;
        }
        let columns = &listed[..listed.len() - rest.len()];
        (rest.trim_end() == ");").then_some(Self { table, name, kind, columns })
    }

    fn index(&self) -> String {
        let Self { table, name, columns, .. } = self;
        format!("CREATE UNIQUE INDEX {name} ON {table} USING btree ({columns})")
    }

    fn constraint(&self) -> String {
        let Self { table, name, kind, .. } = self;
        format!("ALTER TABLE ONLY {table} ADD CONSTRAINT {name} {kind} USING INDEX {name}")
    }
}

/// What follows the identifier that a text begins with.
fn after_name(text: &str) -> Option<&str> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
        let rest = text.trim_start_matches(is_part);
        return (rest.len() < text.len()).then_some(rest);
    };
    loop {
        rest = rest.split_once('"')?.1;
        // Two of them are one within the name.
        match rest.strip_prefix('"') {
            Some(more) => rest = more,
            None => return Some(rest),
        }
    }
}

/// What stands on one loaded table and needs nothing else that comes after the rows,
/// by the dump id of the table's rows: it can be made as soon as those are there. Of a
/// partition nothing can: rows may come to it through its root.
pub fn early(toc: &Toc, stages: &Stages) -> HashMap<i32, Vec<Build>> {
    let index = toc.index();
    let of_kind = |id: &i32, kind: &str| index.get(id).is_some_and(|entry| entry.desc == kind);
    let attached: HashSet<i32> = toc
        .entries
        .iter()
        .filter(|entry| entry.desc == "TABLE ATTACH")
        .flat_map(|entry| entry.dependencies.iter().copied())
        .collect();
    // The rows of each table, where one connection need not wait for all others.
    let rows: HashMap<i32, i32> = stages
        .tables
        .values()
        .filter(|table| !table.alone)
        .filter_map(|table| {
            let data = index.get(&table.dump_id)?;
            let of = data.dependencies.iter().find(|id| of_kind(id, "TABLE"))?;
            (!attached.contains(of)).then_some((*of, table.dump_id))
        })
        .collect();
    // Extensions with rows of their own are among these.
    let with_rows: HashSet<i32> = toc
        .entries
        .iter()
        .filter(|entry| stages.tables.contains_key(&entry.dump_id))
        .flat_map(|entry| entry.dependencies.iter().copied())
        .collect();
    let mut early: HashMap<i32, Vec<Build>> = HashMap::new();
    for entry in &toc.entries {
        if !stages.after.contains(&entry.dump_id) || !matches!(entry.desc.as_str(), "INDEX" | "CONSTRAINT") {
            continue;
        }
        if entry.dependencies.iter().filter_map(|id| index.get(id)).any(|other| runs(&with_rows, other)) {
            continue;
        }
        let mut tables = entry.dependencies.iter().filter(|id| of_kind(id, "TABLE"));
        let Some(table) = tables.next() else { continue };
        // Some are named twice.
        let others = tables.any(|other| other != table);
        let waits = entry.dependencies.iter().any(|id| stages.after.contains(id) || stages.last.contains(id));
        if let (Some(rows), Some(of), false, false) = (rows.get(table), index.get(table), others, waits) {
            early.entry(*rows).or_default().extend(Build::of(entry, of));
        }
    }
    early
}

/// Whether an index that needs this may run code of the archive, or of an extension that
/// has rows of its own in it. An index has only functions that say of themselves that
/// they look at nothing else, but many look all the same, and would find other tables
/// empty: the index would be wrong, and nobody would know.
fn runs(with_rows: &HashSet<i32>, needed: &Entry) -> bool {
    match needed.desc.as_str() {
        "TABLE" | "COLLATION" | "SCHEMA" | "TYPE" => false,
        "EXTENSION" => with_rows.contains(&needed.dump_id),
        kind => !kind.starts_with("TEXT SEARCH "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::fixtures::{self, everything};
    use crate::archive::load::stages;
    use crate::archive::select::Plan;

    #[test]
    fn what_can_be_made_as_soon_as_a_table_is_full() {
        let (toc, _) = fixtures::toc(fixtures::ZOO_18_NONE);
        let index = toc.index();
        let shown = |plan: &Plan| {
            let stages = stages(&toc, plan).unwrap();
            let early = early(&toc, &stages);
            let name = |id: &i32| index[id].name();
            let mut shown: Vec<String> = early
                .iter()
                .map(|(rows, made)| {
                    let made: Vec<&str> = made.iter().map(|build| build.name.as_str()).collect();
                    format!("{}: {}", name(rows), made.join(", "))
                })
                .collect();
            shown.sort();
            (early.len(), shown.join("\n"))
        };
        let (_, all) = shown(&everything(&toc));
        insta::assert_snapshot!(all, @r"
        public.chicken: constraint 'chicken_pkey' of 'public.chicken'
        public.egg: constraint 'egg_pkey' of 'public.egg'
        shop.orders: constraint 'orders_pkey' of 'shop.orders', index 'orders_state' of 'shop.orders'
        shop.users: constraint 'users_email_key' of 'shop.users', constraint 'users_pkey' of 'shop.users'
        ");
        // Of shop.products nobody can tell whether its generated column or its check calls
        // the function: it is loaded alone. Without its rows, nothing of a table can be
        // made early.
        let mut plan = everything(&toc);
        plan.entries.retain(|id| index[id].desc != "TABLE DATA" || index[id].tag == "orders");
        assert_eq!(shown(&plan).0, 1);
    }

    #[test]
    fn what_runs_code_of_the_archive_waits_for_all_rows() {
        let (zoo, _) = fixtures::toc(fixtures::ZOO_18_NONE);
        let is_early = |kind: &str, with_rows: bool| {
            let mut toc = zoo.clone();
            let needed = Entry { dump_id: 1_000_000, desc: kind.to_owned(), ..toc.entries[0].clone() };
            for entry in &mut toc.entries {
                if entry.tag == "orders_state" || (with_rows && entry.desc == "TABLE DATA") {
                    entry.dependencies.push(needed.dump_id);
                }
            }
            toc.entries.insert(0, needed);
            let early = early(&toc, &stages(&toc, &everything(&toc)).unwrap());
            early.values().flatten().any(|build| build.name.contains("'orders_state'"))
        };
        for kind in ["TYPE", "COLLATION", "EXTENSION", "TEXT SEARCH CONFIGURATION"] {
            assert!(is_early(kind, false), "{kind}");
        }
        for kind in ["FUNCTION", "OPERATOR CLASS", "OPERATOR", "DOMAIN", "AGGREGATE"] {
            assert!(!is_early(kind, false), "{kind}");
        }
        assert!(!is_early("EXTENSION", true));
    }

    #[test]
    fn a_key_of_columns_is_an_index_first() {
        let made = |rest: &str| {
            let definition = format!("ALTER TABLE ONLY shop.\"a \"\" b\"\n    ADD CONSTRAINT {rest};\n");
            Key::read(&definition).map(|key| format!("{}; {}", key.index(), key.constraint()))
        };
        insta::assert_snapshot!(
            made("k PRIMARY KEY (id, \"o (n\")").unwrap(),
            @r#"CREATE UNIQUE INDEX k ON shop."a "" b" USING btree (id, "o (n"); ALTER TABLE ONLY shop."a "" b" ADD CONSTRAINT k PRIMARY KEY USING INDEX k"#
        );
        insta::assert_snapshot!(
            made("\"k UNIQUE (x);\" UNIQUE (a$1)").unwrap(),
            @r#"CREATE UNIQUE INDEX "k UNIQUE (x);" ON shop."a "" b" USING btree (a$1); ALTER TABLE ONLY shop."a "" b" ADD CONSTRAINT "k UNIQUE (x);" UNIQUE USING INDEX "k UNIQUE (x);""#
        );
        for other in [
            "k PRIMARY KEY (id) INCLUDE (b)",
            "k PRIMARY KEY (id, at WITHOUT OVERLAPS)",
            "k PRIMARY KEY (id) WITH (fillfactor='70')",
            "k UNIQUE (a) DEFERRABLE",
            "k UNIQUE NULLS NOT DISTINCT (a)",
            "k EXCLUDE USING gist (a WITH &&)",
            "k CHECK ((a > 0))",
            "k PRIMARY KEY (id);\n\nALTER TABLE shop.a CLUSTER ON k",
            "k PRIMARY KEY (\"id)",
            "k PRIMARY KEY ()",
        ] {
            assert_eq!(made(other), None, "{other}");
        }
    }
}
