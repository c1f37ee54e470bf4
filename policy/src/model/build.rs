//! Documents into a [`Set`]: each is parsed once, by its kind, and what it runs is
//! told in the same words.

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use crate::config;
use crate::document::{Document, Kind};
use crate::finding::{Place, Span};
use crate::parse::compose;
use crate::parse::crontab::{self, Form};
use crate::parse::markdown;
use crate::parse::shell::{Environment, Flags};
use crate::parse::source::{Builder, Source};
use crate::parse::systemd;
use crate::parse::workflow::{self, Step, Variable};
use crate::parse::yaml::{self, Node};

use super::action;
use super::command::Arg;
use super::role::Role;
use super::schedule::{Clock, Schedule, of_nickname};
use super::script::{self, Host, Start};
use super::unit::Unit;
use super::{Set, buckets, embedded, environment, join, process, prose};

impl<'d> Set<'d> {
    pub fn of(documents: &'d [Document]) -> Self {
        let mut set = Self {
            documents,
            units: Vec::new(),
            scripts: Vec::new(),
            commands: Vec::new(),
            actions: Vec::new(),
            pipelines: Vec::new(),
            passages: Vec::new(),
            promises: Vec::new(),
            buckets: Vec::new(),
            headings: Vec::new(),
            environment: Environment::default(),
            settings: HashMap::new(),
            schedules: Vec::new(),
        };
        for (index, document) in documents.iter().enumerate() {
            set.document(index, document);
        }
        for index in 0..set.units.len() {
            let first = set.scripts.len();
            set.read(index);
            let scripts = first..set.scripts.len();
            if let Some(unit) = set.units.get_mut(index) {
                unit.scripts = scripts;
            }
        }
        let callees = join::callees(&set);
        for (command, callee) in set.commands.iter_mut().zip(callees) {
            command.callee = callee;
        }
        join::timers(&mut set);
        set.settings = environment::settings(&set.units);
        set.pipelines = join::pipelines(&set);
        let reaches = join::reaches(&set);
        for (schedule, reach) in set.schedules.iter_mut().zip(reaches) {
            schedule.reach = reach;
        }
        set.buckets = buckets::of(&set);
        set
    }

    fn document(&mut self, index: usize, document: &'d Document) {
        self.units.push(Unit {
            document: index,
            kind: document.kind,
            source: Source::whole(&document.text),
            span: Span::new(0, document.text.len()),
            path: Some(document.path.clone()),
            embedded: false,
            scripts: 0..0,
            tree: None,
            systemd: None,
            config: None,
        });
        self.headings.push(Vec::new());
        if document.kind == Kind::Markdown {
            let markdown = markdown::parse(&document.text);
            self.units.extend(embedded::units(index, document, &markdown));
            let passages = prose::passages(index, &document.text, &markdown);
            self.promises.extend(prose::promises(&passages, self.passages.len(), &document.text));
            self.passages.extend(passages);
            if let Some(headings) = self.headings.last_mut() {
                *headings = markdown.headings;
            }
        }
    }

    /// Reads one unit: the scripts in it, and what else it holds.
    fn read(&mut self, index: usize) {
        let Some(unit) = self.units.get(index) else { return };
        let (document, source, kind) = (unit.document, unit.source.clone(), unit.kind);
        let mut reader = Reader { unit: index, document, source: &source, set: self };
        match kind {
            Kind::Shell => reader.script(Host::File, None, Vec::new(), &source),
            Kind::Crontab => reader.crontab(),
            Kind::Systemd => reader.systemd(),
            Kind::Backstop => reader.config(),
            Kind::TypeScript | Kind::Drizzle => {
                for script in process::scripts(source.text()) {
                    reader.script(Host::Process, None, Vec::new(), &script.within(&source));
                }
            }
            Kind::Workflow
            | Kind::Action
            | Kind::Compose
            | Kind::Kubernetes
            | Kind::Lifecycle
            | Kind::BucketPolicy => {
                reader.tree(kind);
            }
            _ => {}
        }
    }
}

/// Ranges in [`Set::environment`].
type Env = Vec<Range<usize>>;

struct Reader<'r, 'd> {
    unit: usize,
    document: usize,
    /// The unit's text.
    source: &'r Source<'d>,
    set: &'r mut Set<'d>,
}

impl Reader<'_, '_> {
    fn place(&self, span: Span) -> Place {
        Place { document: self.document, span: self.source.span(span.start, span.end) }
    }

    /// `source` maps into the document.
    fn script(&mut self, host: Host, flags: Option<Flags>, env: Env, source: &Source<'_>) {
        let environment = &self.set.environment;
        let start = Start { unit: self.unit, document: self.document, host, flags, env, environment, source };
        let (scripts, commands) = (self.set.scripts.len(), self.set.commands.len());
        let (script, found) = script::read(start, self.set.documents, scripts, commands);
        self.set.scripts.push(script);
        self.set.commands.extend(found);
    }

