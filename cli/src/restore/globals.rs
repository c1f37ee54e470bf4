//! The roles of a backup's companion file, made where they are missing. What
//! exists is never changed, and passwords are in no backup.

use std::collections::BTreeSet;

use super::Error;
use super::report::LeftOut;
use super::sql::{self, Token};
use crate::load::facts;
use crate::postgres;
use crate::postgres::session::Session;

/// What came of it.
#[derive(Debug, Default)]
pub struct Made {
    pub roles: Vec<String>,
    pub left_out: Vec<LeftOut>,
}

/// Make every role of the text that the server does not have.
pub async fn make(admin: &Session, text: &str) -> Result<Made, Error> {
    let there = facts::roles(admin).await?;
    let mut made = Made::default();
    let mut new = BTreeSet::new();
    for statement in sql::statements(text) {
        let tokens = sql::tokens(statement);
        let Some(roles) = about(&tokens) else {
            if statement.to_ascii_uppercase().starts_with("CREATE TABLESPACE") {
                made.left_out.push(LeftOut {
                    what: first_words(statement),
                    why: "tablespaces lie in directories of the old server".to_owned(),
                });
            }
            continue;
        };
        let creates = tokens.first().is_some_and(|token| token.is_word("CREATE"));
        let concerns_new = roles.iter().any(|role| new.contains(role));
        if creates && roles.iter().any(|role| there.contains(role)) || !creates && !concerns_new {
            continue;
        }
        let Some(sql) = sql::written(&tokens) else {
            made.left_out.push(LeftOut {
                what: first_words(statement),
                why: "it is not written as pg_dumpall writes it".to_owned(),
            });
            continue;
        };
        match admin.batch_execute(&sql).await {
            Ok(()) if creates => {
                made.roles.extend(roles.iter().cloned());
                new.extend(roles);
            }
            Ok(()) => {}
            Err(error) if creates => {
                return Err(
                    postgres::Error::asking(format!("make role '{}'", roles.join("', '")))(error).into()
                );
            }
            // An attribute that only a superuser may give, a grantor that is not here.
            Err(error) => made.left_out.push(LeftOut {
                what: first_words(statement),
                why: error.as_db_error().map_or_else(|| error.to_string(), |said| said.message().to_owned()),
            }),
        }
    }
    Ok(made)
}

/// The roles that a statement is about; `None` for other statements.
fn about(tokens: &[Token]) -> Option<Vec<String>> {
    let is = |words: &[&str]| {
        tokens.len() > words.len() && words.iter().zip(tokens).all(|(word, token)| token.is_word(word))
    };
    let name = |at: usize| tokens.get(at).and_then(|token| token.name()).map(str::to_owned);
    if is(&["CREATE", "ROLE"]) || is(&["ALTER", "ROLE"]) {
        return Some(vec![name(2)?]);
    }
    if is(&["COMMENT", "ON", "ROLE"]) {
        return Some(vec![name(3)?]);
    }
    // GRANT role TO member
    if is(&["GRANT"]) && tokens.get(2).is_some_and(|token| token.is_word("TO")) {
        return Some(vec![name(1)?, name(3)?]);
    }
    None
}

fn first_words(statement: &str) -> String {
    statement.split_whitespace().take(4).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_about_roles_are_known() {
        let about = |sql| about(&sql::tokens(sql)).unwrap_or_default().join(" ");
        assert_eq!(about("CREATE ROLE \"web app\""), "web app");
        assert_eq!(about("ALTER ROLE reader WITH NOSUPERUSER LOGIN"), "reader");
        assert_eq!(about("GRANT \"a\" TO b WITH INHERIT TRUE GRANTED BY postgres"), "a b");
        assert_eq!(about("CREATE TABLESPACE fast OWNER x LOCATION '/y'"), "");
        assert_eq!(about("GRANT ALL ON TABLESPACE fast TO b"), "");
    }
}
