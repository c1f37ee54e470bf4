//! The folders and prefixes that the commands of a document write to or clean, sorted,
//! so that all below one of them are found at once.

use std::collections::BTreeMap;

use crate::finding::Place;
use crate::model::{Command, Location, Role, Scheme, Set};
use crate::units::Days;

/// Folders below one that are looked at.
const BELOW: usize = 256;

/// Document, kind of place, bucket, path without a slash at its end.
type Key = (usize, Scheme, String, String);

/// What is done in a folder.
#[derive(Debug, Clone, Copy)]
pub struct Use {
    /// Where it is named first.
    pub at: Place,
    /// The longest age at which something is deleted there.
    pub days: Option<Days>,
}

#[derive(Debug, Default)]
pub struct Folders {
    used: BTreeMap<Key, Use>,
}

impl Folders {
    pub fn of(set: &Set<'_>) -> Self {
        let mut folders = Self::default();
        for command in &set.commands {
            folders.read(command);
        }
        folders
    }

    /// What lies below a location: the path, the part of it below, and its use.
    pub fn below<'f>(
        &'f self,
        document: usize,
        root: &Location,
    ) -> impl Iterator<Item = (&'f str, &'f str, Use)> {
        let base = root.key.trim_end_matches('/').to_owned();
        // The root of this machine is no folder of backups.
        let none = base.is_empty() && root.scheme == Scheme::Local;
        let prefix = if base.is_empty() { String::new() } else { format!("{base}/") };
        let from = (document, root.scheme, root.bucket.clone(), prefix.clone());
        let bucket = root.bucket.clone();
        let scheme = root.scheme;
        self.used
            .range(from..)
            .take(BELOW)
            .take_while(move |((of, kind, name, path), _)| {
                !none && *of == document && *kind == scheme && *name == bucket && path.starts_with(&prefix)
            })
            .filter_map(move |((.., path), used)| {
                let rest = path.get(if base.is_empty() { 0 } else { base.len() + 1 }..)?;
                (!rest.is_empty()).then_some((path.as_str(), rest, *used))
            })
    }

    fn read(&mut self, command: &Command) {
        let (places, days): (Vec<Location>, Option<Days>) = match &command.role {
            Role::Delete(delete) => (delete.targets.clone(), delete.age.as_ref().and_then(|age| age.days)),
            Role::Dump(dump) => {
                let file = dump.file.as_ref();
                let named = file.map(|said| Location { key: said.text.clone(), ..Location::of(&said.arg) });
                let to = named.or_else(|| command.output(1).map(Location::of));
                (to.iter().map(folder_of).collect(), None)
            }
            Role::Transform(transform) => {
                let to = transform.output.as_ref().map(|said| Location::of(&said.arg));
                (to.iter().map(folder_of).collect(), None)
            }
            Role::Upload(transfer) => (transfer.destination.iter().map(folder_of).collect(), None),
            Role::Other if command.name == "mkdir" => {
                let folders = command.args.iter().filter(|arg| !arg.text.starts_with('-'));
                (folders.map(Location::of).collect(), None)
            }
            _ => return,
        };
        for place in &places {
            self.put(command, place, days);
        }
    }

    /// As far as the path is known.
    fn put(&mut self, command: &Command, location: &Location, days: Option<Days>) {
        let path = location.key.as_str();
        let known = path.find(['$', '*', '?', '<', '{']).map_or(path, |at| folder(&path[..at]));
        let known = known.trim_end_matches('/').to_owned();
        let key = (command.at.document, location.scheme, location.bucket.clone(), known);
        let used = self.used.entry(key).or_insert(Use { at: location.arg.at, days: None });
        used.days = match (used.days, days) {
            (Some(one), Some(other)) => Some(if one < other { other } else { one }),
            (one, other) => one.or(other),
        };
    }
}

/// `daily/` and `r2:backups/daily` are folders, `daily/shop.dump` is none.
fn folder_of(location: &Location) -> Location {
    let is_file = location.name().contains('.') || location.scheme == Scheme::Local;
    let key = if is_file { folder(&location.key) } else { &location.key }.to_owned();
    Location { key, ..location.clone() }
}

/// The folder of a file, without its slash.
pub fn folder(path: &str) -> &str {
    path.rfind('/').map_or("", |at| &path[..at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use crate::model::Arg;

    #[test]
    fn what_lies_below_is_found_and_nothing_beside() {
        let text = "mkdir -p /b/x /b/y/z /bc\npg_dump -f /b/y/a.dump shop\nfind /b/y -mtime +9 -delete\naws s3 cp a s3://k/daily/a.gz\n";
        let documents = [Document::new("b.sh", text)];
        let set = Set::of(&documents);
        let folders = Folders::of(&set);
        let below = |root: &str| {
            let root = Location::of(&Arg::of(root));
            folders
                .below(0, &root)
                .map(|(_, rest, used)| format!("{rest} {:?}", used.days))
                .collect::<Vec<_>>()
        };
        assert_eq!(below("/b"), ["x None", "y Some(Days(9.0))", "y/z None"]);
        assert_eq!(below("/b/y/"), ["z None"]);
        assert_eq!(below("s3://k"), ["daily None"]);
        assert!(below("/").is_empty());
    }
}
