//! Statements, and that every token lies in the text.

use backstop_policy::parse::sql;

pub fn read(text: &str) {
    for statement in sql::parse(text).statements {
        let _ = statement.copy();
        for token in &statement.tokens {
            assert!(text.get(token.span.start..token.span.end).is_some(), "{:?}", token.span);
        }
    }
}
