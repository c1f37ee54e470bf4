use std::collections::HashMap;

use crate::finding::{Edit, Fix, Severity, Span};
use crate::fix::{line_before, line_start};
use crate::model::{Arg, Command, Host, Role, Script, Set};
use crate::rule::{Findings, rule};

rule! {
    /// A file name with the time in it that is computed twice.
    ///
    /// ## What
    /// Two commands of a script name the same file with a `$(date …)` of their own. An
    /// error where the time has minutes or seconds; a note where it is an hour or a day.
    ///
    /// ## Why
    /// The second `date` runs later: after the dump the clock shows another second, so
    /// the second command looks for a file that nobody has written. The dump stays
    /// uncompressed where nobody cleans up, and nothing is uploaded.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// set -euo pipefail
    /// pg_dump -f shop_$(date +%Y%m%d_%H%M%S).sql "$DATABASE_URL"
    /// gzip shop_$(date +%Y%m%d_%H%M%S).sql
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// set -euo pipefail
    /// TS=$(date -u +%Y%m%dT%H%M%SZ)
    /// pg_dump -f "shop_${TS}.sql" "$DATABASE_URL"
    /// gzip "shop_${TS}.sql"
    /// ```
    ///
    /// ## Sources
    /// - <https://www.gnu.org/software/bash/manual/html_node/Command-Substitution.html>
    "double-date-name" in Dump,
    severity: Error,
    fix: Sometimes,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for script in &set.scripts {
        let dated: Vec<Dated<'_>> =
            set.commands.get(script.commands.clone()).into_iter().flatten().flat_map(dated).collect();
        let mut seen: HashMap<&str, &Dated<'_>> = HashMap::new();
        let mut pairs = Vec::new();
        for second in &dated {
            // What writes a file of its own does not look for another.
            let writes = matches!(second.command.role, Role::Dump(_)) || second.is_written;
            let first = second.stems().find_map(|stem| seen.get(stem));
            pairs.extend(
                first
                    .filter(|first| !writes && first.command.at != second.command.at)
                    .map(|it| (*it, second)),
            );
            seen.entry(second.path).or_insert(second);
        }
        // One finding a script: one line mends all of them.
        let Some((first, second)) = pairs.into_iter().min_by_key(|(first, _)| !is_fine(first.date)) else {
            continue;
        };
        let fine = is_fine(first.date);
        if !fine && matches!(second.command.role, Role::Probe(_) | Role::Other | Role::Notify(_)) {
            continue;
        }
        let message = if fine {
            format!("the second `date` gives another time: {} does not find the file", second.command.name)
        } else {
            format!("at the turn of the hour or day {} looks for another file", second.command.name)
        };
        let report = findings
            .report(second.arg.at, message)
            .severity(if fine { Severity::Error } else { Severity::Note })
            .help("compute the time once, in a variable")
            .related(first.arg.at, "the name is computed here for the first time");
        if let Some(fix) = fix(set, script, &dated, first.date) {
            report.fix(fix);
        }
    }
}

/// An argument that a `date` is written in.
struct Dated<'c> {
    command: &'c Command,
    arg: &'c Arg,
    /// The path in it.
    path: &'c str,
    /// `$(date …)`, in the spelling of the model.
    date: &'c str,
    /// The target of `>`.
    is_written: bool,
}

impl Dated<'_> {
    /// The path, and what it is without suffixes and files behind the date.
    fn stems(&self) -> impl Iterator<Item = &str> {
        let from = self.path.rfind(self.date).map_or(self.path.len(), |at| at + self.date.len());
        let rest = self.path.get(from..).unwrap_or_default();
        let ends = rest.match_indices(['.', '/', '*']).take(8).map(move |(at, _)| from + at);
        std::iter::once(self.path.len()).chain(ends).filter_map(|end| self.path.get(..end))
    }
}

fn dated(command: &Command) -> impl Iterator<Item = Dated<'_>> {
    let targets = command.redirects.iter();
    let targets =
        targets.filter_map(|redirect| Some((redirect.target.as_ref()?, redirect.input().is_none())));
    let prints = matches!(command.role, Role::Print);
    let args = command.args.iter().filter(move |_| !prints).map(|arg| (arg, false)).chain(targets);
    args.filter_map(move |(arg, is_written)| {
        let start = arg.text.find("$(date")?;
        // Not where a variable brings it: that is one date, computed once.
        if !arg.raw.contains("$(date") && !arg.raw.contains("`date") {
            return None;
        }
        let end = start + arg.text.get(start..)?.find(')')? + 1;
        let path = match arg.text.split_once('=') {
            Some((option, path)) if option.starts_with("--") => path,
            _ => arg.text.as_str(),
        };
        let path = path.strip_prefix("./").unwrap_or(path);
        Some(Dated { command, arg, path, date: arg.text.get(start..end)?, is_written })
    })
}

