//! Secrets and certificates in files that change while a program runs: what is new is used soon, also by a destination that
//! refused what was old.

use std::path::Path;
use std::time::{Duration, Instant};

use otlp_arrow::config::{Auth, DestinationConfig, Kind, Secret};
use otlp_arrow::{EventName, OtlpLibrary};
use otlp_arrow_testkit::backend::{Backend, Reply};

use crate::support::{
    Identity, LONG, all_of, certificate, certificate_for, config, event, events_of, export, wait_for,
};

const BOTH: [Kind; 2] = [Kind::OTLP_GRPC, Kind::OTLP_HTTP];

/// As it is configured by default: the waits after refusals are much longer than a change may take.
fn waits_long(url: &str, protocol: Kind) -> DestinationConfig {
    let mut destination = DestinationConfig { protocol, ..DestinationConfig::new("renewed", url) };
    destination.retry.initial = Duration::from_secs(60);
    destination.retry.max = Duration::from_secs(600);
    destination.breaker.open = Duration::from_secs(300);
    destination
}

type Put = fn(&mut DestinationConfig, Secret);
type Sent = fn(&str) -> String;

/// Each place of a secret with the `Authorization` that it makes of a text.
fn places() -> [(&'static str, Put, Sent); 3] {
    fn basic(text: &str) -> String {
        use base64::Engine as _;
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("user:{text}")))
    }
    [
        ("bearer", |destination, secret| destination.auth = Auth::Bearer(secret), |text| format!("Bearer {text}")),
        ("basic", |destination, password| destination.auth = Auth::Basic { username: "user".into(), password }, basic),
        ("header", |destination, secret| destination.headers = vec![("authorization".into(), secret)], str::to_owned),
    ]
}

#[test]
fn a_secret_that_is_renewed_is_used_at_once() {
    for protocol in BOTH {
        for (place, put, sent) in places() {
            let what = format!("{place} by {protocol:?}");
            let (dir, backend) = (tempfile::tempdir().unwrap(), Backend::start());
            let file = dir.path().join("token");
            std::fs::write(&file, "one\n").unwrap();
            let mut destination = waits_long(&backend.url(), protocol);
            put(&mut destination, Secret::file(&file).unwrap());
            backend.reply(Reply::Token(sent("one")));
            let library = OtlpLibrary::open(config(&dir.path().join("kept"), [destination])).unwrap();
            let events = events_of(&library);
            export(&library, 0, 5);
            backend.wait_until(LONG, all_of(0..5));

            backend.reply(Reply::Token(sent("two")));
            export(&library, 5, 10);
            let told = event(&events, EventName::ForwardBlocked);
            assert!(told.message.contains(if protocol == Kind::OTLP_GRPC { "gRPC 16" } else { "HTTP 401" }), "{what}");
            // Half of it is no secret.
            std::fs::write(&file, "").unwrap();
            std::fs::write(&file, "two\n").unwrap();
            let changed = Instant::now();
            backend.wait_until(LONG, all_of(0..10));
            assert!(changed.elapsed() < Duration::from_secs(30), "{what}: long before the next attempt was due");
            event(&events, EventName::ForwardRecovered);

            // Changed before anything was refused: nothing is refused at all.
            let refused = |backend: &Backend| backend.received().iter().filter(|request| !request.kept).count();
            let before = refused(&backend);
            std::fs::write(&file, "three\n").unwrap();
            backend.reply(Reply::Token(sent("three")));
            export(&library, 10, 15);
            backend.wait_until(LONG, all_of(0..15));
            assert!(refused(&backend) <= before + 1, "{what}: at most the request that found out");
            assert_eq!(library.shutdown_blocking(None).unwrap().undelivered_records, 0, "{what}");
        }
    }
}

/// As in Kubernetes, where `token` is a link to `..data/token` and `..data` a link that is swapped.
#[cfg(unix)]
#[test]
fn a_link_that_is_swapped_is_a_renewed_secret() {
    use std::os::unix::fs::symlink;
    let (dir, backend) = (tempfile::tempdir().unwrap(), Backend::start());
    for (name, text) in [("..1", "one"), ("..2", "two")] {
        std::fs::create_dir(dir.path().join(name)).unwrap();
        std::fs::write(dir.path().join(name).join("token"), text).unwrap();
    }
    symlink("..1", dir.path().join("..data")).unwrap();
    symlink("..data/token", dir.path().join("token")).unwrap();
    let mut destination = waits_long(&backend.url(), Kind::OTLP_HTTP);
    destination.auth = Auth::Bearer(Secret::file(dir.path().join("token")).unwrap());
    backend.reply(Reply::Token("Bearer two".into()));
    let library = OtlpLibrary::open(config(&dir.path().join("kept"), [destination])).unwrap();
    let events = events_of(&library);
    export(&library, 0, 5);
    event(&events, EventName::ForwardBlocked);
    symlink("..2", dir.path().join("..new")).unwrap();
    std::fs::rename(dir.path().join("..new"), dir.path().join("..data")).unwrap();
    backend.wait_until(LONG, all_of(0..5));
    library.shutdown_blocking(None).unwrap();
}

fn put(from: &Path, to: &Path) {
    std::fs::write(to, std::fs::read(from).unwrap()).unwrap();
}

#[test]
fn certificates_that_are_renewed_are_used_at_once() {
    let loopback = ([127, 0, 0, 1], 0).into();
    for protocol in BOTH {
        let (us, stranger) = (Identity::new(), Identity::new());
        let remote = certificate_for("localhost", 2100, Some(&us));
        let backend = Backend::start_at(loopback, Some(remote.server.clone()));
        // Neither the authority nor our own certificate are right yet, and the key comes after its certificate.
        let dir = tempfile::tempdir().unwrap();
        let [ca, cert, key] = ["ca.pem", "cert.pem", "key.pem"].map(|name| dir.path().join(name));
        put(certificate("localhost", 2100).ca.path(), &ca);
        put(stranger.cert.path(), &cert);
        put(stranger.key.path(), &key);
        let mut destination = waits_long(&backend.url(), protocol);
        destination.tls.ca_file = Some(ca.clone());
        (destination.tls.cert_file, destination.tls.key_file) = (Some(cert.clone()), Some(key.clone()));
        let library = OtlpLibrary::open(config(&dir.path().join("kept"), [destination])).unwrap();
        let events = events_of(&library);
        export(&library, 0, 5);
        event(&events, EventName::ForwardBlocked);
        let error = || library.forwarders()[0].info().last_error.unwrap();
        assert!(error().contains("TLS with localhost"), "{}", error());
        put(remote.ca.path(), &ca);
        wait_for("the refusal of our certificate", || error().contains("ended TLS"));
        put(us.cert.path(), &cert);
        put(us.key.path(), &key);
        backend.wait_until(LONG, all_of(0..5));
        assert_eq!(library.shutdown_blocking(None).unwrap().undelivered_records, 0);
    }
}
