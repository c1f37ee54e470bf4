use super::outline::outline;
use crate::parse::shell::*;
use crate::parse::source::Builder;

#[test]
fn words_quotes_and_escapes() {
    insta::assert_snapshot!(outline(concat!(
        "echo a\\ b 'c d' \"e $f \\\"g\\\"\" $'tab\\there\\x41' h\"i\"'j'\n",
        "printf '%s\\n' \"\" '' it\\'s # a comment 'with a quote\n",
        "pg_dump --format=custom \\\n  --file=\"$out\"",
    )), @r#"
    echo a' 'b 'c d' 'e ''$f'' ''"g''"' 'tab''\t''here''A' h'i''j'
    printf '%s\\n' '' '' it'''s
    pg_dump --format=custom --file='$out'
    "#);
}

#[test]
fn expansions() {
    insta::assert_snapshot!(outline(concat!(
        "a=$b c=${d} e=${f:-g h} i=\"${j:-it's ${k}}\" l=${#m} n=${!o} p=${q[@]}\n",
        "echo ${r##*/} ${s%.gz} ${t/a/b} ${u:0:8} ${v^^} ${1:?usage} $? $@ $$ $ \"$\"\n",
        "x=$(date +%F) y=`hostname -s` z=$((1 + (2 * $n))) w=$(( $(date +%s) - 60 ))\n",
        "echo \"$(cat \"$file\" | wc -l)\" \"`uname`\" ${not a name} ${}\n",
        "diff <(sort a) <(sort b) > >(tee log)",
    )), @r"
    a=$b c=$d e=$f<Default g h> i='$j<Default 'it's ''$k'>' l=$m length n=$o indirect p=$q[]
    echo $r<RemovePrefix */> $s<RemoveSuffix .gz> $t<Replace a/b> $u<Substring 0:8> $v<Transform ^> $1<Require usage> $? $@ $$ $ '$'
    x=$(date +%F) y=$(hostname -s) z=$(('1 + (2 * ''$n'')')) w=$((' ''$(date +%s)'' - 60 '))
    echo '$(cat '$file' | wc -l)' '$(uname)' $not ${}
    diff <(sort a) <(sort b) (Write >(tee log))
    ");
}

#[test]
fn lists_pipelines_and_redirections() {
    insta::assert_snapshot!(outline(concat!(
        "pg_dump db | gzip > db.sql.gz && echo done || exit 1; sleep 1 & wait\n",
        "! grep -q x <in 2>/dev/null >>out 2>&1 &>all >|over <&3 3<>rw {fd}>x\n",
        "make |& tee log\n",
        "pg_dump db |\n  # compressed\n  gzip &&\n  echo ok\n",
        "time -p true",
    )), @r"
    pg_dump db | gzip (Write db.sql.gz) && echo done || exit 1
    sleep 1 &
    wait
    ! grep -q x (Read in) (2Write /dev/null) (Append out) (2CopyOutput 1) (WriteBoth all) (Write over) (CopyInput 3) (3ReadWrite rw) (Write x)
    make | tee log
    pg_dump db | gzip && echo ok
    true
    ");
}

#[test]
fn compound_commands() {
    insta::assert_snapshot!(outline(concat!(
        "if [ -z \"$1\" ]; then echo usage; exit 1; elif test -f x; then :; else cat; fi\n",
        "if [[ $a == s3://* && ! ( -f $b ) ]]; then aws s3 cp \"$a\" .; fi > log\n",
        "for f in *.gz \"$x\"; do rm -- \"$f\"; done\n",
        "for ((i = 0; i < 3; i++)); do echo $i; done\n",
        "while read -r line; do echo \"$line\"; done < list\n",
        "until pg_isready; do sleep 1; done\n",
        "case \"$1\" in daily|weekly) run ;; (monthly) run all;& *) exit 2 ;; esac\n",
        "backup() { local x=$(pg_dump); return 1; }\n",
        "function cleanup { rm -f \"$tmp\"; }\n",
        "(cd /tmp && ls); { echo a; echo b; } >> out; ((n++)); [[ $v =~ ^[0-9]+(\\.x)?$ ]]\n",
        "files=(a \"b c\" # first\n  d)\nfiles+=(e)\nexport A=1 B\n",
    )), @r#"
    (if [[ -z '$1' ]] {echo usage; exit 1} [test -f x] {:} else {cat})
    (if [(test $a == s3://* && ! ( -f $b ))] {aws s3 cp '$a' .}) (Write log)
    (for f in *.gz '$x' {rm -- '$f'})
    (for - in 'i = 0; i < 3; i++' {echo $i})
    (while [read -r line] {echo '$line'}) (Read list)
    (until [pg_isready] {sleep 1})
    (case '$1' daily weekly => {run} monthly => {run all} * => {exit 2})
    (function backup (group local x=$(pg_dump); return 1))
    (function cleanup (group rm -f '$tmp'))
    (subshell cd /tmp && ls)
    (group echo a; echo b) (Append out)
    (arithmetic 'n++')
    (test $v =~ ^[0-9]+('.'x)?$)
    files=[a 'b c' d]
    files+=[e]
    export B A=1
    "#);
}

#[test]
fn heredocs() {
    insta::assert_snapshot!(outline(concat!(
        "psql <<SQL && cat <<-'END' > out\n",
        "SELECT '$x', \"it's\" \\$y;\n",
        "SQL\n",
        "\tplain $x\n",
        "\tEND\n",
        "echo after\n",
        "x=$(cat <<EOF\nin a ) substitution\nEOF\n)\n",
        "cat <<EOF\nno end",
    )), @r#"
    psql (Heredoc #0) && cat (Heredoc #1) (Write out)
    echo after
    x=$(cat (Heredoc #2))
    cat (Heredoc #3)
    <<SQL 'SELECT '''$x''', "it's" ''$y;\n'
    <<END '\tplain $x\n'
    <<EOF 'in a ) substitution\n'
    <<EOF 'no end'
    "#);
}

#[test]
fn scripts_inside_of_scripts() {
    insta::assert_snapshot!(outline(concat!(
        "bash -euo pipefail -c 'pg_dump db | gzip'\n",
        "sudo -u postgres sh -c \"pg_dump $DB > \\\"$OUT\\\"\"\n",
        "ssh -p 22 me@host 'cd /srv && ls' \n",
        "ssh host pg_dump -Fc db > x\n",
        "docker exec db bash -c 'pg_dump x'\n",
        "su - postgres -c 'pg_dumpall | gzip'\n",
        "trap 'rm -f \"$tmp\"' EXIT\n",
        "trap - EXIT\n",
        "eval \"$cmd --now\"\n",
        "ssh host 'bash -s' <<'EOF'\npg_dump db | gzip\nEOF\n",
        "ssh host <<EOF\nls $dir\nEOF\n",
        "bash script.sh -c x\n",
        "echo bash -c 'not run'\n",
    )), @r#"
    bash -euo pipefail -c 'pg_dump db | gzip' {pg_dump db | gzip}
    sudo -u postgres sh -c 'pg_dump ''$DB'' > ''"''$OUT''"' {pg_dump $DB (Write '$OUT')}
    ssh -p 22 me@host 'cd /srv && ls' {cd /srv && ls}
    ssh host pg_dump -Fc db {pg_dump -Fc db} (Write x)
    docker exec db bash -c 'pg_dump x' {pg_dump x}
    su - postgres -c 'pg_dumpall | gzip' {pg_dumpall | gzip}
    trap 'rm -f "$tmp"' EXIT {rm -f '$tmp'}
    trap - EXIT
    eval '$cmd'' --now' {$cmd --now}
    ssh host 'bash -s' (Heredoc #0)
    ssh host (Heredoc #1)
    bash script.sh -c x
    echo bash -c 'not run'
    <<EOF 'pg_dump db | gzip\n'
      = pg_dump db | gzip
    <<EOF 'ls ''$dir''\n'
      = ls $dir
    "#);
}

#[test]
fn github_expressions_and_placeholders_are_parts_of_words() {
    insta::assert_snapshot!(outline(concat!(
        "pg_dump \"${{ secrets.DB }}\" -f dump-${{ github.run_id }}.sql\n",
        "echo '${{ inputs.name }}' ${{ format('it''s {0}', x) }}; if ${{ inputs.full == true }}; then ls; fi\n",
        "pg_dump -h <host> -U <user-name> s3://<bucket>/x/<date>.gz \"<x>\"\n",
        "cat <in >out; cat <in>out; echo ${{ never closed\n",
    )), @r"
    pg_dump 'github<secrets.DB>' -f dump-github<github.run_id>.sql
    echo 'github<inputs.name>' github<format('it''s {0}', x)>
    (if [github<inputs.full == true>] {ls})
    pg_dump -h placeholder<host> -U placeholder<user-name> s3://placeholder<bucket>/x/placeholder<date>.gz '<x>'
    cat (Read in) (Write out)
    cat (Read in) (Write out)
    echo ${{ never closed
    ");
}

#[test]
fn what_cannot_be_read_is_opaque_and_the_rest_goes_on() {
    insta::assert_snapshot!(outline(concat!(
        "echo before\n",
        "echo \"never closed\n",
        "pg_dump db | gzip > x\n",
        "if true; then\n",
        "  x=$(pg_dump db\n",
        "  ls\n",
        "fi\n",
        "done\n",
        ")\n",
        "├── daily/\n",
        "for f in a; do echo $f\n",
    )), @r#"
    echo before
    (opaque)
    pg_dump db | gzip (Write x)
    (if [true] {(opaque); ls})
    (opaque)
    (opaque)
    ├── daily/
    (for f in a {echo $f})
    ! nothing closes what is opened here at "echo \"never closed"
    ! nothing closes what is opened here at "x=$(pg_dump db"
    ! closes nothing at "done"
    ! closes nothing at ")"
    ! the loop has no 'done' at "for f in a; do echo $f\n"
    "#);
}

#[test]
fn windows_line_ends() {
    insta::assert_snapshot!(
        outline("if true; then\r\n  pg_dump \\\r\n    db\r\nfi\r\ncat <<EOF\r\nx\r\nEOF\r\necho a"), @r#"
    (if [true] {pg_dump db})
    cat (Heredoc #0)
    echo a
    <<EOF 'x\r\n'
    "#);
}

#[test]
fn the_first_line_names_the_shell() {
    let shebang = |text: &str| parse(text).shebang.map(|shebang| (shebang.interpreter, shebang.options));
    assert_eq!(shebang("#!/bin/bash -eu\nls"), Some(("bash".into(), vec!["-eu".into()])));
    assert_eq!(shebang("#!/usr/bin/env -S bash -e\nls"), Some(("bash".into(), vec!["-e".into()])));
    assert_eq!(shebang("ls\n#!/bin/sh"), None);
}

#[test]
fn spans_hold_the_bytes() {
    let text = "FILE=\"$DIR/x.sql\" # note\npg_dump 'a b' > \"$FILE\" && ls\n";
    let script = parse(text);
    let slice = |span: crate::finding::Span| &text[span.start..span.end];
    let statements: Vec<_> = script.body.iter().map(|statement| slice(statement.span)).collect();
    assert_eq!(statements, ["FILE=\"$DIR/x.sql\"", "pg_dump 'a b' > \"$FILE\" && ls"]);
    assert_eq!(script.comments.iter().map(|span| slice(*span)).collect::<Vec<_>>(), ["# note"]);
    let command = &script.body[1].first.commands[0];
    assert_eq!(slice(command.span), "pg_dump 'a b' > \"$FILE\"");
    assert_eq!(slice(command.redirects[0].span), "> \"$FILE\"");
    let Kind::Simple(simple) = &command.kind else { panic!("no simple command") };
    assert_eq!(slice(simple.words[1].span), "'a b'");
    assert_eq!(slice(simple.words[1].parts[0].span), "a b");
}

#[test]
fn spans_of_a_part_are_those_of_the_document() {
    let document = "run: |\n    cat <<EOF\n    x $y\n    EOF\n    bash -c 'a\n    pg_dump \"$z\"'\n";
    let mut builder = Builder::default();
    for (offset, line) in crate::parse::source::lines(document).skip(1) {
        builder.push(&format!("{}\n", line.trim_start()), offset + 4);
    }
    let script = parse_in(&builder.finish());
    let slice = |span: crate::finding::Span| &document[span.start..span.end];
    let body = &script.heredocs[0].body;
    assert_eq!(slice(body.parts[1].span), "$y");
    let Kind::Simple(simple) = &script.body[1].first.commands[0].kind else { panic!("no simple command") };
    let inner = &simple.scripts[0].script;
    assert_eq!(slice(inner.body[1].span), "pg_dump \"$z\"");
}

#[test]
fn a_word_knows_what_it_is_without_its_quotes() {
    let script = parse("'pg'_dump \"$x\" $x a*b 'a*b' \\*");
    let Kind::Simple(simple) = &script.body[0].first.commands[0].kind else { panic!("no simple command") };
    let [name, quoted, bare, glob, star, escaped] = simple.words.as_slice() else { panic!("six words") };
    assert!(name.is("pg_dump") && !name.is("pg_dumpall") && !name.is("pg"));
    assert!(!quoted.may_split() && bare.may_split());
    assert!(glob.is_glob() && !star.is_glob() && !escaped.is_glob());
}
