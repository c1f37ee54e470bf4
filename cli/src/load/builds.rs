//! Indexes that our own connections make: a table whose last row was committed flows
//! in, what stands on that table alone flows out, one entry at a time. Some of it is
//! made while other rows still flow, and what is left as soon as they are over, before
//! pg_restore makes all the rest.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use futures::future::try_join_all;
use tokio_postgres::error::{DbError, SqlState};

use super::Error;
use super::error::refusal;
use crate::archive::load::{Build, Table};
use crate::postgres;
use crate::postgres::session::Session;

/// A table with fewer bytes has each of its indexes in a moment.
const LARGE: u64 = 32 * 1024 * 1024;

/// Rows of one table on their way. Each COPY that has not been committed holds it.
pub(super) struct Filling {
    pub table: Arc<Table>,
    /// Bytes of all its rows, once they are known.
    size: OnceLock<u64>,
}

impl Filling {
    pub(super) fn of(table: Arc<Table>) -> Arc<Self> {
        Arc::new(Self { table, size: OnceLock::new() })
    }

    /// No more rows will come.
    pub(super) fn over(&self, size: u64) {
        self.size.get_or_init(|| size);
    }
}

pub(super) struct Builds {
    /// What can be made as soon as a table is filled, by the dump id of its rows.
    early: HashMap<i32, Vec<Build>>,
    connections: usize,
    state: Mutex<State>,
}

/// An entry whose table is full.
struct Ready {
    build: Build,
    is_large: bool,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Ready>,
    building: usize,
    made: BTreeSet<i32>,
    over: bool,
}

