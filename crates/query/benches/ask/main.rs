//! What `bench/ask.py` measures of ours: makes a directory of so many spans, and answers questions with the time each took.
//!
//!     ask make DIR SPANS SECONDS SEED    a directory, spread over so many seconds; what it has, as JSON
//!     ask answer DIR                     a line `{"question": "spans", "words": [["limit", "20"]], "times": 5}` in,
//!                                        `{"answer": {…}, "nanos": […]}` out
//!     ask fresh DIR ROUNDS               from the acknowledgement of a trace until a question shows it
//!     ask ingest DIR …                   ingest while questions are asked: see `ingest.rs`
#![allow(clippy::print_stdout, clippy::disallowed_methods, clippy::unwrap_used, missing_docs, reason = "a benchmark")]

mod ingest;

use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use futures::future::join_all;
use otlp_arrow::config::Query;
use otlp_arrow::{Config, OtlpLibrary, Signal};
use otlp_arrow_base::PerSignal;
use otlp_arrow_base::error::Result;
use otlp_arrow_query::scan::AskOptions;
use otlp_arrow_query::{Ask, Indexed, Telemetry};
use otlp_arrow_testkit::traffic::{START, Traffic, Wave};
use serde::Deserialize;

/// Waves that are made ahead of those that are written.
const AHEAD: usize = 8;
const FOREVER: Duration = Duration::from_secs(36_500 * 86_400);

/// A recorder that deletes nothing.
fn config(dir: &str) -> Config {
    let mut config = Config { output_dir: dir.into(), ..Config::default() };
    config.retention.max_bytes = 1 << 50;
    config.retention.max_age = PerSignal::from_fn(|_| FOREVER);
    config
}

/// All requests of a wave, acknowledged.
fn send(library: &OtlpLibrary, wave: Wave) {
    let of = |signal: Signal, requests: Vec<Vec<u8>>| {
        requests.into_iter().map(move |request| library.export_otlp(signal, request.into()))
    };
    let all = of(Signal::Traces, wave.traces).chain(of(Signal::Logs, wave.logs));
    for outcome in block_on(join_all(all)) {
        assert_eq!(outcome.unwrap().rejected, 0);
    }
}

fn make(dir: &str, spans: u64, seconds: u64, seed: u64) {
    let library = OtlpLibrary::builder(config(dir)).indexed().open().unwrap();
    let (mut made, mut records) = (0, 0);
    let began = Instant::now();
    std::thread::scope(|scope| {
        let (sender, waves) = sync_channel(AHEAD);
        scope.spawn(move || Traffic::new(seed, spans, seconds).try_for_each(|wave| sender.send(wave)));
        for wave in waves {
            (made, records) = (made + wave.spans, records + wave.records);
            send(&library, wave);
        }
    });
    library.shutdown_blocking(None).unwrap();
    let seconds = began.elapsed().as_secs_f64();
    println!("{}", serde_json::json!({"spans": made, "logs": records, "start": START, "seconds": seconds}));
}

#[derive(Deserialize)]
struct Asked {
    question: String,
    words: Vec<(String, String)>,
    times: usize,
}

/// Asks so often, and how long it took each time, the JSON of the answer included.
fn timed(telemetry: &Telemetry, asked: &Asked) -> Result<serde_json::Value> {
    let (mut answer, mut nanos) = (String::new(), Vec::new());
    for _ in 0..asked.times.max(1) {
        let began = Instant::now();
        let options = AskOptions::default();
        answer = telemetry.ask_named(&asked.question, asked.words.iter().cloned(), &options)?.to_json()?;
        nanos.push(began.elapsed().as_nanos() as u64);
    }
    let answer: Box<serde_json::value::RawValue> = serde_json::value::RawValue::from_string(answer).unwrap();
    Ok(serde_json::json!({"answer": answer, "nanos": nanos}))
}

fn answer(dir: &str) {
    // A machine on which others work as well takes its time.
    let telemetry = Telemetry::with(dir, Query { timeout: FOREVER, ..Query::default() });
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let asked: Asked = serde_json::from_str(&line.unwrap()).unwrap();
        let told = timed(&telemetry, &asked).unwrap_or_else(|error| serde_json::json!({"error": error.to_string()}));
        writeln!(out, "{told}").unwrap();
        out.flush().unwrap();
    }
}

/// How long it takes from an acknowledgement until a question by another reader of the directory shows the trace.
fn fresh(dir: &str, rounds: u64) {
    let library = OtlpLibrary::builder(config(dir)).indexed().open().unwrap();
    let (own, other) = (library.telemetry(), Telemetry::open(dir));
    let mut times = [Vec::new(), Vec::new()];
    for wave in Traffic::new(99, rounds * 1_000, 60).take(usize::try_from(rounds).unwrap()) {
        let request = wave.traces.last().unwrap();
        let trace = trace_of(request);
        send(&library, wave);
        let acknowledged = Instant::now();
        for (telemetry, times) in [&own, &other].into_iter().zip(&mut times) {
            let began = Instant::now();
            loop {
                let words = [("trace", trace.as_str())];
                let answer = telemetry.ask_named("trace", words, &AskOptions::default()).unwrap();
                if answer.rows() > 0 {
                    break;
                }
                assert!(acknowledged.elapsed() < Duration::from_secs(10), "what was acknowledged is not there");
            }
            times.push(began.elapsed().as_nanos() as u64);
        }
    }
    library.shutdown_blocking(None).unwrap();
    println!("{}", serde_json::json!({"own": times[0], "other": times[1]}));
}

/// The id of the last span of a request, in hexadecimal.
fn trace_of(request: &[u8]) -> String {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use prost::Message;
    let request = ExportTraceServiceRequest::decode(request).unwrap();
    let span = &request.resource_spans[0].scope_spans[0].spans[0];
    span.trace_id.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u64>().unwrap_or_else(|_| panic!("{text:?} is not a number"));
    match arguments.as_slice() {
        ["make", dir, spans, seconds, seed] => make(dir, number(spans), number(seconds), number(seed)),
        ["answer", dir] => answer(dir),
        ["fresh", dir, rounds] => fresh(dir, number(rounds)),
        ["ingest", dir, rest @ ..] => ingest::run(Path::new(dir), rest),
        _ => println!("`npm run test:long -- ask` runs this: bench/README.md"),
    }
}
