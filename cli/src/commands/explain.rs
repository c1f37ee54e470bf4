//! `backstop explain RULE`: what a rule finds, why that matters, what to write
//! instead. Without a rule, the list of all.

use anyhow::bail;
use backstop_policy::rule::{Group, Rule};
use backstop_policy::rules;
use serde_json::{Value, json};

use super::Context;
use crate::error::ExitStatus;

/// Explain a rule of `lint`, or list every rule
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Id of a rule, such as `pipefail-missing`, or name of a group [default: list every rule]
    #[arg(value_name = "RULE")]
    rule: Option<String>,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitStatus> {
    match &args.rule {
        Some(id) => match rules::find(id) {
            Some(rule) => {
                context.ui.json(&whole(rule))?;
                context.ui.say(format!(
                    "# {} ({}, group {})\n\n{}",
                    rule.id,
                    rule.severity.as_str(),
                    rule.group.as_str(),
                    rule.docs().markdown()
                ));
            }
            None => match Group::ALL.into_iter().find(|group| group.as_str() == id) {
                Some(group) => list(context, &[group])?,
                None => {
                    let meant = rules::similar(id).map(|name| format!("; did you mean `{name}`?"));
                    bail!("no rule and no group is called '{id}'{}", meant.unwrap_or_default());
                }
            },
        },
        None => list(context, &Group::ALL)?,
    }
    Ok(ExitStatus::Clean)
}

fn list(context: &Context, groups: &[Group]) -> anyhow::Result<()> {
    let in_groups = |rule: &&Rule| groups.contains(&rule.group);
    context.ui.json(&rules::all().filter(in_groups).map(whole).collect::<Vec<_>>())?;
    let width = rules::all().map(|rule| rule.id.len()).max().unwrap_or_default();
    for group in groups {
        let mut of_group = rules::all().filter(|rule| rule.group == *group).peekable();
        if of_group.peek().is_none() {
            continue;
        }
        context.ui.say(format!("{}:", group.as_str()));
        for rule in of_group {
            let (id, severity) = (rule.id, rule.severity.as_str());
            context.ui.say(format!("  {id:width$}  {severity:7}  {}", rule.docs().summary));
        }
    }
    Ok(())
}

fn whole(rule: &'static Rule) -> Value {
    let docs = rule.docs();
    let sections: serde_json::Map<String, Value> =
        docs.sections.iter().map(|(heading, body)| (heading.to_lowercase(), json!(body))).collect();
    json!({
        "id": rule.id,
        "group": rule.group,
        "severity": rule.severity,
        "summary": docs.summary,
        "sections": sections,
        "url": rule.url(),
    })
}
