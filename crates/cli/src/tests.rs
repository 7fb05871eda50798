//! Every command, run in this process on real files.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::executor::block_on;
use otlp_arrow::{Config, OtlpLibrary, Signal};
use otlp_arrow_columns::{Limits, json};
use serde_json::{Value, json};

use crate::args::{ServeArgs, Settings, SignalName, Source, TailArgs};
use crate::io::{Io, Terminal};
use crate::{run_with, serve, tail};

mod ask;
mod figures;
mod terminal;

/// What a command did.
struct Done {
    code: i32,
    out: String,
    err: String,
}

fn cli(arguments: &[&str]) -> Done {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let arguments = arguments.iter().map(Into::into).collect();
    let code = run_with(arguments, &mut Io { out: &mut out, err: &mut err, terminal: Terminal::default() });
    Done { code, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
}

fn ok(arguments: &[&str]) -> String {
    let done = cli(arguments);
    assert_eq!(done.code, 0, "{arguments:?}: {}", done.err);
    done.out
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn attribute(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn group(service: &str, field: &str, scopes: &str, records: Value) -> Value {
    json!([{"resource": {"attributes": [attribute("service.name", service)]}, scopes: [{"scope": {"name": "s"}, field: records}]}])
}

fn span(trace: &str, id: &str, parent: Option<&str>, name: &str, start: u64, end: u64) -> Value {
    let mut span = json!({"traceId": trace, "spanId": id, "name": name, "kind": 1,
        "startTimeUnixNano": start.to_string(), "endTimeUnixNano": end.to_string()});
    if let Some(parent) = parent {
        span["parentSpanId"] = json!(parent);
    }
    span
}

fn spans(service: &str, spans: Value) -> Value {
    json!({"resourceSpans": group(service, "spans", "scopeSpans", spans)})
}

fn log(service: &str, second: u64, body: &str) -> Value {
    json!({"resourceLogs": group(service, "logRecords", "scopeLogs", json!([
        {"timeUnixNano": (second * 1_000_000_000).to_string(), "severityNumber": 9, "body": {"stringValue": body}}
    ]))})
}

const TRACE: &str = "5b8efff798038103d269b633813fc60c";

/// A trace of two services with a declined card.
fn shop() -> Vec<Value> {
    let ms = |number: u64| 1_795_246_895_000_000_000 + number * 1_000_000;
    let mut failed = span(TRACE, "0000000000000003", Some("0000000000000002"), "charge", ms(20), ms(80));
    failed["status"] = json!({"code": 2});
    failed["events"] = json!([{"name": "exception", "timeUnixNano": ms(70).to_string(), "attributes": [
        attribute("exception.type", "Declined"), attribute("exception.message", "no money"),
    ]}]);
    vec![
        spans("web", json!([span(TRACE, "0000000000000001", None, "GET /cart", ms(0), ms(100))])),
        spans(
            "pay",
            json!([
                span(TRACE, "0000000000000002", Some("0000000000000001"), "POST /pay", ms(10), ms(90)),
                failed,
                span(
                    "5b8e0000000000000000000000000000",
                    "0000000000000009",
                    Some("00000000000000ff"),
                    "alone",
                    ms(5),
                    ms(6)
                ),
            ]),
        ),
    ]
}

fn export(library: &OtlpLibrary, signal: Signal, request: &Value) {
    let bytes = json::to_protobuf(signal, request.to_string().as_bytes(), &Limits::default()).unwrap();
    block_on(library.export_otlp(signal, Bytes::from(bytes))).unwrap();
}

fn open(dir: &Path) -> OtlpLibrary {
    OtlpLibrary::open(Config { output_dir: dir.to_owned(), ..Config::default() }).unwrap()
}

/// A directory with [`shop`], sealed.
fn recorded() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let library = open(dir.path());
    for request in shop() {
        export(&library, Signal::Traces, &request);
    }
    export(&library, Signal::Logs, &log("web", 100, "first\nline"));
    block_on(library.shutdown(None)).unwrap();
    dir
}

fn json_of(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn help_teaches_and_wrong_usage_is_code_2() {
    let help = ok(&["--help"]);
    for word in ["serve", "demo", "tail", "trace", "inspect", "convert", "config", "Exit codes"] {
        assert!(help.contains(word), "{help}");
    }
    for command in ["serve", "demo", "tail", "trace", "inspect", "convert"] {
        assert!(ok(&[command, "--help"]).contains(&format!("otlp-arrow {command}")), "{command}");
    }
    assert_eq!(ok(&["--version"]), format!("otlp-arrow {}\n", env!("CARGO_PKG_VERSION")));
    for wrong in
        [&["fly"][..], &["inspect"], &["tail", "spans"], &[], &["trace", "xyz"], &["convert", "a.pb", "-o", "b.csv"]]
    {
        let done = cli(wrong);
        assert_eq!(done.code, 2, "{wrong:?}");
        assert!(done.out.is_empty() && !done.err.is_empty(), "{wrong:?}: {}", done.out);
    }
    assert!(cli(&["sevre"]).err.contains("'serve'"));
}

#[test]
fn a_wrong_configuration_is_code_2_and_named() {
    let done = cli(&["config", "print", "--set", "buffer.max_bytes=64", "--grpc", "0.0.0.0:4317"]);
    assert_eq!(done.code, 2);
    assert!(done.err.contains("buffer.max_bytes = \"64\" is a bare number"), "{}", done.err);
    assert!(done.err.contains("(from --set)") && done.err.contains("(from --grpc)"), "{}", done.err);
    let done = cli(&["serve", "--set", "buffer.max_bytes"]);
    assert_eq!(done.code, 2);
    assert!(done.err.contains("--set rotation.max_age=5m"), "{}", done.err);
    assert_eq!(cli(&["config", "print", "--config", "/nowhere.yaml"]).code, 2);
}

#[test]
fn config_prints_begins_and_explains() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.yaml");
    let printed = ok(&["config", "print", "--durability", "synced", "--set", "resource.service.name=x"]);
    let line = |key: &str| printed.lines().find(|line| line.trim_start().starts_with(key)).unwrap().to_owned();
    assert!(line("durability:").contains("synced") && line("durability:").ends_with("# --durability"), "{printed}");
    assert!(line("grpc:").contains("127.0.0.1:4317") && line("grpc:").ends_with("# default"), "{printed}");
    assert!(ok(&["config", "init", text(&path)]).contains("c.yaml"));
    let again = cli(&["config", "init", text(&path)]);
    assert!(again.code == 1 && again.err.contains("--force"), "{}", again.err);
    ok(&["config", "init", "--force", text(&path)]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), ok(&["config", "init", "-"]));
    // All comments: the defaults.
    let from_file = ok(&["config", "print", "--config", text(&path)]);
    assert_eq!(from_file, ok(&["config", "print"]));
    let schema: Value = serde_json::from_str(&ok(&["config", "schema"])).unwrap();
    assert_eq!(schema["properties"]["durability"]["enum"], json!(["buffered", "written", "synced"]));
}

#[test]
fn the_demo_leaves_what_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let out = ok(&["demo", "--output-dir", text(dir.path())]);
    assert!(out.contains("◀ slowest") && out.contains("GET /checkout"), "{out}");
    let report: Value = serde_json::from_str(&ok(&["inspect", "--json", text(dir.path())])).unwrap();
    let records = |signal: &str| report["signals"][signal]["records"].as_u64().unwrap();
    let said = format!(
        "recorded {} spans, {} data points and {} log records",
        records("traces"),
        records("metrics"),
        records("logs")
    );
    assert!(out.starts_with(&said), "{said}\n{out}");
    assert!(records("traces") >= 240 && records("logs") >= 60 && records("metrics") == 4, "{said}");
    assert_eq!(report["signals"]["traces"]["services"]["frontend"], json!(60));
    assert_eq!(report["signals"]["traces"]["files"], json!({"sealed": 1, "live": 0}));
}

