//! A real PgBouncer between us and a server: the doctor sees through it, and what
//! it refuses is told as its refusal. Needs the program `pgbouncer`.

use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use backstop::doctor::Status;
use backstop::doctor::connection::reach;
use backstop::postgres::{Error, Session, Target};

use crate::support::tls_server::{ENCODED, PASSWORD, TlsServer, account, free_port, nothing, refusal};

struct Bouncer {
    process: Child,
    port: u16,
    _directory: tempfile::TempDir,
}

impl Bouncer {
    fn start(server: &TlsServer, mode: &str) -> Self {
        let directory = tempfile::Builder::new().prefix("backstop-pooler").tempdir().unwrap();
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let port = free_port();
        let users = directory.path().join("users");
        std::fs::write(&users, format!("\"admin\" \"{PASSWORD}\"\n")).unwrap();
        let settings = directory.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\npostgres = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\n\
             pool_mode = {mode}\ndefault_pool_size = 3\nserver_tls_sslmode = require\n",
            server.port,
            users.display()
        );
        std::fs::write(&settings, text).unwrap();
        let mut command = Command::new("pgbouncer");
        if nix::unistd::geteuid().is_root() {
            command.args(["-u", &account().name]);
        }
        command.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap()));
        let process = command
            .arg(&settings)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program pgbouncer (Debian package pgbouncer)");
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "pgbouncer did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { process, port, _directory: directory }
    }

    fn target(&self, query: &str) -> Target {
        let url = format!("postgresql://admin:{ENCODED}@127.0.0.1:{}/postgres{query}", self.port);
        Target::parse(&url, &nothing).unwrap()
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn a_pooler_in_transaction_mode_is_found_and_one_in_session_mode_is_fine() {
    let server = TlsServer::start();
    for (mode, expected) in [("transaction", Status::Error), ("session", Status::Ok)] {
        let bouncer = Bouncer::start(&server, mode);
        let (_session, checks) = reach(&bouncer.target("")).await;
        let pooler =
            checks.iter().find(|check| check.name == "pooler").unwrap_or_else(|| panic!("{checks:?}"));
        assert_eq!(pooler.status, expected, "{mode}: {checks:?}");
    }
}

#[tokio::test]
async fn what_a_pooler_refuses_is_told_as_its_refusal() {
    let server = TlsServer::start();
    let bouncer = Bouncer::start(&server, "transaction");
    let error = refusal(&bouncer.target("?options=-c%20geqo%3Doff")).await;
    assert!(matches!(error, Error::Pooler { .. }), "{error:?}");
    Session::connect(&bouncer.target("")).await.unwrap().close().await;
}
