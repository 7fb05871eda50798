//! Text that others wrote on its way to a terminal: through every command, in every place where it can stand.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs, reason = "tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_otlp-arrow");
/// Clears the screen, colours, names the window, rings, goes back, turns text around, breaks lines, hides.
const HOSTILE: &str = "\u{1b}[2J\u{1b}[31mred\u{1b}]0;title\u{7} \r\nforged line\u{8}\u{7f}\u{9b}31m\u{85}\u{202e}gpj\u{2066}x\u{2069}\u{2028}y\u{200b}z\u{feff}\u{e0041}";
/// The same in the name of a file, where there is no `/` and no end.
const NAME: &str = "evil\u{1b}[2J\u{202e}\nforged line\u{9b}m\u{200b}";

/// What a terminal would obey or not show, but for the line breaks of ours.
fn is_obeyed(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

fn checked(what: &str, bytes: &[u8], quotes: bool) -> String {
    let text = std::str::from_utf8(bytes).unwrap();
    let found: Vec<String> = text.chars().filter(|c| is_obeyed(*c)).map(|c| c.escape_unicode().to_string()).collect();
    assert!(found.is_empty(), "{what}: {found:?} in {text:?}");
    assert!(!text.lines().any(|line| line.starts_with("forged line")), "{what}: {text}");
    assert_eq!(text.contains("\\u{1b}") || text.contains("\\u001b"), quotes, "{what}: {text}");
    text.to_owned()
}

fn run(dir: &Path, arguments: &[&std::ffi::OsStr]) -> Output {
    Command::new(BINARY).current_dir(dir).args(arguments).output().unwrap()
}

/// Both ways out of a command; whether it quotes what it was given.
fn command(dir: &Path, arguments: &[&str], quotes: bool) -> String {
    let arguments: Vec<&std::ffi::OsStr> = arguments.iter().map(std::ffi::OsStr::new).collect();
    let done = run(dir, &arguments);
    let all = [done.stdout, done.stderr].concat();
    checked(&format!("{arguments:?}"), &all, quotes)
}

fn attributes() -> Value {
    json!([
        {"key": "service.name", "value": {"stringValue": HOSTILE}},
        {"key": HOSTILE, "value": {"arrayValue": {"values": [{"stringValue": HOSTILE}, {"bytesValue": "AAEC"}]}}},
        {"key": format!("{HOSTILE}2"), "value": {"stringValue": HOSTILE}},
    ])
}

fn requests() -> [(&'static str, Value); 3] {
    let resource = json!({"attributes": attributes()});
    let scope = json!({"name": HOSTILE, "version": HOSTILE});
    let span = json!({
        "traceId": "aa".repeat(16), "spanId": "bb".repeat(8), "name": HOSTILE, "traceState": HOSTILE, "startTimeUnixNano": "1",
        "endTimeUnixNano": "2", "attributes": attributes(), "status": {"code": 2},
        "events": [{"name": "exception", "attributes": [
            {"key": "exception.type", "value": {"stringValue": HOSTILE}}, {"key": "exception.message", "value": {"stringValue": HOSTILE}},
        ]}, {"name": HOSTILE}],
    });
    let mut other = span.clone();
    other["spanId"] = json!("cc".repeat(8));
    other["parentSpanId"] = json!("bb".repeat(8));
    other["status"]["message"] = json!(HOSTILE);
    let log = json!({"timeUnixNano": "1", "severityText": HOSTILE, "body": {"stringValue": HOSTILE}, "attributes": attributes()});
    let event = json!({"timeUnixNano": "1", "eventName": HOSTILE});
    let metric = json!({"name": HOSTILE, "unit": HOSTILE, "description": HOSTILE, "gauge": {"dataPoints": [
        {"timeUnixNano": "1", "asInt": "1", "attributes": attributes()}
    ]}});
    [
        (
            "traces",
            json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": [span, other]}]}]}),
        ),
        (
            "metrics",
            json!({"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"scope": scope, "metrics": [metric]}]}]}),
        ),
        (
            "logs",
            json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"scope": scope, "logRecords": [log, event]}]}]}),
        ),
    ]
}

/// Whether a text stands somewhere in JSON.
fn says(value: &Value, text: &str) -> bool {
    match value {
        Value::String(found) => found.contains(text),
        Value::Array(items) => items.iter().any(|item| says(item, text)),
        Value::Object(members) => members.iter().any(|(key, value)| key.contains(text) || says(value, text)),
        _ => false,
    }
}

/// A service whose standard error is read when it has ended.
struct Service {
    child: Child,
    address: String,
}

