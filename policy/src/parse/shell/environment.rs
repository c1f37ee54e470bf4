//! What scripts are started with: every variable that is set for any of many scripts,
//! once and in order. A script sees some ranges of it, so that a thousand variables
//! for a thousand scripts are a thousand variables.

use std::collections::HashMap;
use std::ops::Range;

/// Grows only, so that a range stays what it was.
#[derive(Debug, Default)]
pub struct Environment {
    /// None: set to something unknown.
    values: Vec<Option<String>>,
    /// Indices into `values`, rising.
    by_name: HashMap<String, Vec<usize>>,
}

impl Environment {
    /// Where the next variable will lie.
    pub fn end(&self) -> usize {
        self.values.len()
    }

    pub fn push(&mut self, name: &str, value: Option<&str>) {
        self.by_name.entry(name.to_owned()).or_default().push(self.values.len());
        self.values.push(value.map(str::to_owned));
    }

    /// What these ranges say about a variable, in their order: the last one holds.
    pub fn values<'s>(
        &'s self,
        ranges: &'s [Range<usize>],
        name: &str,
    ) -> impl DoubleEndedIterator<Item = Option<&'s str>> {
        let indices = self.by_name.get(name).map(Vec::as_slice).unwrap_or_default();
        let within = move |range: &Range<usize>| {
            let first = indices.partition_point(|index| *index < range.start);
            let end = indices.partition_point(|index| *index < range.end);
            indices.get(first..end).unwrap_or_default()
        };
        ranges.iter().flat_map(within).map(|index| self.values.get(*index)?.as_deref())
    }
}
