//! Kinds of documents, by their paths and by what they say.

use super::*;

#[test]
fn a_path_says_what_a_document_is() {
    for (path, kind) in [
        (".github/workflows/backup.yml", Kind::Workflow),
        ("app/.github/workflows/backup.yaml", Kind::Workflow),
        ("scripts/backup.sh", Kind::Shell),
        ("docker-compose.prod.yml", Kind::Compose),
        ("backstop.yml", Kind::Backstop),
        (".env.production", Kind::Env),
        ("deploy/prod.env", Kind::Env),
        ("etc/cron.d/backup", Kind::Crontab),
        ("db/0001_init.sql", Kind::Sql),
        ("drizzle.config.ts", Kind::Drizzle),
        ("src/db.ts", Kind::TypeScript),
        ("docs/BACKUP.md", Kind::Markdown),
        ("home/.pgpass", Kind::Pgpass),
        ("notes.txt", Kind::Text),
        ("main.py", Kind::Text),
    ] {
        assert_eq!(Kind::of(path, ""), kind, "{path}");
    }
}

#[test]
fn content_says_it_where_the_path_does_not() {
    for (path, text, kind) in [
        ("ci.yml", "name: x\non: push\njobs:\n  a: {}\n", Kind::Workflow),
        ("k.yaml", "apiVersion: batch/v1\nkind: CronJob\n", Kind::Kubernetes),
        ("s.yml", "# c\nservices:\n  db: {}\n", Kind::Compose),
        ("values.yml", "image:\n  services: 1\n", Kind::Text),
        ("action.yml", "name: a\nruns:\n  using: composite\n", Kind::Action),
        ("lifecycle.json", "{\"Rules\": [{\"Expiration\": {\"Days\": 1}}]}", Kind::Lifecycle),
        ("gcs.json", "{\"rule\": [{\"action\": {}, \"condition\": {}}]}", Kind::Lifecycle),
        ("p.json", "{\"Statement\": [{\"Effect\": \"Deny\"}]}", Kind::BucketPolicy),
        ("package.json", "{\"name\": \"x\"}", Kind::Text),
        ("bin/backup", "#!/usr/bin/env bash\nx\n", Kind::Shell),
        ("hook.tmpl", "#!/bin/sh -e\n", Kind::Shell),
        ("-", "0 2 * * * /opt/b.sh\n", Kind::Crontab),
        ("-", "A=1\nB='x y'\n", Kind::Env),
        ("-", "# Title\n\n- item\n", Kind::Markdown),
        ("-", "hello there\n", Kind::Text),
        // A document whose blocks are taken for it, line by line.
        ("-", "# Plan\n\n```yaml\nname: x\non: push\njobs:\n  a: {}\n```\n", Kind::Markdown),
        ("-", "Text\n~~~\n[Unit]\n[Service]\n~~~\n", Kind::Markdown),
        ("-", "[[_TOC_]]\n\n```json\n{\"Rules\": []}\n```\n", Kind::Markdown),
        // One that writes a block somewhere.
        ("-", "on: push\njobs:\n  a:\n    run: |\n      ```\n      x\n      ```\n", Kind::Workflow),
        ("-", "-- add a column\n\nALTER TABLE t ADD c int;\n", Kind::Sql),
        ("-", "begin;\nupdate t set c = 1;\ncommit;\n", Kind::Sql),
        ("-", "Select what you like and\nbe done with it.\n", Kind::Text),
        ("-", "// db\nimport postgres from 'postgres';\nconst a = 1;\n", Kind::TypeScript),
        ("-", "import of goods from here\n", Kind::Text),
        ("-", "pg_dump shop | gzip > shop.gz\n", Kind::Shell),
        ("LICENSE", "MIT License\n\nto deal; to use;\n", Kind::Text),
        ("b.service", "[Unit]\n[Service]\nExecStart=/x\n", Kind::Systemd),
        ("src/user.service", "class X\n", Kind::Text),
    ] {
        assert_eq!(Kind::of(path, text), kind, "{path}: {text}");
    }
}

#[test]
fn a_fence_is_what_it_holds() {
    for (language, text, kind) in [
        ("bash", "# Daily\n0 2 * * * root /opt/x.sh >> l 2>&1\n", Kind::Crontab),
        ("bash", "# Keys\nA_B=your_key\nC=d # e\n", Kind::Env),
        ("bash", "A=$(date)\npg_dump x\n", Kind::Shell),
        ("bash", "PGPASSWORD=x pg_dump y\n", Kind::Shell),
        ("bash", "TS=1\nexport B=2\n", Kind::Shell),
        ("bash", "5 apples make a * of 3\n", Kind::Shell),
        ("ini", "[Timer]\nOnCalendar=daily\n", Kind::Systemd),
        ("ini", "[client]\nuser=x\n", Kind::Text),
        ("", "pg_dump db > a.sql\n", Kind::Shell),
        ("", "./backups/a.sql.gz\n", Kind::Text),
        ("csv", "a,b\n", Kind::Text),
        ("json", "{\"a\": 1}", Kind::Text),
        ("yaml", "  on:\n    push:\n  jobs:\n    a: 1\n", Kind::Workflow),
    ] {
        assert_eq!(Kind::of_fence(language, text), kind, "{language}: {text}");
    }
}

#[test]
fn every_kind_has_a_name_of_its_own() {
    for (kind, name) in KINDS {
        assert_eq!(kind.as_str(), name);
        assert_eq!(name.parse(), Ok(kind));
    }
    assert!("yml".parse::<Kind>().is_err());
}
