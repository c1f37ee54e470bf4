//! Where a throwaway cluster lies and how its server is set.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{ClusterOptions, random_hex};
use crate::postgres::account::Account;

/// Bytes of a Unix socket's path that every system takes (macOS: 104 with the NUL).
const SOCKET_PATH_LIMIT: usize = 103;

/// Settings of a server that may lose everything at any time but must take any
/// dump, fast, on a small machine and with 64 MB of /dev/shm.
pub(super) fn server_options(base: &Path, port: u16, options: &ClusterOptions) -> Vec<String> {
    let mut settings = vec![
        ("unix_socket_directories", base.to_string_lossy().into_owned()),
        ("unix_socket_permissions", "0700".into()),
        ("listen_addresses", if options.tcp { "127.0.0.1" } else { "" }.into()),
        ("port", port.to_string()),
        ("max_connections", options.max_connections.to_string()),
        // Durability, which a throwaway cluster does without.
        ("fsync", "off".into()),
        ("full_page_writes", "off".into()),
        ("synchronous_commit", "off".into()),
        // A table that is filled in the transaction which made it writes no WAL.
        ("wal_level", "minimal".into()),
        ("max_wal_senders", "0".into()),
        ("max_wal_size", "1GB".into()),
        ("checkpoint_timeout", "1h".into()),
        ("shared_buffers", "128MB".into()),
        ("maintenance_work_mem", "128MB".into()),
        ("dynamic_shared_memory_type", "mmap".into()),
        ("autovacuum", "off".into()),
        ("jit", "off".into()),
        // The machine's own time zone must not decide what a restored check
        // or materialized view makes of a timestamp.
        ("timezone", "UTC".into()),
        ("log_timezone", "UTC".into()),
        ("logging_collector", "off".into()),
        // The log may end up in an error: no statement (a password may be in it).
        ("log_statement", "none".into()),
        ("log_min_error_statement", "panic".into()),
    ];
    settings.extend(options.settings.iter().map(|(name, value)| (name.as_str(), value.clone())));
    settings.into_iter().flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]).collect()
}

/// A name for a directory that does not exist yet, where the server's account
/// can make one and where a socket's path stays short enough.
pub(super) fn free_base(account: Option<Account>) -> io::Result<PathBuf> {
    let name = format!("backstop-{}", &random_hex()[..12]);
    let fits = |parent: &Path| {
        let socket = parent.join(&name).join(".s.PGSQL.65535");
        let usable = match account {
            Some(account) => account.can_write(parent),
            None => parent.is_dir(),
        };
        usable && socket.as_os_str().as_bytes().len() <= SOCKET_PATH_LIMIT
    };
    let parents = [std::env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")];
    parents.iter().find(|parent| fits(parent)).map(|parent| parent.join(&name)).ok_or_else(|| {
        io::Error::other(
            "no temporary directory has a short path and may be written to by the server's account",
        )
    })
}
