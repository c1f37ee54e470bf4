//! Whether rows follow a statement, by its key. Whoever is wrong about that takes
//! rows for statements or statements for rows, so only one form of COPY passes.

/// A COPY of another form.
pub(super) struct Other;

/// `COPY name [(columns)] FROM STDIN ...` takes rows; other statements do not.
pub(super) fn takes_rows(key: &[u8]) -> Result<bool, Other> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..);
    let Some(rest) = key.strip_prefix(b"COPY").filter(|rest| !rest.first().is_some_and(is_word)) else {
        return Ok(false);
    };
    let is_name = |byte: &u8| is_word(byte) || matches!(byte, b'"' | b'.');
    let rest = rest.trim_ascii_start();
    let name = rest.iter().take_while(|byte| is_name(byte)).count();
    let mut rest = rest[name..].trim_ascii_start();
    if let Some(columns) = rest.strip_prefix(b"(") {
        let length = columns.iter().take_while(|byte| is_name(byte) || matches!(byte, b',' | b' ')).count();
        rest = columns[length..].strip_prefix(b")").ok_or(Other)?.trim_ascii_start();
    }
    let rest = rest.strip_prefix(b"FROM STDIN").ok_or(Other)?;
    if name > 0 && !rest.first().is_some_and(is_name) { Ok(true) } else { Err(Other) }
}
