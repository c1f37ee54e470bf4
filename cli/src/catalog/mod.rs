//! What backups a store holds: the only writer of manifests and records.

use crate::error::Advise;

#[derive(Debug, thiserror::Error)]
pub enum Error {}

impl Advise for Error {
    fn hint(&self) -> Option<String> {
        None
    }
}
