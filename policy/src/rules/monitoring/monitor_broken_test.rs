use crate::document::Kind;
use crate::finding::{Edit, Fix, Place};
use crate::model::{Arg, Command, Set};
use crate::parse::sql;
use crate::rule::{Findings, rule};

rule! {
    /// A check of backups that cannot work.
    ///
    /// ## What
    /// `[ -f "backup*.gz" ]` and `stat "backup*.gz"`, whose quotes keep the shell from
    /// expanding the pattern; `$(…)` or a variable inside single quotes in what an alert
    /// sends; a query on replication or on the size of the database that is called a
    /// check of the backup.
    ///
    /// ## Why
    /// A check that is never true cries every day until it is switched off; one that is
    /// never false says nothing on the day it should. Both look like monitoring.
    ///
    /// ## Bad
    /// ```bash monitor.sh
    /// if [ ! -f "/backups/shop-$(date +%F)*.sql.gz" ]; then
    ///   curl -d '{"text":"no backup of $(date +%F)"}' "$SLACK_WEBHOOK_URL"
    /// fi
    /// ```
    /// or
    /// ```sql health.sql
    /// -- Check last backup time
    /// SELECT pg_last_xact_replay_timestamp();
    /// ```
    ///
    /// ## Good
    /// ```bash monitor.sh
    /// if ! compgen -G "/backups/shop-$(date +%F)*.sql.gz" > /dev/null; then
    ///   curl -d "{\"text\":\"no backup of $(date +%F)\"}" "$SLACK_WEBHOOK_URL"
    /// fi
    /// ```
    ///
    /// ## Sources
    /// - <https://www.gnu.org/software/bash/manual/html_node/Filename-Expansion.html>
    /// - <https://www.gnu.org/software/bash/manual/html_node/Single-Quotes.html>
    /// - <https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-RECOVERY-CONTROL>
    "monitor-broken-test" in Monitoring,
    severity: Error,
    fix: Sometimes,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for command in &set.commands {
        match command.name.as_str() {
            "[" | "[[" | "test" => file_test(set, command, findings),
            "stat" | "du" | "wc" | "ls" | "sha256sum" | "md5sum" => looked_at(command, findings),
            "curl" | "wget" => sent(command, findings),
            _ => {}
        }
    }
    for unit in set.units.iter().filter(|unit| unit.kind == Kind::Sql) {
        queries(set, unit, findings);
    }
}

/// A pattern that the shell takes as a name: in quotes, or inside `[[ ]]`.
fn is_literal_pattern(command: &Command, arg: &Arg) -> bool {
    let quoted = arg.raw.starts_with(['"', '\'']) && !arg.is_glob;
    arg.text.contains('*') && !arg.text.contains("://") && (quoted || command.name == "[[" && !arg.may_split)
}

fn file_test(set: &Set<'_>, command: &Command, findings: &mut Findings<'_>) {
    let Some(at) = command.args.iter().position(|arg| matches!(arg.text.as_str(), "-f" | "-e" | "-s" | "-r"))
    else {
        return;
    };
    let Some(file) = command.args.get(at + 1).filter(|arg| is_literal_pattern(command, arg)) else { return };
    let report = findings
        .report(file.at, "the shell expands no pattern here: the test looks for a file with a star in its name and is never true")
        .help("use `compgen -G 'pattern' > /dev/null`, or find with -mmin");
    // Only the whole of `[ ! -f "x*" ]`.
    let words: Vec<&str> = command.args.iter().map(|arg| arg.text.as_str()).collect();
    let negated = words.first() == Some(&"!");
    let body = if negated { words.get(1..) } else { words.get(..) }.unwrap_or_default();
    let flag = body.first().is_some_and(|flag| matches!(*flag, "-f" | "-e"));
    let rest = body.get(2..).unwrap_or_default();
    let alone = matches!(rest, [] | ["]" | "]]"]);
    let bash = set
        .script_of(command)
        .is_some_and(|script| script.interpreter.as_deref().is_none_or(|shell| shell == "bash"));
    if flag && alone && bash && !command.nesting.substitution {
        let not = if negated { "! " } else { "" };
        report.fix(Fix::safe(
            "let the shell look for the pattern",
            vec![Edit::replace(command.at.span, format!("{not}compgen -G {} > /dev/null", file.raw))],
        ));
    }
}

fn looked_at(command: &Command, findings: &mut Findings<'_>) {
    let operand = |arg: &&Arg| !arg.text.starts_with('-') && is_literal_pattern(command, arg);
    if let Some(file) = command.args.iter().find(operand) {
        let message = format!(
            "the quotes keep the shell from expanding the pattern: {} finds no such file, and what it prints is empty",
            command.name
        );
        findings
            .report(file.at, message)
            .help("leave the star outside of the quotes: \"/backups/NAME-\"*.gz");
    }
}

/// `-d '{"text":"… $(date)"}'`
fn sent(command: &Command, findings: &mut Findings<'_>) {
    for arg in &command.args {
        let Some(inner) = arg.raw.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) else {
            continue;
        };
        if inner.contains('\'') || !inner.trim_start().starts_with('{') || !expands(inner) {
            continue;
        }
        let escaped = inner.replace('\\', "\\\\").replace('"', "\\\"").replace('`', "\\`");
        findings
            .report(
                arg.at,
                "single quotes expand nothing: people get the text of the command instead of what it prints",
            )
            .help("use double quotes, or build the JSON with jq")
            .fix(Fix::safe(
                "put it into double quotes",
                vec![Edit::replace(arg.span(), format!("\"{escaped}\""))],
            ));
    }
}

