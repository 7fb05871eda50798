//! TCP and TLS to a server, through a proxy where there is one, with errors that say which of name, route, certificate or
//! proxy is at fault.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use http::{StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use super::link::{Hop, Link, TlsAlert, is_tls_refusal};
use super::proxy::{NoTunnel, Proxies, Proxy, tunnel};
use crate::reload::Reloaded;

/// Why no connection came about. A name, a certificate or a proxy that is wrong stays so until somebody changes it; a route
/// may come back.
#[derive(Debug)]
pub(super) enum ConnectError {
    Name(String, io::Error),
    Route(String, io::Error),
    Certificate(String, io::Error),
    /// The proxy does not let us through to the server.
    Refused {
        proxy: String,
        server: String,
        status: StatusCode,
        reason: String,
    },
}

impl ConnectError {
    /// Whether it may be over by itself.
    pub(super) fn passes(&self) -> bool {
        match self {
            ConnectError::Name(..) | ConnectError::Certificate(..) => false,
            ConnectError::Route(..) => true,
            ConnectError::Refused { status, .. } => passes(*status),
        }
    }
}

/// Whether a proxy that answers so for itself may answer otherwise later.
pub(super) fn passes(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

/// What to do about a proxy that answers so.
pub(super) fn remedy(status: StatusCode) -> &'static str {
    match status {
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            ": it wants a user name and a password: put them in its URL, or set forward.proxy.username and forward.proxy.password"
        }
        _ if passes(status) => ": it cannot reach that server now",
        _ => ": have the proxy allow this server and port, or name the server in NO_PROXY",
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectError::Name(host, error) => write!(f, "the name {host} cannot be resolved: {error}"),
            ConnectError::Route(host, error) => write!(f, "{host} cannot be reached: {error}"),
            ConnectError::Certificate(host, error) => write!(f, "TLS with {host} failed: {error}"),
            ConnectError::Refused { proxy, server, status, reason } => {
                let said = [status.as_str(), reason].join(" ");
                write!(f, "the proxy {proxy} does not connect to {server}: HTTP {}{}", said.trim(), remedy(*status))
            }
        }
    }
}

impl std::error::Error for ConnectError {}

/// What is offered and trusted on the way to a server.
#[derive(Clone)]
pub(super) struct Trust {
    pub(super) server: Arc<ClientConfig>,
    pub(super) proxy: Arc<ClientConfig>,
}

/// Makes connections for the client.
#[derive(Clone)]
pub(super) struct Connector {
    alert: TlsAlert,
    trust: Trust,
    server_name: Option<String>,
    /// Before which servers there is a proxy.
    proxies: Option<Arc<Reloaded<Proxies>>>,
    /// HTTP/2 without TLS: no proxy can read it, so it goes through a tunnel as well.
    http2: bool,
    timeout: Duration,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

impl Connector {
    /// `server_name` is expected in the certificate instead of the URL's host.
    pub(super) fn new(trust: Trust, server_name: Option<String>, http2: bool, timeout: Duration) -> Self {
        Self { trust, server_name, proxies: None, http2, timeout, alert: TlsAlert::default() }
    }

    pub(super) fn through(self, proxies: Option<Arc<Reloaded<Proxies>>>) -> Self {
        Self { proxies, ..self }
    }

    /// Where to read why a connection was closed.
    pub(super) fn alert(&self) -> TlsAlert {
        self.alert.clone()
    }

    async fn connect(self, uri: Uri) -> Result<Link, ConnectError> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        let shown = format!("{host}:{port}");
        let proxy = self.proxies.as_ref().and_then(|proxies| proxies.current().of(&uri));
        let tunnelled = https || self.http2;
        let hop = match &proxy {
            None => Hop::Tcp(self.dial(&host, port, &shown).await?),
            Some(proxy) => {
                let mut hop = self.to_proxy(proxy).await?;
                if tunnelled {
                    tunnel(&mut hop, proxy, &host, port).await.map_err(|no| no_tunnel(no, proxy, &shown))?;
                }
                hop
            }
        };
        if !https {
            self.alert.set(None);
            return Ok(Link::Plain(TokioIo::new(hop), proxy.is_some() && !tunnelled, self.alert));
        }
        let expected = self.server_name.unwrap_or(host);
        let stream = tls(self.trust.server, expected, hop, &shown).await?;
        self.alert.set(None);
        Ok(Link::Tls(Box::new(TokioIo::new(stream)), self.alert))
    }

