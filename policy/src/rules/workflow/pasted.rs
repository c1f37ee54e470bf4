//! `${{ … }}` in scripts: workflows in; out comes each expression whose value GitHub
//! pastes into the text of a script before a shell reads it, with its place, and the
//! edits that make a variable of it. Comments are none: nothing in them runs.

use super::declare::declare;
use crate::finding::{Edit, Fix, Place, Safety, Span};
use crate::model::{Host, Set, Unit};
use crate::parse::shell::{self, Heredoc, Part, PartKind, Quote, Visitor, Word};
use crate::parse::workflow::{Step, Workflow};

/// One expression, and where it stands.
pub struct Pasted<'a> {
    set: &'a Set<'a>,
    unit: &'a Unit<'a>,
    step: &'a Step<'a>,
    pub workflow: &'a Workflow<'a>,
    pub expression: &'a str,
    span: Span,
    quote: Quote,
    /// Where a variable would not be expanded.
    is_fixed: bool,
}

/// Calls `visit` with every expression in a script of a workflow.
pub fn each(set: &Set<'_>, visit: &mut dyn FnMut(&Pasted<'_>)) {
    for (_, unit, workflow) in set.workflows() {
        for script in set.scripts.get(unit.scripts.clone()).unwrap_or_default() {
            let Host::Step { job, step } = script.host else { continue };
            let Some(step) = workflow.job_by_index(job).and_then(|job| job.step_by_index(step)) else {
                continue;
            };
            let mut uses = Uses::default();
            shell::walk(&script.tree, &mut uses);
            for found in &uses.found {
                visit(&Pasted {
                    set,
                    unit,
                    step: &step,
                    workflow: &workflow,
                    expression: &found.expression,
                    span: found.span,
                    quote: found.quote,
                    is_fixed: found.is_fixed,
                });
            }
        }
    }
}

/// In words that run.
#[derive(Default)]
struct Uses {
    found: Vec<Use>,
    /// Here-documents in which the shell expands nothing.
    quoted: Vec<Span>,
}

struct Use {
    span: Span,
    expression: String,
    quote: Quote,
    is_fixed: bool,
}

impl<'s> Visitor<'s> for Uses {
    fn word(&mut self, word: &'s Word) {
        for Part { span, quote, kind } in &word.parts {
            if let PartKind::Github(expression) = kind {
                let inside =
                    self.quoted.iter().any(|heredoc| heredoc.start <= span.start && span.end <= heredoc.end);
                let is_fixed = inside || matches!(quote, Quote::Single | Quote::Dollar | Quote::Escape);
                self.found.push(Use { span: *span, expression: expression.clone(), quote: *quote, is_fixed });
            }
        }
    }

    fn heredoc(&mut self, heredoc: &'s Heredoc) {
        if heredoc.quoted {
            self.quoted.push(heredoc.span);
        }
    }
}

impl Pasted<'_> {
    pub fn place(&self) -> Place {
        Place { document: self.unit.document, span: self.span }
    }

    /// The step gets a variable `name`, and the script names it. Only where the
    /// expression is the `reference` alone.
    pub fn fix(&self, reference: &str, name: &str) -> Option<Fix> {
        if self.is_fixed || !self.expression.trim().eq_ignore_ascii_case(reference) {
            return None;
        }
        let wanted = format!("${{{{{}}}}}", self.expression.replace(' ', ""));
        let (own, shared) = (&self.step.environment, &self.workflow.environment);
        let known = own
            .iter()
            .chain(shared)
            .find(|variable| variable.value().unwrap_or_default().replace(' ', "") == wanted);
        let mut edits = Vec::new();
        let variable = match known {
            Some(variable) => variable.name,
            None if own.iter().any(|variable| variable.name == name) => return None,
            None => {
                edits.push(declare(self.set, self.unit, self.step, name, self.expression)?);
                name
            }
        };
        let is_quoted = self.quote == Quote::Double;
        let text = &self.set.documents.get(self.unit.document)?.text;
        let next = text.get(self.span.end..)?.chars().next();
        let reference = if next.is_some_and(|next| next.is_ascii_alphanumeric() || next == '_') {
            format!("${{{variable}}}")
        } else {
            format!("${variable}")
        };
        edits.push(Edit::replace(self.span, if is_quoted { reference } else { format!("\"{reference}\"") }));
        // Without quotes its value was split into words, and perhaps had to be.
        let safety = if is_quoted { Safety::Safe } else { Safety::Unsafe };
        Some(Fix { title: format!("give the step the variable {variable}"), safety, edits })
    }
}
