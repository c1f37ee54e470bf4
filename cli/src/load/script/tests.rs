//! The filter against texts that pg_dump writes, and some that nobody should run.

use std::process::Command;

use super::*;

const RULES: Rules = Rules { drop_transaction_timeout: true, one_transaction: true };

/// However the text is cut into pieces, the same comes out.
fn filtered(text: &str) -> Result<String, String> {
    let run = |size: usize| {
        let (mut filter, mut out) = (Filter::new(RULES), Vec::new());
        for piece in text.as_bytes().chunks(size) {
            filter.feed(piece, &mut out).map_err(|error| error.to_string())?;
        }
        filter.finish(&mut out).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).unwrap())
    };
    let whole = run(text.len().max(1));
    for size in [1, 2, 3, 7] {
        assert_eq!(run(size), whole);
    }
    whole
}

#[test]
fn what_the_target_cannot_take_is_taken_out_at_the_top_alone() {
    let text = "SET a = 1;\nSET transaction_timeout = 0;\nBEGIN;\n\
                COPY public.t (a, \"b;\") FROM stdin;\nSET transaction_timeout = 0;\n\\! ls\n\\.x\n\\.\n\
                COMMIT;\nSELECT 'SET transaction_timeout = 0;\n\\! ls';\n";
    assert_eq!(
        filtered(text).unwrap(),
        "SET a = 1;\n\n\nCOPY public.t (a, \"b;\") FROM stdin;\nSET transaction_timeout = 0;\n\\! ls\n\\.x\n\\.\n\
         \nSELECT 'SET transaction_timeout = 0;\n\\! ls';\n"
    );
}

#[test]
fn what_stands_inside_something_passes_untouched() {
    for text in [
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $_$\nBEGIN\n  \\x $$ COMMIT; $_\nEND;\n$_$;\n",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql\n BEGIN ATOMIC\n SELECT CASE WHEN true THEN 1 END;\n SELECT 2;\nEND;\n",
        "INSERT INTO t VALUES ('it''s', E'a\\'; \\! ls', E'x''\\';COMMIT;', 'C:\\');\n",
        "/* \\! ls /* nested */ COMMIT; */ SELECT 1;\n-- \\! COMMIT;\nSELECT a$b$c, 4-3, 4/2, $1;\n",
        "CREATE RULE r AS ON DELETE TO t DO (DELETE FROM a; DELETE FROM b);\nSELECT \"we\"\"ird;\\\" FROM x;\n",
        "SET standard_conforming_strings = off;\nSELECT 'a\\'; \\! ls';\n",
    ] {
        assert_eq!(filtered(text).as_deref(), Ok(text));
    }
}

#[test]
fn commands_of_psql_are_refused_but_for_its_own_guard() {
    assert_eq!(filtered("\\restrict abc\nSELECT 1;\n\\unrestrict abc").unwrap(), "\nSELECT 1;\n\n");
    for command in [
        "\\! ls",
        "\\connect other",
        "\\i /etc/passwd",
        "\\o |sh",
        "\\copy t from x",
        "SELECT 1 \\g |sh",
        "\\restrict2 x",
    ] {
        let text = format!("SELECT 1;\nCOPY t FROM stdin;\n1\n\\.\n{command}\n");
        let error = filtered(&text).unwrap_err();
        assert!(error.starts_with("line 5 of the dump holds '\\"), "{error}");
    }
    assert!(filtered("COPY t FROM stdin; \\! ls\n1\n\\.\n").is_err());
}

#[test]
fn a_cut_is_noticed() {
    let whole = "--\n-- PostgreSQL database dump\n--\nCREATE TABLE t (a int);\nCOPY t FROM stdin;\n1\n2\n\\.\n\
                 --\n-- PostgreSQL database dump complete\n--\n\n";
    assert_eq!(filtered(whole).as_deref(), Ok(whole));
    let needed = whole.find("complete").unwrap() + "complete".len();
    for length in 31..needed {
        assert!(filtered(&whole[..length]).is_err(), "cut at {length}");
    }
    assert!(filtered("SELECT 'open").is_err());
    assert!(filtered("SELECT 1; ROLLBACK;").is_err());
    assert!(filtered("--\n-- PostgreSQL database cluster dump\n--\n").is_err());
    assert!(filtered("CREATE DATABASE other;\n").is_err());
}

