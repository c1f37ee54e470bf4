use super::*;
use proptest::prelude::*;

fn outline(text: &str) -> String {
    let sql = parse(text);
    let slice = |span: Span| &text[span.start..span.end];
    let token = |token: &Token| match token.kind {
        Kind::Word | Kind::Number | Kind::Mark | Kind::Parameter | Kind::Variable => token.text.clone(),
        Kind::Name => format!("name<{}>", token.text),
        Kind::String => format!("text<{}>", token.text),
        Kind::Dollar => format!("body<{}>", token.text),
    };
    let statements = sql.statements.iter().map(|statement| {
        let tokens = statement.tokens.iter().map(token).collect::<Vec<_>>().join(" ");
        let data = statement.data.map(|span| format!(" data {:?}", slice(span))).unwrap_or_default();
        format!("{tokens}{data}")
    });
    let commands = sql.commands.iter().map(|c| format!("\\{} {:?}", c.name, slice(c.arguments_span)));
    let comments = sql.comments.iter().map(|span| format!("comment {:?}", slice(*span)));
    let open = sql.unterminated.iter().map(|span| format!("open {:?}", slice(*span)));
    statements.chain(commands).chain(comments).chain(open).collect::<Vec<_>>().join("\n")
}

#[test]
fn strings_in_all_their_forms() {
    insta::assert_snapshot!(outline(concat!(
        "SELECT 'it''s', E'a\\'b', U&'d', B'01', \"a\"\"b\", U&\"x\" FROM t;\n",
        "DO $$ BEGIN; 'x' END $$ LANGUAGE plpgsql;\n",
        "SELECT $tag$ a $$ b $tag$, $1, 1.5e-3, x::text, :var, :'var';\n",
        "SELECT 'a;b' -- c;d\n, /* e;/* f */ ; */ 2",
    )), @r#"
    SELECT text<it's> , text<a'b> , text<d> , text<01> , name<a"b> , name<x> FROM t
    DO body< BEGIN; 'x' END > LANGUAGE plpgsql
    SELECT body< a $$ b > , $1 , 1.5e-3 , x :: text , :var , var
    SELECT text<a;b> , 2
    comment "-- c;d"
    comment "/* e;/* f */ ; */"
    "#);
}

#[test]
fn commands_and_data_of_psql() {
    insta::assert_snapshot!(outline(concat!(
        "\\set ON_ERROR_STOP on\n",
        "COPY public.t (a, b) FROM stdin;\n1\t'x\n2\t;y\n\\.\n\n",
        "COPY t FROM stdin;\n",
        "SELECT 1 \\gx\n",
        "\\copy t TO 't.csv' CSV\n",
        "SELECT 2\\;SELECT 3;",
    )), @r#"
    COPY public . t ( a , b ) FROM stdin data "1\t'x\n2\t;y\n"
    COPY t FROM stdin
    SELECT 1
    SELECT 2 SELECT 3
    \set "ON_ERROR_STOP on"
    \gx ""
    \copy "t TO 't.csv' CSV"
    "#);
}

#[test]
fn semicolons_that_end_nothing() {
    insta::assert_snapshot!(outline(concat!(
        "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);\n",
        "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; END;\n",
        "BEGIN; SELECT 1; END;\n",
    )), @"
    CREATE RULE r AS ON INSERT TO t DO ( SELECT 1 ; SELECT 2 )
    CREATE OR REPLACE FUNCTION f ( ) RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END ; SELECT 2 ; END
    BEGIN
    SELECT 1
    END
    ");
}

#[test]
fn what_nothing_closes_ends_with_its_line() {
    insta::assert_snapshot!(outline("SELECT 'open\nFROM t;\nSELECT $x$ y\n, 1;\n/* never\nSELECT 2;"), @r#"
    SELECT text<open> FROM t
    SELECT body< y> , 1
    SELECT 2
    comment "/* never"
    open "'open"
    open "$x$ y"
    open "/* never"
    "#);
}

#[test]
fn statements_can_be_asked() {
    let one = |text: &str| parse(text).statements.remove(0);
    assert_eq!(one("create  table if not exists t (a int)").leading(), "CREATE TABLE IF NOT");
    assert!(one("drop table t").begins(&["DROP", "TABLE"]) && !one("drop").begins(&["DROP", "TABLE"]));
    assert_eq!(one("select pg_catalog.now(), \"now\"(), now").calls("now").count(), 2);
    let copy = |text: &str| {
        one(text).copy().map(|copy| {
            let place = match copy.place {
                CopyPlace::File(token) => format!("file {}", token.text),
                CopyPlace::Program(token) => format!("program {}", token.text),
                CopyPlace::Client => "client".to_owned(),
            };
            format!("{} {place}", if copy.writes { "to" } else { "from" })
        })
    };
    assert_eq!(copy("COPY (SELECT a FROM b) TO '/tmp/x.csv' CSV").as_deref(), Some("to file /tmp/x.csv"));
    assert_eq!(copy("copy t from program 'cat x'").as_deref(), Some("from program cat x"));
    assert_eq!(copy("COPY t TO STDOUT").as_deref(), Some("to client"));
    assert_eq!(copy("COPY t"), None);
}

#[test]
fn hostile_text_is_read_in_one_pass() {
    for piece in
        ["(", "/*", "'", "\"", "$$", "$a$", "E'", "\\", "COPY t FROM stdin;\n", ":", ";", "BEGIN ", "--"]
    {
        parse(&piece.repeat(10_000));
    }
    // What is kept has a bound; data costs nothing.
    assert!(parse(&"SELECT 1;\n".repeat(300_000)).statements.len() < 300_000);
    let data = format!("COPY t FROM stdin;\n{}\\.\nSELECT 1;", "1\t2\n".repeat(300_000));
    assert_eq!(parse(&data).statements.len(), 2);
    let tags: String = (0..10_000).map(|tag| format!("$t{tag}$ ")).collect();
    parse(&tags);
}

proptest! {
    #[test]
    fn nothing_panics_and_spans_lie_in_the_text(text in "[a$'\"\\\\;:/*()eEuU&. \n0\u{e9}-]{0,80}") {
        for statement in parse(&text).statements {
            prop_assert!(text.get(statement.span.start..statement.span.end).is_some());
            for token in statement.tokens {
                prop_assert!(text.get(token.span.start..token.span.end).is_some());
            }
        }
    }
}
