//! Every kind of object and row that several connections copy: the archive reads as
//! that of stock pg_dump does, byte by byte, and stock pg_restore makes the same
//! database of it, by SQL that knows nothing of our digests.

use std::path::Path;
use std::process::Command;

use backstop_policy::manifest::{Manifest, Proof};

use crate::restore_parallel::HARD;
use crate::support::cluster::{Server, awkward, zoo};
use crate::support::equality::{self, client, output};
use crate::support::scene::{ALONE, Scene, shared, shared_18};
use crate::support::tools;

/// Tables that are copied in several parts, and what makes that hard.
const CUT: &str = "
    CREATE SCHEMA cut;
    SET search_path = cut;
    -- A small heap, whose rows lie apart.
    CREATE TABLE toasted (id int PRIMARY KEY, t text);
    ALTER TABLE toasted ALTER t SET STORAGE EXTERNAL;
    INSERT INTO toasted SELECT n, repeat(md5(n::text), 2500) FROM generate_series(1, 600) n;
    -- Most of its pages hold nothing.
    CREATE TABLE bloated AS SELECT n AS id, repeat('x', 900) AS pad FROM generate_series(1, 50000) n;
    DELETE FROM bloated WHERE id % 1000 <> 0;
    -- Columns that went, came and are made, in a table of several parts.
    CREATE TABLE changed (a int, gone text, b text, \"also gone\" int, c int GENERATED ALWAYS AS (a * 2) STORED);
    INSERT INTO changed SELECT n, 'x', repeat(md5(n::text), 20), n FROM generate_series(1, 30000) n;
    ALTER TABLE changed DROP COLUMN gone, DROP COLUMN \"also gone\", ADD COLUMN \"co,l\n(1)\" text DEFAULT E'\\\\.\\n',
        ADD COLUMN nothing int;
    UPDATE changed SET \"co,l\n(1)\" = CASE a % 5 WHEN 0 THEN NULL WHEN 1 THEN E'\\\\N' WHEN 2 THEN E'\\t\\r\\n\\b\\\\' WHEN 3 THEN '' END
        WHERE a % 3 = 0;
    -- Rows that lost all their columns, and rows that are all made.
    CREATE TABLE without_columns (a int);
    INSERT INTO without_columns SELECT generate_series(1, 3000);
    ALTER TABLE without_columns DROP COLUMN a;
    CREATE TABLE all_made (a int GENERATED ALWAYS AS (1 + 1) STORED);
    INSERT INTO all_made SELECT FROM generate_series(1, 100);
    CREATE TABLE \"new\nline\" (\"a\nb\" int, \"back\\slash\" int, \"t\tab\" int);
    INSERT INTO \"new\nline\" VALUES (1, 2, 3);
    -- Parents and partitions of several parts.
    CREATE TABLE mother (id int, word text);
    CREATE TABLE daughter () INHERITS (mother);
    INSERT INTO mother SELECT n, repeat(md5(n::text), 20) FROM generate_series(1, 30000) n;
    INSERT INTO daughter SELECT n, repeat(md5(n::text), 20) FROM generate_series(1, 30000) n;
    CREATE TABLE parts (id int, word text) PARTITION BY HASH (id);
    CREATE TABLE parts_0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE parts_1 (word text, id int);
    ALTER TABLE parts ATTACH PARTITION parts_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    INSERT INTO parts SELECT n, repeat(md5(n::text), 20) FROM generate_series(1, 60000) n;
    CREATE SEQUENCE fully_used MAXVALUE 2 CYCLE; SELECT nextval('fully_used'), nextval('fully_used');
    CREATE SEQUENCE below_zero MINVALUE -9223372036854775808 START -9223372036854775807;
    SELECT nextval('below_zero');
    RESET search_path";

/// What no two runs of a program say alike.
fn without_noise(script: &[u8]) -> Vec<&[u8]> {
    let noise = |line: &&[u8]| {
        !line.starts_with(b"-- ") && !line.starts_with(b"\\restrict ") && !line.starts_with(b"\\unrestrict ")
    };
    script.split(|byte| *byte == b'\n').filter(noise).collect()
}

#[track_caller]
fn same_script(what: &str, expected: &[u8], found: &[u8]) {
    let (expected, found) = (without_noise(expected), without_noise(found));
    let differs = expected.iter().zip(&found).position(|(one, other)| one != other);
    if let Some(at) = differs {
        let show = |lines: &[&[u8]]| {
            let around = lines.iter().skip(at.saturating_sub(3)).take(6);
            around
                .map(|line| String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned())
                .collect::<Vec<_>>()
                .join("\n")
        };
        panic!("{what}: line {at} differs\nexpected:\n{}\nfound:\n{}", show(&expected), show(&found));
    }
    assert_eq!(expected.len(), found.len(), "{what}: one goes on");
}

/// The script that a stock pg_restore makes of an archive.
fn script(restore: &Path, archive: &[u8]) -> Vec<u8> {
    output(Command::new(restore).env_clear().arg("--file=-"), archive)
}

/// The stock pg_restores that read what `pg_dump` of a major writes, in its own
/// compression or in ours.
fn readers(major: u32, compression: &str) -> Vec<std::path::PathBuf> {
    // Formats: 1.14 up to 15, 1.15 of 16, 1.16 since 17.
    let oldest = if major <= 15 { 15 } else { 17 };
    let all = [
        (15, tools::client(15)),
        (17, tools::client(17)),
        (18, tools::client(18)),
        (18, tools::postgres(18)),
    ];
    // The wheel's was built without zstd.
    let reads = |(reader, folder): &(u32, std::path::PathBuf)| {
        *reader >= oldest && (compression != "zstd" || *folder != tools::postgres(18))
    };
    all.into_iter().filter(reads).map(|(_, folder)| folder.join("pg_restore")).collect()
}

struct Taken {
    manifest: Manifest,
    archive: Vec<u8>,
    stderr: String,
}

fn take(scene: &Scene<'_>, major: u32, arguments: &[&str]) -> Taken {
    let programs = [tools::client(major), tools::postgres(15), tools::postgres(18)];
    let run = scene
        .backup(&[arguments, &["--format", "json"]].concat())
        .env("BACKSTOP_PG_BIN", std::env::join_paths(programs).unwrap());
    let outcome = run.run().ended(0);
    let manifest: Manifest = serde_json::from_str(&outcome.stdout).unwrap();
    let archive = std::fs::read(scene.store_path().join(&manifest.artifact.key)).unwrap();
    Taken { manifest, archive, stderr: outcome.stderr }
}

/// What pg_dump of the same version makes of the same database.
fn stock(server: &Server, major: u32, database: &str, arguments: &[&str]) -> Vec<u8> {
    output(client(server, major, "pg_dump", database).args(["-Fc", "-Z0"]).args(arguments), b"")
}

async fn full_database(server: &Server, major: u32, name: &str) {
    server.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0")).await;
    for statements in [CUT.to_owned(), zoo(), awkward(major), HARD.to_owned()] {
        server.sql(name, &statements).await;
    }
}

async fn reads_as_stock(major: u32) {
    let server = Server::start(major).await;
    full_database(&server, major, "everything").await;
    let scene = Scene::of(&server, "everything");
    let expected = stock(&server, major, "everything", &[]);
    let mut taken = None;
    for (compress, jobs) in [("default", "4"), ("gzip:1", "2"), ("none", "3")] {
        let arguments = if compress == "default" {
            vec!["--jobs", jobs]
        } else {
            vec!["--jobs", jobs, "--compress", compress]
        };
        let backup = take(&scene, major, &arguments);
        assert!(!backup.stderr.contains("pg_dump copies the rows alone"), "{}", backup.stderr);
        let Proof::Snapshot { tables, roots, .. } = &backup.manifest.proof else { panic!("unproven") };
        assert!(tables.iter().all(|table| table.digest.is_some() || table.root.is_some()), "{tables:#?}");
        assert!(roots.len() > 4, "{roots:#?}");
        let compression = if major >= 16 && compress == "default" { "zstd" } else { "gzip" };
        let written = backup.manifest.archive.compression.as_str();
        assert_eq!(written, if compress == "none" { "none" } else { compression }, "{major}");
        for reader in readers(major, written) {
            let what = format!("{major}, {compress}, read by {}", reader.display());
            same_script(&what, &script(&reader, &expected), &script(&reader, &backup.archive));
        }
        taken.get_or_insert(backup.archive);
    }
    let archive = taken.unwrap();

    // Restored: by two connections from a file, and by one from a pipe.
    let (rows, definitions) =
        (equality::rows(&server, "everything").await, equality::definitions(&server, major, "everything"));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &archive).unwrap();
    let restore = || {
        let mut command = Command::new(tools::client(major).join("pg_restore"));
        command.env_clear().envs(server.environment()).args(["--exit-on-error", "--dbname"]);
        command
    };
    let copies = if major == 16 {
        // There is no client of its own here, and it does not know all that 17's sets.
        equality::restore_by_stock_tools(&server, major, "by_pipe", &archive).await;
        &["by_pipe"][..]
    } else {
        server.sql("postgres", "CREATE DATABASE by_two TEMPLATE template0").await;
        output(restore().args(["by_two", "--jobs=2"]).arg(file.path()), b"");
        server.sql("postgres", "CREATE DATABASE by_pipe TEMPLATE template0").await;
        output(restore().arg("by_pipe"), &archive);
        &["by_two", "by_pipe"]
    };
    for copy in copies {
        equality::same(copy, &rows, &equality::rows(&server, copy).await);
        equality::same(copy, &definitions, &equality::definitions(&server, major, copy));
    }

    // Chosen from: listed, by a list turned around, by a table.
    let reader = tools::client(if major == 16 { 17 } else { major }).join("pg_restore");
    let listed = |archive: &[u8]| {
        let list = output(Command::new(&reader).env_clear().arg("--list"), archive);
        let list = String::from_utf8(list).unwrap();
        list.lines().filter(|line| !line.starts_with(';')).map(str::to_owned).collect::<Vec<_>>()
    };
    let list = listed(&archive);
    assert_eq!(list, listed(&expected));
    let turned = tempfile::NamedTempFile::new().unwrap();
    let data = list.iter().filter(|line| line.contains(" TABLE DATA cut "));
    std::fs::write(turned.path(), data.rev().cloned().collect::<Vec<_>>().join("\n")).unwrap();
    let chosen = |archive: &Path, arguments: &[&str]| {
        output(Command::new(&reader).env_clear().arg("--file=-").args(arguments).arg(archive), b"")
    };
    let by_list = format!("--use-list={}", turned.path().display());
    let stock_file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(stock_file.path(), &expected).unwrap();
    for choice in
        [vec![by_list.as_str()], vec!["--schema=cut", "--table=changed"], vec!["--data-only", "--table=huge"]]
    {
        let found = chosen(file.path(), &choice);
        assert!(found.len() > 100_000, "{choice:?}");
        same_script(&format!("{choice:?}"), &chosen(stock_file.path(), &choice), &found);
    }

    // And as it says itself.
    let on = server.cluster.conninfo("postgres");
    scene.verify(&["--level", "restored", "--on", &on]).run().ended(0);
    server.cluster.stop().await.unwrap();
}

