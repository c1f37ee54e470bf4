//! What belongs to a database itself, beside what is in it: encoding and locale,
//! owner, privileges, settings, comment. An archive holds them for a database of
//! the old name; here they are made to fit the new one.

use backstop_policy::identifier::{literal, quote};
use tokio_postgres::error::SqlState;

use super::Error;
use super::report::LeftOut;
use super::sql::{self, Kind, Token};
use crate::archive::{Selection, Toc};
use crate::postgres;
use crate::postgres::locale::{Locale, Provider};
use crate::postgres::session::Session;

/// What a new database is to be like, from the archive's own words.
pub fn locale(toc: &Toc) -> Option<Locale> {
    let entry = toc.entries.iter().find(|entry| entry.desc == "DATABASE")?;
    let tokens = sql::tokens(&entry.definition);
    // `KEY = 'text'` or `KEY = word`
    let value = |key: &str| {
        let at = tokens.iter().position(|token| token.is_word(key))?;
        match (&tokens.get(at + 1)?.kind, &tokens.get(at + 2)?.kind) {
            (Kind::Sign('='), Kind::Text(text) | Kind::Word(text)) => Some(text.clone()),
            _ => None,
        }
    };
    let both = value("LOCALE");
    let collate = value("LC_COLLATE").or_else(|| both.clone())?;
    Some(Locale {
        encoding: value("ENCODING")?,
        ctype: value("LC_CTYPE").or(both).unwrap_or_else(|| collate.clone()),
        collate,
        provider: match value("LOCALE_PROVIDER").as_deref() {
            Some("icu") => Provider::Icu,
            Some("builtin") => Provider::Builtin,
            _ => Provider::Libc,
        },
        provider_locale: value("ICU_LOCALE").or_else(|| value("BUILTIN_LOCALE")),
        icu_rules: value("ICU_RULES"),
    })
}

/// One thing to do to the new database.
#[derive(Debug, PartialEq, Eq)]
pub struct Statement {
    what: String,
    sql: String,
}

/// What makes `name` like the archive's database: owner first, since privileges
/// are granted by the owner.
pub fn statements(toc: &Toc, name: &str, selection: &Selection) -> Vec<Statement> {
    let Some(database) = toc.entries.iter().find(|entry| entry.desc == "DATABASE") else { return Vec::new() };
    let mut statements = Vec::new();
    if !selection.no_owner && !database.owner.is_empty() {
        statements.push(Statement {
            what: format!("owner '{}'", database.owner),
            sql: format!("ALTER DATABASE {} OWNER TO {}", quote(name), quote(&database.owner)),
        });
    }
    let tag = format!("DATABASE {}", database.tag);
    for entry in &toc.entries {
        let what = match entry.desc.as_str() {
            "DATABASE PROPERTIES" => "setting",
            "ACL" if !selection.no_privileges => "privilege",
            "COMMENT" => "comment",
            "SECURITY LABEL" => "security label",
            _ => continue,
        };
        // pg_dump writes the name in a remark's tag with quotes where it needs them.
        let mine = what == "setting"
            || entry.tag == tag
            || sql::tokens(&entry.tag).get(1).and_then(|token| token.name()) == Some(&database.tag);
        if !mine || (what != "setting" && !entry.tag.starts_with("DATABASE ")) {
            continue;
        }
        for statement in sql::statements(&entry.definition) {
            if let Some(sql) = rename(statement, &database.tag, name) {
                statements
                    .push(Statement { what: format!("{what} of the database ({})", short(statement)), sql });
            }
        }
    }
    statements
}

