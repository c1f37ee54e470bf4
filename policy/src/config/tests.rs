//! Whole files in, rendered findings out.

use proptest::prelude::*;

use super::*;
use crate::finding::render;

const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

/// Every key that there is, with a good value.
const EVERYTHING: &str = r#"
version: 1
databases:
  shop:
    url: ${DATABASE_URL}
    critical_tables: [users, orders]
    checks: db/backup-checks.sql
    schemas: [public, "app_*"]
    tables: [public.orders]
    exclude_tables: [public.sessions]
    exclude_table_data: [audit_log]
    tiers:
      daily: { keep: 30 days, content: full }
  legacy:
    host: db.internal
    port: 5433
    user: backup
    password: ${LEGACY_PASSWORD}
    dbname: legacy
    sslmode: verify-full
    sslrootcert: certs/root.pem
  app:
    supabase: { project_ref: abcdefghijklmnopqrst, password: "${SUPABASE_DB_PASSWORD}", pooler: aws-0-eu-west-1.pooler.supabase.com }
stores:
  main:
    url: s3://shop-backups/prod
    region: eu-west-1
    endpoint: https://s3.example.com
    path_style: true
    sse: aws:kms
    sse_kms_key_id: alias/backups
    profile: backup
  local: { url: "file:///var/backups/shop" }
encryption:
  recipients:
    - age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p
    - ${SECOND_RECIPIENT:-age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p}
  method: age
tiers:
  daily: { schedule: "17 2 * * *", keep: 7 days, at_least: 3, stores: [main, local], rto: 30 minutes }
  weekly: { schedule: "17 1 * * 0", keep: 4 weeks }
  monthly: { schedule: "17 0 1 * *", keep: 12 months, archive: { after: 30 days, class: GLACIER } }
  yearly:
    schedule: "47 0 1 1 *"
    keep: forever
    archive:
      - { after: 30 days, class: STANDARD_IA }
      - { after: 1 year, class: DEEP_ARCHIVE }
  migration: { keep: 3, at_least: 30 days }
objectives: { rpo: 25 hours, rto: 1 hour }
verify: { after_backup: contents, trial_restore: weekly, counts_as: restored }
hooks: { before_restore: ./stop-app.sh, after_restore: ./start-app.sh }
alerts: { size_change: 20%, min_size: 1 MB, quota: 50 GB, notify: [slack, github-issue] }
lint: { select: [dump], ignore: [secrets], per_path_ignores: { "docs/**": [pipefail-missing] }, min_severity: warning }
"#;

fn findings(text: &str) -> String {
    let parsed = parse("backstop.yml", text);
    assert_eq!(parsed.config.is_some(), parsed.findings.is_empty(), "{:?}", parsed.findings);
    render(&parsed.findings, text)
}

#[test]
fn a_file_with_every_key_is_read() {
    let parsed = parse("backstop.yml", EVERYTHING);
    assert_eq!(render(&parsed.findings, EVERYTHING), "");
    let config = parsed.config.unwrap();
    assert_eq!(config.databases.keys().collect::<Vec<_>>(), ["app", "legacy", "shop"]);
    assert_eq!(config.tiers.get("daily").unwrap().stores[0].0.value, "main");
    assert_eq!(config.tiers.get("yearly").unwrap().archive.0.len(), 2);
    assert_eq!(config.alerts.unwrap().min_size, Some(Size(1_000_000)));
    let names: Vec<_> = parsed.variables.iter().map(|variable| variable.name.as_str()).collect();
    assert_eq!(names, ["DATABASE_URL", "LEGACY_PASSWORD", "SUPABASE_DB_PASSWORD", "SECOND_RECIPIENT"]);
}

#[test]
fn the_same_file_as_json_is_read_the_same() {
    let json = r#"{
	"version": 1,
	"databases": { "shop": { "url": "${DATABASE_URL}" } },
	"tiers": { "daily": { "schedule": "17 2 * * *", "keep": 3 } }
}"#;
    let config = parse("backstop.json", json).config.unwrap();
    assert_eq!(config.tiers.get("daily").unwrap().keep.as_deref(), Some(&Keep::Count(3)));
}

