//! TLS from both ends, each with files that the one loader reads.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use otlp_arrow_base::clock::{Clock, ManualClock};
use otlp_arrow_base::error::Code;
use otlp_arrow_net::client::{Client, ClientOptions, Failure};
use otlp_arrow_net::identity::Peer;
use otlp_arrow_net::server::{Router, Server};
use otlp_arrow_net::tls::{self, ClientAuth, ClientPems, Pem, ServerFiles};
use tempfile::NamedTempFile;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::support::*;

/// A certificate that signs itself, and its key.
struct Pair {
    cert: NamedTempFile,
    key: NamedTempFile,
}

fn file(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

impl Pair {
    fn new(name: &str) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let signed = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
        Self { cert: file(&signed.pem()), key: file(&key.serialize_pem()) }
    }

    fn server<'a>(&'a self, client_auth: ClientAuth<'a>) -> ServerFiles<'a> {
        ServerFiles { key: "tls", cert_file: self.cert.path(), key_file: self.key.path(), client_auth }
    }
}

/// The port of a server behind TLS.
async fn listen(files: &ServerFiles<'_>) -> u16 {
    listen_by(files, Clock::system()).await
}

/// The same, which looks at its files by `clock`.
async fn listen_by(files: &ServerFiles<'_>, clock: Clock) -> u16 {
    let tls = tls::server_reloaded(files, clock).unwrap();
    let mut router = Router::new(LIMITS, Clock::system(), Arc::default());
    router.mount(Echo::new(), true).unwrap();
    let server = Arc::new(Server::new(router, watch::Sender::new(false)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, peer) = listener.accept().await.unwrap();
            let (acceptor, connection) = (TlsAcceptor::from(tls.current()), server.connection(server.place().await));
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    connection.serve(stream, Peer::Address(peer)).await;
                }
            });
        }
    });
    port
}

async fn ask(port: u16, http2: bool, ca: &Path, own: Option<&Pair>) -> Result<String, Failure> {
    let files = ClientPems {
        key: "forward.tls".into(),
        ca: Some(Pem::file("forward.tls.ca_file", ca)),
        cert: own.map(|pair| Pem::file("forward.tls.cert_file", pair.cert.path())),
        private_key: own.map(|pair| Pem::file("forward.tls.key_file", pair.key.path())),
    };
    let timeout = Duration::from_secs(20);
    let options = ClientOptions {
        tls: files,
        server_name: None,
        proxies: None,
        proxy_tls: ClientPems::default(),
        http2,
        timeout,
        max_answer: 1000,
    };
    send(&Client::new(options).unwrap(), port, http2).await
}

async fn send(client: &Client, port: u16, http2: bool) -> Result<String, Failure> {
    let request = http::Request::post(format!("https://localhost:{port}/echo")).body(Full::new(Bytes::from("secret")));
    let reply = client.send(request.unwrap()).await?;
    assert_eq!(reply.head.status, 200);
    assert_eq!(reply.head.version, if http2 { http::Version::HTTP_2 } else { http::Version::HTTP_11 });
    Ok(String::from_utf8(reply.body.to_vec()).unwrap())
}

