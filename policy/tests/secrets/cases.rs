//! Forty shapes that tell a scanner from a toy, each with the verdict that a person
//! would give. All credentials are made up.

use backstop_policy::secrets::{Kind, MASK, Place, Verdict, find, redact};

const LEAKED: Option<Verdict> = Some(Verdict::Leaked);
const DEVELOPMENT: Option<Verdict> = Some(Verdict::Development);
const SILENT: Option<Verdict> = None;

/// The worst verdict of `text` as the file `path`. Whatever is found must be masked,
/// and no message may hold a part of it.
#[track_caller]
fn check(path: &str, text: &str, wanted: Option<Verdict>) {
    let found = find(text, Place::of(path));
    let worst = found.iter().map(|secret| secret.verdict).max();
    assert_eq!(worst, wanted, "{path}: {text}");
    for secret in &found {
        assert!(!secret.values.is_empty());
        for value in &secret.values {
            let value = &text[value.start..value.end];
            assert!(secret.span.start <= secret.span.end);
            assert!(
                secret.verdict < Verdict::Leaked || !secret.message().contains(value),
                "{}",
                secret.message()
            );
        }
    }
}

/// Leaked, and exactly this is to be hidden.
#[track_caller]
fn hides(path: &str, text: &str, passwords: &[&str]) {
    check(path, text, LEAKED);
    let found = find(text, Place::of(path));
    let values: Vec<&str> =
        found.iter().flat_map(|secret| &secret.values).map(|value| &text[value.start..value.end]).collect();
    assert_eq!(values, passwords, "{text}");
}

#[test]
fn case_01_one_raw_at_in_the_password() {
    let url = "postgresql://postgres.qmzrvkwtbx:Wo@rd12@aws-0-eu-west-1.pooler.supabase.com:6543/postgres";
    hides("a.md", &format!("- **Connection**: `{url}`"), &["Wo@rd12"]);
    hides("a.sh", &format!("pg_dump \"{url}\" \\\n  -f x"), &["Wo@rd12"]);
    let found = find(url, Place::default());
    assert_eq!(found[0].raw.iter().map(|raw| raw.character).collect::<String>(), "@");
    assert!(found[0].message().contains("the raw '@' in the password ends it early"));
}

#[test]
fn case_02_password_that_starts_with_an_at() {
    hides("a.env", "DATABASE_URL=postgresql://app:@rdWo12@db.shop.io:5432/shop", &["@rdWo12"]);
}

#[test]
fn case_03_two_raw_ats() {
    hides("a.env", "URL=postgres://app:a@b@c9@db.shop.io/shop", &["a@b@c9"]);
}

#[test]
fn case_04_slash_in_the_password() {
    hides("a.env", "URL=postgres://app:ab/cd12@db.shop.io:5432/shop", &["ab/cd12"]);
    hides("a.env", "URL=postgres://app:a@b/cd12@db.shop.io:5432/shop", &["a@b/cd12"]);
}

#[test]
fn case_05_hash_in_the_password() {
    hides("a.env", "URL=postgres://app:Abc#12@db.shop.io:5432/shop", &["Abc#12"]);
}

#[test]
fn case_06_question_mark_in_the_password() {
    hides("a.env", "URL=postgres://app:Abc?12@db.shop.io/shop", &["Abc?12"]);
}

#[test]
fn case_07_driver_with_a_figure() {
    hides("a.py", "create_engine(\"postgresql+psycopg2://app:v7Kq2mzR@db.shop.io/shop\")", &["v7Kq2mzR"]);
}

#[test]
fn case_08_encoded_at() {
    hides("a.py", "x = 'postgresql+asyncpg://app:v7%40q2mzR@db.shop.io/shop'", &["v7%40q2mzR"]);
    assert_eq!(find("postgresql://app:v7%40q2mzR@db.shop.io/shop", Place::default())[0].raw, []);
}