    async fn to_proxy(&self, proxy: &Proxy) -> Result<Hop, ConnectError> {
        let shown = format!("the proxy {proxy}");
        let stream = self.dial(&proxy.host, proxy.port, &shown).await?;
        if !proxy.https {
            return Ok(Hop::Tcp(stream));
        }
        let stream = tls(Arc::clone(&self.trust.proxy), proxy.host.clone(), stream, &shown).await?;
        Ok(Hop::Tls(Box::new(stream)))
    }

    async fn dial(&self, host: &str, port: u16, shown: &str) -> Result<TcpStream, ConnectError> {
        let addresses =
            tokio::net::lookup_host((host, port)).await.map_err(|error| ConnectError::Name(shown.to_owned(), error))?;
        let reached = tokio::time::timeout(self.timeout, reach(addresses)).await;
        let stream = reached
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(|error| ConnectError::Route(shown.to_owned(), error))?;
        // Small requests would otherwise wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

/// TLS over `stream`, with the certificate of `expected` at its other end.
async fn tls<S: AsyncRead + AsyncWrite + Unpin>(
    config: Arc<ClientConfig>,
    expected: String,
    stream: S,
    shown: &str,
) -> Result<TlsStream<S>, ConnectError> {
    let name = ServerName::try_from(expected)
        .map_err(|error| ConnectError::Certificate(shown.to_owned(), io::Error::other(error)))?;
    TlsConnector::from(config).connect(name, stream).await.map_err(|error| match is_tls_refusal(&error) {
        true => ConnectError::Certificate(shown.to_owned(), error),
        false => ConnectError::Route(shown.to_owned(), error),
    })
}

fn no_tunnel(no: NoTunnel, proxy: &Proxy, server: &str) -> ConnectError {
    match no {
        NoTunnel::Refused(status, reason) => {
            ConnectError::Refused { proxy: proxy.to_string(), server: server.to_owned(), status, reason }
        }
        // In TLS 1.3 what a server thinks of our certificate comes with its first bytes.
        NoTunnel::Broken(error) if is_tls_refusal(&error) => {
            ConnectError::Certificate(format!("the proxy {proxy}"), error)
        }
        NoTunnel::Broken(error) => ConnectError::Route(format!("{server} through the proxy {proxy}"), error),
    }
}

/// How long an address may say nothing before the next one is tried beside it (RFC 8305).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);

/// A connection to the first of `addresses` that answers: one that swallows what is sent to it, as IPv6 addresses do
/// where the network is set up for them in part, must not hide the others.
async fn reach(addresses: impl IntoIterator<Item = SocketAddr>) -> io::Result<TcpStream> {
    let mut addresses = addresses.into_iter();
    let mut tried = FuturesUnordered::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        let next = addresses.next();
        let waits = next.is_some();
        tried.extend(next.map(TcpStream::connect));
        tokio::select! {
            done = tried.next() => match done {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(error)) => last = error,
                None => return Err(last),
            },
            () = tokio::time::sleep(NEXT_ADDRESS), if waits => {}
        }
    }
}

impl Service<Uri> for Connector {
    type Response = Link;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Link, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use tokio::net::{TcpListener, TcpSocket};

    /// An address that swallows what is sent to it: on Linux, that of a listener whose queue is full.
    async fn silent() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        // The kernel answers for a listener at once, however busy this process is.
        let mut hung = 0;
        while hung < 2 {
            match tokio::time::timeout(Duration::from_secs(1), TcpStream::connect(address)).await {
                Ok(stream) => {
                    waiting.push(stream.unwrap());
                    hung = 0;
                }
                Err(_) => hung += 1,
            }
        }
        (address, listener, waiting)
    }

    #[tokio::test]
    async fn a_silent_address_does_not_hide_the_others() {
        let (silent, _listener, _waiting) = silent().await;
        let refusing = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let live = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = live.local_addr().unwrap();
        let reached = tokio::time::timeout(Duration::from_secs(20), reach([refusing, silent, address])).await.unwrap();
        assert_eq!(reached.unwrap().peer_addr().unwrap(), address);
        assert_eq!(reach([refusing]).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(reach([]).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
