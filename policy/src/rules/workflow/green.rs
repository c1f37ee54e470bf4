//! The ways in which a script ends well although there is no backup: one script in,
//! findings of the rule green-on-failure out.

use std::collections::HashMap;

use crate::finding::{Edit, Fix, Place, Span};
use crate::model::{Branch, Called, Choice, Command, Fate, Host, Role, Script, Set, Unit};
use crate::parse::workflow::Workflow;
use crate::rule::Findings;

/// A file of settings or of credentials; another one may well be absent.
fn is_setting(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    ["env", "conf", "pgpass", "secret", "credential", ".key", "config"]
        .iter()
        .any(|word| lower.contains(word))
}

/// What a backup consists of: if it fails, there is none.
fn matters(command: &Command) -> bool {
    matches!(command.role, Role::Dump(_) | Role::Upload(_) | Role::Encrypt(_))
        || command.called.as_ref().is_some_and(Called::is_backup)
}

fn is_dump(command: &Command) -> bool {
    matches!(command.role, Role::Dump(_)) || command.called.as_ref().is_some_and(Called::is_backup)
}

/// `exit 0`, and `exit` behind a print.
fn ends_well(command: &Command) -> bool {
    matches!(command.name.as_str(), "exit" | "return")
        && command.args.first().is_none_or(|status| status.text == "0")
}

fn only_prints(commands: &[Command]) -> bool {
    let quiet = |command: &Command| {
        command.role == Role::Print || matches!(command.name.as_str(), "true" | ":" | "date" | "cat")
    };
    commands.iter().any(|command| command.role == Role::Print) && commands.iter().all(quiet)
}

/// One script, and what is asked about it again and again.
pub struct Look<'s, 'd> {
    set: &'s Set<'d>,
    script: &'s Script,
    /// Where the last command begins without which there is no backup.
    last: Option<usize>,
    /// Variables that the script sets; whether only from what it was started with.
    given: HashMap<&'s str, bool>,
}

impl<'s, 'd> Look<'s, 'd> {
    pub fn at(set: &'s Set<'d>, script: &'s Script) -> Self {
        let commands = set.commands_in(script, script.at.span);
        let last = commands.iter().rfind(|command| matters(command)).map(|command| command.at.span.start);
        let mut given: HashMap<&str, bool> = HashMap::new();
        for setting in &script.assignments {
            let passed_on = setting.value.raw.trim_start_matches('"').starts_with("${");
            given.entry(&setting.name).and_modify(|all| *all &= passed_on).or_insert(passed_on);
        }
        Self { set, script, last, given }
    }

    pub fn report(&self, findings: &mut Findings<'_>) {
        self.guards(findings);
        self.branches(findings);
        self.handlers(findings);
        self.claims(findings);
    }