impl Service {
    fn start(dir: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(BINARY)
            .current_dir(dir)
            .args(["serve", "--grpc", "off", "--http", "127.0.0.1:0", "--output-dir", "telemetry"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines().map_while(Result::ok);
        let address = lines.find_map(|line| Some(line.split_once("http://")?.1.split(' ').next()?.to_owned())).unwrap();
        Self { child, address }
    }

    fn post(&self, path: &str, kind: &str, body: &[u8]) -> u16 {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// Ends it; everything it said.
    fn end(mut self) -> Vec<u8> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let mut said = Vec::new();
        self.child.stdout.take().unwrap().read_to_end(&mut said).unwrap();
        self.child.stderr.take().unwrap().read_to_end(&mut said).unwrap();
        assert!(self.child.wait().unwrap().success());
        said
    }
}

#[test]
fn no_command_lets_a_terminal_obey_what_others_wrote() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    let service = Service::start(dir, &[]);
    for (signal, request) in requests() {
        assert_eq!(service.post(&format!("/v1/{signal}"), "application/json", request.to_string().as_bytes()), 200);
        std::fs::write(dir.join(format!("{signal}.jsonl")), format!("{request}\n")).unwrap();
    }
    for shown in [&["tail", "--output-dir", "telemetry"][..], &["tail", "logs", "--output-dir", "telemetry"]] {
        let text = command(dir, shown, true);
        assert!(text.contains("forged line") && text.contains("\\u{202e}gpj"), "{text}");
    }
    command(dir, &["tail", "traces", "--service", HOSTILE, "--output-dir", "telemetry"], true);
    let tree = command(dir, &["trace", "aaaa", "--output-dir", "telemetry"], true);
    assert!(tree.contains("error: \\u{1b}[2J"), "{tree}");
    command(dir, &["trace", HOSTILE, "--output-dir", "telemetry"], true);
    let counted = command(dir, &["inspect", "telemetry"], true);
    assert!(counted.contains("\\u{9b}31m"), "{counted}");
    // JSON says exactly what was sent, without a character that is obeyed.
    let exact: Value = serde_json::from_str(&command(dir, &["inspect", "telemetry", "--json"], true)).unwrap();
    let services = exact["signals"]["logs"]["services"].as_object().unwrap();
    assert_eq!(services.keys().collect::<Vec<_>>(), [HOSTILE]);
    // Whoever asks, in text and in JSON.
    for asked in [
        &["services"][..],
        &["traces"],
        &["spans"],
        &["logs"],
        &["counts", "--signal", "logs", "--by", "service", "--from", "0"],
        &["attributes"],
        &["attributes", "--signal", "logs", HOSTILE],
        &["attributes", "resource:service.name"],
        &["trace", "aaaa"],
    ] {
        let text = [asked, &["--output-dir", "telemetry"]].concat();
        command(dir, &text, true);
        let lines = command(dir, &[&text[..], &["--json"]].concat(), true);
        let quoted = lines.lines().map(|line| {
            serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{asked:?}: {error}: {line}"))
        });
        assert!(quoted.filter(|value| says(value, HOSTILE)).count() > 0, "{asked:?}: {lines}");
    }
    service.end();
    for (signal, _) in requests() {
        command(dir, &["convert", &format!("{signal}.jsonl"), "--output", "out.arrow"], false);
    }
}

#[test]
fn names_of_files_and_what_is_wrong_in_them_are_shown() {
    let place = tempfile::tempdir().unwrap();
    let dir: PathBuf = place.path().join(NAME);
    std::fs::create_dir_all(dir.join("quarantine")).unwrap();
    std::fs::write(dir.join("quarantine/x"), "x").unwrap();
    let file = |name: &str| format!("{name}{NAME}");
    let good = requests()[2].1.to_string();
    std::fs::write(dir.join(file("a") + ".jsonl"), format!("{good}\n{HOSTILE}\n{{\"{NAME}\": 1}}\n")).unwrap();
    let wrong = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": HOSTILE}, {"flags": {HOSTILE: 1}}]}]}]});
    std::fs::write(dir.join(file("b") + ".json"), wrong.to_string()).unwrap();
    let whole = json!({"resourceLogs": [{"schemaUrl": {HOSTILE: HOSTILE}}]});
    std::fs::write(dir.join(file("c") + ".json"), format!("{whole}\n{good}")).unwrap();
    std::fs::write(dir.join(file("d") + ".pb"), b"\x0a\xff\xff\x03short").unwrap();
    std::fs::write(dir.join(file("e") + ".arrow"), b"ARROW1\0\0 damaged").unwrap();
    let out = file("out") + ".jsonl";
    for (name, quotes) in
        [("a", ".jsonl"), ("b", ".json"), ("c", ".json"), ("d", ".pb"), ("e", ".arrow"), ("gone", ".pb")]
    {
        let text = command(&dir, &["convert", &(file(name) + quotes), "--output", &out, "--signal", "logs"], true);
        assert!(text.contains("evil\\u{1b}[2J"), "{name}: {text}");
    }
    command(&dir, &["convert", &(file("a") + ".jsonl"), "--output", &file("no form")], true);
    let all = dir.to_str().unwrap();
    for arguments in [
        &["inspect", all][..],
        &["inspect", all, "--json"],
        &["inspect", &(file("a") + ".jsonl")],
        &["inspect", &file("gone")],
        &["tail", "--output-dir", &file("gone")],
        &["trace", "aaaa", "--output-dir", all],
        &["tail", "--config", &file("gone")],
        &["convert", all, "--output", &out],
        &["serve", "--set", &format!("log.level={HOSTILE}")],
        &["serve", "--set", &format!("{NAME}=1")],
        &["config", "print", "--set", &format!("resource.{NAME}={HOSTILE}")],
        &["config", "print", "--output-dir", NAME],
        &["config", "init", &file("gone/x")],
        &["demo", "--output-dir", &file("demo")],
        &["serve", "--set", &format!("forward={{name: \"{NAME}\", endpoint: x}}")],
        &[HOSTILE],
        &["tail", HOSTILE],
    ] {
        let arguments: Vec<&std::ffi::OsStr> = arguments.iter().map(std::ffi::OsStr::new).collect();
        let done = run(&dir, &arguments);
        let all = [done.stdout, done.stderr].concat();
        let text = std::str::from_utf8(&all).unwrap();
        checked(&format!("{arguments:?}"), &all, text.contains("\\u{1b}") || text.contains("\\u001b"));
        assert!(text.contains("u{1b}") || text.contains("u001b") || text.contains("u{202e}"), "{arguments:?}: {text}");
    }
}

/// A destination that answers with text of its own.
fn remote() -> (u16, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let Ok((mut stream, _)) = listener.accept() else { return };
        let mut piece = [0; 65536];
        let _ = stream.read(&mut piece);
        let body = json!({"code": 3, "message": HOSTILE}).to_string();
        let _ = write!(
            stream,
            "HTTP/1.1 400 Bad\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
    });
    (port, thread)
}

