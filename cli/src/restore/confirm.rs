//! The question before something is overwritten: the database's name is typed.

use std::io::{self, BufRead, IsTerminal, Write};

use super::Error;

/// Ask on the terminal, unless `yes` was given.
pub fn confirm(database: &str, yes: bool) -> Result<(), Error> {
    if yes {
        return Ok(());
    }
    let mut input = io::stdin().lock();
    if !io::stdin().is_terminal() {
        return Err(Error::NoTerminal { database: database.to_owned() });
    }
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "type the name of the database to go on: ");
    let _ = stderr.flush();
    let mut line = String::new();
    let read = input.read_line(&mut line).is_ok();
    if read && line.trim_end_matches(['\r', '\n']) == database { Ok(()) } else { Err(Error::NotConfirmed) }
}