    fn crontab(&mut self) {
        let path = self.set.units.get(self.unit).and_then(|unit| unit.path.clone()).unwrap_or_default();
        let form = if format!("/{path}").ends_with("/etc/crontab") || path.contains("cron.d/") {
            Form::System
        } else {
            Form::Guess
        };
        let crontab = crontab::parse_in(self.source, form);
        let all = self.environment(
            crontab.variables.iter().map(|variable| (variable.name.as_str(), Some(variable.value.as_str()))),
        );
        for (index, entry) in crontab.entries.iter().enumerate() {
            let before = crontab.variables.partition_point(|variable| variable.span.start < entry.span.start);
            let env = all.start..all.start + before;
            let zone = ["CRON_TZ", "TZ"].into_iter().find_map(|name| {
                self.set.environment.values(std::slice::from_ref(&env), name).next_back().flatten()
            });
            let clock = clock(zone);
            let first = self.set.scripts.len();
            self.script(Host::Cron(index), None, vec![env], &entry.command);
            self.set.schedules.push(Schedule {
                at: Place { document: self.document, span: entry.time_span },
                unit: self.unit,
                text: entry.time.clone(),
                cron: of_nickname(&entry.time),
                clock,
                scripts: first..self.set.scripts.len(),
                reach: Rc::default(),
            });
        }
    }

    /// `ExecStart=` and its like; `OnCalendar=` of a timer.
    fn systemd(&mut self) {
        let unit = systemd::parse_in(self.source);
        let variables = unit.environment();
        let env =
            self.environment(variables.iter().map(|(name, value, _)| (name.as_str(), Some(value.as_str()))));
        for name in ["ExecStartPre", "ExecStart", "ExecStartPost"] {
            for setting in unit.all("Service", name) {
                self.script(Host::Exec, None, vec![env.clone()], &setting.command());
            }
        }
        for setting in unit.all("Timer", "OnCalendar") {
            let text = setting.value.text().trim().to_owned();
            let Some(calendar) = systemd::calendar(&text) else { continue };
            self.set.schedules.push(Schedule {
                at: Place { document: self.document, span: setting.value_span },
                unit: self.unit,
                text,
                cron: calendar.schedule,
                clock: clock(calendar.zone.as_deref()),
                scripts: 0..0,
                reach: Rc::default(),
            });
        }
        if let Some(own) = self.set.units.get_mut(self.unit) {
            own.systemd = Some(unit);
        }
    }

    fn config(&mut self) {
        let Some(unit) = self.set.units.get_mut(self.unit) else { return };
        let path = unit.path.as_deref().unwrap_or("backstop.yml");
        unit.config = Some(config::parse(path, self.source.text()));
    }

    fn services(&mut self, tree: &Node) {
        for service in compose::view(tree).unwrap_or_default() {
            let Some(script) = service.script(self.source.text()) else { continue };
            let env = self.environment(service.environment.iter().map(|it| (it.name, it.value)));
            self.script(Host::Container, None, vec![env], &script.within(self.source));
        }
    }

    /// Containers of a CronJob, and when it runs.
    fn containers(&mut self, tree: &Node) {
        const PODS: [&[&str]; 3] =
            [&["spec", "jobTemplate", "spec", "template", "spec"], &["spec", "template", "spec"], &["spec"]];
        let first = self.set.scripts.len();
        let containers = PODS.into_iter().find_map(|path| tree.path(path)?.get("containers"));
        for container in containers.map(Node::items).unwrap_or_default() {
            let keys = ["command", "args"].into_iter().filter_map(|key| container.get(key));
            let words: Vec<&Node> = keys.flat_map(Node::one_or_many).collect();
            let is_option =
                |word: &&Node| word.text().is_some_and(|text| text.starts_with('-') && text.ends_with('c'));
            let script = words.iter().position(is_option).and_then(|at| words.get(at + 1));
            let source = match script {
                Some(script) => script.source(self.source.text()).into_owned(),
                None => joined(&words, self.source.text()),
            };
            let variables = container.get("env").map(Node::items).unwrap_or_default();
            let env = self.environment(variables.iter().filter_map(|variable| {
                Some((variable.get("name")?.text()?, variable.get("value").and_then(Node::text)))
            }));
            self.script(Host::Container, None, vec![env], &source.within(self.source));
        }
        if let Some(schedule) = tree.path(&["spec", "schedule"]) {
            let text = schedule.text().unwrap_or_default().to_owned();
            // Without one it is the controller's zone: UTC on every managed service.
            let zone = tree.path(&["spec", "timeZone"]).and_then(Node::text).unwrap_or("UTC");
            self.set.schedules.push(Schedule {
                at: self.place(schedule.span),
                unit: self.unit,
                cron: of_nickname(&text),
                text,
                clock: clock(Some(zone)),
                scripts: first..self.set.scripts.len(),
                reach: Rc::default(),
            });
        }
    }