#[test]
fn a_tier_can_be_overridden_per_database() {
    let config = parse("backstop.yml", EVERYTHING).config.unwrap();
    let tier = config.tier("shop", "daily").unwrap();
    assert_eq!(
        tier.keep.as_deref().map(|keep| format!("{keep:?}")),
        Some("For(Period { count: 30, unit: Day })".into())
    );
    assert_eq!(tier.stores.len(), 2, "what is not overridden stays");
    assert!(tier.schedule.is_some());
    assert_eq!(config.tier("legacy", "daily"), Some(config.tiers.get("daily").unwrap().value.clone()));
    assert_eq!(config.tier("shop", "hourly"), None);
}

#[test]
fn an_override_that_contradicts_its_tier_is_found() {
    let text = "version: 1\ndatabases:\n  a: { tiers: { m: { keep: 7 days } } }\n\
                tiers:\n  m: { keep: 60 days, archive: { after: 30 days, class: GLACIER } }\n";
    insta::assert_snapshot!(findings(text), @r"
    backstop.yml:5:41: error[invalid-value]: archived after 30 days, but kept for 7 days only
    help: archive earlier, or keep longer
    ");
}

#[test]
fn every_problem_is_reported_at_once_and_in_order() {
    insta::assert_snapshot!(
        findings(
            r#"version: 2
databses: {}
databases:
  Shop DB:
    url: postgres://backup:hunter2@db.example.com/shop
    critical_table: [users]
  b:
    url: mysql://x
    host: db.example.com
    port: 70000
    tiers: { dialy: { keep: 1 day } }
  b: {}
stores:
  main: { url: "gs://bucket" }
  local: { url: /var/backups, regoin: x }
encryption:
  recipients: [age1..., AGE-SECRET-KEY-1QQQQ]
tiers:
  daily: { schedule: "0 0 30 2 *", keep: 0 days, stores: [main, locla] }
  monthly: { keep: 12, archive: { after: 30 days, class: GLACIR } }
  audit: { keep: 5 m }
objectives: { rpo: 0 hours, rto: soon }
verify: { after_backup: content, trial_restore: weekly }
alerts: { size_change: 20, min_size: -1 MB, quota: 50 gb, notify: slack }
"#
        ),
        @r"
    backstop.yml:1:10: error[invalid-value]: version 2 of the format is not known to this backstop
    help: use `version: 1`
    backstop.yml:2:1: error[unknown-key]: unknown key 'databses'
    help: did you mean `databases`?
    backstop.yml:4:3: error[invalid-name]: 'Shop DB' cannot be a name: it becomes a folder in the store
    help: use a-z, 0-9, '_' and '-', for example `shop-db`
    backstop.yml:5:28: error[credential-in-file]: password written in the configuration
    help: use `url: ${DATABASE_URL}`
    backstop.yml:6:5: error[unknown-key]: unknown key 'critical_table'
    help: did you mean `critical_tables`?
    backstop.yml:8:10: error[invalid-value]: the database's URL does not begin with `postgres://` or `postgresql://`
    help: use `url: ${DATABASE_URL}`, or the keys host, port, user, password and dbname
    backstop.yml:9:5: error[conflicting-keys]: 'host' cannot stand beside 'url'
    help: a database is reached by 'url', by its parts, or as 'supabase': keep one
    backstop.yml:10:11: error[invalid-value]: '70000' cannot be used for 'port': a port is a number from 1 to 65535
    backstop.yml:11:14: error[undefined-tier]: tier 'dialy' is not defined
    help: did you mean `daily`?
    backstop.yml:12:3: error[duplicate-key]: 'b' is given twice
    help: the first is on line 7; remove one of them
    backstop.yml:14:16: error[unsupported-store]: stores of kind 'gs' are not supported by this version
    help: use `s3://…` or `file:///…`
    backstop.yml:15:17: error[invalid-value]: the store's URL cannot be used: it has no scheme; write `s3://bucket/prefix` or `file:///path`
    backstop.yml:15:31: error[unknown-key]: unknown key 'regoin'
    help: did you mean `region`?
    backstop.yml:17:16: error[invalid-value]: this recipient cannot be used: it is no whole age recipient: `age1` and 58 more characters, with a checksum
    backstop.yml:17:25: error[private-key-in-file]: an age identity written in the configuration
    help: a backup needs the public key only (`age1…`); make a new pair with `backstop key generate`, since this one has been in a file that others read
    backstop.yml:19:22: error[invalid-value]: '0 0 30 2 *' cannot be used for 'schedule': it never fires: no month that it names has such a day
    backstop.yml:19:42: error[invalid-value]: '0 days' cannot be used for 'keep': it must be longer than nothing
    backstop.yml:19:65: error[undefined-store]: store 'locla' is not defined
    help: did you mean `local`?
    backstop.yml:20:58: error[invalid-value]: 'GLACIR' cannot be used for 'class'
    help: did you mean `GLACIER`?
    backstop.yml:21:3: error[invalid-name]: 'audit' cannot be the name of a tier: the store keeps its records there
    backstop.yml:21:18: error[invalid-value]: '5 m' cannot be used for 'keep': 'm' could be minutes or months: write `minutes` or `months`
    backstop.yml:22:20: error[invalid-value]: '0 hours' cannot be used for 'rpo': it must be longer than nothing
    backstop.yml:22:34: error[invalid-value]: 'soon' cannot be used for 'rto': it is no length of time: write for example `25 hours`, `7 days` or `12 months`
    backstop.yml:23:25: error[invalid-value]: 'content' cannot be used for 'after_backup'
    help: did you mean `contents`?
    backstop.yml:23:49: error[undefined-tier]: tier 'weekly' is not defined
    help: define it under `tiers:`
    backstop.yml:24:24: error[wrong-type]: 'size_change' takes a percentage (`20%`), not a number
    backstop.yml:24:38: error[invalid-value]: '-1 MB' cannot be used for 'min_size': it is negative
    backstop.yml:24:52: error[invalid-value]: '50 gb' cannot be used for 'quota': its unit is written `GB`
    backstop.yml:24:67: error[wrong-type]: 'notify' takes a list, not text
    "
    );
}

#[test]
fn values_of_the_wrong_type() {
    insta::assert_snapshot!(
        findings(
            "version: '1'\ndatabases: [shop]\nstores: main\nencryption: true\ntiers:\n  daily:\n    schedule: 5\n    \
             keep: [7]\n    stores: main\n    content:\n  weekly:\n  monthly: { keep: 1.5, rto: { x: 1 } }\n\
             alerts: { notify: [] }\n"
        ),
        @r"
    backstop.yml:1:10: error[wrong-type]: 'version' takes a number, not text
    backstop.yml:2:12: error[wrong-type]: 'databases' takes a mapping, not a list
    backstop.yml:3:9: error[wrong-type]: 'stores' takes a mapping, not text
    backstop.yml:4:13: error[wrong-type]: 'encryption' takes a mapping, not a boolean
    backstop.yml:7:15: error[wrong-type]: 'schedule' takes a cron expression, not a number
    backstop.yml:8:11: error[wrong-type]: 'keep' takes a time (`7 days`), a number of backups or `forever`, not a list
    backstop.yml:9:13: error[wrong-type]: 'stores' takes a list, not text
    backstop.yml:10:5: error[missing-value]: 'content' has no value
    help: give it one, or remove the key
    backstop.yml:11:3: error[missing-value]: 'weekly' has no value
    help: give it one, or write `{}`
    backstop.yml:12:20: error[wrong-type]: 'keep' takes a time (`7 days`), a number of backups or `forever`, not a number
    backstop.yml:12:30: error[wrong-type]: 'rto' takes a length of time (`7 days`), not a mapping
    backstop.yml:13:19: error[missing-value]: 'notify' is an empty list
    help: name at least one, or remove the key
    "
    );
    insta::assert_snapshot!(
        findings(
            "version: 1\ndatabases:\n  a: { user: 12, dbname: true, port: x, password: 1234, host: '' }\n\
             ? [x]\n: 1\n"
        ),
        @r"
    backstop.yml:3:14: error[wrong-type]: 'user' takes text, not a number
    help: put it in quotes
    backstop.yml:3:26: error[wrong-type]: 'dbname' takes text, not a boolean
    help: put it in quotes
    backstop.yml:3:38: error[invalid-value]: 'x' cannot be used for 'port': a port is a number from 1 to 65535
    backstop.yml:3:51: error[credential-in-file]: password written in the configuration
    help: use `password: ${PGPASSWORD}`
    backstop.yml:3:63: error[missing-value]: 'host' is empty
    backstop.yml:4:3: error[wrong-type]: a key must be text, not a list
    "
    );
}

#[test]
fn secrets_are_refused_wherever_they_are_and_never_shown() {
    let text = "version: 1\ndatabases:\n  a: { url: 'postgres://u:s3cr3t/1@h/d' }\n  \
                b: { host: h, user: u, password: s3cr3t }\n  \
                c: { url: 'postgres://u:${PW:-s3cr3t}@h/d' }\n  \
                d: { url: 's3cr3t' }\n  \
                e: { url: 'postgres://h/d?user=u&password=s3cr3t' }\n\
                stores:\n  m: { url: 's3://AKIA:s3cr3t@bucket/x', endpoint: 'https://k:s3cr3t@h' }\n\
                encryption: { passphrase: s3cr3t }\n\
                x: { y: 'postgres://u:s3cr3t@h/d' }\n";
    let shown = findings(text);
    assert!(!shown.contains("s3cr3t"), "{shown}");
    insta::assert_snapshot!(shown, @r"
    backstop.yml:3:27: error[credential-in-file]: password written in the configuration
    help: use `url: ${DATABASE_URL}`
    backstop.yml:4:36: error[credential-in-file]: password written in the configuration
    help: use `password: ${PGPASSWORD}`
    backstop.yml:5:27: error[credential-in-file]: password written in the configuration
    help: use `url: ${DATABASE_URL}`
    backstop.yml:6:13: error[invalid-value]: the database's URL does not begin with `postgres://` or `postgresql://`
    help: use `url: ${DATABASE_URL}`, or the keys host, port, user, password and dbname
    backstop.yml:7:45: error[credential-in-file]: password written in the configuration
    help: use `url: ${DATABASE_URL}`
    backstop.yml:9:24: error[credential-in-file]: password written in the configuration
    help: leave it out of the URL: credentials come from the environment
    backstop.yml:9:63: error[credential-in-file]: password written in the configuration
    help: leave it out of the URL: credentials come from the environment
    backstop.yml:10:27: error[credential-in-file]: passphrase written in the configuration
    help: use `passphrase: ${BACKSTOP_PASSPHRASE}`
    backstop.yml:11:1: error[unknown-key]: unknown key 'x'
    help: one of: version, databases, stores, encryption, tiers, objectives, verify, hooks, alerts, lint
    backstop.yml:11:23: error[credential-in-file]: password written in the configuration
    help: use `url: ${DATABASE_URL}`
    ");
    let fine = "version: 1\ndatabases: { a: { url: 'postgres://u:${PW}@h/d' } }\n";
    assert_eq!(findings(fine), "");
}

#[test]
fn broken_variables() {
    insta::assert_snapshot!(
        findings(
            "version: 1\ndatabases:\n  a: { url: '${DATABASE_URL' }\n  b: { url: $DATABASE_URL }\n  \
             c: { url: \"${{ secrets.URL }}\" }\n  d: { host: 'x${A:-${B}}' }\ntiers: { t: { keep: '${KEEP}' } }\n"
        ),
        @r"
    backstop.yml:3:14: error[broken-variable]: '${' is not closed
    help: write `${NAME}` or `${NAME:-default}`; `$${` stands for a literal `${`
    backstop.yml:4:13: error[broken-variable]: a variable is written with braces: `${DATABASE_URL}`
    help: write `${NAME}` or `${NAME:-default}`; `$${` stands for a literal `${`
    backstop.yml:5:14: error[broken-variable]: no variable has such a name
    help: write `${NAME}` or `${NAME:-default}`; `$${` stands for a literal `${`
    backstop.yml:6:16: error[broken-variable]: a variable's default cannot hold another variable
    help: write `${NAME}` or `${NAME:-default}`; `$${` stands for a literal `${`
    backstop.yml:7:21: error[misplaced-variable]: a variable cannot stand in 'keep'
    "
    );
}

#[test]
fn aliases_tags_and_further_documents() {
    insta::assert_snapshot!(
        findings(
            "version: 1\ndatabases:\n  a: &a { url: '${A}' }\n  b: *a\n  c: { <<: *nowhere }\n  d: { url: !env A }\n\
             ---\nversion: 1\n"
        ),
        @r"
    backstop.yml:4:6: error[yaml-alias]: aliases are not supported in this file
    help: write the value out
    backstop.yml:5:8: error[unknown-key]: unknown key '<<'
    help: one of: url, host, port, user, password, dbname, sslmode, sslrootcert, supabase, critical_tables, checks, schemas, tables, exclude_tables, exclude_table_data, tiers
    backstop.yml:5:12: error[yaml-alias]: aliases are not supported in this file
    help: write the value out
    backstop.yml:6:13: error[yaml-tag]: a tag means nothing here
    help: write the value itself; variables are written `${NAME}`
    backstop.yml:6:18: error[invalid-value]: the database's URL does not begin with `postgres://` or `postgresql://`
    help: use `url: ${DATABASE_URL}`, or the keys host, port, user, password and dbname
    backstop.yml:8:1: error[extra-document]: a second document: only the first would be read
    help: remove the line `---` before it
    "
    );
}

#[test]
fn what_is_no_yaml() {
    insta::assert_snapshot!(findings(""), @r"
    backstop.yml:1:1: error[missing-key]: the file is empty
    help: write one with `backstop init`
    ");
    insta::assert_snapshot!(findings("version: 1\nstores: {a: [}\n"), @r"
    backstop.yml:2:13: error[invalid-yaml]: mismatched bracket '[' closed by '}'
    help: look at the indentation, quotes and brackets before it
    ");
    insta::assert_snapshot!(findings("just text"), @r"backstop.yml:1:1: error[wrong-type]: 'backstop.yml' takes a mapping, not text");
    assert!(findings(&"[".repeat(10_000)).contains("more than 100 levels of nesting"));
}

#[test]
fn encryption_of_several_kinds() {
    let with = |section: &str| findings(&format!("version: 1\nencryption: {section}\n"));
    insta::assert_snapshot!(with(&format!("{{ recipients: [{RECIPIENT}, keys/ops.asc] }}")), @r"
    backstop.yml:2:92: error[mixed-recipients]: recipients of two kinds: this is an OpenPGP certificate, the first is an age recipient
    help: one file is encrypted in one format: keep recipients of one kind
    ");
    insta::assert_snapshot!(with(&format!("{{ recipients: [{RECIPIENT}], passphrase: '${{P}}' }}")), @r"
    backstop.yml:2:93: error[conflicting-keys]: 'passphrase' cannot stand beside 'recipients'
    help: keep 'recipients': a backup job then holds nothing that opens a backup
    ");
    insta::assert_snapshot!(with(&format!("{{ recipients: [{RECIPIENT}], method: openpgp }}")), @r"
    backstop.yml:2:93: error[conflicting-keys]: 'method' does not fit the recipients
    help: remove it: it follows from the recipients
    ");
    insta::assert_snapshot!(with(&format!("{{ recipients: [{RECIPIENT}], method: none }}")), @r"
    backstop.yml:2:93: error[conflicting-keys]: 'method: none' cannot stand beside keys
    help: remove 'method' to encrypt, or the keys not to
    ");
    insta::assert_snapshot!(with("{}"), @r"
    backstop.yml:2:13: error[missing-key]: 'recipients' or 'passphrase' is missing
    help: make a key with `backstop key generate`, or say `method: none`
    ");
    insta::assert_snapshot!(with("{ method: age }"), @r"
    backstop.yml:2:13: error[missing-key]: 'recipients' or 'passphrase' is missing
    help: make a key with `backstop key generate`, or say `method: none`
    ");
    insta::assert_snapshot!(with("{ recipients: [0xDEADBEEF, ssh-ed25519 AAAA, ops] }"), @r"
    backstop.yml:2:28: error[wrong-type]: 'recipients' takes text, not a number
    help: put it in quotes
    backstop.yml:2:40: error[invalid-value]: this recipient cannot be used: SSH keys are not supported: make an age key with `backstop key generate`
    backstop.yml:2:58: error[invalid-value]: this recipient cannot be used: it is neither an age recipient (`age1…`) nor an OpenPGP certificate (a file `*.asc`, `*.gpg` or `*.pgp`, or armored text)
    ");
    assert_eq!(with("{ method: none }"), "");
    assert_eq!(with("{ passphrase: '${P}', method: openpgp }"), "");
    assert_eq!(with("{ recipients: [keys/a.asc, '${KEY}'] }"), "");
}

#[test]
fn values_that_contradict_each_other() {
    insta::assert_snapshot!(
        findings(
            "version: 1\ndatabases:\n  a: {}\n  b: {}\n  c: { supabase: { project_ref: short }, url: '${U}' }\n\
             stores:\n  l: { url: 'file:///b', region: x }\n  s: { url: 's3://bucket', sse_kms_key_id: k }\n\
             tiers:\n  a: { keep: 7 days, at_least: 3 days }\n  b: { keep: 3, at_least: forever }\n  \
             c: { keep: forever, at_least: 3 }\n  d: { keep: 7 days, archive: { after: 30 days, class: GLACIER } }\n  \
             e: { archive: [{ after: 60 days, class: GLACIER }, { after: 12 hours, class: DEEP_ARCHIVE }] }\n\
             alerts: { min_size: 2 GB, quota: 1 GB }\n"
        ),
        @r"
    backstop.yml:4:3: error[ambiguous-connection]: 'a' and 'b' would both be the one database that the environment names
    help: give each its own `url: ${…}`
    backstop.yml:5:18: error[missing-key]: 'password' is missing
    backstop.yml:5:33: error[invalid-value]: 'short' cannot be used for 'project_ref': it is the 20 letters before `.supabase.co` in the project's address
    backstop.yml:5:42: error[conflicting-keys]: 'url' cannot stand beside 'supabase'
    help: a database is reached by 'url', by its parts, or as 'supabase': keep one
    backstop.yml:7:26: error[conflicting-keys]: 'region' means nothing for a local store
    help: remove it
    backstop.yml:8:28: error[conflicting-keys]: 'sse_kms_key_id' without 'sse: aws:kms' would not be used
    help: add `sse: aws:kms`
    backstop.yml:10:32: error[conflicting-keys]: 'at_least' is a number of backups where 'keep' is a time
    help: for example `keep: 3, at_least: 30 days` or `keep: 7 days, at_least: 3`
    backstop.yml:11:27: error[conflicting-keys]: 'at_least' cannot be `forever`
    help: for example `keep: 3, at_least: 30 days` or `keep: 7 days, at_least: 3`
    backstop.yml:12:33: error[conflicting-keys]: 'at_least' means nothing beside `keep: forever`
    help: for example `keep: 3, at_least: 30 days` or `keep: 7 days, at_least: 3`
    backstop.yml:13:40: error[invalid-value]: archived after 30 days, but kept for 7 days only
    help: archive earlier, or keep longer
    backstop.yml:14:63: error[invalid-value]: '12 hours' cannot be used for 'after': a bucket moves objects by whole days
    backstop.yml:14:63: error[invalid-value]: this archive step does not come after the one before it
    backstop.yml:15:11: error[invalid-value]: 'min_size' is not smaller than 'quota': every backup would raise one of the two
    "
    );
}

#[test]
fn an_unset_variable_is_a_note_of_the_file_and_an_error_of_its_use() {
    let text = "version: 1\ndatabases:\n  a: { url: '${A}' }\n  b: { host: '${B:-h}', user: '${C}' }\n";
    let parsed = parse("backstop.yml", text);
    let env = |name: &str| (name == "C").then(|| "ada".to_owned());
    insta::assert_snapshot!(render(&unset_variables("backstop.yml", &parsed, &env), text), @r"
    backstop.yml:3:14: note[unset-variable]: variable 'A' is not set, or empty
    help: set it in the environment of this command: `export A=…`
    ");
}

#[test]
fn the_schema_knows_every_key_and_only_these() {
    let schema = schema();
    // What the parser takes is in the schema: walk the file that has every key.
    let root = yaml::parse(EVERYTHING).unwrap().remove(0);
    let mut seen = std::collections::BTreeSet::new();
    walk(&root, &schema, &schema, &mut seen);
    // What is in the schema the parser takes: the file above has all of it.
    let mut all = std::collections::BTreeSet::new();
    for (section, definition) in schema["$defs"].as_object().unwrap() {
        for key in definition["properties"].as_object().unwrap().keys() {
            all.insert(format!("{section}.{key}"));
            let described = definition["properties"][key]["description"].as_str().unwrap();
            assert!(described.ends_with('.'), "{section}.{key}: {described}");
        }
    }
    // A passphrase stands in place of recipients.
    seen.insert("Encryption.passphrase".to_owned());
    assert_eq!(seen, all);
}

/// Follow a document and its schema side by side.
fn walk(node: &Node, schema: &Json, root: &Json, seen: &mut std::collections::BTreeSet<String>) {
    if let Some(alternatives) = schema["oneOf"].as_array() {
        let list = matches!(node.value, yaml::Value::Sequence(_));
        let fits = |schema: &&Json| (schema["type"] == "array") == list;
        return walk(node, alternatives.iter().find(fits).unwrap(), root, seen);
    }
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap();
        let yaml::Value::Mapping(entries) = &node.value else { panic!("{name} is no mapping") };
        for entry in entries {
            let key = &entry.key.as_scalar().unwrap().text;
            let property = &root["$defs"][name]["properties"][key];
            assert!(property.is_object(), "{name}.{key} is not in the schema");
            seen.insert(format!("{name}.{key}"));
            walk(&entry.value, property, root, seen);
        }
        return;
    }
    match &node.value {
        yaml::Value::Mapping(entries) => {
            for entry in entries {
                walk(&entry.value, &schema["additionalProperties"], root, seen);
            }
        }
        yaml::Value::Sequence(items) => {
            for item in items {
                walk(item, &schema["items"], root, seen);
            }
        }
        _ => {}
    }
}

#[test]
fn names_are_cleaned() {
    for (text, name) in
        [("Shop DB", "shop-db"), ("größe", "gr--e"), ("", "database"), ("--", "database"), ("_x-", "x")]
    {
        assert_eq!(clean_name(text), name);
    }
}

proptest! {
    #[test]
    fn a_clean_name_is_a_name(text in ".{0,80}") {
        prop_assert!(is_name(&clean_name(&text)), "{:?}", clean_name(&text));
    }

    #[test]
    fn one_changed_byte_never_panics_and_never_misplaces(at in 0usize..2000, with in "[ -~\u{e9}\n]") {
        let mut text = EVERYTHING.to_owned();
        let at = at % text.len();
        if text.is_char_boundary(at) {
            text.replace_range(at..=at, &with);
        }
        let parsed = parse("backstop.yml", &text);
        for finding in &parsed.findings {
            prop_assert!(finding.span.start <= finding.span.end && finding.span.end <= text.len());
        }
        prop_assert!(parsed.config.is_some() || !parsed.findings.is_empty());
        prop_assert!(parsed.findings.is_sorted_by_key(|finding| finding.span.start));
    }
}
