//! Everything else that carries files: over ssh, clients of smaller stores,
//! repositories of backups, releases, containers, mail.

use super::{Transfer, TransferTool, locations};
use crate::model::command::Arg;
use crate::model::location::{Location, Scheme};
use crate::model::options::{Options, Spec};

pub(super) fn ssh(name: &str, args: &[Arg]) -> Transfer {
    let spec = if name == "scp" {
        Spec::gnu("cDFiJloPSX", &[])
    } else {
        Spec::gnu(
            "efMB",
            &[
                "rsh",
                "exclude",
                "include",
                "filter",
                "password-file",
                "bwlimit",
                "timeout",
                "log-file",
                "backup-dir",
            ],
        )
    };
    let options = Options::read(args, &spec);
    let mut all: Vec<Location> =
        options.operands().iter().map(|arg| Location::of_remote(arg, Scheme::Ssh)).collect();
    let last = if all.len() >= 2 { all.pop() } else { None };
    let tool = if name == "scp" { TransferTool::Scp } else { TransferTool::Rsync };
    Transfer {
        recursive: options.has(&["r", "a", "archive", "recursive"]),
        mirrors: options.arg(&["delete", "delete-after", "delete-before", "delete-during"]).cloned(),
        checks_digest: name == "rsync",
        ..Transfer::new(tool, all, last)
    }
}

pub(super) fn other(name: &str, args: &[Arg]) -> Option<Transfer> {
    let options = Options::read(
        args,
        &Spec::gnu("c", &["config", "file", "endpoint-url", "attr", "storage-class", "rw-token", "access"]),
    );
    let words: Vec<&str> = options.operands().iter().map(|arg| arg.text.as_str()).collect();
    let bare = |at: usize, scheme: Scheme| {
        options.operands().get(at).map(|arg| {
            let location = Location::of_remote(arg, scheme);
            if location.scheme == Scheme::Local {
                let (bucket, key) = arg.text.split_once('/').unwrap_or((&arg.text, ""));
                Location { scheme, bucket: bucket.to_owned(), key: key.to_owned(), arg: (*arg).clone() }
            } else {
                location
            }
        })
    };
    let local = |at: usize| options.operands().get(at).map(|arg| Location::of(arg));
    let one = |source: Option<Location>, destination| {
        Some(Transfer::new(TransferTool::OtherClient, source.into_iter().collect(), destination))
    };
    match (name, words.as_slice()) {
        ("s3cmd" | "s5cmd", ["put" | "sync" | "get" | "cp" | "mv", ..]) => {
            let (sources, destination) = locations(options.operands().get(1..).unwrap_or_default());
            Some(Transfer::new(TransferTool::OtherClient, sources, destination))
        }
        ("mc", ["cp" | "mirror" | "mv", source, ..]) => {
            // `alias/bucket/key`: a path of this machine starts with a slash or a dot.
            let remote = !source.starts_with(['/', '.', '$', '~'])
                && source.contains('/')
                && words.len() > 2
                && words.get(2).is_some_and(|to| to.starts_with(['/', '.', '~']));
            if remote {
                one(bare(1, Scheme::Remote), local(2))
            } else {
                one(local(1), bare(2, Scheme::Remote))
            }
        }
        ("mc", ["pipe", _]) => one(None, bare(1, Scheme::Remote)),
        ("b2", ["upload-file" | "upload_file", ..]) => one(local(2), bare(1, Scheme::B2)),
        ("b2", ["file", "upload", ..]) => one(local(3), bare(2, Scheme::B2)),
        ("b2", ["sync", ..]) => one(local(1), bare(2, Scheme::B2)),
        ("wrangler", ["r2", "object", "put", ..]) => {
            one(options.value(&["file"]).map(|value| Location::of(value.arg)), bare(3, Scheme::S3))
        }
        ("vercel", ["blob", "put", ..]) => one(local(2), bare(2, Scheme::Platform)),
        _ => None,
    }
}

pub(super) fn repository(name: &str, args: &[Arg]) -> Option<Transfer> {
    let options = Options::read(
        args,
        &Spec::gnu(
            "rp",
            &["repo", "password-file", "tag", "host", "exclude", "stdin-filename", "compression"],
        ),
    );
    let verb = match name {
        "restic" => "backup",
        "borg" => "create",
        _ => "snapshot",
    };
    let [first, rest @ ..] = options.operands() else { return None };
    if first.text != verb {
        return None;
    }
    let repository = options.value(&["r", "repo"]).map_or(*first, |value| value.arg);
    let destination = Location {
        scheme: Scheme::Repository,
        bucket: String::new(),
        key: String::new(),
        arg: repository.clone(),
    };
    Some(Transfer {
        recursive: true,
        checks_digest: true,
        ..Transfer::new(
            TransferTool::Repository,
            rest.iter().map(|arg| Location::of(arg)).collect(),
            Some(destination),
        )
    })
}

pub(super) fn release(args: &[Arg]) -> Option<Transfer> {
    let options = Options::read(args, &Spec::gnu("Rtn", &["repo", "title", "notes", "notes-file", "target"]));
    let [first, verb, tag, files @ ..] = options.operands() else { return None };
    if first.text != "release" || !matches!(verb.text.as_str(), "upload" | "create") || files.is_empty() {
        return None;
    }
    let destination = Location {
        scheme: Scheme::Platform,
        bucket: "release".to_owned(),
        key: tag.text.clone(),
        arg: (*tag).clone(),
    };
    Some(Transfer::new(
        TransferTool::Release,
        files.iter().map(|arg| Location::of(arg)).collect(),
        Some(destination),
    ))
}

pub(super) fn container(args: &[Arg]) -> Option<Transfer> {
    let options = Options::read(args, &Spec::gnu("nc", &["namespace", "container"]));
    let words: Vec<&Arg> = options
        .operands()
        .iter()
        .copied()
        .skip_while(|arg| matches!(arg.text.as_str(), "compose" | "container"))
        .collect();
    let [verb, source, destination] = words.as_slice() else { return None };
    (verb.text == "cp").then(|| {
        Transfer::new(
            TransferTool::Container,
            vec![Location::of_remote(source, Scheme::Container)],
            Some(Location::of_remote(destination, Scheme::Container)),
        )
    })
}

pub(super) fn attachment(args: &[Arg]) -> Option<Transfer> {
    let options = Options::read(args, &Spec::gnu("asAbcrS", &["attach", "attachment"]));
    let file = options.value(&["a", "A", "attach", "attachment"])?;
    let to = options.operands().last()?;
    let destination = Location {
        scheme: Scheme::Platform,
        bucket: "mail".to_owned(),
        key: to.text.clone(),
        arg: (*to).clone(),
    };
    Some(Transfer::new(TransferTool::Mail, vec![Location::of(file.arg)], Some(destination)))
}
