//! Plain SQL, from pg_dump or from anybody, into a database through psql, in one
//! transaction: a dump that is cut short, or that would do more than fill the
//! database, leaves nothing behind.

use tokio_util::sync::CancellationToken;

use super::Error;
use super::origin::Dump;
use crate::load::psql::{self, Frame, Ran, Script};
use crate::postgres::session::Session;
use crate::postgres::target::Target;
use crate::postgres::tools::ClientTools;

pub async fn restore(
    dump: Dump,
    target: &Target,
    frame: Option<&Frame>,
    stop: &CancellationToken,
) -> Result<Ran, Error> {
    let session = Session::connect(target).await?;
    let server_major = session.server_version_num() / 10_000;
    session.close().await;
    let tools = ClientTools::for_server(server_major).await?;
    let alone = Frame::default();
    let script = Script { target, tools: &tools, server_major, frame: Some(frame.unwrap_or(&alone)) };
    Ok(psql::run(&script, dump, stop).await?)
}
