//! Feed an archive into a database: its table of contents is read first, what
//! the target cannot take is left out by an explicit list, and `pg_restore`
//! gets the rest as a stream. The first error stops it.

use std::io::{self, Read, Write};
use std::process::{ChildStdin, Stdio};

use tokio_util::sync::CancellationToken;

use super::Error;
use super::facts;
use crate::archive::{self, Coding, Plan, Recoding, Selection, TargetFacts, Toc, read_toc, recode};
use crate::postgres::target::Target;
use crate::postgres::tools::ClientTools;

/// What to load, and into what.
pub struct Load<'a> {
    pub target: &'a Target,
    pub selection: &'a Selection,
    /// Everything in one transaction: for a target that others use meanwhile.
    pub one_transaction: bool,
}

/// What was loaded.
pub struct Loaded {
    pub toc: Toc,
    pub plan: Plan,
    pub tools: ClientTools,
}

/// Load an archive. `review` sees the plan before anything is written.
pub async fn load(
    load: &Load<'_>,
    mut archive: impl Read + Send + 'static,
    review: impl FnOnce(&Toc, &Plan),
    prepare: impl AsyncFnOnce(&Toc) -> Result<(), Error>,
    stop: &CancellationToken,
) -> Result<Loaded, Error> {
    let (mut archive, toc, head) = tokio::task::spawn_blocking(move || {
        let (toc, head) = read_toc(&mut archive)?;
        Ok::<_, Error>((archive, toc, head))
    })
    .await
    .map_err(|_| Error::Panicked)??;
    prepare(&toc).await?;
    let target: TargetFacts = facts::read(load.target).await?;
    let plan = archive::plan(&toc, load.selection, &target)?;
    review(&toc, &plan);

    let header = &toc.header;
    let tools = ClientTools::for_restore(header.oldest_pg_restore(), target.server_major).await?;
    let mut list = tempfile::NamedTempFile::new().map_err(Error::ListFile)?;
    list.write_all(archive::list_file(&toc, &plan).as_bytes()).map_err(Error::ListFile)?;
    let mut command = tools.pg_restore();
    load.target.apply(&mut command);
    command.args(["--exit-on-error", "--no-password"]);
    command.arg(format!("--dbname={}", conninfo(load.target.database())));
    command.arg("--use-list").arg(list.path());
    for (wanted, flag) in [
        (load.one_transaction, "--single-transaction"),
        (load.selection.no_owner, "--no-owner"),
        (load.selection.no_privileges, "--no-privileges"),
    ] {
        if wanted {
            command.arg(flag);
        }
    }
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let start = |source| Error::Start { program: "pg_restore", source };
    let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().map_err(start)?;
    let stdin = child.stdin.take().ok_or_else(|| start(io::Error::other("no pipe to it")))?;
    let stdin = ChildStdin::from(stdin.into_owned_fd().map_err(start)?);

    let readable = tools.supports(header.compression.as_str());
    let feed = tokio::task::spawn_blocking(move || {
        let whole = io::Cursor::new(head).chain(&mut archive);
        feed(whole, stdin, readable)
    });
    let output = tokio::select! {
        output = child.wait_with_output() => output.map_err(start)?,
        () = stop.cancelled() => return Err(Error::Interrupted),
    };
    let outcome = feed.await.map_err(|_| Error::Panicked)?;
    if !output.status.success() {
        // A stream that broke explains more than pg_restore's "unexpected end of file".
        if let Err(Feed::Archive(source)) = outcome {
            return Err(Error::Read(source));
        }
        let messages = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        return Err(Error::Restore { messages });
    }
    match outcome {
        // pg_restore may close its input when the last entry was taken.
        Ok(()) | Err(Feed::Pipe) => Ok(Loaded { toc, plan, tools }),
        Err(Feed::Archive(source)) => Err(Error::Read(source)),
    }
}

/// Which end of the pipe failed.
enum Feed {
    Archive(io::Error),
    Pipe,
}

fn feed(mut archive: impl Read, mut stdin: ChildStdin, readable: bool) -> Result<(), Feed> {
    if !readable {
        // A pg_restore without zstd gets the rows uncompressed.
        let plain = Recoding { coding: Coding::None, readable_by: None };
        return recode(archive, &mut stdin, plain).map(drop).map_err(|error| match error {
            crate::archive::Error::Write(_) => Feed::Pipe,
            other => Feed::Archive(io::Error::other(other)),
        });
    }
    let mut buffer = vec![0; crate::stream::CHUNK];
    loop {
        let length = archive.read(&mut buffer).map_err(Feed::Archive)?;
        if length == 0 {
            return Ok(());
        }
        stdin.write_all(&buffer[..length]).map_err(|_| Feed::Pipe)?;
    }
}

/// A database name as a conninfo string, so that a name with `=` in it is not
/// taken for one.
pub fn conninfo(database: &str) -> String {
    format!("dbname='{}'", database.replace('\\', "\\\\").replace('\'', "\\'"))
}
