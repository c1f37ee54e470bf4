//! Restore: a backup, a file or a URL into a new database beside the source,
//! into an empty one elsewhere, or over one that is in use.
//!
//! The first error stops it, and what was there before stays as it was.

mod confirm;
mod error;
mod fill;
mod globals;
mod guard;
mod hooks;
mod in_place;
mod origin;
mod overview;
mod plain;
mod preview;
mod properties;
mod rehearse;
mod replace;
mod report;
mod revived;
mod sql;
mod swap;
mod tables;

use std::time::Instant;

use tokio_util::sync::CancellationToken;

use crate::archive::{self, Choice, Halves, Selection};
use crate::backup::Job;
use crate::load::{self, Frame, facts};
use crate::pipeline::Keys;
use crate::postgres::session::Session;
use crate::postgres::target::Target;
use crate::ui::Ui;

use fill::{Content, Filled, Kept};
use hooks::Event;
use report::Next;

pub use error::Error;
pub use hooks::Hooks;
pub use in_place::undo;
pub use origin::{Form, Origin};
pub use preview::{Listing, Planned};
pub use report::{LeftOut, Report, shell};
pub use swap::name_with;

/// What to restore, where to, and how.
pub struct Request {
    pub origin: Origin,
    pub keys: Keys,
    pub destination: Destination,
    /// Where the source is, as far as that is known: it must not be the target.
    pub source: Option<Target>,
    /// Name of the database in the configuration.
    pub database: String,
    pub selection: Selection,
    /// Make the roles of the backup that the server does not have.
    pub globals: bool,
    pub hooks: Hooks,
    /// The backup that is taken before something is overwritten.
    pub safety: Option<Job>,
    /// Connections to load over.
    pub jobs: usize,
    /// Do not ask.
    pub yes: bool,
    /// Flags that a next command needs to mean the same, each with a blank before it.
    pub flags: String,
}

pub enum Destination {
    /// A new database on a server; the target's own database only leads there.
    New { server: Target, name: String },
    /// A database that is there and empty.
    Into(Target),
    /// Over a database that is in use.
    InPlace(Target),
}

/// Restore. A result that is not as it was in the snapshot is told by the report;
/// where that is seen before something is replaced, it is an error, and nothing was.
pub async fn run(request: &Request, ui: Ui, stop: &CancellationToken) -> Result<Report, Error> {
    match &request.destination {
        Destination::New { server, name } => into_new(request, server, name, ui, stop).await,
        Destination::Into(target) => into_empty(request, target, ui, stop).await,
        Destination::InPlace(target) => in_place::run(request, target, ui, stop).await,
    }
}

async fn into_new(
    request: &Request,
    server: &Target,
    name: &str,
    ui: Ui,
    stop: &CancellationToken,
) -> Result<Report, Error> {
    let admin = match Session::patient(server).await {
        // The database that is lost may be the very one that leads there.
        Err(crate::postgres::Error::NoDatabase { .. }) => swap::elsewhere(server).await?,
        session => session?,
    };
    let content = Content::open(request, ui, stop).await?;
    let target = server.with_database(name);
    let filled = hooked(request, &target, stop, async {
        let content = after_hook(request, content, ui, stop).await?;
        fill::new_database(request, content, &admin, name, Kept::Exact, ui, stop).await
    })
    .await?;
    admin.close().await;
    let connect = Next { to: "look at it".to_owned(), run: format!("psql -d {}", report::shell(name)) };
    Ok(Report { next: vec![connect], ..report_of(request, &target, filled) })
}

async fn into_empty(
    request: &Request,
    target: &Target,
    ui: Ui,
    stop: &CancellationToken,
) -> Result<Report, Error> {
    let session = Session::patient(target).await?;
    must_not_be_source(request, &session, ui).await?;
    let content = Content::open(request, ui, stop).await?;
    if let Some(toc) = content.toc() {
        fill::roles(request, toc, &session, ui, stop).await?;
    }
    let filled = if request.selection.halves == Halves::DataOnly {
        let choice = tables::Choice::of(request, &content, &session, ui).await?;
        choice.must_be_empty(&session).await?;
        session.close().await;
        hooked(request, target, stop, async {
            let content = after_hook(request, content, ui, stop).await?;
            tables::restore(request, choice, content, target, stop).await
        })
        .await?
    } else {
        guard::must_be_empty(&session, target.database()).await?;
        session.close().await;
        // Nothing half-made stays in a database that is not ours to drop.
        let frame = Frame::default();
        hooked(request, target, stop, async {
            let content = after_hook(request, content, ui, stop).await?;
            fill::into(request, content, target, Some(&frame), ui, stop).await
        })
        .await?
    };
    Ok(report_of(request, target, filled))
}

