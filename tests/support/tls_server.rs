//! A throwaway PostgreSQL server with TLS, SCRAM and a Unix socket, for stories
//! about reaching one. It runs as another account where the tests run as root, and is
//! gone with its folder when it is dropped.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use backstop::postgres::{Error, Session, Target};
use tempfile::TempDir;

pub const PASSWORD: &str = "p@ss:w/rd #%?";
/// [`PASSWORD`], percent-encoded.
pub const ENCODED: &str = "p%40ss%3Aw%2Frd%20%23%25%3F";

/// The role `certified` logs in by its certificate, everybody else by password.
const TLS_ONLY: &str =
    "hostssl all certified 127.0.0.1/32 cert\nhostssl all all 127.0.0.1/32 scram-sha-256\n";

pub struct TlsServer {
    directory: TempDir,
    server: Child,
    pub port: u16,
}

impl TlsServer {
    /// A server whose certificate is for `localhost`, signed by `ca.crt`.
    pub fn start() -> Self {
        Self::start_with(TLS_ONLY, "ssl=on", "server")
    }

    /// A server whose certificate, `self.crt`, is its own authority.
    pub fn start_self_signed() -> Self {
        Self::start_with(TLS_ONLY, "ssl=on", "self")
    }

    /// A server without TLS.
    pub fn start_plain() -> Self {
        Self::start_with("host all all 127.0.0.1/32 scram-sha-256\n", "ssl=off", "server")
    }

    fn start_with(hba: &str, ssl: &str, certificate: &str) -> Self {
        let directory = tempfile::Builder::new().prefix("backstop-tls").tempdir().unwrap();
        let root = directory.path();
        std::fs::set_permissions(root, std::fs::Permissions::from_mode(0o755)).unwrap();
        let data = root.join("data");
        std::fs::create_dir(&data).unwrap();
        certificates(root);
        std::fs::write(root.join("password"), PASSWORD).unwrap();
        own(root);
        let initdb = as_server(&tool("initdb"))
            .args(["-N", "-A", "scram-sha-256", "-U", "admin", "-E", "UTF8", "--locale=C"])
            .arg("--pwfile")
            .arg(root.join("password"))
            .arg(&data)
            .output()
            .unwrap();
        assert!(initdb.status.success(), "initdb: {}", String::from_utf8_lossy(&initdb.stderr));
        let rules = format!("local all all scram-sha-256\n{hba}");
        std::fs::write(data.join("pg_hba.conf"), rules).unwrap();
        let port = free_port();
        let file = |name: &str| root.join(name).display().to_string();
        let mut postgres = as_server(&tool("postgres"));
        postgres.arg("-D").arg(&data).args(["-p", &port.to_string(), "-k", &root.display().to_string()]);
        for setting in [
            "listen_addresses=127.0.0.1",
            "fsync=off",
            "max_connections=12",
            ssl,
            &format!("ssl_cert_file={}", file(&format!("{certificate}.crt"))),
            &format!("ssl_key_file={}", file(&format!("{certificate}.key"))),
            &format!("ssl_ca_file={}", file("ca.crt")),
        ] {
            postgres.args(["-c", setting]);
        }
        let server = postgres.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { directory, server, port };
        server.wait();
        server
    }

    fn wait(&self) {
        let begun = Instant::now();
        let ready = || {
            Command::new(tool("pg_isready"))
                .args(["-q", "-h", &self.path("").display().to_string(), "-p", &self.port.to_string()])
                .status()
                .unwrap()
                .success()
        };
        while !ready() {
            assert!(begun.elapsed() < Duration::from_mins(1), "the test's server did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A file of the server's folder: `ca.crt`, `other-ca.crt`, or the socket's place.
    pub fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.directory.path().to_owned() } else { self.directory.path().join(name) }
    }

    /// A URL of the database `postgres` as `admin`; `host` may be `localhost`
    /// (the certificate's name) or `127.0.0.1`.
    pub fn url(&self, host: &str, query: &str) -> String {
        format!("postgresql://admin:{ENCODED}@{host}:{}/postgres{query}", self.port)
    }

    pub fn target(&self, query: &str) -> Target {
        Target::parse(&self.url("127.0.0.1", query), &nothing).unwrap()
    }

    pub async fn admin(&self) -> Session {
        Session::connect(&self.target("")).await.unwrap()
    }

    pub async fn refusal(&self, url: &str) -> Error {
        refusal(&Target::parse(url, &nothing).unwrap()).await
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        // Fast shutdown; the handle ends the postmaster, which ends the rest.
        let _ = Command::new("kill").args(["-INT", &self.server.id().to_string()]).status();
        let _ = self.server.wait();
    }
}

/// Why a session cannot be had.
pub async fn refusal(target: &Target) -> Error {
    match Session::connect(target).await {
        Ok(_) => panic!("{target} let us in"),
        Err(error) => error,
    }
}

/// An environment without any variable.
pub fn nothing(_: &str) -> Option<String> {
    None
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A program of the newest installed server.
pub fn tool(name: &str) -> PathBuf {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL's server programs below /usr/lib/postgresql")
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let major = path.file_name()?.to_str()?.parse().ok()?;
            let program = path.join("bin").join(name);
            program.exists().then_some((major, program))
        })
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| panic!("no {name} below /usr/lib/postgresql")).1
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn as_server(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let account = account();
    let mut command = Command::new("setpriv");
    command
        .args([format!("--reuid={}", account.uid), format!("--regid={}", account.gid)])
        .arg("--clear-groups")
        .arg(program);
    command
}

/// Who may run a server, since root may not.
pub fn account() -> nix::unistd::User {
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| nix::unistd::User::from_name(name).unwrap())
        .expect("an account named postgres or nobody")
}

fn own(root: &Path) {
    if is_root() {
        let account = account();
        let owner = format!("{}:{}", account.uid, account.gid);
        assert!(Command::new("chown").args(["-R", &owner]).arg(root).status().unwrap().success());
    }
}

/// Two authorities; of the first a server certificate for `localhost` and a client
/// certificate for `certified`; and a server certificate that signs itself.
fn certificates(root: &Path) {
    const SERVER: [&str; 2] = ["-addext", "subjectAltName=DNS:localhost"];
    const LEAF: [&str; 6] =
        ["-CA", "ca.crt", "-CAkey", "ca.key", "-addext", "basicConstraints=critical,CA:FALSE"];
    let make = |name: &str, subject: &str, more: &[&str]| {
        let done = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-nodes", "-days", "2", "-subj", &format!("/CN={subject}")])
            .args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.crt")])
            .args(more)
            .current_dir(root)
            .output()
            .unwrap();
        assert!(done.status.success(), "openssl: {}", String::from_utf8_lossy(&done.stderr));
        let key = root.join(format!("{name}.key"));
        std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    make("ca", "backstop test authority", &[]);
    make("other-ca", "another test authority", &[]);
    make("server", "localhost", &[&LEAF[..], &SERVER].concat());
    make("client", "certified", &LEAF);
    make("self", "localhost", &SERVER);
}
