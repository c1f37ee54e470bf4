//! The same restore into a throwaway server first, where the real one can be
//! done only once and in place.

use backstop_policy::identifier::quote;
use tokio_util::sync::CancellationToken;

use super::fill::{self, Content, Kept};
use super::report::Comparison;
use super::{Error, Request};
use crate::load::facts;
use crate::postgres;
use crate::postgres::cluster::{Cluster, ClusterOptions};
use crate::postgres::session::Session;
use crate::postgres::target::Target;
use crate::postgres::tools::ServerTools;
use crate::ui::Ui;
use crate::verify::trial::make_roles;

const NAME: &str = "backstop_trial";

/// Restore and compare; nothing of it stays.
pub async fn run(request: &Request, target: &Target, ui: Ui, stop: &CancellationToken) -> Result<(), Error> {
    let real = Session::connect(target).await?;
    let roles = facts::roles(&real).await?;
    let major = real.server_version_num() / 10_000;
    real.close().await;
    let content = Content::open(request, ui, stop).await?;

    let tools = ServerTools::for_major(major).await?;
    ui.note(format!("trial restore into a throwaway PostgreSQL {}", tools.version));
    let cluster = Cluster::start(&tools, &ClusterOptions::default()).await?;
    let server = cluster.target("postgres")?;
    let admin = Session::connect(&server).await?;
    if let Some(toc) = content.toc() {
        make_roles(&server, toc).await?;
    }
    // Plain SQL names roles of the real server.
    for role in roles.difference(&facts::roles(&admin).await?) {
        admin
            .batch_execute(&format!("CREATE ROLE {}", quote(role)))
            .await
            .map_err(postgres::Error::asking("make the roles of the server"))?;
    }
    let filled = fill::new_database(request, content, &admin, NAME, Kept::Trial, ui, stop).await;
    admin.close().await;
    let stopped = cluster.stop().await;
    let filled = filled?;
    stopped?;
    match filled.comparison {
        Comparison::Different { failures } => Err(Error::Differs { failures }),
        _ => Ok(()),
    }
}
