//! Which bucket a set of lifecycle rules is for: the one that a command puts them
//! on, else the only one that the same document writes to.

use crate::parse::lifecycle::{Lifecycle, Provider};
use crate::path;

use super::location::Scheme;
use super::role::Role;
use super::unit::Unit;
use super::{Bucket, Set};

pub fn of(set: &Set<'_>) -> Vec<Bucket> {
    let units =
        set.units.iter().enumerate().filter_map(|(index, unit)| Some((index, unit, unit.lifecycle()?)));
    let bucket = |(unit, of, lifecycle): (usize, &Unit<'_>, Lifecycle<'_>)| Bucket {
        unit,
        name: by_command(set, unit).or_else(|| only(set, of.document, lifecycle.provider)),
    };
    units.map(bucket).collect()
}

/// `aws s3api put-bucket-lifecycle-configuration --bucket b --lifecycle-configuration
/// file://rules.json`, `gsutil lifecycle set rules.json gs://b`.
fn by_command(set: &Set<'_>, unit: usize) -> Option<String> {
    let file = path::name(set.units.get(unit)?.path.as_deref()?);
    set.commands.iter().find_map(|command| {
        let about = command.args.iter().any(|arg| arg.text.contains("lifecycle"));
        let names = command.args.iter().any(|arg| path::name(&arg.text) == file);
        if !about || !names {
            return None;
        }
        let after = |flag: &str| {
            command.args.iter().position(|arg| arg.text == flag).and_then(|at| command.args.get(at + 1))
        };
        let bucket = after("--bucket").map(|arg| arg.text.clone());
        bucket.or_else(|| {
            command.args.iter().find_map(|arg| {
                arg.text.strip_prefix("gs://").map(|name| name.trim_end_matches('/').to_owned())
            })
        })
    })
}

/// The only bucket of this kind in the document, be it written to or made there.
fn only(set: &Set<'_>, document: usize, provider: Provider) -> Option<String> {
    let scheme = match provider {
        Provider::S3 => Scheme::S3,
        Provider::Gcs => Scheme::Gcs,
    };
    let mut buckets =
        set.commands.iter().filter(|command| command.at.document == document).filter_map(|command| {
            match &command.role {
                Role::Upload(transfer) | Role::RemoteCopy(transfer) => transfer
                    .destination
                    .as_ref()
                    .filter(|to| to.scheme == scheme)
                    .map(|to| to.bucket.as_str()),
                _ => None,
            }
        });
    let first = buckets.next()?;
    buckets.all(|other| other == first).then(|| first.to_owned())
}
