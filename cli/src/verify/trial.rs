//! Level `restored`: restore into a throwaway cluster, or beside other databases
//! on a server of the user's own, and hold the result against the snapshot.

use std::collections::BTreeSet;
use std::io::Read;
use std::time::Instant;

use backstop_policy::identifier::quote;
use backstop_policy::manifest::Manifest;
use tokio_postgres::error::SqlState;
use tokio_util::sync::CancellationToken;

use super::Error;
use super::checks::{self, Assertions};
use super::compare::{Compared, Depth, compare};
use crate::archive::{self, Selection, Toc};
use crate::load::{Load, load};
use crate::postgres::cluster::{Cluster, ClusterOptions};
use crate::postgres::database;
use crate::postgres::locale::Locale;
use crate::postgres::session::Session;
use crate::postgres::target::Target;
use crate::postgres::tools::ServerTools;
use crate::stream::unless;
use crate::ui::Ui;

/// Where the trial runs, and what must hold there.
pub struct Trial<'a> {
    pub manifest: &'a Manifest,
    /// A server of the user's own instead of a throwaway one.
    pub on: Option<&'a Target>,
    pub jobs: usize,
    pub checks: Option<&'a Assertions>,
    /// A shell command, run with the trial's `DATABASE_URL`.
    pub run: Option<&'a str>,
}

/// What the trial showed.
pub struct Outcome {
    pub compared: Compared,
    pub failures: Vec<String>,
    pub checks: Vec<String>,
    pub seconds: f64,
    pub server: String,
}

/// Run a trial; the server or the database that it made is gone afterwards.
pub async fn run(
    trial: &Trial<'_>,
    archive: impl Read + Send + 'static,
    ui: Ui,
    stop: &CancellationToken,
) -> Result<Outcome, Error> {
    // Two trials of one backup may run at once.
    let id = trial.manifest.id.to_lowercase().replace('-', "_");
    let name = format!("backstop_trial_{id}_{:08x}", rand::random::<u32>());
    if let Some(target) = trial.on {
        let admin = Session::patient(target).await?;
        create(trial, &admin, &name, ui).await?;
        let outcome = in_database(trial, &admin, target, &name, archive, ui, stop).await;
        let gone = remove(&admin, target, &name).await;
        // Why the trial failed says more than that its remains are still there.
        let outcome = outcome?;
        gone?;
        return Ok(outcome);
    }
    let major = trial.manifest.source.server_version_num / 10_000;
    let tools = ServerTools::for_major(major).await?;
    if tools.version.major != major {
        ui.note(format!("no PostgreSQL {major} server here: the trial runs on {}", tools.version.major));
    }
    let cluster = unless(stop, Cluster::start(&tools, &ClusterOptions::default())).await??;
    let target = cluster.target("postgres")?;
    let admin = Session::connect(&target).await?;
    create(trial, &admin, &name, ui).await?;
    let outcome = in_database(trial, &admin, &target, &name, archive, ui, stop).await;
    drop(admin);
    let gone = cluster.stop().await;
    let outcome = outcome?;
    gone?;
    Ok(outcome)
}

async fn create(trial: &Trial<'_>, admin: &Session, name: &str, ui: Ui) -> Result<(), Error> {
    let locale = Locale::from(&trial.manifest.source);
    if let Some(note) = database::create_for_trial(admin, name, &locale).await? {
        ui.note(note);
    }
    Ok(())
}

async fn remove(admin: &Session, server: &Target, name: &str) -> Result<(), crate::postgres::Error> {
    if database::exists(admin, name).await? {
        drop_subscriptions(&server.with_database(name)).await?;
        database::drop(admin, name).await?;
    }
    Ok(())
}

