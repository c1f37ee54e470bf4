//! Memory for the sorts of indexes: what the server allows flows in, and more flows out
//! where it runs on this machine, which has that much to spare.
//!
//! What a server allows is what suits any moment, while a restore is often alone on its
//! machine. Measured on a key of seven million rows: sorted in memory it takes a quarter
//! less time than with 256 MB, which hold three quarters of it.

use std::path::Path;
use std::{fs, iter};

use futures::future::try_join_all;

use crate::postgres::Error;
use crate::postgres::session::Session;

/// kB for one sort.
const MOST: u64 = 1024 * 1024;
/// All of them together get one part in so many of what is free.
const PARTS: u64 = 4;

/// Let each of these connections take its part, if that is more than it may; whoever set
/// `PGOPTIONS` knows better.
pub(super) async fn give(sessions: &[Session]) -> Result<(), Error> {
    let Some(first) = sessions.first() else { return Ok(()) };
    let failed = |error| Error::asking("see to memory for indexes")(error);
    let asked = first
        .query_opt(
            "SELECT setting::bigint, pg_catalog.pg_backend_pid(), pg_catalog.current_database()::text \
             FROM pg_catalog.pg_settings WHERE name = 'maintenance_work_mem' AND source <> 'client'",
            &[],
        )
        .await
        .map_err(failed)?;
    let part = asked.and_then(|row| {
        let (allowed, backend, database): (i64, i32, String) = (row.get(0), row.get(1), row.get(2));
        share(free(backend, &database)?, u64::try_from(allowed).ok()?, sessions.len())
    });
    let Some(kilobytes) = part else { return Ok(()) };
    let statement = format!("SET maintenance_work_mem = {kilobytes}");
    try_join_all(sessions.iter().map(|session| session.batch_execute(&statement))).await.map_err(failed)?;
    Ok(())
}

fn share(free: u64, allowed: u64, connections: usize) -> Option<u64> {
    let part = free / PARTS / u64::try_from(connections.max(1)).ok()?;
    Some(part.min(MOST)).filter(|part| *part > allowed)
}

/// kB that a server process of this machine could take; none if it is not of this
/// machine, or of a container, whose processes have other numbers.
fn free(backend: i32, database: &str) -> Option<u64> {
    let process = Path::new("/proc").join(backend.to_string());
    let title = fs::read(process.join("cmdline")).ok()?;
    if !is_backend(&String::from_utf8_lossy(&title), database) {
        return None;
    }
    let groups = fs::read_to_string(process.join("cgroup")).ok()?;
    let machine = available(&fs::read_to_string("/proc/meminfo").ok()?)?;
    iter::once(machine).chain(limits(&groups, Path::new("/sys/fs/cgroup"))).min()
}

/// `postgres: ROLE DATABASE ADDRESS STATE`, with the cluster's name in front of the role
/// if it has one.
fn is_backend(title: &str, database: &str) -> bool {
    title.starts_with("postgres: ") && title.contains(&format!(" {database} "))
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// kB that its control groups allow, of both versions.
fn limits(groups: &str, root: &Path) -> Vec<u64> {
    let of_group = |line: &str| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let (root, file) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            _ if controllers.split(',').any(|one| one == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => return None,
        };
        let read = |own: &Path| fs::read_to_string(root.join(own).join(file)).ok()?.trim().parse().ok();
        let bytes: Vec<u64> = Path::new(path.trim_start_matches('/')).ancestors().filter_map(read).collect();
        Some(bytes)
    };
    groups.lines().filter_map(of_group).flatten().map(|bytes| bytes / 1024).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1024 * 1024;

    #[test]
    fn each_gets_a_part_and_never_less_than_the_server_allows() {
        assert_eq!(share(6 * GB, 65_536, 3), Some(GB / 2));
        assert_eq!(share(64 * GB, 65_536, 3), Some(GB));
        assert_eq!(share(64 * GB, GB, 3), None);
        assert_eq!(share(GB / 2, 65_536, 2), None);
        assert_eq!(share(0, 0, 0), None);
    }

    #[test]
    fn a_process_of_another_machine_is_told_by_its_title() {
        assert!(is_backend("postgres: postgres shop [local] idle", "shop"));
        assert!(is_backend("postgres: main: app shop 127.0.0.1(51200) SELECT", "shop"));
        assert!(!is_backend("postgres: checkpointer ", "shop"));
        assert!(!is_backend("postgres: postgres shops [local] idle", "shop"));
        assert!(!is_backend("/usr/bin/vim\0 shop ", "shop"));
        assert_eq!(free(i32::MAX, "shop"), None);
    }

    #[test]
    fn what_the_kernel_says_is_read() {
        assert_eq!(available("MemTotal:  2048 kB\nMemAvailable:     1024 kB\n"), Some(1024));
        assert_eq!(available("MemTotal:  2048 kB\n"), None);
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("system.slice/memory.max", "2147483648\n");
        write("system.slice/postgresql.service/memory.max", "max\n");
        write("memory/docker/memory.limit_in_bytes", "1073741824\n");
        write("memory/memory.limit_in_bytes", "9223372036854771712\n");
        let limits = |groups| limits(groups, root.path());
        assert_eq!(limits("0::/system.slice/postgresql.service\n"), [2 * GB]);
        assert_eq!(limits("5:cpu,memory:/docker/a\n1:name=systemd:/\n0::/\n"), [GB, (1 << 53) - 4]);
        assert!(limits("0::/\n3:cpu:/docker\nnonsense\n").is_empty());
    }
}
