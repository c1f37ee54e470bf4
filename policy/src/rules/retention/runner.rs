//! Which commands of a pipeline run on a machine that GitHub makes for one job, and
//! into which no old files come.

use crate::document::Kind;
use crate::finding::Place;
use crate::model::{Command, Host, Pipeline, Role, Set};
use crate::parse::workflow::Job;
use crate::parse::yaml::Node;

/// One pipeline's workflows, each by where it stands: whether each job is hosted.
pub struct Runner {
    workflows: Vec<(Place, Vec<bool>)>,
    /// The pipeline is a workflow, and calls its scripts; a document only shows them.
    calls: bool,
    /// Where files with dates of their own come in first.
    dates: Option<Place>,
}

impl Runner {
    pub fn of(set: &Set<'_>, pipeline: &Pipeline) -> Self {
        let workflows = set.units_of(pipeline.root).filter_map(|(_, unit)| {
            let workflow = unit.workflow()?;
            Some((unit.at(), workflow.jobs().map(|job| is_hosted(&job)).collect()))
        });
        // Synchronized files, caches and archives keep their dates.
        let brings = |command: &Command| {
            matches!(command.role, Role::Download(_))
                || matches!(command.name.as_str(), "touch" | "mount" | "sshfs" | "rclone" | "tar")
        };
        let dates = pipeline.commands(set).map(|(_, command)| command).find(|command| brings(command));
        let root = set.units.get(pipeline.root);
        Self {
            workflows: workflows.collect(),
            calls: root.is_some_and(|unit| unit.kind == Kind::Workflow),
            dates: dates.map(|command| command.at),
        }
    }

    /// Whether every file that a command sees there was made by the same job.
    pub fn is_fresh(&self, set: &Set<'_>, command: &Command) -> bool {
        if self.workflows.is_empty()
            || command.nesting.inline.is_some()
            || !command.wrappers.is_empty()
            || self.dates.is_some_and(|at| at < command.at)
        {
            return false;
        }
        let own = self.workflows.iter().find(|(at, _)| {
            at.document == command.at.document
                && at.span.start <= command.at.span.start
                && command.at.span.end <= at.span.end
        });
        match (own, set.script_of(command).map(|script| &script.host)) {
            (Some((_, jobs)), Some(Host::Step { job, .. })) => jobs.get(*job).copied().unwrap_or_default(),
            // A script that the workflow calls, in whichever job.
            (None, _) => {
                self.calls && self.workflows.iter().all(|(_, jobs)| jobs.iter().all(|hosted| *hosted))
            }
            (Some(_), _) => false,
        }
    }
}

fn is_hosted(job: &Job<'_>) -> bool {
    let labels: Vec<&str> =
        job.runs_on.into_iter().flat_map(Node::one_or_many).filter_map(Node::text).collect();
    !labels.is_empty()
        && labels.iter().all(|label| ["ubuntu-", "macos-", "windows-"].iter().any(|os| label.starts_with(os)))
}
