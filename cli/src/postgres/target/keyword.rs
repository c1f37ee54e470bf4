//! `key=value` connection strings, by libpq's rules (`conninfo_parse`,
//! fe-connect.c): blanks around `=`, single quotes, backslash escapes.

use super::parameters::Parameters;
use crate::postgres::Error;

pub(super) fn parse(text: &str) -> Result<Parameters, Error> {
    let mut parameters = Parameters::default();
    let mut rest = text.trim_start_matches(blank);
    while !rest.is_empty() {
        let end = rest.find(|c| c == '=' || blank(c)).unwrap_or(rest.len());
        let keyword = &rest[..end];
        let Some(after) = rest[end..].trim_start_matches(blank).strip_prefix('=') else {
            return Err(Error::BadTarget { reason: "a parameter has no '='".to_owned() });
        };
        let (value, left) = value(after.trim_start_matches(blank))?;
        parameters.set(keyword, value)?;
        rest = left.trim_start_matches(blank);
    }
    Ok(parameters)
}

/// One value and what follows it.
fn value(text: &str) -> Result<(String, &str), Error> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut characters = text.char_indices().skip(usize::from(quoted));
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            '\'' if quoted => return Ok((value, &text[at + 1..])),
            c if !quoted && blank(c) => return Ok((value, &text[at..])),
            c => value.push(c),
        }
    }
    if quoted {
        return Err(Error::BadTarget { reason: "a quoted value has no closing quote".to_owned() });
    }
    Ok((value, ""))
}

/// C's `isspace`.
fn blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_libpq_reads_them() {
        for (text, keyword, expected) in [
            ("host=a", "host", "a"),
            ("  host = a  port=1", "host", "a"),
            ("host=a port = 1", "port", "1"),
            (r"password='a b\'c\\d'", "password", r"a b'c\d"),
            (r"password=a\ b", "password", "a b"),
            ("password=a'b", "password", "a'b"),
            ("host='' port=1", "host", ""),
            ("host= port=1", "host", "port=1"),
            ("host=a host=b", "host", "b"),
            ("dbname='x'port=1", "port", "1"),
        ] {
            assert_eq!(parse(text).ok().unwrap().given(keyword), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_libpq_refuses_is_refused() {
        for text in ["host", "host=a port", "host='a", "foo=1", "=1", "host=a b=1"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
