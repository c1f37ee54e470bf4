//! Names of tables and schemas as a person writes them: `users`, `shop.users`,
//! `shop.*`, `"Weird.Name"`; folded to lower case unless quoted, as in SQL.

use crate::archive::Error;

pub(super) struct Pattern {
    schema: Option<Glob>,
    name: Glob,
}

#[derive(Default)]
struct Glob(Vec<Token>);

#[derive(Clone, Copy, PartialEq)]
enum Token {
    Char(char),
    One,
    Any,
}

impl Pattern {
    pub(super) fn table(text: &str) -> Result<Self, Error> {
        let mut parts = parse(text)?;
        let bad = |why| Error::BadPattern { pattern: text.to_owned(), why };
        let name = parts.pop().ok_or_else(|| bad("it is empty"))?;
        let schema = parts.pop();
        if !parts.is_empty() {
            return Err(bad("it has more than two parts"));
        }
        Ok(Self { schema, name })
    }

    pub(super) fn schema(text: &str) -> Result<Self, Error> {
        let pattern = Self::table(text)?;
        if pattern.schema.is_some() {
            return Err(Error::BadPattern { pattern: text.to_owned(), why: "it has more than one part" });
        }
        Ok(pattern)
    }

    pub(super) fn matches(&self, schema: &str, name: &str) -> bool {
        self.name.matches(name) && self.schema.as_ref().is_none_or(|glob| glob.matches(schema))
    }

    pub(super) fn matches_schema(&self, name: &str) -> bool {
        self.name.matches(name)
    }
}

/// The parts between unquoted dots.
fn parse(text: &str) -> Result<Vec<Glob>, Error> {
    let bad = |why| Error::BadPattern { pattern: text.to_owned(), why };
    let mut parts = vec![Glob::default()];
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        let token = match char {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                Token::Char('"')
            }
            '"' => {
                quoted = !quoted;
                continue;
            }
            _ if quoted => Token::Char(char),
            '.' => {
                parts.push(Glob::default());
                continue;
            }
            '*' => Token::Any,
            '?' => Token::One,
            _ => {
                if let Some(part) = parts.last_mut() {
                    part.0.extend(char.to_lowercase().map(Token::Char));
                }
                continue;
            }
        };
        if let Some(part) = parts.last_mut() {
            part.0.push(token);
        }
    }
    if quoted {
        return Err(bad("a quote is not closed"));
    }
    if parts.iter().any(|part| part.0.is_empty()) {
        return Err(bad("a part of it is empty"));
    }
    Ok(parts)
}

impl Glob {
    /// Linear in the name for each `*`: it backs up to the last one only.
    fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let (mut at, mut token) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while at < name.len() {
            match self.0.get(token) {
                Some(Token::Any) => {
                    star = Some((token, at));
                    token += 1;
                }
                Some(Token::One) => {
                    at += 1;
                    token += 1;
                }
                Some(Token::Char(char)) if *char == name[at] => {
                    at += 1;
                    token += 1;
                }
                _ => match star {
                    Some((back, from)) => {
                        star = Some((back, from + 1));
                        at = from + 1;
                        token = back + 1;
                    }
                    None => return false,
                },
            }
        }
        self.0[token..].iter().all(|token| *token == Token::Any)
    }
}

/// At most three names that someone may have meant: the nearest.
pub(super) fn near(text: &str, names: impl Iterator<Item = String>) -> Vec<String> {
    let wanted = text.to_lowercase();
    let bare = |name: &str| name.rsplit('.').next().unwrap_or_default().to_lowercase();
    let limit = 1 + wanted.chars().count() / 4;
    let mut scored: Vec<(usize, String)> = names
        .map(|name| {
            let whole = distance(&wanted, &name.to_lowercase());
            (whole.min(distance(&bare(&wanted), &bare(&name))), name)
        })
        .filter(|(score, _)| *score <= limit)
        .collect();
    scored.sort();
    scored.dedup();
    let best = scored.first().map(|(score, _)| *score);
    scored.into_iter().filter(|(score, _)| Some(*score) == best).map(|(_, name)| name).take(3).collect()
}

/// Levenshtein's.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, schema: &str, name: &str) -> bool {
        Pattern::table(pattern).unwrap().matches(schema, name)
    }

    #[test]
    fn names_fold_and_quotes_keep() {
        assert!(matches("Users", "shop", "users"));
        assert!(!matches("Users", "shop", "Users"));
        assert!(matches("\"Users\"", "shop", "Users"));
        assert!(matches("shop.\"a.\"\"b*\"", "shop", "a.\"b*"));
        assert!(Pattern::table("we\"ird schema.tab le").is_err());
        assert!(Pattern::table("we\"ird schema.tab").is_err());
        assert!(Pattern::table("a.b.c").is_err());
        assert!(Pattern::table("").is_err());
        assert!(Pattern::table("shop.").is_err());
    }

    #[test]
    fn wildcards() {
        assert!(matches("shop.*", "shop", "anything"));
        assert!(!matches("shop.*", "public", "anything"));
        assert!(matches("*_log_??", "a", "x_log_log_12"));
        assert!(!matches("*_log_??", "a", "x_log_1"));
        assert!(matches("***", "a", ""));
        assert!(!matches(&"*a".repeat(40), "s", &"b".repeat(4000)));
    }

    #[test]
    fn what_was_meant() {
        let names = || ["shop.orders", "shop.users", "public.events"].map(str::to_owned).into_iter();
        assert_eq!(near("oders", names()), ["shop.orders"]);
        assert_eq!(near("public.users", names()), ["shop.users"]);
        assert_eq!(near("nothing like it", names()), Vec::<String>::new());
    }
}
