//! A `pg_dump` whose table of contents is complete: by then it has locked every
//! table, and stands at the rows of the first.

use std::io::BufReader;
use std::process::ChildStdout;

use nix::sys::signal::Signal;

use super::super::Error;
use super::super::input::Input;
use super::super::toc::{Toc, read_kept};
use super::program::{GRACE, Messages, Program, Running, warnings};

/// Bytes read from the pipe at once.
const BUFFER: usize = 256 * 1024;

pub(super) struct Announced {
    pub toc: Toc,
    /// The bytes that it was read from.
    pub head: Vec<u8>,
    pub rest: Input<BufReader<ChildStdout>>,
    pub ending: Ending,
}

/// What is left to ask of the process.
pub(super) struct Ending {
    program: Program,
    path: String,
    messages: Messages,
}

impl Announced {
    /// Blocks until the table of contents is there.
    pub(super) fn read(running: Running) -> Result<Self, Error> {
        let Running { program, path, stdout, messages } = running;
        let mut ending = Ending { program, path, messages };
        let mut rest = Input::new(BufReader::with_capacity(BUFFER, stdout));
        match read_kept(&mut rest) {
            Ok(toc) => Ok(Self { toc, head: rest.kept(), rest, ending }),
            // What pg_dump says of its own failure comes first.
            Err(error) => Err(match ending.wait(matches!(error, Error::CutShort { .. } | Error::Read(_))) {
                Ok(_) => ending.not_whole(error),
                Err(failed) => failed,
            }),
        }
    }

    /// Its table of contents is all that is wanted: stop it. Yields that, its
    /// bytes, and the program's warnings.
    pub(super) async fn stop(self) -> Result<(Toc, Vec<u8>, Vec<String>), Error> {
        let Self { toc, head, rest, ending } = self;
        let stopping = tokio::task::spawn_blocking(move || {
            // Even in the middle of a write it cancels its statement, and ends.
            ending.program.end(GRACE)?;
            // Whoever else writes there, behind a script in its place, ends with that.
            drop(rest);
            Ok::<_, Error>(warnings(&ending.messages.all()))
        });
        let warnings = stopping.await.map_err(|_| Error::ThreadDied)??;
        Ok((toc, head, warnings))
    }
}

impl Ending {
    /// Wait for a process that was read to its end, or give it up. Yields its
    /// warnings when it ended well.
    pub(super) fn wait(&mut self, ended: bool) -> Result<Vec<String>, Error> {
        if !ended {
            self.program.signal(Signal::SIGKILL);
            self.program.wait()?;
            return Ok(Vec::new());
        }
        let status = self.program.wait()?;
        let messages = self.messages.all();
        if status.success() { Ok(warnings(&messages)) } else { Err(Error::Dump { status, messages }) }
    }

    pub(super) fn not_whole(&self, error: Error) -> Error {
        Error::NotWhole { program: self.path.clone(), source: Box::new(error) }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        // A dump that was not read to its end must not go on holding locks.
        self.program.signal(Signal::SIGKILL);
        let _ = self.program.wait();
    }
}
