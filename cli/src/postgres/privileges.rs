//! What a role may do in a database, in one round of plain queries: whose rows
//! would be hidden from it, what it may not read, and what a dump leaves out.
//!
//! Objects of extensions are not looked at: their extension brings them back.

use std::fmt;

use backstop_policy::identifier::quote;
use serde::Serialize;
use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow};

use super::error::Error;
use super::session::Session;

/// A schema and a name in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Relation {
    pub schema: String,
    pub name: String,
}

impl Relation {
    /// As it is written in SQL.
    pub fn quoted(&self) -> String {
        format!("{}.{}", quote(&self.schema), quote(&self.name))
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// An installed extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Extension {
    pub name: String,
    pub version: String,
}

/// What the session's role was seen to be able to do.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Privileges {
    /// The role whose rights count (`current_user`).
    pub role: String,
    pub superuser: bool,
    pub bypass_rls: bool,
    /// `pg_database_size`, in bytes.
    pub database_bytes: u64,
    /// Seconds since 1970 by the server's clock.
    pub server_clock: f64,
    /// Ordinary and partitioned tables.
    pub tables: u64,
    pub large_objects: u64,
    /// Large objects that the role may not read, by number.
    pub unreadable_large_objects: u64,
    /// Tables whose policies would hide rows from this role. Partitioned tables are
    /// not among them: a dump reads each partition, for which its own policies count.
    pub filtered_tables: Vec<Relation>,
    /// Without SELECT on them, or without USAGE on their schema.
    pub unreadable_tables: Vec<Relation>,
    pub unreadable_sequences: Vec<Relation>,
    /// Schemas that hold something and that the role may not use.
    pub unusable_schemas: Vec<String>,
    /// Their rows lie on another server and are in no dump.
    pub foreign_tables: Vec<Relation>,
    /// Their rows do not survive a crash, nor reach a standby.
    pub unlogged_tables: Vec<Relation>,
    pub extensions: Vec<Extension>,
}

