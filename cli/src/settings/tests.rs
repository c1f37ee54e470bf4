//! Real files in real folders; the environment is a list.

use super::*;
use crate::error::Advise;

const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

struct Project {
    folder: tempfile::TempDir,
    env: Vec<(String, String)>,
}

impl Project {
    fn new(env: &[(&str, &str)]) -> Self {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { folder: tempfile::tempdir().unwrap(), env }
    }

    fn write(self, path: &str, text: &str) -> Self {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    fn load_below(&self, below: &str, overrides: Overrides) -> Result<Settings, Error> {
        let env = self.env.clone();
        let env = move |name: &str| env.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        Settings::load_in(overrides, &self.folder.path().join(below), Arc::new(env))
    }

    fn load(&self, overrides: Overrides) -> Result<Settings, Error> {
        self.load_below("", overrides)
    }
}

/// The message and its hint, as a user sees them.
fn shown<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => panic!("no error"),
        Err(error) => format!("{error}\nhint: {}", error.hint().unwrap_or_default()),
    }
}

fn database(name: &str) -> Overrides {
    Overrides { database: Some(name.to_owned()), ..Overrides::default() }
}

fn url(url: &str) -> Overrides {
    Overrides { url: Some(url.to_owned()), ..Overrides::default() }
}

fn is_url(source: &ConnectionSource, expected: &str) -> bool {
    matches!(source, ConnectionSource::Url(url) if url.expose_secret() == expected)
}

const TWO: &str = "version: 1
databases:
  shop: { url: '${SHOP_URL}', critical_tables: [users], checks: db/checks.sql, schemas: [public] }
  blog: { host: h, port: '${PORT:-5433}', password: '${BLOG_PASSWORD}', sslmode: verify-full, sslrootcert: root.pem }
stores:
  main: { url: 's3://${BUCKET}/prod', region: eu-west-1 }
  local: { url: 'file:///var/backups' }
encryption: { recipients: [keys/ops.asc] }
tiers:
  daily: { keep: 7 days, stores: [local] }
  weekly: { keep: 4 weeks }
";