/// The same from a database that is there: owner, privileges, settings, limit
/// and comment of the one that the session is in.
pub async fn of_live(session: &Session, name: &str, selection: &Selection) -> Result<Vec<Statement>, Error> {
    let failed = || postgres::Error::asking("read the settings of the database");
    let new = quote(name);
    let mut statements = Vec::new();
    let mut add = |what: &str, sql: String| statements.push(Statement { what: what.to_owned(), sql });
    let row = session
        .query_one(
            "SELECT pg_get_userbyid(datdba)::text, datconnlimit, datacl IS NOT NULL, \
             shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()",
            &[],
        )
        .await
        .map_err(failed())?;
    if !selection.no_owner {
        add("owner", format!("ALTER DATABASE {new} OWNER TO {}", quote(row.get(0))));
    }
    if row.get(2) && !selection.no_privileges {
        add("privileges", format!("REVOKE ALL ON DATABASE {new} FROM PUBLIC"));
        let grants = session
            .query(
                "SELECT a.privilege_type, a.is_grantable, a.grantee <> 0, pg_get_userbyid(a.grantee)::text \
                 FROM pg_database d, LATERAL aclexplode(d.datacl) a WHERE d.datname = current_database()",
                &[],
            )
            .await
            .map_err(failed())?;
        for grant in &grants {
            let (privilege, role): (&str, &str) = (grant.get(0), grant.get(3));
            let role = if grant.get(2) { quote(role) } else { "PUBLIC".to_owned() };
            let option = if grant.get(1) { " WITH GRANT OPTION" } else { "" };
            add("privileges", format!("GRANT {privilege} ON DATABASE {new} TO {role}{option}"));
        }
    }
    let settings = session
        .query(
            "SELECT CASE WHEN setrole <> 0 THEN pg_get_userbyid(setrole)::text END, split_part(s, '=', 1), \
             substr(s, strpos(s, '=') + 1) FROM pg_db_role_setting, unnest(setconfig) s \
             WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())",
            &[],
        )
        .await
        .map_err(failed())?;
    for setting in &settings {
        let (role, key, value): (Option<&str>, &str, &str) = (setting.get(0), setting.get(1), setting.get(2));
        let whose = match role {
            Some(role) => format!("ROLE {} IN DATABASE {new}", quote(role)),
            None => format!("DATABASE {new}"),
        };
        let what = format!("setting {key} of the database");
        add(&what, format!("ALTER {whose} SET {} TO {}", quote(key), setting_value(key, value)));
    }
    if row.get::<_, i32>(1) >= 0 {
        add("connection limit", format!("ALTER DATABASE {new} CONNECTION LIMIT {}", row.get::<_, i32>(1)));
    }
    if let Some(comment) = row.get::<_, Option<&str>>(3) {
        add("comment of the database", format!("COMMENT ON DATABASE {new} IS {}", literal(comment)));
    }
    Ok(statements)
}

/// Settings that are lists of names (`GUC_LIST_QUOTE`) are kept as such a list,
/// and would become one single name if they were quoted as a whole.
fn setting_value(key: &str, value: &str) -> String {
    const LISTS: [&str; 6] = [
        "search_path",
        "temp_tablespaces",
        "session_preload_libraries",
        "shared_preload_libraries",
        "local_preload_libraries",
        "unix_socket_directories",
    ];
    if !LISTS.contains(&key.to_ascii_lowercase().as_str()) {
        return literal(value);
    }
    let tokens = sql::tokens(value);
    let names: Vec<String> = tokens.iter().filter_map(|token| token.name()).map(literal).collect();
    if names.is_empty() { "''".to_owned() } else { names.join(", ") }
}

/// Put the new name where a statement names the old database. `None` for one
/// that does anything else: it would be run where other databases are.
fn rename(statement: &str, old: &str, new: &str) -> Option<String> {
    let mut tokens = sql::tokens(statement);
    let at = named_by(&tokens)?;
    let name = tokens.get_mut(at).filter(|token| token.name() == Some(old))?;
    name.kind = Kind::Name(new.to_owned());
    sql::written(&tokens)
}

