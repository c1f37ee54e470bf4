//! The pg_dump archive format: read it, check it, make one, choose from one.

use crate::error::Advise;

#[derive(Debug, thiserror::Error)]
pub enum Error {}

impl Advise for Error {
    fn hint(&self) -> Option<String> {
        None
    }
}
