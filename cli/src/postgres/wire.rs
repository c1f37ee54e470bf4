//! A connection whose bytes we read ourselves: the driver logs in (TLS, SCRAM,
//! channel binding) and steps aside; the stream that it logged in on comes out.
//!
//! It keeps nothing back: its buffer is empty when the server is ready for the
//! first query, which is when a login ends.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::{CancelToken, config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::session::{driver_config, within};
use super::target::{Host, Keepalives, Target};
use super::{Error, refusal};

/// Bytes in both directions, whatever carries them.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// Concrete, since the compiler cannot see of a boxed one that a future which
/// holds it may go to another thread.
enum Transport {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

type Socket = Shared<Transport>;
type Encrypted = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;
type Connector = <MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect;

/// A stream that the driver and we both hold on to. They never use it at the
/// same time, so that its lock is always free.
pub(super) struct Shared<S>(Arc<Mutex<S>>);

impl<S> Clone for Shared<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> Shared<S> {
    fn new(stream: S) -> Self {
        Self(Arc::new(Mutex::new(stream)))
    }

    fn lock(&self) -> MutexGuard<'_, S> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Shared<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Shared<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.lock()).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_shutdown(context)
    }
}

impl<S: TlsStream + Unpin> TlsStream for Shared<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.lock().channel_binding()
    }
}

/// Makes the encrypted stream, and puts a handle on it aside.
struct Keeping {
    connector: Connector,
    kept: Arc<Mutex<Option<Shared<Encrypted>>>>,
}

impl TlsConnect<Socket> for Keeping {
    type Stream = Shared<Encrypted>;
    type Error = <Connector as TlsConnect<Socket>>::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, Self::Error>> + Send>>;

    fn connect(self, stream: Socket) -> Self::Future {
        let Self { connector, kept } = self;
        Box::pin(async move {
            let stream = Shared::new(connector.connect(stream).await?);
            *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream.clone());
            Ok(stream)
        })
    }
}

/// A server to connect to as an earlier session did.
pub(super) struct Place {
    pub target: Target,
    pub host: Host,
    pub encrypted: bool,
    pub tls: MakeRustlsConnect,
}

impl Place {
    /// Log in; the stream stands where the server waits for a query.
    pub(super) async fn login(&self) -> Result<(Box<dyn Duplex>, CancelToken), Error> {
        let mode = if self.encrypted { config::SslMode::Require } else { config::SslMode::Disable };
        let driver = driver_config(&self.target, &self.host, mode);
        let kept = Arc::new(Mutex::new(None));
        let keeping = Keeping { connector: self.connector()?, kept: Arc::clone(&kept) };
        let socket = Shared::new(self.socket().await?);
        let login = driver.connect_raw(socket.clone(), keeping);
        let (client, connection) = within(&self.target, &self.host, login)
            .await?
            .map_err(|error| refusal::classify(error, &self.target, &self.host))?;
        let token = client.cancel_token();
        drop((client, connection));
        let encrypted = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(match encrypted {
            Some(stream) => (Box::new(stream), token),
            None => (Box::new(socket), token),
        })
    }

    /// Ask the server to cancel what a connection is doing.
    pub(super) async fn cancel(&self, token: &CancelToken) -> Result<(), Error> {
        let socket = Shared::new(self.socket().await?);
        let action = || "cancel a statement".to_owned();
        token
            .cancel_query_raw(socket, self.connector()?)
            .await
            .map_err(|source| Error::Broken { action: action(), source })
    }

    fn connector(&self) -> Result<Connector, Error> {
        let mut tls = self.tls.clone();
        let made =
            <MakeRustlsConnect as MakeTlsConnect<Socket>>::make_tls_connect(&mut tls, self.host.name());
        made.map_err(|error| Error::BadTarget { reason: format!("TLS cannot be set up: {error}") })
    }

    fn socket(&self) -> impl Future<Output = Result<Transport, Error>> + use<> {
        let opening = within(&self.target, &self.host, open(self.host.clone(), self.target.keepalives));
        let at = self.host.to_string();
        async move { opening.await?.map_err(|source| Error::Unreachable { at, source }) }
    }
}

async fn open(host: Host, keepalives: Keepalives) -> io::Result<Transport> {
    if let Some(address) = host.address {
        let stream = TcpStream::connect(SocketAddr::new(address, host.port())).await?;
        configure(&stream, keepalives)?;
        Ok(Transport::Tcp(stream))
    } else {
        let path = format!("{}/.s.PGSQL.{}", host.name(), host.port());
        Ok(Transport::Unix(UnixStream::connect(path).await?))
    }
}

/// What the driver does with sockets of its own.
fn configure(stream: &TcpStream, wanted: Keepalives) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if !wanted.on {
        return Ok(());
    }
    let mut keepalive = TcpKeepalive::new().with_time(wanted.idle);
    if let Some(interval) = wanted.interval {
        keepalive = keepalive.with_interval(interval);
    }
    if let Some(count) = wanted.count {
        keepalive = keepalive.with_retries(count);
    }
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}
