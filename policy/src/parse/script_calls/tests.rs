use super::*;
use crate::parse::shell::{Flags, Invocation, Variables};
use proptest::prelude::*;

fn outline(text: &str) -> String {
    let describe = |call: &Call| {
        let variables = Variables::of(&call.script);
        let runs = call.script.commands(Flags::default());
        let commands: Vec<_> = runs
            .iter()
            .filter_map(|run| Invocation::of(run.simple, &variables))
            .map(|invocation| {
                let arguments = invocation.arguments.iter().map(|argument| argument.text.to_string());
                std::iter::once(invocation.program.clone()).chain(arguments).collect::<Vec<_>>().join(" ")
            })
            .collect();
        let holes: Vec<_> = call.holes.iter().map(|span| &text[span.start..span.end]).collect();
        format!(
            "{}{}: {} {holes:?}",
            call.function,
            if call.shell { " shell" } else { "" },
            commands.join(" ; ")
        )
    };
    parse(text).iter().map(describe).collect::<Vec<_>>().join("\n")
}

#[test]
fn command_lines() {
    insta::assert_snapshot!(outline(concat!(
        "import { exec, execSync } from 'child_process';\n",
        "const execAsync = promisify(exec);\nconst go = util.promisify(cp.exec);\n",
        "await execAsync(\n  `pg_dump \"${process.env.DATABASE_URL}\" --format=custom --file=\"/b/${file}\"`\n);\n",
        "execSync('pg_dump ' + url + \" | gzip > \" + path.join(dir, 'x') + '.gz', { stdio: 'inherit' });\n",
        "// exec('comment')\n",
        "const cmd: string = `pg_dump -Fc ${process.env.DB!}`;\nexec(cmd, callback);\n",
        "const DIR = '/backups';\nexec(`ls ${DIR}/x \\\n  -l`);\n",
        "go('whoami');\ncp.execSync(\"it\\'s\");\nexec(unknown); exec();\n",
    )), @r#"
    execAsync shell: pg_dump ${DATABASE_URL} --format=custom --file=/b/${file} ["${process.env.DATABASE_URL}", "${file}"]
    execSync shell: pg_dump ${url} ; gzip ["url", "path.join(dir, 'x')"]
    exec shell: pg_dump -Fc ${DB} ["${process.env.DB!}"]
    exec shell: ls /backups/x -l []
    go shell: whoami []
    execSync shell:  []
    "#);
}

#[test]
fn programs_with_arguments() {
    insta::assert_snapshot!(outline(concat!(
        "spawn('pg_dump', ['-Fc', '-f', file, `--dbname=${url}`, ...more, a ? b : c], { env });\n",
        "const p = Bun.spawn(['pg_dump', 'db'], {});\n",
        "execFileSync('/usr/bin/pg_dump', ['db with blank']);\n",
        "spawn('sh', ['-c', `pg_dump ${db} | gzip`]);\n",
        "spawn('pg_dump db | gzip', { shell: true });\n",
        "await execa('pg_dump', args);\n",
        "spawn(program, list); spawn(`${a}`, [b]);\n",
    )), @r#"
    spawn: pg_dump -Fc -f ${file} --dbname=${url} ${_} ${_} ["file", "${url}", "...more", "a ? b : c"]
    spawn: pg_dump db []
    execFileSync: pg_dump db with blank []
    spawn shell: pg_dump ${db} ; gzip ["${db}"]
    spawn shell: pg_dump db ; gzip []
    execa: pg_dump []
    "#);
}

#[test]
fn tagged_templates() {
    insta::assert_snapshot!(outline(concat!(
        "await $`pg_dump ${url} | gzip > ${`${dir}/x`}`;\n",
        "await Bun.$`ls`;\nawait $.sync`pwd`;\n",
        "const x = `exec('no call')`; $('#jquery'); html`<b>`;\n",
    )), @r#"
    $ shell: pg_dump ${url} ; gzip ["${url}", "${`${dir}/x`}"]
    $ shell: ls []
    sync shell: pwd []
    "#);
}

#[test]
fn what_only_looks_like_a_call() {
    assert_eq!(
        outline(concat!(
            "const m = /exec\\('x'\\)/.exec('text'); re.exec('a b'); db.exec('SELECT 1');\n",
            "const s = \"exec('x')\"; /* exec('x') */ const q = a / b / exec; <p>it's</p>\n",
        )),
        ""
    );
    // Behind all of that, calls are still found.
    assert_eq!(outline("<p>it's</p>\nreturn /['\"`]/.test(x);\nexec('ls');"), "exec shell: ls []");
}

#[test]
fn spans_are_those_of_the_document() {
    let text = "await exec(`pg_dump \"${url}\" \\`x\\``, {});";
    let call = &parse(text)[0];
    assert_eq!(&text[call.span.start..call.span.end], "exec(`pg_dump \"${url}\" \\`x\\``");
    let runs = call.script.commands(Flags::default());
    assert_eq!(&text[runs[0].simple.words[0].span.start..runs[0].simple.words[0].span.end], "pg_dump");
    let text = "spawn('pg_dump', ['-f', 'x.sql'])";
    let call = &parse(text)[0];
    let word = &call.script.commands(Flags::default())[0].simple.words[2];
    assert_eq!(&text[word.span.start..word.span.end], "x.sql");
}

#[test]
fn hostile_text_is_read_in_one_pass() {
    for piece in [
        "exec(",
        "exec('a'+",
        "`${",
        "$`",
        "{",
        "spawn(['",
        "/[",
        "'",
        "a.",
        "spawn('a',[",
        "const a=a+a;exec(a);",
    ] {
        parse(&piece.repeat(10_000));
    }
    let doubling: String = (1..200).map(|n| format!("const a{n} = a{} + a{};\n", n - 1, n - 1)).collect();
    parse(&format!("const a0 = 'x';\n{doubling}exec(a199);"));
}

proptest! {
    #[test]
    fn nothing_panics(words in prop::collection::vec(prop::sample::select(vec![
        "exec(", "spawn(", "$", "`", "${", "}", "'", "\"", "a", "+", "[", "]", "(", ")", ",", "/", "\\", "\n", "const a =",
        "promisify(", "\u{e9}", "process.env.X", "...", "!", "?.", "{", "'sh', ['-c', '",
    ]), 0..40)) {
        let text = words.concat();
        for call in parse(&text) {
            prop_assert!(text.get(call.span.start..call.span.end).is_some());
        }
    }
}
