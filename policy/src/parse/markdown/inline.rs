//! Text without its marks: emphasis, code, links.

/// What a reader sees: `**RPO**: [one hour](x)` is `RPO: one hour`. Underscores
/// within words stay.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        match first {
            '_' if !before.is_alphanumeric() || !after.starts_with(char::is_alphanumeric) => {}
            '\\' if after.starts_with(|c: char| c.is_ascii_punctuation()) => {
                let escaped = after.chars().next().unwrap_or_default();
                out.push(escaped);
                before = escaped;
                rest = &after[escaped.len_utf8()..];
                continue;
            }
            // An image or a link is its text.
            '!' if after.starts_with('[') => {}
            ']' if after.starts_with('(') => {
                // A target is short; else this is no link.
                let limit = after.floor_char_boundary(512);
                if let Some(close) = after[..limit].find(')') {
                    rest = &after[close + 1..];
                    continue;
                }
            }
            '*' | '`' | '[' | ']' => {}
            _ => out.push(first),
        }
        before = first;
        rest = after;
    }
    out.trim().to_owned()
}