#[tokio::test]
async fn it_reads_as_stock_pg_dump_on_15() {
    reads_as_stock(15).await;
}

#[tokio::test]
async fn it_reads_as_stock_pg_dump_on_18() {
    reads_as_stock(18).await;
}

#[tokio::test]
#[ignore = "for `scripts/test --full`"]
async fn it_reads_as_stock_pg_dump_on_the_others() {
    for major in [13, 14, 16, 17] {
        reads_as_stock(major).await;
    }
}

/// What pg_dump leaves out by its own flags, ours leaves out.
#[tokio::test]
async fn a_part_reads_as_that_of_stock_pg_dump() {
    for (server, major) in [(shared().await, 15), (shared_18().await, 18)] {
        let name = "engine_parts";
        server.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0")).await;
        server.sql(name, CUT).await;
        server.sql(name, "CREATE TABLE \"Own\" AS SELECT 1 AS id; SELECT lo_from_bytea(0, 'x')").await;
        let scene = Scene::of(server, name);
        for choice in [
            &["--schema", "cut"][..],
            &["--schema", "c?t", "--exclude-table", "cut.(toasted|bloated)"],
            &["--table", "cut.changed"],
            &["--table", "\"Own\"", "--table", "*.parts*"],
            &["--exclude-table", "cut.*"],
            &["--exclude-table-data", "cut.toasted", "--exclude-table-data", "cut.pa*"],
        ] {
            let backup = take(&scene, major, choice);
            assert!(!backup.stderr.contains("pg_dump copies the rows alone"), "{}", backup.stderr);
            let expected = stock(server, major, name, choice);
            let reader = tools::client(major).join("pg_restore");
            let what = format!("{major}: {choice:?}");
            same_script(&what, &script(&reader, &expected), &script(&reader, &backup.archive));
        }
        server.sql("postgres", &format!("DROP DATABASE {name}")).await;
    }
}

