//! The folders of a local store: whether the root is there or may be made, the
//! folders that a new file wants, and the walk over all files.

use std::collections::HashSet;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use super::Local;
use crate::store::Error;

/// Where disks are mounted by habit.
const MOUNT_PLACES: [&str; 4] = ["/mnt", "/media", "/run/media", "/Volumes"];

impl Local {
    /// Whether the root is there, or would be made by a `put`.
    pub(super) fn root_is_there(&self) -> Result<bool, Error> {
        match std::fs::metadata(&self.root) {
            Ok(root) if root.is_dir() => Ok(true),
            Ok(_) => Err(Error::BadSetting {
                store: self.url.clone(),
                reason: "it is a file, not a folder".to_owned(),
            }),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                if may_be_made(&self.root) {
                    Ok(false)
                } else {
                    Err(self.no_store())
                }
            }
            Err(cause) => Err(self.failed("open the folder", cause)),
        }
    }

    /// Make the folders between the root (included) and `path`, durably.
    pub(super) fn make_folders(&self, path: &Path) -> Result<(), Error> {
        let folder = path.parent().unwrap_or(&self.root);
        if folder.is_dir() {
            return Ok(());
        }
        self.root_is_there()?;
        let mut missing: Vec<&Path> =
            folder.ancestors().take_while(|at| at.starts_with(&self.root) && !at.is_dir()).collect();
        while let Some(next) = missing.pop() {
            match std::fs::DirBuilder::new().mode(0o700).create(next) {
                Ok(()) => {}
                // Another writer was quicker.
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists && next.is_dir() => {}
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
                    let reason = format!("'{}' is a file, not a folder", next.display());
                    return Err(Error::BadSetting { store: self.url.clone(), reason });
                }
                Err(cause) => return Err(self.failed("make a folder", cause)),
            }
            if let Some(parent) = next.parent() {
                sync_folder(parent).map_err(|cause| self.failed("sync a folder", cause))?;
            }
        }
        Ok(())
    }

    /// Visit every file below the folder that `prefix` names; the visitor gets
    /// its name, its key and its description.
    pub(super) fn walk(
        &self,
        prefix: &str,
        visit: &mut dyn FnMut(&str, &str, &std::fs::Metadata),
    ) -> Result<(), Error> {
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut above = HashSet::new();
        self.walk_folder(folder, &mut above, visit)
    }

    fn walk_folder(
        &self,
        folder: &str,
        above: &mut HashSet<(u64, u64)>,
        visit: &mut dyn FnMut(&str, &str, &std::fs::Metadata),
    ) -> Result<(), Error> {
        let path = self.root.join(folder);
        let fail = |cause| self.failed("list a folder", cause);
        let (entries, this) = match (std::fs::read_dir(&path), std::fs::metadata(&path)) {
            (Ok(entries), Ok(this)) => (entries, this),
            (Err(cause), _) | (_, Err(cause)) if is_absent(&cause) => return Ok(()),
            (Err(cause), _) | (_, Err(cause)) => return Err(fail(cause)),
        };
        let identity = (this.dev(), this.ino());
        if !above.insert(identity) {
            // A symbolic link that leads back up.
            return Ok(());
        }
        for entry in entries {
            let entry = entry.map_err(fail)?;
            // A name that is not UTF-8 cannot be a key of ours.
            let Ok(name) = entry.file_name().into_string() else { continue };
            // Follows links: part of a store may lie on another disk.
            let about = match std::fs::metadata(entry.path()) {
                Ok(about) => about,
                Err(cause) if is_absent(&cause) => continue,
                Err(cause) => return Err(fail(cause)),
            };
            let key = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            if about.is_dir() {
                self.walk_folder(&key, above, visit)?;
            } else if about.is_file() {
                visit(&name, &key, &about);
            }
        }
        above.remove(&identity);
        Ok(())
    }
}

/// No such file, or a part of its path is a file: either way there is no object.
pub(super) fn is_absent(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Whether a missing root may be made; see the head of this room.
fn may_be_made(root: &Path) -> bool {
    let Some(Ok(parent)) = root.parent().map(std::fs::metadata) else { return false };
    let on_system_disk = std::fs::metadata("/").is_ok_and(|system| system.dev() == parent.dev());
    let among_mounts = MOUNT_PLACES.iter().any(|place| root.starts_with(place));
    parent.is_dir() && !(among_mounts && on_system_disk)
}

/// Make the names in a folder durable, as fsync(2) asks for.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}