#[test]
fn what_pg_restore_prints_passes_as_it_is() {
    for name in ["zoo-15-gzip", "inserts-15"] {
        let archives = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/archives");
        let archive = format!("{archives}/{name}.dump");
        let printed = Command::new("pg_restore").args(["--file=-", &archive]).output().unwrap();
        let text = String::from_utf8(printed.stdout).unwrap();
        assert!(printed.status.success() && text.contains("\nCREATE TABLE "), "{name}");
        let taken_out = |line: &str| {
            ["BEGIN;", "COMMIT;", "\\restrict ", "\\unrestrict "].iter().any(|begin| line.starts_with(begin))
        };
        let passes: String =
            text.split_inclusive('\n').map(|line| if taken_out(line) { "\n" } else { line }).collect();
        assert_eq!(filtered(&text).unwrap(), passes);
    }
}

/// What begins with any of these is refused, though a command of psql stands where
/// it might be taken for a row or for a part of a string.
fn refused(texts: &[&str]) -> String {
    let said = |text: &&str| format!("{}\n", filtered(text).expect_err(text));
    texts.iter().map(said).collect()
}

#[test]
fn rows_follow_one_form_of_copy_alone() {
    for text in [
        "COPY t FROM stdin;\n\\! ls\n\\.\n",
        "COPY public.\"a \"\"b\" (\"FROM\", b) FROM stdin WITH (FORMAT csv, FORCE_NULL (b)) WHERE a > 1;  \r\n'\n\\.\r\n",
        "COPY/* x */t FROM STDIN;\n'\n\\.\n",
        "CREATE TABLE copy (a int);\nSELECT copy FROM stdin;\n",
    ] {
        assert_eq!(filtered(text).as_deref(), Ok(text));
    }
    insta::assert_snapshot!(refused(&[
        "CREATE TABLE stdin (a int);\nCOPY (SELECT a FROM stdin) TO STDOUT;\n\\! ls\n\\.\n",
        "COPY t TO STDOUT;\n",
        "COPY t FROM '/etc/passwd';\n",
        "COPY t FROM PROGRAM 'ls';\n",
        "COPY BINARY t FROM STDIN;\n'\n\\.\n",
        "COPY\"t\"FROM\"stdin\";\n",
        // psql reads the rows, and then the string.
        "COPY t FROM stdin; SELECT '\n'/*\n\\.\n'; \\! ls */\n",
        // To psql, two carriage returns are no end.
        "COPY t FROM stdin;\n\\.\r\r\n'\n\\.\n\\! ls\n'",
    ]), @r"
    line 2 of the dump holds a COPY that is not of rows right behind it
    line 1 of the dump holds a COPY that is not of rows right behind it
    line 1 of the dump holds a COPY that is not of rows right behind it
    line 1 of the dump holds a COPY that is not of rows right behind it
    line 1 of the dump holds a COPY that is not of rows right behind it
    line 1 of the dump holds a COPY that is not of rows right behind it
    line 1 of the dump holds a COPY that is not of rows right behind it
    line 5 of the dump holds '\!', a command of psql itself
    ");
}

#[test]
fn what_changes_how_strings_are_read_is_pg_dumps_own_line() {
    for text in [
        "SET standard_conforming_strings = off;\nSELECT B'1', X'1F', N'\\'', U&\"x\";\n",
        "SET standard_conforming_strings = off; SELECT 'a\\';\nSELECT 'a\\'; \\! ls';\n",
        "SET client_encoding = 'SQL_ASCII';\nSET names = 'LATIN1';\nSELECT 'sjis', 'client_encoding';\n",
        "ALTER ROLE a SET standard_conforming_strings = off;\n",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET standard_conforming_strings TO 'on' AS 'SELECT 1';\n",
        "SELECT pg_catalog.set_config('search_path', '', false);\n",
        "SAVEPOINT a;\nSET standard_conforming_strings = on;\nROLLBACK TO SAVEPOINT a;\n",
    ] {
        assert_eq!(filtered(text).as_deref(), Ok(text));
    }
    let strings = "line 1 of the dump holds a change of standard_conforming_strings,";
    for change in [
        "SET standard_conforming_strings=off;",
        "SET standard_conforming_strings = 'off';",
        "SET standard_conforming_strings = false;",
        "set local Standard_Conforming_Strings to off;",
        "SET/**/standard_conforming_strings = off;",
        "SET \"standard_conforming_strings\" = off;",
        "SET U&\"standard_conforming_string\\0073\" = off;",
        "RESET standard_conforming_strings;",
        "RESET ALL;",
        "SELECT set_config('standard_conforming_strings', 'off', false);",
        "SELECT \"set_config\"(E'standard_conforming_strings', 'off', false);",
        "UPDATE pg_settings SET setting = 'off' WHERE name = 'standard_conforming_strings';",
        "SAVEPOINT a; SET standard_conforming_strings = off; ROLLBACK TO a;",
    ] {
        let error = filtered(&format!("{change}\nSELECT 'a\\'' ; \\! ls\n")).expect_err(change);
        assert!(error.starts_with(strings), "{change}: {error}");
    }
    let encoding = "line 1 of the dump sets an encoding in which a quote may be a part of a character";
    for change in [
        "SET client_encoding = 'SJIS';",
        "SET client_encoding TO \"shift-jis\";",
        "SET NAMES 'gb18030';",
        "SELECT set_config('client_encoding', 'Big5', false);",
    ] {
        assert_eq!(filtered(&format!("{change}\n")).expect_err(change), encoding, "{change}");
    }
}

#[test]
fn what_versions_of_psql_read_differently_is_refused() {
    for text in [
        "SELECT 1e5, 0x1F, 1_000, 1.5, a[1:2], a[b:c], x::text, :::y;\r\nSELECT E'a'\r\n'b' -- c\r\n;\n",
        // After a colon it is a variable to psql, and the string has no escapes.
        "SELECT :E'a\\';\n",
    ] {
        assert_eq!(filtered(text).as_deref(), Ok(text));
    }
    insta::assert_snapshot!(refused(&[
        "--\r\\! ls\n",
        "SELECT E'a'\r'\\' '; \\! ls \n --'",
        "SELECT 1; \0 '\n\\! ls\n'",
        "SELECT 1$$'$$; \\! ls\n --'",
        "SELECT $1$$'$$; \\! ls\n --'",
        "SELECT 1E'\\'; \\! ls\n --'",
        "SELECT 1.E'\\'; \\! ls\n --'",
        "1create function f begin; copy t from stdin;\n\\! ls\n",
        ":{?x} create function f begin; copy t from stdin;\n\\! ls\n",
        ":x create function f begin; copy t from stdin;\n\\! ls\n",
        "1 create function f begin; copy t from stdin;\n\\! ls\n",
        "create function\"f\"() begin; copy t from stdin;\n\\! ls\n",
        "create/**/function/**/f begin; copy t from stdin;\n\\! ls\n",
        "$create function f begin; copy t from stdin;\n\\! ls\n",
        "SET standard_conforming_strings = off;\nSELECT 1 &'\\'; \\! ls'",
    ]), @r"
    line 1 of the dump holds a carriage return inside a line, which psql may take for the end or the beginning of something
    line 1 of the dump holds a carriage return inside a line, which psql may take for the end or the beginning of something
    line 1 of the dump holds a zero byte, which psql may take for the end or the beginning of something
    line 1 of the dump holds a number that runs into a quote, which psql may take for the end or the beginning of something
    line 1 of the dump holds a number that runs into a quote, which psql may take for the end or the beginning of something
    line 1 of the dump holds a number that runs into a quote, which psql may take for the end or the beginning of something
    line 1 of the dump holds a number that runs into a quote, which psql may take for the end or the beginning of something
    line 1 of the dump holds a number that runs into a word, which psql may take for the end or the beginning of something
    line 1 of the dump holds a brace outside of quotes, which psql may take for the end or the beginning of something
    line 2 of the dump holds '\!', a command of psql itself
    line 2 of the dump holds '\!', a command of psql itself
    line 2 of the dump holds '\!', a command of psql itself
    line 2 of the dump holds '\!', a command of psql itself
    line 1 of the dump holds a dollar sign that begins no quote, which psql may take for the end or the beginning of something
    line 2 of the dump holds a string right behind a '&', which psql may take for the end or the beginning of something
    ");
}
