//! Over a database that is in use: nothing of it is touched before a safety
//! backup lies in a store. Then it is restored beside, and when that was proved
//! the names are exchanged; or, where that is not allowed, it is rehearsed first,
//! and one transaction replaces the contents.

use std::time::Instant;

use backstop_policy::identifier::quote;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::confirm::confirm;
use super::fill::{self, Content, Filled, Kept};
use super::hooks::Event;
use super::overview::{self, Overview};
use super::report::{Comparison, Next, Report, shell};
use super::{Error, Request, rehearse, replace, swap, tables};
use crate::archive::{Choice, Halves};
use crate::backup;
use crate::postgres::database;
use crate::postgres::session::Session;
use crate::postgres::target::Target;
use crate::ui::Ui;

/// Restore over `target`.
pub async fn run(
    request: &Request,
    target: &Target,
    ui: Ui,
    stop: &CancellationToken,
) -> Result<Report, Error> {
    let begun = Instant::now();
    let session = Session::patient(target).await?;
    let database = target.database().to_owned();
    let seen = Overview::of(&session).await?;
    let partial = request.selection.choice != Choice::Everything || request.selection.halves != Halves::Both;
    let by_swap = !partial && overview::may_rename(&session).await?;
    if by_swap {
        overview::nothing_attached(&session, &database).await?;
        // From where the names are exchanged in the end.
        swap::elsewhere(target).await?.close().await;
        check_disk(request, &session, &seen, ui).await?;
    } else if !partial {
        ui.note("this role may not rename databases: the contents are replaced in one transaction instead");
    }
    // What could refuse is asked before anybody is disturbed. The dump is opened
    // again when it is needed: no store keeps a connection open meanwhile.
    let choice = {
        let content = Content::open(request, ui, stop).await?;
        if let Some(toc) = content.toc().filter(|_| !request.globals) {
            fill::roles(request, toc, &session, ui, stop).await?;
        }
        if !partial && !by_swap {
            replace::nothing_outside(&session, content.toc()).await?;
        }
        if partial { Some(tables::Choice::of(request, &content, &session, ui).await?) } else { None }
    };
    // A table that was dropped comes back without harm to anything.
    let overwrites = choice.as_ref().is_none_or(tables::Choice::overwrites);
    if overwrites {
        if request.safety.is_none() {
            return Err(Error::NoSafetyStore);
        }
        ui.warn(seen.text().trim_end());
        if !by_swap {
            ui.warn("what others write after the safety backup has begun is lost: let nobody write");
        }
        confirm(&database, request.yes)?;
    }
    session.close().await;

    let origin = request.origin.describe();
    let event = Event { target, database: &request.database, origin: &origin };
    let outcome = async {
        request.hooks.before(&event, stop).await?;
        if choice.is_none() && !by_swap {
            rehearse::run(request, target, ui, stop).await?;
        }
        // As late as can be: what is written after it is in no backup.
        let safety = if overwrites { Some(safety_backup(request, ui, stop).await?) } else { None };
        let content = Content::open(request, ui, stop).await?;
        if let Some(toc) = content.toc().filter(|_| request.globals && !by_swap) {
            let session = Session::connect(target).await?;
            fill::roles(request, toc, &session, ui, stop).await?;
            session.close().await;
        }
        match choice {
            Some(choice) => {
                let filled = tables::restore(request, choice, content, target, stop).await?;
                Ok::<_, Error>((safety, filled, None))
            }
            None if by_swap => {
                let (filled, set_aside) = exchange(request, content, target, ui, stop).await?;
                Ok((safety, filled, Some(set_aside)))
            }
            None => Ok((safety, replace::run(request, content, target, ui, stop).await?, None)),
        }
    }
    .await;
    let after = request.hooks.after(&event, outcome.is_ok()).await;
    let (safety, filled, set_aside) = outcome?;
    after?;
    let next = next_steps(request, target, safety.as_deref(), set_aside.as_deref());
    let mut report =
        Report { safety_backup: safety, set_aside, next, ..super::report_of(request, target, filled) };
    report.seconds = begun.elapsed().as_secs_f64();
    Ok(report)
}

