//! Restore stories with dumps that other programs made: what people have lying
//! about goes into a new database; what is cut, locked or hostile does not.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::restore::Shop;
use crate::support::scene::processes;
use crate::support::tools;

/// Run a shell line with PostgreSQL's programs of a major version on the path.
fn sh(shop: &Shop, major: u32, directory: &Path, line: &str) {
    let path = format!("{}:/usr/bin:/bin", tools::postgres(major).display());
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", line])
        .current_dir(directory)
        .env("PATH", path)
        .env("DB", shop.server.cluster.conninfo(&shop.database))
        .env("GNUPGHOME", directory)
        .output()
        .unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

async fn assert_restores(shop: &Shop, what: &str, file: &str) {
    let done = shop
        .run(&["restore", file, "--new-db", "copy"])
        .env("BACKSTOP_PASSPHRASE", "s3cret word")
        .run()
        .ended(0);
    assert_eq!(shop.look("copy").await, shop.look("shop").await, "{what}");
    assert!(done.stdout.contains("compared   not: "), "{what}: {}", done.stdout);
    assert!(!done.stdout.contains("s3cret") && !done.stderr.contains("s3cret"));
    shop.server.sql("postgres", "DROP DATABASE copy").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dumps_that_other_scripts_made_are_restored() {
    for major in [15, 18] {
        let shop = Shop::open(major).await;
        let directory = tempfile::tempdir().unwrap();
        let gpg = "gpg --batch --yes --pinentry-mode loopback --passphrase 's3cret word' --symmetric";
        for (name, line) in [
            ("a.dump", "pg_dump -Fc \"$DB\" > a.dump".to_owned()),
            ("a.dump.gz", "pg_dump -Fc \"$DB\" | gzip > a.dump.gz".to_owned()),
            ("a.sql", "pg_dump \"$DB\" > a.sql".to_owned()),
            ("a.sql.gz", "pg_dump \"$DB\" | gzip > a.sql.gz".to_owned()),
            ("inserts.sql.zst", "pg_dump --inserts \"$DB\" | zstd -q > inserts.sql.zst".to_owned()),
            (
                "a.sql.gz.enc",
                "pg_dump \"$DB\" | gzip | openssl enc -aes-256-cbc -pbkdf2 -salt -pass 'pass:s3cret word' > a.sql.gz.enc"
                    .to_owned(),
            ),
            ("a.dump.gpg", format!("pg_dump -Fc \"$DB\" | {gpg} -o a.dump.gpg")),
        ] {
            sh(&shop, major, directory.path(), &line);
            assert_restores(&shop, name, directory.path().join(name).to_str().unwrap()).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_dump_of_18_goes_into_15() {
    let (newer, older) = tokio::join!(Shop::open(18), Shop::open(15));
    let directory = tempfile::tempdir().unwrap();
    sh(&newer, 18, directory.path(), "pg_dump \"$DB\" > a.sql");
    let text = std::fs::read_to_string(directory.path().join("a.sql")).unwrap();
    assert!(text.contains("SET transaction_timeout = 0;") && text.contains("\n\\restrict "));
    let file = directory.path().join("a.sql");
    older.run(&["restore", file.to_str().unwrap(), "--new-db", "copy"]).run().ended(0);
    let rows = |text: &str| text.lines().take(6).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(rows(&older.look("copy").await), rows(&newer.look("shop").await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_dump_that_is_cut_leaves_nothing() {
    let shop = Shop::open(15).await;
    let directory = tempfile::tempdir().unwrap();
    sh(&shop, 15, directory.path(), "pg_dump \"$DB\" > whole.sql");
    let whole = std::fs::read(directory.path().join("whole.sql")).unwrap();
    let databases = shop.databases().await;
    shop.server.sql("postgres", "CREATE DATABASE target").await;
    let to = shop.server.cluster.conninfo("target");
    // Inside COPY data, between two statements, and right before the last line.
    let text = String::from_utf8_lossy(&whole);
    let in_copy = text.find("COPY public.orders ").unwrap() + 3000;
    let between = text.find("\nCREATE INDEX").unwrap() + 1;
    let last = text.rfind("-- PostgreSQL database dump complete").unwrap();
    for length in [in_copy, between, last] {
        let file = directory.path().join("cut.sql");
        std::fs::write(&file, &whole[..length]).unwrap();
        let file = file.to_str().unwrap();
        let refused = shop.run(&["restore", file, "--new-db", "copy"]).run().ended(2);
        assert!(refused.stderr.contains("the dump ends in line"), "{length}: {}", refused.stderr);
        assert!(!shop.databases().await.contains("copy"));
        shop.run(&["restore", file, "--to", &to]).run().ended(2);
        let objects = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
        assert_eq!(shop.server.sql("target", objects).await, "0", "{length}");
    }
    shop.server.sql("postgres", "DROP DATABASE target").await;
    assert_eq!(shop.databases().await, databases);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_from_strangers_runs_no_command_here() {
    let shop = Shop::open(15).await;
    let directory = tempfile::tempdir().unwrap();
    let proof = directory.path().join("proof");
    let file = directory.path().join("bad.sql");
    for line in [
        format!("\\! touch {}", proof.display()),
        format!("SELECT 1 \\g |touch {}", proof.display()),
        format!("\\o |touch {}", proof.display()),
        format!("\\copy t to program 'touch {}'", proof.display()),
        // Read as one string where standard_conforming_strings is on, and as two when it was turned off behind our back.
        format!(
            "SELECT set_config('standard_conforming_strings', 'off', false);\nSELECT 'a\\';\n\\! touch {} \n--';",
            proof.display()
        ),
        "\\connect postgres".to_owned(),
    ] {
        std::fs::write(&file, format!("CREATE TABLE t (a int);\n{line}\nSELECT 1;\n")).unwrap();
        let refused = shop.run(&["restore", file.to_str().unwrap(), "--new-db", "copy"]).run().ended(2);
        assert!(!proof.exists(), "{line}");
        assert!(
            refused.stderr.contains("hint: ") || refused.stderr.contains("psql failed"),
            "{}",
            refused.stderr
        );
        assert!(!shop.databases().await.contains("copy"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_says_what_it_is_and_the_way_out() {
    let shop = Shop::open(15).await;
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    sh(
        &shop,
        15,
        directory.path(),
        "pg_dump -Ft \"$DB\" > a.tar; pg_dump -Fd -f a.dir \"$DB\"; pg_dumpall -d \"$DB\" > all.sql",
    );
    sh(
        &shop,
        15,
        directory.path(),
        "age-keygen -o mine.key 2>/dev/null; age-keygen -o other.key 2>/dev/null",
    );
    sh(
        &shop,
        15,
        directory.path(),
        "pg_dump -Fc \"$DB\" | age -r $(age-keygen -y mine.key) > a.dump.age; head -c 5000 /dev/urandom > noise.bin; \
         pg_dump \"$DB\" | openssl enc -aes-256-cbc -pbkdf2 -pass pass:right > a.enc",
    );
    for (name, says) in [
        ("a.tar", "is a tar archive"),
        ("a.dir", "is a directory"),
        ("all.sql", "dump of a whole cluster"),
        ("noise.bin", "is no dump of PostgreSQL"),
        ("nothing.dump", "cannot open"),
        ("a.dump.age", "none of the given keys opens it"),
        ("a.enc", "the passphrase does not open it"),
    ] {
        let refused = shop
            .run(&["restore", &at(name), "--new-db", "copy", "--identity", &at("other.key")])
            .env("BACKSTOP_PASSPHRASE", "wrong")
            .run()
            .ended(2);
        assert!(refused.stderr.contains(says), "{name}: {}", refused.stderr);
        assert!(!shop.databases().await.contains("copy"));
    }
    shop.run(&["restore", &at("a.dump.age"), "--new-db", "copy", "--identity", &at("mine.key")])
        .run()
        .ended(0);
    let identity = std::fs::read_to_string(at("mine.key")).unwrap();
    shop.run(&["restore", &at("a.dump.age"), "--new-db", "again"])
        .env("BACKSTOP_IDENTITY", identity)
        .run()
        .ended(0);
    assert_eq!(shop.look("again").await, shop.look("copy").await);
    let choice = shop.run(&["restore", &at("all.sql"), "--new-db", "x", "--table", "users"]).run().ended(2);
    assert!(choice.stderr.contains("need an archive"), "{}", choice.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_presigned_url_is_followed_and_never_shown() {
    let shop = Shop::open(15).await;
    let directory = tempfile::tempdir().unwrap();
    sh(&shop, 15, directory.path(), "pg_dump -Fc \"$DB\" | gzip > a.gz");
    let body = std::fs::read(directory.path().join("a.gz")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = std::thread::spawn(move || {
        for request in listener.incoming().take(4) {
            let mut stream = request.unwrap();
            let mut head = vec![0; 4096];
            let length = stream.read(&mut head).unwrap();
            let head = String::from_utf8_lossy(&head[..length]).into_owned();
            let answer = |status: &str, more: &str, length: usize| {
                format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{more}\r\n")
            };
            if head.starts_with("GET /moved?") {
                let to = answer("302 Found", "Location: /a.gz?Signature=topsecret\r\n", 0);
                stream.write_all(to.as_bytes()).unwrap();
            } else if head.starts_with("GET /a.gz?") {
                stream.write_all(answer("200 OK", "", body.len()).as_bytes()).unwrap();
                stream.write_all(&body).unwrap();
            } else if head.starts_with("GET /cut?") {
                stream.write_all(answer("200 OK", "", body.len()).as_bytes()).unwrap();
                stream.write_all(&body[..body.len() / 2]).unwrap();
            } else {
                stream.write_all(answer("403 Forbidden", "", 0).as_bytes()).unwrap();
            }
        }
    });
    let url = |path: &str| format!("http://127.0.0.1:{port}/{path}?Signature=topsecret");
    let done = shop.run(&["restore", &url("moved"), "--new-db", "copy"]).run().ended(0);
    assert_eq!(shop.look("copy").await, shop.look("shop").await);
    let cut = shop.run(&["restore", &url("cut"), "--new-db", "half"]).run().ended(2);
    let expired = shop.run(&["restore", &url("expired"), "--new-db", "none"]).run().ended(2);
    assert!(expired.stderr.contains("the server answers 403"), "{}", expired.stderr);
    for outcome in [done, cut, expired] {
        assert!(
            !outcome.stdout.contains("topsecret") && !outcome.stderr.contains("topsecret"),
            "{outcome:?}"
        );
    }
    assert!(!shop.databases().await.contains("half"));
    serve.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_restore_drops_what_it_made() {
    let shop = Shop::open(15).await;
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("slow.sql");
    sh(&shop, 15, directory.path(), "mkfifo slow.sql");
    let before = shop.databases().await;
    let mut run = shop.run(&["restore", fifo.to_str().unwrap(), "--new-db", "copy"]);
    run.command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = run.command.spawn().unwrap();
    let mut slow = std::fs::OpenOptions::new().write(true).open(&fifo).unwrap();
    slow.write_all(b"--\n-- PostgreSQL database dump\n--\nCREATE TABLE t (a int);\n").unwrap();
    slow.write_all(&b"SELECT 1;\n".repeat(200)).unwrap();
    for _ in 0..100 {
        if shop.databases().await.contains("copy") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(shop.databases().await.contains("copy"), "it never began");
    nix_kill(child.id());
    let status = child.wait().unwrap();
    drop(slow);
    assert_eq!(status.code(), Some(2));
    assert_eq!(shop.databases().await, before);
}

/// After the last statement it is too late to stop: what was committed is told as
/// such, and what nobody can know is not called undone.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_is_stopped_while_it_commits_says_what_came_of_it() {
    let shop = Shop::open(15).await;
    shop.server.sql("postgres", "CREATE DATABASE target").await;
    let to = shop.server.cluster.conninfo("target");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("slow.sql");
    for (seconds, status) in [(60, 2), (2, 0)] {
        let text = format!(
            "CREATE TABLE t (a int);\nCREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql \
             AS $$BEGIN PERFORM pg_sleep({seconds}); RETURN NULL; END$$;\nCREATE CONSTRAINT TRIGGER slow \
             AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow();\n\
             INSERT INTO t VALUES (1);\n"
        );
        std::fs::write(&file, text).unwrap();
        let run = shop.run(&["restore", file.to_str().unwrap(), "--to", &to]).start();
        let sleeping =
            "SELECT count(*) FROM pg_stat_activity WHERE query = 'COMMIT' AND wait_event = 'PgSleep'";
        let mut patience = 0..300;
        while shop.server.sql("postgres", sleeping).await == "0" {
            patience.next().expect("it never committed");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        run.signal(Signal::SIGTERM);
        let outcome = tokio::task::spawn_blocking(move || run.wait().ended(status)).await.unwrap();
        if status == 2 {
            insta::assert_snapshot!(outcome.stderr, @r"
            error: interrupted: whether it committed to database 'target' is not known
            hint: look into database 'target': all of the dump is there, or nothing of it
            ");
            shop.server
                .sql(
                    "postgres",
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'target'",
                )
                .await;
            while shop.server.sql("postgres", sleeping).await != "0" {
                patience.next().expect("it does not go");
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            assert_eq!(shop.server.sql("target", "SELECT to_regclass('t')").await, "");
        } else {
            assert_eq!(shop.server.sql("target", "SELECT a FROM t").await, "1");
        }
    }
}

/// Whoever runs out of memory is ended by the system: the dump is not to blame, and of
/// one that had everything nobody knows whether it committed.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_psql_is_told_as_such() {
    let shop = Shop::open(15).await;
    shop.server.sql("postgres", "CREATE DATABASE target").await;
    let to = shop.server.cluster.conninfo("target");
    let before = shop.databases().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("slow.sql");
    // Behind the statement that it is killed in there is more than a pipe holds, or nothing.
    for (more, into) in [
        (300_000, ["--to", &to]),
        (0, ["--to", &to]),
        (300_000, ["--new-db", "copy"]),
        (0, ["--new-db", "copy"]),
    ] {
        let text =
            format!("CREATE TABLE t (a int);\nSELECT pg_sleep(60);\n{}", "SELECT 1;\n".repeat(more / 10));
        std::fs::write(&file, text).unwrap();
        let run = shop.run(&["restore", file.to_str().unwrap(), into[0], into[1]]).start();
        let home = run.home.path().to_owned();
        let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60);'";
        let begun = std::time::Instant::now();
        while shop.server.sql("postgres", sleeping).await == "0" {
            assert!(begun.elapsed().as_secs() < 20, "it never slept");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let is_psql = |(_, command): &(i32, String)| {
            command.split(' ').next().is_some_and(|program| program.ends_with("/psql"))
        };
        let (psql, _) = processes(&home).into_iter().find(is_psql).unwrap();
        kill(Pid::from_raw(psql), Signal::SIGKILL).unwrap();
        let outcome = tokio::task::spawn_blocking(move || run.wait().ended(2)).await.unwrap();
        insta::allow_duplicates! {
            if more == 0 && into[0] == "--to" {
                insta::assert_snapshot!(outcome.stderr, @r"
                error: psql was ended by the system (signal: 9 (SIGKILL)): whether it committed to database 'target' is not known
                hint: look into database 'target': all of the dump is there, or nothing of it
                ");
            } else {
                insta::assert_snapshot!(outcome.stderr, @r"
                error: psql was ended by the system (signal: 9 (SIGKILL))
                hint: the system does so when memory runs out: restore where there is more
                ");
            }
        }
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'target'";
        shop.server.sql("postgres", end).await;
        assert_eq!(shop.server.sql("target", "SELECT to_regclass('t')").await, "");
        assert_eq!(shop.databases().await, before);
        assert_eq!(processes(&home), []);
    }
}

fn nix_kill(pid: u32) {
    assert!(Command::new("kill").args(["-TERM", &pid.to_string()]).status().unwrap().success());
}
