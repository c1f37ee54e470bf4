//! A standby of one of the tests' servers, made by pg_basebackup: it follows by
//! streaming, answers on a socket of its own, and is gone when it is dropped.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::cluster::Server;
use super::tools;

pub struct Standby {
    directory: TempDir,
    server: Child,
}

impl Standby {
    /// Of a server with `wal_level = replica` and some `max_wal_senders`.
    pub fn of(primary: &Server, major: u32) -> Self {
        let directory = tempfile::Builder::new().prefix("backstop-standby").tempdir().unwrap();
        let root = directory.path();
        // The account that the primary runs as.
        let owner = std::fs::metadata(primary.cluster.data_dir()).unwrap();
        chown(root, Some(owner.uid()), Some(owner.gid())).unwrap();
        let programs = tools::postgres(major);
        let copied = Self::program(&programs, "pg_basebackup", root, primary)
            .args([
                "--write-recovery-conf",
                "--checkpoint=fast",
                "--wal-method=stream",
                "--no-sync",
                "--pgdata",
            ])
            .arg(root.join("data"))
            .output()
            .unwrap();
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        let server = Self::program(&programs, "postgres", root, primary)
            .arg("-D")
            .arg(root.join("data"))
            .args(["-k", root.to_str().unwrap()])
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "hot_standby=on"])
            .args(["-c", &format!("port={}", primary.cluster.port())])
            .args(["-c", "max_connections=60", "-c", "dynamic_shared_memory_type=mmap"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { directory, server }
    }

    /// Where it answers; port and user are the primary's.
    pub fn socket_dir(&self) -> &Path {
        self.directory.path()
    }

    /// Wait until it has all that the primary has.
    pub async fn follows(&self, primary: &Server) {
        let wanted = primary.sql("postgres", "SELECT pg_current_wal_lsn()").await;
        let begun = Instant::now();
        let mut config = tokio_postgres::Config::new();
        config.host_path(self.socket_dir()).port(primary.cluster.port()).user(primary.cluster.user());
        config.dbname("postgres");
        loop {
            if let Ok((client, connection)) = config.connect(tokio_postgres::NoTls).await {
                tokio::spawn(connection);
                let ask = format!("SELECT pg_is_in_recovery() AND pg_last_wal_replay_lsn() >= '{wanted}'");
                if client.query_one(&ask, &[]).await.is_ok_and(|row| row.get(0)) {
                    return;
                }
            }
            assert!(begun.elapsed() < Duration::from_mins(1), "the standby does not follow");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn program(programs: &Path, name: &str, root: &Path, primary: &Server) -> Command {
        let owner = std::fs::metadata(root).unwrap();
        let mut command = Command::new(programs.join(name));
        if nix::unistd::geteuid().is_root() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        command.current_dir(root).env_clear().env("PATH", "/usr/bin:/bin").envs(primary.environment());
        command
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        // Immediate shutdown: nothing of it is kept.
        let _ = Command::new("kill").args(["-QUIT", &self.server.id().to_string()]).status();
        let _ = self.server.wait();
    }
}
