//! Every way a destination can answer, or fail to, as the forwarding client classifies it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use otlp_arrow::config::Kind;
use otlp_arrow::config::{Auth, DestinationConfig, ForwardCompression, Secret};
use otlp_arrow::internal::destinations::{Answer, Class};
use otlp_arrow_testkit::backend::{Backend, Reply};
use tokio::runtime::Runtime;

use crate::support::{Identity, certificate, certificate_for, request};

const PASSING: Class = Class::Passing { after: None };
const PAYLOAD: &[u8] = b"\x0a\x02\x12\x00 the client does not look inside";

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn destination(url: &str, protocol: Kind) -> DestinationConfig {
    DestinationConfig { protocol, timeout: Duration::from_millis(700), ..DestinationConfig::new("test", url) }
}

fn send(destination: &DestinationConfig) -> Answer {
    let opened = destination.protocol.open(destination).unwrap();
    runtime().block_on(opened.send(request(Bytes::from_static(PAYLOAD))))
}

const BOTH: [Kind; 2] = [Kind::OTLP_GRPC, Kind::OTLP_HTTP];

#[test]
fn payloads_arrive_as_they_are_under_every_compression() {
    let backend = Backend::start();
    for protocol in BOTH {
        for compression in [ForwardCompression::None, ForwardCompression::Gzip, ForwardCompression::Zstd] {
            let mut destination = DestinationConfig { compression, ..destination(&backend.url(), protocol) };
            destination.auth = Auth::Bearer("token-1".to_owned().into());
            destination.headers = vec![("x-tenant".into(), "blue".to_owned().into())];
            assert_eq!(send(&destination).class, Class::Delivered { rejected: 0 }, "{protocol:?} {compression:?}");
            let last = backend.received().pop().unwrap();
            assert_eq!(last.payload, PAYLOAD);
            assert_eq!(last.signal, "logs");
            assert_eq!(last.grpc, protocol == Kind::OTLP_GRPC);
            assert!(last.headers.contains(&("authorization".into(), "Bearer token-1".into())));
            assert!(last.headers.contains(&("x-tenant".into(), "blue".into())));
        }
    }
}

#[test]
fn answers_are_classified() {
    let backend = Backend::start();
    let seconds = |n| Some(Duration::from_secs(n));
    let grpc = |status, retry_after| Reply::Grpc { status, retry_after };
    let http = |status, retry_after: Option<&str>| Reply::Http { status, retry_after: retry_after.map(str::to_owned) };
    let partial = Reply::Partial { rejected: 3, message: "three too old".into() };
    let cases = [
        (Kind::OTLP_GRPC, partial.clone(), Class::Delivered { rejected: 3 }),
        (Kind::OTLP_GRPC, grpc(3, None), Class::Data),
        (Kind::OTLP_GRPC, grpc(8, None), Class::TooLarge),
        (Kind::OTLP_GRPC, grpc(8, seconds(4)), Class::Passing { after: seconds(4) }),
        (Kind::OTLP_GRPC, grpc(14, None), PASSING),
        (Kind::OTLP_GRPC, grpc(14, seconds(7)), Class::Passing { after: seconds(7) }),
        (Kind::OTLP_GRPC, grpc(16, None), Class::Destination),
        (Kind::OTLP_GRPC, http(404, None), Class::Destination),
        (Kind::OTLP_GRPC, http(503, None), PASSING),
        (Kind::OTLP_HTTP, partial, Class::Delivered { rejected: 3 }),
        (Kind::OTLP_HTTP, http(400, None), Class::Data),
        (Kind::OTLP_HTTP, http(401, None), Class::Destination),
        (Kind::OTLP_HTTP, http(413, None), Class::TooLarge),
        (Kind::OTLP_HTTP, http(429, None), PASSING),
        (Kind::OTLP_HTTP, http(429, Some("9")), Class::Passing { after: seconds(9) }),
        (Kind::OTLP_HTTP, http(503, None), PASSING),
        (Kind::OTLP_HTTP, http(500, None), Class::Data),
    ];
    for (protocol, reply, class) in cases {
        backend.reply(reply.clone());
        let answer = send(&destination(&backend.url(), protocol));
        assert_eq!(answer.class, class, "{protocol:?} {reply:?}: {}", answer.message);
        assert!(!answer.message.is_empty(), "{protocol:?} {reply:?} says nothing");
    }
}

