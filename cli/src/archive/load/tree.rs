//! What is made before the rows, in parts: its entries flow in, and out flow those that
//! others need, and families of tables that need nothing of each other and can be made
//! side by side.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::archive::toc::{Entry, Toc};

/// A hand with fewer entries is hardly worth its connection.
const FEWEST: usize = 50;
/// Bytes of a table's name that are left of it in the name of a type, at least.
const LONGEST: usize = 50;

/// Entries as dump ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// To be made first.
    pub trunk: BTreeSet<i32>,
    /// To be made then, in any order.
    families: Vec<Vec<i32>>,
}

impl Tree {
    pub fn of(toc: &Toc, before: &BTreeSet<i32>) -> Self {
        let families = families(toc, before);
        let mut trunk = before.clone();
        for id in families.iter().flatten() {
            trunk.remove(id);
        }
        Self { trunk, families }
    }

    /// How many hands there is enough to do for: at least one, at most so many.
    pub fn hands(&self, most: usize) -> usize {
        let entries: usize = self.families.iter().map(Vec::len).sum();
        most.min(entries / FEWEST).max(1)
    }

    /// About as much for each hand.
    pub fn deal(&self, hands: usize) -> Vec<BTreeSet<i32>> {
        let mut dealt = vec![BTreeSet::new(); hands.max(1)];
        for family in &self.families {
            if let Some(least) = dealt.iter_mut().min_by_key(|branch| branch.len()) {
                least.extend(family);
            }
        }
        dealt
    }
}

/// Whether it is a table, or hangs on one.
fn hangs(entry: &Entry) -> bool {
    matches!(
        entry.desc.as_str(),
        "TABLE" | "TABLE ATTACH" | "SEQUENCE" | "SEQUENCE OWNED BY" | "DEFAULT" | "COMMENT"
    )
}

/// Tables with all that hangs on them, together with those that they need or are needed
/// by: partitions with their whole, children with their parents. A family that anything
/// else needs, such as the tables of a view, is none: it belongs to the trunk.
fn families(toc: &Toc, before: &BTreeSet<i32>) -> Vec<Vec<i32>> {
    let entries: Vec<&Entry> = toc.entries.iter().filter(|entry| before.contains(&entry.dump_id)).collect();
    let hanging: HashSet<i32> =
        entries.iter().filter(|entry| hangs(entry)).map(|entry| entry.dump_id).collect();
    let mut heads = Heads(hanging.iter().map(|id| (*id, *id)).collect());
    for entry in entries.iter().filter(|entry| hangs(entry)) {
        for needed in entry.dependencies.iter().filter(|id| hanging.contains(id)) {
            heads.join(entry.dump_id, *needed);
        }
    }
    let mut alike = HashMap::new();
    for table in entries.iter().filter(|entry| entry.desc == "TABLE") {
        heads.join(table.dump_id, *alike.entry(type_name(table)).or_insert(table.dump_id));
    }
    let needed_by_others: HashSet<i32> = entries
        .iter()
        .filter(|entry| !hangs(entry))
        .flat_map(|entry| entry.dependencies.iter().filter(|id| hanging.contains(id)))
        .map(|id| heads.of(*id))
        .collect();
    let mut families: HashMap<i32, Vec<i32>> = HashMap::new();
    let mut order = Vec::new();
    for id in entries.iter().map(|entry| entry.dump_id).filter(|id| hanging.contains(id)) {
        let head = heads.of(id);
        if needed_by_others.contains(&head) {
            continue;
        }
        families.entry(head).or_insert_with(|| {
            order.push(head);
            Vec::new()
        });
        families.entry(head).or_default().push(id);
    }
    order.into_iter().filter_map(|head| families.remove(&head)).collect()
}

/// What the array type of a table is called, nearly: the server looks for a name that is
/// free, a `_` before the table's own, and two that look at once would find the same.
fn type_name(table: &Entry) -> (&str, &[u8]) {
    let name = table.tag.trim_start_matches('_').as_bytes();
    // A name that has no room for it is cut.
    (&table.namespace, &name[..name.len().min(LONGEST)])
}

/// Each member's next one on the way to the head of its family; a head's is itself.
struct Heads(HashMap<i32, i32>);

impl Heads {
    fn of(&self, mut id: i32) -> i32 {
        while let Some(next) = self.0.get(&id).filter(|next| **next != id) {
            id = *next;
        }
        id
    }

