//! A GitHub workflow, or a composite action, as a typed view over its YAML tree.
//!
//! Everything is optional and nothing is judged: a view shows what was written,
//! in whichever of the forms that GitHub takes (`on: push`, `on: [push]`,
//! `on: {push: ..}`), with the nodes that hold the spans.

#[cfg(test)]
mod tests;

use super::shell::Flags;
use super::yaml::{Entry, Node};
use crate::path;

#[derive(Debug, Clone)]
pub struct Workflow<'n> {
    pub root: &'n Node,
    pub name: Option<&'n Node>,
    /// The entry `on`, key and value.
    pub on: Option<&'n Entry>,
    pub triggers: Vec<Trigger<'n>>,
    /// The scalars of `on.schedule[*].cron`.
    pub crons: Vec<&'n Node>,
    pub permissions: Option<&'n Entry>,
    pub concurrency: Option<&'n Entry>,
    pub environment: Vec<Variable<'n>>,
    /// `defaults.run.shell`
    pub shell: Option<&'n Node>,
    entries: &'n [Entry],
}

/// An event that starts the workflow.
#[derive(Debug, Clone, Copy)]
pub struct Trigger<'n> {
    pub name: &'n str,
    /// Where it is named.
    pub node: &'n Node,
    /// What is said about it.
    pub settings: Option<&'n Node>,
}

/// One variable of an `env`.
#[derive(Debug, Clone, Copy)]
pub struct Variable<'n> {
    pub name: &'n str,
    pub entry: &'n Entry,
}

impl<'n> Variable<'n> {
    pub fn value(self) -> Option<&'n str> {
        self.entry.value.text()
    }
}

#[derive(Debug, Clone)]
pub struct Job<'n> {
    /// Empty where the key is no text.
    pub id: &'n str,
    pub key: &'n Node,
    pub node: &'n Node,
    pub name: Option<&'n Node>,
    pub needs: Vec<&'n Node>,
    /// `if`
    pub condition: Option<&'n Node>,
    pub runs_on: Option<&'n Node>,
    /// `timeout-minutes`
    pub timeout: Option<&'n Node>,
    pub permissions: Option<&'n Entry>,
    pub concurrency: Option<&'n Entry>,
    pub environment: Vec<Variable<'n>>,
    pub shell: Option<&'n Node>,
    pub strategy: Option<&'n Node>,
    pub container: Option<&'n Node>,
    pub services: Vec<Service<'n>>,
    pub continue_on_error: Option<&'n Node>,
    /// A reusable workflow that is the job.
    pub uses: Option<Uses<'n>>,
    pub with: &'n [Entry],
    pub secrets: Option<&'n Node>,
    pub outputs: &'n [Entry],
    items: &'n [Node],
}

#[derive(Debug, Clone)]
pub struct Service<'n> {
    pub name: &'n str,
    pub image: Option<&'n Node>,
    pub environment: Vec<Variable<'n>>,
    pub node: &'n Node,
}

#[derive(Debug, Clone)]
pub struct Step<'n> {
    pub node: &'n Node,
    pub id: Option<&'n Node>,
    pub name: Option<&'n Node>,
    pub condition: Option<&'n Node>,
    pub uses: Option<Uses<'n>>,
    pub with: &'n [Entry],
    pub run: Option<&'n Node>,
    pub shell: Option<&'n Node>,
    pub environment: Vec<Variable<'n>>,
    pub continue_on_error: Option<&'n Node>,
    pub timeout: Option<&'n Node>,
    pub working_directory: Option<&'n Node>,
}

/// `owner/name/path@reference`, `./path`, or `docker://image`.
#[derive(Debug, Clone, Copy)]
pub struct Uses<'n> {
    pub node: &'n Node,
    /// Before the `@`.
    pub name: &'n str,
    pub reference: Option<&'n str>,
}