/// `$(..)`, `${NAME}` or `$NAME`; not `$ref` of a JSON schema, nor GitHub's own.
fn expands(text: &str) -> bool {
    text.match_indices('$').any(|(at, _)| {
        let rest = text.get(at + 1..).unwrap_or_default();
        let name = rest.strip_prefix('{').unwrap_or(rest);
        !rest.starts_with("{{")
            && (rest.starts_with('(') || name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_'))
    })
}

/// Functions that say nothing about backups, under a comment that says they do.
fn queries(set: &Set<'_>, unit: &crate::model::Unit<'_>, findings: &mut Findings<'_>) {
    const REPLICA: [&str; 5] = [
        "pg_last_wal_receive_lsn",
        "pg_last_wal_replay_lsn",
        "pg_last_xact_replay_timestamp",
        "pg_is_in_recovery",
        "pg_wal_lsn_diff",
    ];
    for statement in sql::parse_in(&unit.source).statements {
        let place = |span| Place { document: unit.document, span };
        let about = set.comments_near(place(statement.span));
        let about = about.iter().any(|comment| set.text(*comment).to_ascii_lowercase().contains("backup"));
        if !about {
            continue;
        }
        let called = |names: &[&str]| {
            let tokens = names.iter().flat_map(|name| statement.calls(name).map(|token| token.span));
            tokens.min()
        };
        if let Some(span) = called(&REPLICA) {
            findings
                .report(
                    place(span),
                    "this asks about replication, and is null on a primary: it says nothing about backups",
                )
                .help("ask the store for the age and size of the newest backup");
        } else if let Some(span) = called(&["pg_database_size"]) {
            findings
                .report(
                    place(span),
                    "this is the size of the live database: it grows on while backups are empty or missing",
                )
                .help("ask the store for the age and size of the newest backup");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    fn script(text: &str) -> String {
        check(&RULE, &[("m.sh", text)])
    }

    #[test]
    fn a_pattern_in_quotes_is_no_pattern() {
        insta::assert_snapshot!(script("if [ ! -f \"/b/x_$(date +%F)*.gz\" ]; then exit 1; fi\n"), @r"
        m.sh:1:11: error[monitor-broken-test]: the shell expands no pattern here: the test looks for a file with a star in its name and is never true
        help: use `compgen -G 'pattern' > /dev/null`, or find with -mmin
        ");
        for text in [
            "[[ -s /b/*.gz ]] || exit 1\n",
            "SIZE=$(stat -c%s \"/b/x*.gz\")\n",
            "P='/b/x*.gz'\n[ -e \"$P\" ] || exit 1\n",
            "ls -l '/b/*.gz'\n",
        ] {
            assert_eq!(script(text).matches("error[").count(), 1, "{text}");
        }
    }

    #[test]
    fn single_quotes_send_the_command_itself() {
        assert!(script("curl -d '{\"text\":\"none on $(date +%F)\"}' $HOOK\n").contains("1:9: error["));
        assert!(script("curl --data '{\"text\":\"$MESSAGE\"}' $HOOK\n").contains("error["));
    }

    #[test]
    fn queries_that_are_no_check() {
        let text = "-- Check last backup time\nSELECT datname, pg_last_wal_receive_lsn() FROM pg_stat_database;\n\n-- Check backup size growth\nSELECT pg_database_size('shop');\n";
        let found = check(&RULE, &[("q.sql", text)]);
        assert!(found.contains("q.sql:2:17: error[") && found.contains("q.sql:5:8: error["), "{found}");
    }

    #[test]
    fn it_stays_quiet_on_what_works() {
        for text in [
            "for f in /b/*.gz; do [ -f \"$f\" ] || continue; done\n",
            "find /b -name \"*.gz\" -mtime -1\n",
            "ls -1t /b/*.gz\n",
            "stat -c%s \"/b/x\"*.gz\n",
            "[[ $FILE == *.gz ]] && gunzip \"$FILE\"\n",
            "if compgen -G \"/b/*.gz\" > /dev/null; then :; fi\n",
            "curl -d \"{\\\"text\\\":\\\"$MESSAGE\\\"}\" $HOOK\n",
            "curl -d '{\"text\":\"'\"$MESSAGE\"'\"}' $HOOK\n",
            "curl -d '{\"$ref\":\"x\"}' $HOOK\n",
            "aws s3 ls \"s3://b/*\"\n",
        ] {
            assert_eq!(script(text), "", "{text}");
        }
        let text = "-- how far behind is the replica\nSELECT pg_last_xact_replay_timestamp();\n-- size\nSELECT pg_database_size('shop');\n";
        assert_eq!(check(&RULE, &[("q.sql", text)]), "");
    }

    #[test]
    fn fixes_let_the_shell_expand() {
        let text = "if [ ! -f \"/b/x*.gz\" ]; then\n  curl -d '{\"text\":\"none on $(date)\"}' $HOOK\nfi\n";
        insta::assert_snapshot!(fix(&RULE, "m.sh", text), @r#"
        if ! compgen -G "/b/x*.gz" > /dev/null; then
          curl -d "{\"text\":\"none on $(date)\"}" $HOOK
        fi
        "#);
    }
}