/// Where the one database stands that a statement is about.
fn named_by(tokens: &[Token]) -> Option<usize> {
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.is_word(word));
    let begins = |words: &[&str]| words.iter().enumerate().all(|(at, word)| *word == "*" || is(at, word));
    let (at, then): (usize, &[&str]) = if begins(&["ALTER", "DATABASE"]) {
        (2, &["SET", "RESET", "OWNER", "CONNECTION", "ALLOW_CONNECTIONS", "IS_TEMPLATE"])
    } else if begins(&["ALTER", "ROLE", "*", "IN", "DATABASE"]) {
        (5, &["SET", "RESET"])
    } else if begins(&["COMMENT", "ON", "DATABASE"]) {
        (3, &["IS"])
    } else if begins(&["SECURITY", "LABEL", "FOR", "*", "ON", "DATABASE"]) {
        (6, &["IS"])
    } else if begins(&["GRANT"]) || begins(&["REVOKE"]) {
        let on = tokens.iter().position(|token| token.is_word("ON")).filter(|on| is(on + 1, "DATABASE"))?;
        (on + 2, &["TO", "FROM"])
    } else {
        return None;
    };
    then.iter().any(|word| is(at + 1, word)).then_some(at)
}

/// Without the values, which are the user's.
fn short(statement: &str) -> String {
    statement.split_whitespace().take(6).collect::<Vec<_>>().join(" ")
}

/// Do them all; what this role may not do, or this server does not know, is told.
pub async fn apply(admin: &Session, statements: &[Statement]) -> Result<Vec<LeftOut>, Error> {
    let mut left_out = Vec::new();
    for Statement { what, sql } in statements {
        let Err(error) = admin.batch_execute(sql).await else { continue };
        let why = match error.as_db_error() {
            Some(said)
                if [
                    SqlState::INSUFFICIENT_PRIVILEGE,
                    SqlState::UNDEFINED_OBJECT,
                    SqlState::CANT_CHANGE_RUNTIME_PARAM,
                    SqlState::INVALID_PARAMETER_VALUE,
                ]
                .contains(said.code()) =>
            {
                said.message().to_owned()
            }
            _ => return Err(postgres::Error::asking(format!("set {what}"))(error).into()),
        };
        left_out.push(LeftOut { what: what.clone(), why });
    }
    Ok(left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_name_is_replaced_where_it_names_the_database() {
        assert_eq!(
            rename("GRANT CONNECT ON DATABASE shop TO shop", "shop", "new \"one").unwrap(),
            "GRANT CONNECT ON DATABASE \"new \"\"one\" TO shop"
        );
        assert_eq!(
            rename("ALTER ROLE shop IN DATABASE \"a b\" SET x TO 'DATABASE \"a b\"'", "a b", "c").unwrap(),
            "ALTER ROLE shop IN DATABASE \"c\" SET x TO 'DATABASE \"a b\"'"
        );
        assert_eq!(setting_value("search_path", "app, \"$user\", public"), "'app', '$user', 'public'");
        assert_eq!(setting_value("search_path", "\"\""), "''");
        assert_eq!(setting_value("application_name", "it's, \"mine\""), "'it''s, \"mine\"'");
        assert_eq!(
            rename("SECURITY LABEL FOR \"x\" ON DATABASE shop IS 'DATABASE'", "shop", "new").unwrap(),
            "SECURITY LABEL FOR \"x\" ON DATABASE \"new\" IS 'DATABASE'"
        );
    }

    #[test]
    fn nothing_but_the_new_database_is_changed() {
        for statement in [
            "ALTER DATABASE other SET x TO 1",
            "ALTER DATABASE shop RENAME TO other",
            "DELETE FROM users /* DATABASE shop */",
            "DELETE FROM users -- DATABASE shop",
            "DELETE FROM users WHERE DATABASE shop",
            "GRANT CONNECT ON DATABASE shop, other TO public",
            "GRANT CONNECT ON DATABASE other, DATABASE shop TO public",
            "GRANT SELECT ON TABLE users TO DATABASE shop",
            "DROP DATABASE shop",
            "COMMENT ON DATABASE shop IS /* ' */ 'a'; DROP DATABASE other --'",
            "COMMENT ON DATABASE shop IS $$'$$; DROP DATABASE other --'",
            "ALTER ROLE a IN DATABASE other SET x TO 'DATABASE shop'",
        ] {
            assert_eq!(rename(statement, "shop", "new"), None, "{statement}");
        }
    }
}