/// Text in other encodings, and names that are no text at all: those alone are left
/// to pg_dump.
#[tokio::test]
async fn databases_in_other_encodings() {
    // Raw bytes come from expressions, because the connection speaks UTF-8.
    let ascii = r"CREATE TABLE t (a text, b text DEFAULT E'\xe9'); INSERT INTO t (a) SELECT E'\xff\xfe' || n FROM generate_series(1, 9000) n;
        CREATE TABLE u AS SELECT convert_from('\x80', 'SQL_ASCII') AS c";
    let latin = "CREATE TABLE \"größe\" (\"naïve\" text, id serial); INSERT INTO \"größe\" SELECT 'é' || n FROM generate_series(1, 9000) n";
    let not_ascii = r"DO $$ BEGIN EXECUTE format('CREATE TABLE %I AS SELECT 1 AS id', E'n\xe9e'); END $$";
    for (server, major) in [(shared().await, 15), (shared_18().await, 18)] {
        for (name, encoding, statements, by_us) in [
            ("in_latin1", "LATIN1", latin, true),
            ("in_win1252", "WIN1252", latin, true),
            (
                "in_euc_jp",
                "EUC_JP",
                "CREATE TABLE \"日本\" (\"列\" text); INSERT INTO \"日本\" VALUES ('大阪')",
                true,
            ),
            ("in_ascii", "SQL_ASCII", ascii, true),
            ("in_no_ascii", "SQL_ASCII", not_ascii, false),
        ] {
            let create =
                format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'");
            server.sql("postgres", &create).await;
            server.sql(name, statements).await;
            let scene = Scene::of(server, name);
            let backup = take(&scene, major, &[]);
            let alone =
                "pg_dump copies the rows alone: names in a database without an encoding are not ASCII";
            assert_eq!(backup.stderr.contains(alone), !by_us, "{encoding}: {}", backup.stderr);
            let expected = stock(server, major, name, &[]);
            let reader = tools::client(major).join("pg_restore");
            same_script(encoding, &script(&reader, &expected), &script(&reader, &backup.archive));
            scene.verify(&[]).run().ended(0);
            // Both ways write the same.
            let backup = take(&scene, major, ALONE);
            same_script(encoding, &script(&reader, &expected), &script(&reader, &backup.archive));
        }
    }
}

