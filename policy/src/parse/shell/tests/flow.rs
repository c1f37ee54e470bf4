use crate::parse::shell::*;

/// Each command with what its failure leads to.
fn failures(text: &str, flags: Flags) -> String {
    let script = parse(text);
    let describe = |run: &Run<'_>| {
        let failure = match run.failure {
            Failure::Handled(fallback) => {
                format!("Handled by {}", &text[fallback.span.start..fallback.span.end])
            }
            failure => format!("{failure:?}"),
        };
        let line = text[run.command.span.start..run.command.span.end].lines().next().unwrap_or_default();
        let function = run.function.map(|name| format!(" in {name}")).unwrap_or_default();
        format!("{line}: {failure}{function}")
    };
    script.commands(flags).iter().map(describe).collect::<Vec<_>>().join("\n")
}

fn own_flags(text: &str) -> String {
    failures(text, parse(text).initial_flags())
}

#[test]
fn without_errexit_failures_are_forgotten() {
    insta::assert_snapshot!(own_flags(concat!(
        "#!/bin/bash\n",
        "pg_dump db > a.sql\n",
        "gzip a.sql && aws s3 cp a.sql.gz s3://b/\n",
        "pg_dump x | gzip > x.gz\n",
        "pg_dump y || exit 1\n",
        "size=$(stat -c%s a)\n",
        "pg_dump z\n",
        "if [ $? -ne 0 ]; then exit 1; fi\n",
        "pg_dump p | gzip; echo ${PIPESTATUS[0]}\n",
        "echo done\n",
    )), @"
    pg_dump db > a.sql: Ignored
    gzip a.sql: Skipped
    aws s3 cp a.sql.gz s3://b/: Ignored
    pg_dump x: LostInPipe
    gzip > x.gz: Ignored
    pg_dump y: Handled by exit 1
    exit 1: Ignored
    size=$(stat -c%s a): Ignored
    stat -c%s a: Ignored
    pg_dump z: Checked
    [ $? -ne 0 ]: Tested
    exit 1: Ignored
    pg_dump p: Checked
    gzip: Checked
    echo ${PIPESTATUS[0]}: Ignored
    echo done: Returned
    ");
}

#[test]
fn with_errexit_and_pipefail_they_stop_the_script() {
    insta::assert_snapshot!(own_flags(concat!(
        "set -euo pipefail\n",
        "pg_dump db | gzip > a.gz\n",
        "local size=$(stat a)\n",
        "name=$(hostname | tr a-z A-Z)\n",
        "echo \"$(pg_dump x)\"\n",
        "if pg_dump y; then ls; fi\n",
        "pg_dump z && gzip z\n",
        "! grep x y\n",
        "set +e\n",
        "pg_dump q\n",
        "(set -e; pg_dump r; ls)\n",
        "pg_dump s &\n",
    )), @r#"
    set -euo pipefail: Ignored
    pg_dump db: Stops
    gzip > a.gz: Stops
    local size=$(stat a): Stops
    stat a: LostInWord
    name=$(hostname | tr a-z A-Z): Stops
    hostname: Stops
    tr a-z A-Z: Stops
    echo "$(pg_dump x)": Stops
    pg_dump x: LostInWord
    pg_dump y: Tested
    ls: Stops
    pg_dump z: Skipped
    gzip z: Stops
    grep x y: Tested
    set +e: Stops
    pg_dump q: Ignored
    set -e: Ignored
    pg_dump r: Ignored
    ls: Ignored
    pg_dump s: Background
    "#);
}

#[test]
fn functions_are_read_as_they_are_called() {
    insta::assert_snapshot!(own_flags(concat!(
        "#!/usr/bin/env bash\n",
        "dump() {\n  pg_dump db > a\n  gzip a\n}\n",
        "upload() {\n  aws s3 cp a s3://b\n  ls\n}\n",
        "unused() { rm x; ls; }\n",
        "set -e\n",
        "upload\n",
        "if dump; then echo ok; fi\n",
    )), @"
    pg_dump db > a: Ignored in dump
    gzip a: Tested in dump
    aws s3 cp a s3://b: Stops in upload
    ls: Stops in upload
    rm x: Stops in unused
    ls: Stops in unused
    set -e: Ignored
    upload: Stops
    dump: Tested
    echo ok: Stops
    ");
}

#[test]
fn scripts_in_arguments_have_their_own_flags() {
    insta::assert_snapshot!(failures(concat!(
        "bash -c 'pg_dump a | gzip; ls'\n",
        "bash -eo pipefail -c 'pg_dump b | gzip; ls'\n",
        "ssh host <<'EOF'\npg_dump c\nls\nEOF\n",
        "trap 'rm -f x' EXIT\n",
    ), Flags::github(Some("bash"))), @"
    bash -c 'pg_dump a | gzip; ls': Stops
    pg_dump a: LostInPipe
    gzip: Ignored
    ls: Stops
    bash -eo pipefail -c 'pg_dump b | gzip; ls': Stops
    pg_dump b: Stops
    gzip: Stops
    ls: Stops
    ssh host <<'EOF': Stops
    pg_dump c: Ignored
    ls: Stops
    trap 'rm -f x' EXIT: Stops
    rm -f x: Ignored
    ");
}

#[test]
fn flags_come_from_the_first_line_and_from_github() {
    assert_eq!(parse("#!/bin/bash -e\n").initial_flags(), Flags { errexit: true, ..Flags::default() });
    let plain = Flags::github(None);
    assert!(plain.errexit && !plain.pipefail);
    let bash = Flags::github(Some("bash"));
    assert!(bash.errexit && bash.pipefail);
    let own = Flags::github(Some("/bin/bash -euo pipefail {0}"));
    assert!(own.errexit && own.pipefail && own.nounset);
    assert!(!Flags::github(Some("bash {0}")).errexit);
    // sh keeps errexit in a substitution, bash does not.
    let inner = |text: &str| {
        let script = parse(text);
        script.commands(script.initial_flags())[1].failure == Failure::LostInWord
    };
    assert!(inner("#!/bin/sh -e\necho $(a; b)"));
    assert!(!inner("#!/bin/bash -e\necho $(a; b)"));
}

#[test]
fn a_run_knows_its_place() {
    let script = parse("for x in a; do pg_dump $x | gzip | tee f; done\n(y=$(ls))\nif z; then w; fi");
    let runs = script.commands(Flags::default());
    let find = |name: &str| runs.iter().find(|run| run.simple.name().as_deref() == Some(name)).unwrap();
    assert!(find("pg_dump").nesting.in_loop && find("pg_dump").nesting.subshell);
    assert_eq!(find("gzip").index, 1);
    assert!(find("ls").nesting.substitution && find("z").nesting.condition && find("w").nesting.branch);
}
