//! What keeps `backstop lint` from its work.

use std::path::PathBuf;

use crate::error::Advise;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read '{}'", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot write '{}'", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("'{}' has changed since it was read", .0.display())]
    Changed(PathBuf),
    #[error("'{}' is no baseline: {why}", path.display())]
    Baseline { path: PathBuf, why: String },
}

impl Advise for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Baseline { .. } => Some("write one with `backstop lint --format json > FILE`".to_owned()),
            Self::Changed(_) => Some("lint again".to_owned()),
            _ => None,
        }
    }
}
