//! A connection, plain or inside TLS, to the server itself or through a proxy.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// The alert with which a server or a proxy ended TLS after the handshake was over on our side, as it does where it does not like our
/// certificate: whoever uses the connection learns no more than that it was closed.
#[derive(Clone, Debug, Default)]
pub(super) struct TlsAlert(Arc<Mutex<Option<String>>>);

impl TlsAlert {
    pub(super) fn text(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, text: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }
}

/// The way to the server, or to the proxy before it.
pub(super) enum Hop {
    Tcp(TcpStream),
    /// To a proxy that is spoken to within TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection that requests are sent over.
pub(super) enum Link {
    /// Whether a proxy reads the requests.
    Plain(TokioIo<Hop>, bool, TlsAlert),
    Tls(Box<TokioIo<TlsStream<Hop>>>, TlsAlert),
}

/// A handshake that broke off is a bad route; one that was judged is a bad certificate.
pub(super) fn is_tls_refusal(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.downcast_ref::<rustls::Error>().is_some())
}

impl AsyncRead for Hop {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Hop::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Hop::Tls(stream) => Pin::new(&mut **stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Hop {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Hop::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Hop::Tls(stream) => Pin::new(&mut **stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Hop::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Hop::Tls(stream) => Pin::new(&mut **stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Hop::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Hop::Tls(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
        }
    }
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        match self {
            // The path of a request is then its whole URL.
            Link::Plain(_, through_proxy, _) => Connected::new().proxy(*through_proxy),
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
            // Of TLS there is only what leads to a proxy.
            Link::Plain(stream, _, alert) => heard(Pin::new(stream).poll_read(cx, buf), alert, "proxy"),
            Link::Tls(stream, alert) => heard(Pin::new(&mut **stream).poll_read(cx, buf), alert, "destination"),
        }
    }
}

fn heard(read: Poll<io::Result<()>>, alert: &TlsAlert, from: &str) -> Poll<io::Result<()>> {
    if let Poll::Ready(Err(error)) = &read
        && is_tls_refusal(error)
    {
        alert.set(Some(format!("the {from} ended TLS: {error}")));
    }
    read
}

impl Write for Link {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Link::Plain(stream, ..) => Pin::new(stream).poll_write(cx, buf),
            Link::Tls(stream, _) => Pin::new(&mut **stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Link::Plain(stream, ..) => Pin::new(stream).poll_flush(cx),
            Link::Tls(stream, _) => Pin::new(&mut **stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Link::Plain(stream, ..) => Pin::new(stream).poll_shutdown(cx),
            Link::Tls(stream, _) => Pin::new(&mut **stream).poll_shutdown(cx),
        }
    }
}