#[test]
fn the_log_of_the_service_shows_what_it_refuses_and_what_a_remote_says() {
    for format in ["console", "json"] {
        let place = tempfile::tempdir().unwrap();
        let (port, answered) = remote();
        let forward = format!("forward={{name: far, endpoint: 'http://127.0.0.1:{port}', protocol: otlp_http}}");
        let service = Service::start(place.path(), &["--set", &forward, "--set", &format!("log.format={format}")]);
        let wrong = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"flags": HOSTILE}, {}]}]}]}).to_string();
        assert_eq!(service.post("/v1/logs", "application/json", wrong.as_bytes()), 200);
        let whole = json!({"resourceSpans": [{"schemaUrl": {HOSTILE: 1}}]}).to_string();
        assert_eq!(service.post("/v1/traces", "application/json", whole.as_bytes()), 400);
        for _ in 0..20 {
            assert_eq!(service.post("/v1/metrics", "application/json", HOSTILE.as_bytes()), 400);
        }
        let foreign = json!({"resourceMetrics": [{"schemaUrl": "x"}]}).to_string();
        assert_eq!(service.post("/v1/traces", "application/json", foreign.as_bytes()), 200);
        let end = Instant::now() + Duration::from_secs(20);
        while !answered.is_finished() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(answered.is_finished(), "the destination was not asked");
        let said = service.end();
        let text = match format {
            "console" => checked("log", &said, true),
            _ => String::from_utf8(said).unwrap(),
        };
        for told in [
            "not all of a request was kept: 1 record(s) refused",
            "logRecords[0].flags = ",
            "a request was refused: malformed OTLP at byte",
            "resourceSpans[0].schemaUrl = ",
            "resourceMetrics is not kept",
        ] {
            assert!(text.contains(told), "{told}: {text}");
        }
        assert_eq!(
            text.matches("not a JSON value").count() + text.matches("an export request is a JSON object").count(),
            1,
            "now and then: {text}"
        );
        if format == "json" {
            let lines = text.lines().filter(|line| line.starts_with('{'));
            let values: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
            assert!(values.len() >= 4, "{text}");
        }
    }
}
