//! The words that people put where a secret belongs, and how to read a value as
//! a row of them (`mysecretpassword` is three). Folded text in, flags out.

/// Asks the reader to do something.
pub(super) const INSTRUCTS: u8 = 1;
/// Means "secret" in some language.
pub(super) const NAMES: u8 = 2;
/// Stands for a user, a host or a project.
pub(super) const STANDS_IN: u8 = 4;

/// A value that is longer is never read as words.
pub(super) const LIMIT: usize = 48;
/// The flags of the words that make up the whole of `folded`, or `None` where
/// something in it is no word that we know.
pub(super) fn all_words(folded: &str) -> Option<u8> {
    let mut all = 0;
    let mut any = false;
    for part in folded.split_whitespace() {
        // Articles and "and".
        if matches!(part, "a" | "e" | "o" | "l" | "d" | "y" | "i" | "u") {
            continue;
        }
        all |= segments(part)?;
        any = true;
    }
    any.then_some(all)
}

/// A part without separators. The strongest reading wins.
fn segments(part: &str) -> Option<u8> {
    let bytes = part.as_bytes();
    if bytes.len() > LIMIT {
        return None;
    }
    if !bytes.iter().all(u8::is_ascii_lowercase) {
        return lookup(part);
    }
    // `reached` is apart from `flags`, since a word may have none.
    let mut reached = [false; LIMIT + 1];
    let mut flags = [0_u8; LIMIT + 1];
    reached[0] = true;
    for start in 0..bytes.len() {
        if !reached[start] {
            continue;
        }
        let before = flags[start];
        words_at(&bytes[start..], |length, found| {
            reached[start + length] = true;
            flags[start + length] |= before | found;
        });
    }
    reached[bytes.len()].then_some(flags[bytes.len()])
}

/// Every word of two letters or more that `text` starts with, shortest first. A list
/// in order is a tree: each letter leaves a narrower part of it, soon none.
fn words_at(text: &[u8], mut found: impl FnMut(usize, u8)) {
    for (words, flags) in LISTS {
        let mut left = *words;
        for (at, letter) in text.iter().enumerate() {
            let letter_of = |word: &&str| word.as_bytes().get(at).copied();
            let start = left.partition_point(|word| letter_of(word) < Some(*letter));
            left = left.get(start..).unwrap_or_default();
            let end = left.partition_point(|word| letter_of(word) <= Some(*letter));
            left = left.get(..end).unwrap_or_default();
            match left.first() {
                None => break,
                Some(word) if word.len() == at + 1 && at > 0 => found(at + 1, *flags),
                Some(_) => {}
            }
        }
    }
}

pub(super) fn lookup(word: &str) -> Option<u8> {
    LISTS.iter().find(|(words, _)| words.binary_search(&word).is_ok()).map(|(_, flags)| *flags)
}

const LISTS: &[(&[&str], u8)] =
    &[(PLAIN, 0), (SECRETS, NAMES), (INSTRUCTIONS, INSTRUCTS), (STAND_INS, STANDS_IN)];

/// Products, roles and small words: alone, they are a default.
#[rustfmt::skip]
const PLAIN: &[&str] = &[
    "admin", "administrator", "an", "and", "api", "app", "at", "auth", "aws", "azure", "azureuser",
    "backup", "base", "bucket", "characters", "ci", "client", "cluster", "code", "connection",
    "correct", "customer", "dados", "data", "database", "db", "de", "default", "del", "demo", "dev",
    "develop", "development", "different", "do", "docker", "en", "encryption", "env", "for", "from",
    "good", "guest", "hello", "helloworld", "if", "in", "is", "it", "jwt", "la", "le", "least",
    "letmein", "local", "localdev", "long", "main", "manager", "mariadb", "master", "maybe", "me",
    "meu", "mi", "minio", "minioadmin", "minioadmin123", "mongo", "mongodb", "must", "my", "myapp",
    "mysql", "neon", "never", "new", "no", "nobody", "node", "not", "nova", "of", "old", "or",
    "our", "own", "owner", "pg", "postgres", "postgresql", "private", "prod", "production",
    "qwerty", "rabbitmq", "read", "readonly", "redis", "replica", "restore", "role", "root", "run",
    "sa", "secure", "securely", "service", "sicher", "source", "staging", "storage", "strong",
    "supabase", "super", "superuser", "system", "target", "test", "testing", "tests", "testuser",
    "that", "the", "to", "tomcat", "too", "toor", "top", "vagrant", "valid", "very", "welcome",
    "with", "world", "write",
];

