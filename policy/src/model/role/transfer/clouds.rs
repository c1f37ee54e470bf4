//! Clients of clouds: their arguments in, what they carry and where to out.

use super::{Transfer, TransferTool, locations};
use crate::model::command::Arg;
use crate::model::location::{Location, Scheme};
use crate::model::options::{Options, Spec};
use crate::model::role::Said;

const AWS: Spec = Spec::gnu(
    "",
    &[
        "sse",
        "sse-kms-key-id",
        "storage-class",
        "region",
        "profile",
        "endpoint-url",
        "include",
        "exclude",
        "acl",
        "metadata",
        "content-type",
        "expires",
        "tagging",
        "output",
        "query",
        "bucket",
        "key",
        "body",
        "server-side-encryption",
        "ssekms-key-id",
        "checksum-algorithm",
        "expected-size",
        "sse-c",
        "sse-c-key",
        "content-md5",
        "page-size",
        "cli-connect-timeout",
        "cli-read-timeout",
        "grants",
        "checksum-sha256",
    ],
);

pub(super) fn aws(args: &[Arg]) -> Option<Transfer> {
    let options = Options::read(args, &AWS);
    // `aws "${ARGS[@]}" s3 cp`.
    let operands = options.operands();
    let first = operands.iter().position(|arg| !arg.text.starts_with("${")).unwrap_or_default();
    let [service, verb, rest @ ..] = operands.get(first..).unwrap_or_default() else { return None };
    let mut transfer = match (service.text.as_str(), verb.text.as_str()) {
        ("s3", "cp" | "mv" | "sync") => {
            let (sources, destination) = locations(rest);
            Transfer {
                recursive: verb.text == "sync" || options.has(&["recursive"]),
                ..Transfer::new(TransferTool::Aws, sources, destination).one_side(Scheme::S3)
            }
        }
        ("s3api", action @ ("put-object" | "get-object")) => {
            let bucket = options.value(&["bucket"])?;
            let key = options.value(&["key"]).map_or("", |value| value.text).to_owned();
            let object =
                Location { scheme: Scheme::S3, bucket: bucket.text.to_owned(), key, arg: bucket.arg.clone() };
            let body = options.value(&["body"]).map(|value| Location::of(value.arg));
            if action == "put-object" {
                Transfer::new(TransferTool::Aws, body.into_iter().collect(), Some(object))
            } else {
                let file = rest.first().map(|file| Location::of(file));
                Transfer::new(TransferTool::Aws, vec![object], file)
            }
        }
        _ => return None,
    };
    transfer.mirrors = options.arg(&["delete"]).cloned();
    transfer.sse = options
        .value(&["sse", "server-side-encryption"])
        .map(Said::from)
        .or_else(|| options.arg(&["sse"]).map(Said::from));
    transfer.checks_digest = options.has(&["checksum-algorithm", "content-md5", "checksum-sha256"]);
    Some(transfer)
}

pub(super) fn google(name: &str, args: &[Arg]) -> Option<Transfer> {
    let options =
        Options::read(args, &Spec::gnu("horxzi", &["storage-class", "project", "account", "encryption-key"]));
    let words = if name == "gcloud" {
        let [storage, rest @ ..] = options.operands() else { return None };
        if storage.text != "storage" {
            return None;
        }
        rest
    } else {
        options.operands()
    };
    let [verb, rest @ ..] = words else { return None };
    if !matches!(verb.text.as_str(), "cp" | "mv" | "rsync") {
        return None;
    }
    let (sources, destination) = locations(rest);
    Some(Transfer {
        recursive: verb.text == "rsync" || options.has(&["r", "R", "recursive"]),
        mirrors: options
            .arg(&["d", "delete-unmatched-destination-objects"])
            .filter(|_| verb.text == "rsync")
            .cloned(),
        // Both compare digests of what they send.
        checks_digest: true,
        ..Transfer::new(TransferTool::Google, sources, destination).one_side(Scheme::Gcs)
    })
}