#[test]
fn only_what_is_used_is_resolved() {
    let project = Project::new(&[("SHOP_URL", "postgres://u:pw@h/d")]).write("backstop.yml", TWO);
    let shop = project.load(database("shop")).unwrap().database().unwrap();
    assert!(is_url(&shop.source, "postgres://u:pw@h/d"));
    assert_eq!(shop.critical_tables, ["users"]);
    assert_eq!(shop.filters.schemas, ["public"]);
    assert_eq!(shop.checks, Some(project.folder.path().join("db/checks.sql")));
    assert!(!format!("{shop:?}").contains("pw"), "a secret must not be in the debug output");

    let settings = project.load(database("blog")).unwrap();
    insta::assert_snapshot!(shown(settings.database()), @r"
    backstop.yml:4:54: error[unset-variable]: variable 'BLOG_PASSWORD' is not set, or empty
    hint: set it in the environment of this command: `export BLOG_PASSWORD=…`
    ");
    assert_eq!(settings.stores("blog", Some("daily")).unwrap()[0].url, "file:///var/backups");
    insta::assert_snapshot!(shown(settings.stores("blog", Some("weekly"))), @r"
    backstop.yml:6:22: error[unset-variable]: variable 'BUCKET' is not set, or empty
    hint: set it in the environment of this command: `export BUCKET=…`
    ");
}

#[test]
fn parts_are_typed_and_paths_count_from_the_file() {
    let project = Project::new(&[("BLOG_PASSWORD", "pw"), ("BUCKET", "shop-backups")])
        .write("backstop.yml", TWO)
        .write(".git/HEAD", "")
        .write("app/src/x", "");
    let settings = project.load_below("app/src", database("blog")).unwrap();
    let blog = settings.database().unwrap();
    let ConnectionSource::Parts { port, sslmode, sslrootcert, password, .. } = blog.source else { panic!() };
    assert_eq!((port, sslmode.as_deref()), (Some(5433), Some("verify-full")));
    assert_eq!(sslrootcert, Some(project.folder.path().join("root.pem")));
    assert_eq!(password.unwrap().expose_secret(), "pw");
    let stores = settings.stores("blog", Some("weekly")).unwrap();
    assert_eq!(stores.iter().map(|store| store.name.as_str()).collect::<Vec<_>>(), ["local", "main"]);
    assert_eq!(
        (stores[1].url.as_str(), stores[1].region.as_deref()),
        ("s3://shop-backups/prod", Some("eu-west-1"))
    );
    let keys = project.folder.path().join("keys/ops.asc").display().to_string();
    assert_eq!(settings.encryption().unwrap().recipients, [keys]);
}

#[test]
fn flags_come_before_the_file_and_the_file_before_the_environment() {
    let file = "version: 1\ndatabases: { shop: { url: '${SHOP_URL}', critical_tables: [t] } }\n";
    let project = Project::new(&[("SHOP_URL", "postgres://file/d"), ("DATABASE_URL", "postgres://env/d")])
        .write("backstop.yml", file);
    let of_file = project.load(Overrides::default()).unwrap().database().unwrap();
    assert!(is_url(&of_file.source, "postgres://file/d"));
    assert_eq!(of_file.name, "shop");
    let of_flag = project.load(url("postgres://flag/other")).unwrap().database().unwrap();
    assert!(is_url(&of_flag.source, "postgres://flag/other"));
    assert_eq!(of_flag.name, "other", "another database is never filed under the name of the file's");
    let both = Overrides { database: Some("shop".to_owned()), ..url("postgres://flag/other") };
    let both = project.load(both).unwrap().database().unwrap();
    assert_eq!((both.name.as_str(), both.critical_tables.len()), ("shop", 1));
}

#[test]
fn without_a_file_the_environment_is_enough() {
    let source = |env: &[(&str, &str)]| Project::new(env).load(Overrides::default()).unwrap().database();
    let of_url = source(&[("DATABASE_URL", "postgres://u:p/w@h/My%20Shop"), ("PGHOST", "x")]).unwrap();
    assert_eq!(of_url.name, "my-shop");
    assert!(matches!(of_url.source, ConnectionSource::Url(_)));
    let supabase = [("SUPABASE_PROJECT_REF", "abcdefghijklmnopqrst"), ("SUPABASE_DB_PASSWORD", "pw")];
    let of_parts = source(&supabase).unwrap();
    assert_eq!(of_parts.name, "abcdefghijklmnopqrst");
    assert!(matches!(of_parts.source, ConnectionSource::Supabase { .. }));
    let of_libpq = source(&[("PGHOST", "h"), ("PGDATABASE", "shop"), ("DATABASE_URL", "")]).unwrap();
    assert_eq!(of_libpq.name, "shop");
    assert!(matches!(of_libpq.source, ConnectionSource::LibpqEnvironment));
    insta::assert_snapshot!(shown(source(&[])), @r"
    no database to work on
    hint: set DATABASE_URL, or write a configuration with `backstop init`
    ");
    insta::assert_snapshot!(shown(source(&[("SUPABASE_PROJECT_REF", "abc")])), @r"
    SUPABASE_PROJECT_REF is set, but SUPABASE_DB_PASSWORD is not
    hint: set SUPABASE_DB_PASSWORD to the database's password (Supabase: Project Settings, Database)
    ");
}

#[test]
fn stores_and_recipients_of_flags() {
    let overrides = |store: &str, recipient: &str| Overrides {
        stores: vec![store.to_owned()],
        recipients: vec![recipient.to_owned()],
        ..Overrides::default()
    };
    let settings = Project::new(&[]).load(overrides("file:///b", RECIPIENT)).unwrap();
    assert_eq!(settings.stores("shop", Some("any")).unwrap()[0].url, "file:///b");
    assert_eq!(settings.encryption().unwrap().recipients, [RECIPIENT]);
    let bad = Project::new(&[]).load(overrides("gs://bucket", "age1x")).unwrap();
    insta::assert_snapshot!(shown(bad.stores("shop", None)), @r"
    store '--store' cannot be used: 'gs' is not supported by this version
    hint: write `s3://bucket/prefix` or `file:///path`
    ");
    insta::assert_snapshot!(shown(bad.encryption()), @r"
    a recipient cannot be used: it is no whole age recipient: `age1` and 58 more characters, with a checksum
    hint: make a pair of keys with `backstop key generate`
    ");
    insta::assert_snapshot!(shown(Project::new(&[]).load(Overrides::default()).unwrap().stores("shop", None)), @r"
    no store to work with
    hint: give --store URL, or name one under `stores:` in backstop.yml
    ");
    let named = Project::new(&[]).write("backstop.yml", TWO).load(overrides("local", RECIPIENT)).unwrap();
    assert_eq!(named.stores("shop", Some("weekly")).unwrap()[0].url, "file:///var/backups");
}

#[test]
fn a_passphrase_comes_from_the_environment_unless_the_file_says_who_can_open() {
    let project = || Project::new(&[("BACKSTOP_PASSPHRASE", "pw"), ("OTHER", "other")]);
    let of = |project: Project, overrides| {
        let encryption = project.load(overrides).unwrap().encryption().unwrap();
        (encryption.passphrase.map(|secret| secret.expose_secret().to_owned()), encryption.recipients.len())
    };
    assert_eq!(of(project(), Overrides::default()), (Some("pw".to_owned()), 0));
    // A file that says nothing of it leaves no backup in clear text.
    let silent = project().write("backstop.yml", "version: 1\n");
    assert_eq!(of(silent, Overrides::default()), (Some("pw".to_owned()), 0));
    let other = project().write("backstop.yml", "version: 1\nencryption: { passphrase: '${OTHER}' }\n");
    assert_eq!(of(other, Overrides::default()), (Some("other".to_owned()), 0));
    let keys = project()
        .write("backstop.yml", &format!("version: 1\nencryption: {{ recipients: [{RECIPIENT}] }}\n"));
    assert_eq!(of(keys, Overrides::default()), (None, 1));
    let flag = Overrides { recipients: vec![RECIPIENT.to_owned()], ..Overrides::default() };
    assert_eq!(of(project(), flag), (None, 1));
}

#[test]
fn a_secret_on_the_command_line_is_refused_and_not_shown() {
    let project = Project::new(&[]);
    let store = |text: &str| Overrides { stores: vec![text.to_owned()], ..Overrides::default() };
    let recipient = |text: &str| Overrides { recipients: vec![text.to_owned()], ..Overrides::default() };
    let all = [
        url("postgres://u:s3cr3t@h/d"),
        url("postgres://h/d?password=s3cr3t"),
        url("host=h password=s3cr3t"),
        store("s3://key:s3cr3t@bucket"),
        recipient("AGE-SECRET-KEY-1S3CR3T"),
    ]
    .map(|overrides| shown(project.load(overrides)))
    .join("\n");
    assert!(!all.to_lowercase().contains("s3cr3t"));
    insta::assert_snapshot!(all, @r"
    --url holds a secret, which every user of this machine could read from the list of processes
    hint: set DATABASE_URL in the environment and leave --url away
    --url holds a secret, which every user of this machine could read from the list of processes
    hint: set DATABASE_URL in the environment and leave --url away
    --url holds a secret, which every user of this machine could read from the list of processes
    hint: set DATABASE_URL in the environment and leave --url away
    --store holds a secret, which every user of this machine could read from the list of processes
    hint: leave it out of the URL: credentials come from the environment
    --recipient holds a secret, which every user of this machine could read from the list of processes
    hint: give the public key, `age1…`
    ");
    assert!(project.load(url("postgres://u@h/d")).is_ok());
}

#[test]
fn a_private_key_in_a_variable_is_refused_too() {
    let file = "version: 1\nencryption: { recipients: ['${KEY}'] }\n";
    let project = Project::new(&[("KEY", "AGE-SECRET-KEY-1S3CR3T")]).write("backstop.yml", file);
    insta::assert_snapshot!(shown(project.load(Overrides::default()).unwrap().encryption()), @r"
    a recipient cannot be used: it is a private key
    hint: make a pair of keys with `backstop key generate`
    ");
}

#[test]
fn names_that_the_file_does_not_have() {
    let project = Project::new(&[]).write("backstop.yml", TWO);
    insta::assert_snapshot!(shown(project.load(Overrides::default()).unwrap().database_name()), @r"
    the configuration has several databases: blog, shop
    hint: choose one with --database NAME
    ");
    insta::assert_snapshot!(shown(project.load(database("shpo")).unwrap().database_name()), @r"
    no database 'shpo' in the configuration
    hint: the configuration has: blog, shop
    ");
    insta::assert_snapshot!(shown(project.load(database("a/b"))), @r"
    'a/b' cannot be the name of a database: it becomes a folder in the store
    hint: use --database a-b
    ");
    assert_eq!(project.load(database("shop")).unwrap().tier("shop", MANUAL).unwrap(), None);
    insta::assert_snapshot!(shown(project.load(database("shop")).unwrap().tier("shop", "hourly")), @r"
    no tier 'hourly' in the configuration
    hint: the configuration has: daily, weekly
    ");
}

#[test]
fn the_file_is_looked_for_up_to_the_root_of_the_repository() {
    let inside =
        Project::new(&[]).write(".git/HEAD", "").write("backstop.yaml", "version: 1\n").write("a/b/x", "");
    let found = inside.load_below("a/b", Overrides::default()).unwrap().path;
    assert_eq!(found, Some(inside.folder.path().join("backstop.yaml")));
    let outside = Project::new(&[]).write(".backstop.yml", "version: 1\n").write("a/x", "");
    assert_eq!(outside.load_below("a", Overrides::default()).unwrap().path, None, "no repository: only here");
    assert!(outside.load(Overrides::default()).unwrap().path.is_some());
    let above = Project::new(&[]).write("backstop.yml", "version: 1\n").write("repo/.git/HEAD", "");
    assert_eq!(
        above.load_below("repo", Overrides::default()).unwrap().path,
        None,
        "never above the repository"
    );
    let two = outside.write("backstop.yml", "version: 1\n");
    let folder = two.folder.path().display().to_string();
    insta::assert_snapshot!(shown(two.load(Overrides::default())).replace(&folder, "FOLDER"), @r"
    both 'backstop.yml' and '.backstop.yml' are in 'FOLDER/'
    hint: remove '.backstop.yml', or name one with --config
    ");
}

#[test]
fn a_broken_file_is_told_with_all_its_errors_and_its_path_from_here() {
    let project = Project::new(&[])
        .write(".git/HEAD", "")
        .write("backstop.yml", "version: 1\ntires: {}\ntiers: { a: { keep: 0 days } }\n")
        .write("a/x", "");
    insta::assert_snapshot!(shown(project.load_below("a", Overrides::default())), @r"
    configuration '../backstop.yml' has 2 errors
    ../backstop.yml:2:1: error[unknown-key]: unknown key 'tires'
    help: did you mean `tiers`?
    ../backstop.yml:3:21: error[invalid-value]: '0 days' cannot be used for 'keep': it must be longer than nothing
    hint:
    ");
    let given = Overrides { config: Some("no.yml".into()), ..Overrides::default() };
    insta::assert_snapshot!(shown(project.load(given)), @r"
    cannot read configuration 'no.yml'
    hint: name another file with --config, or write one with `backstop init`
    ");
}