/// "Password" and its like.
#[rustfmt::skip]
const SECRETS: &[&str] = &[
    "adgangskode", "clave", "contrasena", "contrasenya", "contrasinal", "credential", "credentials",
    "dbpass", "geslo", "gizli", "haslo", "heslo", "jelszo", "katasandi", "kennwort", "key",
    "losenord", "lozinka", "matkhau", "mdp", "mot", "motdepasse", "mypassword", "parola", "parole",
    "pass", "passcode", "passe", "passord", "passphrase", "passwd", "password", "passwords",
    "passwort", "psw", "pw", "pwd", "salasana", "sandi", "secret", "secreto", "secrets", "segredo",
    "senha", "sifre", "token", "wachtwoord",
];

/// What the reader is to do, or what was done to the value.
#[rustfmt::skip]
const INSTRUCTIONS: &[&str] = &[
    "actual", "add", "anon", "anoncvs", "anonymous", "aqui", "ask", "bar", "baz", "blank",
    "cambiame", "cambiar", "cert", "change", "changed", "changeit", "changeme", "choose", "compat",
    "dummy", "edit", "elided", "empty", "enter", "example", "exemple", "exemplo", "fake", "false",
    "file", "files", "fill", "fixme", "foo", "foobar", "generate", "generated", "get", "here",
    "hidden", "hier", "hunter2", "ici", "ident", "ihr", "insert", "keyring", "ldap", "literal",
    "masked", "md5", "missing", "mock", "nil", "none", "null", "omitted", "optional", "pam",
    "paste", "peer", "placeholder", "please", "prompt", "provide", "qux", "random", "randomly",
    "real", "redacted", "removed", "replace", "replaced", "replaceme", "required", "sample",
    "scram", "see", "set", "seu", "some", "somepassword", "something", "stdin", "string",
    "stripped", "sua", "tbd", "text", "this", "todo", "true", "trust", "tu", "tua", "tuo", "type",
    "undefined", "unknown", "unset", "update", "use", "value", "votre", "yes", "you", "your",
    "yourpassword", "yours",
];

/// Users, hosts and projects that stand for one.
#[rustfmt::skip]
const STAND_INS: &[&str] = &[
    "account", "address", "alice", "banco", "benutzer", "benutzername", "bob", "dbname", "dbuser",
    "doe", "domain", "endpoint", "gebruiker", "gebruikersnaam", "host", "hostname", "id",
    "instance", "ip", "jane", "janedoe", "john", "johndoe", "kullanici", "login", "mydatabase",
    "mydb", "name", "nome", "port", "project", "projectid", "projectref", "projekt", "projet",
    "proyecto", "ref", "reference", "region", "remote", "server", "servername", "uri", "url",
    "user", "username", "usr", "usuario", "utente", "utilisateur",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_in_order_and_share_no_word() {
        let mut all: Vec<&str> = Vec::new();
        for (words, _) in LISTS {
            for pair in words.windows(2) {
                assert!(pair[0] < pair[1], "{} before {}", pair[0], pair[1]);
            }
            all.extend(words.iter().copied());
        }
        all.sort_unstable();
        for pair in all.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
    }

    #[test]
    fn a_row_of_words_is_read_with_and_without_separators() {
        assert_eq!(all_words("mysecretpassword"), Some(NAMES));
        assert_eq!(all_words("your password"), Some(INSTRUCTS | NAMES));
        assert_eq!(all_words("postgres"), Some(0));
        assert_eq!(all_words("postgresx"), None);
        assert_eq!(all_words(""), None);
    }
}
