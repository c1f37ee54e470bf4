//! A reverse proxy on the loopback in front of an S3 server, with faults that are
//! switched on by rule. One request a connection, whole bodies in memory, `Host`
//! left as it was signed.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// Answer with this status and S3 error code, without asking the server.
    Answer(u16, &'static str),
    /// Let the server do it, and answer with an error all the same.
    LoseAnswer(u16, &'static str),
    /// Wait before passing the request on.
    Delay(Duration),
    /// Pass this many bytes of the answer's body on, then drop the connection.
    CutAnswer(usize),
    /// Pass half of the answer's body on, and end it as if it were all: the length is
    /// told as before, but the body comes in chunks.
    EndAnswerEarly,
    /// Take half of the request, then drop the connection.
    DropRequest,
    /// Answer 200 to an upload and throw its bytes away.
    Swallow,
    /// Pass half of the request's body on, as if it were all.
    Halve,
    /// Leave a header of the request out.
    Without(&'static str),
    /// Take the request and say nothing for ever.
    Hang,
    /// Change one bit in the middle of the request's body, and leave out what would
    /// tell the server.
    FlipBit,
}

struct Rule {
    method: &'static str,
    target: &'static str,
    fault: Fault,
    left: Option<u32>,
}

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    /// `METHOD target` of every request that arrived.
    seen: Vec<String>,
}

pub struct Proxy {
    pub endpoint: String,
    state: Arc<Mutex<State>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Proxy {
    pub async fn before(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let upstream = upstream.strip_prefix("http://").unwrap().to_owned();
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (upstream, state) = (upstream.clone(), Arc::clone(&shared));
                // A dropped connection is the point of it, not a failure.
                tokio::spawn(async move { serve(client, &upstream, &state).await.ok() });
            }
        });
        Self { endpoint, state, accepting }
    }

    /// From now on: requests of this method whose path and query contain `target`
    /// meet the fault, `times` times, or for ever. The first rule that fits counts.
    pub fn when(&self, method: &'static str, target: &'static str, fault: Fault, times: Option<u32>) {
        self.state.lock().unwrap().rules.push(Rule { method, target, fault, left: times });
    }

    /// How many requests of this method contained `target`.
    pub fn count(&self, method: &str, target: &str) -> usize {
        let state = self.state.lock().unwrap();
        let fits =
            |line: &&String| line.split_once(' ').is_some_and(|(m, t)| m == method && t.contains(target));
        state.seen.iter().filter(fits).count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl State {
    fn fault(&mut self, method: &str, target: &str) -> Option<Fault> {
        self.seen.push(format!("{method} {target}"));
        let rule = self
            .rules
            .iter_mut()
            .find(|rule| rule.method == method && target.contains(rule.target) && rule.left != Some(0))?;
        if let Some(left) = &mut rule.left {
            *left -= 1;
        }
        Some(rule.fault)
    }
}

/// The lines of a head, and the length of the body that follows.
struct Head {
    lines: Vec<String>,
    length: usize,
}

impl Head {
    async fn read(from: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<Self> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if from.read_line(&mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let length = lines.iter().find_map(|line| header(line, "content-length")?.parse().ok()).unwrap_or(0);
        Ok(Self { lines, length })
    }

    fn without(&mut self, name: &str) {
        self.lines.retain(|line| header(line, name).is_none());
    }

    /// As text, for a connection that ends after it.
    fn text(&mut self) -> String {
        self.without("connection");
        format!("{}\r\nConnection: close\r\n\r\n", self.lines.join("\r\n"))
    }
}

fn header<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (found, value) = line.split_once(':')?;
    found.eq_ignore_ascii_case(name).then(|| value.trim())
}

async fn serve(client: TcpStream, upstream: &str, state: &Mutex<State>) -> io::Result<()> {
    let mut client = BufReader::new(client);
    let mut head = Head::read(&mut client).await?;
    let mut request = head.lines[0].split(' ').map(str::to_owned);
    let (method, target) = (request.next().unwrap_or_default(), request.next().unwrap_or_default());
    if head.lines.iter().any(|line| header(line, "expect").is_some()) {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        head.without("expect");
    }
    let fault = state.lock().unwrap().fault(&method, &target);
    let mut body = vec![0; head.length];
    match fault {
        Some(Fault::DropRequest) => {
            client.read_exact(&mut body[..head.length / 2]).await?;
            return Ok(());
        }
        _ => client.read_exact(&mut body).await?,
    };
    match fault {
        Some(Fault::Answer(status, code)) => return refuse(&mut client, &method, status, code).await,
        Some(Fault::Swallow) => {
            let answer = "HTTP/1.1 200 OK\r\nETag: \"0\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            return client.write_all(answer.as_bytes()).await;
        }
        Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
        Some(Fault::Without(name)) => head.without(name),
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::FlipBit) => {
            let middle = body.len() / 2;
            body[middle] ^= 1;
            head.lines.retain(|line| !line.to_ascii_lowercase().starts_with("x-amz-checksum-"));
        }
        Some(Fault::Halve) => {
            body.truncate(body.len() / 2);
            head.without("content-length");
            head.lines.push(format!("Content-Length: {}", body.len()));
        }
        _ => {}
    }
    let mut server = BufReader::new(TcpStream::connect(upstream).await?);
    server.write_all(head.text().as_bytes()).await?;
    server.write_all(&body).await?;
    let mut answer = Head::read(&mut server).await?;
    if let Some(Fault::LoseAnswer(status, code)) = fault {
        return refuse(&mut client, &method, status, code).await;
    }
    if let Some(Fault::EndAnswerEarly) = fault {
        let half = answer.length / 2;
        answer.lines.push("Transfer-Encoding: chunked".to_owned());
        client.write_all(format!("{}{half:x}\r\n", answer.text()).as_bytes()).await?;
        tokio::io::copy(&mut server.take(half as u64), &mut client).await?;
        client.write_all(b"\r\n0\r\n\r\n").await?;
        return client.shutdown().await;
    }
    client.write_all(answer.text().as_bytes()).await?;
    match fault {
        Some(Fault::CutAnswer(bytes)) => {
            tokio::io::copy(&mut server.take(bytes as u64), &mut client).await?;
        }
        _ => {
            tokio::io::copy(&mut server, &mut client).await?;
        }
    }
    client.shutdown().await
}

/// An error as S3 words it; HEAD is answered without a body.
async fn refuse(
    client: &mut (impl AsyncWriteExt + Unpin),
    method: &str,
    status: u16,
    code: &str,
) -> io::Result<()> {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>Made up</Message></Error>");
    let length = if method == "HEAD" { 0 } else { body.len() };
    let head = format!(
        "HTTP/1.1 {status} Refused\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    client.write_all(head.as_bytes()).await?;
    client.write_all(&body.as_bytes()[..length]).await?;
    client.shutdown().await
}
