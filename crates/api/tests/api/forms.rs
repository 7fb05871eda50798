//! What an answer is written as, how it is compressed, by what it is known again, and how long ones come.

use std::io::Read;
use std::process::{Command, Stdio};

use arrow_ipc::reader::StreamReader;
use futures::executor::block_on;
use otlp_arrow::Signal;
use otlp_arrow_net::encoding::Encoding;
use serde_json::Value;

use crate::support::{Answering, connect, get, long, request};

#[test]
fn records_are_otlp_where_that_is_asked_for() {
    let answering = Answering::with(200);
    let lines = answering.get("/api/v1/logs?format=otlp&limit=30").body;
    let otlp: Value = serde_json::from_slice(&lines).unwrap();
    let of_scope = |resource: &Value| resource["scopeLogs"][0]["logRecords"].as_array().unwrap().len();
    assert_eq!(otlp["resourceLogs"].as_array().unwrap().iter().map(of_scope).sum::<usize>(), 30);
    let protobuf = get(answering.address, "/api/v1/spans?limit=30", &[("accept", "application/x-protobuf")]);
    assert_eq!(protobuf.header("content-type"), "application/x-protobuf");
    let again = otlp_arrow::decode(Signal::Traces, &protobuf.body, otlp_arrow::Format::Protobuf).unwrap();
    assert_eq!(again.batch.num_rows(), 30);
    let trace = answering.json("/traces?limit=1")["traces"][0]["trace_id"].as_str().unwrap().to_owned();
    let both = answering.get(&format!("/api/v1/traces/{trace}?format=otlp")).body;
    let both = String::from_utf8(both).unwrap();
    assert!(both.lines().count() == 2 && both.contains("resourceSpans") && both.contains("resourceLogs"), "{both}");
    for (path, status) in [
        ("/api/v1/services?format=otlp", 400),
        ("/api/v1/logs?format=xml", 400),
        ("/api/v1/logs?format=json&format=json", 400),
    ] {
        assert_eq!(answering.get(path).status, status, "{path}");
    }
    assert_eq!(get(answering.address, "/api/v1/services", &[("accept", "text/html")]).refusal().0, 406);
}

#[test]
fn answers_are_compressed_for_those_who_can_read_that() {
    let answering = Answering::with(1_500);
    for (path, accept) in [
        ("/api/v1/logs?limit=40", "*/*"),
        ("/api/v1/spans?limit=1500", "*/*"),
        ("/api/v1/spans?limit=1500", "application/vnd.apache.arrow.stream"),
    ] {
        let plain = get(answering.address, path, &[("accept", accept)]);
        assert_eq!(
            (plain.status, plain.header("content-encoding"), plain.header("vary")),
            (200, "", "accept, accept-encoding")
        );
        for (name, encoding) in [("gzip", Encoding::Gzip), ("zstd", Encoding::Zstd)] {
            let packed = get(answering.address, path, &[("accept", accept), ("accept-encoding", name)]);
            assert_eq!((packed.status, packed.header("content-encoding")), (200, name));
            let unpacked = encoding.decompress(&packed.body, 64 << 20, |_| Ok(())).unwrap();
            assert!(packed.body.len() < plain.body.len() / 2 && unpacked == plain.body, "{path} {name}");
        }
    }
}

#[test]
fn an_answer_that_did_not_change_is_not_sent_again() {
    let answering = Answering::with(400);
    let path = "/api/v1/logs?limit=20&severity=error";
    let first = answering.get(path);
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let again = get(answering.address, path, &[("if-none-match", &known)]);
        assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, &*tag), "{known}");
    }
    // Another form is another answer.
    let packed = get(answering.address, path, &[("if-none-match", &tag), ("accept-encoding", "gzip")]);
    assert_eq!(packed.status, 200);
    crate::sample::send(&answering.library, 400..600, 200);
    let changed = get(answering.address, path, &[("if-none-match", &tag)]);
    assert!(changed.status == 200 && changed.header("etag") != tag);
    let head = request(answering.address, "HEAD", path, &[], b"");
    assert_eq!(
        (head.status, head.body.len(), head.header("content-length")),
        (200, 0, &*changed.body.len().to_string())
    );
}

#[test]
fn a_long_answer_comes_in_chunks_and_whole() {
    let answering = Answering::empty(|_| ());
    block_on(answering.library.export_otlp(Signal::Logs, long(250))).unwrap();
    let path = "/api/v1/logs?limit=1000";
    let answer = answering.get(path);
    assert_eq!(
        (answer.status, answer.header("transfer-encoding"), answer.header("content-length")),
        (200, "chunked", "")
    );
    assert!(answer.whole && answer.body.len() > 4 << 20);
    assert_eq!(answer.json()["logs"].as_array().unwrap().len(), 250);
    let arrow = get(answering.address, path, &[("accept", "application/vnd.apache.arrow.stream")]);
    assert!(arrow.whole && arrow.header("transfer-encoding") == "chunked");
    let rows = StreamReader::try_new(&arrow.body[..], None).unwrap().map(|batch| batch.unwrap().num_rows());
    assert_eq!(rows.sum::<usize>(), 250);
    let packed = get(answering.address, path, &[("accept-encoding", "gzip")]);
    assert_eq!(Encoding::Gzip.decompress(&packed.body, 64 << 20, |_| Ok(())).unwrap(), answer.body);
}

/// Who takes an answer slowly, or goes away in the middle of it, holds up nobody else.
#[test]
fn slow_readers_and_those_who_go_away_hold_up_nobody() {
    let answering = Answering::with(100);
    block_on(answering.library.export_otlp(Signal::Logs, long(900))).unwrap();
    let slow: Vec<_> =
        (0..12).map(|_| connect(answering.address, "GET", "/api/v1/logs?limit=1000&service=long", &[], b"")).collect();
    for mut stream in &slow {
        let mut begun = [0; 64];
        stream.read_exact(&mut begun).unwrap();
        assert!(begun.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&begun));
    }
    // They have begun, and would hold all four turns three times.
    assert_eq!(answering.json("/services")["services"].as_array().unwrap().len(), 3);
    crate::sample::send(&answering.library, 100..200, 10);
    drop(slow);
    answering.library.shutdown_blocking(None).unwrap();
}

/// A client that nobody here wrote.
#[test]
fn curl_reads_answers() {
    let answering = Answering::with(2_000);
    let curl = |arguments: &[&str]| {
        let output =
            Command::new("curl").args(["-sS", "--max-time", "60"]).args(arguments).stdin(Stdio::null()).output();
        let output = output.expect("curl, which every system of ours has");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let url = |path: &str| format!("http://{}/api/v1{path}", answering.address);
    let json: Value = serde_json::from_slice(&curl(&[
        "-G",
        &url("/spans"),
        "--data-urlencode",
        "attr=http.route=/route/3",
        "-d",
        "limit=5",
    ]))
    .unwrap();
    assert_eq!(json["spans"].as_array().unwrap().len(), 5);
    let packed = curl(&["--compressed", &url("/spans?limit=2000")]);
    assert_eq!(packed, answering.get("/api/v1/spans?limit=2000").body);
    let over_h2 = curl(&["--http2-prior-knowledge", &url("/spans?limit=2000")]);
    assert_eq!(over_h2, packed);
    let refused = curl(&["-o", "/dev/stdout", "-w", "%{http_code}", "-H", "Host: evil.example", &url("/services")]);
    assert!(String::from_utf8_lossy(&refused).ends_with("403"), "{}", String::from_utf8_lossy(&refused));
}
