//! Commands that carry files to another place, or from one.

use crate::model::command::Arg;
use crate::model::location::{Location, Scheme};
use crate::model::options::{Options, Spec};

use super::Said;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferTool {
    Aws,
    Google,
    Azure,
    Rclone,
    Scp,
    Rsync,
    Curl,
    /// s3cmd, mc, b2, wrangler, vercel.
    OtherClient,
    /// restic, borg, kopia: they encrypt, deduplicate and verify by themselves.
    Repository,
    /// `gh release upload`.
    Release,
    /// `docker cp`, `kubectl cp`.
    Container,
    /// Mail with an attachment.
    Mail,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Transfer {
    pub tool: TransferTool,
    pub sources: Vec<Location>,
    /// None where it is the current folder, or not said.
    pub destination: Option<Location>,
    /// Whole folders: `sync`, `--recursive`.
    pub recursive: bool,
    /// What of the destination is not at the source is deleted.
    pub mirrors: Option<Arg>,
    /// `--sse`, `--encryption`: encrypted by the store.
    pub sse: Option<Said>,
    /// curl: an answer of 4xx or 5xx is a failure.
    pub fails_on_refusal: bool,
    /// A digest is sent along or compared.
    pub checks_digest: bool,
}

impl Transfer {
    fn new(tool: TransferTool, sources: Vec<Location>, destination: Option<Location>) -> Self {
        Self {
            tool,
            sources,
            destination,
            recursive: false,
            mirrors: None,
            sse: None,
            fails_on_refusal: true,
            checks_digest: false,
        }
    }

    /// Of a tool that always has one side elsewhere: where neither is told, it is the
    /// destination that a variable names.
    fn one_side(mut self, scheme: Scheme) -> Self {
        let unknown = |to: &&mut Location| to.scheme == Scheme::Local && to.key.starts_with("${");
        if !self.from_elsewhere()
            && let Some(to) = self.destination.as_mut().filter(unknown)
        {
            to.scheme = scheme;
        }
        self
    }

    pub fn to_elsewhere(&self) -> bool {
        self.destination.as_ref().is_some_and(Location::is_remote)
    }

    pub fn from_elsewhere(&self) -> bool {
        self.sources.iter().any(Location::is_remote)
    }
}

pub(super) fn classify(name: &str, args: &[Arg]) -> Option<Transfer> {
    match name {
        "aws" => aws(args),
        "gsutil" | "gcloud" => google(name, args),
        "az" | "azcopy" => azure(name, args),
        "rclone" => rclone(args),
        "scp" | "rsync" => Some(ssh(name, args)),
        "curl" | "wget" => curl(name, args),
        "s3cmd" | "mc" | "b2" | "wrangler" | "vercel" | "s5cmd" => other(name, args),
        "restic" | "borg" | "kopia" => repository(name, args),
        "gh" => release(args),
        "docker" | "podman" | "kubectl" => container(args),
        "mutt" | "mail" | "mailx" | "swaks" => attachment(args),
        _ => None,
    }
}

fn locations(args: &[&Arg]) -> (Vec<Location>, Option<Location>) {
    let mut all: Vec<Location> = args.iter().map(|arg| Location::of(arg)).collect();
    let last = if all.len() >= 2 { all.pop() } else { None };
    (all, last)
}

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

fn aws(args: &[Arg]) -> Option<Transfer> {
    let options = Options::read(args, &AWS);
    // `aws $AWS_ARGS s3 cp`: options that only a variable knows.
    let known = options.operands().iter().position(|arg| !arg.text.starts_with("${"))?;
    let [service, verb, rest @ ..] = options.operands().get(known..)? else { return None };
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

fn google(name: &str, args: &[Arg]) -> Option<Transfer> {
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

fn azure(name: &str, args: &[Arg]) -> Option<Transfer> {
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

fn rclone(args: &[Arg]) -> Option<Transfer> {
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
    let (sources, destination) = match verb.text.as_str() {
        "copy" | "copyto" | "sync" | "move" | "moveto" => {
            let mut all: Vec<Location> = rest.iter().map(remote).collect();
            let last = all.pop();
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

fn ssh(name: &str, args: &[Arg]) -> Transfer {
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

/// Options of curl with a value.
pub(super) const CURL: Spec = Spec::gnu(
    "HXdFTuAbcEomreKywCDQtYz",
    &[
        "header",
        "request",
        "data",
        "data-binary",
        "data-raw",
        "data-urlencode",
        "form",
        "upload-file",
        "user",
        "output",
        "max-time",
        "retry",
        "retry-delay",
        "connect-timeout",
        "url",
        "json",
        "cert",
        "key",
        "cacert",
        "write-out",
        "retry-max-time",
        "user-agent",
        "aws-sigv4",
        "form-string",
        "mail-from",
        "mail-rcpt",
        "oauth2-bearer",
    ],
);

/// The URL of a curl or wget.
pub(super) fn curl_url<'c>(options: &Options<'c>) -> Option<&'c Arg> {
    options.value(&["url"]).map(|value| value.arg).or_else(|| {
        let operands = options.operands();
        operands.iter().find(|arg| arg.text.contains("://")).or_else(|| operands.first()).copied()
    })
}

/// Only where it sends a file.
fn curl(name: &str, args: &[Arg]) -> Option<Transfer> {
    if name == "wget" {
        let options = Options::read(args, &Spec::gnu("OoPU", &["post-file", "body-file", "output-document"]));
        let file = options.value(&["post-file", "body-file"])?;
        let url = options.operands().first()?;
        return Some(Transfer::new(
            TransferTool::Curl,
            vec![Location::of(file.arg)],
            Some(Location::of(url)),
        ));
    }
    let options = Options::read(args, &CURL);
    let url = curl_url(&options)?;
    let file = options.value(&["T", "upload-file"]).map(|value| value.text.to_owned()).or_else(|| {
        let at = |value: super::Value<'_>| {
            value.text.strip_prefix('@').filter(|file| *file != "-").map(str::to_owned)
        };
        let form = |value: super::Value<'_>| {
            let (_, file) = value.text.split_once("=@")?;
            Some(file.split(';').next().unwrap_or(file).to_owned())
        };
        options
            .values(&["data-binary", "d", "data"])
            .find_map(at)
            .or_else(|| options.values(&["F", "form"]).find_map(form))
    })?;
    let arg = options
        .value(&["T", "upload-file", "data-binary", "d", "data", "F", "form"])
        .map_or_else(|| url.clone(), |value| value.arg.clone());
    let source = Location { scheme: Scheme::Local, bucket: String::new(), key: file, arg };
    // A variable is somewhere else too.
    let destination = Location { scheme: Scheme::Http, ..Location::of(url) };
    Some(Transfer {
        fails_on_refusal: options.has(&["f", "fail", "fail-with-body", "fail-early"]),
        ..Transfer::new(TransferTool::Curl, vec![source], Some(destination))
    })
}

fn other(name: &str, args: &[Arg]) -> Option<Transfer> {
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

fn repository(name: &str, args: &[Arg]) -> Option<Transfer> {
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

fn release(args: &[Arg]) -> Option<Transfer> {
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

fn container(args: &[Arg]) -> Option<Transfer> {
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

fn attachment(args: &[Arg]) -> Option<Transfer> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::role::Role;
    use crate::model::role::tests::role;

    fn told(line: &str) -> String {
        let (word, it) = match role(line) {
            Role::Upload(it) => ("up", it),
            Role::Download(it) => ("down", it),
            Role::RemoteCopy(it) => ("across", it),
            other => return format!("{other:?}"),
        };
        let place =
            |location: &Location| format!("{:?}({})/{}", location.scheme, location.bucket, location.key);
        let sources: Vec<_> = it.sources.iter().map(place).collect();
        format!(
            "{word} {} -> {}",
            sources.join(" "),
            it.destination.as_ref().map_or("here".to_owned(), place)
        )
    }

    #[test]
    fn files_go_up_and_come_down() {
        assert_eq!(
            told("aws s3 cp a.dump s3://b/daily/a.dump --sse AES256"),
            "up Local()/a.dump -> S3(b)/daily/a.dump"
        );
        assert_eq!(told("aws s3 cp s3://b/a ."), "down S3(b)/a -> Local()/.");
        assert_eq!(told("aws s3 cp s3://b/a s3://c/a"), "across S3(b)/a -> S3(c)/a");
        assert_eq!(told("aws s3 cp - s3://b/a"), "up Stream()/ -> S3(b)/a");
        assert_eq!(told("aws ${ARGS} s3 cp a s3://b/a"), "up Local()/a -> S3(b)/a");
        assert_eq!(told("aws s3api put-object --bucket b --key k --body f"), "up Local()/f -> S3(b)/k");
        assert_eq!(told("gsutil -m cp a gs://b/x/"), "up Local()/a -> Gcs(b)/x/");
        assert_eq!(told("gcloud storage cp a gs://b/x"), "up Local()/a -> Gcs(b)/x");
        assert_eq!(told("az storage blob upload -c con -n k -f a"), "up Local()/a -> Azure(con)/k");
        assert_eq!(told("rclone copy /b r2:bucket/x"), "up Local()//b -> Remote(r2)/bucket/x");
        assert_eq!(told("rclone rcat r2:b/x"), "up  -> Remote(r2)/b/x");
        assert_eq!(told("scp -P 22 a me@host:/b/"), "up Local()/a -> Ssh(me@host)//b/");
        assert_eq!(told("rsync -az --delete /b/ host:/b/"), "up Local()//b/ -> Ssh(host)//b/");
        assert_eq!(told("restic -r s3:x backup /b"), "up Local()//b -> Repository()/");
        assert_eq!(told("gh release upload v1 a.sql"), "up Local()/a.sql -> Platform(release)/v1");
        assert_eq!(told("b2 upload-file bucket a.sql k"), "up Local()/a.sql -> B2(bucket)/");
        assert_eq!(told("mc cp a.sql minio/bucket/a"), "up Local()/a.sql -> Remote(minio)/bucket/a");
        assert_eq!(told("curl -fsS -T a https://h/p"), "up Local()/a -> Http(h)/p");
        assert_eq!(told("curl -F file=@a;type=x https://h/p"), "up Local()/a -> Http(h)/p");
    }

    #[test]
    fn a_variable_may_be_the_other_side() {
        assert_eq!(told("rclone copy a ${DEST}"), "up Local()/a -> Remote()/${DEST}");
        assert_eq!(told("aws s3 cp a ${S3_PATH}"), "up Local()/a -> S3()/${S3_PATH}");
        assert_eq!(told("aws ${ARGS} s3 cp a s3://b/a"), "up Local()/a -> S3(b)/a");
        assert_eq!(told("aws s3 cp s3://b/a ${DIR}"), "down S3(b)/a -> Local()/${DIR}");
    }

    #[test]
    fn what_stays_here_is_no_upload() {
        assert_eq!(told("docker cp db:/tmp/a ."), "Other");
        assert_eq!(told("rsync -a /a /b"), "Other");
        assert_eq!(told("aws s3 mb s3://b"), "Other");
        assert_eq!(told("az login"), "Other");
    }

    #[test]
    fn curl_goes_on_after_a_refusal_unless_told() {
        let Role::Upload(it) = role("curl -s --data-binary @a https://h") else { panic!() };
        assert!(!it.fails_on_refusal);
        let Role::Upload(it) = role("curl -sf --data-binary @a https://h") else { panic!() };
        assert!(it.fails_on_refusal);
    }
}
