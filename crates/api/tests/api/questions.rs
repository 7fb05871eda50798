//! Every question has its answer, the same one that the library gives.

use arrow_ipc::reader::StreamReader;
use otlp_arrow_query::{Ask, AskOptions};
use serde_json::{Value, json};

use crate::sample;
use crate::support::{Answering, get, post};

type Words = &'static [(&'static str, &'static str)];

/// A path, the question it stands for and its words, and where its rows are.
const ASKED: &[(&str, &str, Words, &str)] = &[
    ("/services", "services", &[], "services"),
    ("/services/map", "map", &[], "edges"),
    (
        "/traces?service=checkout&min_duration=1s&limit=7",
        "traces",
        &[("service", "checkout"), ("min_duration", "1s"), ("limit", "7")],
        "traces",
    ),
    ("/traces/counts?step=10s", "counts", &[("signal", "traces"), ("step", "10s")], "buckets"),
    (
        "/logs/counts?severity=%3E%3Derror&by=severity",
        "counts",
        &[("signal", "logs"), ("severity", ">=error"), ("by", "severity")],
        "buckets",
    ),
    ("/counts?signal=metrics", "counts", &[("signal", "metrics")], "buckets"),
    (
        "/spans?attr=http.route%3D%2Froute%2F3&attr=number%3E100&order=oldest",
        "spans",
        &[("attr", "http.route=/route/3"), ("attr", "number>100"), ("order", "oldest")],
        "spans",
    ),
    ("/logs?text=card+expired&limit=5", "logs", &[("text", "card expired"), ("limit", "5")], "logs"),
    (
        "/logs?regex=order%20%5B0-9%5D%2B5%20&ignore_case",
        "logs",
        &[("regex", "order [0-9]+5 "), ("ignore_case", "true")],
        "logs",
    ),
    ("/metrics", "metrics", &[], "metrics"),
    (
        "/metrics/shop%2Forders?by=service&step=1m",
        "series",
        &[("metric", "shop/orders"), ("by", "service"), ("step", "1m")],
        "lines",
    ),
    ("/attributes?signal=logs", "attributes", &[("signal", "logs")], "attributes"),
    ("/attributes/http.route/values?limit=4", "attribute_values", &[("key", "http.route"), ("limit", "4")], "values"),
    ("/attributes/service/values", "attribute_values", &[("key", "service")], "values"),
    ("/facets?by=service&by=attr%3Ahttp.route", "facets", &[("by", "service"), ("by", "attr:http.route")], "facets"),
    ("/errors", "errors", &[], "errors"),
    ("/exceptions", "exceptions", &[], "exceptions"),
    (
        "/compare?a=service%3Dcheckout&b=service%3Dpayment",
        "compare",
        &[("a", "service=checkout"), ("b", "service=payment")],
        "operations",
    ),
    ("/overrepresented?status=error", "overrepresented", &[("status", "error")], "values"),
];

/// What changes from one question to the next is nothing, so the answers are equal.
#[test]
fn every_question_is_answered_as_the_library_answers_it() {
    let answering = Answering::with(2_000);
    let telemetry = answering.library.telemetry();
    for (path, kind, words, list) in ASKED {
        let wanted = telemetry.ask_named(kind, words.iter().copied(), &AskOptions::default()).unwrap();
        let answer = answering.json(path);
        assert_eq!(answer, serde_json::from_str::<Value>(&wanted.to_json().unwrap()).unwrap(), "{path}");
        assert!(answer["searched"]["files"].as_u64().is_some() && answer[*list].is_array(), "{path}: {answer}");
        let rows = answer[*list].as_array().unwrap().len();
        let empty = ["errors", "exceptions"].contains(list);
        assert_eq!(rows == 0, empty, "{path}: {answer}");

        let arrow =
            get(answering.address, &format!("/api/v1{path}"), &[("accept", "application/vnd.apache.arrow.stream")]);
        assert_eq!(
            (arrow.status, arrow.header("content-type")),
            (200, "application/vnd.apache.arrow.stream"),
            "{path}"
        );
        let rows: usize =
            StreamReader::try_new(&arrow.body[..], None).unwrap().map(|batch| batch.unwrap().num_rows()).sum();
        assert_eq!(rows, wanted.table().unwrap().num_rows(), "{path}");
    }
}

