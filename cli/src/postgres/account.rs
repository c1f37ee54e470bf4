//! Who runs a throwaway server. PostgreSQL refuses to run as root, so root hands
//! its servers to an unprivileged account; anybody else runs them as themselves.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::unistd::{Uid, User};

/// An unprivileged account that root drops to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    pub uid: u32,
    pub gid: u32,
}

impl Account {
    /// `nobody` where there is one, else `postgres`; `None` where we are not
    /// root and nothing has to be dropped. `nobody` first, because a hostile dump
    /// can run programs as the server's account, and on a machine that also hosts
    /// a real cluster that account owns it.
    ///
    /// # Errors
    /// Root on a machine with neither of the two.
    pub fn for_servers() -> Result<Option<Self>, NoAccount> {
        if !Uid::effective().is_root() {
            return Ok(None);
        }
        ["nobody", "postgres"]
            .iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .map(|user| Some(Self { uid: user.uid.as_raw(), gid: user.gid.as_raw() }))
            .ok_or(NoAccount)
    }

    /// Run a command as this account. The standard library drops root's
    /// supplementary groups along with the user.
    pub fn run(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Whether this account may read and enter a directory and pass through
    /// all of those above it.
    pub fn can_enter(self, directory: &Path) -> bool {
        let Ok(directory) = directory.canonicalize() else { return false };
        let passes = |path: &Path| path.metadata().is_ok_and(|meta| self.may(&meta, 0o1));
        directory.ancestors().all(passes) && directory.metadata().is_ok_and(|meta| self.may(&meta, 0o5))
    }

    /// Whether this account may make and remove its own entries there.
    pub fn can_write(self, directory: &Path) -> bool {
        self.can_enter(directory) && directory.metadata().is_ok_and(|meta| self.may(&meta, 0o3))
    }

    /// The permission bits that apply to this account, as the kernel picks them.
    fn may(self, meta: &Metadata, bits: u32) -> bool {
        let shift = match () {
            () if meta.uid() == self.uid => 6,
            () if meta.gid() == self.gid => 3,
            () => 0,
        };
        (meta.mode() >> shift) & bits == bits
    }
}

#[derive(Debug, thiserror::Error)]
#[error("there is neither a user 'postgres' nor a user 'nobody' to run a throwaway server as")]
pub struct NoAccount;

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_directory_below_a_private_one_cannot_be_entered() {
        let root = tempfile::tempdir().unwrap();
        let open = root.path().join("open");
        std::fs::create_dir(&open).unwrap();
        let stranger = Account { uid: 60_001, gid: 60_001 };

        set_permissions(root.path(), Permissions::from_mode(0o755)).unwrap();
        set_permissions(&open, Permissions::from_mode(0o755)).unwrap();
        assert!(stranger.can_enter(&open));
        assert!(!stranger.can_write(&open));

        set_permissions(&open, Permissions::from_mode(0o1777)).unwrap();
        assert!(stranger.can_write(&open));

        set_permissions(root.path(), Permissions::from_mode(0o700)).unwrap();
        assert!(!stranger.can_enter(&open));
        let owner = Account { uid: root.path().metadata().unwrap().uid(), gid: 60_001 };
        assert!(owner.can_enter(&open));
    }
}
