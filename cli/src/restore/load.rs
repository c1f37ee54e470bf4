//! Feed an archive into a database: its table of contents is read first, what
//! the target cannot take is left out by an explicit list, and `pg_restore`
//! gets the rest as a stream. The first error stops it, and the archive is read
//! to its very end, where its digests are told.

use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use backstop_policy::identifier::quote;
use tempfile::NamedTempFile;
use tokio_util::sync::CancellationToken;

use super::psql::{self, Frame, Script};
use super::{Error, facts};
use crate::archive::{
    Coding, Plan, Recoding, Selection, TargetFacts, Toc, list_file, plan as plan_of, read_toc, recode,
};
use crate::postgres::session::Session;
use crate::postgres::target::Target;
use crate::postgres::tools::ClientTools;

/// What to load, and into what.
pub struct Load<'a> {
    pub target: &'a Target,
    pub selection: &'a Selection,
    /// Everything in one transaction with this around it, for a target that
    /// others use meanwhile. It is committed when the archive's end was good.
    pub frame: Option<&'a Frame>,
}

/// What was loaded.
pub struct Loaded {
    pub toc: Toc,
    pub plan: Plan,
    pub tools: ClientTools,
}

/// An archive whose table of contents was read.
pub struct Archive {
    pub toc: Toc,
    head: Vec<u8>,
    rest: Box<dyn Read + Send>,
}

impl Archive {
    pub async fn read(archive: impl Read + Send + 'static) -> Result<Self, Error> {
        tokio::task::spawn_blocking(move || {
            let mut rest = io::BufReader::with_capacity(crate::stream::CHUNK, archive);
            let (toc, head) = read_toc(&mut rest).map_err(unwrap)?;
            Ok(Self { toc, head, rest: Box::new(rest) })
        })
        .await
        .map_err(|_| Error::Panicked)?
    }

    /// The table of contents, and all of its bytes from the first.
    fn into_parts(self) -> (Toc, impl Read + Send + use<>) {
        (self.toc, io::Cursor::new(self.head).chain(self.rest))
    }
}

/// Load an archive. `review` sees the plan before anything is written.
pub async fn load(
    load: &Load<'_>,
    archive: impl Read + Send + 'static,
    review: impl FnOnce(&Toc, &Plan),
    prepare: impl AsyncFnOnce(&Toc) -> Result<(), Error>,
    stop: &CancellationToken,
) -> Result<Loaded, Error> {
    let archive = Archive::read(archive).await?;
    prepare(&archive.toc).await?;
    let target: TargetFacts = facts::read(load.target).await?;
    let plan = plan_of(&archive.toc, load.selection, &target)?;
    review(&archive.toc, &plan);
    restore(load, archive, plan, target.server_major, stop).await
}

/// Load the entries of a plan.
pub async fn restore(
    load: &Load<'_>,
    archive: Archive,
    plan: Plan,
    server_major: u32,
    stop: &CancellationToken,
) -> Result<Loaded, Error> {
    make_schemas(load.target, &plan).await?;
    let header = &archive.toc.header;
    let tools = ClientTools::for_restore(header.oldest_pg_restore(), server_major).await?;
    let readable = tools.supports(header.compression.as_str());
    let mut list = NamedTempFile::new().map_err(Error::ListFile)?;
    list.write_all(list_file(&archive.toc, &plan).as_bytes()).map_err(Error::ListFile)?;
    let mut command = tools.pg_restore();
    command.args(["--exit-on-error", "--no-password"]).arg("--use-list").arg(list.path());
    for (wanted, flag) in
        [(load.selection.no_owner, "--no-owner"), (load.selection.no_privileges, "--no-privileges")]
    {
        if wanted {
            command.arg(flag);
        }
    }
    let (toc, bytes) = archive.into_parts();
    // Since 17 pg_restore sets transaction_timeout, which older servers do not
    // know and which it cannot be told to leave out: its SQL goes through psql.
    let too_new = tools.version.major >= 17 && server_major < 17;
    if load.frame.is_some() || too_new {
        command.arg("--file=-");
        let text = Printing::start(command, bytes, list, readable)?;
        let script = Script { target: load.target, tools: &tools, server_major, frame: load.frame };
        psql::run(&script, text, stop).await?;
    } else {
        load.target.apply(&mut command);
        command.arg(format!("--dbname={}", conninfo(load.target.database())));
        direct(command, bytes, readable, stop).await?;
    }
    Ok(Loaded { toc, plan, tools })
}

/// An archive of some tables names schemas that it does not make.
async fn make_schemas(target: &Target, plan: &Plan) -> Result<(), Error> {
    if plan.missing_schemas.is_empty() {
        return Ok(());
    }
    let session = Session::connect(target).await?;
    for schema in &plan.missing_schemas {
        let make = format!("CREATE SCHEMA IF NOT EXISTS {}", quote(schema));
        let failed = crate::postgres::Error::asking(format!("make schema '{schema}'"));
        session.batch_execute(&make).await.map_err(failed)?;
    }
    session.close().await;
    Ok(())
}

