//! Versions of actions that GitHub no longer starts, or starts on a runtime that they
//! were not written for.

use super::Fact;

/// Major versions of one action that should be left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retired {
    /// `owner/name`, in lower case.
    pub action: &'static str,
    /// The first major version that is not meant.
    pub below: u32,
    /// GitHub fails the job; else it may still start.
    pub refused: bool,
}

const fn refused(action: &'static str, below: u32) -> Retired {
    Retired { action, below, refused: true }
}

/// Written for Node 12, which the runners have lost.
const fn node12(action: &'static str, below: u32) -> Retired {
    Retired { action, below, refused: false }
}

/// Artifacts: <https://github.blog/changelog/2024-04-16-deprecation-notice-v3-of-the-artifact-actions/>,
/// cache: <https://github.blog/changelog/2024-12-05-notice-of-upcoming-releases-and-breaking-changes-for-github-actions/>.
pub const RETIRED: Fact<&[Retired]> = Fact {
    value: &[
        refused("actions/upload-artifact", 4),
        refused("actions/download-artifact", 4),
        refused("actions/cache", 3),
        refused("actions/cache/save", 3),
        refused("actions/cache/restore", 3),
        node12("actions/checkout", 3),
        node12("actions/setup-node", 3),
        node12("actions/setup-python", 3),
        node12("actions/setup-go", 3),
        node12("actions/setup-java", 3),
        node12("actions/github-script", 6),
        node12("aws-actions/configure-aws-credentials", 2),
        node12("docker/login-action", 2),
        node12("docker/setup-buildx-action", 2),
    ],
    as_of: "2026-11",
    source: "https://github.blog/changelog/label/actions/",
};

/// Of an action in lower case at a major version.
pub fn retired(action: &str, major: u32) -> Option<Retired> {
    RETIRED.value.iter().find(|known| known.action == action && major < known.below).copied()
}
