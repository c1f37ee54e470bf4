//! Short SQL texts that pg_dump wrote (grants, settings, roles), taken apart:
//! statements and tokens, with quotes understood. They come from an archive that
//! anybody may have made: what is run is written anew, from the tokens alone.

use backstop_policy::identifier::{literal, quote};

/// One token and the bytes that it stands at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub start: usize,
    pub end: usize,
    pub kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A word as it stands; SQL takes keywords in any case, and folds names.
    Word(String),
    /// A quoted name, without its quotes.
    Name(String),
    /// The value of a string.
    Text(String),
    Sign(char),
}

impl Token {
    pub fn is_word(&self, word: &str) -> bool {
        matches!(&self.kind, Kind::Word(found) if found.eq_ignore_ascii_case(word))
    }

    /// A name, quoted or not.
    pub fn name(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(name) | Kind::Name(name) => Some(name),
            _ => None,
        }
    }
}

/// Tokens without blanks and comments.
pub fn tokens(sql: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = sql.char_indices().peekable();
    while let Some((start, first)) = rest.next() {
        let kind = match first {
            '-' if rest.next_if(|(_, next)| *next == '-').is_some() => {
                while rest.next_if(|(_, next)| *next != '\n').is_some() {}
                continue;
            }
            '\'' | '"' => {
                let escapes = first == '\''
                    && matches!(tokens.last(), Some(Token { end, kind: Kind::Word(e), .. })
                    if *end == start && e.eq_ignore_ascii_case("e"));
                if escapes {
                    tokens.pop();
                }
                let mut text = String::new();
                let mut understood = true;
                while let Some((_, inner)) = rest.next() {
                    match inner {
                        '\\' if escapes => match rest.next() {
                            Some((_, plain @ ('\\' | '\''))) => text.push(plain),
                            _ => understood = false,
                        },
                        _ if inner == first && rest.next_if(|(_, next)| *next == first).is_none() => break,
                        _ => text.push(inner),
                    }
                }
                match first {
                    _ if !understood => Kind::Sign('\\'),
                    '"' => Kind::Name(text),
                    _ => Kind::Text(text),
                }
            }
            _ if first.is_whitespace() => continue,
            _ if first.is_alphanumeric() || first == '_' => {
                let mut word = String::from(first);
                while let Some((_, next)) =
                    rest.next_if(|(_, next)| next.is_alphanumeric() || matches!(next, '_' | '$'))
                {
                    word.push(next);
                }
                Kind::Word(word)
            }
            sign => Kind::Sign(sign),
        };
        let end = rest.peek().map_or(sql.len(), |(next, _)| *next);
        tokens.push(Token { start, end, kind });
    }
    tokens
}

/// One statement again. `None` where it holds what pg_dump writes into none of
/// these: a comment, a dollar quote, an escape, parentheses, a second statement.
pub fn written(tokens: &[Token]) -> Option<String> {
    let mut sql = String::new();
    let mut end = 0;
    let mut after_dot = false;
    for token in tokens {
        let is_dot = token.kind == Kind::Sign('.');
        if !(sql.is_empty() || token.start == end && (is_dot || after_dot)) {
            sql.push(' ');
        }
        match &token.kind {
            Kind::Word(word) => sql.push_str(word),
            Kind::Name(name) => sql.push_str(&quote(name)),
            Kind::Text(text) => sql.push_str(&literal(text)),
            Kind::Sign(sign @ (',' | '=' | '.' | '-' | '+')) => sql.push(*sign),
            Kind::Sign(_) => return None,
        }
        (end, after_dot) = (token.end, is_dot);
    }
    Some(sql)
}

/// Single statements, without their semicolons.
pub fn statements(sql: &str) -> Vec<&str> {
    let mut statements = Vec::new();
    let mut from = None;
    for token in tokens(sql) {
        if token.kind == Kind::Sign(';') {
            if let Some(from) = from.take() {
                statements.push(&sql[from..token.start]);
            }
        } else if from.is_none() {
            from = Some(token.start);
        }
    }
    statements.extend(from.map(|from| sql[from..].trim_end()));
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_come_apart_outside_quotes() {
        let sql = "-- a; comment\nALTER ROLE \"a;b\" SET x TO 'it''s; so';\n\nGRANT a TO b";
        assert_eq!(statements(sql), ["ALTER ROLE \"a;b\" SET x TO 'it''s; so'", "GRANT a TO b"]);
        assert_eq!(statements(" ; ;\n"), [""; 0]);
    }

    #[test]
    fn tokens_keep_their_place() {
        let sql = "GRANT ALL ON DATABASE \"my \"\"db\" TO x$1;";
        let found = tokens(sql);
        let name = &found[4];
        assert_eq!(name.name(), Some("my \"db"));
        assert_eq!(&sql[name.start..name.end], "\"my \"\"db\"");
        assert!(found[2].is_word("on") && found[6].name() == Some("x$1"));
        assert_eq!(tokens(r"E'a\'b'")[0].kind, Kind::Text("a'b".to_owned()));
    }

    #[test]
    fn only_what_is_understood_is_written_again() {
        let again = |sql| written(&tokens(sql));
        assert_eq!(
            again(r#"alter ROLE "a ""b" SET x.y TO 'it''s', "c", 0.5=-1"#).as_deref(),
            Some(r#"alter ROLE "a ""b" SET x.y TO 'it''s' , "c" , 0.5 = - 1"#)
        );
        assert_eq!(again(r"COMMENT ON ROLE a IS E'b\\c'").as_deref(), Some(r"COMMENT ON ROLE a IS  E'b\\c'"));
        for hostile in [
            "CREATE ROLE a /* ' */; DROP DATABASE b; --'",
            "CREATE ROLE a $$'$$; DROP DATABASE b --'",
            "CREATE ROLE a (b)",
            r"COMMENT ON ROLE a IS E'\x27'",
            r"COMMENT ON ROLE a IS U&'\0027'",
        ] {
            let statements = statements(hostile);
            assert_eq!(written(&tokens(statements[0])), None, "{hostile}");
        }
    }
}