#[test]
fn broken_ways_are_passing_failures() {
    let backend = Backend::start();
    for protocol in BOTH {
        for reply in [Reply::Hang, Reply::Reset, Reply::HalfWritten] {
            backend.reply(reply.clone());
            let answer = send(&destination(&backend.url(), protocol));
            assert_eq!(answer.class, PASSING, "{protocol:?} {reply:?}: {}", answer.message);
        }
    }
    let gone = backend.url();
    drop(backend);
    for protocol in BOTH {
        let answer = send(&destination(&gone, protocol));
        assert_eq!(answer.class, PASSING, "{}", answer.message);
    }
}

#[test]
fn names_that_do_not_resolve_block_the_destination() {
    for protocol in BOTH {
        let answer = send(&destination("http://does-not-exist.invalid:4317", protocol));
        assert_eq!(answer.class, Class::Destination, "{}", answer.message);
        assert!(answer.message.contains("does-not-exist.invalid"), "{}", answer.message);
    }
}

#[test]
fn tls_is_verified() {
    let loopback = ([127, 0, 0, 1], 0).into();
    for protocol in BOTH {
        let good = certificate("localhost", 2100);
        let backend = Backend::start_at(loopback, Some(good.server));
        let mut trusted = destination(&backend.url(), protocol);
        trusted.tls.ca_file = Some(good.ca.path().to_owned());
        assert_eq!(send(&trusted).class, Class::Delivered { rejected: 0 });

        let unknown = destination(&backend.url(), protocol);
        assert_eq!(send(&unknown).class, Class::Destination, "an authority nobody named");

        for wrong in [certificate("elsewhere.example", 2100), certificate("localhost", 2021)] {
            let backend = Backend::start_at(loopback, Some(wrong.server));
            let mut destination = destination(&backend.url(), protocol);
            destination.tls.ca_file = Some(wrong.ca.path().to_owned());
            let answer = send(&destination);
            assert_eq!(answer.class, Class::Destination, "{}", answer.message);
            assert!(backend.received().is_empty());
        }
    }
}

#[test]
fn a_remote_that_asks_for_a_certificate_gets_it_or_says_so() {
    let loopback = ([127, 0, 0, 1], 0).into();
    let us = Identity::new();
    let remote = certificate_for("localhost", 2100, Some(&us));
    for protocol in BOTH {
        let backend = Backend::start_at(loopback, Some(Arc::clone(&remote.server)));
        let mut known = destination(&backend.url(), protocol);
        known.tls.ca_file = Some(remote.ca.path().to_owned());
        let unknown = known.clone();
        known.tls.cert_file = Some(us.cert.path().to_owned());
        known.tls.key_file = Some(us.key.path().to_owned());
        assert_eq!(send(&known).class, Class::Delivered { rejected: 0 });

        // The same as text, one of them as files of variables have it.
        let mut texts = unknown.clone();
        let pem = |path: &Path| std::fs::read_to_string(path).unwrap();
        texts.tls.ca_file = None;
        texts.tls.ca_pem = Some(pem(remote.ca.path()).into());
        texts.tls.cert_pem = Some(pem(us.cert.path()).replace('\n', "\\n").into());
        texts.tls.key_pem = Some(Secret::file(us.key.path()).unwrap());
        assert_eq!(send(&texts).class, Class::Delivered { rejected: 0 });
        texts.tls.cert_pem = Some("hunter2".to_owned().into());
        let error = texts.protocol.open(&texts).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("forward.tls.cert_pem: the text does not hold a certificate"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");

        let other = Identity::new();
        let mut wrong = known.clone();
        wrong.tls.cert_file = Some(other.cert.path().to_owned());
        wrong.tls.key_file = Some(other.key.path().to_owned());
        for (destination, says) in [(unknown, "CertificateRequired"), (wrong, "ended TLS")] {
            let answer = send(&destination);
            assert_eq!(answer.class, Class::Destination, "{protocol:?}: {}", answer.message);
            assert!(answer.message.contains(says), "{}", answer.message);
        }
        assert_eq!(backend.received().len(), 2);
    }
}
