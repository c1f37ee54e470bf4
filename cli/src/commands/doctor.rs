//! `backstop doctor`: everything that stands between this machine and a backup
//! that restores, each with its fix.

use anyhow::Result;
use jiff::Timestamp;
use secrecy::ExposeSecret;

use super::Context;
use super::options::{self, EncryptionArgs, SourceArgs, StoreArgs};
use crate::doctor::{self, Check, connection, machine, role, tools};
use crate::error::{Advise, ExitStatus};
use crate::pipeline::Encryption;
use crate::postgres::privileges::Privileges;
use crate::postgres::tools::{ClientTools, ServerTools};
use crate::settings::{ConnectionSource, Settings};

/// Check connection, privileges, tools, store and keys, and say how to mend them
///
/// Exits with 1 when something would make a backup impossible.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    encryption: EncryptionArgs,
}

pub async fn run(args: Args, context: &Context) -> Result<ExitStatus> {
    let settings = context.settings(&args.source, &args.store, &args.encryption)?;
    let mut checks = database(&settings).await?;
    checks.extend(stores(&settings, context).await?);
    checks.push(recipients(&settings)?);
    context.ui.json(&checks)?;
    context.ui.say(doctor::render(&checks).trim_end());
    Ok(doctor::exit_status(&checks))
}

async fn database(settings: &Settings) -> Result<Vec<Check>> {
    let found = settings.database()?;
    let mut checks = Vec::new();
    if let ConnectionSource::Url(url) = &found.source {
        checks.extend(connection::url_password(url.expose_secret()));
    }
    let target = match options::target(&found.source) {
        Ok(target) => target,
        Err(error) => return Ok(vec![Check::failed("server", &error)]),
    };
    checks.extend(connection::address(&target));
    let (session, reached) = connection::reach(&target).await;
    checks.extend(reached);
    let Some(session) = session else { return Ok(checks) };
    let version = session.server_version_num();
    match Privileges::of(&session).await {
        Ok(privileges) => {
            checks.push(machine::clock("the server", privileges.server_clock, now()));
            checks.push(machine::disk(&std::env::temp_dir(), privileges.database_bytes));
            checks.extend(role::role(&privileges, version));
        }
        Err(error) => checks.push(Check::failed("privileges", &error)),
    }
    let major = version / 10_000;
    let client = ClientTools::for_server(major).await;
    checks.push(tools::client(
        major,
        match &client {
            Ok(found) => Ok(tools::Found { major: found.version.major, path: &found.dir }),
            Err(error) => Err(error as &dyn Advise),
        },
    ));
    let server = ServerTools::for_major(major).await;
    checks.push(tools::trial_server(
        major,
        match &server {
            Ok(found) => Ok(tools::Found { major: found.version.major, path: &found.dir }),
            Err(error) => Err(error as &dyn Advise),
        },
    ));
    Ok(checks)
}

async fn stores(settings: &Settings, context: &Context) -> Result<Vec<Check>> {
    let name = settings.database_name()?;
    let mut checks = Vec::new();
    for store in options::stores(settings, &name, None, &context.stop).await? {
        checks.extend(doctor::store::store(store.as_ref(), &name, now()).await);
    }
    Ok(checks)
}

fn recipients(settings: &Settings) -> Result<Check> {
    let found = settings.encryption()?;
    let read = Encryption::from_recipients(&found.recipients);
    Ok(match (&read, &found.passphrase) {
        (_, Some(_)) => Check::ok("recipients", "backups are encrypted with a passphrase"),
        (Err(error), _) => tools::recipients(Err(error)),
        (Ok(_), _) => tools::recipients(Ok(found.recipients.len())),
    })
}

/// Our clock, in seconds since 1970.
fn now() -> f64 {
    Timestamp::now().as_duration().as_secs_f64()
}
