use crate::parse::shell::*;
use proptest::prelude::*;

/// Everything that reads the tree.
fn read(text: &str) {
    let script = parse(text);
    let variables = Variables::of(&script);
    for run in script.commands(script.initial_flags()) {
        if let Some(invocation) = Invocation::of(run.simple, &variables) {
            let _ = invocation.options();
        }
        for word in &run.simple.words {
            assert!(text.get(word.span.start..word.span.end).is_some(), "{:?}", word.span);
        }
    }
}

#[test]
fn deep_nesting_overflows_nothing() {
    for opening in [
        "(",
        "((",
        "$(",
        "$((",
        "${a:-",
        "\"$(",
        "`",
        "{ ",
        "if ",
        "while ",
        "case x in x) ",
        "f() { ",
        "<(",
        "a=(",
        "[[ ",
        "! ",
        "bash -c '",
        "${{ ",
        "[[ $(",
        "for x in $(",
        "eval \"$(",
        "cat <<X\n$(",
        "a=$(",
        "x && (",
        "x | (",
        "\\",
        "$'",
        "@(",
        "a[",
        "${a[",
        "<a",
        "${a#",
        "$",
        "'",
        "\"",
        "if x; then ",
    ] {
        read(&opening.repeat(10_000));
        let closed = format!("{}x{}", "$(".repeat(10_000), ")".repeat(10_000));
        read(&closed);
    }
    assert!(!parse(&"$(".repeat(10_000)).problems.is_empty());
}

#[test]
fn what_is_not_too_deep_is_read() {
    let depth = DEPTH / 4;
    let text = format!("{}pg_dump{}", "echo $(".repeat(depth), ")".repeat(depth));
    let script = parse(&text);
    assert!(script.problems.is_empty());
    assert!(
        script.commands(Flags::default()).iter().any(|run| run.simple.name().as_deref() == Some("pg_dump"))
    );
}

#[test]
fn a_text_that_nobody_wrote_is_cut_at_a_line() {
    let line = "pg_dump db\n";
    let script = parse(&line.repeat(LENGTH / line.len() + 10));
    assert_eq!(script.body.len(), LENGTH / line.len());
    assert_eq!(script.problems[0].message, "too long to be read");
    assert!(parse(&"a&&".repeat(LENGTH)).problems.len() == 1);
}

/// The same script, indented in a document.
fn read_indented(text: &str) {
    let mut document = "- run: |\n".to_owned();
    let mut builder = crate::parse::source::Builder::default();
    for line in text.split_inclusive('\n') {
        document.push_str("    ");
        builder.push(line, document.len());
        document.push_str(line);
    }
    let script = parse_in(&builder.finish());
    for run in script.commands(Flags::default()) {
        assert!(
            document.get(run.command.span.start..run.command.span.end).is_some(),
            "{:?}",
            run.command.span
        );
        for word in &run.simple.words {
            assert!(document.get(word.span.start..word.span.end).is_some(), "{:?}", word.span);
        }
    }
}

proptest! {
    #[test]
    fn nothing_panics(text in "[-a$(){}\\[\\]<>'\"`\\\\|&;=!#*/:@ \n\u{e9}0]{0,60}") {
        read(&text);
        read_indented(&text);
    }

    #[test]
    fn nothing_panics_on_what_looks_like_a_script(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "if", "then", "else", "elif", "fi", "for", "in", "do", "done", "case", "esac", "while", "{", "}",
                "(", ")", "$(", "((", "))", "[[", "]]", "<<EOF", "\nEOF\n", "\n", ";", ";;", "&&", "||", "|", "&",
                "\"", "'", "`", "${x:-", "x=", "x=(", "f()", "bash -c '", "ssh h '", "set -e", "pg_dump", "> f",
                "2>&1", "#", "${{", "}}", "<host>", "\\", "local x=", "trap '", "eval \"",
            ]),
            0..40,
        ),
        glue in prop::sample::select(vec![" ", ""]),
    ) {
        read(&words.join(glue));
        read_indented(&words.join(glue));
    }
}
