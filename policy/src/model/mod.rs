//! What a set of documents does, in one model whatever they are written in: which
//! commands run, where, under which options, and what each is for.
//!
//! Rules ask the [`Set`]: [`Set::commands`] for one command after another,
//! [`Set::pipelines`] for what belongs together, [`Set::units`] for a language's
//! own tree.

mod action;
mod amount;
mod called;
mod command;
mod flow;
mod join;
pub mod lifecycle;
mod location;
mod options;
mod pipe;
mod pipeline;
mod role;
mod script;
mod unit;

use crate::document::{Document, Kind};
use crate::finding::{Place, Span};
use crate::parse::source::Source;

pub use action::{ActionRole, ActionUse};
pub use amount::{Amount, Tier, amounts};
pub use called::Called;
pub use command::{Arg, Command, Fate, Pipe, Redirect, Setting, Wrapper};
pub use flow::{Artifact, Flow, Wrap, glob, written};
pub use location::{Location, Scheme};
pub use options::{Options, Spec, Value};
pub use pipeline::Pipeline;
pub use role::{
    Cipher, CipherTool, Contents, Delete, DeleteTool, Dump, DumpTool, Format, KeyFrom, Layer, Means, Notify,
    Probe, ProbeKind, Restore, RestoreTool, Role, Said, Target, Transfer, TransferTool, Transform,
};
pub use script::{Host, Script};
pub use unit::Unit;

/// Everything that is known about some documents.
#[derive(Debug)]
pub struct Set<'d> {
    pub documents: &'d [Document],
    /// Whole documents and blocks inside of them.
    pub units: Vec<Unit<'d>>,
    pub scripts: Vec<Script>,
    /// Of all scripts, each script's in the order of its text.
    pub commands: Vec<Command>,
    /// Every `uses:`, in the order of the documents.
    pub actions: Vec<ActionUse>,
    pub pipelines: Vec<Pipeline>,
}

impl<'d> Set<'d> {
    pub fn of(documents: &'d [Document]) -> Self {
        let mut set = Self {
            documents,
            units: Vec::new(),
            scripts: Vec::new(),
            commands: Vec::new(),
            actions: Vec::new(),
            pipelines: Vec::new(),
        };
        for (index, document) in documents.iter().enumerate() {
            set.document(index, document);
        }
        for unit in 0..set.units.len() {
            let first = set.scripts.len();
            set.scripts_of(unit);
            let scripts = first..set.scripts.len();
            if let Some(unit) = set.units.get_mut(unit) {
                unit.scripts = scripts;
            }
        }
        set.pipelines = join::pipelines(&set);
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
        });
    }

    fn scripts_of(&mut self, unit: usize) {
        let Some(of) = self.units.get(unit) else { return };
        if of.kind == Kind::Shell {
            let source = of.source.clone();
            let document = of.document;
            self.script(script::Start {
                unit,
                document,
                host: Host::File,
                flags: None,
                env: Vec::new(),
                source: &source,
            });
        }
    }

    fn script(&mut self, start: script::Start<'_>) {
        let (script, commands) = script::read(start, self.documents, self.scripts.len(), self.commands.len());
        self.scripts.push(script);
        self.commands.extend(commands);
    }

    /// The actions that one workflow uses.
    pub fn actions_of(&self, unit: usize) -> impl Iterator<Item = &ActionUse> {
        self.actions.iter().filter(move |action| action.unit == unit)
    }

    pub fn script_of(&self, command: &Command) -> Option<&Script> {
        self.scripts.get(command.script)
    }

    /// The text at a place.
    pub fn text(&self, place: Place) -> &str {
        let text = self.documents.get(place.document).map_or("", |document| document.text.as_str());
        text.get(place.span.start..place.span.end).unwrap_or_default()
    }
}
