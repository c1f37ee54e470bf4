//! Where a script chooses: each `if` with its branches, as spans of the document.

use crate::finding::Span;
use crate::parse::shell::{self, Kind, List};

use super::Set;
use super::command::Command;
use super::script::Script;

/// One `if`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub span: Span,
    /// `then`, each `elif`, and `else`, which has no condition.
    pub branches: Vec<Branch>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Branch {
    pub condition: Option<Span>,
    pub body: Span,
}

impl Choice {
    /// None where the command is no `if`.
    pub(super) fn of(command: &shell::Command) -> Option<Self> {
        let Kind::If { arms, otherwise } = &command.kind else { return None };
        let arms =
            arms.iter().map(|arm| Branch { condition: Some(whole(&arm.condition)), body: arm.body.span });
        let otherwise = otherwise.iter().map(|body| Branch { condition: None, body: body.span });
        Some(Self { span: command.span, branches: arms.chain(otherwise).collect() })
    }
}

fn whole(list: &List) -> Span {
    let start = list.first().map_or(0, |statement| statement.span.start);
    Span::new(start, list.last().map_or(start, |statement| statement.span.end))
}

impl Set<'_> {
    /// The commands of a script that begin in a span of its document, in order.
    pub fn commands_in(&self, script: &Script, span: Span) -> &[Command] {
        let commands = self.commands.get(script.commands.clone()).unwrap_or_default();
        let first = commands.partition_point(|command| command.at.span.start < span.start);
        let end = commands.partition_point(|command| command.at.span.start < span.end);
        commands.get(first..end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;

    #[test]
    fn an_if_is_its_branches_with_their_commands() {
        let documents = [Document::new(
            "a.sh",
            "if [ -n \"$A\" ]; then\n  one\nelif two; then three\nelse\n  four\nfi\n",
        )];
        let set = Set::of(&documents);
        let script = &set.scripts[0];
        let choices = &script.choices;
        assert_eq!(choices.len(), 1);
        let names = |span: Span| -> Vec<&str> {
            set.commands_in(script, span).iter().map(|command| command.name.as_str()).collect()
        };
        let told: Vec<_> = choices[0]
            .branches
            .iter()
            .map(|branch| (branch.condition.map(names).unwrap_or_default(), names(branch.body)))
            .collect();
        assert_eq!(told, [(vec!["["], vec!["one"]), (vec!["two"], vec!["three"]), (vec![], vec!["four"])]);
    }
}
