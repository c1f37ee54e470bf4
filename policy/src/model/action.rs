//! What a `uses:` step does for a backup, by the action's name and its inputs.

use crate::finding::Place;

use super::called::Called;
use super::command::Arg;
use super::role::Means;

/// One `uses:` of a step or a job.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionUse {
    /// Index into [`super::Set::units`].
    pub unit: usize,
    pub job: usize,
    /// None: the job itself calls a reusable workflow.
    pub step: Option<usize>,
    /// `owner/name/path@ref`, as written.
    pub uses: Arg,
    /// Inputs, in order.
    pub with: Vec<(String, Arg)>,
    pub role: ActionRole,
    /// Code that nobody can see and that may be a part of a backup.
    pub unseen: Option<Called>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionRole {
    Checkout,
    /// Kept by GitHub with the run: `path`.
    UploadArtifact {
        path: Option<Arg>,
    },
    DownloadArtifact,
    Cache,
    /// Files of a release.
    Release {
        files: Option<Arg>,
    },
    /// Commits and pushes what lies in the checkout.
    Commit,
    /// To a bucket, a host, a drive.
    Upload,
    Notify(Means),
    /// Dumps a database by itself.
    Dump,
    /// Cloud credentials.
    Login,
    /// Issues, comments: `actions/github-script`.
    Script,
    Other,
}

impl ActionUse {
    /// `owner/name`, or the path of a local action, in lower case and without a ref.
    pub fn name(&self) -> String {
        name(&self.uses.text)
    }

    /// What follows the `@`.
    pub fn reference(&self) -> Option<&str> {
        self.uses.text.split_once('@').map(|(_, reference)| reference)
    }

    pub fn input(&self, name: &str) -> Option<&Arg> {
        self.with.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Of this very repository.
    pub fn is_local(&self) -> bool {
        self.uses.text.starts_with("./")
    }
}

fn name(uses: &str) -> String {
    uses.split('@').next().unwrap_or_default().to_ascii_lowercase()
}

pub fn classify(
    unit: usize,
    job: usize,
    step: Option<usize>,
    uses: Arg,
    with: Vec<(String, Arg)>,
) -> ActionUse {
    let name = name(&uses.text);
    let input = |wanted: &str| with.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.clone());
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let role = match name.as_str() {
        "actions/checkout" => ActionRole::Checkout,
        "actions/upload-artifact" => ActionRole::UploadArtifact { path: input("path") },
        "actions/download-artifact" => ActionRole::DownloadArtifact,
        "actions/cache" | "actions/cache/save" | "actions/cache/restore" => ActionRole::Cache,
        "actions/github-script" => ActionRole::Script,
        "softprops/action-gh-release" | "ncipollo/release-action" | "svenstaro/upload-release-action" => {
            ActionRole::Release {
                files: input("files").or_else(|| input("artifacts")).or_else(|| input("file")),
            }
        }
        "stefanzweifel/git-auto-commit-action" | "endbug/add-and-commit" | "ad-m/github-push-action" => {
            ActionRole::Commit
        }
        "aws-actions/configure-aws-credentials" | "google-github-actions/auth" | "azure/login" => {
            ActionRole::Login
        }
        _ if has(&[
            "slack",
            "discord",
            "telegram",
            "send-mail",
            "sendmail",
            "teams",
            "create-an-issue",
            "notify",
            "pagerduty",
            "opsgenie",
            "ntfy",
        ]) =>
        {
            ActionRole::Notify(Means::Message)
        }
        _ if has(&["healthcheck", "hc-ping", "cronitor", "heartbeat", "uptime"]) => {
            ActionRole::Notify(Means::DeadManSwitch)
        }
        _ if has(&[
            "s3-sync",
            "s3-upload",
            "upload-s3",
            "upload-to-s3",
            "upload-cloud-storage",
            "rclone",
            "scp-action",
            "r2-upload",
            "upload-to-gcs",
            "azure-blob",
            "google-drive",
            "gdrive",
            "b2-",
            "ftp-deploy",
            "rsync",
        ]) =>
        {
            ActionRole::Upload
        }
        _ if has(&[
            "pg-dump",
            "pg_dump",
            "postgres-backup",
            "db-backup",
            "database-backup",
            "backup-postgres",
            "supabase-backup",
        ]) =>
        {
            ActionRole::Dump
        }
        _ => ActionRole::Other,
    };
    // A reusable workflow, an action of this repository or one about backups may do
    // anything of it; what sets up a tool does not.
    let own = step.is_none() || uses.text.starts_with("./");
    let telling =
        has(&["backup", "dump", "restore", "pg-", "postgres"]) && !has(&["setup", "install", "cli"]);
    let unseen = (own || (telling && matches!(role, ActionRole::Other | ActionRole::Dump)))
        .then(|| Called::Action(uses.clone()));
    ActionUse { unit, job, step, uses, with, role, unseen }
}

impl ActionUse {
    pub fn at(&self) -> Place {
        self.uses.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(uses: &str) -> ActionUse {
        classify(0, 0, Some(0), Arg::of(uses), vec![("path".to_owned(), Arg::of("a.sql"))])
    }

    #[test]
    fn actions_are_known_by_name() {
        assert_eq!(
            of("actions/upload-artifact@v4").role,
            ActionRole::UploadArtifact { path: Some(Arg::of("a.sql")) }
        );
        assert_eq!(of("slackapi/slack-github-action@v2").role, ActionRole::Notify(Means::Message));
        assert_eq!(of("Actions/Checkout@v4").role, ActionRole::Checkout);
        assert_eq!(of("actions/checkout@v4").reference(), Some("v4"));
        assert_eq!(of("supabase/setup-cli@v1").unseen, None);
        assert!(of("acme/postgres-backup@v1").unseen.is_some());
        assert!(of("./.github/actions/dump").unseen.is_some());
    }
}