/// `pg_restore` writes into the database itself.
async fn direct(
    mut command: Command,
    mut bytes: impl Read + Send + 'static,
    readable: bool,
    stop: &CancellationToken,
) -> Result<(), Error> {
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child =
        tokio::process::Command::from(command).kill_on_drop(true).spawn().map_err(cannot_start)?;
    let stdin = child.stdin.take().ok_or_else(|| cannot_start(io::Error::other("no pipe to it")))?;
    let stdin = ChildStdin::from(stdin.into_owned_fd().map_err(cannot_start)?);
    let feeding = tokio::task::spawn_blocking(move || {
        let fed = feed(&mut bytes, stdin, readable);
        (bytes, fed)
    });
    let output = tokio::select! {
        output = child.wait_with_output() => output.map_err(cannot_start)?,
        () = stop.cancelled() => return Err(Error::Interrupted),
    };
    let (mut bytes, fed) = feeding.await.map_err(|_| Error::Panicked)?;
    // A stream that broke explains more than pg_restore's "unexpected end of file".
    if let Err(Feed::Archive(error)) = fed {
        return Err(error);
    }
    if !output.status.success() {
        let messages = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        return Err(Error::Restore { program: "pg_restore", messages });
    }
    // pg_restore may close its input when the last entry was taken.
    tokio::task::spawn_blocking(move || to_its_end(&mut bytes)).await.map_err(|_| Error::Panicked)?
}

/// `pg_restore` prints SQL. The end of what is read is said only when it ended
/// well and the archive was read to its end.
struct Printing {
    child: Child,
    stdout: ChildStdout,
    feeding: Option<JoinHandle<Result<(), Error>>>,
    messages: Option<JoinHandle<String>>,
    _list: NamedTempFile,
}

impl Printing {
    fn start(
        mut command: Command,
        mut bytes: impl Read + Send + 'static,
        list: NamedTempFile,
        readable: bool,
    ) -> Result<Self, Error> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(cannot_start)?;
        let (Some(stdin), Some(stdout), Some(mut stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(cannot_start(io::Error::other("no pipe to it")));
        };
        let feeding = std::thread::spawn(move || match feed(&mut bytes, stdin, readable) {
            Ok(()) | Err(Feed::Pipe) => to_its_end(&mut bytes),
            Err(Feed::Archive(error)) => Err(error),
        });
        let messages = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.read_to_end(&mut text);
            String::from_utf8_lossy(&text).trim_end().to_owned()
        });
        Ok(Self { child, stdout, feeding: Some(feeding), messages: Some(messages), _list: list })
    }

    fn end(&mut self) -> Result<(), Error> {
        let Some(feeding) = self.feeding.take() else { return Ok(()) };
        let status = self.child.wait().map_err(cannot_start)?;
        if !status.success() && !feeding.is_finished() {
            // Nothing more is wanted of the archive; it is left where it is.
            drop(feeding);
        } else {
            feeding.join().map_err(|_| Error::Panicked)??;
        }
        if status.success() {
            return Ok(());
        }
        let messages = self.messages.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        Err(Error::Restore { program: "pg_restore", messages })
    }
}

impl Read for Printing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.stdout.read(buffer)?;
        if length == 0 && !buffer.is_empty() {
            self.end().map_err(io::Error::other)?;
        }
        Ok(length)
    }
}

impl Drop for Printing {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Which end of the pipe failed.
enum Feed {
    Archive(Error),
    Pipe,
}

fn feed(archive: &mut impl Read, mut stdin: ChildStdin, readable: bool) -> Result<(), Feed> {
    if !readable {
        // A pg_restore without zstd gets the rows uncompressed.
        let plain = Recoding { coding: Coding::None, readable_by: None };
        return recode(archive, &mut stdin, plain).map(drop).map_err(|error| match error {
            crate::archive::Error::Write(_) => Feed::Pipe,
            other => Feed::Archive(unwrap(other)),
        });
    }
    let mut buffer = vec![0; crate::stream::CHUNK];
    loop {
        match archive.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => stdin.write_all(&buffer[..length]).map_err(|_| Feed::Pipe)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Feed::Archive(Error::from_stream(error))),
        }
    }
}

/// Read what is left, so that every check at the end of the stream is made.
fn to_its_end(archive: &mut impl Read) -> Result<(), Error> {
    io::copy(archive, &mut io::sink()).map(drop).map_err(Error::from_stream)
}

fn unwrap(error: crate::archive::Error) -> Error {
    match error {
        crate::archive::Error::Read(source) => Error::from_stream(source),
        other => Error::Archive(other),
    }
}

fn cannot_start(source: io::Error) -> Error {
    Error::Start { program: "pg_restore", source }
}

/// A database name as a conninfo string, so that a name with `=` in it is not
/// taken for one.
pub fn conninfo(database: &str) -> String {
    format!("dbname='{}'", database.replace('\\', "\\\\").replace('\'', "\\'"))
}
