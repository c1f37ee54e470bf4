//! SQL identifiers: split a qualified name as the server prints it into its
//! bare parts, and quote a bare part again.

/// `public."Order Items".id` into `public`, `Order Items`, `id`. Text outside
/// quotes is taken as it stands.
pub fn split(qualified: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    let mut characters = qualified.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                push(&mut parts, '"');
            }
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            _ => push(&mut parts, character),
        }
    }
    parts
}

fn push(parts: &mut [String], character: char) {
    if let Some(last) = parts.last_mut() {
        last.push(character);
    }
}

/// An identifier in double quotes, whatever it holds.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string literal in single quotes, safe with `standard_conforming_strings`
/// on or off.
pub fn literal(text: &str) -> String {
    if text.contains('\\') {
        format!(" E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_come_apart() {
        assert_eq!(split("orders"), ["orders"]);
        assert_eq!(split("public.orders"), ["public", "orders"]);
        assert_eq!(split(r#"public."a.b"."c ""d""""#), ["public", "a.b", "c \"d\""]);
        assert_eq!(literal(r"it's a \ here"), r" E'it''s a \\ here'");
    }

    proptest! {
        #[test]
        fn what_is_quoted_splits_back(names in proptest::collection::vec(".*", 1..4)) {
            let joined = names.iter().map(|name| quote(name)).collect::<Vec<_>>().join(".");
            prop_assert_eq!(split(&joined), names);
        }
    }
}
