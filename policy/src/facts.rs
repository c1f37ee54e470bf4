//! Facts about providers and tools that age: each with the month in which it was
//! looked up, and where. A finding that rests on one says the month.

pub mod actions;
pub mod plans;

/// Something that was so on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact<T: 'static> {
    pub value: T,
    /// `2026-09`
    pub as_of: &'static str,
    pub source: &'static str,
}

/// The major version of PostgreSQL's client programs that GitHub's runners have, and
/// that `postgresql-client` without a number installs there. By label.
pub const RUNNER_CLIENTS: Fact<&[(&str, u32)]> = Fact {
    value: &[("ubuntu-latest", 16), ("ubuntu-24.04", 16), ("ubuntu-22.04", 14)],
    as_of: "2026-09",
    source: "https://github.com/actions/runner-images",
};

/// The major version behind `postgresql-client` without a number, by distribution.
pub fn runner_client(label: &str) -> Option<u32> {
    RUNNER_CLIENTS.value.iter().find(|(name, _)| label.starts_with(name)).map(|(_, major)| *major)
}

/// Hours until an archived object can be read again, by S3's storage class, in the
/// standard retrieval. The other classes answer at once.
pub const RETRIEVAL_HOURS: Fact<&[(&str, u64)]> = Fact {
    value: &[("GLACIER", 5), ("DEEP_ARCHIVE", 12)],
    as_of: "2026-11",
    source: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/restoring-objects-retrieval-options.html",
};

/// Supabase removes a project's backups, and its storage, with the project.
pub const SUPABASE_DELETES_BACKUPS: Fact<bool> =
    Fact { value: true, as_of: "2026-11", source: "https://supabase.com/docs/guides/platform/backups" };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runners_are_found_by_their_label() {
        assert_eq!(runner_client("ubuntu-24.04-arm"), Some(16));
        assert_eq!(runner_client("self-hosted"), None);
    }
}
