use std::collections::HashMap;

use crate::fix::line_start;
use crate::model::{Script, Set};
use crate::parse::shell::{self, Expansion, Heredoc, Inline, InlineKind, Operator, Part, Variables, Visitor};
use crate::rule::{Findings, rule};

rule! {
    /// A script for another machine counts on variables that stay here.
    ///
    /// ## What
    /// `ssh host <<'EOF'` or `docker exec … <<'EOF'` with quotes around the delimiter,
    /// and a body that uses variables which only this side sets.
    ///
    /// ## Why
    /// The quotes send the names as they are. The remote shell has no such variables:
    /// `pg_dump "$DATABASE_URL"` becomes a dump of whatever the default is, or fails at
    /// every run.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// DB_NAME=shop
    /// ssh db.example.com <<'EOF'
    /// pg_dump "$DB_NAME" > /backups/shop.sql
    /// EOF
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// DB_NAME=shop
    /// ssh db.example.com DB_NAME="$DB_NAME" bash -s <<'EOF'
    /// pg_dump "$DB_NAME" > /backups/shop.sql
    /// EOF
    /// ```
    ///
    /// ## Sources
    /// - <https://www.gnu.org/software/bash/manual/html_node/Redirections.html#Here-Documents>
    "quoted-heredoc-vars" in Workflow,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for script in set.scripts.iter().filter(|script| script.hands_over) {
        let mut quoted = Quoted(Vec::new());
        shell::walk(&script.tree, &mut quoted);
        // Where each variable is set first and last.
        let mut assigned: HashMap<&str, (usize, usize)> = HashMap::new();
        for setting in &script.assignments {
            let at = setting.value.at.span.start;
            assigned.entry(&setting.name).and_modify(|(_, last)| *last = at).or_insert((at, at));
        }
        for (heredoc, inline) in quoted.0 {
            let host = line(set, script, heredoc);
            let remote = match inline.kind {
                InlineKind::Remote => Some("ssh"),
                _ => ["docker", "podman", "kubectl"].into_iter().find(|name| host.contains(name)),
            };
            let Some(remote) = remote.filter(|_| !host.contains("SendEnv")) else { continue };
            let inner = Variables::of(&inline.script);
            let mut uses = Uses(Vec::new());
            shell::walk(&inline.script, &mut uses);
            // One is enough: the others have the same reason.
            let outside = |name: &str| {
                assigned
                    .get(name)
                    .is_some_and(|(first, last)| *first < heredoc.span.start || *last >= heredoc.span.end)
            };
            let lost = uses
                .0
                .into_iter()
                .find(|(name, _)| set.given(script, name).next().is_some() || outside(name));
            let Some((name, part)) = lost.filter(|(name, _)| !inner.sets(name)) else { continue };
            if host.contains(&format!("{name}=")) || host.contains(&format!(" {name} ")) {
                continue;
            }
            let at = script.place(part.span);
            findings
                .report(at, format!("{remote} runs this where ${name} is not set: the quotes around the delimiter keep its value here"))
                .help(format!("hand it over (`{name}=\"${name}\" bash -s <<'{}'`), or leave out the quotes", heredoc.delimiter));
        }
    }
}

/// The line that opens a here-document.
fn line<'s>(set: &'s Set<'_>, script: &Script, heredoc: &Heredoc) -> &'s str {
    let text = set.documents.get(script.at.document).map_or("", |document| document.text.as_str());
    let end = line_start(text, heredoc.span.start).saturating_sub(1);
    text.get(line_start(text, end)..end).unwrap_or_default()
}

/// Here-documents with quotes around their delimiter, that a shell reads.
struct Quoted<'s>(Vec<(&'s Heredoc, &'s Inline)>);

impl<'s> Visitor<'s> for Quoted<'s> {
    fn heredoc(&mut self, heredoc: &'s Heredoc) {
        if let Some(inline) = heredoc.script.as_deref().filter(|_| heredoc.quoted) {
            self.0.push((heredoc, inline));
        }
    }
}

/// Variables without a default.
struct Uses<'s>(Vec<(&'s str, &'s Part)>);

impl<'s> Visitor<'s> for Uses<'s> {
    fn expansion(&mut self, part: &'s Part, expansion: &'s Expansion) {
        const EVERYWHERE: [&str; 8] =
            ["HOME", "USER", "PATH", "PWD", "HOSTNAME", "SHELL", "LOGNAME", "TMPDIR"];
        let optional =
            matches!(expansion.operator, Some(Operator::Default | Operator::Assign | Operator::Alternative));
        if !optional
            && expansion.name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && !EVERYWHERE.contains(&expansion.name.as_str())
        {
            self.0.push((&expansion.name, part));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(text: &str) -> String {
        check(&RULE, &[("b.sh", text)])
    }

    #[test]
    fn a_variable_that_stays_here_is_reported_where_it_is_used() {
        insta::assert_snapshot!(found("DB=shop\nssh host <<'EOF'\nset -e\npg_dump $DB > a\nEOF\n"), @r#"
        b.sh:4:9: error[quoted-heredoc-vars]: ssh runs this where $DB is not set: the quotes around the delimiter keep its value here
        help: hand it over (`DB="$DB" bash -s <<'EOF'`), or leave out the quotes
        "#);
        let step = "name: backup\non: push\njobs:\n  b:\n    steps:\n      - env: {DB: \"${{ secrets.DB }}\"}\n        run: |\n          ssh -i key me@host bash -s <<'EOF'\n          pg_dump \"$DB\" > a\n          EOF\n";
        assert!(check(&RULE, &[(".github/workflows/b.yml", step)]).contains(":9:20: error["));
        assert!(
            found("DB=shop\ndocker exec -i db bash <<'EOF'\npg_dump $DB > /a\nEOF\n")
                .contains("docker runs this")
        );
    }

    #[test]
    fn it_stays_quiet_where_the_value_arrives() {
        for text in [
            "DB=shop\nssh host <<EOF\npg_dump $DB > a\nEOF\n",
            "ssh host <<'EOF'\nDB=shop\npg_dump $DB > a\nEOF\n",
            "DB=shop\nssh host <<'EOF'\nDB=other\npg_dump $DB > a\nEOF\n",
            "DB=shop\nssh host DB=\"$DB\" bash -s <<'EOF'\npg_dump $DB > a\nEOF\n",
            "ssh host <<'EOF'\npg_dump $PGDATABASE > a\nEOF\n",
            "DB=shop\nssh host <<'EOF'\npg_dump ${DB:-shop} > $HOME/a\nEOF\n",
            "DB=shop\nbash <<'EOF'\npg_dump $DB > a\nEOF\n",
            "DB=shop\ncat > x.sh <<'EOF'\npg_dump $DB > a\nEOF\n",
        ] {
            assert_eq!(found(text), "", "{text}");
        }
    }
}