#[test]
fn a_trace_is_a_tree_with_errors_and_the_slowest_span() {
    let dir = recorded();
    let out = ok(&["trace", &TRACE[..12], "--output-dir", text(dir.path())]);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], format!("trace {TRACE}  3 spans, 2 services, 100ms, 1 error, began 2026-11-21T07:41:35.000Z"));
    assert!(lines[1].starts_with("web  GET /cart ") && lines[1].ends_with(" 100ms"), "{out}");
    assert!(lines[2].starts_with("└─ pay  POST /pay ") && lines[2].ends_with(" 80ms"), "{out}");
    assert!(
        lines[3].starts_with("   └─ pay  charge ") && lines[3].ends_with("60ms  ◀ slowest  error: Declined: no money"),
        "{out}"
    );

    let several = cli(&["trace", "5b8e", "--output-dir", text(dir.path())]);
    assert!(several.code == 1 && several.err.contains("2 traces begin with 5b8e"), "{}", several.err);
    let none = cli(&["trace", "ffff", "--output-dir", text(dir.path())]);
    assert!(none.code == 1 && none.err.contains("no span of trace ffff"), "{}", none.err);
    let orphan = ok(&["trace", "5B8E0", "--output-dir", text(dir.path())]);
    assert!(orphan.contains("(its parent 00000000000000ff is not recorded)"), "{orphan}");
    let nowhere = cli(&["trace", "ffff", "--output-dir", "/nowhere"]);
    assert!(nowhere.code == 1 && nowhere.err.contains("no directory /nowhere"), "{}", nowhere.err);
}