impl Privileges {
    pub async fn of(session: &Session) -> Result<Self, Error> {
        let messages = session
            .simple_query(&format!("{ROLE}; {OBJECTS}"))
            .await
            .map_err(Error::asking("read what the role may do"))?;
        let mut rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let mut found = Self::default();
        if let Some(row) = rows.next() {
            found.role = text(row, 0);
            found.superuser = text(row, 1) == "t";
            found.bypass_rls = text(row, 2) == "t";
            found.database_bytes = text(row, 3).parse().unwrap_or_default();
            found.server_clock = text(row, 4).parse().unwrap_or_default();
            found.tables = text(row, 5).parse().unwrap_or_default();
            found.large_objects = text(row, 6).parse().unwrap_or_default();
            found.unreadable_large_objects = text(row, 7).parse().unwrap_or_default();
        }
        for row in rows {
            let relation = Relation { schema: text(row, 1), name: text(row, 2) };
            match text(row, 0).as_str() {
                "filtered" => found.filtered_tables.push(relation),
                "table" => found.unreadable_tables.push(relation),
                "sequence" => found.unreadable_sequences.push(relation),
                "schema" => found.unusable_schemas.push(relation.schema),
                "foreign" => found.foreign_tables.push(relation),
                "unlogged" => found.unlogged_tables.push(relation),
                "extension" => {
                    found.extensions.push(Extension { name: relation.schema, version: relation.name });
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// The first thing that makes a complete dump impossible. `wanted` says
    /// which relations the dump is to hold, `large_objects` whether it holds those.
    pub fn refuse(&self, wanted: impl Fn(&Relation) -> bool, large_objects: bool) -> Result<(), Error> {
        let filtered: Vec<_> = self.filtered_tables.iter().filter(|table| wanted(table)).cloned().collect();
        if !filtered.is_empty() {
            return Err(Error::RowSecurity { user: self.role.clone(), tables: filtered });
        }
        let unreadable = self.unreadable_tables.iter().chain(&self.unreadable_sequences);
        let unreadable: Vec<_> = unreadable.filter(|relation| wanted(relation)).cloned().collect();
        if !unreadable.is_empty() {
            return Err(Error::Unreadable { user: self.role.clone(), relations: unreadable });
        }
        if large_objects && self.unreadable_large_objects > 0 {
            return Err(Error::UnreadableLargeObjects {
                user: self.role.clone(),
                count: self.unreadable_large_objects,
            });
        }
        Ok(())
    }
}

fn text(row: &SimpleQueryRow, column: usize) -> String {
    row.get(column).unwrap_or_default().to_owned()
}

/// The role and the numbers. `has_largeobject_privilege` exists from 18 on only,
/// so the ACL is read here; no ACL means that only the owner may read.
const ROLE: &str = "
SELECT current_user, r.rolsuper, r.rolbypassrls,
  pg_catalog.pg_database_size(pg_catalog.current_database()),
  extract(epoch FROM pg_catalog.clock_timestamp()),
  (SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'),
  (SELECT count(*) FROM pg_catalog.pg_largeobject_metadata),
  (SELECT count(*) FROM pg_catalog.pg_largeobject_metadata m
    WHERE pg_catalog.current_setting('lo_compat_privileges') = 'off'
      AND NOT pg_catalog.pg_has_role(m.lomowner, 'USAGE')
      AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(m.lomacl) a
        WHERE a.privilege_type = 'SELECT'
          AND (a.grantee = 0 OR pg_catalog.pg_has_role(a.grantee, 'USAGE'))))
FROM pg_catalog.pg_roles r WHERE r.rolname = current_user";

/// Every object with a finding. `row_security_active` is the server's own
/// judgement: owner, FORCE, BYPASSRLS and membership are all in it.
const OBJECTS: &str = "
WITH relation AS MATERIALIZED (
  SELECT c.oid, c.relkind, c.relpersistence, c.relrowsecurity, n.nspname, c.relname,
    pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS readable
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'S', 'f')
    AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'))
SELECT kind, schema, name FROM (
  SELECT 'filtered' AS kind, nspname::text AS schema, relname::text AS name FROM relation
    WHERE relkind = 'r' AND relrowsecurity AND pg_catalog.row_security_active(oid)
  UNION ALL SELECT 'table', nspname, relname FROM relation
    WHERE relkind IN ('r', 'p') AND NOT readable
  UNION ALL SELECT 'sequence', nspname, relname FROM relation
    WHERE relkind = 'S' AND NOT readable
  UNION ALL SELECT DISTINCT 'schema', nspname, '' FROM relation
    WHERE NOT pg_catalog.has_schema_privilege(nspname, 'USAGE')
  UNION ALL SELECT 'foreign', nspname, relname FROM relation WHERE relkind = 'f'
  UNION ALL SELECT 'unlogged', nspname, relname FROM relation WHERE relkind = 'r' AND relpersistence = 'u'
  UNION ALL SELECT 'extension', extname, extversion FROM pg_catalog.pg_extension
) found ORDER BY kind, schema, name";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_for_sql() {
        let relation = Relation { schema: "a b".to_owned(), name: "say \"hi\"".to_owned() };
        assert_eq!(relation.quoted(), r#""a b"."say ""hi""""#);
    }

    #[test]
    fn a_dump_is_refused_only_for_what_it_would_hold() {
        let relation = |name: &str| Relation { schema: "public".to_owned(), name: name.to_owned() };
        let privileges = Privileges {
            role: "app".to_owned(),
            filtered_tables: vec![relation("orders")],
            unreadable_tables: vec![relation("users")],
            ..Privileges::default()
        };
        assert!(matches!(privileges.refuse(|_| true, true), Err(Error::RowSecurity { .. })));
        assert!(matches!(privileges.refuse(|r| r.name == "users", true), Err(Error::Unreadable { .. })));
        assert!(privileges.refuse(|r| r.name == "other", true).is_ok());
        let privileges = Privileges { unreadable_large_objects: 1, ..Privileges::default() };
        assert!(matches!(privileges.refuse(|_| true, true), Err(Error::UnreadableLargeObjects { .. })));
        assert!(privileges.refuse(|_| true, false).is_ok());
    }
}