pub(super) fn azure(name: &str, args: &[Arg]) -> Option<Transfer> {
    if name == "azcopy" {
        let options = Options::read(args, &Spec::gnu("", &["from-to", "include-pattern", "exclude-pattern"]));
        let [verb, rest @ ..] = options.operands() else { return None };
        if !matches!(verb.text.as_str(), "copy" | "cp" | "sync") {
            return None;
        }
        let (sources, destination) = locations(rest);
        return Some(Transfer::new(TransferTool::Azure, sources, destination));
    }
    let options = Options::read(
        args,
        &Spec::gnu(
            "cnfsd",
            &[
                "account-name",
                "account-key",
                "container-name",
                "name",
                "file",
                "source",
                "destination",
                "connection-string",
                "sas-token",
                "auth-mode",
                "tier",
                "destination-path",
                "pattern",
            ],
        ),
    );
    let words: Vec<&str> = options.operands().iter().map(|arg| arg.text.as_str()).collect();
    let ["storage", "blob", verb, ..] = words.as_slice() else { return None };
    let object = |names: &[&str]| {
        let container = options.value(names)?;
        let key = options.value(&["n", "name", "destination-path"]).map_or("", |value| value.text).to_owned();
        Some(Location {
            scheme: Scheme::Azure,
            bucket: container.text.to_owned(),
            key,
            arg: container.arg.clone(),
        })
    };
    let file =
        options.value(&["f", "file", "s", "source", "d", "destination"]).map(|value| Location::of(value.arg));
    match *verb {
        "upload" => Some(Transfer::new(
            TransferTool::Azure,
            file.into_iter().collect(),
            object(&["c", "container-name"]),
        )),
        "upload-batch" => Some(Transfer {
            recursive: true,
            ..Transfer::new(
                TransferTool::Azure,
                options.value(&["s", "source"]).map(|value| Location::of(value.arg)).into_iter().collect(),
                object(&["d", "destination"]),
            )
        }),
        "download" | "download-batch" => Some(Transfer::new(
            TransferTool::Azure,
            object(&["c", "container-name", "s", "source"]).into_iter().collect(),
            file,
        )),
        _ => None,
    }
}

pub(super) fn rclone(args: &[Arg]) -> Option<Transfer> {
    let options = Options::read(
        args,
        &Spec::gnu(
            "",
            &[
                "config",
                "include",
                "exclude",
                "filter",
                "min-age",
                "max-age",
                "transfers",
                "checkers",
                "retries",
                "log-file",
                "log-level",
                "bwlimit",
                "s3-storage-class",
                "backup-dir",
            ],
        ),
    );
    let [verb, rest @ ..] = options.operands() else { return None };
    let remote = |arg: &&Arg| Location::of_remote(arg, Scheme::Remote);
    // A destination that nobody knows is a remote: else it would be cp.
    let elsewhere = |to: Location| match to.scheme {
        Scheme::Local if to.key.starts_with("${") => {
            Location { scheme: Scheme::Remote, bucket: to.key.clone(), key: String::new(), arg: to.arg }
        }
        _ => to,
    };
    let (sources, destination) = match verb.text.as_str() {
        "copy" | "copyto" | "sync" | "move" | "moveto" => {
            let mut all: Vec<Location> = rest.iter().map(remote).collect();
            let last = all.pop().map(elsewhere);
            (all, last)
        }
        "rcat" => (Vec::new(), rest.first().map(remote)),
        "cat" => (rest.first().map(remote).into_iter().collect(), None),
        _ => return None,
    };
    Some(Transfer {
        recursive: matches!(verb.text.as_str(), "copy" | "sync" | "move"),
        mirrors: (verb.text == "sync").then(|| (*verb).clone()),
        checks_digest: true,
        ..Transfer::new(TransferTool::Rclone, sources, destination).one_side(Scheme::Remote)
    })
}
