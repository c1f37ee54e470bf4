//! Commands that delete files or objects.
//!
//! What chooses them (a `ls | tail -n +8` before `xargs rm`) lies in the pipe and
//! is put in by [`crate::model::pipe`].

use crate::model::command::Arg;
use crate::model::location::{Location, Scheme};
use crate::model::options::{Options, Spec};
use crate::path;
use crate::units::{Days, Period};

use super::Said;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteTool {
    Find,
    Rm,
    /// `aws s3 rm`, `gsutil rm`, `rclone delete` and the like.
    Remote,
    /// A program with a policy of its own: `restic forget`, `pgbackrest expire`.
    Policy,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Delete {
    pub tool: DeleteTool,
    pub targets: Vec<Location>,
    /// `-name`, `--include`
    pub pattern: Option<Said>,
    /// Chooses by age: in days, where that is a number.
    pub age: Option<Age>,
    /// How many of the newest stay.
    pub keeps_newest: Option<Said>,
    /// `-maxdepth`
    pub max_depth: Option<u32>,
    pub min_depth: Option<u32>,
    /// `-type d` with `rm -r`.
    pub folders: bool,
    pub recursive: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Age {
    pub said: Said,
    /// None where a variable says it.
    pub days: Option<Days>,
}

pub const FIND: Spec = Spec::single_dash(&[
    "name",
    "iname",
    "path",
    "wholename",
    "regex",
    "mtime",
    "mmin",
    "ctime",
    "cmin",
    "atime",
    "amin",
    "newer",
    "type",
    "maxdepth",
    "mindepth",
    "size",
    "user",
    "group",
    "perm",
    "newermt",
    "fprint",
    "printf",
]);

pub(super) fn classify(name: &str, args: &[Arg]) -> Option<Delete> {
    match name {
        "find" => find(args),
        "rm" | "unlink" | "shred" => Some(rm(args)),
        "aws" => aws(args),
        "gsutil" | "s3cmd" | "mc" | "b2" | "gcloud" | "az" | "rclone" => remote(name, args),
        "restic" if has(args, "forget") => Some(policy(args)),
        "borg" if has(args, "prune") => Some(policy(args)),
        "pgbackrest" if has(args, "expire") => Some(policy(args)),
        "wal-g" if has(args, "delete") => Some(policy(args)),
        "tmpreaper" | "tmpwatch" => Some(reaper(args)),
        _ => None,
    }
}

fn has(args: &[Arg], word: &str) -> bool {
    args.iter().any(|arg| arg.text == word)
}

fn empty(tool: DeleteTool) -> Delete {
    Delete {
        tool,
        targets: Vec::new(),
        pattern: None,
        age: None,
        keeps_newest: None,
        max_depth: None,
        min_depth: None,
        folders: false,
        recursive: false,
    }
}

/// `+7`, `7`, `${DAYS}`; in minutes where `minutes`.
fn age_of(said: Said, minutes: bool) -> Option<Age> {
    let number = said.text.trim_start_matches('+');
    // `-mtime -1` finds what is new.
    if number.starts_with('-') {
        return None;
    }
    let days = Days::parse(number).map(|Days(number)| Days(if minutes { number / 1440.0 } else { number }));
    Some(Age { said, days })
}

fn find(args: &[Arg]) -> Option<Delete> {
    let deletes = has(args, "-delete");
    // The command of -exec, up to its `;` or `+`.
    let exec = args.iter().position(|arg| matches!(arg.text.as_str(), "-exec" | "-execdir" | "-ok"));
    let command: Vec<&str> = exec.map_or_else(Vec::new, |at| {
        args.iter()
            .skip(at + 1)
            .map(|arg| arg.text.as_str())
            .take_while(|text| !matches!(*text, ";" | "\\;" | "+"))
            .collect()
    });
    let removes =
        command.first().is_some_and(|program| matches!(path::name(program), "rm" | "shred" | "unlink"));
    if !deletes && !removes {
        return None;
    }
    let recursive = command.iter().any(|word| word.starts_with('-') && word.contains(['r', 'R']));
    Some(Delete {
        recursive: recursive && removes,
        ..read_find(args.get(..exec.unwrap_or(args.len())).unwrap_or_default())
    })
}

/// What a `find` chooses, whoever deletes it.
pub fn read_find(args: &[Arg]) -> Delete {
    let options = Options::read(args, &FIND);
    let said = |names: &[&str]| options.value(names).map(Said::from);
    let number = |names: &[&str]| options.value(names).and_then(|value| value.text.parse().ok());
    let roots = options.operands().iter().take_while(|arg| !matches!(arg.text.as_str(), "!" | "(" | "\\("));
    Delete {
        targets: roots.map(|arg| Location::of(arg)).collect(),
        pattern: said(&["name", "iname", "path", "wholename", "regex"]),
        age: said(&["mtime", "ctime", "atime"])
            .and_then(|said| age_of(said, false))
            .or_else(|| said(&["mmin", "cmin", "amin"]).and_then(|said| age_of(said, true))),
        max_depth: number(&["maxdepth"]),
        min_depth: number(&["mindepth"]),
        folders: options.value(&["type"]).is_some_and(|value| value.text == "d"),
        ..empty(DeleteTool::Find)
    }
}

fn rm(args: &[Arg]) -> Delete {
    let options = Options::read(args, &Spec::gnu("ns", &["iterations", "size"]));
    Delete {
        targets: options.operands().iter().map(|arg| Location::of(arg)).collect(),
        recursive: options.has(&["r", "R", "recursive"]),
        ..empty(DeleteTool::Rm)
    }
}

fn aws(args: &[Arg]) -> Option<Delete> {
    const AWS: Spec = Spec::gnu(
        "",
        &[
            "include",
            "exclude",
            "region",
            "profile",
            "endpoint-url",
            "bucket",
            "key",
            "delete",
            "output",
            "query",
            "version-id",
        ],
    );
    let options = Options::read(args, &AWS);
    let words: Vec<&str> = options.operands().iter().map(|arg| arg.text.as_str()).collect();
    let removes =
        matches!(words.as_slice(), ["s3", "rm", ..] | ["s3api", "delete-object" | "delete-objects", ..]);
    if !removes {
        return None;
    }
    let mut targets: Vec<Location> = options.operands().iter().skip(2).map(|arg| Location::of(arg)).collect();
    if let Some(bucket) = options.value(&["bucket"]) {
        let key = options.value(&["key"]).map_or("", |value| value.text).to_owned();
        targets.push(Location {
            scheme: Scheme::S3,
            bucket: bucket.text.to_owned(),
            key,
            arg: bucket.arg.clone(),
        });
    }
    Some(Delete {
        targets,
        pattern: options.value(&["include"]).map(Said::from),
        recursive: options.has(&["recursive"]),
        ..empty(DeleteTool::Remote)
    })
}

fn remote(name: &str, args: &[Arg]) -> Option<Delete> {
    const SPEC: Spec = Spec::gnu(
        "",
        &[
            "min-age",
            "older-than",
            "include",
            "exclude",
            "container-name",
            "c",
            "account-name",
            "n",
            "name",
            "pattern",
            "config",
            "source",
            "if-unmodified-since",
        ],
    );
    let options = Options::read(args, &SPEC);
    let verb =
        |verbs: &[&str]| options.operands().iter().take(3).any(|arg| verbs.contains(&arg.text.as_str()));
    let removes = match name {
        "rclone" => verb(&["delete", "deletefile", "purge"]),
        "s3cmd" => verb(&["del", "rm"]),
        "b2" => verb(&["rm", "delete-file-version"]),
        "az" => verb(&["delete", "delete-batch"]) && verb(&["storage"]),
        _ => verb(&["rm"]),
    };
    if !removes {
        return None;
    }
    let scheme = if name == "rclone" || name == "mc" { Scheme::Remote } else { Scheme::Local };
    let age = options.value(&["min-age", "older-than", "if-unmodified-since"]).map(|value| {
        let said = Said::from(value);
        let days = Period::parse(&said.text).ok().map(|period| Days::of_seconds(period.nominal_seconds()));
        Age { said, days }
    });
    let is_verb = |text: &str| {
        matches!(
            text,
            "storage"
                | "blob"
                | "rm"
                | "delete"
                | "deletefile"
                | "purge"
                | "del"
                | "delete-batch"
                | "delete-file-version"
        )
    };
    Some(Delete {
        targets: options
            .operands()
            .iter()
            .filter(|arg| !is_verb(&arg.text))
            .map(
                |arg| {
                    if scheme == Scheme::Remote {
                        Location::of_remote(arg, scheme)
                    } else {
                        Location::of(arg)
                    }
                },
            )
            .collect(),
        pattern: options.value(&["include", "pattern"]).map(Said::from),
        age,
        recursive: true,
        ..empty(DeleteTool::Remote)
    })
}

fn policy(args: &[Arg]) -> Delete {
    let keeps = args.iter().position(|arg| arg.text.starts_with("--keep") || arg.text == "retain");
    let count = keeps.and_then(|at| {
        let arg = args.get(at)?;
        arg.text
            .split_once('=')
            .map(|(_, value)| Said { text: value.to_owned(), arg: arg.clone() })
            .or_else(|| args.get(at + 1).map(Said::from))
    });
    Delete { keeps_newest: count, ..empty(DeleteTool::Policy) }
}

fn reaper(args: &[Arg]) -> Delete {
    let options = Options::read(args, &Spec::gnu("", &[]));
    let age = options.operands().first().map(|arg| Age { said: Said::from(*arg), days: None });
    Delete {
        targets: options.operands().iter().skip(1).map(|arg| Location::of(arg)).collect(),
        age,
        recursive: true,
        ..empty(DeleteTool::Find)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::role::Role;
    use crate::model::role::tests::role;

    fn delete(line: &str) -> Delete {
        match role(line) {
            Role::Delete(it) => *it,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn find_deletes_by_age() {
        let it = delete("find /b/daily -maxdepth 1 -name *.gz -mtime +7 -delete");
        assert_eq!((it.age.unwrap().days, it.max_depth), (Some(Days(7.0)), Some(1)));
        assert_eq!(it.targets[0].key, "/b/daily");
        assert_eq!(it.pattern.unwrap().text, "*.gz");
        let it = delete("find /b -type d -mmin +2880 -exec rm -rf {} ;");
        assert_eq!(it.age.unwrap().days, Some(Days(2.0)));
        assert!(it.folders && it.recursive);
        assert_eq!(delete("find $DIR -mtime +$KEEP -delete").age.unwrap().days, None);
        assert!(!matches!(role("find /b -mtime -1"), Role::Delete(_)));
        assert!(delete("find /b -mtime -1 -delete").age.is_none());
    }

    #[test]
    fn objects_are_deleted_too() {
        assert_eq!(delete("aws s3 rm s3://b/x --recursive").targets[0].key, "x");
        assert_eq!(delete("rclone delete r2:b/daily --min-age 30d").age.unwrap().days, Some(Days(30.0)));
        assert_eq!(delete("restic forget --keep-daily 7 --prune").keeps_newest.unwrap().text, "7");
        assert_eq!(delete("rm -f a b").targets.len(), 2);
        assert!(!matches!(role("gsutil ls gs://b"), Role::Delete(_)));
    }
}
