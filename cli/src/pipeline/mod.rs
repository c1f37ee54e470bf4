//! What happens to bytes between a database and a store: tally, encrypt, tally
//! on the way out ([`seal`]), decrypt and decompress on the way in ([`open`]).
//!
//! Everything streams on one blocking thread; nothing touches a disk. Only
//! [`Sealing::finish`] yields the [`Sealed`] that a commit needs.

use std::io::{self, Read};

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
pub use self::tally::{Count, Tally, TallyWriter};

/// Where the bytes of an artifact come from. `finish` is called once, after the
/// last byte was read: only when it succeeds is the stream's end said, so that
/// no store ever completes an object whose source failed.
pub trait Source: Read + Send + 'static {
    type Outcome: Send + 'static;
    fn finish(self) -> io::Result<Self::Outcome>;
}

/// Bytes that are in memory already, such as the text of the globals.
impl Source for io::Cursor<Vec<u8>> {
    type Outcome = ();

    fn finish(self) -> io::Result<()> {
        Ok(())
    }
}
