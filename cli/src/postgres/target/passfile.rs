//! Password files (`~/.pgpass`), by libpq's rules (`passwordFromFile`,
//! fe-connect.c): five fields, `*` for any, backslash before `:` and `\`; a file
//! that others may read is left alone, with a warning.

use std::path::PathBuf;

use secrecy::SecretString;

use super::Host;

/// The lines of one password file.
#[derive(Clone, Default)]
pub(super) struct Passfile {
    pub(super) path: Option<PathBuf>,
    entries: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    /// Host, port, database, user; `None` is `*`.
    fields: [Option<String>; 4],
    password: SecretString,
}

impl Passfile {
    /// Read a file; one that is not there holds nothing. The second value says
    /// why a file that is there was left alone.
    pub(super) fn read(path: PathBuf) -> (Self, Option<String>) {
        let (text, warning) = match std::fs::metadata(&path) {
            Err(_) => (None, None),
            Ok(found) if !found.is_file() => {
                (None, Some(format!("password file '{}' is ignored: it is not a plain file", path.display())))
            }
            Ok(found) if open_to_others(&found) => (
                None,
                Some(format!(
                    "password file '{0}' is ignored: group or others have access to it; run `chmod 0600 {0}`",
                    path.display()
                )),
            ),
            Ok(_) => match std::fs::read_to_string(&path) {
                Ok(text) => (Some(text), None),
                Err(error) => {
                    (None, Some(format!("password file '{}' cannot be read: {error}", path.display())))
                }
            },
        };
        let entries = text.map(|text| entries(&text)).unwrap_or_default();
        (Self { path: Some(path), entries }, warning)
    }

    /// The password of the first line that fits.
    pub(super) fn password(&self, host: &Host, database: &str, user: &str) -> Option<SecretString> {
        let asked = [host.passfile_name(), &host.port.to_string(), database, user];
        self.entries
            .iter()
            .find(|entry| {
                entry
                    .fields
                    .iter()
                    .zip(asked)
                    .all(|(field, asked)| field.as_ref().is_none_or(|field| field == asked))
            })
            .map(|entry| entry.password.clone())
    }
}

#[cfg(unix)]
fn open_to_others(found: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    found.permissions().mode() & 0o077 != 0
}

fn entries(text: &str) -> Vec<Entry> {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .filter_map(|line| {
            let mut fields = fields(line).into_iter();
            let mut any = || fields.next().map(|(raw, field)| (raw != "*").then_some(field));
            let four = [any()?, any()?, any()?, any()?];
            let (_, password) = fields.next()?;
            Some(Entry { fields: four, password: password.into() })
        })
        .collect()
}

/// Split at colons that no backslash precedes: each field raw and unescaped.
fn fields(line: &str) -> Vec<(String, String)> {
    let mut fields = vec![(String::new(), String::new())];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == ':' {
            fields.push((String::new(), String::new()));
            continue;
        }
        let Some((raw, plain)) = fields.last_mut() else { break };
        raw.push(character);
        if character == '\\'
            && let Some(escaped) = characters.next()
        {
            raw.push(escaped);
            plain.push(escaped);
        } else {
            plain.push(character);
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn lookup(text: &str, host: &str, port: u16, database: &str, user: &str) -> Option<String> {
        let file = Passfile { path: None, entries: entries(text) };
        let host = Host::new(host, None, port);
        file.password(&host, database, user).map(|password| password.expose_secret().to_owned())
    }

    #[test]
    fn the_first_line_that_fits_wins() {
        let text = "# all\n\nother:5432:*:*:no\ndb:5432:shop:app:one\ndb:*:*:app:two\n*:*:*:*:last\n";
        assert_eq!(lookup(text, "db", 5432, "shop", "app").unwrap(), "one");
        assert_eq!(lookup(text, "db", 5433, "shop", "app").unwrap(), "two");
        assert_eq!(lookup(text, "x", 1, "y", "z").unwrap(), "last");
        assert_eq!(lookup("db:5432:shop:app:one", "db", 5432, "shop", "me"), None);
    }

    #[test]
    fn escapes_are_undone_and_short_lines_skipped() {
        assert_eq!(lookup(r"*:*:a\:b:u:p\:q\\r:rest", "h", 1, "a:b", "u").unwrap(), r"p:q\r");
        assert_eq!(lookup(r"::1:5432:d:u:p", "::1", 5432, "d", "u"), None);
        assert_eq!(lookup(r"\:\:1:5432:d:u:p", "::1", 5432, "d", "u").unwrap(), "p");
        assert_eq!(lookup(r"\*:1:d:u:p", "h", 1, "d", "u"), None);
        assert_eq!(lookup("h:1:d:u", "h", 1, "d", "u"), None);
    }

    #[test]
    fn a_socket_in_the_default_directory_is_localhost() {
        assert_eq!(
            lookup("localhost:1:*:*:p", super::super::default_socket_directory(), 1, "d", "u").unwrap(),
            "p"
        );
        assert_eq!(lookup("/run/x:1:*:*:p", "/run/x", 1, "d", "u").unwrap(), "p");
    }

    #[test]
    fn a_file_that_others_may_read_is_left_alone_with_a_warning() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pgpass");
        std::fs::write(&path, "*:*:*:*:hunter2\n").unwrap();
        let host = Host::new("db", None, 5432);
        for (mode, taken) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let (file, warning) = Passfile::read(path.clone());
            assert_eq!(file.password(&host, "d", "u").is_some(), taken, "{mode:o}");
            assert_eq!(warning.is_none(), taken, "{mode:o}");
            assert!(!warning.unwrap_or_default().contains("hunter2"));
        }
    }
}