#[test]
fn tail_shows_the_newest_of_a_service() {
    let dir = recorded();
    let out = ok(&["tail", "traces", "--service", "pay", "-n", "2", "--output-dir", text(dir.path())]);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 2, "{out}");
    assert!(lines[0].starts_with("2026-11-21T07:41:35.010Z  pay  POST /pay  80ms  trace="), "{out}");
    assert!(lines[1].contains("pay  charge  60ms  error"), "{out}");
    let out = ok(&["tail", "--output-dir", text(dir.path())]);
    assert!(out.contains("logs     1970-01-01T00:01:40.000Z  INFO   web  first↵line"), "{out}");
    assert_eq!(out.lines().count(), 5, "{out}");
}

/// What was printed, to be looked at while more is.
struct Shown(Arc<Mutex<Vec<u8>>>);

impl Write for Shown {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn tail_follows_what_is_committed_through_sealing() {
    let dir = recorded();
    let library = open(dir.path());
    let mut step = 0;
    let shown = Arc::new(Mutex::new(Vec::new()));
    let lines = || String::from_utf8(shown.lock().unwrap().clone()).unwrap();
    let args = TailArgs {
        signal: Some(SignalName::Logs),
        follow: true,
        service: None,
        lines: 1,
        json: false,
        source: Source { output_dir: Some(dir.path().to_owned()), config: None },
    };
    let mut out = Shown(Arc::clone(&shown));
    let deadline = Instant::now() + Duration::from_secs(20);
    tail::run_while(&args, &mut Io { out: &mut out, err: &mut io::sink(), terminal: Terminal::default() }, |pause| {
        assert!(pause <= Duration::from_millis(250) && Instant::now() < deadline, "{pause:?}, {}", lines());
        // What the last step committed is shown first.
        let expected = [1, 2, 3, 3, 4][step];
        if lines().lines().count() < expected {
            std::thread::sleep(pause);
            return true;
        }
        step += 1;
        match step {
            1 => export(&library, Signal::Logs, &log("web", 200, "second")),
            2 => export(&library, Signal::Logs, &log("web", 300, "third")),
            3 => drop(block_on(library.shutdown(None)).unwrap()),
            4 => {
                let another = open(dir.path());
                export(&another, Signal::Logs, &log("web", 400, "fourth"));
                block_on(another.shutdown(None)).unwrap();
            }
            _ => return false,
        }
        true
    })
    .unwrap();
    let out = lines();
    let bodies: Vec<&str> = out.lines().map(|line| line.rsplit("  ").next().unwrap()).collect();
    assert_eq!(bodies, ["first↵line", "second", "third", "fourth"]);
}

#[test]
fn inspect_counts_live_sealed_torn_and_broken_files() {
    let dir = recorded();
    let library = open(dir.path());
    export(&library, Signal::Logs, &log("api", 500, "live"));
    let inspect = |code: i32| -> Value {
        let done = cli(&["inspect", "--json", text(dir.path())]);
        assert_eq!(done.code, code, "{}", done.err);
        serde_json::from_str(&done.out).unwrap()
    };
    let report = inspect(0);
    let logs = &report["signals"]["logs"];
    assert_eq!(logs["records"], json!(2));
    assert_eq!(logs["files"], json!({"sealed": 1, "live": 1}));
    assert_eq!(logs["services"], json!({"web": 1, "api": 1}));
    assert_eq!(
        (&logs["first_time"], &logs["last_time"]),
        (&json!("1970-01-01T00:01:40.000Z"), &json!("1970-01-01T00:08:20.000Z"))
    );
    assert_eq!(report["signals"]["traces"]["records"], json!(4));
    block_on(library.shutdown(None)).unwrap();

    // A crash leaves a torn tail, and a sealed file can be damaged.
    let logs_dir = dir.path().join("otlp/logs");
    let sealed: Vec<_> = std::fs::read_dir(&logs_dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    ok(&["convert", text(&sealed[0]), "-o", text(&dir.path().join("torn.arrows"))]);
    let mut bytes = std::fs::read(dir.path().join("torn.arrows")).unwrap();
    bytes.extend_from_slice(&[0xff; 100]);
    std::fs::write(logs_dir.join("20261121T074135.042Z-00000000000000ab-00000001.arrows"), bytes).unwrap();
    std::fs::write(logs_dir.join("20261121T074135.042Z-00000000000000ab-00000002.arrow"), b"ARROW1\0\0 damaged")
        .unwrap();
    std::fs::create_dir_all(dir.path().join("quarantine")).unwrap();
    std::fs::write(dir.path().join("quarantine/x.tail"), b"12345").unwrap();
    let report = inspect(1);
    let logs = &report["signals"]["logs"];
    assert_eq!((&logs["records"], &logs["unfinished_bytes"]), (&json!(3), &json!(100)));
    assert_eq!(report["unreadable"].as_array().unwrap().len(), 1, "{report}");
    assert_eq!(report["set_aside"]["quarantine"]["bytes"], json!(5));
    let shown = cli(&["inspect", text(dir.path())]).out;
    assert!(shown.contains("logs: 3 records in 2 sealed files and 1 live file"), "{shown}");
    assert!(shown.contains("quarantine: 1 file, 5 B") && shown.contains("unreadable: "), "{shown}");
    let usage = cli(&["inspect", text(&dir.path().join("quarantine/x.tail"))]);
    assert_eq!(usage.code, 2, "{}", usage.err);
}

/// `bytes` with every `from` replaced by `to`, which is as long.
fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let (mut bytes, mut found) = (bytes.to_vec(), 0);
    for at in 0..bytes.len() - from.len() {
        if bytes[at..].starts_with(from.as_bytes()) {
            bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
            found += 1;
        }
    }
    assert!(found > 0 && from.len() == to.len(), "{from}");
    bytes
}

#[test]
fn a_file_says_what_it_holds_and_older_ones_are_known_by_their_columns() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("spans.jsonl"), shop()[0].to_string()).unwrap();
    ok(&["convert", text(&path("spans.jsonl")), "-o", text(&path("a.arrow"))]);
    let file = std::fs::read(path("a.arrow")).unwrap();
    let records = |done: Done| -> Value { serde_json::from_str(&done.out).unwrap() };
    let said = records(cli(&["inspect", "--json", text(&path("a.arrow"))]));
    assert_eq!(said["signals"]["traces"]["files"]["sealed"], json!(1));
    // As the first versions wrote it.
    std::fs::write(path("old.arrow"), replaced(&file, "otlp_arrow.signal", "otlp_arrow.nobody")).unwrap();
    assert_eq!(records(cli(&["inspect", "--json", text(&path("old.arrow"))]))["signals"], said["signals"]);
    let said = ok(&["convert", text(&path("old.arrow")), "-o", text(&path("new.arrows"))]);
    assert!(said.contains("span"), "{said}");
    // Written anew, it says it.
    let new = std::fs::read(path("new.arrows")).unwrap();
    replaced(&new, "otlp_arrow.signal", "otlp_arrow.signal");
    // As a later version may write it.
    std::fs::write(path("later.arrow"), replaced(&file, "\0traces\0", "\0graphs\0")).unwrap();
    let done = cli(&["inspect", text(&path("later.arrow"))]);
    assert_eq!(done.code, 1);
    assert!(done.out.contains("later.arrow holds graphs, which this version does not know"), "{}", done.out);
}