async fn in_database(
    trial: &Trial<'_>,
    admin: &Session,
    server: &Target,
    name: &str,
    archive: impl Read + Send + 'static,
    ui: Ui,
    stop: &CancellationToken,
) -> Result<Outcome, Error> {
    let target = server.with_database(name);
    let begun = Instant::now();
    let loaded = load(
        &Load { target: &target, selection: &Selection::default(), frame: None, jobs: trial.jobs },
        archive,
        |_, plan| {
            for left_out in &plan.left_out {
                ui.note(format!("left out: {} ({})", left_out.what, left_out.why));
            }
        },
        async |toc| {
            // A throwaway server knows none of the roles; on the user's own server
            // nothing is added to what everybody shares.
            if trial.on.is_none() {
                make_roles(&target, toc).await?;
            }
            Ok(())
        },
        stop,
    )
    .await?;
    let seconds = begun.elapsed().as_secs_f64();
    loaded.notes.iter().for_each(|note| ui.note(note));

    let depth = Depth::Rows { jobs: trial.jobs };
    let compared = unless(stop, compare(&target, trial.manifest, &loaded.toc, &loaded.plan, depth)).await??;
    let mut failures = compared.failures.clone();
    let mut ran = Vec::new();
    if let Some(checks) = trial.checks {
        let outcome = unless(stop, checks.run(&target)).await??;
        ran.extend(outcome.ran);
        failures.extend(outcome.failures);
    }
    if let Some(command) = trial.run {
        // Never its text, which may hold a secret: the record stays for ever.
        let status = checks::command(&target, command, stop).await?;
        ran.push(format!("command ({status})"));
        if !status.success() {
            failures.push(format!("the command of --run ended with {status}"));
        }
    }
    let server = admin
        .query_one("SHOW server_version", &[])
        .await
        .map_err(crate::postgres::Error::asking("ask for the trial server's version"))?
        .get(0);
    Ok(Outcome { compared, failures, checks: ran, seconds, server })
}

/// Stand-ins for the roles of an archive, on a throwaway server. Made from within its
/// database, because a role's name has the bytes that the encoding of the session's
/// database gives it.
pub async fn make_roles(trial: &Target, toc: &Toc) -> Result<(), crate::postgres::Error> {
    /// What only a superuser may own.
    const PRIVILEGED: [&str; 4] = ["EVENT TRIGGER", "FOREIGN DATA WRAPPER", "PUBLICATION", "SUBSCRIPTION"];
    let owners: BTreeSet<&str> = toc
        .entries
        .iter()
        .filter(|entry| PRIVILEGED.contains(&entry.desc.as_str()))
        .map(|entry| entry.owner.as_str())
        .collect();
    let session = Session::connect(trial).await?;
    for role in archive::roles(toc) {
        let superuser = if owners.contains(role.as_str()) { " SUPERUSER" } else { "" };
        let create = format!("CREATE ROLE {}{superuser}", quote(&role));
        match session.batch_execute(&create).await {
            Err(error) if error.code() != Some(&SqlState::DUPLICATE_OBJECT) => {
                return Err(crate::postgres::Error::asking("make the roles of the archive")(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// A database with a subscription cannot be dropped. This one never had a slot at
/// its publisher's: the archive makes it unconnected.
async fn drop_subscriptions(trial: &Target) -> Result<(), crate::postgres::Error> {
    let failed = |error| crate::postgres::Error::asking("drop the restored subscriptions")(error);
    let session = Session::connect(trial).await?;
    let names = session
        .query(
            "SELECT s.subname::text FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid \
             WHERE d.datname = current_database()",
            &[],
        )
        .await
        .map_err(failed)?;
    for name in names.iter().map(|row| quote(row.get(0))) {
        for statement in [
            format!("ALTER SUBSCRIPTION {name} DISABLE"),
            format!("ALTER SUBSCRIPTION {name} SET (slot_name = NONE)"),
            format!("DROP SUBSCRIPTION {name}"),
        ] {
            session.batch_execute(&statement).await.map_err(failed)?;
        }
    }
    Ok(())
}
