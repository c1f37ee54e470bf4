use crate::parse::shell::*;

/// The arguments of the last `echo`, resolved.
fn last(text: &str) -> Vec<String> {
    let script = parse(text);
    let variables = Variables::of(&script);
    let runs = script.commands(Flags::default());
    let simple = runs.iter().rfind(|run| run.simple.name().as_deref() == Some("echo")).unwrap().simple;
    simple.words.iter().skip(1).map(|word| variables.resolve(word).to_string()).collect()
}

#[test]
fn variables_have_the_value_of_the_last_assignment() {
    assert_eq!(
        last(
            "DIR=/backups\nDATE=$(date +%F)\nFILE=\"$DIR/db-$DATE.sql\"\nDIR=/other\necho \"$FILE.gz\" $DIR"
        ),
        ["/backups/db-$(..).sql.gz", "/other"]
    );
    assert_eq!(last("export A=1\nreadonly B=\"${A}2\"\nB2=$B\necho $B $B2"), ["12", "12"]);
    assert_eq!(last("A=x\nA+=y\nA+=$z\necho $A"), ["xy${z}"]);
    assert_eq!(last("A=1 cmd\necho $A"), ["${A}"]);
    assert_eq!(last("echo '$A' \\$A"), ["$A", "$A"]);
}

#[test]
fn defaults_stand_in_for_what_the_document_does_not_set() {
    assert_eq!(last("DIR=${BACKUP_DIR:-/var/backups}\necho $DIR/x ${1:-all}"), ["/var/backups/x", "all"]);
    assert_eq!(last(": \"${KEEP:=7}\"\necho -mtime +$KEEP"), ["-mtime", "+7"]);
    assert_eq!(last("KEEP=\necho ${KEEP:-7} ${KEEP:?} ${URL:?}"), ["7", "", "${URL}"]);
    let script = parse("DIR=${BACKUP_DIR:-/var/backups}");
    let value = Variables::of(&script).value("DIR", 99).unwrap();
    assert!(value.assumed);
}

#[test]
fn what_a_branch_may_have_changed_is_unknown() {
    assert_eq!(last("F=a\nif x; then F=b; fi\necho $F"), ["${F}"]);
    assert_eq!(last("if x; then F=b; cat; echo $F; fi"), ["b"]);
    assert_eq!(last("F=a; (F=b)\necho $F"), ["a"]);
    assert_eq!(last("for f in a b; do echo $f; done"), ["${f}"]);
    assert_eq!(last("F=a; read -r F\necho $F"), ["${F}"]);
    assert_eq!(last("F[0]=a; G=(a b)\necho ${F[0]} $G"), ["${F}", "${G}"]);
}

#[test]
fn functions_share_what_is_set_once() {
    assert_eq!(last("go() { true; echo $DIR; }\nDIR=/b\n"), ["/b"]);
    assert_eq!(last("set_dir() { DIR=/b; }\nset_dir\necho $DIR"), ["/b"]);
    assert_eq!(last("a() { DIR=/b; }\nb() { DIR=/c; }\necho $DIR"), ["${DIR}"]);
}

#[test]
fn prefixes_and_suffixes_are_cut() {
    assert_eq!(
        last("F=/b/db.sql.gz\necho ${F%.gz} ${F##*/} ${F#/b/} ${F%.*} ${F%/*} ${F%.zip} ${F%%x*}"),
        ["/b/db.sql", "db.sql.gz", "db.sql.gz", "/b/db.sql", "/b", "/b/db.sql.gz", "${F}"]
    );
    assert_eq!(last("F=/b/$(date).sql.gz\necho ${F##*/} ${F%.gz}"), ["$(..).sql.gz", "/b/$(..).sql"]);
}

#[test]
fn the_caller_may_know_more() {
    let script = parse("echo $BUCKET/$KEY ${OTHER}");
    let mut environment = Environment::default();
    for (name, value) in [("BUCKET", Some("c")), ("OTHER", None), ("BUCKET", Some("s3://b")), ("KEY", None)] {
        environment.push(name, value);
    }
    let variables = Variables::of(&script).with(&environment, &[0..1, 2..4]);
    let Kind::Simple(simple) = &script.body[0].first.commands[0].kind else { panic!("no simple command") };
    assert_eq!(variables.resolve(&simple.words[1]).to_string(), "s3://b/${KEY}");
    assert_eq!(variables.resolve(&simple.words[1]).prefix(), "s3://b/");
    assert!(variables.sets("KEY") && !variables.sets("OTHER"));
    assert_eq!(environment.values(&[2..4, 0..1], "BUCKET").collect::<Vec<_>>(), [Some("s3://b"), Some("c")]);
    assert_eq!(environment.end(), 4);
}

#[test]
fn sourced_files_are_known_and_cycles_end() {
    let script = parse(". /etc/backup.env\nsource \"$HERE/x\"");
    assert_eq!(Variables::of(&script).sourced().len(), 2);
    assert_eq!(last("A=$B; B=$A; A=$B; echo $A"), ["${B}"]);
    assert_eq!(last("f() { X=$X/y; }\necho $X"), ["${X}/y"]);
    // Doubling stays within bounds.
    let bomb = format!("a=xxxxxxxx\n{}echo $a", "a=$a$a$a$a\n".repeat(40));
    assert!(last(&bomb)[0].len() < 100_000);
}