#[test]
fn every_form_converts_to_every_other_without_loss() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let original: String = shop().iter().map(|request| format!("{request}\n\n")).collect();
    std::fs::write(path("original.jsonl"), &original).unwrap();
    let said = ok(&["convert", &path("original.jsonl"), "-o", &path("canon.jsonl")]);
    assert!(said.starts_with("wrote 4 spans to "), "{said}");

    // Through Arrow the grouping may change; through Arrow twice it may not.
    ok(&["convert", &path("canon.jsonl"), "-o", &path("a.arrow")]);
    ok(&["convert", &path("a.arrow"), "-o", &path("reference.jsonl")]);
    let reference = std::fs::read_to_string(path("reference.jsonl")).unwrap();
    assert!(reference.contains(TRACE) && reference.contains("no money"), "{reference}");
    let chains =
        [vec!["a.arrow", "b.arrows", "c.pb", "d.arrow", "e.jsonl"], vec!["canon.jsonl", "f.pb", "g.arrows", "h.jsonl"]];
    for chain in chains {
        for pair in chain.windows(2) {
            let said = ok(&["convert", &path(pair[0]), "-o", &path(pair[1]), "--signal", "traces"]);
            assert!(said.starts_with("wrote 4 spans to "), "{pair:?}: {said}");
        }
        let last = std::fs::read_to_string(path(chain[chain.len() - 1])).unwrap();
        assert_eq!(json_of(&last), json_of(&reference), "{chain:?}");
    }

    // Fields of a later OTLP between the groups are left out.
    let known = std::fs::read(path("f.pb")).unwrap();
    let later = [&b"\x18\x07\x22\x03abc"[..], &known, b"\x2d1234"].concat();
    std::fs::write(path("later-traces.pb"), later).unwrap();
    ok(&["convert", &path("later-traces.pb"), "-o", &path("later.pb"), "--signal", "traces"]);
    assert_eq!(std::fs::read(path("later.pb")).unwrap(), known);

    // Joined protobuf requests are one request.
    let twice = [std::fs::read(path("f.pb")).unwrap(), std::fs::read(path("f.pb")).unwrap()].concat();
    std::fs::write(path("traces.pb"), twice).unwrap();
    assert!(ok(&["convert", &path("traces.pb"), "-o", &path("twice.jsonl")]).starts_with("wrote 8 spans"));
    let left = std::fs::read_dir(dir.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with('.'));
    assert_eq!(left.count(), 0);
}

