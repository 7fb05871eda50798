//! The recorder as it is shown, and a hand on its destinations.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use otlp_arrow::config::DestinationConfig;
use serde_json::json;

use crate::sample;
use crate::support::{Answering, post, request};

/// A recorder that forwards to where nobody answers.
fn forwarding() -> Answering {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    Answering::empty(|config| {
        config.forward = vec![DestinationConfig::new("far", format!("http://{closed}"))];
    })
}

#[test]
fn the_recorder_is_shown_with_what_is_not_well() {
    let answering = forwarding();
    sample::send(&answering.library, 0..100, 50);
    let deadline = Instant::now() + Duration::from_secs(60);
    let shown = loop {
        let shown = answering.json("/recorder");
        if shown["destinations"][0]["last_error"].is_string() {
            break shown;
        }
        assert!(Instant::now() < deadline, "{shown}");
    };
    assert_eq!(
        (&shown["stats"]["accepted_records"]["logs"], &shown["destinations"][0]["name"]),
        (&json!(100), &json!("far"))
    );
    assert_eq!((&shown["version"], &shown["query"]["max_rows"]), (&json!(env!("CARGO_PKG_VERSION")), &json!(100_000)));
    assert!(shown["destinations"][0]["lag_records"].as_u64().unwrap() > 0 && shown["stats"]["counters"].is_null());
    assert_eq!(answering.get("/api/v1/recorder").header("cache-control"), "no-store");
    // What was not accepted is told by signal.
    assert_eq!(shown["stats"]["refused_records"], json!({ "traces": 0, "metrics": 0, "logs": 0 }));
    let nested =
        (0..200).fold(json!({ "stringValue": "x" }), |inner, _| json!({ "arrayValue": { "values": [inner] } }));
    let deep = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [{ "body": nested }, { "body": { "stringValue": "kept" } }] }] }] });
    post(answering.address, "/v1/logs", deep.to_string().as_bytes());
    let stats = &answering.json("/recorder")["stats"];
    assert_eq!((&stats["refused_records"]["logs"], &stats["accepted_records"]["logs"]), (&json!(1), &json!(101)));
}

#[test]
fn a_destination_is_paused_resumed_and_asked_again() {
    let answering = forwarding();
    let act = |action: &str| post(answering.address, &format!("/api/v1/recorder/destinations/far/{action}"), b"");
    for (action, paused) in [("pause", true), ("pause", true), ("resume", false)] {
        let reply = act(action);
        assert_eq!((reply.status, &reply.json()["destination"]["paused"]), (200, &json!(paused)), "{action}");
        assert_eq!(answering.library.forwarders()[0].info().paused, paused);
    }
    let retried = act("retry");
    assert_eq!((retried.status, &retried.json()["retried"]), (200, &json!({ "delivered": 0, "left": 0 })));
    let (status, code, message) = post(answering.address, "/api/v1/recorder/destinations/fra/pause", b"{}").refusal();
    assert!(status == 400 && code == "INVALID_CONFIG" && message.contains("did you mean far?"), "{message}");
    assert_eq!(act("stop").refusal().0, 404);
    // What changes something is not done by a link, nor by a form.
    let path = "/api/v1/recorder/destinations/far/pause";
    let got = answering.get(path);
    assert_eq!((got.refusal().0, got.header("allow")), (405, "POST"));
    for content_type in ["text/plain", "application/x-www-form-urlencoded"] {
        assert_eq!(request(answering.address, "POST", path, &[("content-type", content_type)], b"{}").refusal().0, 415);
    }
    assert!(!answering.library.forwarders()[0].info().paused);
}
