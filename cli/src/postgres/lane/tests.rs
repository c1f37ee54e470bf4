use super::fake::{copied, lane, message};
use super::*;
use proptest::prelude::*;

/// Every row that came to its end.
#[derive(Default)]
struct Rows {
    whole: Vec<Vec<u8>>,
    begun: Vec<u8>,
    /// Says that it is full after each piece.
    full: bool,
    made_room: usize,
}

impl Sink for Rows {
    type Error = Error;

    fn take(&mut self, piece: &[u8], end: bool) -> Fullness {
        self.begun.extend_from_slice(piece);
        if end {
            self.whole.push(std::mem::take(&mut self.begun));
        }
        if self.full { Fullness::Full } else { Fullness::Room }
    }

    async fn make_room(&mut self) -> Result<(), Error> {
        self.made_room += 1;
        Ok(())
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn refusal(sqlstate: &str, text: &str) -> Vec<u8> {
    message(b'E', format!("SFATAL\0C{sqlstate}\0M{text}\0\0").as_bytes())
}

proptest! {
    #[test]
    fn rows_come_whole_however_they_are_cut(
        rows in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..400), 0..40),
        large in proptest::option::of(250_000usize..600_000),
        pieces in proptest::collection::vec(prop_oneof![1usize..9, 1usize..300_000], 1..8),
        full in any::<bool>(),
    ) {
        let mut rows = rows;
        rows.extend(large.map(|length| vec![7; length]));
        // What comes between the rows is nothing to them.
        let mut said = message(b'N', b"SNOTICE\0Mx\0\0");
        said.extend(message(b'S', b"TimeZone\0UTC\0"));
        said.extend(copied(&rows));
        let (found, count) = run(async {
            let mut sink = Rows { full, ..Rows::default() };
            let mut lane = lane(said, pieces).await;
            let count = lane.copy("copy", "COPY t TO STDOUT", &mut sink).await.unwrap();
            (sink, count)
        });
        prop_assert_eq!(count, rows.len() as u64);
        prop_assert!(found.whole == rows);
        prop_assert!(!full || found.made_room >= rows.len());
    }

    /// Whatever a server says, it is read to an end: nothing panics, and a length that
    /// it claims takes no memory.
    #[test]
    fn hostile_bytes_end_in_an_error(
        messages in proptest::collection::vec(
            (prop_oneof![any::<u8>(), Just(b'd'), Just(b'D'), Just(b'E'), Just(b'C')], any::<u32>(),
             proptest::collection::vec(any::<u8>(), 0..60), any::<bool>()),
            0..12,
        ),
        pieces in proptest::collection::vec(1usize..40, 1..6),
    ) {
        let said: Vec<u8> = messages
            .iter()
            .flat_map(|(kind, claimed, body, honest)| match honest {
                true => message(*kind, body),
                false => [&[*kind], &claimed.to_be_bytes()[..], body].concat(),
            })
            .collect();
        // Unless it happens to say that it is ready.
        let ready = said.contains(&b'Z');
        let (copied, queried, lost) = run(async {
            let copied = lane(said.clone(), pieces.clone()).await.copy("copy", "x", &mut Rows::default()).await;
            let queried = lane(said.clone(), pieces.clone()).await.query("ask", "x").await;
            let lost = lane(said, pieces).await.lost("wait").await;
            (copied, queried, lost)
        });
        prop_assert!(ready || (copied.is_err() && queried.is_err()));
        prop_assert!(!lost.to_string().is_empty());
    }

    #[test]
    fn hostile_rows_are_none_or_what_they_say(body in proptest::collection::vec(any::<u8>(), 0..60)) {
        if let Some(columns) = columns(&body) {
            let bytes: usize = columns.iter().flatten().map(Vec::len).sum();
            prop_assert!(bytes + 2 + 4 * columns.len() <= body.len());
        }
    }
}

#[test]
fn what_ends_a_session_is_told_by_its_first_error() {
    let said = [
        message(b'S', b"a\0b\0"),
        refusal("57P01", "terminating connection due to administrator command"),
        refusal("XX000", "and more"),
    ]
    .concat();
    let (lost, copied) = run(async {
        let lost = lane(said.clone(), vec![3]).await.lost("keep the tables locked").await;
        let copied = lane(said, vec![5]).await.copy("copy", "x", &mut Rows::default()).await.unwrap_err();
        (lost, copied)
    });
    for error in [lost, copied] {
        assert!(error.to_string().contains("terminating connection"), "{error}");
    }
    let hung_up = run(async { lane(Vec::new(), vec![]).await.lost("wait").await });
    assert!(matches!(hung_up, Error::Lost { .. }), "{hung_up:?}");
}

/// A message may have begun when somebody stops to listen.
#[test]
fn who_stops_to_listen_misses_nothing() {
    let row = message(b'D', &[0, 1, 0, 0, 0, 1, b'7']);
    let mut said = message(b'S', b"some\0setting\0");
    said.extend(row);
    said.extend(message(b'Z', b"T"));
    let found = run(async {
        let mut lane = lane(said, vec![1]).await;
        for _ in 0..3 {
            // Some bytes at a time.
            tokio::select! {
                biased;
                () = async { for _ in 0..2 { lane.fill().await.unwrap(); } } => {}
            }
        }
        let listening = tokio::time::timeout(std::time::Duration::ZERO, std::future::pending::<()>()).await;
        assert!(listening.is_err());
        lane.query("ask", "SELECT 7").await.unwrap()
    });
    assert_eq!(found, [[Some(b"7".to_vec())]]);
}

#[test]
fn a_copy_without_a_count_is_none() {
    let said = [message(b'c', b""), message(b'C', b"SELECT 1\0"), message(b'Z', b"I")].concat();
    let error =
        run(async { lane(said, vec![]).await.copy("copy", "x", &mut Rows::default()).await.unwrap_err() });
    assert!(matches!(error, Error::Lost { .. }), "{error:?}");
}
