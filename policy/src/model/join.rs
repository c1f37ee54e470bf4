//! Puts pipelines together: who calls whom, and what nobody can see.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;

use crate::document::Kind;
use crate::path;

use super::Set;
use super::action::ActionRole;
use super::called::Called;
use super::flow::Flow;
use super::pipeline::Pipeline;
use super::role::{RestoreTool, Role};
use super::schedule::Reach;
use super::unit::{Unit, is_called};

/// Every pipeline of a set, in the order of its documents.
pub fn pipelines(set: &Set<'_>) -> Vec<Pipeline> {
    let mut called: HashSet<usize> = HashSet::new();
    for command in &set.commands {
        let own = set.scripts.get(command.script).map(|script| script.unit);
        called.extend(command.callee.filter(|unit| Some(*unit) != own));
    }
    let mut pipelines = Vec::new();
    for (root, unit) in set.units.iter().enumerate() {
        // A block belongs to its document; a script that is called, to its caller.
        if unit.embedded || (unit.kind == Kind::Shell && called.contains(&root)) {
            continue;
        }
        let mut walk = Walk::new(set);
        set.units_of(root).for_each(|(index, _)| walk.unit(index));
        let Walk { scripts, commands, mut unseen, .. } = walk;
        if !concerns_backups(set, root, &commands, &unseen) {
            continue;
        }
        unseen.extend(set.actions_of(root).filter_map(|action| action.unseen.clone()));
        let flow = Flow::of(&set.commands, commands.iter().copied());
        let alone = unit.kind == Kind::Shell
            && !commands.iter().filter_map(|index| set.commands.get(*index)).any(|command| {
                matches!(
                    command.role,
                    Role::Upload(_) | Role::Delete(_) | Role::Notify(_) | Role::RemoteCopy(_)
                )
            });
        pipelines.push(Pipeline { root, scripts, commands, flow, unseen, helper: alone });
    }
    pipelines
}

/// The unit that each command calls, in the order of [`Set::commands`].
pub fn callees(set: &Set<'_>) -> Vec<Option<usize>> {
    let calls = Calls::of(set);
    (0..set.commands.len()).map(|index| calls.unit_of(set, index)).collect()
}

/// What each schedule starts, in the order of [`Set::schedules`].
pub fn reaches(set: &Set<'_>) -> Vec<Rc<Reach>> {
    // A workflow with many schedules starts the same by each.
    let mut known: HashMap<Range<usize>, Rc<Reach>> = HashMap::new();
    let mut each = |schedule: &super::Schedule| {
        let reach = known.entry(schedule.scripts.clone()).or_insert_with(|| {
            let mut walk = Walk::new(set);
            schedule.scripts.clone().for_each(|script| walk.script(script));
            Rc::new(Reach { scripts: walk.scripts, unseen: walk.unseen })
        });
        Rc::clone(reach)
    };
    set.schedules.iter().map(&mut each).collect()
}

/// A timer starts the service of its own name, in the same document or folder.
pub fn timers(set: &mut Set<'_>) {
    let mut services: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, unit) in set.units.iter().enumerate() {
        let name = unit.path.as_deref().map(path::name);
        if let Some(stem) = name.and_then(|name| name.strip_suffix(".service")) {
            services.entry(stem).or_default().push(index);
        }
    }
    let mut found = Vec::new();
    for (index, schedule) in set.schedules.iter().enumerate() {
        let Some(unit) = set.units.get(schedule.unit).filter(|unit| unit.kind == Kind::Systemd) else {
            continue;
        };
        let name = unit.path.as_deref().map(path::name);
        let Some(candidates) =
            name.and_then(|name| name.strip_suffix(".timer")).and_then(|stem| services.get(stem))
        else {
            continue;
        };
        let here = |index: &&usize| set.units.get(**index).is_some_and(|it| it.document == unit.document);
        let service = candidates.iter().find(here).or_else(|| candidates.first());
        if let Some(service) = service.and_then(|service| set.units.get(*service)) {
            found.push((index, service.scripts.clone()));
        }
    }
    for (index, scripts) in found {
        if let Some(schedule) = set.schedules.get_mut(index) {
            schedule.scripts = scripts;
        }
    }
}

