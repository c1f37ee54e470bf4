//! What a name promises about its value: `PGPASSWORD`, `spring.datasource.password`,
//! `--passphrase`, `repo1-s3-key-secret`. The last word decides, the ones before it
//! say whose it is.

use std::ops::Range;

use super::Kind;
use super::scan::{Scan, is_word};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub range: Range<usize>,
    pub kind: Kind,
    pub shape: Shape,
    /// The server itself is set up with it.
    pub creates: bool,
    pub evidence: Evidence,
    /// Written as an option: `--password`.
    pub option: bool,
}

/// How far a name proves by itself that a secret follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    /// It says whose: `PGPASSWORD`, `db.password`, `RESTIC_PASSWORD`.
    Owned,
    /// A variable of the environment; in code, any constant.
    Capitals,
    Plain,
    /// `pass`, which test runners print too.
    Pass,
}

/// What a value must look like to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Whatever a person may choose.
    Chosen,
    /// Made by a machine: long, letters and figures.
    Made,
}

/// The name around an anchor, if it is one that a secret follows.
pub(super) fn read(scan: &Scan<'_>, hit: &Range<usize>) -> Option<Name> {
    let start = scan.run_start(hit.start, 80, |byte| is_word(byte) || b".-".contains(&byte));
    let end = scan.run_end(hit.end, 40, |byte| is_word(byte) || byte == b'-');
    // `password.length`, `password()`, `passwords[0]`: something else.
    if matches!(scan.byte(end), b'(' | b'[' | b'/' | b'@')
        || (scan.byte(end) == b'.' && is_word(scan.byte(end + 1)))
    {
        return None;
    }
    let text = scan.part(start..end);
    let dashes = text.len() - text.trim_start_matches('-').len();
    let text = text.trim_end_matches('-');
    let range = start + dashes..start + text.len();
    let text = text.get(dashes..)?;
    let (kind, shape) = meaning(text).or_else(|| of_command(scan, start, text))?;
    let folded = words_of(text);
    Some(Name {
        range,
        kind,
        shape,
        creates: CREATING.contains(&folded.as_str()),
        evidence: evidence_of(text, shape, &folded),
        option: dashes > 0,
    })
}

/// `dbPassword`, `db-password` and `DB_PASSWORD` are one name.
fn words_of(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    let mut lower_before = false;
    for byte in name.bytes() {
        if matches!(byte, b'.' | b'-' | b'_') {
            words.push('_');
        } else {
            if byte.is_ascii_uppercase() && lower_before {
                words.push('_');
            }
            words.push(char::from(byte.to_ascii_lowercase()));
        }
        lower_before = byte.is_ascii_lowercase() || byte.is_ascii_digit();
    }
    words
}

fn meaning(name: &str) -> Option<(Kind, Shape)> {
    let words = words_of(name);
    let all: Vec<&str> = words.split('_').filter(|word| !word.is_empty()).collect();
    let (last, before) = all.split_last()?;
    let last = last.trim_end_matches(|c: char| c.is_ascii_digit());
    let (last, before) = match before.split_last() {
        // `PASSWORD_2`.
        Some((previous, rest)) if last.is_empty() => (*previous, rest),
        _ => (last, before),
    };
    let has = |wanted: &[&str]| before.iter().any(|word| wanted.contains(word));
    if is_password(last) || (last == "auth" && has(&["redis"])) || last == "masterauth" {
        if has(ABOUT) || last.starts_with("nopass") {
            return None;
        }
        let of_mail =
            has(&["smtp", "mail", "email", "mailer", "sendgrid", "mailgun"]) || last.starts_with("smtp");
        let seals = last.ends_with("passphrase")
            || has(&[
                "restic",
                "borg",
                "kopia",
                "duplicity",
                "cipher",
                "crypt",
                "encryption",
                "encrypt",
                "gpg",
                "age",
                "rclone",
                "backup",
                "zip",
                "archive",
            ]);
        let kind = match (of_mail, seals) {
            (true, _) => Kind::Smtp,
            (_, true) => Kind::Passphrase,
            _ => Kind::Password,
        };
        return Some((kind, Shape::Chosen));
    }
    made(last, before, &words).map(|kind| (kind, Shape::Made))
}

