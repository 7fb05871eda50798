//! `/mcp` on a listener: both eras of the protocol, and who is answered.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use otlp_arrow::{Config, OtlpLibrary};
use otlp_arrow_mcp::Mcp as _;
use otlp_arrow_testkit::http::{Reply, raw};
use serde_json::{Value, json};

fn listening(change: impl FnOnce(&mut Config)) -> (tempfile::TempDir, OtlpLibrary, SocketAddr) {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config { output_dir: dir.path().join("out"), mcp: true, ..Config::default() };
    config.storage.min_free_bytes = 0;
    config.listen.http = Some(([127, 0, 0, 1], 0).into());
    change(&mut config);
    let library = OtlpLibrary::builder(config).mcp().open().unwrap();
    let address = library.addresses().http.unwrap();
    (dir, library, address)
}

fn request(method: &str, host: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!("{method} /mcp HTTP/1.1\r\nhost: {host}\r\ncontent-length: {}\r\n", body.len());
    let usual = [("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
    for (name, value) in usual.iter().filter(|(name, _)| headers.iter().all(|(given, _)| given != name)).chain(headers)
    {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    format!("{text}\r\n{body}").into_bytes()
}

fn post(address: SocketAddr, headers: &[(&str, &str)], body: &Value) -> Reply {
    raw(address, &request("POST", &format!("localhost:{}", address.port()), headers, &body.to_string())).unwrap()
}

fn json_of(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&reply.body)))
}

fn rpc(id: u64, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

/// As a client of the stateless revision says who it is.
fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    })
}

