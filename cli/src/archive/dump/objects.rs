//! Large objects: a group of them flows in, their bytes flow out, each object with
//! its number and as a stream of its own. They are read in pieces, since the server
//! hands out no more than a gigabyte at once.

use super::super::Error;
use super::super::frame::{Coder, FRAME};
use super::super::relation::LargeObject;
use super::super::write::int;
use super::line::Done;
use super::worker::{Halt, Refused, Work};
use crate::postgres::lane::{Fullness, Lane, Sink};

/// Of the binary format of COPY: a signature of 11 bytes, flags, and the length of
/// an extension that nobody uses.
const SIGNATURE: usize = 19;

pub(super) async fn copy(
    work: &Work,
    coder: &mut Coder,
    lane: &mut Lane,
    job: usize,
    group: &[LargeObject],
) -> Result<Done, Halt> {
    let mut reading = Reading {
        work,
        coder,
        job,
        group,
        now: 0,
        left: 0,
        begun: false,
        message: Vec::new(),
        signature: SIGNATURE,
        made: Vec::new(),
        bytes: 0,
        damaged: false,
    };
    reading.skip_empty();
    let statement = statement(group);
    if let Some(statement) = statement {
        match lane.copy("read its bytes", &statement, &mut reading).await {
            Ok(_) => {}
            Err(Refused::Server(source)) => return Err(Error::Objects(source).into()),
            Err(Refused::Here(halt)) => return Err(halt),
        }
    }
    if reading.damaged || reading.now != group.len() {
        let object = group.get(reading.now).map_or(0, |object| object.oid);
        return Err(Error::DamagedObject { oid: object }.into());
    }
    let made = std::mem::take(&mut reading.made);
    let bytes = reading.bytes;
    work.line.push(job, made).await?;
    Ok(Done { bytes, objects: group.len() as u64, ..Done::default() })
}

/// One row a piece, in order.
fn statement(group: &[LargeObject]) -> Option<String> {
    let (mut oids, mut offsets, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
    for object in group {
        let mut offset = 0;
        while offset < object.bytes {
            let length = (object.bytes - offset).min(FRAME as u64);
            oids.push(object.oid.to_string());
            offsets.push(offset.to_string());
            lengths.push(length.to_string());
            offset += length;
        }
    }
    if oids.is_empty() {
        return None;
    }
    Some(format!(
        "COPY (SELECT pg_catalog.lo_get(p.oid, p.at, p.length) FROM ROWS FROM \
         (unnest('{{{}}}'::oid[]), unnest('{{{}}}'::int8[]), unnest('{{{}}}'::int4[])) AS p(oid, at, length)) \
         TO STDOUT WITH (FORMAT binary)",
        oids.join(","),
        offsets.join(","),
        lengths.join(",")
    ))
}

/// Rows of one binary column each.
struct Reading<'w> {
    work: &'w Work,
    coder: &'w mut Coder,
    job: usize,
    group: &'w [LargeObject],
    /// Which object's bytes come.
    now: usize,
    /// Bytes that it still lacks.
    left: u64,
    begun: bool,
    /// A message of the server, in which the signature may stand before a row.
    message: Vec<u8>,
    signature: usize,
    made: Vec<u8>,
    bytes: u64,
    damaged: bool,
}

impl Reading<'_> {
    /// Objects without a byte, of which no row comes.
    fn skip_empty(&mut self) {
        while let Some(object) = self.group.get(self.now)
            && object.bytes == 0
        {
            self.begin(object.oid);
            self.end();
        }
    }

    fn begin(&mut self, oid: u32) {
        self.made.extend(int(i64::from(oid.cast_signed())));
        self.coder.open(&mut self.made);
        self.begun = true;
    }

    fn end(&mut self) {
        self.coder.close(self.coder.check(), &mut self.made);
        self.begun = false;
        self.now += 1;
    }

    /// A count of columns (-1 ends the copy), a length, and bytes.
    fn row(&mut self) -> Option<()> {
        let message = std::mem::take(&mut self.message);
        let skipped = self.signature.min(message.len());
        self.signature -= skipped;
        let row = message.get(skipped..)?;
        if row.is_empty() || row == (-1i16).to_be_bytes() {
            return Some(());
        }
        let (columns, rest) = row.split_at_checked(2)?;
        let (length, bytes) = rest.split_at_checked(4)?;
        let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]);
        let object = self.group.get(self.now)?;
        if columns != 1i16.to_be_bytes() || bytes.len() as u64 != u64::from(length) || bytes.is_empty() {
            return None;
        }
        if !self.begun {
            self.left = object.bytes;
            self.begin(object.oid);
        }
        self.left = self.left.checked_sub(bytes.len() as u64)?;
        self.bytes += bytes.len() as u64;
        self.coder.piece(bytes, &mut self.made).ok()?;
        if self.left == 0 {
            self.end();
            self.skip_empty();
        }
        // The buffer is used again.
        self.message = message;
        self.message.clear();
        Some(())
    }
}

impl Sink for Reading<'_> {
    type Error = Refused;

    fn take(&mut self, piece: &[u8], end: bool) -> Fullness {
        self.message.extend_from_slice(piece);
        if end && !self.damaged && self.row().is_none() {
            self.damaged = true;
        }
        if self.made.len() >= FRAME { Fullness::Full } else { Fullness::Room }
    }

    async fn make_room(&mut self) -> Result<(), Refused> {
        let made = std::mem::take(&mut self.made);
        self.work.line.push(self.job, made).await.map_err(|closed| Refused::Here(closed.into()))
    }
}
