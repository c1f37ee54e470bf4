//! Everything that knows a PostgreSQL server or its client programs: how to
//! reach one, what it may do, a snapshot of it, and a throwaway cluster.

mod account;
pub mod cluster;
pub mod finder;
pub mod locale;
pub mod tools;
pub mod wheel;

use crate::error::Advise;

#[derive(Debug, thiserror::Error)]
pub enum Error {}

impl Advise for Error {
    fn hint(&self) -> Option<String> {
        None
    }
}
