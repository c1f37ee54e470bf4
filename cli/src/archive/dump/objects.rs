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
        // What follows the damage is of no use.
        if !self.damaged {
            self.message.extend_from_slice(piece);
            self.damaged = end && self.row().is_none();
        }
        if self.made.len() >= FRAME { Fullness::Full } else { Fullness::Room }
    }

    async fn make_room(&mut self) -> Result<(), Refused> {
        let made = std::mem::take(&mut self.made);
        self.work.line.push(self.job, made).await.map_err(|closed| Refused::Here(closed.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::frame::Coding;
    use super::super::line::Next;
    use super::super::plan::Job;
    use super::*;
    use crate::postgres::lane::fake::{copied, lane};
    use proptest::prelude::*;

    /// The rows of COPY's binary format, of one column each.
    fn binary(pieces: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut first = b"PGCOPY\n\xff\r\n\0".to_vec();
        first.extend([0; 8]);
        let row = |piece: &Vec<u8>| {
            let length = u32::try_from(piece.len()).unwrap();
            [&1i16.to_be_bytes(), &length.to_be_bytes()[..], piece].concat()
        };
        let mut rows: Vec<Vec<u8>> = pieces.iter().map(row).collect();
        // A server may say the signature apart or before the first row.
        match rows.first_mut() {
            Some(row) if pieces.len().is_multiple_of(2) => *row = [first, row.clone()].concat(),
            _ => rows.insert(0, first),
        }
        rows.push((-1i16).to_be_bytes().to_vec());
        rows
    }

    /// What a group of large objects becomes, when the server says this.
    fn made(group: &[LargeObject], said: Vec<u8>) -> Result<(Vec<u8>, Done), String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let work = Work::new(vec![Job::Objects(group.to_vec())], Coding::None, None);
        std::thread::scope(|scope| {
            // The line has room for so much only.
            let taking = scope.spawn(|| {
                let mut out = Vec::new();
                while let Ok(Next::Bytes(bytes)) = work.line.next() {
                    out.extend(bytes);
                }
                out
            });
            let copied = runtime.block_on(async {
                let mut coder = Coder::new(Coding::None).unwrap();
                let mut lane = lane(said, vec![777]).await;
                copy(&work, &mut coder, &mut lane, 0, group).await
            });
            match &copied {
                Ok(done) => work.line.done(0, *done),
                Err(_) => work.line.close(),
            }
            let out = taking.join().unwrap();
            match copied {
                Ok(done) => Ok((out, done)),
                Err(Halt::Failed(error)) => Err(error.to_string()),
                Err(_) => Err("halted".to_owned()),
            }
        })
    }

    fn pieces_of(contents: &[Vec<u8>]) -> Vec<Vec<u8>> {
        contents.iter().flat_map(|bytes| bytes.chunks(FRAME).map(<[u8]>::to_vec)).collect()
    }

    fn objects(contents: &[Vec<u8>]) -> Vec<LargeObject> {
        let object = |(oid, bytes): (u32, &Vec<u8>)| LargeObject { oid, bytes: bytes.len() as u64 };
        (u32::MAX - 3..=u32::MAX).chain(1..).zip(contents).map(object).collect()
    }

    /// Numbers and bytes of the objects of a block without compression.
    fn read(mut block: &[u8]) -> Vec<(u32, Vec<u8>)> {
        let int = |block: &mut &[u8]| {
            let (head, rest) = block.split_first_chunk::<5>().unwrap();
            *block = rest;
            let size = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
            // The sign of a number above 2^31.
            if head[0] == 1 { size.wrapping_neg() } else { size }
        };
        let mut found = Vec::new();
        while !block.is_empty() {
            let oid = int(&mut block);
            let mut bytes = Vec::new();
            loop {
                let length = int(&mut block) as usize;
                if length == 0 {
                    break;
                }
                bytes.extend_from_slice(&block[..length]);
                block = &block[length..];
            }
            found.push((oid, bytes));
        }
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn each_object_comes_out_with_its_bytes(
            contents in proptest::collection::vec(
                prop_oneof![Just(Vec::new()), proptest::collection::vec(any::<u8>(), 1..50),
                    (1usize..3 * FRAME).prop_map(|length| vec![5; length])],
                1..8,
            ),
        ) {
            let group = objects(&contents);
            let rows = binary(&pieces_of(&contents));
            let said = if statement(&group).is_some() { copied(&rows) } else { Vec::new() };
            let (block, done) = made(&group, said).unwrap();
            let expected: Vec<_> = group.iter().map(|object| object.oid).zip(contents.iter().cloned()).collect();
            prop_assert!(read(&block) == expected);
            prop_assert_eq!(done.objects, group.len() as u64);
            prop_assert_eq!(done.bytes, contents.iter().map(|bytes| bytes.len() as u64).sum::<u64>());
        }

        /// Bytes that are not those that were asked for are never taken for them.
        #[test]
        fn a_server_that_says_something_else_is_found_out(
            contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..50), 1..5),
            change in 0usize..6, at in any::<proptest::sample::Index>(),
        ) {
            let group = objects(&contents);
            let mut pieces = pieces_of(&contents);
            let n = at.index(pieces.len());
            let rows = match change {
                0 => { pieces.remove(n); binary(&pieces) }
                1 => { pieces[n].push(1); binary(&pieces) }
                2 => { pieces[n].pop(); binary(&pieces) }
                3 => { pieces.push(vec![1]); binary(&pieces) }
                // Another count of columns; a NULL.
                4 => { let mut rows = binary(&pieces); rows.last_mut().unwrap()[1] = 2; rows }
                _ => {
                    let mut rows = binary(&pieces);
                    let end = rows.len() - 1;
                    rows.insert(end, [&1i16.to_be_bytes(), &(-1i32).to_be_bytes()[..]].concat());
                    rows
                }
            };
            let said = made(&group, copied(&rows)).unwrap_err();
            prop_assert!(said.contains("did not come as they were asked for"), "{}", said);
        }
    }
}