/// Whether anything in it dumps or restores, by what it does or by its name.
fn concerns_backups(set: &Set<'_>, root: usize, commands: &[usize], unseen: &[Called]) -> bool {
    const NAMES: [&str; 5] = ["backup", "back-up", "pg_dump", "pgdump", "restore"];
    let named = |text: &str| {
        let lower = text.to_ascii_lowercase();
        NAMES.iter().any(|name| lower.contains(name))
    };
    let does =
        commands.iter().filter_map(|index| set.commands.get(*index)).any(|command| match &command.role {
            Role::Dump(_) => true,
            Role::Restore(restore) => restore.tool != RestoreTool::Psql,
            _ => false,
        });
    let unit = set.units.get(root);
    let title = unit.and_then(|unit| unit.workflow()?.name?.text().map(named)).unwrap_or_default();
    let path = unit.and_then(|unit| unit.path.as_deref()).is_some_and(named);
    let uses = set.actions_of(root).any(|action| action.role == ActionRole::Dump);
    // A step that no shell reads (PowerShell) runs as well.
    let steps = unit.and_then(Unit::workflow).is_some_and(|it| it.jobs().any(|job| job.steps().len() > 0));
    let runs = steps || unit.is_some_and(|unit| !unit.scripts.is_empty()) || !commands.is_empty();
    does || uses || unseen.iter().any(|called| named(&called.arg().text)) || (runs && (title || path))
}

/// Scripts by the last part of their path.
struct Calls {
    by_name: HashMap<String, Vec<usize>>,
}

impl Calls {
    fn of(set: &Set<'_>) -> Self {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, unit) in set.units.iter().enumerate() {
            let Some(name) = unit.path.as_deref().map(path::name) else { continue };
            if unit.kind == Kind::Shell {
                by_name.entry(name.to_owned()).or_default().push(index);
            }
        }
        Self { by_name }
    }

    /// The unit that a command calls: in its own document first.
    fn unit_of(&self, set: &Set<'_>, command: usize) -> Option<usize> {
        let command = set.commands.get(command)?;
        let Called::Script(arg) = command.called.as_ref()? else { return None };
        let candidates = self.by_name.get(path::name(&arg.text))?;
        let fits = |index: &&usize| {
            set.units
                .get(**index)
                .and_then(|unit| unit.path.as_deref())
                .is_some_and(|path| is_called(path, &arg.text))
        };
        let here =
            |index: &&usize| set.units.get(**index).is_some_and(|unit| unit.document == command.at.document);
        candidates.iter().filter(fits).find(here).or_else(|| candidates.iter().find(fits)).copied()
    }
}

struct Walk<'s, 'd> {
    set: &'s Set<'d>,
    /// Units that were read.
    seen: HashSet<usize>,
    scripts: Vec<usize>,
    commands: Vec<usize>,
    unseen: Vec<Called>,
}

impl<'s, 'd> Walk<'s, 'd> {
    fn new(set: &'s Set<'d>) -> Self {
        Self { set, seen: HashSet::new(), scripts: Vec::new(), commands: Vec::new(), unseen: Vec::new() }
    }

    fn unit(&mut self, unit: usize) {
        if !self.seen.insert(unit) {
            return;
        }
        for index in self.set.units.get(unit).map_or(0..0, |unit| unit.scripts.clone()) {
            self.script(index);
        }
    }

    fn script(&mut self, index: usize) {
        let Some(script) = self.set.scripts.get(index) else { return };
        self.scripts.push(index);
        for command in script.commands.clone() {
            self.commands.push(command);
            self.call(command);
        }
    }

    fn call(&mut self, index: usize) {
        let Some(called) = self.set.commands.get(index).and_then(|command| command.called.as_ref()) else {
            return;
        };
        match self.set.commands.get(index).and_then(|command| command.callee) {
            Some(unit) => self.unit(unit),
            None => self.unseen.push(called.clone()),
        }
    }
}