#[test]
fn convert_reports_what_it_refuses_and_leaves_nothing_half_done() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let bad = spans(
        "web",
        json!([
            span(TRACE, "0000000000000001", None, "good", 1, 2),
            span("00ff", "0000000000000002", None, "bad", 1, 2)
        ]),
    );
    std::fs::write(path("bad.jsonl"), format!("{bad}\n")).unwrap();
    for output in ["x.jsonl", "x.pb", "x.arrow"] {
        let done = cli(&["convert", &path("bad.jsonl"), "-o", &path(output)]);
        assert_eq!(done.code, 0, "{}", done.err);
        assert!(done.out.starts_with("wrote 1 span to"), "{}", done.out);
        assert!(
            done.err.contains("bad.jsonl:1: 1 record refused; first: record 1, field trace_id, invalid_id"),
            "{}",
            done.err
        );
    }

    std::fs::write(path("broken.jsonl"), format!("{}\n{{\"resourceSpans\": [\n", shop()[0])).unwrap();
    let done = cli(&["convert", &path("broken.jsonl"), "-o", &path("x.jsonl")]);
    assert!(done.code == 3 && done.err.contains("broken.jsonl:2: 1 line: cut off"), "{}", done.err);
    assert!(done.out.starts_with("wrote 1 span to"), "{}", done.out);
    std::fs::write(path("traces.pb"), b"\x0a\xff\xff\x03short").unwrap();
    let done = cli(&["convert", &path("traces.pb"), "-o", &path("y.jsonl")]);
    assert!(done.code == 1 && done.err.contains("at byte 0"), "{}", done.err);
    assert!(!Path::new(&path("y.jsonl")).exists());

    std::fs::write(path("mixed.jsonl"), format!("{}\n{}\n", shop()[0], log("web", 1, "x"))).unwrap();
    let done = cli(&["convert", &path("mixed.jsonl"), "-o", &path("z.jsonl")]);
    assert!(done.code == 2 && done.err.contains("choose with --signal"), "{}", done.err);
    let done = cli(&["convert", &path("mixed.jsonl"), "-o", &path("z.jsonl"), "--signal", "logs"]);
    assert!(done.out.starts_with("wrote 1 log record"), "{}", done.out);
    assert!(done.err.contains("left out 1 request of other signals than logs"), "{}", done.err);

    std::fs::write(path("nameless.pb"), b"").unwrap();
    for output in ["n.arrow", "n.arrows", "n.pb", "n.jsonl"] {
        let out = ok(&["convert", &path("nameless.pb"), "-o", &path(output), "--signal", "logs"]);
        assert!(out.starts_with("wrote 0 log records to "), "{out}");
        let again = ok(&["convert", &path(output), "-o", &path("again.jsonl"), "--signal", "logs"]);
        assert!(again.starts_with("wrote 0 log records to "), "{again}");
        let done = cli(&["convert", &path("nameless.pb"), "-o", &path(&format!("un{output}"))]);
        assert!(done.code == 1 && done.err.contains("add --signal"), "{}", done.err);
        assert!(!Path::new(&path(&format!("un{output}"))).exists());
    }
    assert_eq!(std::fs::read(path("n.pb")).unwrap(), b"");
    assert!(ok(&["inspect", &path("n.arrow")]).contains("logs: "));
    assert_eq!(cli(&["convert", &path("gone.pb"), "-o", &path("n.pb")]).code, 1);
}

