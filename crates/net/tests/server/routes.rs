//! Which service answers what, and on which streams.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::error::Code;
use otlp_arrow_base::stats::Stats;
use otlp_arrow_net::identity::{Identity, Peer};
use otlp_arrow_net::server::{Answering, Request, Route, Router, Server, Service, answer};
use tokio::sync::watch;

use crate::support::*;

/// Says how long its answer may be kept.
struct Kept;

impl Service for Kept {
    fn name(&self) -> &'static str {
        "kept"
    }

    fn routes(&self) -> Vec<Route> {
        vec![Route::get("/kept")]
    }

    fn call<'a>(&'a self, _: &'a mut Request, _: &'a Identity) -> Answering<'a> {
        Box::pin(async {
            let mut answer = answer::plain(200, "text/css", "a {}");
            answer.headers_mut().insert("cache-control", "max-age=60".parse().unwrap());
            Ok(answer)
        })
    }
}

/// Answers its name at every path it is given.
struct Named(&'static str, Vec<Route>);

impl Service for Named {
    fn name(&self) -> &'static str {
        self.0
    }

    fn routes(&self) -> Vec<Route> {
        self.1.clone()
    }

    fn usage(&self) -> Option<&'static str> {
        Some(self.0)
    }

    fn call<'a>(&'a self, _: &'a mut Request, _: &'a Identity) -> Answering<'a> {
        Box::pin(async { Ok(answer::plain(200, "text/plain", self.0)) })
    }
}

#[test]
fn a_path_leads_to_its_own_service_then_to_the_longest_beginning() {
    let fixture = Fixture::start_with(LIMITS, |router| {
        router.mount(Arc::new(Named("root", vec![Route::get("/").and_below()])), true).unwrap();
        router.mount(Arc::new(Named("deep", vec![Route::get("/pages/deep/").and_below()])), true).unwrap();
        router.mount(Arc::new(Named("exact", vec![Route::get("/pages/deep/one")])), true).unwrap();
    });
    let get = |path| String::from_utf8(send(fixture.address, "GET", path, &[], b"").body).unwrap();
    assert_eq!(get("/pages/a?b=c"), "/pages/a");
    assert_eq!((get("/pages/deep/two"), get("/pages/deep/one")), ("deep".into(), "exact".into()));
    assert_eq!((get("/"), get("/index.html")), ("root".into(), "root".into()));
}

#[test]
fn what_is_unknown_or_off_or_asked_for_wrongly_is_said() {
    let fixture = Fixture::start_with(LIMITS, |router| {
        router.mount(Arc::new(Named("away", vec![Route::get("/away")])), false).unwrap();
    });
    let said = |method, path| {
        let reply = send(fixture.address, method, path, &[], b"");
        (reply.status, reply.header("allow").to_owned(), reply.status_body().1)
    };
    assert_eq!(said("GET", "/nowhere"), (404, String::new(), "nothing answers at \"/nowhere\": POST /echo".into()));
    let (status, _, text) = said("GET", "/away");
    assert_eq!((status, text.contains("protocols.away: true")), (404, true), "{text}");
    assert_eq!(said("DELETE", "/peer").1, "GET, HEAD");
    assert_eq!(said("GET", "/echo").0, 405);
    let grpc = [("content-type", "application/grpc")];
    assert_eq!(send(fixture.address, "POST", UNARY, &grpc, b"").status, 415, "gRPC needs HTTP/2");
    assert_eq!(said("POST", UNARY).0, 404, "it is a path of gRPC only");
}

#[test]
fn browsers_neither_guess_at_an_answer_nor_keep_it_unless_its_service_says_so() {
    let fixture = Fixture::start_with(LIMITS, |router| router.mount(Arc::new(Kept), true).unwrap());
    let guarded = |method, path, headers: &[(&str, &str)]| {
        let reply = send(fixture.address, method, path, headers, b"");
        let header = |name| reply.header(name).to_owned();
        (reply.status, header("x-content-type-options"), header("cache-control"))
    };
    let with = |status, keep: &str| (status, "nosniff".to_owned(), keep.to_owned());
    assert_eq!(guarded("GET", "/peer", &[]), with(200, "no-store"));
    assert_eq!(guarded("HEAD", "/peer", &[]), with(200, "no-store"));
    assert_eq!(guarded("GET", "/nowhere", &[]), with(404, "no-store"));
    assert_eq!(guarded("DELETE", "/peer", &[]), with(405, "no-store"));
    assert_eq!(guarded("POST", UNARY, &[("content-type", "application/grpc")]), with(415, "no-store"), "HTTP/1.1");
    assert_eq!(guarded("GET", "/kept", &[]), with(200, "max-age=60"), "its service knows better");
}

#[test]
fn two_services_at_one_path_are_an_error() {
    let mut router = Router::new(LIMITS, Clock::system(), Arc::default());
    router.mount(Echo::new(), true).unwrap();
    let error = router.mount(Arc::new(Named("other", vec![Route::get("/peer")])), true).unwrap_err();
    assert_eq!(error.code(), Code::InvalidConfig);
    assert_eq!(error.message(), "two services answer at /peer: echo and other: leave one out");
}

#[test]
fn only_what_is_of_a_signal_is_counted_by_the_name_of_its_service() {
    let stats = Arc::new(Stats::default());
    let mut router = Router::new(LIMITS, Clock::system(), Arc::clone(&stats));
    let telemetry = Route::post("/telemetry").of(otlp_arrow_wire::Signal::Metrics);
    router.mount(Arc::new(Named("counted", vec![telemetry])), true).unwrap();
    router.mount(Arc::new(Named("page", vec![Route::get("/")])), true).unwrap();
    let text = stats.snapshot().to_prometheus();
    assert!(text.contains("protocol=\"counted\"") && !text.contains("protocol=\"page\""), "{text}");
}

#[tokio::test]
async fn events_are_sent_as_they_happen() {
    let fixture = Fixture::start();
    let mut sender = h2(fixture.address).await;
    let request = http::Request::get("http://test/events").body(pieces(vec![])).unwrap();
    let mut response = sender.send_request(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    for event in 0..3 {
        let frame = response.body_mut().frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), format!("data: {event}\n\n"));
        fixture.echo.next.send_modify(|next| *next += 1);
    }
}

#[tokio::test]
async fn any_stream_is_served_and_the_service_knows_who_is_at_its_end() {
    let mut router = Router::new(LIMITS, Clock::system(), Arc::default());
    router.mount(Echo::new(), true).unwrap();
    let server = Arc::new(Server::new(router, watch::Sender::new(false)));
    let address = Peer::Address(([192, 0, 2, 1], 7).into());
    for (peer, said) in [(Peer::Unnamed, "a peer without an address"), (address, "192.0.2.1:7")] {
        let (ours, theirs) = tokio::io::duplex(1000);
        let connection = server.connection(server.place().await);
        let served = tokio::spawn(connection.serve(theirs, peer));
        let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(ours)).await.unwrap();
        let driver = tokio::spawn(driver);
        let request = http::Request::get("/peer").header("host", "t").body(Empty::<Bytes>::new()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), said);
        drop(sender);
        driver.await.unwrap().unwrap();
        served.await.unwrap();
    }
    assert!(server.closed(LIMITS.timeout).await, "both are gone");
}
