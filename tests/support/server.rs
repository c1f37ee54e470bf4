//! S3 servers for the tests: one of each kind a run, started when the first test
//! asks, gone with the test process however that ends.
//!
//! A shell waits on a pipe that this process holds open; when the pipe closes (exit,
//! panic, kill -9) it kills the server and removes its folder. SeaweedFS takes up
//! to ten seconds to stop when asked kindly, so it is not asked.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::tools::tool;

pub const ACCESS_KEY: &str = "test";
pub const SECRET_KEY: &str = "testsecret";

const SUPERVISE: &str = r#"folder=$1; shift
"$@" >"$folder.log" 2>&1 &
server=$!
cat >/dev/null
kill -9 $server
wait $server
rm -rf "$folder" "$folder.log""#;

/// A running server.
pub struct Server {
    pub endpoint: String,
    /// The pipe that the supervisor waits on.
    _pipe: ChildStdin,
}

/// SeaweedFS: checks signatures and checksums, honours conditions.
pub fn seaweed() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| start(weed))
}

/// SeaweedFS that gives keys for tokens of this OpenID Connect issuer.
pub fn seaweed_that_trusts(issuer: &str) -> Server {
    start(|folder, ports| {
        let config = serde_json::json!({
            "sts": {
                "tokenDuration": "1h", "maxSessionLength": "12h", "issuer": "seaweedfs-sts",
                "signingKey": "bWFkZSB1cCBmb3IgdGhlIHRlc3RzLCAzMiBieXRlcyE=",
            },
            "providers": [{"name": "ci", "type": "oidc", "enabled": true, "config": {
                "issuer": issuer, "clientId": "sts.amazonaws.com", "jwksUri": format!("{issuer}/jwks"),
            }}],
            "policy": {"defaultEffect": "Deny", "storeType": "memory"},
            "roles": [{
                "roleName": "backup", "roleArn": "arn:aws:iam::role/backup", "attachedPolicies": ["full"],
                "trustPolicy": {"Version": "2012-10-17", "Statement": [{
                    "Effect": "Allow", "Principal": {"Federated": "*"}, "Action": ["sts:AssumeRoleWithWebIdentity"],
                }]},
            }],
            "policies": [{"name": "full", "document": {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["*"]},
            ]}}],
        });
        let path = folder.join("iam.json");
        std::fs::write(&path, config.to_string()).unwrap();
        let mut command = weed(folder, ports);
        command.arg(format!("-s3.iam.config={}", path.display()));
        command
    })
}

fn weed(folder: &Path, ports: &[u16]) -> Command {
    let config = folder.join("s3.json");
    let identities = serde_json::json!({"identities": [{
        "name": "admin",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"],
    }]});
    std::fs::write(&config, identities.to_string()).unwrap();
    let mut command = Command::new(tool("weed"));
    command.args(["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", "-volume.max=300"]);
    command.args(["-master.volumeSizeLimitMB=128", "-s3.port.iceberg=0", "-s3.port.lance=0"]);
    command.arg(format!("-dir={}", folder.display()));
    command.arg(format!("-s3.config={}", config.display()));
    // Every port: the gRPC ones are 10,000 higher when they are not given.
    let flags = [
        "s3.port",
        "s3.port.grpc",
        "master.port",
        "master.port.grpc",
        "volume.port",
        "volume.port.grpc",
        "filer.port",
        "filer.port.grpc",
    ];
    for (flag, port) in flags.iter().zip(ports) {
        command.arg(format!("-{flag}={port}"));
    }
    command
}

/// moto: checks no signatures, so that requests may be changed on their way.
pub fn moto() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        start(|_, ports| {
            let mut command = Command::new(tool("moto_server"));
            command.args(["-H", "127.0.0.1", "-p", &ports[0].to_string()]);
            command
        })
    })
}

/// Ports that were free a moment ago; held together, so that they differ.
fn free_ports() -> Vec<u16> {
    let held: Vec<_> = (0..8).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    held.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

/// Start the server that listens on the first of the ports. Somebody else may take
/// one of them meanwhile, hence three attempts.
fn start(command: impl Fn(&Path, &[u16]) -> Command) -> Server {
    let mut log = String::new();
    for _ in 0..3 {
        let folder: PathBuf = tempfile::Builder::new().prefix("backstop-s3-").tempdir().unwrap().keep();
        let ports = free_ports();
        let server = command(&folder, &ports);
        let mut supervisor = Command::new("sh")
            .args(["-c", SUPERVISE, "supervisor"])
            .arg(&folder)
            .arg(server.get_program())
            .args(server.get_args())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", &folder)
            // Without it SeaweedFS answers 500 to every server-side encryption.
            .env("WEED_S3_SSE_KEY", "made-up")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Control-C in the terminal must not reach the shell before its work.
            .process_group(0)
            .spawn()
            .unwrap();
        if answers(ports[0], &mut supervisor) {
            return Server {
                endpoint: format!("http://127.0.0.1:{}", ports[0]),
                _pipe: supervisor.stdin.take().unwrap(),
            };
        }
        log = std::fs::read_to_string(folder.with_extension("log")).unwrap_or_default();
        drop(supervisor.stdin.take());
        supervisor.wait().unwrap();
    }
    panic!("the S3 server does not start: {}", log.lines().rev().take(5).collect::<Vec<_>>().join(" | "))
}

/// Wait until the port speaks HTTP.
fn answers(port: u16, supervisor: &mut Child) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_mins(1) && supervisor.try_wait().unwrap().is_none() {
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
            stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            let mut start = [0; 5];
            let asked = stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            if asked.and_then(|()| stream.read_exact(&mut start)).is_ok() && &start == b"HTTP/" {
                return true;
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}
