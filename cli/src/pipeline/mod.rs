//! What happens to bytes between a database and a store: tally, encrypt, tally
//! on the way out ([`seal`]), decrypt and decompress on the way in ([`open`]).
//!
//! Everything streams on one blocking thread; nothing touches a disk. Only
//! [`Sealing::finish`] yields the [`Sealed`] that a commit needs.

mod age;
mod error;
mod keys;
mod openpgp;
mod openssl;
mod peel;
mod replay;
mod seal;
mod tally;

#[cfg(test)]
mod peers;

pub use self::age::generate_identity;
pub use self::error::Error;
pub use self::keys::{Encryption, Keys};
pub use self::openpgp::Certificate;
pub use self::peel::{Layer, Opened, open};
pub use self::seal::{Sealed, Sealing, seal};
pub use self::tally::{Check, Count, Tally, TallyWriter};