/// `vercel deploy --token …`: the command says whose.
fn of_command(scan: &Scan<'_>, start: usize, text: &str) -> Option<(Kind, Shape)> {
    if !matches!(text, "token" | "api-key" | "access-token") {
        return None;
    }
    let line = scan.part(scan.run_start(start, 160, |byte| byte != b'\n')..start);
    let words: Vec<&str> = line.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    service(&words, "").map(|kind| (kind, Shape::Made))
}

fn is_password(word: &str) -> bool {
    const ENDINGS: &[&str] = &["password", "passwd", "passphrase", "passwort", "senha", "passcode"];
    #[rustfmt::skip]
    const WHOLE: &[&str] = &[
        "pass", "pwd", "dbpass", "dbpwd", "mysqlpass", "userpass", "smtppass", "mailpass",
        "requirepass", "rootpass", "adminpass", "authpass", "ftppass", "sqlpass", "sshpass", "bindpw",
        "keypass", "storepass", "userpwd", "mysqlpwd",
    ];
    ENDINGS.iter().any(|ending| word.ends_with(ending)) || WHOLE.contains(&word)
}

/// Words that make a name speak about a password instead of holding it.
#[rustfmt::skip]
const ABOUT: &[&str] = &[
    "no", "not", "forgot", "forgotten", "reset", "change", "changed", "confirm", "repeat", "retype",
    "verify", "invalid", "wrong", "bad", "incorrect", "min", "max", "has", "is", "show", "hide", "hash",
    "hashed", "encrypted", "missing", "enter", "ask", "require", "requires", "without", "example",
    "dummy", "sample", "mock", "fake", "allow", "old", "current", "lost", "set", "get", "check",
    "validate", "label",
];

/// Secrets that a machine makes. Whose they are stands before.
fn made(last: &str, before: &[&str], words: &str) -> Option<Kind> {
    let has = |wanted: &[&str]| before.iter().any(|word| wanted.contains(word));
    let ends = |ending: &str| words.ends_with(ending);
    if ends("secret_access_key")
        || ends("secretaccesskey")
        || ends("access_key_secret")
        || ends("s3_key_secret")
    {
        return Some(Kind::AwsSecretKey);
    }
    if ends("secret_key")
        || ends("secretkey")
        || ends("key_secret")
        || ends("application_key")
        || ends("applicationkey")
    {
        let store = has(&[
            "aws",
            "s3",
            "minio",
            "r2",
            "b2",
            "spaces",
            "wasabi",
            "gcs",
            "hmac",
            "storage",
            "bucket",
            "backblaze",
            "do",
            "repo",
        ]) || matches!(words, "secret_key" | "secretkey" | "application_key");
        return Some(if store { Kind::StorageKey } else { Kind::Token });
    }
    if ends("account_key")
        || ends("accountkey")
        || ends("storage_key")
        || ends("shared_access_key")
        || ends("sharedaccesskey")
        || ends("storage_access_key")
    {
        return Some(Kind::AzureStorageKey);
    }
    if ends("encryption_key") || ends("libsodium_key") || ends("cipher_key") {
        return Some(Kind::Passphrase);
    }
    if ends("client_secret") || ends("clientsecret") {
        return Some(if has(&["azure", "arm"]) { Kind::AzureClientSecret } else { Kind::Token });
    }
    if ends("service_role_key") || ends("service_role_secret") {
        return Some(Kind::SupabaseServiceRole);
    }
    if last.ends_with("token")
        || ends("api_key")
        || last.ends_with("apikey")
        || ends("jwt_secret")
        || ends("access_key")
        || ends("auth_key")
    {
        return service(before, words);
    }
    None
}

