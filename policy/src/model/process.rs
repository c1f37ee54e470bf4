//! Commands that TypeScript and JavaScript start: strings that a shell gets
//! (`exec("pg_dump …")`, `` $`pg_dump …` ``) and lists (`spawn("pg_dump", ["-Fc"])`).
//!
//! Only literals are read. `${process.env.DATABASE_URL}` becomes `${DATABASE_URL}`;
//! of any other expression the last name stays.

use crate::parse::source::{Builder, Source};
use crate::path;

/// Programs by which a string is known as a command.
const PROGRAMS: [&str; 12] = [
    "pg_dump",
    "pg_dumpall",
    "pg_restore",
    "pg_basebackup",
    "psql",
    "supabase",
    "aws",
    "gsutil",
    "rclone",
    "gzip",
    "createdb",
    "dropdb",
];

/// Each command as a shell would read it; spans are of `text`.
pub fn scripts(text: &str) -> Vec<Source<'static>> {
    let literals = literals(text);
    let mut found = Vec::new();
    let mut index = 0;
    while let Some(literal) = literals.get(index) {
        index += 1;
        let body = literal.body(text);
        let first = body.split_whitespace().find(|word| !word.contains('=')).unwrap_or_default();
        let name = path::name(first);
        if !PROGRAMS.contains(&name) {
            continue;
        }
        if body.trim() != first {
            found.push(literal.source(text));
            continue;
        }
        // `spawn("pg_dump", [` with the list's literals as its arguments.
        let rest = text.get(literal.end..).unwrap_or_default();
        let list = rest.trim_start_matches([' ', '\n', '\r', '\t']);
        let Some(list) = list.strip_prefix(',').map(|list| list.trim_start_matches([' ', '\n', '\r', '\t']))
        else {
            continue;
        };
        if !list.starts_with('[') {
            continue;
        }
        let start = text.len() - list.len();
        let close = start + list.find(']').unwrap_or(list.len());
        let mut builder = Builder::default();
        builder.push(name, literal.start + 1);
        while let Some(argument) = literals.get(index).filter(|argument| argument.start < close) {
            builder.push(" '", argument.start);
            builder.push_source(&argument.source(text));
            builder.push("'", argument.end);
            index += 1;
        }
        found.push(builder.finish());
    }
    found
}

struct Literal {
    /// At the opening quote.
    start: usize,
    /// Behind the closing one.
    end: usize,
    quote: u8,
}

impl Literal {
    fn body<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.start + 1..self.end.saturating_sub(1)).unwrap_or_default()
    }

    /// The text with its escapes undone and its expressions as variables.
    fn source(&self, text: &str) -> Source<'static> {
        let mut builder = Builder::default();
        let body = self.body(text);
        let mut at = 0;
        while let Some(rest) = body.get(at..).filter(|rest| !rest.is_empty()) {
            let here = self.start + 1 + at;
            if self.quote == b'`' && rest.starts_with("${") {
                let end = expression_end(rest);
                let name = last_name(rest.get(2..end).unwrap_or_default());
                builder.push(&format!("${{{name}}}"), here);
                at += (end + 1).min(rest.len());
            } else if let Some(escaped) = rest.strip_prefix('\\') {
                let next = escaped.chars().next().unwrap_or_default();
                match next {
                    'n' => builder.push("\n", here),
                    '\n' => {}
                    other => builder.push(other.encode_utf8(&mut [0; 4]), here + 1),
                }
                at += 1 + next.len_utf8();
            } else {
                let stop = |c: char| c == '\\' || c == '$';
                let length = rest.chars().next().map_or(1, char::len_utf8);
                let end = rest
                    .get(length..)
                    .and_then(|rest| rest.find(stop))
                    .map_or(rest.len(), |end| end + length);
                builder.push(rest.get(..end).unwrap_or_default(), here);
                at += end;
            }
        }
        builder.finish()
    }
}

/// The `}` of `${…}`; braces inside of it are counted.
fn expression_end(rest: &str) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return at,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    rest.len()
}

/// `process.env.DATABASE_URL` is `DATABASE_URL`, `config.url()` is `url`.
fn last_name(expression: &str) -> String {
    let mut words = expression.rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let name = words.find(|word| word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'));
    name.unwrap_or("value").to_owned()
}

/// Strings and templates; comments and regular expressions with quotes in them are
/// passed over as far as a line tells.
fn literals(text: &str) -> Vec<Literal> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'/' if bytes.get(at + 1) == Some(&b'/')
                && at.checked_sub(1).is_none_or(|before| bytes.get(before) != Some(&b':')) =>
            {
                at += text.get(at..).and_then(|rest| rest.find('\n')).unwrap_or(text.len() - at);
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                at += text
                    .get(at + 2..)
                    .and_then(|rest| rest.find("*/"))
                    .map_or(text.len() - at, |end| end + 4);
            }
            quote @ (b'"' | b'\'' | b'`') => {
                let end = closing(bytes, at, *quote);
                if let Some(end) = end {
                    found.push(Literal { start: at, end: end + 1, quote: *quote });
                }
                at = end.map_or(at + 1, |end| end + 1);
            }
            _ => at += 1,
        }
    }
    found
}

/// A quote that is not closed on its line opens no string; a template may run on.
fn closing(bytes: &[u8], start: usize, quote: u8) -> Option<usize> {
    /// Bytes of one literal: a backtick in a regular expression opens none that ends.
    const LENGTH: usize = 64 << 10;
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at).filter(|_| at - start < LENGTH) {
        match byte {
            b'\\' => at += 1,
            b'\n' if quote != b'`' => return None,
            byte if *byte == quote => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(text: &str) -> Vec<String> {
        scripts(text).iter().map(|source| source.text().to_owned()).collect()
    }

    #[test]
    fn commands_are_found_in_strings_and_lists() {
        assert_eq!(
            told(
                "await execAsync(\n  `pg_dump \"${process.env.DATABASE_URL}\" --file=\"/b/${filename}\"`\n);"
            ),
            ["pg_dump \"${DATABASE_URL}\" --file=\"/b/${filename}\""]
        );
        assert_eq!(
            told("spawn('pg_dump', ['-Fc', `--file=${out}`, url])"),
            ["pg_dump '-Fc' '--file=${out}'"]
        );
        assert_eq!(
            told("exec(\"PGPASSWORD=x pg_dump db | gzip > \\\"a b\\\"\")"),
            ["PGPASSWORD=x pg_dump db | gzip > \"a b\""]
        );
        assert_eq!(
            told("// exec('pg_dump x')\nconst a = 'it is pg_dump'; /* 'psql x' */ log('psql')"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn spans_are_those_of_the_file() {
        let text = "exec(`pg_dump ${a.b} -f x.sql`)";
        let source = &scripts(text)[0];
        let at = source.text().find("x.sql").unwrap();
        let span = source.span(at, at + 5);
        assert_eq!(&text[span.start..span.end], "x.sql");
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[`'\"$\\{}\\[\\],/*\n pg_dumpé-]{0,60}") {
            for source in scripts(&text) {
                let span = source.span(0, source.text().len());
                prop_assert!(span.start <= span.end && span.end <= text.len());
            }
        }
    }
}