/// Minutes, seconds or less; without a format all of it is printed.
fn is_fine(date: &str) -> bool {
    const FINE: [&str; 14] =
        ["%S", "%s", "%N", "%M", "%T", "%R", "%c", "%r", "%X", "-Is", "-In", "-Im", "seconds", "rfc"];
    FINE.iter().any(|word| date.contains(word)) || !(date.contains('%') || date.contains("-I"))
}

/// A variable before the first of them, where all lie in one list of statements.
fn fix(set: &Set<'_>, script: &Script, dated: &[Dated<'_>], date: &str) -> Option<Fix> {
    let same: Vec<&Dated<'_>> = dated.iter().filter(|it| it.date == date).collect();
    let first = same.first()?.command;
    let plain = |command: &Command| {
        command.nesting.inline.is_none()
            && !command.nesting.substitution
            && !command.nesting.branch
            && !command.nesting.in_loop
            && command.function == first.function
    };
    let text = &set.documents.get(first.at.document)?.text;
    let start = first.statement.start;
    let alone = text.get(line_start(text, start)..start)?.trim().is_empty();
    if !matches!(script.host, Host::File | Host::Step { .. })
        || !alone
        || !same.iter().all(|it| plain(it.command))
    {
        return None;
    }
    let name = ["TS", "BACKUP_TS", "BACKUP_TIME"].into_iter().find(|name| !set.sets(script, name))?;
    let mut edits = vec![line_before(text, start, &format!("{name}={date}"))];
    for it in &same {
        let at = it.arg.at.span;
        let mut from = at.start;
        while let Some((open, end)) = substitution(text.get(from..at.end)?) {
            edits.push(Edit::replace(Span::new(from + open, from + end), format!("${{{name}}}")));
            from += end;
        }
    }
    (edits.len() > same.len()).then(|| Fix::safe("compute the time once", edits))
}

/// `$(date …)` or `` `date …` `` in a text.
fn substitution(text: &str) -> Option<(usize, usize)> {
    if let Some(open) = text.find("$(date") {
        return Some((open, open + text.get(open..)?.find(')')? + 1));
    }
    let open = text.find("`date")?;
    Some((open, open + 1 + text.get(open + 1..)?.find('`')? + 1))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    const TWICE: &str =
        "pg_dump --file=b_$(date +%Y%m%d_%H%M%S).sql shop\ngzip b_$(date +%Y%m%d_%H%M%S).sql\n";

    #[test]
    fn the_second_name_is_reported() {
        insta::assert_snapshot!(check(&RULE, &[("b.sh", TWICE)]), @r"
        b.sh:2:6: error[double-date-name]: the second `date` gives another time: gzip does not find the file
        help: compute the time once, in a variable
          b.sh:1:9: the name is computed here for the first time
        ");
    }

    #[test]
    fn every_form_of_it() {
        for (text, severity) in [
            ("pg_dump shop > `date +%s`.sql\naws s3 cp `date +%s`.sql s3://b/\n", "error["),
            ("pg_dump shop > \"a-$(date).sql\"\nxz \"a-$(date).sql\"\n", "error["),
            ("pg_dump shop | gzip > a-$(date -Iseconds).gz\nmv a-$(date -Iseconds).gz /b\n", "error["),
            ("pg_dump shop > a-$(date +%F).sql\ngzip a-$(date +%F).sql\n", "note["),
        ] {
            let found = check(&RULE, &[("b.sh", text)]);
            assert_eq!(found.matches(severity).count(), 1, "{text}: {found}");
        }
    }

    #[test]
    fn one_date_or_two_files_are_fine() {
        for text in [
            "F=b_$(date +%s).sql\npg_dump -f \"$F\" shop\ngzip \"$F\"\n",
            "pg_dump shop > a-$(date +%s).sql\npg_dump other > b-$(date +%s).sql\n",
            "pg_dump shop | aws s3 cp - s3://b/$(date +%s).sql\necho done $(date +%s)\n",
            "echo start $(date)\npg_dump shop > a\necho end $(date)\n",
            "pg_dump shop > a\naws s3 cp a s3://b/a-$(date +%s)\n",
            "pg_dump -f b_$(date +%s).dump shop\npg_dump -Z9 -f b_$(date +%s).dump.gz shop\n",
            "pg_dump shop > /b/$(date +%F).sql\nls /b/$(date +%F).sql\n",
        ] {
            assert_eq!(check(&RULE, &[("b.sh", text)]), "", "{text}");
        }
    }

    #[test]
    fn the_fix_computes_it_once() {
        insta::assert_snapshot!(fix(&RULE, "b.sh", &format!("f() {{\n  {}}}\nf\n", TWICE.replace("\ng", "\n  g"))), @r"
        f() {
          TS=$(date +%Y%m%d_%H%M%S)
          pg_dump --file=b_${TS}.sql shop
          gzip b_${TS}.sql
        }
        f
        ");
    }
}
