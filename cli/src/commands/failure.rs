//! How a failure reaches the user: one line that names the object, the causes
//! below it, and at most one hint that says what to do next.
//!
//! Nothing printed here can hold a secret, because no room puts one into an error.

use std::error::Error as StdError;
use std::fmt::Write as _;

use crate::error::Advise;
use crate::{
    archive, backup, catalog, demo, git, github, lint, pipeline, postgres, restore, settings, store, verify,
};

/// The whole message: `error:`, `caused by:` lines, at most one `hint:`.
pub fn render(error: &anyhow::Error) -> String {
    let mut text = String::new();
    let mut said = Vec::new();
    for cause in error.chain() {
        let line = cause.to_string();
        // A transparent wrapper repeats its source; a reader wants it once.
        if said.last() == Some(&line) {
            continue;
        }
        let label = if said.is_empty() { "error" } else { "caused by" };
        let _ = writeln!(text, "{label}: {line}");
        said.push(line);
    }
    if let Some(hint) = error.chain().find_map(hint) {
        let _ = writeln!(text, "hint: {hint}");
    }
    text
}

/// Find the hint of one link of the chain, looking into I/O errors that carry
/// another room's error through a stream.
fn hint(link: &(dyn StdError + 'static)) -> Option<String> {
    if let Some(io) = link.downcast_ref::<std::io::Error>() {
        let inner: &(dyn StdError + 'static) = io.get_ref()?;
        return hint(inner).or_else(|| inner.source().and_then(hint));
    }
    // A boxed error is a link of its own type, not of what is in the box.
    if let Some(boxed) = link.downcast_ref::<Box<backup::Error>>() {
        return boxed.hint();
    }
    if let Some(boxed) = link.downcast_ref::<Box<store::Error>>() {
        return boxed.hint();
    }
    if let Some(boxed) = link.downcast_ref::<Box<restore::Error>>() {
        return boxed.hint();
    }
    None.or_else(|| link.downcast_ref::<super::get::Refused>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<settings::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<store::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<pipeline::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<postgres::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<postgres::tools::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<postgres::wheel::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<postgres::cluster::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<archive::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<catalog::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<backup::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<verify::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<restore::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<demo::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<github::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<git::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<lint::Error>().and_then(Advise::hint))
}