    fn tree(&mut self, kind: Kind) {
        let Some(tree) = yaml::parse(self.source.text()).ok().and_then(|trees| trees.into_iter().next())
        else {
            return;
        };
        match kind {
            Kind::Workflow => self.workflow(&tree),
            Kind::Action => {
                for (index, step) in workflow::composite_steps(&tree).iter().enumerate() {
                    let flags = Flags::github(step.shell.and_then(Node::text));
                    let env = self.environment(variables(&step.environment));
                    self.step((0, index), step, Some(flags), vec![env]);
                }
            }
            Kind::Compose => self.services(&tree),
            Kind::Kubernetes => self.containers(&tree),
            _ => {}
        }
        if let Some(unit) = self.set.units.get_mut(self.unit) {
            unit.tree = Some(tree);
        }
    }

    fn workflow(&mut self, tree: &Node) {
        let Some(workflow) = workflow::view(tree) else { return };
        let first = self.set.scripts.len();
        let of_workflow = self.environment(variables(&workflow.environment));
        for (job_index, job) in workflow.jobs().enumerate() {
            if let Some(uses) = &job.uses {
                self.uses(job_index, None, uses.node, job.with);
            }
            let of_job = self.environment(variables(&job.environment));
            let of_steps: Env =
                job.steps().map(|step| self.environment(variables(&step.environment))).collect();
            // What a step writes to GITHUB_ENV, the later ones are started with.
            let first = self.set.environment.end();
            for (step_index, (step, of_step)) in job.steps().zip(of_steps).enumerate() {
                let handed = first..self.set.environment.end();
                let env = vec![handed, of_workflow.clone(), of_job.clone(), of_step];
                let commands = self.set.commands.len();
                self.step((job_index, step_index), &step, workflow.flags_of(&job, &step), env);
                self.export(commands);
            }
        }
        let scripts = first..self.set.scripts.len();
        for cron in &workflow.crons {
            self.set.schedules.push(Schedule {
                at: self.place(cron.span),
                unit: self.unit,
                text: cron.text().unwrap_or_default().to_owned(),
                cron: cron.text().and_then(of_nickname),
                clock: Clock::Utc,
                scripts: scripts.clone(),
                reach: Rc::default(),
            });
        }
    }

    /// `flags`: none where no shell that we know runs it.
    fn step(&mut self, (job, index): (usize, usize), step: &Step<'_>, flags: Option<Flags>, env: Env) {
        if let Some(uses) = &step.uses {
            self.uses(job, Some(index), uses.node, step.with);
        }
        if let (Some(run), Some(flags)) = (step.run, flags) {
            let source = run.source(self.source.text()).into_owned().within(self.source);
            self.script(Host::Step { job, step: index }, Some(flags), env, &source);
            if let Some(script) = self.set.scripts.last_mut() {
                script.name = step.name.or(step.id).and_then(Node::text).map(str::to_owned);
            }
        }
    }

    fn uses(&mut self, job: usize, step: Option<usize>, node: &Node, with: &[yaml::Entry]) {
        let arg = |node: &Node| Arg::plain(self.place(node.span), node.text().unwrap_or_default().trim());
        let inputs =
            with.iter().filter_map(|entry| Some((entry.key.text()?.to_owned(), arg(&entry.value)))).collect();
        let used = action::classify(self.unit, job, step, arg(node), inputs);
        self.set.actions.push(used);
    }

    /// `echo "NAME=value" >> "$GITHUB_ENV"` in the commands from `first` on.
    fn export(&mut self, first: usize) {
        let Set { commands, environment, .. } = &mut *self.set;
        let writes = commands.get(first..).unwrap_or_default().iter().filter(|command| {
            command.role == Role::Print
                && command.output(1).is_some_and(|file| file.text.contains("GITHUB_ENV"))
        });
        for arg in writes.flat_map(|command| &command.args) {
            let Some((name, value)) = arg.text.split_once('=') else { continue };
            let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !name.is_empty() && is_name(name) {
                environment.push(name, Some(value));
            }
        }
    }

    /// Where these variables lie from now on.
    fn environment<'v>(
        &mut self,
        variables: impl Iterator<Item = (&'v str, Option<&'v str>)>,
    ) -> Range<usize> {
        let first = self.set.environment.end();
        variables.for_each(|(name, value)| self.set.environment.push(name, value));
        first..self.set.environment.end()
    }
}

fn clock(zone: Option<&str>) -> Clock {
    match zone {
        None => Clock::Host,
        Some("UTC" | "Etc/UTC" | "GMT") => Clock::Utc,
        Some(zone) => Clock::Zone(zone.to_owned()),
    }
}

/// Words of a list as one line.
fn joined(words: &[&Node], document: &str) -> Source<'static> {
    let mut builder = Builder::default();
    for word in words {
        builder.push_source(&word.source(document));
        builder.push(" ", word.span.end);
    }
    builder.finish()
}

fn variables<'v>(variables: &[Variable<'v>]) -> impl Iterator<Item = (&'v str, Option<&'v str>)> {
    variables.iter().map(|variable| (variable.name, variable.value()))
}