fn refused(outcome: Result<String, Failure>) -> String {
    match outcome {
        Err(Failure::Settings(text)) => text,
        other => panic!("not a failure that needs other settings: {other:?}"),
    }
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_within_tls() {
    let (pair, stranger) = (Pair::new("localhost"), Pair::new("localhost"));
    let port = listen(&pair.server(ClientAuth::None)).await;
    for http2 in [true, false] {
        assert_eq!(ask(port, http2, pair.cert.path(), None).await.unwrap(), "secret");
        let text = refused(ask(port, http2, stranger.cert.path(), None).await);
        assert!(text.contains(&format!("TLS with localhost:{port} failed")), "{text}");
    }
}

/// A certificate is renewed under everybody's feet: at the server, with its key a moment later, and at the client, which shows one of
/// its own and trusts by a file.
#[tokio::test]
async fn renewed_certificates_are_taken_where_they_are() {
    let copy = |from: &NamedTempFile, to: &NamedTempFile| std::fs::copy(from.path(), to.path()).unwrap();
    for http2 in [true, false] {
        let (pair, ours, clock) = (Pair::new("localhost"), Pair::new("client"), ManualClock::new());
        let port = listen_by(&pair.server(ClientAuth::Required(ours.cert.path())), clock.clock()).await;
        let trusted = NamedTempFile::new().unwrap();
        copy(&pair.cert, &trusted);
        let options = ClientOptions {
            tls: ClientPems {
                key: "forward.tls".into(),
                ca: Some(Pem::file("forward.tls.ca_file", trusted.path())),
                cert: Some(Pem::file("forward.tls.cert_file", ours.cert.path())),
                private_key: Some(Pem::file("forward.tls.key_file", ours.key.path())),
            },
            server_name: None,
            proxies: None,
            proxy_tls: ClientPems::default(),
            http2,
            timeout: Duration::from_secs(20),
            max_answer: 1000,
        };
        let client = Client::new(options).unwrap();
        assert_eq!(send(&client, port, http2).await.unwrap(), "secret");

        let (second, theirs) = (Pair::new("localhost"), Pair::new("client"));
        copy(&second.cert, &pair.cert);
        clock.advance(Duration::from_secs(2));
        assert_eq!(
            ask(port, http2, trusted.path(), Some(&ours)).await.unwrap(),
            "secret",
            "a key that does not fit yet"
        );
        copy(&second.key, &pair.key);
        clock.advance(Duration::from_secs(2));
        assert!(refused(ask(port, http2, trusted.path(), Some(&ours)).await).contains("TLS with localhost"));
        copy(&second.cert, &trusted);
        client.doubt();
        assert_eq!(send(&client, port, http2).await.unwrap(), "secret", "over a connection to the new certificate");

        // And the other way around: the client's own.
        copy(&theirs.cert, &ours.cert);
        copy(&theirs.key, &ours.key);
        clock.advance(Duration::from_secs(2));
        client.doubt();
        assert_eq!(send(&client, port, http2).await.unwrap(), "secret");
        let old = Pair::new("client");
        assert!(refused(ask(port, http2, trusted.path(), Some(&old)).await).contains("ended TLS"));
    }
}

#[tokio::test]
async fn clients_show_certificates_where_they_are_asked_for() {
    let (pair, ours, stranger) = (Pair::new("localhost"), Pair::new("client"), Pair::new("client"));
    let ca = pair.cert.path();
    let required = listen(&pair.server(ClientAuth::Required(ours.cert.path()))).await;
    let optional = listen(&pair.server(ClientAuth::Optional(ours.cert.path()))).await;
    for http2 in [true, false] {
        for port in [required, optional] {
            assert_eq!(ask(port, http2, ca, Some(&ours)).await.unwrap(), "secret");
            let text = refused(ask(port, http2, ca, Some(&stranger)).await);
            assert!(text.contains("ended TLS"), "a bad certificate is refused, not ignored: {text}");
        }
        assert_eq!(ask(optional, http2, ca, None).await.unwrap(), "secret");
        assert!(refused(ask(required, http2, ca, None).await).contains("CertificateRequired"));
    }
}

#[test]
fn files_that_cannot_be_used_are_named_with_their_key() {
    let (pair, other, empty) = (Pair::new("localhost"), Pair::new("localhost"), file(""));
    let files = pair.server(ClientAuth::None);
    let nowhere = Path::new("/nowhere/at/all.pem");
    let wrong = [
        (ServerFiles { cert_file: nowhere, ..files }, "tls.cert_file: /nowhere/at/all.pem"),
        (ServerFiles { cert_file: empty.path(), ..files }, "does not hold a certificate"),
        (ServerFiles { key_file: pair.cert.path(), ..files }, "tls.key_file: "),
        (ServerFiles { key_file: other.key.path(), ..files }, "tls.cert_file: "),
        (ServerFiles { client_auth: ClientAuth::Required(nowhere), ..files }, "tls.client_ca_file: /nowhere"),
    ];
    for (files, says) in wrong {
        let error = tls::server(&files).unwrap_err();
        assert_eq!(error.code(), Code::InvalidConfig);
        assert!(error.message().contains(says), "{error}");
    }
    let cert = Some(Pem::file("forward.tls.cert_file", pair.cert.path()));
    let half = ClientPems { key: "forward.tls".into(), cert, ..ClientPems::default() };
    assert_eq!(
        tls::client(&half, true).unwrap_err().message(),
        "forward.tls: a certificate and its key go together: give both or neither"
    );
}