impl Uses<'_> {
    pub fn is_local(&self) -> bool {
        self.name.starts_with("./") || self.name.starts_with("../")
    }

    pub fn is_docker(&self) -> bool {
        self.name.starts_with("docker://")
    }

    /// The action, whatever the case that GitHub does not care about.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// A full commit digest, which nobody can move.
    pub fn is_pinned(&self) -> bool {
        self.reference.is_some_and(|reference| {
            let digest = reference.strip_prefix("sha256:").unwrap_or(reference);
            matches!(digest.len(), 40 | 64) && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    }

    /// `3` of `v3.1.0`.
    pub fn major(&self) -> Option<u32> {
        let version = self.reference?.strip_prefix('v')?;
        version.split('.').next()?.parse().ok()
    }
}

/// None where the tree is no workflow: without `jobs`, or with jobs that are no
/// mapping.
pub fn view(root: &Node) -> Option<Workflow<'_>> {
    let jobs = root.get("jobs").filter(|jobs| !jobs.entries().is_empty())?;
    let on = root.entry("on");
    let triggers = on.map(|on| triggers(&on.value)).unwrap_or_default();
    let schedules = triggers.iter().filter(|trigger| trigger.name == "schedule");
    let crons = schedules.filter_map(|trigger| trigger.settings).flat_map(Node::items);
    let crons = crons.filter_map(|item| item.get("cron")).collect();
    Some(Workflow {
        root,
        name: root.get("name"),
        on,
        crons,
        triggers,
        permissions: root.entry("permissions"),
        concurrency: root.entry("concurrency"),
        environment: variables(root.get("env")),
        shell: root.path(&["defaults", "run", "shell"]),
        entries: jobs.entries(),
    })
}

impl<'n> Job<'n> {
    /// Each is read as somebody comes to it, too.
    pub fn steps(&self) -> impl ExactSizeIterator<Item = Step<'n>> + use<'n> {
        self.items.iter().map(step)
    }

    pub fn step_by_index(&self, index: usize) -> Option<Step<'n>> {
        self.items.get(index).map(step)
    }
}

/// A job by its index in [`Workflow::jobs`], as key and value: for who asks for each of
/// many.
pub fn job_at(root: &Node, job: usize) -> Option<&Entry> {
    root.get("jobs")?.entries().get(job)
}

/// The conditions of one step and of its job, and the step's name; the same.
pub fn step_at(root: &Node, job: usize, step: usize) -> Option<([Option<&Node>; 2], Option<&Node>)> {
    let job = &job_at(root, job)?.value;
    let step = job.get("steps")?.items().get(step)?;
    Some(([job.get("if"), step.get("if")], step.get("name")))
}

/// The steps of a composite action; empty where the tree is none.
pub fn composite_steps(root: &Node) -> Vec<Step<'_>> {
    match root.get("runs") {
        Some(runs) if runs.get("using").and_then(Node::text) == Some("composite") => {
            runs.get("steps").map(Node::items).unwrap_or_default().iter().map(step).collect()
        }
        _ => Vec::new(),
    }
}

impl<'n> Workflow<'n> {
    /// Each is read as somebody comes to it: there may be thousands, and many a rule
    /// wants one, or the rest of the workflow.
    pub fn jobs(&self) -> impl ExactSizeIterator<Item = Job<'n>> + use<'n> {
        self.entries.iter().map(job)
    }

    pub fn trigger(&self, name: &str) -> Option<&Trigger<'n>> {
        self.triggers.iter().find(|trigger| trigger.name == name)
    }

    pub fn job(&self, id: &str) -> Option<Job<'n>> {
        self.entries.iter().find(|entry| entry.key.text() == Some(id)).map(job)
    }

    pub fn job_by_index(&self, index: usize) -> Option<Job<'n>> {
        self.entries.get(index).map(job)
    }

    /// The `shell` that holds for a step.
    pub fn shell_of(&self, job: &Job<'n>, step: &Step<'n>) -> Option<&'n Node> {
        step.shell.or(job.shell).or(self.shell)
    }

    /// What a step's script starts with. None where no POSIX shell runs it.
    pub fn flags_of(&self, job: &Job<'n>, step: &Step<'n>) -> Option<Flags> {
        let shell = self.shell_of(job, step).and_then(Node::text);
        let runs_on_windows = job.runs_on.is_some_and(|node| {
            node.one_or_many().filter_map(Node::text).any(|label| label.starts_with("windows"))
        });
        match shell {
            None if runs_on_windows => None,
            Some(command) => {
                let program = command.split_whitespace().next().unwrap_or_default();
                let name = path::name(program);
                matches!(name, "bash" | "sh" | "dash" | "zsh" | "ksh").then(|| Flags::github(shell))
            }
            None => Some(Flags::github(None)),
        }
    }

    /// The variables that a step sees, the innermost last.
    pub fn environment_of(&self, job: &Job<'n>, step: &Step<'n>) -> Vec<Variable<'n>> {
        [&self.environment, &job.environment, &step.environment].into_iter().flatten().copied().collect()
    }
}