    fn commands(&self, span: Span) -> &'s [Command] {
        self.set.commands_in(self.script, span)
    }

    fn text(&self, span: Span) -> &str {
        self.set.text(Place { document: self.script.at.document, span }).trim_start()
    }

    /// `if [ -z "$URL" ]; then echo skip; exit 0; fi` before what matters.
    fn guards(&self, findings: &mut Findings<'_>) {
        for choice in &self.script.choices {
            if self.last.is_none_or(|last| last < choice.span.end) || self.is_optional(choice) {
                continue;
            }
            for branch in &choice.branches {
                let body = self.commands(branch.body);
                let Some(end) = body.iter().find(|command| ends_well(command)) else { continue };
                let others: Vec<&Command> = body.iter().filter(|command| !ends_well(command)).collect();
                let quiet = others.iter().all(|command| command.role == Role::Print);
                let missing = branch.condition.and_then(|condition| self.missing(condition));
                let (Some(missing), true) = (missing, quiet) else { continue };
                let message =
                    format!("without {missing} this ends here with success: no backup, and the run is green");
                let report =
                    findings.report(end.at, message).help("`exit 1`: a missing setting is a failed backup");
                report.fix(Fix::unsafe_(
                    "end with a failure",
                    vec![Edit::replace(end.at.span, format!("{} 1", end.name))],
                ));
            }
        }
    }

    /// Whether the backup is in a place already, and all that follows is one more copy.
    fn is_optional(&self, choice: &Choice) -> bool {
        let all = self.commands(self.script.at.span);
        let kept = all.iter().any(|command| {
            matches!(command.role, Role::Upload(_))
                && command.at.span.end <= choice.span.start
                && !command.nesting.branch
        });
        let behind = all.iter().filter(|command| command.at.span.start >= choice.span.end);
        kept && behind.filter(|command| matters(command)).all(|it| matches!(it.role, Role::Upload(_)))
    }

    /// What a condition finds missing: a variable that the script does not compute
    /// itself, a program, a file.
    fn missing(&self, condition: Span) -> Option<String> {
        let negated = self.text(condition).starts_with('!');
        self.commands(condition).iter().find_map(|test| {
            let has = |word: &str| test.has(word);
            match test.name.as_str() {
                "[" | "[[" | "test" => {
                    let empty = has("-z")
                        || (has("-n") && (has("!") || negated))
                        || (test.args.iter().any(|arg| arg.raw == "\"\"" || arg.raw == "''")
                            && (has("=") || has("==")));
                    let file = ["-f", "-e", "-s", "-r"].iter().any(|flag| has(flag)) && (has("!") || negated);
                    if file {
                        let name =
                            test.args.iter().rev().find(|arg| !matches!(arg.text.as_str(), "]" | "]]"))?;
                        return is_setting(&name.text).then(|| format!("the file {}", name.text));
                    }
                    if has("-w") && (has("!") || negated) {
                        return Some("write access".to_owned());
                    }
                    let names = test.args.iter().flat_map(|arg| &arg.variables);
                    let given = |name: &&String| {
                        name.starts_with(|c: char| c.is_ascii_alphabetic())
                            && self.given.get(name.as_str()).is_none_or(|given| *given)
                    };
                    names.into_iter().find(given).filter(|_| empty).cloned()
                }
                _ if negated => test.asks_for_program().map(str::to_owned),
                _ => None,
            }
        })
    }

    /// `if` with a branch for the failure that only prints.
    fn branches(&self, findings: &mut Findings<'_>) {
        for choice in &self.script.choices {
            let branches = match self.failing(choice) {
                Some(branch) => vec![branch],
                None => self.skipping(choice),
            };
            for print in branches.into_iter().filter_map(|branch| self.only_print(branch)) {
                findings
                    .report(
                        print.at,
                        "this is all that happens: the script goes on, ends well, and there is no backup",
                    )
                    .help("`exit 1` behind it");
            }
        }
    }

    /// What a branch prints, where that is all it does.
    fn only_print(&self, branch: Span) -> Option<&'s Command> {
        let commands = self.commands(branch);
        let settings = &self.script.assignments;
        let first = settings.partition_point(|setting| setting.value.at.span.start < branch.start);
        let sets = settings.get(first).is_some_and(|setting| setting.value.at.span.start < branch.end);
        let print = commands.iter().find(|command| command.role == Role::Print)?;
        (!sets && only_prints(commands)).then_some(print)
    }

    /// The branch that runs when a dump or an upload has failed.
    fn failing(&self, choice: &Choice) -> Option<Span> {
        let first = choice.branches.first()?;
        let condition = first.condition?;
        let otherwise = choice.branches.iter().find(|branch| branch.condition.is_none());
        let tests = self.commands(condition);
        let text = self.text(condition);
        if tests.iter().any(matters) {
            return if text.starts_with('!') { Some(first.body) } else { otherwise.map(|it| it.body) };
        }
        // `[ $? -ne 0 ]` right behind it.
        let status = tests.iter().find(|test| {
            test.args.iter().any(|arg| arg.variables.iter().any(|name| name == "?" || name == "PIPESTATUS"))
        })?;
        let before = Span::new(self.script.at.span.start, choice.span.start);
        self.commands(before)
            .iter()
            .rev()
            .find(|command| !command.nesting.condition && !command.nesting.substitution)
            .filter(|command| matters(command) && command.fate == Fate::Checked)?;
        let differs = ["-ne", "!=", "-gt"].iter().any(|sign| status.has(sign));
        if differs { Some(first.body) } else { otherwise.map(|it| it.body) }
    }

    /// The branches that say that the dump was left out, or that no program can upload.
    fn skipping(&self, choice: &Choice) -> Vec<Span> {
        const SAYS: [&str; 11] = [
            "skip",
            "not set",
            "not found",
            "not installed",
            "missing",
            "not configured",
            "neither",
            "unavailable",
            "cannot",
            "no ",
            "local",
        ];
        let commands = |span: Span| self.commands(span);
        let does = |wanted: &dyn Fn(&Command) -> bool| {
            choice.branches.iter().any(|branch| commands(branch.body).iter().any(wanted))
        };
        let by_tool = choice
            .branches
            .iter()
            .filter_map(|branch| branch.condition)
            .any(|condition| commands(condition).iter().any(|test| test.asks_for_program().is_some()));
        let uploads = |command: &Command| matches!(command.role, Role::Upload(_));
        let left_out = does(&is_dump) || (by_tool && does(&uploads));
        if !left_out {
            return Vec::new();
        }
        let says = |command: &Command| {
            command.role == Role::Print
                && command.args.iter().any(|arg| {
                    let lower = arg.text.to_ascii_lowercase();
                    SAYS.iter().any(|word| lower.contains(word))
                })
        };
        let left_out = |branch: &&Branch| {
            let body = commands(branch.body);
            only_prints(body) && body.iter().any(says)
        };
        choice.branches.iter().filter(left_out).map(|branch| branch.body).collect()
    }

    /// `pg_dump … || true`
    fn handlers(&self, findings: &mut Findings<'_>) {
        let commands = self.commands(self.script.at.span);
        let uploads = |command: &&Command| matches!(command.role, Role::Upload(_));
        for command in commands.iter().filter(|command| matters(command)) {
            let Fate::Handled(handler) = command.fate else { continue };
            let handling = self.commands(handler);
            let swallows = !handling.is_empty()
                && handling
                    .iter()
                    .all(|it| it.role == Role::Print || matches!(it.name.as_str(), "true" | ":"));
            // A second destination may fail.
            let second = uploads(&command)
                && commands.iter().filter(uploads).any(|other| !matches!(other.fate, Fate::Handled(_)));
            if !swallows || second {
                continue;
            }
            let message = format!("if {} fails, the script goes on as if there were a backup", command.name);
            let report =
                findings.report(command.name_at, message).help("let it fail: `|| exit 1`, or nothing");
            let last = handler.end == command.statement.end;
            let prints = handling.iter().any(|it| it.role == Role::Print);
            if last && !prints {
                let tail = Span::new(command.pipe.span.end, handler.end);
                report.fix(Fix::unsafe_("let it fail", vec![Edit::replace(tail, "")]));
            }
        }
    }

    /// "Backup completed" in a script that goes on after a failure.
    fn claims(&self, findings: &mut Findings<'_>) {
        const CLAIMS: [&str; 8] =
            ["complete", "success", "finished", "restored", "done", "created", "uploaded", "\u{2705}"];
        let commands = self.commands(self.script.at.span);
        let lost = |command: &&Command| {
            (matters(command) || matches!(command.role, Role::Restore(_)))
                && matches!(command.fate, Fate::Ignored | Fate::Background)
                && !command.nesting.branch
        };
        // What a pipe hides, `pipefail-missing` says.
        let Some(first) = commands.iter().position(|command| lost(&command)) else { return };
        let claims = |command: &&Command| {
            command.role == Role::Print
                && !command.nesting.branch
                && !command.nesting.substitution
                && command.redirects.iter().all(|redirect| redirect.descriptor != 2)
                && matches!(command.fate, Fate::Ignored | Fate::Returned | Fate::Stops)
                && command.args.iter().any(|arg| {
                    let lower = arg.text.to_ascii_lowercase();
                    CLAIMS.iter().any(|word| lower.contains(word))
                })
        };
        let behind = commands.get(first + 1..).unwrap_or_default();
        let (Some(failed), Some(claim)) = (commands.get(first), behind.iter().find(claims)) else { return };
        // Only where the claim stands alone: `pg_dump … && echo done` is honest.
        if claim.statement == failed.statement {
            return;
        }
        let message =
            format!("this is printed, and the script ends well, whether {} has worked or not", failed.name);
        findings
            .report(claim.at, message)
            .help("put `set -euo pipefail` at the top")
            .related(failed.name_at, "its failure is forgotten");
    }
}