/// Put the database that a restore set aside back in its place.
pub async fn undo(target: &Target, set_aside: &str, yes: bool, ui: Ui) -> Result<String, Error> {
    let live = target.database();
    if !swap::is_set_aside(set_aside, live) {
        return Err(Error::NotSetAside { name: set_aside.to_owned(), live: live.to_owned() });
    }
    let admin = swap::elsewhere(target).await?;
    if !database::exists(&admin, set_aside).await? {
        return Err(Error::NotSetAside { name: set_aside.to_owned(), live: live.to_owned() });
    }
    let session = Session::connect(target).await?;
    overview::nothing_attached(&session, live).await?;
    session.close().await;
    ui.warn(format!("database '{live}' becomes what it was before the restore: '{set_aside}'"));
    confirm(live, yes)?;
    let undone = swap::name_with(live, "_undone_", Timestamp::now());
    swap::swap(&admin, live, set_aside, &undone, ui).await?;
    admin.close().await;
    Ok(undone)
}

async fn exchange(
    request: &Request,
    content: Content,
    target: &Target,
    ui: Ui,
    stop: &CancellationToken,
) -> Result<(Filled, String), Error> {
    let (now, live) = (Timestamp::now(), target.database());
    let (beside, set_aside) = (swap::name_with(live, "_new_", now), swap::set_aside_name(live, now));
    let session = Session::patient(target).await?;
    let filled = fill::new_database(request, content, &session, &beside, Kept::Exact, ui, stop).await?;
    let ready = async {
        if let Comparison::Different { failures } = &filled.comparison {
            return Err(Error::Differs { failures: failures.clone() });
        }
        if stop.is_cancelled() {
            return Err(Error::Interrupted);
        }
        swap::elsewhere(target).await
    };
    let admin = match ready.await {
        Ok(admin) => admin,
        Err(error) => {
            // The first error is the one to tell.
            if let Err(second) = database::drop(&session, &beside).await {
                ui.warn(format!("the restored database '{beside}' could not be dropped: {second}"));
            }
            return Err(error);
        }
    };
    session.close().await;
    swap::swap(&admin, live, &beside, &set_aside, ui).await?;
    admin.close().await;
    Ok((filled, set_aside))
}

/// The backup that makes a wrong decision harmless; its id.
async fn safety_backup(request: &Request, ui: Ui, stop: &CancellationToken) -> Result<String, Error> {
    let job = request.safety.as_ref().ok_or(Error::NoSafetyStore)?;
    ui.note("taking a safety backup first");
    let taken = backup::take(job, ui, stop).await.map_err(|error| Error::SafetyBackup(Box::new(error)))?;
    ui.note(format!("safety backup {} lies in {}", taken.id, job.stores[0].url()));
    Ok(taken.id)
}

/// The restored database stands beside the old one, and what is written for it
/// stands once more in the write-ahead log.
async fn check_disk(request: &Request, session: &Session, seen: &Overview, ui: Ui) -> Result<(), Error> {
    let of_backup = request.origin.manifest().map_or(0, |manifest| manifest.source.bytes);
    let size = seen.bytes.max(of_backup);
    match overview::disk_free(session).await {
        Ok(free) if free < size => return Err(Error::DiskFull { free, needed: size.saturating_mul(2) }),
        Ok(free) if free < size.saturating_mul(2) => ui.warn(format!(
            "the server's disk has {} free: enough for the restored database ({}), but not for twice that",
            indicatif::HumanBytes(free),
            indicatif::HumanBytes(size)
        )),
        Ok(_) => {}
        Err(why) => {
            ui.note(format!("free disk for twice {} not checked: {why}", indicatif::HumanBytes(size)));
        }
    }
    Ok(())
}

fn next_steps(
    request: &Request,
    target: &Target,
    safety: Option<&str>,
    set_aside: Option<&str>,
) -> Vec<Next> {
    let step = |to: &str, run: String| Next { to: to.to_owned(), run };
    match (set_aside, safety) {
        (Some(old), _) => vec![
            step("undo", format!("backstop restore --undo {}{}", shell(old), request.flags)),
            step(
                "when all is well, drop the old one",
                format!("psql -d postgres -c {}", shell(&format!("DROP DATABASE {}", quote(old)))),
            ),
        ],
        (None, Some(safety)) => vec![step(
            &format!("undo, from the safety backup of '{}'", target.database()),
            format!("backstop restore {} --in-place{}", shell(safety), request.flags),
        )],
        (None, None) => Vec::new(),
    }
}