#[test]
fn both_eras_are_answered_without_sessions() {
    let (_dir, library, address) = listening(|_| ());
    // Old: initialize, then calls with the version in a header, each for itself.
    let hello =
        json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let reply = post(address, &[], &rpc(1, "initialize", hello));
    assert_eq!(reply.status, 200);
    let answered = json_of(&reply);
    assert_eq!(answered["result"]["protocolVersion"], "2025-06-18");
    assert_eq!(answered["result"]["serverInfo"]["name"], "otlp-arrow");
    assert_eq!(reply.header("mcp-session-id"), "", "nothing is kept of a client");
    let old = [("mcp-protocol-version", "2025-06-18")];
    let tools = json_of(&post(address, &old, &rpc(2, "tools/list", json!({}))));
    assert_eq!(tools["result"]["tools"].as_array().unwrap().len(), 9);
    assert!(tools["result"].get("resultType").is_none(), "clients of old revisions know none");
    let called = json_of(&post(address, &old, &rpc(3, "tools/call", json!({"name": "overview", "arguments": {}}))));
    assert!(called["result"]["content"][0]["text"].as_str().unwrap().contains("Nothing is recorded"), "{called}");
    // New: who asks and what is said stands in each request.
    let new = |method: &'static str| [("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
    let found = json_of(&post(address, &new("server/discover"), &rpc(4, "server/discover", json!({"_meta": meta()}))));
    let versions = found["result"]["supportedVersions"].as_array().unwrap();
    assert!(versions.contains(&json!("2026-07-28")) && versions.contains(&json!("2025-06-18")), "{found}");
    let tools = json_of(&post(address, &new("tools/list"), &rpc(5, "tools/list", json!({"_meta": meta()}))));
    assert_eq!(tools["result"]["resultType"], "complete");
    assert!(tools["result"]["ttlMs"].as_u64().unwrap() > 0 && tools["result"]["cacheScope"] == "public", "{tools}");
    assert_eq!(tools["result"]["tools"], otlp_arrow_mcp::definitions(), "the same each time, in one order");
    let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "errors")];
    let called = json_of(&post(
        address,
        &headers,
        &rpc(6, "tools/call", json!({"name": "errors", "arguments": {}, "_meta": meta()})),
    ));
    assert_eq!((&called["result"]["resultType"], &called["result"]["isError"]), (&json!("complete"), &json!(false)));
    // What does not fit together is refused as the revision says.
    let wrong = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/list"), ("mcp-name", "errors")];
    let reply =
        post(address, &wrong, &rpc(7, "tools/call", json!({"name": "errors", "arguments": {}, "_meta": meta()})));
    assert_eq!((reply.status, json_of(&reply)["error"]["code"].as_i64()), (400, Some(-32_020)));
    let reply = post(address, &new("nothing/like"), &rpc(8, "nothing/like", json!({"_meta": meta()})));
    assert_eq!((reply.status, json_of(&reply)["error"]["code"].as_i64()), (404, Some(-32_601)));
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn foreign_hosts_origins_and_methods_are_refused() {
    let (_dir, library, address) = listening(|_| ());
    let own = format!("localhost:{}", address.port());
    let body = rpc(1, "tools/list", json!({})).to_string();
    let status = |method: &str, host: &str, headers: &[(&str, &str)], body: &str| {
        raw(address, &request(method, host, headers, body)).unwrap().status
    };
    assert_eq!(status("POST", &own, &[], &body), 200);
    assert_eq!(status("POST", &own, &[("origin", &format!("http://{own}"))], &body), 200);
    for host in ["evil.example", "localhost.evil.example", "10.0.0.1:4318", "0.0.0.0"] {
        assert_eq!(status("POST", host, &[], &body), 403, "{host}");
    }
    for (name, value) in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("origin", "http://localhost:1"),
        ("sec-fetch-site", "cross-site"),
        ("x-forwarded-for", "203.0.113.9"),
    ] {
        assert_eq!(status("POST", &own, &[(name, value)], &body), 403, "{name}: {value}");
    }
    for method in ["GET", "DELETE", "PUT"] {
        assert_eq!(status(method, &own, &[], ""), 405, "{method}");
    }
    // A form of a page cannot send JSON; a body has its bound.
    assert_eq!(status("POST", &own, &[("content-type", "text/plain")], &body), 415);
    assert_eq!(status("POST", &own, &[("accept", "text/html")], &body), 406);
    assert_eq!(status("POST", &own, &[], &"x".repeat(300 << 10)), 413);
    assert!(matches!(status("POST", &own, &[], "{"), 400 | 415), "no JSON");
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn the_key_switches_it_off_and_a_client_that_goes_away_ends_its_call() {
    let (_dir, library, address) = listening(|_| ());
    let own = format!("localhost:{}", address.port());
    let wait = rpc(1, "tools/call", json!({"name": "wait_for", "arguments": {"timeout": 45}})).to_string();
    let began = Instant::now();
    // As many as may be in hand: were they not ended with their clients, the next would be refused for 45 seconds.
    for _ in 0..3 {
        let streams: Vec<_> = (0..60)
            .map(|_| {
                let mut stream = std::net::TcpStream::connect(address).unwrap();
                stream.write_all(&request("POST", &own, &[], &wait)).unwrap();
                stream
            })
            .collect();
        drop(streams);
        let answered = || {
            let body = rpc(2, "tools/call", json!({"name": "wait_for", "arguments": {"timeout": 0}})).to_string();
            let reply = raw(address, &request("POST", &own, &[], &body)).unwrap();
            json_of(&reply)["result"]["isError"] == json!(false)
        };
        while !answered() {
            assert!(began.elapsed() < Duration::from_secs(40), "calls went on without their clients");
        }
    }
    library.shutdown_blocking(None).unwrap();

    let dir = tempfile::tempdir().unwrap();
    let mut config = Config { output_dir: dir.path().join("out"), ..Config::default() };
    config.storage.min_free_bytes = 0;
    config.listen.http = Some(([127, 0, 0, 1], 0).into());
    let library = OtlpLibrary::builder(config).mcp().open().unwrap();
    let address = library.addresses().http.unwrap();
    assert_eq!(post(address, &[], &rpc(1, "tools/list", json!({}))).status, 404, "off in a library until it is set");
    library.shutdown_blocking(None).unwrap();
}