#[test]
fn one_trace_one_span_and_what_belongs_to_them() {
    let answering = Answering::with(1_000);
    let made = sample::spans(0..1_000);
    let hex = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (trace, span) = (hex(&made[505].trace), hex(&made[505].id));
    for id in [&trace[..], &trace[..12]] {
        let answer = answering.json(&format!("/traces/{id}"));
        assert_eq!((&answer["trace_id"], answer["spans"].as_array().unwrap().len()), (&json!(trace), 10));
        assert_eq!(answer["logs"].as_array().unwrap().len(), 10);
    }
    assert!(answering.json(&format!("/traces/{trace}?logs=false"))["logs"].as_array().unwrap().is_empty());
    let one = answering.json(&format!("/traces/{trace}/spans/{span}"));
    assert_eq!((&one["span"]["span_id"], &one["span"]["attributes"]["number"]), (&json!(span), &json!(505)));
    assert_eq!((one["logs"].as_array().unwrap().len(), &one["searched"]["complete"]), (1, &json!(true)));
    // What is not there is an answer as well.
    let none = answering.json("/traces/0123456789abcdef0123456789abcdef");
    assert_eq!((none["spans"].as_array().unwrap().len(), &none["searched"]["complete"]), (0, &json!(true)));
    let none = answering.json(&format!("/traces/{trace}/spans/0123456789abcdef"));
    assert_eq!(none["span"], Value::Null);
}

#[test]
fn a_page_goes_on_where_the_last_one_ended() {
    let answering = Answering::with(1_000);
    let (mut cursor, mut seen) = (String::new(), Vec::new());
    loop {
        let answer = answering.json(&format!("/logs?limit=300{cursor}"));
        seen.extend(answer["logs"].as_array().unwrap().iter().map(|log| log["attributes"]["number"].as_u64().unwrap()));
        let Some(next) = answer["cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen.len(), 1_000);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 1_000);
}

#[test]
fn what_was_acknowledged_before_a_question_is_in_its_answer() {
    let answering = Answering::with(0);
    for round in 0..20 {
        sample::send(&answering.library, round * 10..round * 10 + 10, 10);
        let answer = answering.json("/services");
        let spans: u64 =
            answer["services"].as_array().unwrap().iter().map(|service| service["spans"].as_u64().unwrap()).sum();
        assert_eq!(spans, 10 * (round + 1));
    }
}

#[test]
fn a_comparison_may_be_posted() {
    let answering = Answering::with(500);
    let body = json!({ "a": "service=checkout", "b": "service=payment", "limit": 3, "kind": ["server", "client"] });
    let reply = post(answering.address, "/api/v1/compare", body.to_string().as_bytes());
    assert_eq!(reply.status, 200, "{}", reply.text());
    let asked = answering.json("/compare?a=service%3Dcheckout&b=service%3Dpayment&limit=3&kind=server&kind=client");
    assert_eq!(reply.json(), asked);
    for (content_type, body, status, said) in [
        ("text/plain", "{}", 415, "send application/json"),
        ("application/x-www-form-urlencoded", "a=1", 415, "send application/json"),
        ("multipart/form-data; boundary=x", "", 415, "send application/json"),
        ("application/json", "[1]", 400, "not a JSON object"),
        ("application/json", "{\"a\":", 400, "not JSON"),
        ("application/json; charset=utf-8", "{\"a\":\"service=x\"}", 400, "b = \"\" is missing"),
        ("application/json", "{\"servce\":\"x\",\"a\":\"-2h..-1h\",\"b\":\"-1h..\"}", 400, "did you mean service?"),
    ] {
        let reply = crate::support::request(
            answering.address,
            "POST",
            "/api/v1/compare",
            &[("content-type", content_type)],
            body.as_bytes(),
        );
        let (found, _, message) = reply.refusal();
        assert!(found == status && message.contains(said), "{content_type} {body}: {found} {message}");
    }
    let untyped = crate::support::request(answering.address, "POST", "/api/v1/compare", &[], b"{}");
    assert_eq!(untyped.status, 415);
}

#[test]
fn an_overview_tells_services_what_is_kept_and_how_the_recorder_is() {
    let answering = Answering::with(300);
    let overview = answering.json("/overview?from=2020-01-01T00:00:00Z");
    assert_eq!(overview["services"], answering.json("/services?from=2020-01-01T00:00:00Z")["services"]);
    let signals = overview["signals"].as_array().unwrap();
    assert_eq!(
        signals.iter().map(|kept| kept["signal"].as_str().unwrap()).collect::<Vec<_>>(),
        ["traces", "metrics", "logs"]
    );
    assert_eq!(
        (&signals[0]["first"], &signals[0]["last"]),
        (&json!("2026-09-21T14:13:20.000000000Z"), &json!("2026-09-21T14:13:49.900000000Z"))
    );
    assert_eq!(overview["recorder"]["health"]["status"], "ok");
    assert_eq!(overview["recorder"]["stats"]["accepted_records"]["traces"], 300);
    // Old spans are not of the last hour.
    assert!(answering.json("/overview")["services"].as_array().unwrap().is_empty());
    let empty = Answering::empty(|_| ()).json("/overview");
    assert_eq!((&empty["signals"][2]["first"], &empty["signals"][2]["files"]), (&Value::Null, &json!(0)));
}