#[test]
fn case_09_escaped_slashes_of_json() {
    hides("a.json", r#"{"url": "postgresql:\/\/app:v7Kq2mzR@db.shop.io:5432\/shop"}"#, &["v7Kq2mzR"]);
}

#[test]
fn case_10_password_as_a_parameter() {
    hides("a.env", "URL=postgresql://db.shop.io/shop?user=app&password=v7Kq2mzR", &["v7Kq2mzR"]);
}

#[test]
fn case_11_several_hosts() {
    hides("a.env", "URL=postgresql://app:v7Kq2mzR@db1.shop.io:5432,db2.shop.io:5432/shop", &["v7Kq2mzR"]);
}

#[test]
fn case_12_ipv6_host() {
    hides("a.env", "URL=postgresql://app:v7Kq2mzR@[2a01:4f8:1::2]:5432/shop", &["v7Kq2mzR"]);
}

#[test]
fn case_13_password_of_a_person_without_a_port() {
    hides("a.env", "URL=postgresql://app:Word1617?@db.shop.io/shop", &["Word1617?"]);
}

#[test]
fn case_14_literal_password_for_a_host_filled_in() {
    hides("a.ts", "const url = `postgresql://app:v7Kq2mzR@${db.endpoint}/app`;", &["v7Kq2mzR"]);
}

#[test]
fn case_15_url_put_together() {
    hides("a.ts", "const url = 'postgresql://app:' + 'v7Kq2mzR' + '@db.shop.io/shop';", &["v7Kq2mzR"]);
    check("a.ts", "const url = 'postgresql://app:' + password + '@db.shop.io/shop';", SILENT);
}

#[test]
fn case_16_key_value_string_of_libpq() {
    hides("a.sh", "psql \"host=db.shop.io user=app password=Word1604 dbname=shop\"", &["Word1604"]);
    hides("a.ts", "connect('host=db.shop.io user=app password=Word1604')", &["Word1604"]);
}

#[test]
fn case_17_two_words_in_a_key_value_string() {
    hides("a.py", "dsn = \"host=db.shop.io user=app password='two words'\"", &["two words"]);
}

#[test]
fn case_18_user_as_password_on_a_public_address() {
    hides("a.sh", "psql 'host=51.15.20.30 user=shopper password=shopper dbname=shop'", &["shopper"]);
}

#[test]
fn case_19_user_as_password_on_a_hosted_cluster() {
    hides("a.env", "MONGO=mongodb+srv://shopper:shopper@cluster0.qk3zp.mongodb.net/shop", &["shopper"]);
}

#[test]
fn case_20_dsn_of_go() {
    hides("a.go", "sql.Open(\"mysql\", \"app:v7Kq2mzR@tcp(db.shop.io:3306)/shop\")", &["v7Kq2mzR"]);
}

#[test]
fn case_21_jdbc() {
    hides("a.java", "\"jdbc:postgresql://db.shop.io/shop?user=app&password=v7Kq2mzR\"", &["v7Kq2mzR"]);
    hides("a.java", "DriverManager.getConnection(url, \"app\", \"v7Kq2mzR\");", &["v7Kq2mzR"]);
}

#[test]
fn case_22_password_file() {
    hides("home/.pgpass", "db.shop.io:5432:shop:app:v7Kq2mzR\n", &["v7Kq2mzR"]);
    hides("home/.pgpass", "db.shop.io:5432:shop:app:v7Kq\\:2mzR\n", &["v7Kq\\:2mzR"]);
    hides("a.sh", "echo \"db.shop.io:5432:shop:app:v7Kq2mzR\" > ~/.pgpass", &["v7Kq2mzR"]);
}

#[test]
fn case_23_default_of_a_variable() {
    hides("a.sh", "PGPASSWORD=\"${PGPASSWORD:-v7Kq2mzR4tt81xWe}\"", &["v7Kq2mzR4tt81xWe"]);
    check("a.sh", "PGPASSWORD=\"${PGPASSWORD:-app}\"", DEVELOPMENT);
    check("a.sh", "PGPASSWORD=\"${PGPASSWORD:-}\"", SILENT);
    check("a.sh", "PGPASSWORD=\"${PGPASSWORD:?unset}\"", SILENT);
}

#[test]
fn case_24_variable_of_one_command() {
    hides("a.sh", "PGPASSWORD=ember657xq pg_dump shop", &["ember657xq"]);
    hides("a.sh", "PGPASSWORD='Word1821?' pg_dump shop", &["Word1821?"]);
    hides("a.ts", "execSync(`PGPASSWORD=ember657xq pg_dump shop`)", &["ember657xq"]);
}

#[test]
fn case_25_other_shells_and_images() {
    for text in [
        "set PGPASSWORD=v7Kq2mzR",
        "$env:PGPASSWORD = \"v7Kq2mzR\"",
        "ENV PGPASSWORD=v7Kq2mzR",
        "ENV PGPASSWORD v7Kq2mzR",
        "set -gx PGPASSWORD v7Kq2mzR",
        "setenv PGPASSWORD v7Kq2mzR",
        "docker run -e PGPASSWORD=v7Kq2mzR postgres",
        "Environment=PGPASSWORD=v7Kq2mzR",
        "Environment=\"PGPASSWORD=v7Kq2mzR\"",
        "echo \"PGPASSWORD=v7Kq2mzR\" >> $GITHUB_ENV",
        "##vso[task.setvariable variable=PGPASSWORD]v7Kq2mzR",
        "PGPASSWORD: v7Kq2mzR",
    ] {
        hides("a", text, &["v7Kq2mzR"]);
    }
}

#[test]
fn case_26_environment_of_a_container() {
    hides("a.yaml", "env: [{name: PGPASSWORD, value: \"v7Kq2mzR\"}]", &["v7Kq2mzR"]);
    hides("a.yaml", "env:\n  - name: PGPASSWORD\n    value: v7Kq2mzR\n", &["v7Kq2mzR"]);
    check(
        "a.yaml",
        "env:\n  - name: PGPASSWORD\n    valueFrom:\n      secretKeyRef: {name: db, key: pw}\n",
        SILENT,
    );
}

#[test]
fn case_27_base64_of_a_url() {
    // postgresql://app:v7Kq2mzR@db.shop.io/shop
    let encoded = concat!("cG9zdGdyZXNxbDovL2FwcDp2N0tx", "Mm16UkBkYi5zaG9wLmlvL3Nob3A=");
    hides("a.yaml", &format!("kind: Secret\ndata:\n  url: {encoded}\n"), &[encoded]);
}

/// A token whose claims are `claims`.
fn jwt(claims: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let part = |text: &str| {
        let mut encoded = String::new();
        for chunk in text.as_bytes().chunks(3) {
            let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
                << (8 * (3 - chunk.len()));
            encoded.extend(
                (0..=chunk.len()).map(|at| char::from(DIGITS[(bits >> (18 - 6 * at) & 63) as usize])),
            );
        }
        encoded
    };
    format!("{}.{}.{}", part(r#"{"alg":"HS256"}"#), part(claims), "v7Kq2mzR4tt81xWe".repeat(3))
}

#[test]
fn case_28_keys_of_supabase() {
    let claims = |iss: &str, role: &str| jwt(&format!(r#"{{"iss":"{iss}","role":"{role}","exp":1}}"#));
    check("a.env", &format!("SERVICE_ROLE_KEY={}", claims("supabase", "service_role")), LEAKED);
    check("a.env", &format!("ANON_KEY={}", claims("supabase", "anon")), SILENT);
    check("a.env", &format!("SERVICE_ROLE_KEY={}", claims("supabase-demo", "service_role")), DEVELOPMENT);
}

#[test]
fn case_29_example_of_a_slack_webhook() {
    let hook = |path: &str| format!("curl https://hooks.{}.com/services/{path}", "slack");
    check("a.sh", &hook("T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"), SILENT);
    check("a.sh", &hook("xxx"), SILENT);
    check("a.sh", &hook("T07K2MZRV/B04TT81XW/v7Kq2mzR4tt81xWe9fK2mQx7"), LEAKED);
}

#[test]
fn case_30_discord_webhook() {
    let token = "v7Kq2mzR4tt81xWe9fK2mQx7Lp3nB6cD0sHj5v7Kq2mzR4tt81xWe9fK2mQx7Lp3nB6c";
    check("a.sh", &format!("https://discord.com/api/webhooks/1187654321098765432/{token}"), LEAKED);
    check("a.sh", "https://discord.com/api/webhooks/{webhook.id}/{webhook.token}", SILENT);
}

#[test]
fn case_31_passphrases_in_commands() {
    hides("a.sh", "openssl enc -aes-256-cbc -pass pass:v7Kq2mzR -in x", &["v7Kq2mzR"]);
    hides("a.sh", "gpg --batch --passphrase 'v7Kq2mzR' -c x", &["v7Kq2mzR"]);
    hides("a.sh", "mysqldump -u root -pv7Kq2mzR shop", &["v7Kq2mzR"]);
    check("a.sh", "openssl enc -pass pass:$PW\ngpg --passphrase \"$PW\"\nmysqldump -p\"$PW\" shop", SILENT);
    check("a.sh", "openssl enc -aes-256-cbc -pass \"pass:${PW}\" -in x", SILENT);
}

#[test]
fn case_32_placeholder_with_a_host_that_stands_for_one() {
    check("a.md", "pg_dump \"postgresql://postgres:password@db.xxx.supabase.co:5432/postgres\"", SILENT);
}

#[test]
fn case_33_brackets_for_the_reader() {
    check("a.md", "postgresql://postgres:[YOUR-PASSWORD]@db.[PROJECT-REF].supabase.co:5432/postgres", SILENT);
    check("a.md", "postgresql://<user>:<pass>@<host>:5432/<db>", SILENT);
    check("a.md", "postgresql://postgres:<your password>@db.shop.io/x", SILENT);
}

#[test]
fn case_34_words_of_other_languages() {
    for userinfo in
        ["usuario:senha", "usuario:contraseña", "postgres:SENHA", "utilisateur:motdepasse", "root:пароль"]
    {
        check("a.md", &format!("postgresql://{userinfo}@db.shop.io:5432/banco"), SILENT);
    }
}

#[test]
fn case_35_capitals_and_new_host() {
    check("a.md", "postgresql://USER:PASS@HOST.neon.tech/db", SILENT);
    check("a.md", "export DATABASE_URL=postgresql://user:pass@new-host:5432/kct_restore", SILENT);
}

#[test]
fn case_36_masked() {
    for password in ["****", "[REDACTED]", "•••", "xxxxx", "…", "REDACTED", "<redacted>"] {
        check("a.md", &format!("postgresql://postgres:{password}@db.shop.io/x"), SILENT);
    }
}

#[test]
fn case_37_references_to_secret_stores() {
    for value in [
        "op://vault/db/password",
        "$(vault kv get -field=pw secret/db)",
        "`cat /run/pw`",
        "vault:secret/data/db#pw",
        "ENC[AES256_GCM,data:v7Kq2mzR,iv:x]",
        "ENC(v7Kq2mzR4tt8)",
        "!vault |",
        "${{ secrets.PGPASSWORD }}",
        "arn:aws:secretsmanager:eu-west-1:1:secret:db",
    ] {
        check("a.yml", &format!("PGPASSWORD: {value}"), SILENT);
        check("a.env", &format!("PGPASSWORD={value}"), SILENT);
    }
}

#[test]
fn case_38_code_that_speaks_of_urls() {
    for (path, text) in [
        ("a.py", "url = url.replace(\"postgres://\", \"postgresql://\")"),
        ("a.ts", "const PATTERN = /^postgres(ql)?:\\/\\/([^:]+):([^@]+)@([^:\\/]+)/;"),
        ("a.py", "url = \"postgresql://%s:%s@%s/%s\" % (user, pw, host, db)"),
        ("a.py", "url = f\"postgresql://{user}:{password}@{host}/{db}\""),
        ("a.go", "fmt.Sprintf(\"postgres://%s:%s@%s:%d/%s\", u, p, h, port, d)"),
    ] {
        check(path, text, SILENT);
    }
}

#[test]
fn case_39_defaults_of_development() {
    check("a.env", "DATABASE_URL=postgres://postgres:postgres@localhost:5432/shop", DEVELOPMENT);
    check("compose.yml", "DATABASE_URL: postgres://app:v7Kq2mzR@db:5432/shop", DEVELOPMENT);
    check(".github/workflows/ci.yml", "    env:\n      POSTGRES_PASSWORD: postgres\n", DEVELOPMENT);
    check("compose.yml", "      POSTGRES_PASSWORD: password\n", DEVELOPMENT);
    let azurite = concat!(
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1",
        "OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    );
    check("a.env", &format!("AccountName=devstoreaccount1;AccountKey={azurite};"), DEVELOPMENT);
}

#[test]
fn case_40_headers_and_public_keys() {
    check(
        "a.md",
        &format!("The file starts with `-----{} RSA PRIVATE KEY-----` and never leaves.", "BEGIN"),
        SILENT,
    );
    let elided = format!("-----{0} PRIVATE KEY-----\n...\n-----{1} PRIVATE KEY-----\n", "BEGIN", "END");
    check("a.md", &elided, SILENT);
    check("a.md", "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p", SILENT);
    check(
        "a.md",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ7v7Kq2mzR4tt81xWe9fK2mQx7Lp3nB6cD0sHj5 ada@shop",
        SILENT,
    );
}

#[test]
fn a_value_on_five_lines_is_five_findings() {
    let line = "pg_dump postgresql://app:Wo@rd12@db.shop.io/shop\n";
    let text = line.repeat(5);
    let found = find(&text, Place::of("a.sh"));
    assert_eq!(found.iter().map(|secret| secret.span.start).collect::<Vec<_>>(), [8, 57, 106, 155, 204]);
    assert_eq!(redact(&text), line.replace("Wo@rd12", MASK).repeat(5));
}

#[test]
fn two_on_one_line_are_one_finding_and_both_are_hidden() {
    let text = "A=postgres://postgres:postgres@localhost/x B=postgres://app:v7Kq2mzR@db.shop.io/x";
    let found = find(text, Place::of("a.sh"));
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].verdict, found[0].kind), (Verdict::Leaked, Kind::DatabaseUrl));
    assert_eq!(redact(text), "A=postgres://postgres:***@localhost/x B=postgres://app:***@db.shop.io/x");
}

#[test]
fn an_excerpt_is_masked_by_what_was_found_in_the_whole() {
    let text = "kind: Secret\ndata:\n  password: djdLcTJtelI=\nend: 1\n";
    let found = find(text, Place::of("a.yaml"));
    let line = text.find("  password").unwrap()..text.find("end").unwrap();
    let excerpt = backstop_policy::secrets::redact_found(text, line.into(), &found);
    assert_eq!(excerpt, "  password: ***\n");
    assert!(matches!(redact("nothing here"), std::borrow::Cow::Borrowed("nothing here")));
}
