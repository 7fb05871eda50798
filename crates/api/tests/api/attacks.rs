//! What an API meets: strangers, nonsense, too much of everything, and a recorder that is busy. Each is answered or refused within
//! the limits, and the recorder goes on.

use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use otlp_arrow::{Code, Signal};
use otlp_arrow_query::Ask;

use crate::sample;
use crate::support::{Answering, connect, get, logs, long, post, request};

/// Whether the recorder takes an OTLP request over the same listener.
fn acknowledges(address: SocketAddr) {
    let reply = request(
        address,
        "POST",
        "/v1/logs",
        &[("content-type", "application/x-protobuf")],
        &logs([("after".to_owned(), "still there")]),
    );
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[test]
fn strangers_are_refused_whatever_they_ask() {
    let answering = Answering::with(20);
    let good = format!("http://{}", answering.address);
    for headers in [
        &[("host", "evil.example")][..],
        &[("host", "evil.example:4318"), ("origin", "http://evil.example:4318")],
        &[("host", "127.0.0.1.evil.example")],
        &[("origin", "http://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://localhost:3000")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site"), ("origin", &good)],
        &[("x-forwarded-for", "203.0.113.9")],
        &[("forwarded", "for=203.0.113.9")],
    ] {
        for path in [
            "/api/v1/services",
            "/api/v1/traces/4bf92f35",
            "/api/v1/tail/logs",
            "/api/v1/recorder",
            "/api/v1/openapi.json",
            "/api/v1/nothing",
        ] {
            let reply = get(answering.address, path, headers);
            let (status, code, _) = reply.refusal();
            assert_eq!((status, &*code), (403, "FORBIDDEN"), "{headers:?} {path}");
            assert_eq!(
                (reply.header("access-control-allow-origin"), reply.header("x-content-type-options")),
                ("", "nosniff")
            );
        }
        let path = "/api/v1/recorder/destinations/far/pause";
        let headers = [headers, &[("content-type", "application/json")]].concat();
        assert_eq!(request(answering.address, "POST", path, &headers, b"{}").status, 403, "{headers:?}");
    }
    let same = get(answering.address, "/api/v1/services", &[("origin", &good), ("sec-fetch-site", "same-origin")]);
    assert_eq!((same.status, same.header("access-control-allow-origin")), (200, ""));
    // Without a name, as HTTP/1.0 may be.
    assert_eq!(get(answering.address, "/api/v1/services", &[("host", "")]).status, 403);
    // No page may ask first whether it may ask.
    let preflight = request(
        answering.address,
        "OPTIONS",
        "/api/v1/services",
        &[("origin", "http://evil.example"), ("access-control-request-method", "GET")],
        b"",
    );
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (405, ""));
    acknowledges(answering.address);
}

#[test]
fn nonsense_is_refused_with_what_is_wrong() {
    let answering = Answering::with(50);
    let parentheses = "%28".repeat(5_000);
    let long = "x".repeat(64 << 10);
    for (path, statuses, said) in [
        ("/traces/xyz", &[400][..], "trace = \"xyz\""),
        ("/traces/123", &[400], "at least the first 4"),
        ("/traces/0123456789abcdef0123456789abcdef00", &[400], "digits"),
        ("/traces/0123456789abcdef0123456789abcdef/spans/0123456789abcdef0", &[400], "digits"),
        ("/logs?trace=%00%01%02%03", &[400], "trace"),
        ("/spans?span=zz", &[400], "span"),
        (&format!("/logs?regex={parentheses}"), &[400], "regex"),
        ("/logs?regex=%28a%7B1000%7D%29%7B1000%7D", &[400], "regex"),
        ("/logs?regex=%5B", &[400], "regex"),
        (&format!("/logs?text={long}"), &[414, 431], ""),
        (&format!("/{long}"), &[414, 431], ""),
        ("/logs?from=yesterday", &[400], "from = \"yesterday\""),
        ("/logs?from=1926-01-01T00:00:00Z", &[400], "is not a time"),
        ("/logs?from=-1h&to=-2h", &[400], "is not before to"),
        ("/logs?limit=-1", &[400], "limit"),
        ("/logs?limit=99999999999999999999999", &[400], "limit"),
        ("/logs?cursor=1.2.3", &[400], "cursor"),
        ("/logs?colour=red", &[400], "does not take"),
        ("/metrics/shop%2Forders?step=1ms&from=1970-01-01T00:00:00Z&to=2126-01-01T00:00:00Z", &[400], "step"),
        ("/metrics/shop%2Forders?quantile=1.5", &[400], "quantile"),
        ("/compare?a=-2h..-1h", &[400], "b = \"\" is missing"),
        ("/services?timeout=soon", &[400], "timeout"),
        ("/services?a=%", &[400], "hexadecimal"),
        ("/recorder?verbose=1", &[400], "takes none"),
        ("/nothing", &[404], "openapi.json lists"),
        ("/traces/../../etc/passwd", &[404], "nothing answers"),
    ] {
        let reply = answering.get(&format!("/api/v1{path}"));
        let shown: String = path.chars().take(60).collect();
        assert!(statuses.contains(&reply.status), "{shown}: {} {}", reply.status, reply.text());
        if !said.is_empty() {
            let (_, code, message) = reply.refusal();
            assert!(message.contains(said) && message.len() < 2_000, "{shown}: {code} {message}");
        }
    }
    for (method, path, allow) in [
        ("POST", "/services", "GET, HEAD"),
        ("DELETE", "/services", "GET, HEAD, POST"),
        ("PUT", "/compare", "GET, HEAD, POST"),
    ] {
        let reply = request(
            answering.address,
            method,
            &format!("/api/v1{path}"),
            &[("content-type", "application/json")],
            b"{}",
        );
        assert_eq!((reply.status, reply.header("allow")), (405, allow), "{method} {path}");
    }
    acknowledges(answering.address);
}

#[test]
fn too_much_is_refused_or_bounded() {
    let answering = Answering::with(50);
    // A century is no more than what is kept.
    for path in [
        "/counts?from=1971-01-01T00:00:00Z&to=2126-01-01T00:00:00Z",
        "/services?from=0&to=18446744073709551615",
        "/metrics/shop%2Forders?from=1971-01-01T00:00:00Z&to=2126-01-01T00:00:00Z",
    ] {
        assert!(answering.json(path)["searched"].is_object(), "{path}");
    }
    let ten_megabytes = vec![b' '; 10 << 20];
    let (status, code, message) = post(answering.address, "/api/v1/compare", &ten_megabytes).refusal();
    assert_eq!((status, &*code), (413, "TOO_LARGE"), "{message}");
    let deep = format!("{{\"a\":{}", "[".repeat(60_000));
    assert_eq!(post(answering.address, "/api/v1/compare", deep.as_bytes()).refusal().0, 400);
    let parentheses =
        format!("{{\"a\":\"service=x\",\"b\":\"service=y\",\"text\":\"x\",\"regex\":\"{}\"}}", "(".repeat(60_000));
    assert_eq!(post(answering.address, "/api/v1/compare", parentheses.as_bytes()).refusal().0, 400);
    let packed = [("content-type", "application/json"), ("content-encoding", "gzip")];
    assert_eq!(request(answering.address, "POST", "/api/v1/compare", &packed, &[0x1f, 0x8b]).refusal().0, 415);

    // A log record of ten megabytes, and a service for each of 20,000.
    let body = "0123456789".repeat(1 << 20);
    block_on(answering.library.export_otlp(Signal::Logs, logs([("large".to_owned(), body.as_str())]))).unwrap();
    let large = answering.json("/logs?service=large");
    assert_eq!(large["logs"][0]["body"].as_str().unwrap().len(), body.len());
    let many = (0..20_000).map(|number| (format!("service-{number}"), "one of many"));
    block_on(answering.library.export_otlp(Signal::Logs, logs(many))).unwrap();
    let values = answering.json("/attributes/service/values?signal=logs&limit=30000");
    assert_eq!(values["values"].as_array().unwrap().len(), 20_000 + 4);
    assert!(answering.json("/logs?limit=100000&text=many")["logs"].as_array().unwrap().len() == 20_000);
    acknowledges(answering.address);
}

#[test]
fn memory_has_an_end_and_the_answer_says_so() {
    let answering = Answering::empty(|config| config.query.max_memory = 16 << 20);
    block_on(answering.library.export_otlp(Signal::Logs, long(900))).unwrap();
    let reply = answering.get("/api/v1/logs?limit=20000");
    match reply.status {
        200 if reply.whole => assert_eq!(reply.json()["searched"]["why"], "memory"),
        status => assert_eq!((status, &*reply.refusal().1), (503, "UNAVAILABLE")),
    }
    assert_eq!(answering.json("/logs/counts")["total"], 900);
    assert_eq!(answering.library.telemetry().engine().memory().0, 0, "all of it was given back");
}

#[test]
fn markup_is_data() {
    let answering = Answering::empty(|_| ());
    let name = "<script>alert(1)</script><img src=x onerror=alert(1)>\u{202e}";
    block_on(answering.library.export_otlp(Signal::Logs, logs([(name.to_owned(), name)]))).unwrap();
    for path in ["/logs", "/attributes/service/values?signal=logs", "/facets?signal=logs"] {
        let reply = answering.get(&format!("/api/v1{path}"));
        assert_eq!(
            (reply.header("content-type"), reply.header("x-content-type-options")),
            ("application/json", "nosniff")
        );
        assert_eq!(reply.header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
        assert!(reply.json().to_string().contains("<script>"), "{path}: {}", reply.text());
    }
    let refused = answering.get("/api/v1/logs?service=%3Cscript%3E&colour=%3Cscript%3E");
    assert_eq!(
        (refused.status, refused.header("content-type"), refused.header("x-content-type-options")),
        (400, "application/json", "nosniff")
    );
}

#[test]
fn a_thousand_tails_and_hundreds_of_questions_at_once_are_bounded() {
    let answering = Answering::with(500);
    let address = answering.address;
    let (tails, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    let (answered, busy) = (AtomicU64::new(0), AtomicU64::new(0));
    let open = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let mut stream = connect(address, "GET", "/api/v1/tail/logs", &[], b"");
                    let mut head = [0; 12];
                    stream.read_exact(&mut head).unwrap();
                    match &head[9..] {
                        b"200" => {
                            tails.fetch_add(1, Ordering::Relaxed);
                            open.lock().unwrap().push(stream);
                        }
                        b"503" => drop(refused.fetch_add(1, Ordering::Relaxed)),
                        other => panic!("{}", String::from_utf8_lossy(other)),
                    }
                }
            });
        }
        for _ in 0..20 {
            scope.spawn(|| {
                for _ in 0..10 {
                    match get(address, "/api/v1/traces?limit=5", &[]).status {
                        200 => answered.fetch_add(1, Ordering::Relaxed),
                        503 => busy.fetch_add(1, Ordering::Relaxed),
                        other => panic!("{other}"),
                    };
                }
            });
        }
        for _ in 0..20 {
            acknowledges(address);
        }
    });
    assert_eq!((tails.into_inner(), refused.into_inner()), (32, 968));
    assert_eq!(answered.load(Ordering::Relaxed) + busy.into_inner(), 200);
    assert!(answered.into_inner() > 0);
    acknowledges(address);
}

