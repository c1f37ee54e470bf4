//! What a path in `with:` may be: `${{ env.NAME }}` and `${{ steps.id.outputs.name }}`
//! put in, as far as the workflow writes them down.

use crate::model::{ActionUse, Host, Role, Set};
use crate::parse::expression::embedded;
use crate::parse::workflow::Workflow;
use crate::parse::yaml::Node;

/// The texts that a path may stand for: itself, and with what is known put in.
pub fn candidates(
    set: &Set<'_>,
    unit: usize,
    workflow: &Workflow<'_>,
    action: &ActionUse,
    path: &str,
) -> Vec<String> {
    let found = embedded(path);
    let known = found.iter().find_map(|(at, inner)| {
        let values = values(set, unit, workflow, action, inner.trim());
        (!values.is_empty()).then_some((*at, *inner, values))
    });
    let Some((at, inner, values)) = known else { return vec![path.to_owned()] };
    let before = path.get(..at - 3).unwrap_or_default();
    let after = path.get(at + inner.len() + 2..).unwrap_or_default();
    // A script may have named the file by the same expression.
    let put_in = values.into_iter().map(|value| format!("{before}{value}{after}"));
    std::iter::once(path.to_owned()).chain(put_in).collect()
}

fn values(
    set: &Set<'_>,
    unit: usize,
    workflow: &Workflow<'_>,
    action: &ActionUse,
    expression: &str,
) -> Vec<String> {
    let Some(job) = workflow.job_by_index(action.job) else { return Vec::new() };
    let parts: Vec<&str> = expression.split('.').collect();
    match parts.as_slice() {
        ["env", name] => {
            let step = action.step.and_then(|step| job.step_by_index(step));
            let written = step
                .map(|step| workflow.environment_of(&job, &step))
                .unwrap_or_default()
                .into_iter()
                .rfind(|variable| variable.name == *name)
                .and_then(|variable| variable.value().map(str::to_owned));
            written.into_iter().chain(printed(set, unit, action.job, None, "GITHUB_ENV", name)).collect()
        }
        ["steps", id, "outputs", name] => {
            let step = job.steps().position(|step| step.id.and_then(Node::text).is_some_and(|it| it == *id));
            step.map(|step| printed(set, unit, action.job, Some(step), "GITHUB_OUTPUT", name))
                .unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

/// `echo "name=value" >> "$GITHUB_OUTPUT"` in a step, or in all of a job.
fn printed(
    set: &Set<'_>,
    unit: usize,
    job: usize,
    step: Option<usize>,
    file: &str,
    name: &str,
) -> Vec<String> {
    let scripts = set.units.get(unit).map_or(0..0, |unit| unit.scripts.clone());
    let scripts = set.scripts.get(scripts).unwrap_or_default().iter().filter(|script| match script.host {
        Host::Step { job: of, step: at } => of == job && step.is_none_or(|step| step == at),
        _ => false,
    });
    let commands = scripts.flat_map(|script| set.commands_in(script, script.at.span));
    let writes = commands.filter(|command| {
        command.role == Role::Print
            && command.redirects.iter().filter_map(|it| it.target.as_ref()).any(|it| it.raw.contains(file))
    });
    let value =
        |text: &str| text.split_once('=').filter(|(key, _)| *key == name).map(|(_, it)| it.to_owned());
    writes.flat_map(|command| command.args.iter().filter_map(|arg| value(&arg.text))).collect()
}
