//! Values that are filled in elsewhere: by a shell, a CI system, a template engine,
//! a secret store, or code. Judged by their shape alone.

use super::vocabulary::lookup;

/// Filled in by a shell, a CI system, a template engine, a secret store or code.
pub(super) fn is_template(value: &str) -> bool {
    let value = value.trim().trim_start_matches('\\');
    if value.is_empty() {
        return true;
    }
    let first = value.as_bytes()[0].to_ascii_lowercase();
    let refers = |start: &&str| start.as_bytes()[0] == first && starts_with_ignoring_case(value, start);
    if REFERENCES.iter().any(refers) {
        return true;
    }
    if HASHES.iter().any(|start| value.starts_with(start)) {
        return true;
    }
    let bytes = value.as_bytes();
    let whole = |open: u8, close: u8| bytes.len() > 2 && bytes[0] == open && bytes[bytes.len() - 1] == close;
    if matches!(value, "?" | "{}" | "%s" | "%v" | "%q" | "%d" | "%w" | "%r" | "%@")
        || whole(b'`', b'`')
        || whole(b'[', b']')
        || whole(b'{', b'}')
        || (whole(b'%', b'%') && is_name(&value[1..value.len() - 1]))
        || (whole(b'@', b'@') && is_name(&value[1..value.len() - 1]))
        || (value.len() > 4 && value.starts_with("__") && value.ends_with("__"))
    {
        return true;
    }
    // psql's variables: `:pw`, `:'pw'`.
    if let Some(rest) = value.strip_prefix(':')
        && is_name(rest.trim_matches(['\'', '"']))
    {
        return true;
    }
    if let Some(rest) = value.strip_prefix('$') {
        let name =
            rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_').len();
        let after = rest.as_bytes().get(name).copied();
        if (name > 0 && matches!(after, None | Some(b'.' | b'[' | b'-' | b':' | b'>')))
            || rest.starts_with("$(")
        {
            return true;
        }
    }
    bytes.iter().enumerate().any(|(at, byte)| match byte {
        b'$' => opens_variable(&bytes[at + 1..]),
        b'{' => bytes.get(at + 1) == Some(&b'{') || closes_hole(&bytes[at + 1..], b'}'),
        b'<' => bytes.get(at + 1) == Some(&b'%') || closes_hint(&bytes[at + 1..], b'>'),
        b'[' => closes_capitals(&bytes[at + 1..]),
        b'%' if matches!(bytes.get(at + 1), Some(b's' | b'v' | b'd' | b'q')) => {
            !bytes.get(at + 2).is_some_and(u8::is_ascii_alphanumeric)
        }
        b'#' | b'%' => {
            bytes.get(at + 1) == Some(&b'{') || (*byte == b'%' && bytes.get(at + 1) == Some(&b'('))
        }
        _ => false,
    })
}

fn opens_variable(rest: &[u8]) -> bool {
    match rest.first() {
        Some(b'{' | b'(') => true,
        Some(b'A'..=b'Z' | b'_') => {
            rest.iter().take_while(|byte| byte.is_ascii_uppercase() || **byte == b'_').count() >= 3
        }
        _ => false,
    }
}

/// `{name}`, `{config['pw']}`: only what names something.
fn closes_hole(rest: &[u8], close: u8) -> bool {
    let Some(end) = rest.iter().take(64).position(|byte| *byte == close) else { return false };
    end > 0
        && (rest[0].is_ascii_alphabetic() || rest[0] == b'_')
        && rest[..end].iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.[]'\"!:-()".contains(byte))
}

/// `<your password>`.
fn closes_hint(rest: &[u8], close: u8) -> bool {
    let Some(end) = rest.iter().take(64).position(|byte| *byte == close) else { return false };
    end > 1
        && rest[..end]
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b" _-.:/'".contains(byte) || !byte.is_ascii())
}

/// `[YOUR-PASSWORD]` inside something longer.
fn closes_capitals(rest: &[u8]) -> bool {
    let Some(end) = rest.iter().take(64).position(|byte| *byte == b']') else { return false };
    end > 1 && rest[..end].iter().all(|byte| byte.is_ascii_uppercase() || b" _-".contains(byte))
}

fn is_name(text: &str) -> bool {
    text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

fn starts_with_ignoring_case(text: &str, start: &str) -> bool {
    text.as_bytes().get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
}

/// `DB_PASSWORD`, `config.password`, `self.password`: the name of where it is.
pub(super) fn is_reference(value: &str) -> bool {
    let parts = || value.split(['_', '.']);
    let capitals =
        value.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    if capitals && value.contains('_') && value.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return !value.bytes().any(|byte| byte.is_ascii_digit())
            || parts().any(|part| lookup(&part.to_ascii_lowercase()).is_some());
    }
    let dotted = value.contains('.') && parts().all(|part| is_name(part) && !part.contains('-'));
    dotted && parts().any(|part| lookup(&part.to_ascii_lowercase()).is_some())
}

/// How other systems say "look there".
const REFERENCES: &[&str] = &[
    "op://",
    "vault:",
    "vault://",
    "!vault",
    "$ansible_vault",
    "enc[",
    "enc(",
    "enc:",
    "ref+",
    "arn:aws",
    "projects/",
    "sm://",
    "gsm:",
    "ssm:",
    "ssm://",
    "secretsmanager:",
    "awssm:",
    "kms:",
    "keyvault",
    "@microsoft.keyvault(",
    "keyring:",
    "env:",
    "fd:",
    "env.",
    "env(",
    "file:",
    "file(",
    "sops:",
    "secret:",
    "secret://",
    "secrets.",
    "doppler:",
    "infisical:",
    "bws:",
    "process.env",
    "os.environ",
    "os.getenv",
    "getenv(",
    "env[",
    "system.getenv",
    "import.meta",
    "deno.env",
    "bun.env",
    "var.",
    "local.",
    "data.",
    "module.",
    "!ref",
    "!sub",
    "!getatt",
    "!env",
    "!secret",
    "lookup(",
    "$__file",
    "$env:",
    "self.",
    "this.",
    "config.",
    "settings.",
    "params.",
    "args.",
    "options.",
    "opts.",
    "cfg.",
    "conf.",
    "credentials.",
    "/run/secrets/",
    "/etc/",
    "/var/",
    "/home/",
    "/root/",
    "/tmp/",
    "/opt/",
    "/vault/",
    "/secrets/",
    "/dev/",
    "./",
    "../",
    "~/",
    "http://",
    "https://",
    "sha256:",
    "base64:",
    "<%",
    "pass show",
    "bundle exec",
];

/// A hash is what a password was turned into, not the password.
const HASHES: &[&str] =
    &["$2a$", "$2b$", "$2y$", "$argon2", "$6$", "$5$", "$1$", "{SSHA", "{SHA", "pbkdf2", "$pbkdf2", "$scram"];