/// Copies of a sealed file under other writers' names.
fn multiply(from: &Path, copies: u64) {
    let folder = from.join("otlp/logs");
    let file = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "arrow"));
    let file = file.unwrap();
    let stem = file.file_stem().unwrap().to_str().unwrap().to_owned();
    let parts: Vec<&str> = stem.split('-').collect();
    for copy in 1..=copies {
        std::fs::copy(&file, folder.join(format!("{}-{copy:016x}-{}.arrow", parts[0], parts[2]))).unwrap();
    }
}

/// A question that takes minutes ends when its client goes away, and when the recorder is shut down.
#[test]
fn a_question_ends_with_its_client() {
    let dir = tempfile::tempdir().unwrap();
    let library = sample::recorder(dir.path());
    sample::send(&library, 0..8_000, 1_000);
    library.shutdown_blocking(None).unwrap();
    multiply(dir.path(), 400);
    let answering = Answering::empty(|config| {
        config.output_dir = dir.path().to_owned();
        config.query.max_concurrent = 1;
        config.query.timeout = Duration::from_secs(3600);
    });
    // Minutes of work: nothing of it can be ruled out.
    let slow = "/api/v1/logs?regex=%28%5Ba-z%5D%2B%20%3F%29%7B3%2C9%7Dno%20such%20end%24&ignore_case=true";
    for round in 0..3 {
        let stream = connect(answering.address, "GET", slow, &[], b"");
        let started = Instant::now();
        // Until it has the only place.
        while answering.get("/api/v1/services?timeout=10ms").status != 503 && started.elapsed() < Duration::from_secs(5)
        {
        }
        drop(stream);
        assert_eq!(answering.get("/api/v1/spans?limit=1").status, 200, "round {round}");
        assert!(started.elapsed() < Duration::from_secs(200), "round {round}: it was answered to its end");
    }
    let asked = connect(answering.address, "GET", slow, &[], b"");
    let started = Instant::now();
    answering.library.shutdown_blocking(None).unwrap();
    assert!(started.elapsed() < Duration::from_secs(60));
    drop(asked);
}

