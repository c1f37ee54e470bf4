//! Everything that knows a PostgreSQL server or its client programs: how to
//! reach one, what it may do, a snapshot of it, and a throwaway cluster.

mod error;
pub mod pooler;
pub mod privileges;
pub mod provider;
mod refusal;
pub mod session;
pub mod target;
mod tls;

pub use error::Error;
pub use session::Session;
pub use target::Target;