/// `continue-on-error: true` on a step or job that makes the backup.
pub fn continued(set: &Set<'_>, findings: &mut Findings<'_>) {
    for (pipeline, unit, workflow) in set.workflows() {
        for script in pipeline.scripts.iter().filter_map(|index| set.scripts.get(*index)) {
            let Host::Step { job, step } = script.host else { continue };
            if !is_of(set, script, unit) || !set.commands_in(script, script.at.span).iter().any(matters) {
                continue;
            }
            let Some(job) = workflow.job_by_index(job) else { continue };
            let Some(step) = job.step_by_index(step) else { continue };
            let on = |node: &&crate::parse::yaml::Node| node.text() == Some("true");
            let Some(node) = step.continue_on_error.or(job.continue_on_error).filter(on) else { continue };
            if asks_for_outcome(&workflow) {
                continue;
            }
            findings
                .report(unit.place(node.span), "if the backup fails, the job goes on and ends green")
                .help("leave it out, or end the job with a step that looks at the step's outcome");
        }
    }
}

fn is_of(set: &Set<'_>, script: &Script, unit: &Unit<'_>) -> bool {
    set.units.get(script.unit).is_some_and(|own| std::ptr::eq(own, unit))
}

fn asks_for_outcome(workflow: &Workflow<'_>) -> bool {
    let mut asks = false;
    workflow.root.scalars(&mut |_, scalar| asks |= scalar.text.contains(".outcome"));
    asks
}