/// Files are rotated, sealed and deleted all the time, and everybody asks.
#[test]
fn questions_are_answered_while_files_come_and_go() {
    let answering = Answering::empty(|config| {
        config.rotation.max_bytes = 64 << 10;
        config.retention.max_bytes = 2 << 20;
        config.rotation.max_age = Duration::from_secs(1);
    });
    let address = answering.address;
    let ended = AtomicBool::new(false);
    let asked = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for path in [
            "/traces?limit=5",
            "/services",
            "/logs?text=declined&limit=20",
            "/logs/counts?by=service",
            "/spans?attr=number%3E10&limit=500",
            "/services/map",
            "/overview?from=0",
            "/facets?signal=logs",
        ] {
            let (ended, asked) = (&ended, &asked);
            scope.spawn(move || {
                while !ended.load(Ordering::Relaxed) {
                    let reply = get(address, &format!("/api/v1{path}"), &[]);
                    // Who waits too long for a turn is told so.
                    assert!(matches!(reply.status, 200 | 503) && reply.whole, "{path}: {}", reply.text());
                    if reply.status == 200 {
                        assert!(reply.json()["searched"].is_object());
                        asked.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let mut next = 0;
        // A machine that is busy otherwise answers fewer.
        let until = Instant::now() + Duration::from_secs(60);
        while Instant::now() < until && (next < 6_000 || asked.load(Ordering::Relaxed) < 16) {
            sample::send(&answering.library, next..next + 200, 100);
            next += 200;
        }
        ended.store(true, Ordering::Relaxed);
        assert!(next >= 600, "{next} records in a minute");
        let stats = answering.library.stats();
        assert_eq!((stats.accepted_records[Signal::Logs], stats.committed_records[Signal::Logs]), (next, next));
    });
}

#[test]
fn a_full_disk_refuses_data_and_no_question() {
    let before = Answering::with(400);
    let path = before.dir.path().join("out");
    before.library.shutdown_blocking(None).unwrap();
    let answering = Answering::empty(|config| {
        config.output_dir.clone_from(&path);
        config.storage.min_free_bytes = 1 << 60;
    });
    let error = block_on(answering.library.export_otlp(Signal::Logs, logs([("x".to_owned(), "y")]))).unwrap_err();
    assert_eq!(error.code(), Code::StorageFull);
    assert_eq!(answering.json("/logs?limit=1000")["logs"].as_array().unwrap().len(), 400);
    assert_eq!(answering.json("/overview")["recorder"]["health"]["status"], "failing");
}
