//! What a parallel load needs of an archive: which entries come before the rows,
//! which with them and which after ([`stages`]), what of the first can be made side by
//! side ([`Tree`]) and what a connection makes of the last itself ([`early`]), the
//! definitions alone as a small archive ([`definitions`]), and the rows themselves,
//! read once and in order ([`read`]), with each table's text cut at row borders
//! ([`Cutter`]).
//!
//! No connection is made here.

mod build;
mod cut;
mod definitions;
mod frames;
mod read;
mod stages;
mod tree;

pub use build::{Build, early};
pub use cut::{Cut, Cutter};
pub use definitions::{Definitions, definitions};
pub use frames::Plain;
pub use read::{Piece, Reading, read};
pub use stages::{Obstacle, Stages, Table, stages};
pub use tree::Tree;

/// Bytes of one piece, unless a zstd frame is larger.
pub const PIECE: usize = 256 * 1024;
