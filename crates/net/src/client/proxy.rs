//! A proxy that requests go through: what is known of it, and how it is asked for a tunnel.

use std::fmt;
use std::io;
use std::sync::Arc;

use http::{HeaderValue, StatusCode, Uri};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest head of an answer to CONNECT.
const MOST_HEAD: usize = 16 << 10;

/// A proxy that speaks HTTP. It prints without its credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Whether it is spoken to within TLS.
    pub https: bool,
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The value of `Proxy-Authorization`.
    pub authorization: Option<HeaderValue>,
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]:{}", self.host, self.port),
            false => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which proxy stands before which server, by the scheme and authority of its URLs; others are reached directly.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Vec<(String, Arc<Proxy>)>);

impl Proxies {
    /// Requests to URLs with scheme and authority of `uri` go through `proxy`.
    #[must_use]
    pub fn with(mut self, uri: &Uri, proxy: Proxy) -> Self {
        self.0.push((server(uri), Arc::new(proxy)));
        self
    }

    /// The proxy before the server of `uri`.
    pub(super) fn of(&self, uri: &Uri) -> Option<Arc<Proxy>> {
        let server = server(uri);
        self.0.iter().find(|(known, _)| *known == server).map(|(_, proxy)| Arc::clone(proxy))
    }
}

fn server(uri: &Uri) -> String {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    format!("{}://{authority}", uri.scheme_str().unwrap_or_default())
}

/// Why there is no tunnel.
#[derive(Debug)]
pub(super) enum NoTunnel {
    /// The proxy answered with this status.
    Refused(StatusCode, String),
    /// It answered something else, or nothing.
    Broken(io::Error),
}

/// Asks the proxy at the other end of `stream` to connect it to `host` and `port`.
pub(super) async fn tunnel<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    proxy: &Proxy,
    host: &str,
    port: u16,
) -> Result<(), NoTunnel> {
    let target = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let agent = concat!("otlp-arrow/", env!("CARGO_PKG_VERSION"));
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: {agent}\r\n").into_bytes();
    if let Some(authorization) = &proxy.authorization {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(authorization.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await.map_err(NoTunnel::Broken)?;
    stream.flush().await.map_err(NoTunnel::Broken)?;
    let head = head(stream).await.map_err(NoTunnel::Broken)?;
    let (status, reason) = status_line(&head)
        .ok_or_else(|| NoTunnel::Broken(io::Error::new(io::ErrorKind::InvalidData, "it does not answer in HTTP")))?;
    if status.is_success() { Ok(()) } else { Err(NoTunnel::Refused(status, reason)) }
}

/// The head of an answer, byte by byte: what follows belongs to the tunnel.
async fn head<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(256);
    while !head.ends_with(b"\r\n\r\n") && !head.ends_with(b"\n\n") {
        if head.len() == MOST_HEAD {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its answer does not end"));
        }
        head.push(stream.read_u8().await?);
    }
    Ok(head)
}

/// `HTTP/1.1 403 Forbidden` in its parts.
fn status_line(head: &[u8]) -> Option<(StatusCode, String)> {
    let line = head.split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
    let mut words = line.strip_prefix(b"HTTP/1.")?.splitn(3, |byte| *byte == b' ').skip(1);
    let status = StatusCode::from_bytes(words.next()?).ok()?;
    let reason = String::from_utf8_lossy(words.next().unwrap_or_default()).trim().to_owned();
    Some((status, reason))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn proxy() -> Proxy {
        let authorization = Some(HeaderValue::from_static("Basic dTpw"));
        Proxy { https: false, host: "proxy".into(), port: 3128, authorization }
    }

    /// What the proxy is asked, what comes of its answer, and what is left for the tunnel.
    async fn asked(answer: &[u8], host: &str) -> (String, Result<(), NoTunnel>, Vec<u8>) {
        let (mut ours, mut theirs) = tokio::io::duplex(64 << 10);
        theirs.write_all(answer).await.unwrap();
        theirs.shutdown().await.unwrap();
        let done = tunnel(&mut ours, &proxy(), host, 4317).await;
        let mut rest = Vec::new();
        ours.read_to_end(&mut rest).await.unwrap();
        drop(ours);
        let mut request = String::new();
        theirs.read_to_string(&mut request).await.unwrap();
        (request, done, rest)
    }

    #[tokio::test]
    async fn a_tunnel_is_asked_for_and_nothing_behind_the_answer_is_lost() {
        let (request, done, rest) = asked(b"HTTP/1.0 200 Connection established\r\nvia: x\r\n\r\nPRI", "host").await;
        assert!(done.is_ok());
        assert_eq!(rest, b"PRI");
        assert!(request.starts_with("CONNECT host:4317 HTTP/1.1\r\nHost: host:4317\r\n"), "{request}");
        assert!(
            request.contains("\r\nProxy-Authorization: Basic dTpw\r\n") && request.ends_with("\r\n\r\n"),
            "{request}"
        );
        let (request, done, _) = asked(b"HTTP/1.1 200\n\n", "::1").await;
        assert!(done.is_ok() && request.starts_with("CONNECT [::1]:4317 "), "{request}");
    }

    #[tokio::test]
    async fn what_is_no_tunnel_says_why() {
        let (_, done, _) = asked(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "host").await;
        assert!(
            matches!(done, Err(NoTunnel::Refused(status, reason)) if status == 407 && reason.starts_with("Proxy Auth"))
        );
        let endless = [b"HTTP/1.1 200 OK\r\n".as_slice(), &[b'a'; MOST_HEAD]].concat();
        for answer in [b"SSH-2.0-OpenSSH_9.2\r\n\r\n".as_slice(), b"", b"HTTP/1.1 2", b"HTTP/1.1 abc\r\n\r\n", &endless]
        {
            let (_, done, _) = asked(answer, "host").await;
            assert!(matches!(done, Err(NoTunnel::Broken(_))), "{}", String::from_utf8_lossy(answer));
        }
    }

    #[test]
    fn a_proxy_prints_without_credentials() {
        assert_eq!(format!("{} {:?}", proxy(), proxy()), "http://proxy:3128 http://proxy:3128");
        let six = Proxy { https: true, host: "::1".into(), ..proxy() };
        assert_eq!(six.to_string(), "https://[::1]:3128");
    }
}
