//! A reader that can be read again from where it began, until it is committed:
//! so that several keys can be tried on one stream without a second copy of it.

use std::fmt;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

/// What a header may hold before a key fits. Also bounds what a hostile header
/// can make a parser keep in memory.
const HEADER: usize = 512 * 1024;

/// A handle on a stream; all clones share one position.
#[derive(Clone)]
pub struct Replay(Arc<Mutex<Tape>>);

struct Tape {
    inner: Box<dyn Read + Send>,
    kept: Vec<u8>,
    position: usize,
    keeping: bool,
}

impl Replay {
    pub fn new(inner: impl Read + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Tape {
            inner: Box::new(inner),
            kept: Vec::new(),
            position: 0,
            keeping: true,
        })))
    }

    /// Back to the beginning.
    pub fn rewind(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).position = 0;
    }

    /// A key fits: from here on nothing is kept.
    pub fn commit(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keeping = false;
    }
}

impl Read for Replay {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut tape = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tape.position < tape.kept.len() {
            let length = (&tape.kept[tape.position..]).read(out)?;
            tape.position += length;
            return Ok(length);
        }
        if !tape.keeping {
            tape.kept = Vec::new();
            tape.position = 0;
            return tape.inner.read(out);
        }
        if tape.kept.len() >= HEADER {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the header does not end"));
        }
        let length = tape.inner.read(out)?;
        tape.kept.extend_from_slice(&out[..length]);
        tape.position = tape.kept.len();
        Ok(length)
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Replay")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_comes_again_until_it_is_committed() {
        let mut replay = Replay::new(&b"header and body"[..]);
        let mut first = [0; 6];
        replay.read_exact(&mut first).unwrap();
        replay.rewind();
        let mut again = [0; 3];
        replay.read_exact(&mut again).unwrap();
        assert_eq!(&again, b"hea");
        replay.commit();
        let mut rest = String::new();
        replay.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "der and body");
    }

    #[test]
    fn a_header_without_an_end_is_refused() {
        let mut replay = Replay::new(io::repeat(7));
        assert!(io::copy(&mut replay, &mut io::sink()).is_err());
    }
}
