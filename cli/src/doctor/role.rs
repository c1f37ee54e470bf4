//! What the role may do: a dump is complete only if nothing is hidden from it.
//! Each fix is the statement to run as a superuser.

use backstop_policy::identifier::quote;

use crate::postgres::privileges::{Privileges, Relation};

use super::Check;

/// Names that one line lists before it counts the rest.
const SHOWN: usize = 5;
const PG14: u32 = 140_000;

pub fn role(found: &Privileges, server_version_num: u32) -> Vec<Check> {
    let role = quote(&found.role);
    let mut checks = Vec::new();
    if !found.filtered_tables.is_empty() {
        checks.push(Check::error(
            "row-security",
            format!(
                "row-level security hides rows of {} from '{}'",
                list(&found.filtered_tables),
                found.role
            ),
            format!("ALTER ROLE {role} BYPASSRLS;"),
        ));
    }
    if !found.unusable_schemas.is_empty() {
        let schemas =
            found.unusable_schemas.iter().map(|schema| quote(schema)).collect::<Vec<_>>().join(", ");
        checks.push(Check::error(
            "schemas",
            format!("'{}' may not use {}", found.role, names(&found.unusable_schemas)),
            read_all(server_version_num, &role, &format!("GRANT USAGE ON SCHEMA {schemas} TO {role};")),
        ));
    }
    for (name, kind, relations) in [
        ("tables", "TABLE", &found.unreadable_tables),
        ("sequences", "SEQUENCE", &found.unreadable_sequences),
    ] {
        if !relations.is_empty() {
            let grants = relations
                .iter()
                .map(|relation| format!("GRANT SELECT ON {kind} {} TO {role};", relation.quoted()))
                .collect::<Vec<_>>()
                .join("\n");
            checks.push(Check::error(
                name,
                format!("'{}' may not read {}", found.role, list(relations)),
                read_all(server_version_num, &role, &grants),
            ));
        }
    }
    if found.unreadable_large_objects > 0 {
        checks.push(Check::error(
            "large-objects",
            format!(
                "'{}' may not read {} of {} large objects; pg_read_all_data does not cover them",
                found.role, found.unreadable_large_objects, found.large_objects
            ),
            format!(
                "DO $$ DECLARE l oid; BEGIN FOR l IN SELECT oid FROM pg_largeobject_metadata LOOP EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO %I', l, {}); END LOOP; END $$;",
                literal(&found.role)
            ),
        ));
    }
    if checks.is_empty() {
        let why = match (found.superuser, found.bypass_rls) {
            (true, _) => " (superuser)",
            (_, true) => " (BYPASSRLS)",
            _ => "",
        };
        checks.push(Check::ok(
            "role",
            format!("'{}' may read all of {} tables{why}", found.role, found.tables),
        ));
    }
    if !found.foreign_tables.is_empty() {
        checks.push(Check::warning(
            "foreign-tables",
            format!("rows of {} lie on other servers and are in no dump", list(&found.foreign_tables)),
            "back up those servers too",
        ));
    }
    if found.tables == 0 {
        checks.push(Check::warning(
            "tables",
            "the database holds no table",
            "check that this is the database that you mean",
        ));
    }
    if !found.extensions.is_empty() {
        let extensions: Vec<_> =
            found.extensions.iter().map(|e| format!("{} {}", e.name, e.version)).collect();
        checks.push(Check::ok("extensions", extensions.join(", ")));
    }
    checks
}

/// One grant covers tables to come as well, where the server has that role.
fn read_all(server_version_num: u32, role: &str, otherwise: &str) -> String {
    if server_version_num >= PG14 {
        format!("GRANT pg_read_all_data TO {role};")
    } else {
        otherwise.to_owned()
    }
}

fn list(relations: &[Relation]) -> String {
    names(&relations.iter().map(ToString::to_string).collect::<Vec<_>>())
}

fn names(all: &[String]) -> String {
    let shown = all.iter().take(SHOWN).map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::super::{Status, render};
    use super::*;

    fn relation(name: &str) -> Relation {
        Relation { schema: "public".to_owned(), name: name.to_owned() }
    }

    #[test]
    fn each_gap_is_an_error_with_its_statement() {
        let found = Privileges {
            role: "app".to_owned(),
            tables: 9,
            large_objects: 3,
            unreadable_large_objects: 2,
            filtered_tables: vec![relation("orders")],
            unreadable_tables: (0..7).map(|n| relation(&format!("t{n}"))).collect(),
            unreadable_sequences: vec![relation("s q")],
            unusable_schemas: vec!["hid\"den".to_owned()],
            foreign_tables: vec![relation("far")],
            ..Privileges::default()
        };
        insta::assert_snapshot!(render(&role(&found, 150_000)), @r#"
        error   row-security: row-level security hides rows of 'public.orders' from 'app'
                fix: ALTER ROLE "app" BYPASSRLS;
        error   schemas: 'app' may not use 'hid"den'
                fix: GRANT pg_read_all_data TO "app";
        error   tables: 'app' may not read 'public.t0', 'public.t1', 'public.t2', 'public.t3', 'public.t4' and 2 more
                fix: GRANT pg_read_all_data TO "app";
        error   sequences: 'app' may not read 'public.s q'
                fix: GRANT pg_read_all_data TO "app";
        error   large-objects: 'app' may not read 2 of 3 large objects; pg_read_all_data does not cover them
                fix: DO $$ DECLARE l oid; BEGIN FOR l IN SELECT oid FROM pg_largeobject_metadata LOOP EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO %I', l, 'app'); END LOOP; END $$;
        warning foreign-tables: rows of 'public.far' lie on other servers and are in no dump
                fix: back up those servers too
        6 checks, errors: 5, warnings: 1
        "#);
        let old = role(&found, 130_010);
        assert_eq!(old[1].fix.as_deref(), Some(r#"GRANT USAGE ON SCHEMA "hid""den" TO "app";"#));
        assert!(
            old[2].fix.as_deref().unwrap().starts_with(r#"GRANT SELECT ON TABLE "public"."t0" TO "app";"#)
        );
        assert_eq!(old[3].fix.as_deref(), Some(r#"GRANT SELECT ON SEQUENCE "public"."s q" TO "app";"#));
    }

    #[test]
    fn a_role_that_may_read_everything_is_one_line() {
        let found =
            Privileges { role: "app".to_owned(), superuser: true, tables: 2, ..Privileges::default() };
        let checks = role(&found, 150_000);
        assert_eq!(checks, [Check::ok("role", "'app' may read all of 2 tables (superuser)")]);
        assert_eq!(role(&Privileges::default(), 150_000)[1].status, Status::Warning);
    }
}