fn triggers(on: &Node) -> Vec<Trigger<'_>> {
    let named =
        on.one_or_many().filter_map(|node| Some(Trigger { name: node.text()?, node, settings: None }));
    let settings = on.entries().iter().filter_map(|entry| {
        Some(Trigger { name: entry.key.text()?, node: &entry.key, settings: Some(&entry.value) })
    });
    named.chain(settings).collect()
}

fn variables(node: Option<&Node>) -> Vec<Variable<'_>> {
    let entries = node.map(Node::entries).unwrap_or_default();
    entries.iter().filter_map(|entry| Some(Variable { name: entry.key.text()?, entry })).collect()
}

fn job(Entry { key, value: node }: &Entry) -> Job<'_> {
    // Every rule that looks at workflows comes through here, with thousands of jobs at
    // times: their keys are read once.
    let [name, needs, condition, runs_on, timeout, env, defaults, strategy, container, services] = node
        .values([
            "name",
            "needs",
            "if",
            "runs-on",
            "timeout-minutes",
            "env",
            "defaults",
            "strategy",
            "container",
            "services",
        ]);
    let [continue_on_error, called, with, secrets, outputs, steps] =
        node.values(["continue-on-error", "uses", "with", "secrets", "outputs", "steps"]);
    let services = services.map(Node::entries).unwrap_or_default();
    Job {
        id: key.text().unwrap_or_default(),
        key,
        node,
        name,
        needs: needs.map(|needs| needs.one_or_many().collect()).unwrap_or_default(),
        condition,
        runs_on,
        timeout,
        permissions: node.entry("permissions"),
        concurrency: node.entry("concurrency"),
        environment: variables(env),
        shell: defaults.and_then(|defaults| defaults.path(&["run", "shell"])),
        strategy,
        container,
        services: services.iter().filter_map(service).collect(),
        continue_on_error,
        uses: called.and_then(uses),
        with: with.map(Node::entries).unwrap_or_default(),
        secrets,
        outputs: outputs.map(Node::entries).unwrap_or_default(),
        items: steps.map(Node::items).unwrap_or_default(),
    }
}

fn service(entry: &Entry) -> Option<Service<'_>> {
    let node = &entry.value;
    let image = node.get("image").or_else(|| node.as_scalar().map(|_| node));
    Some(Service { name: entry.key.text()?, image, environment: variables(node.get("env")), node })
}

fn step(node: &Node) -> Step<'_> {
    let [id, name, condition, called, with, run, shell, env, continue_on_error, timeout, working_directory] =
        node.values([
            "id",
            "name",
            "if",
            "uses",
            "with",
            "run",
            "shell",
            "env",
            "continue-on-error",
            "timeout-minutes",
            "working-directory",
        ]);
    Step {
        node,
        id,
        name,
        condition,
        uses: called.and_then(uses),
        with: with.map(Node::entries).unwrap_or_default(),
        run,
        shell,
        environment: variables(env),
        continue_on_error,
        timeout,
        working_directory,
    }
}

fn uses(node: &Node) -> Option<Uses<'_>> {
    let text = node.text()?.trim();
    let (name, reference) = match text.split_once('@') {
        Some((name, reference)) => (name, Some(reference)),
        None => (text, None),
    };
    Some(Uses { node, name, reference })
}
