//! What a set of documents does, in one model whatever they are written in: which
//! commands run, where, under which options, and what each is for.
//!
//! Rules ask the [`Set`]: [`Set::commands`] for one command after another,
//! [`Set::pipelines`] for what belongs together, [`Set::units`] for a language's
//! own tree.

mod about;
mod action;
mod amount;
mod branch;
mod buckets;
mod build;
mod called;
mod command;
mod context;
mod embedded;
mod environment;
mod flow;
mod join;
mod location;
mod nearby;
mod options;
mod pipe;
mod pipeline;
mod process;
mod prose;
mod role;
mod schedule;
mod script;
mod tier;
mod unit;

use std::collections::HashMap;

use crate::document::Document;
use crate::finding::Place;
use crate::parse::lifecycle::Lifecycle;
use crate::parse::markdown::Heading;
use crate::parse::shell::Environment;
use crate::parse::workflow::Workflow;

pub use about::About;
pub use action::{ActionRole, ActionUse};
pub use amount::{Amount, Tier, amounts};
pub use branch::{Branch, Choice};
pub use called::{Called, is_env_file};
pub use command::{Arg, Command, Fate, Pipe, Redirect, Setting, Wrapper};
pub use environment::Known;
pub use flow::{Artifact, Flow, Wrap, glob, written};
pub use location::{Location, Scheme};
pub use options::{Options, Spec, Value};
pub use pipeline::Pipeline;
pub use prose::{Column, Passage, Promise, Subject};
pub use role::{
    Cipher, CipherTool, Contents, Delete, DeleteTool, Dump, DumpTool, Format, KeyFrom, Layer, Means, Notify,
    Probe, ProbeKind, Restore, RestoreTool, Role, Said, Target, Transfer, TransferTool, Transform, read_find,
};
pub use schedule::{Clock, Reach, Schedule};
pub use script::{Host, Script};
pub use tier::Tiers;
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
    /// Lifecycle rules; see [`Set::lifecycles`].
    pub buckets: Vec<Bucket>,
    /// Of each document.
    headings: Vec<Vec<Heading>>,
    /// What scripts are started with; see [`Set::given`].
    environment: Environment,
    /// What files of settings give to each variable.
    settings: HashMap<String, Vec<Known>>,
    /// When something runs by itself.
    pub schedules: Vec<Schedule>,
}

/// A unit with lifecycle rules, and the bucket that they are for.
#[derive(Debug)]
pub struct Bucket {
    /// Index into [`Set::units`].
    pub unit: usize,
    /// Where the documents tell which.
    pub name: Option<String>,
}

impl<'d> Set<'d> {
    /// Every workflow that concerns backups, with its unit and pipeline.
    pub fn workflows(&self) -> impl Iterator<Item = (&Pipeline, &Unit<'d>, Workflow<'_>)> {
        self.pipelines.iter().flat_map(|pipeline| {
            let units = self.units_of(pipeline.root);
            units.filter_map(move |(_, unit)| Some((pipeline, unit, unit.workflow()?)))
        })
    }

    /// Every set of lifecycle rules, with its unit and the name of its bucket.
    pub fn lifecycles(&self) -> impl Iterator<Item = (&Unit<'d>, Option<&str>, Lifecycle<'_>)> {
        self.buckets.iter().filter_map(|bucket| {
            let unit = self.units.get(bucket.unit)?;
            Some((unit, bucket.name.as_deref(), unit.lifecycle()?))
        })
    }

    /// A document's own unit and its blocks, which follow it, each with its index.
    pub fn units_of(&self, root: usize) -> impl Iterator<Item = (usize, &Unit<'d>)> {
        let blocks = self.units.iter().enumerate().skip(root + 1).take_while(|(_, unit)| unit.embedded);
        self.units.get(root).map(|unit| (root, unit)).into_iter().chain(blocks)
    }

    /// The last unit of a document that begins at or before a place: a document, or one
    /// of its blocks, which stand in order and apart.
    pub fn unit_at(&self, place: Place) -> Option<&Unit<'d>> {
        let begins = |unit: &Unit<'_>| (unit.document, unit.span.start) <= (place.document, place.span.start);
        let own = self.units.partition_point(begins).checked_sub(1).and_then(|last| self.units.get(last));
        own.filter(|unit| unit.document == place.document)
    }

    /// The commands of one document after the other; of those that have some.
    pub fn commands_by_document(&self) -> impl Iterator<Item = &[Command]> {
        self.commands.chunk_by(|one, next| one.at.document == next.at.document)
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
