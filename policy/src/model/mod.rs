//! What a set of documents does, in one model whatever they are written in: which
//! commands run, where, under which options, and what each is for.
//!
//! Rules ask the [`Set`]: [`Set::commands`] for one command after another,
//! [`Set::pipelines`] for what belongs together, [`Set::units`] for a language's
//! own tree.

mod action;
mod amount;
mod buckets;
mod called;
mod command;
mod embedded;
mod flow;
mod join;
pub mod lifecycle;
mod location;
mod options;
mod pipe;
mod pipeline;
mod prose;
mod role;
mod script;
mod unit;

use crate::document::{Document, Kind};
use crate::finding::{Place, Span};
use crate::parse::markdown;
use crate::parse::source::Source;

pub use action::{ActionRole, ActionUse};
pub use amount::{Amount, Tier, amounts};
pub use called::Called;
pub use command::{Arg, Command, Fate, Pipe, Redirect, Setting, Wrapper};
pub use flow::{Artifact, Flow, Wrap, glob, written};
pub use location::{Location, Scheme};
pub use options::{Options, Spec, Value};
pub use pipeline::Pipeline;
pub use prose::{Column, Passage, Promise, Subject};
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
    /// What the documents say to people, line by line.
    pub passages: Vec<Passage>,
    /// What they say will hold.
    pub promises: Vec<Promise>,
    pub lifecycles: Vec<BucketRules>,
}

/// The lifecycle rules of one bucket.
#[derive(Debug)]
pub struct BucketRules {
    /// Index into [`Set::units`].
    pub unit: usize,
    pub document: usize,
    /// The bucket, where the documents tell which.
    pub bucket: Option<String>,
    pub lifecycle: lifecycle::Lifecycle,
}

impl BucketRules {
    pub fn place(&self, span: Span) -> Place {
        Place { document: self.document, span }
    }
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
            passages: Vec::new(),
            promises: Vec::new(),
            lifecycles: Vec::new(),
        };
        for (index, document) in documents.iter().enumerate() {
            set.document(index, document);
        }
        for unit in 0..set.units.len() {
            let first = set.scripts.len();
            set.read(unit);
            let scripts = first..set.scripts.len();
            if let Some(unit) = set.units.get_mut(unit) {
                unit.scripts = scripts;
            }
        }
        set.pipelines = join::pipelines(&set);
        buckets::name(&mut set);
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
        if document.kind == Kind::Markdown {
            let markdown = markdown::parse(&document.text);
            self.units.extend(embedded::units(index, document, &markdown));
            let passages = prose::passages(index, &document.text, &markdown);
            self.promises.extend(prose::promises(&passages, self.passages.len(), &document.text));
            self.passages.extend(passages);
        }
    }

    /// Reads one unit: the scripts in it, and what else it holds.
    fn read(&mut self, index: usize) {
        let Some(unit) = self.units.get(index) else { return };
        let document = unit.document;
        let source = unit.source.clone();
        match unit.kind {
            Kind::Shell => {
                let host = Host::File;
                let start = script::Start {
                    unit: index,
                    document,
                    host,
                    flags: None,
                    env: Vec::new(),
                    source: &source,
                };
                self.script(start);
            }
            Kind::Lifecycle => {
                if let Some(lifecycle) = lifecycle::Lifecycle::parse_in(&source) {
                    self.lifecycles.push(BucketRules { unit: index, document, bucket: None, lifecycle });
                }
            }
            _ => {}
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