/// A table moves and grows while its parts are copied: every row is in some part once.
#[tokio::test]
async fn a_table_that_moves_and_grows() {
    let scene = crate::support::scene::big("engine_moves").await;
    let before = equality::rows(scene.server, &scene.database).await;
    let holder = scene.hold().await;
    let mut run = scene.backup(&["--jobs", "3", "--format", "json"]).start();
    scene.copying(&mut run, 3).await;
    // The index is in use by whoever writes; they write when it is free, and before
    // those who copy get on.
    run.signal(nix::sys::signal::Signal::SIGSTOP);
    holder.batch_execute("ROLLBACK").await.unwrap();
    scene
        .server
        .sql(
            &scene.database,
            "UPDATE large SET word = word || '!' WHERE id % 2 = 0; DELETE FROM large WHERE id % 7 = 0;
             INSERT INTO large SELECT n, 'new' FROM generate_series(1, 200000) n",
        )
        .await;
    scene.server.sql(&scene.database, "VACUUM large").await;
    run.signal(nix::sys::signal::Signal::SIGCONT);
    let outcome = tokio::task::spawn_blocking(move || run.wait().ended(0)).await.unwrap();
    let manifest: Manifest = serde_json::from_str(&outcome.stdout).unwrap();
    let archive = std::fs::read(scene.store_path().join(&manifest.artifact.key)).unwrap();
    equality::restore_by_stock_tools(scene.server, 15, "engine_moved", &archive).await;
    equality::same("rows", &before, &equality::rows(scene.server, "engine_moved").await);
    scene.verify(&["--level", "restored"]).run().ended(0);
}
