//! Commands that carry files to another place, or from one.

use crate::model::command::Arg;
use crate::model::location::{Location, Scheme};

use super::Said;

mod clouds;
mod others;
mod web;

pub(super) use web::{CURL, curl_url};

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
        "aws" => clouds::aws(args),
        "gsutil" | "gcloud" => clouds::google(name, args),
        "az" | "azcopy" => clouds::azure(name, args),
        "rclone" => clouds::rclone(args),
        "scp" | "rsync" => Some(others::ssh(name, args)),
        "curl" | "wget" => web::curl(name, args),
        "s3cmd" | "mc" | "b2" | "wrangler" | "vercel" | "s5cmd" => others::other(name, args),
        "restic" | "borg" | "kopia" => others::repository(name, args),
        "gh" => others::release(args),
        "docker" | "podman" | "kubectl" => others::container(args),
        "mutt" | "mail" | "mailx" | "swaks" => others::attachment(args),
        _ => None,
    }
}

fn locations(args: &[&Arg]) -> (Vec<Location>, Option<Location>) {
    let mut all: Vec<Location> = args.iter().map(|arg| Location::of(arg)).collect();
    let last = if all.len() >= 2 { all.pop() } else { None };
    (all, last)
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
        assert_eq!(told("aws s3api put-object --bucket b --key k --body f"), "up Local()/f -> S3(b)/k");
        assert_eq!(told("gsutil -m cp a gs://b/x/"), "up Local()/a -> Gcs(b)/x/");
        assert_eq!(told("gcloud storage cp a gs://b/x"), "up Local()/a -> Gcs(b)/x");
        assert_eq!(told("az storage blob upload -c con -n k -f a"), "up Local()/a -> Azure(con)/k");
        assert_eq!(told("rclone copy /b r2:bucket/x"), "up Local()//b -> Remote(r2)/bucket/x");
        assert_eq!(told("rclone copy /b ${DEST}/x"), "up Local()//b -> Remote(${DEST}/x)/");
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
        assert_eq!(told("rclone copy a ${DEST}"), "up Local()/a -> Remote(${DEST})/");
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
