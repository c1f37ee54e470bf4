//! Level `restored`: restore into a throwaway cluster, or beside other databases
//! on a server of the user's own, and hold the result against the snapshot.

use std::io::Read;
use std::path::Path;
use std::time::Instant;

use backstop_policy::identifier::quote;
use backstop_policy::manifest::Manifest;
use tokio_util::sync::CancellationToken;

use super::compare::{Compared, compare};
use super::{Error, checks};
use crate::archive::{self, Selection};
use crate::postgres::cluster::{Cluster, ClusterOptions};
use crate::postgres::database;
use crate::postgres::locale::Locale;
use crate::postgres::session::Session;
use crate::postgres::target::Target;
use crate::postgres::tools::ServerTools;
use crate::restore::load::{Load, load};
use crate::ui::Ui;

/// Where the trial runs, and what must hold there.
pub struct Trial<'a> {
    pub manifest: &'a Manifest,
    /// A server of the user's own instead of a throwaway one.
    pub on: Option<&'a Target>,
    /// A file of SQL assertions.
    pub checks: Option<&'a Path>,
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
    let name = format!("backstop_trial_{}", trial.manifest.id.to_lowercase().replace('-', "_"));
    if let Some(target) = trial.on {
        let admin = Session::connect(target).await?;
        let outcome = in_database(trial, &admin, target, &name, archive, ui, stop).await;
        database::drop(&admin, &name).await?;
        return outcome;
    }
    let major = trial.manifest.source.server_version_num / 10_000;
    let tools = ServerTools::for_major(major).await?;
    if tools.version.major != major {
        ui.note(format!("no PostgreSQL {major} server here: the trial runs on {}", tools.version.major));
    }
    let cluster = Cluster::start(&tools, &ClusterOptions::default()).await?;
    let target = cluster.target("postgres")?;
    let admin = Session::connect(&target).await?;
    let outcome = in_database(trial, &admin, &target, &name, archive, ui, stop).await;
    drop(admin);
    cluster.stop().await?;
    outcome
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
    let manifest = trial.manifest;
    if let Some(note) = database::create_for_trial(admin, name, &Locale::from(&manifest.source)).await? {
        ui.note(note);
    }
    let target = server.with_database(name);
    let begun = Instant::now();
    let loaded = load(
        &Load { target: &target, selection: &Selection::default(), frame: None },
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
                for role in archive::roles(toc) {
                    let create = format!("CREATE ROLE {}", quote(&role));
                    match admin.batch_execute(&create).await {
                        Err(error)
                            if error.code() != Some(&tokio_postgres::error::SqlState::DUPLICATE_OBJECT) =>
                        {
                            return Err(crate::postgres::Error::asking("make the roles of the archive")(
                                error,
                            )
                            .into());
                        }
                        _ => {}
                    }
                }
            }
            Ok(())
        },
        stop,
    )
    .await?;
    let seconds = begun.elapsed().as_secs_f64();

    let compared = compare(&target, manifest, &loaded.toc, &loaded.plan).await?;
    let mut failures = compared.failures.clone();
    let mut ran = Vec::new();
    if let Some(path) = trial.checks {
        let outcome = checks::sql(&target, path).await?;
        ran.extend(outcome.ran);
        failures.extend(outcome.failures);
    }
    if let Some(command) = trial.run {
        ran.push(command.to_owned());
        failures.extend(checks::command(&target, command).await?);
    }
    let server = admin
        .query_one("SHOW server_version", &[])
        .await
        .map_err(crate::postgres::Error::asking("ask for the trial server's version"))?
        .get(0);
    Ok(Outcome { compared, failures, checks: ran, seconds, server })
}
