//! Indexes that are made while other rows still flow in: a table whose last row was
//! committed flows in, what stands on that table alone flows out, one entry at a time.
//! What is left of it when the rows are over is made with all the rest.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::archive::load::{Build, Table};

/// A table with fewer bytes has its indexes in a moment.
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
    /// Connections that build at a time: the others go on with the rows.
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Build>,
    building: usize,
    made: BTreeSet<i32>,
    over: bool,
}

impl Builds {
    pub(super) fn new(early: HashMap<i32, Vec<Build>>, connections: usize) -> Self {
        Self { early, most: connections / 2, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody let go of a table, with everything committed. The last one makes it ready.
    pub(super) fn let_go(&self, filling: Arc<Filling>) {
        let Some(Filling { table, size }) = Arc::into_inner(filling) else { return };
        if size.get().is_some_and(|size| *size >= LARGE) {
            self.state().ready.extend(self.early.get(&table.dump_id).into_iter().flatten().cloned());
        }
    }

    /// The next entry to make, unless enough are being made.
    pub(super) fn take(&self) -> Option<Build> {
        let mut state = self.state();
        if state.over || state.building == self.most {
            return None;
        }
        let build = state.ready.pop_front()?;
        state.building += 1;
        Some(build)
    }

    pub(super) fn made(&self, entry: i32) {
        let mut state = self.state();
        state.building -= 1;
        state.made.insert(entry);
    }

    /// The rows are over, and with them the time in which one entry goes after another.
    pub(super) fn over(&self) {
        self.state().over = true;
    }

    /// What need not be made any more.
    pub(super) fn all_made(self) -> BTreeSet<i32> {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filling(dump_id: i32) -> Arc<Filling> {
        let table = Table { dump_id, name: "t".to_owned(), copy: String::new(), alone: false };
        Filling::of(Arc::new(table))
    }

    fn builds(connections: usize) -> Builds {
        let named = |dump_id| Build { dump_id, name: String::new(), statement: String::new() };
        Builds::new(HashMap::from([(1, vec![named(11), named(12)]), (2, vec![named(21)])]), connections)
    }

    fn taken(builds: &Builds) -> Option<i32> {
        builds.take().map(|build| build.dump_id)
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
        let third = filling(1);
        third.over(LARGE);
        builds.let_go(third);
        builds.over();
        builds.made(12);
        assert_eq!(taken(&builds), None);
        builds.made(21);
        assert_eq!(builds.all_made(), BTreeSet::from([11, 12, 21]));
    }

    #[test]
    fn not_of_a_small_table_nor_of_one_that_was_not_whole_nor_by_the_only_connection() {
        let several = builds(2);
        let small = filling(1);
        small.over(LARGE - 1);
        several.let_go(small);
        several.let_go(filling(2));
        assert_eq!(taken(&several), None);
        let one = builds(1);
        let large = filling(1);
        large.over(LARGE);
        one.let_go(large);
        assert_eq!(taken(&one), None);
    }
}