/// Output that another thread can look at.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn serve_records_what_is_sent_and_says_what_was_kept() {
    let dir = tempfile::tempdir().unwrap();
    let args = ServeArgs {
        settings: Settings {
            output_dir: Some(text(dir.path()).to_owned()),
            grpc: Some("off".to_owned()),
            http: Some("127.0.0.1:0".to_owned()),
            ..Settings::default()
        },
    };
    let out = Shared::default();
    let (stop, stopped) = futures::channel::oneshot::channel::<()>();
    let service = {
        let mut out = out.clone();
        std::thread::spawn(move || {
            let mut io = Io { out: &mut out, err: &mut io::sink(), terminal: Terminal::default() };
            serve::run_until(&args, &mut io, async {
                let _ = stopped.await;
            })
        })
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    let address = loop {
        if let Some((_, rest)) = out.text().split_once("listening on http://") {
            break rest.split(' ').next().unwrap().to_owned();
        }
        assert!(Instant::now() < deadline && !service.is_finished(), "{}", out.text());
        std::thread::sleep(Duration::from_millis(5));
    };
    let body = shop()[1].to_string();
    let mut client = TcpStream::connect(&address).unwrap();
    write!(
        client,
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // Acknowledged is readable, while the service runs.
    assert!(ok(&["inspect", text(dir.path())]).contains("traces: 3 records in 1 live file"));
    stop.send(()).unwrap();
    service.join().unwrap().unwrap();
    let said = out.text();
    assert!(said.ends_with("kept 3 spans, 0 data points and 0 log records\n"), "{said}");
    assert!(ok(&["inspect", text(dir.path())]).contains("traces: 3 records in 1 sealed file"));
}

#[test]
fn a_file_that_was_sealed_or_deleted_since_it_was_listed_is_no_trouble() {
    let dir = tempfile::tempdir().unwrap();
    let line = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "x"}}]}]}]});
    std::fs::write(dir.path().join("in.jsonl"), line.to_string()).unwrap();
    ok(&["convert", text(&dir.path().join("in.jsonl")), "--output", text(&dir.path().join("one.arrow"))]);
    let wanted = crate::source::wanted(otlp_arrow::Signal::Logs, &["body"]).unwrap();
    let mut sealed = crate::source::open(&dir.path().join("one.arrows"), &wanted, 0).unwrap().unwrap();
    assert_eq!(sealed.next_batch().unwrap().unwrap().num_rows(), 1);
    assert!(crate::source::open(&dir.path().join("two.arrows"), &wanted, 0).unwrap().is_none());
    assert!(crate::source::open(&dir.path().join("two.arrow"), &wanted, 0).unwrap().is_none());
}