/// The service that a token is for, where the name says it.
fn service(before: &[&str], words: &str) -> Option<Kind> {
    #[rustfmt::skip]
    const KNOWN: &[(&str, Kind)] = &[
        ("vercel", Kind::VercelToken), ("blob", Kind::VercelToken), ("railway", Kind::RailwayToken),
        ("render", Kind::RenderToken), ("neon", Kind::NeonToken), ("supabase", Kind::SupabaseToken),
        ("github", Kind::GithubToken), ("gh", Kind::GithubToken), ("slack", Kind::SlackToken),
        ("telegram", Kind::TelegramToken), ("azure", Kind::AzureStorageKey), ("sendgrid", Kind::Smtp),
        ("mailgun", Kind::Smtp), ("resend", Kind::Smtp), ("postmark", Kind::Smtp), ("discord",
        Kind::Token), ("cloudflare", Kind::Token), ("cf", Kind::Token), ("digitalocean", Kind::Token),
        ("do", Kind::Token), ("heroku", Kind::Token), ("fly", Kind::Token), ("hcloud", Kind::Token),
        ("hetzner", Kind::Token), ("linode", Kind::Token), ("vultr", Kind::Token), ("doppler",
        Kind::Token), ("vault", Kind::Token), ("pagerduty", Kind::Token), ("planetscale", Kind::Token),
        ("turso", Kind::Token), ("upstash", Kind::Token), ("aiven", Kind::Token), ("gitlab",
        Kind::Token), ("npm", Kind::Token), ("netlify", Kind::Token), ("backblaze", Kind::StorageKey),
        ("b2", Kind::StorageKey), ("dropbox", Kind::Token), ("bot", Kind::Token), ("pushover",
        Kind::Token), ("jwt", Kind::Token), ("databasus", Kind::Token), ("influx", Kind::Token),
    ];
    KNOWN
        .iter()
        .find(|(name, _)| before.contains(name) || words.starts_with(&format!("{name}_")))
        .map(|(_, kind)| *kind)
}

/// A server starts with what stands there: in compose files and CI services.
#[rustfmt::skip]
const CREATING: &[&str] = &[
    "postgres_password", "postgresql_password", "postgresql_postgres_password", "mysql_password",
    "mysql_root_password", "mariadb_password", "mariadb_root_password", "mongo_initdb_root_password",
    "rabbitmq_default_pass", "minio_root_password", "redis_password", "requirepass",
    "pgadmin_default_password", "minio_secret_key", "mssql_sa_password", "sa_password",
    "couchdb_password",
];

fn evidence_of(name: &str, shape: Shape, words: &str) -> Evidence {
    #[rustfmt::skip]
    const OWNERS: &[&str] = &[
        "pg", "pgpassword", "postgres", "postgresql", "db", "database", "datasource", "mysql",
        "mariadb", "redis", "mongo", "restic", "borg", "smtp", "mail", "repo1", "rclone", "kopia",
        "gpg", "sql", "rds", "supabase", "pgbouncer", "replication", "backup",
    ];
    if shape == Shape::Made || words.split('_').any(|word| OWNERS.contains(&word)) {
        Evidence::Owned
    } else if words == "pass" {
        Evidence::Pass
    } else if name.bytes().all(|byte| !byte.is_ascii_lowercase()) {
        Evidence::Capitals
    } else {
        Evidence::Plain
    }
}

#[cfg(test)]
mod tests {
    use super::super::Place;
    use super::*;

    fn kind(text: &str, anchor: &str) -> Option<Kind> {
        let at = text.to_ascii_lowercase().find(anchor).unwrap();
        read(&Scan::new(text, Place::default()), &(at..at + anchor.len())).map(|name| name.kind)
    }

    #[test]
    fn the_last_word_of_a_name_decides() {
        for (text, anchor, wanted) in [
            ("PGPASSWORD=", "pass", Some(Kind::Password)),
            ("spring.datasource.password=", "pass", Some(Kind::Password)),
            ("dbPassword:", "pass", Some(Kind::Password)),
            ("--passphrase x", "pass", Some(Kind::Passphrase)),
            ("RESTIC_PASSWORD=", "pass", Some(Kind::Passphrase)),
            ("repo1-cipher-pass=", "pass", Some(Kind::Passphrase)),
            ("SMTP_PASS=", "pass", Some(Kind::Smtp)),
            ("MYSQL_PWD=", "pwd", Some(Kind::Password)),
            ("AWS_SECRET_ACCESS_KEY=", "secret", Some(Kind::AwsSecretKey)),
            ("repo1-s3-key-secret=", "key-secret", Some(Kind::AwsSecretKey)),
            ("VERCEL_TOKEN=", "token", Some(Kind::VercelToken)),
            ("PASSWORD_2=", "pass", Some(Kind::Password)),
            ("PASSWORD_FILE=", "pass", None),
            ("password_hash=", "pass", None),
            ("forgotPassword:", "pass", None),
            ("bypass = 1", "pass", None),
            ("compass:", "pass", None),
            ("password.length = 3", "pass", None),
            ("password(", "pass", None),
            ("csrf_token = x", "token", None),
            ("no-password", "pass", None),
        ] {
            assert_eq!(kind(text, anchor), wanted, "{text}");
        }
    }
}
