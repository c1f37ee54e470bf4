//! The roles that an archive names: owners, grantees, and those in policies.

use std::collections::BTreeSet;

use super::Toc;

/// Every role that must exist before the archive restores as it is.
pub fn named(toc: &Toc) -> BTreeSet<String> {
    let mut roles: BTreeSet<String> =
        toc.entries.iter().map(|entry| entry.owner.clone()).filter(|owner| !owner.is_empty()).collect();
    for entry in &toc.entries {
        match entry.desc.as_str() {
            "ACL" | "DEFAULT ACL" => after(&entry.definition, &[&["TO"], &["FROM"], &["FOR", "ROLE"]], &mut roles),
            "POLICY" => after(&entry.definition, &[&["TO"]], &mut roles),
            _ => {}
        }
    }
    for word in ["PUBLIC", "CURRENT_USER", "SESSION_USER", "CURRENT_ROLE"] {
        roles.remove(word);
    }
    roles
}

/// Collect the lists of names that follow one of the keywords, at the top level
/// of a statement: not inside parentheses, strings or quoted names.
fn after(sql: &str, keywords: &[&[&str]], roles: &mut BTreeSet<String>) {
    let words = words(sql);
    for start in 0..words.len() {
        for keyword in keywords {
            let matches = keyword.iter().enumerate().all(|(n, wanted)| {
                words.get(start + n).is_some_and(|word| matches!(word, Word::Bare(text) if text == wanted))
            });
            if !matches {
                continue;
            }
            let mut at = start + keyword.len();
            while let Some(Word::Bare(name) | Word::Quoted(name)) = words.get(at) {
                roles.insert(name.clone());
                if !matches!(words.get(at + 1), Some(Word::Comma)) {
                    break;
                }
                at += 2;
            }
        }
    }
}

enum Word {
    Bare(String),
    Quoted(String),
    Comma,
    Other,
}

fn words(sql: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut depth = 0usize;
    let mut characters = sql.chars().peekable();
    while let Some(character) = characters.next() {
        let word = match character {
            '(' => {
                depth += 1;
                Word::Other
            }
            ')' => {
                depth = depth.saturating_sub(1);
                Word::Other
            }
            '\'' => {
                while let Some(inside) = characters.next() {
                    if inside == '\'' && characters.next_if_eq(&'\'').is_none() {
                        break;
                    }
                }
                Word::Other
            }
            '"' => {
                let mut name = String::new();
                while let Some(inside) = characters.next() {
                    if inside == '"' && characters.next_if_eq(&'"').is_none() {
                        break;
                    }
                    name.push(inside);
                }
                Word::Quoted(name)
            }
            ',' => Word::Comma,
            _ if character.is_whitespace() => continue,
            _ if character.is_alphanumeric() || character == '_' => {
                let mut name = String::from(character);
                while let Some(more) = characters.next_if(|c| c.is_alphanumeric() || matches!(c, '_' | '$')) {
                    name.push(more);
                }
                Word::Bare(name)
            }
            _ => Word::Other,
        };
        if depth == 0 {
            words.push(word);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_where_a_role_may_stand() {
        let find = |sql: &str| {
            let mut roles = BTreeSet::new();
            after(sql, &[&["TO"], &["FROM"], &["FOR", "ROLE"]], &mut roles);
            roles.into_iter().collect::<Vec<_>>().join("|")
        };
        assert_eq!(find("GRANT SELECT ON TABLE public.users TO reader;"), "reader");
        assert_eq!(find("REVOKE ALL ON x FROM PUBLIC;\nGRANT ALL ON x TO \"web TO \"\"app\"\"\";"), "PUBLIC|web TO \"app\"");
        assert_eq!(
            find("CREATE POLICY p ON public.t TO anon, authenticated USING ((a = 'sent TO someone'::text));"),
            "anon|authenticated"
        );
        assert_eq!(find("ALTER DEFAULT PRIVILEGES FOR ROLE a IN SCHEMA s GRANT SELECT ON TABLES  TO b;"), "a|b");
        assert_eq!(find("CREATE POLICY p ON t USING ((SELECT 1 FROM x));"), "");
    }
}
