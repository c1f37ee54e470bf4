//! Commands that look and change nothing: at a file, at an archive's table of
//! contents, at rows.

use crate::model::command::Arg;
use crate::model::options::{Options, Spec};

use super::Said;
use super::restore::PSQL;

/// What a check can find out, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProbeKind {
    /// `ls`, `[ -f x ]`, `aws s3 ls`.
    Exists,
    /// `[ -s x ]`, `stat`, `du`, `wc`.
    Size,
    /// `gzip -t`: the compression is whole.
    Compression,
    /// `sha256sum -c`: the bytes are those that were written.
    Digest,
    /// `pg_restore --list`: the head of an archive.
    List,
    /// A statement on some database.
    Query,
    /// The whole archive is read: `pg_restore -f /dev/null`, `pgbackrest verify`,
    /// `restic check --read-data`.
    Read,
    /// backstop, or a tool that restores to verify.
    Restored,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    pub kind: ProbeKind,
    /// What is looked at: a file, an object.
    pub subject: Option<Said>,
    /// psql: each `-c`.
    pub queries: Vec<Said>,
}

impl Probe {
    fn of(kind: ProbeKind, subject: Option<&Arg>) -> Self {
        Self { kind, subject: subject.map(Said::from), queries: Vec::new() }
    }
}

pub(super) fn classify(name: &str, args: &[Arg]) -> Option<Probe> {
    let has = |names: &[&str]| args.iter().any(|arg| names.contains(&arg.text.as_str()));
    let operand = || args.iter().rev().find(|arg| !arg.text.starts_with('-'));
    match name {
        "[" | "[[" | "test" => test(args),
        "ls" | "head" | "tail" => Some(Probe::of(ProbeKind::Exists, operand())),
        "stat" | "du" | "wc" => Some(Probe::of(ProbeKind::Size, operand())),
        "gzip" | "gunzip" | "pigz" | "zstd" | "xz" | "bzip2" | "lz4"
            if has(&["-t", "--test", "-tv", "-vt"]) =>
        {
            Some(Probe::of(ProbeKind::Compression, operand()))
        }
        "tar" if args.first().is_some_and(|arg| is_tar_list(&arg.text)) => {
            Some(Probe::of(ProbeKind::Compression, operand()))
        }
        "sha256sum" | "sha512sum" | "sha1sum" | "md5sum" | "b2sum" | "shasum" | "b3sum"
            if has(&["-c", "--check", "--status"]) =>
        {
            Some(Probe::of(ProbeKind::Digest, operand()))
        }
        "pg_restore" => pg_restore(args),
        "psql" => psql(args),
        "pg_verifybackup" | "pg_amcheck" => Some(Probe::of(ProbeKind::Read, operand())),
        "pgbackrest" if has(&["verify", "check", "info"]) => Some(Probe::of(ProbeKind::Read, None)),
        "restic" | "borg" | "kopia" if has(&["check", "verify"]) => Some(Probe::of(ProbeKind::Read, None)),
        "backstop" if has(&["verify"]) => Some(Probe::of(ProbeKind::Restored, None)),
        "aws" if has(&["ls", "head-object", "list-objects-v2", "list-objects"]) => {
            Some(Probe::of(ProbeKind::Exists, operand()))
        }
        "gsutil" | "rclone" | "gcloud" | "mc" | "s3cmd"
            if has(&["ls", "stat", "lsf", "lsl", "du", "size"]) =>
        {
            Some(Probe::of(ProbeKind::Exists, operand()))
        }
        "rclone" if has(&["check", "cryptcheck", "hashsum"]) => Some(Probe::of(ProbeKind::Digest, operand())),
        _ => None,
    }
}

fn is_tar_list(bundle: &str) -> bool {
    let letters = bundle.trim_start_matches('-');
    !bundle.starts_with("--") && letters.contains('t') && !letters.contains(['c', 'x']) || bundle == "--list"
}

/// `[ -f x ]`, `[[ -s x ]]`; a comparison of other things is no check of a file.
fn test(args: &[Arg]) -> Option<Probe> {
    let at = args.iter().position(|arg| matches!(arg.text.as_str(), "-f" | "-e" | "-s" | "-r" | "-d"))?;
    let kind = if args.get(at)?.text == "-s" { ProbeKind::Size } else { ProbeKind::Exists };
    Some(Probe::of(kind, Some(args.get(at + 1)?)))
}

fn pg_restore(args: &[Arg]) -> Option<Probe> {
    const SPEC: Spec =
        Spec::gnu("dfFjLnNPStThUp", &["dbname", "file", "format", "use-list", "jobs", "table", "schema"]);
    let options = Options::read(args, &SPEC);
    let input = options.operands().first().copied();
    if options.has(&["l", "list"]) {
        return Some(Probe::of(ProbeKind::List, input));
    }
    // Without a database it writes SQL: into a file that is kept, it converts.
    let database = options.value(&["d", "dbname"]);
    let null = options.value(&["f", "file"]).is_some_and(|file| file.text == "/dev/null");
    (database.is_none() && null).then(|| Probe::of(ProbeKind::Read, input))
}

fn psql(args: &[Arg]) -> Option<Probe> {
    let options = Options::read(args, &PSQL);
    let queries: Vec<Said> = options.values(&["c", "command"]).map(Said::from).collect();
    let lists = options.has(&["l", "list"]);
    if (queries.is_empty() && !lists) || options.has(&["f", "file"]) {
        return None;
    }
    Some(Probe { kind: ProbeKind::Query, subject: None, queries })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::role::Role;
    use crate::model::role::tests::role;

    fn kind(line: &str) -> Option<ProbeKind> {
        match role(line) {
            Role::Probe(check) => Some(check.kind),
            _ => None,
        }
    }

    #[test]
    fn checks_are_ranked_by_what_they_can_find() {
        assert_eq!(kind("[ -f a.gz ]"), Some(ProbeKind::Exists));
        assert_eq!(kind("[ ! -s a.gz ]"), Some(ProbeKind::Size));
        assert_eq!(kind("[ $x -lt 3 ]"), None);
        assert_eq!(kind("gzip -t a.gz"), Some(ProbeKind::Compression));
        assert_eq!(kind("tar -tzf a.tgz"), Some(ProbeKind::Compression));
        assert_eq!(kind("tar czf a.tgz t"), None);
        assert_eq!(kind("sha256sum -c a.sha256"), Some(ProbeKind::Digest));
        assert_eq!(kind("pg_restore -l a.dump"), Some(ProbeKind::List));
        assert_eq!(kind("pg_restore -f /dev/null a.dump"), Some(ProbeKind::Read));
        assert_eq!(kind("pg_restore -d x a.dump"), None);
        assert_eq!(kind("aws s3 ls s3://b/"), Some(ProbeKind::Exists));
        assert!(ProbeKind::List < ProbeKind::Read);
    }
}