/// The dump was opened to see that it can be had; while a hook runs, no store
/// keeps the connection open.
async fn after_hook(
    request: &Request,
    content: Content,
    ui: Ui,
    stop: &CancellationToken,
) -> Result<Content, Error> {
    if request.hooks.before.is_none() {
        return Ok(content);
    }
    drop(content);
    Content::open(request, ui, stop).await
}

/// URL text proves nothing, and clones share their identifier: only a lock shows
/// whether two connections lead to one database.
async fn must_not_be_source(request: &Request, session: &Session, ui: Ui) -> Result<(), Error> {
    let Some(source) = &request.source else { return Ok(()) };
    match Session::connect(source).await {
        Ok(other) => {
            let same = guard::same_database(&other, session).await?;
            other.close().await;
            if same {
                return Err(Error::SameDatabase { database: session.target().database().to_owned() });
            }
        }
        // A source that is lost is why people restore.
        Err(error) => {
            ui.note(format!("the source cannot be reached, so it is not compared with the target: {error}"));
        }
    }
    Ok(())
}

/// Run something between the user's hooks; the second one runs in any case.
async fn hooked(
    request: &Request,
    target: &Target,
    stop: &CancellationToken,
    work: impl Future<Output = Result<Filled, Error>>,
) -> Result<Filled, Error> {
    let origin = request.origin.describe();
    let event = Event { target, database: &request.database, origin: &origin };
    let begun = Instant::now();
    let outcome = match request.hooks.before(&event, stop).await {
        Ok(()) => work.await,
        Err(error) => Err(error),
    };
    let after = request.hooks.after(&event, outcome.is_ok()).await;
    let filled = outcome?;
    after?;
    Ok(Filled { seconds: begun.elapsed().as_secs_f64(), ..filled })
}

fn report_of(request: &Request, target: &Target, filled: Filled) -> Report {
    let server = target.hosts().first().map(ToString::to_string).unwrap_or_default();
    Report {
        origin: request.origin.describe(),
        backup: request.origin.manifest().map(|manifest| manifest.id.clone()),
        database: target.database().to_owned(),
        server,
        tables: filled.tables,
        rows: filled.rows,
        seconds: filled.seconds,
        comparison: filled.comparison,
        left_out: filled.left_out,
        notes: filled.notes,
        safety_backup: None,
        set_aside: None,
        next: Vec::new(),
    }
}

/// What a dump holds.
pub async fn list(origin: &Origin, keys: &Keys, ui: Ui, stop: &CancellationToken) -> Result<Listing, Error> {
    let dump = origin.open(keys, ui, stop).await?;
    let wrapped_in = dump.layers.clone();
    match dump.form {
        Form::Archive => Ok(Listing::of(&load::Archive::read(dump).await?.toc, wrapped_in)),
        Form::Sql => Ok(Listing::of_sql(wrapped_in)),
    }
}

/// What would be restored and what would be left out, without doing it.
pub async fn plan(request: &Request, ui: Ui, stop: &CancellationToken) -> Result<Planned, Error> {
    let target = match &request.destination {
        Destination::New { server, .. } => server,
        Destination::Into(target) | Destination::InPlace(target) => target,
    };
    let session = Session::connect(target).await?;
    let mut planned = Planned::default();
    match &request.destination {
        Destination::New { name, .. } => planned.destination = format!("new database '{name}'"),
        Destination::Into(_) => {
            must_not_be_source(request, &session, ui).await?;
            if request.selection.halves != Halves::DataOnly {
                guard::must_be_empty(&session, target.database()).await?;
            }
            planned.destination = format!("database '{}', which is empty", target.database());
        }
        Destination::InPlace(_) => {
            overview::nothing_attached(&session, target.database()).await?;
            planned.overwrites = Some(overview::Overview::of(&session).await?);
            planned.destination = format!("database '{}', in place", target.database());
        }
    }
    let content = Content::open(request, ui, stop).await?;
    if let Some(toc) = content.toc() {
        let facts = match &request.destination {
            Destination::New { .. } => facts::of_new_database(&session).await?,
            _ => facts::read(target).await?,
        };
        let part =
            request.selection.choice != Choice::Everything || request.selection.halves == Halves::DataOnly;
        if part && matches!(request.destination, Destination::InPlace(_)) {
            planned.add(toc, tables::Choice::of(request, &content, &session, ui).await?.plan());
        } else {
            planned.add(toc, &archive::plan(toc, &request.selection, &facts)?);
        }
        let missing = fill::missing_roles(request, toc, &session).await?;
        planned.missing_roles = missing.into_iter().collect();
    }
    session.close().await;
    Ok(planned)
}
