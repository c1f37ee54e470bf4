//! Everything that knows a PostgreSQL server or its client programs: how to
//! reach one, what it may do, a snapshot of it, and a throwaway cluster.

mod account;
pub mod cluster;
pub mod database;
mod drift;
pub mod error;
pub mod finder;
pub mod fingerprint;
pub mod globals;
pub mod lane;
pub mod locale;
pub mod pooler;
pub mod privileges;
mod refusal;
pub mod session;
pub mod shell;
pub mod snapshot;
pub mod target;
mod tls;
pub mod tools;
pub mod wheel;
mod wire;

pub use error::Error;
pub use session::Session;
pub use target::Target;