    fn join(&mut self, one: i32, other: i32) {
        let (one, other) = (self.of(one), self.of(other));
        self.0.insert(one, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::fixtures::{self, everything};
    use crate::archive::load::stages;

    fn entry(toc: &Toc, dump_id: i32, desc: &str, dependencies: &[i32]) -> Entry {
        Entry {
            dump_id,
            desc: desc.to_owned(),
            tag: format!("n{dump_id}"),
            dependencies: dependencies.to_vec(),
            ..toc.entries[0].clone()
        }
    }

    fn tree(entries: &[(i32, &str, &[i32])]) -> Tree {
        let (mut toc, _) = fixtures::toc(fixtures::EMPTY_18);
        toc.entries = entries.iter().map(|(id, desc, needs)| entry(&toc, *id, desc, needs)).collect();
        Tree::of(&toc, &entries.iter().map(|(id, ..)| *id).collect())
    }

    #[test]
    fn a_table_goes_with_all_that_hangs_on_it() {
        let tree = tree(&[
            (1, "SCHEMA", &[]),
            (2, "TYPE", &[1]),
            (3, "COMMENT", &[2]),
            (10, "TABLE", &[1, 2]),
            (11, "SEQUENCE", &[1, 10]),
            (12, "SEQUENCE OWNED BY", &[11]),
            (13, "DEFAULT", &[10, 11]),
            (20, "TABLE", &[1, 99]),
            (30, "TABLE", &[1]),
            (31, "TABLE", &[30]),
            (40, "TABLE", &[1]),
            (41, "TABLE ATTACH", &[40, 30]),
        ]);
        assert_eq!(tree.trunk, BTreeSet::from([1, 2]));
        let mut families = tree.families;
        families.sort();
        assert_eq!(families, [vec![3], vec![10, 11, 12, 13], vec![20], vec![30, 31, 40, 41]]);
    }

    #[test]
    fn a_family_that_anything_else_needs_comes_first() {
        let tree = tree(&[
            (10, "TABLE", &[]),
            (11, "VIEW", &[10]),
            (20, "TABLE", &[]),
            (21, "DEFAULT", &[20]),
            (22, "FUNCTION", &[20]),
            (30, "TABLE", &[22]),
            (40, "TABLE", &[]),
            (41, "FUNCTION", &[42]),
            (42, "TABLE ATTACH", &[40, 30]),
            (50, "TABLE", &[22]),
            (51, "LATER KIND", &[50]),
            (60, "TABLE", &[22]),
        ]);
        assert_eq!(tree.families, [vec![60]]);
        assert_eq!(tree.trunk.len(), 11);
    }

    #[test]
    fn tables_whose_types_are_called_alike_are_made_one_after_the_other() {
        let (mut toc, _) = fixtures::toc(fixtures::EMPTY_18);
        let long = "x".repeat(62);
        let names = ["posts", "_posts", "__posts", "posts_", &format!("{long}a"), &format!("{long}b"), "ü"];
        let table =
            |(id, tag): (i32, &&str)| Entry { tag: (*tag).to_owned(), ..entry(&toc, id, "TABLE", &[]) };
        let mut tables: Vec<Entry> = (1..).zip(&names).map(table).collect();
        tables.push(Entry { namespace: "other".to_owned(), ..tables[0].clone() });
        tables[7].dump_id = 8;
        toc.entries = tables;
        let tree = Tree::of(&toc, &(1..=8).collect());
        assert_eq!(tree.families, [vec![1, 2, 3], vec![4], vec![5, 6], vec![7], vec![8]]);
    }

    #[test]
    fn every_entry_is_dealt_to_one_hand() {
        let entries: Vec<(i32, &str, &[i32])> = (1..=250).map(|id| (id, "TABLE", &[][..])).collect();
        let tree = tree(&entries);
        assert!(tree.trunk.is_empty());
        assert_eq!([1, 3, 5, 9].map(|most| tree.hands(most)), [1, 3, 5, 5]);
        let dealt = tree.deal(3);
        assert_eq!(dealt.iter().map(BTreeSet::len).collect::<Vec<_>>(), [84, 83, 83]);
        assert_eq!(dealt.iter().flatten().copied().collect::<BTreeSet<_>>(), (1..=250).collect());
        assert_eq!(tree.deal(0), [(1..=250).collect()]);
    }

    #[test]
    fn what_is_made_of_a_real_archive() {
        let (toc, _) = fixtures::toc(fixtures::ZOO_18_NONE);
        let before = stages(&toc, &everything(&toc)).unwrap().before;
        let tree = Tree::of(&toc, &before);
        let index = toc.index();
        let mut families: Vec<String> = tree
            .families
            .iter()
            .map(|ids| {
                ids.iter()
                    .map(|id| format!("{} {}", index[id].desc, index[id].name()))
                    .collect::<Vec<_>>()
                    .join(", ")
            })
            .collect();
        families.sort();
        let shown: String = families.iter().map(|family| format!("{family:?}\n")).collect();
        insta::assert_snapshot!(shown, @r#"
        "COMMENT EXTENSION citext"
        "COMMENT SCHEMA public"
        "SEQUENCE public.down, TABLE public.uses_free_sequence"
        "SEQUENCE public.never_called"
        "TABLE public.by_state, TABLE public.by_state_0, TABLE public.by_state_1, TABLE ATTACH public.by_state_0, TABLE ATTACH public.by_state_1"
        "TABLE public.chicken"
        "TABLE public.dropped"
        "TABLE public.egg"
        "TABLE public.empty"
        "TABLE public.event_notes"
        "TABLE public.events, TABLE public.events_2025, TABLE public.events_rest, TABLE public.events_rest_0, TABLE public.events_rest_1, TABLE ATTACH public.events_2025, TABLE ATTACH public.events_rest, TABLE ATTACH public.events_rest_0, TABLE ATTACH public.events_rest_1"
        "TABLE public.only_marker"
        "TABLE public.parent, TABLE public.child"
        "TABLE public.typed"
        "TABLE public.unlogged"
        "TABLE public.wide"
        "TABLE public.zero_columns"
        "TABLE public.Ünïcode"
        "TABLE shop.products, SEQUENCE shop.products_id_seq, SEQUENCE OWNED BY shop.products_id_seq, DEFAULT shop.products id"
        "TABLE we\"ird schema.tab le\n-- x, COMMENT we\"ird schema.TABLE \"tab le\n-- x\""
        "#);
        assert_eq!(tree.hands(8), 1);
        // Nothing that is made first needs anything of theirs.
        let theirs: BTreeSet<i32> = tree.families.iter().flatten().copied().collect();
        for id in &tree.trunk {
            assert!(
                !index[id].dependencies.iter().any(|needed| theirs.contains(needed)),
                "{}",
                index[id].name()
            );
        }
    }
}
