//! Whether a job or step can run when an event starts the workflow, as far as its
//! conditions can be evaluated. A workflow and an event in, yes, no or perhaps out.

use crate::parse::expression::{Value, condition};
use crate::parse::workflow::{Job, Step, Workflow};
use crate::parse::yaml::Node;

/// Jobs that need jobs that need jobs.
const DEPTH: usize = 16;

/// What starts a workflow.
#[derive(Debug, Clone, Copy)]
pub struct Event<'e> {
    /// `schedule`
    pub name: &'e str,
    /// Of a schedule: its cron, as written.
    pub cron: Option<&'e str>,
}

impl Event<'_> {
    fn known(&self, context: &str) -> Option<Value> {
        match context {
            "github.event_name" => Some(Value::Text(self.name.to_owned())),
            "github.event.schedule" => {
                Some(self.cron.map_or(Value::Null, |cron| Value::Text(cron.to_owned())))
            }
            _ if self.name != "workflow_dispatch"
                && (context.starts_with("inputs.") || context.starts_with("github.event.inputs.")) =>
            {
                Some(Value::Null)
            }
            _ => None,
        }
    }

    /// Whether a condition may hold.
    pub fn allows(&self, node: Option<&Node>) -> bool {
        let Some(text) = node.and_then(Node::text) else { return true };
        condition(text).evaluate(&|context| self.known(context)).is_none_or(|value| value.is_true())
    }

    pub fn may_run_step(&self, workflow: &Workflow<'_>, job: &Job<'_>, step: &Step<'_>) -> bool {
        self.may_run(workflow, job) && self.allows(step.condition)
    }

    /// Whether a job may run: its own condition, and the jobs that it needs.
    pub fn may_run(&self, workflow: &Workflow<'_>, job: &Job<'_>) -> bool {
        self.allows(job.condition) && self.skipped_need(workflow, job).is_none()
    }

    /// A job that this one needs and that surely does not run, unless it does not mind.
    pub fn skipped_need<'n>(&self, workflow: &Workflow<'n>, job: &Job<'n>) -> Option<&'n Node> {
        self.skipped(workflow, job, 0)
    }

    fn skipped<'n>(&self, workflow: &Workflow<'n>, job: &Job<'n>, depth: usize) -> Option<&'n Node> {
        let minds = job.condition.and_then(Node::text).is_none_or(|text| {
            !condition(text)
                .functions
                .iter()
                .any(|name| matches!(name.as_str(), "always" | "failure" | "cancelled"))
        });
        if !minds || depth > DEPTH {
            return None;
        }
        job.needs.iter().copied().find(|need| {
            need.text().and_then(|id| workflow.job(id)).is_some_and(|needed| {
                !self.allows(needed.condition) || self.skipped(workflow, &needed, depth + 1).is_some()
            })
        })
    }
}
