//! TCP and TLS to a server, with errors that say which of name, route or certificate is at fault.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

/// Why no connection came about. A wrong name or certificate stays wrong until somebody
/// changes it; a route may come back.
#[derive(Debug)]
pub(super) enum ConnectError {
    Name(String, io::Error),
    Route(String, io::Error),
    Certificate(String, io::Error),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectError::Name(host, error) => write!(f, "the name {host} cannot be resolved: {error}"),
            ConnectError::Route(host, error) => write!(f, "{host} cannot be reached: {error}"),
            ConnectError::Certificate(host, error) => write!(f, "TLS with {host} failed: {error}"),
        }
    }
}

impl std::error::Error for ConnectError {}

/// The alert with which a server ended TLS after the handshake was over on our side, as it does where it does not like our
/// certificate: whoever uses the connection learns no more than that it was closed.
#[derive(Clone, Debug, Default)]
pub(super) struct TlsAlert(Arc<Mutex<Option<String>>>);

impl TlsAlert {
    pub(super) fn text(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, text: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }
}

/// Makes connections for the client.
#[derive(Clone)]
pub(super) struct Connector {
    alert: TlsAlert,
    tls: Arc<ClientConfig>,
    server_name: Option<String>,
    timeout: Duration,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

impl Connector {
    /// `server_name` is expected in the certificate instead of the URL's host.
    pub(super) fn new(tls: ClientConfig, server_name: Option<String>, timeout: Duration) -> Self {
        Self { tls: Arc::new(tls), server_name, timeout, alert: TlsAlert::default() }
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
        let addresses = tokio::net::lookup_host((host.as_str(), port))
            .await
            .map_err(|error| ConnectError::Name(shown.clone(), error))?;
        let reached = tokio::time::timeout(self.timeout, reach(addresses)).await;
        let stream = reached
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(|error| ConnectError::Route(shown.clone(), error))?;
        // Small requests would otherwise wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        if !https {
            return Ok(Link::Plain(TokioIo::new(stream)));
        }
        let expected = self.server_name.unwrap_or(host);
        let name = ServerName::try_from(expected)
            .map_err(|error| ConnectError::Certificate(shown.clone(), io::Error::other(error)))?;
        match TlsConnector::from(self.tls).connect(name, stream).await {
            Ok(stream) => {
                self.alert.set(None);
                Ok(Link::Tls(Box::new(TokioIo::new(stream)), self.alert))
            }
            Err(error) if is_tls_refusal(&error) => Err(ConnectError::Certificate(shown, error)),
            Err(error) => Err(ConnectError::Route(shown, error)),
        }
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

/// A handshake that broke off is a bad route; one that was judged is a bad certificate.
fn is_tls_refusal(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.downcast_ref::<rustls::Error>().is_some())
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

/// A connection, plain or inside TLS.
pub(super) enum Link {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>, TlsAlert),
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        match self {
            Link::Plain(_) => Connected::new(),
            Link::Tls(stream, _) if stream.inner().get_ref().1.alpn_protocol() == Some(b"h2") => {
                Connected::new().negotiated_h2()
            }
            Link::Tls(..) => Connected::new(),
        }
    }
}

impl Read for Link {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Link::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Link::Tls(stream, alert) => {
                let read = Pin::new(&mut **stream).poll_read(cx, buf);
                if let Poll::Ready(Err(error)) = &read
                    && is_tls_refusal(error)
                {
                    alert.set(Some(error.to_string()));
                }
                read
            }
        }
    }
}

impl Write for Link {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Link::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Link::Tls(stream, _) => Pin::new(&mut **stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Link::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Link::Tls(stream, _) => Pin::new(&mut **stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Link::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Link::Tls(stream, _) => Pin::new(&mut **stream).poll_shutdown(cx),
        }
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