impl Builds {
    pub(super) fn new(mut early: HashMap<i32, Vec<Build>>, connections: usize) -> Self {
        if connections == 1 {
            // Nothing would be done beside anything else.
            early.clear();
        }
        Self { early, connections, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody let go of a table, with everything committed. The last one makes it ready.
    pub(super) fn let_go(&self, filling: Arc<Filling>) {
        let Some(Filling { table, size }) = Arc::into_inner(filling) else { return };
        // Rows that ended in an error are not all.
        let Some(is_large) = size.get().map(|size| *size >= LARGE) else { return };
        let builds = self.early.get(&table.dump_id).into_iter().flatten().cloned();
        self.state().ready.extend(builds.map(|build| Ready { build, is_large }));
    }

    /// No more rows will be handed out.
    pub(super) fn over(&self) {
        self.state().over = true;
    }

    /// Whether there is an entry whose time has come.
    pub(super) fn is_due(&self) -> bool {
        self.is_due_in(&self.state())
    }

    fn is_due_in(&self, state: &State) -> bool {
        // While there are rows, half of the connections see to them.
        !state.ready.is_empty() && (state.over || state.building < self.connections / 2)
    }

    /// Make the next entry, if there is one whose time has come.
    pub(super) async fn make_next(&self, session: &Session) -> Result<bool, Error> {
        let Some((Ready { build, is_large }, helped)) = self.take() else { return Ok(false) };
        if helped {
            let allow = session.batch_execute("RESET max_parallel_maintenance_workers").await;
            allow.map_err(postgres::Error::asking("prepare a connection for an index"))?;
        }
        make(session, &build, is_large).await?;
        self.made(build.dump_id);
        Ok(true)
    }

    /// The next entry, and whether the server's helpers may take part in it.
    fn take(&self) -> Option<(Ready, bool)> {
        let mut state = self.state();
        if !self.is_due_in(&state) {
            return None;
        }
        let left = state.ready.len() + state.building;
        // A connection stands for a core. Measured on a sorted key of seven million rows:
        // two helpers take half as much work again, and where no core is idle no less time.
        let helped = state.over && 2 * left <= self.connections;
        let ready = state.ready.pop_front()?;
        state.building += 1;
        Some((ready, helped))
    }

    fn made(&self, entry: i32) {
        let mut state = self.state();
        state.building -= 1;
        state.made.insert(entry);
    }

    /// Make what the last commit made ready, side by side; all that need not be made
    /// any more.
    pub(super) async fn finish(self, sessions: &[Session]) -> Result<BTreeSet<i32>, Error> {
        try_join_all(sessions.iter().map(async |session| {
            while self.make_next(session).await? {}
            Ok::<(), Error>(())
        }))
        .await?;
        Ok(self.state.into_inner().unwrap_or_else(PoisonError::into_inner).made)
    }
}

async fn make(session: &Session, build: &Build, is_large: bool) -> Result<(), Error> {
    let name = &build.name;
    for statement in build.statements(is_large) {
        session.batch_execute(statement).await.map_err(|error| match refusal(&error) {
            Some(said) => Error::Build { name: name.clone(), what: what(said), excluded: excludes(said) },
            None => postgres::Error::asking(format!("make {name}"))(error).into(),
        })?;
    }
    Ok(())
}

/// What the server says, and by which columns rows exclude each other. It tells their
/// values too, which are nobody's business.
fn what(said: &DbError) -> String {
    let how = match said.code() {
        &SqlState::UNIQUE_VIOLATION => "several rows have the same",
        _ => "rows exclude each other by",
    };
    let columns = said.detail().filter(|_| excludes(said)).and_then(columns);
    let columns = columns.map(|columns| format!(": {how} ({columns})"));
    format!("{}{}", said.message(), columns.unwrap_or_default())
}

/// Whether it is about rows that cannot be there together.
fn excludes(said: &DbError) -> bool {
    [SqlState::UNIQUE_VIOLATION, SqlState::EXCLUSION_VIOLATION].contains(said.code())
}

/// Those of `Key (a, b)=(1, 2) is duplicated.`, in any language.
fn columns(detail: &str) -> Option<&str> {
    Some(detail.split_once('(')?.1.split_once(")=(")?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_told_and_values_are_not() {
        for (detail, told) in [
            ("Key (id)=(77) is duplicated.", Some("id")),
            ("Schlüssel »(a, lower(b))=(1, )=(x)« ist doppelt vorhanden.", Some("a, lower(b)")),
            ("Key (at, room)=([1,2), 3) conflicts with key (at, room)=([1,3), 3).", Some("at, room")),
            ("Duplicate keys exist.", None),
        ] {
            assert_eq!(columns(detail), told, "{detail}");
        }
    }

    fn filling(dump_id: i32) -> Arc<Filling> {
        let table = Table { dump_id, name: "t".to_owned(), copy: String::new(), alone: false };
        Filling::of(Arc::new(table))
    }

    fn builds(connections: usize) -> Builds {
        let build = |dump_id| Build { dump_id, ..Build::default() };
        Builds::new(HashMap::from([(1, vec![build(11), build(12)]), (2, vec![build(21)])]), connections)
    }

    fn taken(builds: &Builds) -> Option<i32> {
        builds.take().map(|(ready, _)| ready.build.dump_id)
    }

    #[test]
    fn an_index_waits_for_the_last_copy_of_its_table() {
        let builds = builds(4);
        let (first, second) = (filling(1), filling(2));
        let copies = [first.clone(), first.clone()];
        first.over(LARGE);
        builds.let_go(first);
        let [one, other] = copies;
        builds.let_go(one);
        assert_eq!(taken(&builds), None);
        builds.let_go(other);
        assert_eq!((taken(&builds), taken(&builds)), (Some(11), Some(12)));
        second.over(LARGE);
        builds.let_go(second);
        assert_eq!(taken(&builds), None, "two of four go on with the rows");
        builds.made(11);
        assert_eq!(taken(&builds), Some(21));
        builds.made(12);
        builds.made(21);
        assert_eq!(builds.state().made, BTreeSet::from([11, 12, 21]));
    }

    #[test]
    fn when_the_rows_are_over_everybody_builds_and_idle_cores_help() {
        let builds = builds(3);
        for table in [1, 2] {
            let filling = filling(table);
            filling.over(LARGE);
            builds.let_go(filling);
        }
        let taken = || builds.take().map(|(ready, helped)| (ready.build.dump_id, helped));
        assert_eq!(taken(), Some((11, false)));
        assert_eq!(taken(), None, "two of three go on with the rows");
        builds.over();
        assert_eq!((taken(), taken()), (Some((12, false)), Some((21, false))));
        for entry in [11, 12, 21] {
            builds.made(entry);
        }
        let again = filling(2);
        again.over(LARGE);
        builds.let_go(again);
        assert_eq!(taken(), Some((21, true)));
    }

    #[test]
    fn not_of_a_table_that_was_not_whole_nor_by_the_only_connection() {
        let several = builds(2);
        several.let_go(filling(2));
        assert_eq!(taken(&several), None);
        let one = builds(1);
        let large = filling(1);
        large.over(LARGE);
        one.let_go(large);
        assert_eq!(taken(&one), None);
    }
}