#[test]
fn inspect_tells_of_a_broken_file_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let line = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "x"}}]}]}]});
    // A mark of the byte order, as some programs put it.
    std::fs::write(dir.path().join("in.jsonl"), format!("\u{feff}{line}\r\n{line}\n")).unwrap();
    let whole = dir.path().join("whole.arrow");
    ok(&["convert", text(&dir.path().join("in.jsonl")), "--output", text(&whole)]);
    let bytes = std::fs::read(&whole).unwrap();
    std::fs::write(dir.path().join("half.arrow"), &bytes[..bytes.len() / 2]).unwrap();
    std::fs::write(dir.path().join("empty.arrow"), b"").unwrap();
    let half = dir.path().join("half.arrow");
    for paths in [vec![text(dir.path())], vec![text(&half), text(&whole)]] {
        let done = cli(&[&["inspect", "--json"][..], &paths].concat());
        let report: Value = serde_json::from_str(&done.out).unwrap();
        assert_eq!((done.code, &report["signals"]["logs"]["records"]), (1, &json!(2)), "{}", done.err);
        let broken = report["unreadable"].as_array().unwrap();
        assert!(broken.iter().any(|file| file["path"] == text(&half)), "{report}");
        assert_eq!(broken.len(), if paths.len() == 1 { 2 } else { 1 }, "{report}");
    }
}

#[test]
fn a_closed_pipe_ends_a_command_quietly() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut err = Vec::new();
    let code = run_with(
        vec!["config".into(), "schema".into()],
        &mut Io { out: &mut Closed, err: &mut err, terminal: Terminal::default() },
    );
    assert_eq!((code, err), (0, Vec::new()));
}
