//! The filter against texts that pg_dump writes, and some that nobody should run.

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
