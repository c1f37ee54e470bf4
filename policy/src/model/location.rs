//! Where a file or an object lies: a path of this machine, or what stands behind
//! `s3://`, `gs://`, `host:path`, `remote:path`.

use crate::path;

use super::command::Arg;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    Local,
    /// Standard input or output.
    Stream,
    S3,
    Gcs,
    Azure,
    B2,
    /// A remote of rclone, or an alias of `mc`.
    Remote,
    /// Another machine, by SSH.
    Ssh,
    Http,
    /// A file of a cluster's or a container's: `docker cp db:/x`, `kubectl cp`.
    Container,
    /// A repository of a backup program: restic, borg, kopia, wal-g, pgBackRest.
    Repository,
    /// What the platform keeps: a workflow's artifact, a release, a blob store.
    Platform,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    pub scheme: Scheme,
    /// Bucket, container, remote or host; empty for a path.
    pub bucket: String,
    /// Key or path, without a slash in front unless it is an absolute path.
    pub key: String,
    pub arg: Arg,
}

impl Location {
    /// Of an argument of a program that takes URLs and paths.
    pub fn of(arg: &Arg) -> Self {
        let text = arg.text.as_str();
        let (scheme, rest) = match text.split_once("://") {
            Some(("s3", rest)) => (Scheme::S3, rest),
            Some(("gs", rest)) => (Scheme::Gcs, rest),
            Some(("b2" | "b2id", rest)) => (Scheme::B2, rest),
            Some(("http" | "https", rest)) if is_azure(rest) => (Scheme::Azure, azure_path(rest)),
            Some(("http" | "https", rest)) => (Scheme::Http, rest),
            Some(("sftp" | "ssh" | "scp" | "rsync", rest)) => (Scheme::Ssh, rest),
            Some(_) => (Scheme::Http, text),
            None if text == "-" || text == "/dev/stdin" || text == "/dev/stdout" => (Scheme::Stream, ""),
            None => {
                return Self {
                    scheme: Scheme::Local,
                    bucket: String::new(),
                    key: text.to_owned(),
                    arg: arg.clone(),
                };
            }
        };
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        Self { scheme, bucket: bucket.to_owned(), key: key.to_owned(), arg: arg.clone() }
    }

    /// Of an argument of scp, rsync, rclone or `docker cp`: `name:path` lies elsewhere.
    pub fn of_remote(arg: &Arg, scheme: Scheme) -> Self {
        let text = arg.text.as_str();
        let colon = text.find(':').filter(|at| {
            // Neither a URL nor a colon behind a slash, in braces or in `$(..)`.
            !text.get(*at..).is_some_and(|rest| rest.starts_with("://"))
                && !text
                    .get(..*at)
                    .is_some_and(|host| host.contains(['/', '(']) || host.rfind("${") > host.rfind('}'))
        });
        let Some((bucket, key)) = colon.and_then(|at| Some((text.get(..at)?, text.get(at + 1..)?))) else {
            return Self::of(arg);
        };
        Self {
            scheme,
            bucket: bucket.to_owned(),
            key: key.trim_start_matches(':').to_owned(),
            arg: arg.clone(),
        }
    }

    pub fn is_remote(&self) -> bool {
        !matches!(self.scheme, Scheme::Local | Scheme::Stream | Scheme::Container)
    }

    /// The key's folder with its slash, or nothing: what a lifecycle's prefix has
    /// to match. Ends where the key is not known.
    pub fn prefix(&self) -> &str {
        let known = self.key.find(['$', '*', '<']).map_or(self.key.as_str(), |at| &self.key[..at]);
        known.rfind('/').map_or("", |at| &known[..=at])
    }

    /// The last part of the key.
    pub fn name(&self) -> &str {
        path::name(&self.key)
    }
}

fn is_azure(rest: &str) -> bool {
    rest.split('/').next().is_some_and(|host| host.ends_with(".blob.core.windows.net"))
}

fn azure_path(rest: &str) -> &str {
    rest.split_once('/').map_or("", |(_, path)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        let location = Location::of(&Arg::of(text));
        format!("{:?} {} | {} | {}", location.scheme, location.bucket, location.key, location.prefix())
    }

    #[test]
    fn places_are_told_apart() {
        assert_eq!(
            told("s3://shop-backups/daily/${DATE}.sql.gz"),
            "S3 shop-backups | daily/${DATE}.sql.gz | daily/"
        );
        assert_eq!(told("s3://shop-backups"), "S3 shop-backups |  | ");
        assert_eq!(told("gs://b/x/y"), "Gcs b | x/y | x/");
        assert_eq!(told("https://acme.blob.core.windows.net/c/k?sas"), "Azure c | k?sas | ");
        assert_eq!(told("/var/backups/a.dump"), "Local  | /var/backups/a.dump | /var/backups/");
        assert_eq!(told("-"), "Stream  |  | ");
        assert_eq!(told("s3://${BUCKET}/a/b"), "S3 ${BUCKET} | a/b | a/");
    }

    #[test]
    fn a_name_and_a_colon_are_another_machine() {
        let told = |text: &str| {
            let location = Location::of_remote(&Arg::of(text), Scheme::Ssh);
            format!("{:?} {} | {}", location.scheme, location.bucket, location.key)
        };
        assert_eq!(told("me@host:/srv/a"), "Ssh me@host | /srv/a");
        assert_eq!(told("./a:b"), "Local  | ./a:b");
        assert_eq!(told("${X:-a}"), "Local  | ${X:-a}");
        assert_eq!(told("${HOST}:a"), "Ssh ${HOST} | a");
        assert_eq!(told("$(date +%H:%M).sql"), "Local  | $(date +%H:%M).sql");
    }
}
