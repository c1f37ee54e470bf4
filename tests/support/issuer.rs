//! An OpenID Connect issuer on loopback, as a CI service runs one: its keys for
//! whoever checks a token, and tokens signed by openssl.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;

use tempfile::TempDir;

use super::equality::output;
use super::tools::tool;

pub struct Issuer {
    pub url: String,
    /// With the private key in it.
    folder: TempDir,
}

impl Issuer {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key.pem");
        output(Command::new(tool("openssl")).args(["genrsa", "-out"]).arg(&key).arg("2048"), b"");
        let modulus =
            output(Command::new(tool("openssl")).args(["rsa", "-noout", "-modulus", "-in"]).arg(&key), b"");
        let modulus = String::from_utf8(modulus).unwrap();
        let modulus = hex::decode(modulus.trim().strip_prefix("Modulus=").unwrap()).unwrap();
        let keys = serde_json::json!({"keys": [
            {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "one", "e": "AQAB", "n": base64(&modulus)},
        ]});

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let about = serde_json::json!({
            "issuer": url, "jwks_uri": format!("{url}/jwks"), "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
        });
        // It goes with the tests' process.
        std::thread::spawn(move || {
            for mut stream in listener.incoming().filter_map(Result::ok) {
                let mut request = [0; 4096];
                let length = stream.read(&mut request).unwrap_or(0);
                let body =
                    if request[..length].starts_with(b"GET /jwks") { &keys } else { &about }.to_string();
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
                let answer = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { url, folder }
    }

    /// A token of a job on the main branch, good for five minutes.
    pub fn token(&self) -> String {
        let now = jiff::Timestamp::now().as_second();
        let head = serde_json::json!({"alg": "RS256", "typ": "JWT", "kid": "one"});
        let claims = serde_json::json!({
            "iss": self.url, "aud": "sts.amazonaws.com", "sub": "repo:acme/shop:ref:refs/heads/main",
            "iat": now, "nbf": now, "exp": now + 300,
        });
        let text =
            format!("{}.{}", base64(head.to_string().as_bytes()), base64(claims.to_string().as_bytes()));
        let key = self.folder.path().join("key.pem");
        let sign = ["dgst", "-sha256", "-sign"];
        let signature = output(Command::new(tool("openssl")).args(sign).arg(key), text.as_bytes());
        format!("{text}.{}", base64(&signature))
    }
}

/// In the alphabet for URLs, without padding.
fn base64(bytes: &[u8]) -> String {
    let text =
        String::from_utf8(output(Command::new(tool("openssl")).args(["base64", "-A"]), bytes)).unwrap();
    text.trim_end_matches('=').replace('+', "-").replace('/', "_")
}
