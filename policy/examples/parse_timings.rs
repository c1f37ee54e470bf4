//! How long each parser takes on ordinary text and on hostile text, in one table.
//!
//! cargo run --release -p backstop-policy --example parse_timings
//!
//! The last column is what matters: twice the text must take about twice the time
//! (or none, where the parser reads no more than a beginning).

#![expect(clippy::disallowed_types, clippy::cast_precision_loss, reason = "it measures time, and prints it")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use backstop_policy::parse::{crontab, env, markdown, script_calls, shell, sql, systemd, yaml};

const SIZE: usize = 1 << 20;

type Read = fn(&str);

const SHELL: Read = |text| {
    let script = shell::parse(text);
    black_box(script.commands(script.initial_flags()).len());
};
const RESOLVED: Read = |text| {
    let script = shell::parse(text);
    let variables = shell::Variables::of(&script);
    for run in script.commands(script.initial_flags()) {
        black_box(shell::Invocation::of(run.simple, &variables));
    }
};
const MARKDOWN: Read = |text| drop(black_box(markdown::parse(text)));
const YAML: Read = |text| drop(black_box(yaml::parse(text)));
const SQL: Read = |text| drop(black_box(sql::parse(text)));
const CALLS: Read = |text| drop(black_box(script_calls::parse(text)));
const ENV: Read = |text| drop(black_box(env::parse(text)));
const CRONTAB: Read = |text| drop(black_box(crontab::parse(text, crontab::Form::Guess)));
const SYSTEMD: Read = |text| drop(black_box(systemd::parse(text)));

/// Repeated to the size that is measured.
const CASES: &[(&str, Read, &str)] = &[
    ("shell", SHELL, include_str!("../../fuzz/corpus/shell/nightly-dump")),
    ("shell, resolved", RESOLVED, include_str!("../../fuzz/corpus/shell/nightly-dump")),
    ("shell (", SHELL, "("),
    ("shell ((", SHELL, "((\n"),
    ("shell $(", SHELL, "$("),
    ("shell $((", SHELL, "$((1+"),
    ("shell ${", SHELL, "${a:-"),
    ("shell \"", SHELL, "\"\n"),
    ("shell `", SHELL, "`\n"),
    ("shell if", SHELL, "if "),
    ("shell case", SHELL, "case x in a) "),
    ("shell heredoc", SHELL, "cat <<A\n"),
    ("shell ${{", SHELL, "${{ a "),
    ("shell &&", SHELL, "a&&"),
    ("shell calls", SHELL, "f() { f; }\nf\n"),
    ("shell -c", SHELL, "bash -c 'bash -c \"ls \\\"x\\\"\"'\n"),
    ("shell globs", SHELL, "?("),
    ("shell a=$a$a", RESOLVED, "a=$a$a\n"),
    ("shell branches", RESOLVED, "if x; then a=1; fi\necho $a\n"),
    ("shell sudo", RESOLVED, "sudo "),
    ("markdown", MARKDOWN, include_str!("../../fuzz/corpus/markdown/plan")),
    ("markdown >", MARKDOWN, "> "),
    ("markdown <!--", MARKDOWN, "<!--\n"),
    ("markdown |", MARKDOWN, "|-|\n"),
    ("markdown fence", MARKDOWN, "- ```\n"),
    ("yaml", YAML, "- a: {b: [1, 'x']}\n  c: |\n    text\n"),
    ("yaml [", YAML, "["),
    ("yaml json", YAML, "{\"a\":"),
    ("sql", SQL, include_str!("../../fuzz/corpus/sql/dump")),
    ("sql '", SQL, "'\n"),
    ("sql $", SQL, "$a$ $b$\n"),
    ("sql copy", SQL, "COPY t FROM stdin;\n"),
    ("sql /*", SQL, "/*\n"),
    (
        "calls",
        CALLS,
        "const f = `x`;\nawait exec(`pg_dump ${url} > ${f}`, { a: 1 });\nspawn('a', ['b', c]);\n",
    ),
    ("calls exec(", CALLS, "exec("),
    ("calls `${", CALLS, "exec(`${"),
    ("calls /[", CALLS, "=/["),
    ("calls a+a", CALLS, "const a='x'+a+a;exec(a);\n"),
    ("env", ENV, include_str!("../../fuzz/corpus/env/mixed")),
    ("env \"", ENV, "A=\"\n"),
    ("crontab", CRONTAB, "*/5 2 * * 1-5 root pg_dump db\n"),
    ("crontab dates", CRONTAB, "0 0 29 2 */7 x\n"),
    ("systemd", SYSTEMD, include_str!("../../fuzz/corpus/systemd/mixed")),
    ("systemd \\", SYSTEMD, "A=b\\\n"),
];

fn time(read: Read, text: &str) -> Duration {
    let start = Instant::now();
    read(text);
    start.elapsed()
}

fn main() {
    println!("{:<18} {:>9} {:>9} {:>6}", "1 MiB of", "ms", "MB/s", "x2");
    for (name, read, piece) in CASES {
        let whole = piece.repeat(SIZE / piece.len());
        let half = piece.repeat(SIZE / piece.len() / 2);
        let (half, whole) = (time(*read, &half), time(*read, &whole));
        let seconds = whole.as_secs_f64();
        let rate = SIZE as f64 / 1e6 / seconds;
        let factor = seconds / half.as_secs_f64();
        println!("{name:<18} {:>9.1} {rate:>9.0} {factor:>6.1}", seconds * 1e3);
    }
}
