//! Records and answers line by line, for tests in other languages: `answers write DIR` keeps OTLP/JSON requests,
//! `answers ask DIR` answers questions.
//!
//! A line in is `{"signal": "traces", "otlp": {…}}` or `{"question": "spans", "words": [["service", "checkout"]], "now": 0}`; a
//! line out is `{}`, the answer, or `{"error": "…"}`.
#![allow(clippy::print_stdout, missing_docs, reason = "a program for tests")]

use std::io::{BufRead, Write};

use futures::executor::block_on;
use otlp_arrow::{Config, OtlpLibrary, Signal};
use otlp_arrow_base::error::{Code, OtlpError, Result};
use otlp_arrow_columns::{Limits, json};
use otlp_arrow_query::Telemetry;
use otlp_arrow_query::questions::Kind;
use otlp_arrow_query::scan::{AskOptions, Asking};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Written<'a> {
    signal: String,
    #[serde(borrow)]
    otlp: &'a RawValue,
}

#[derive(Deserialize)]
struct Asked {
    question: String,
    words: Vec<(String, String)>,
    now: u64,
}

fn wrong(error: impl std::fmt::Display) -> OtlpError {
    OtlpError::new(Code::InvalidData, error.to_string())
}

fn write(library: &OtlpLibrary, line: &str) -> Result<String> {
    let line: Written<'_> = serde_json::from_str(line).map_err(wrong)?;
    let signal: Signal = line.signal.parse().map_err(wrong)?;
    let request = json::to_protobuf(signal, line.otlp.get().as_bytes(), &Limits::default()).map_err(wrong)?;
    let outcome = block_on(library.export_otlp(signal, request.into()))?;
    if outcome.rejected > 0 {
        return Err(wrong(outcome.message));
    }
    Ok("{}".to_owned())
}

fn ask(telemetry: &Telemetry, line: &str) -> Result<String> {
    let asked: Asked = serde_json::from_str(line).map_err(wrong)?;
    let question = Kind::named(&asked.question)?.parse(asked.words, asked.now)?;
    question.ask_any(&Asking::begin(telemetry.engine(), &AskOptions::default())?)?.to_json()
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, dir] = arguments.as_slice() else { return Err("answers write|ask DIR".into()) };
    let mut config = Config { output_dir: dir.into(), ..Config::default() };
    config.storage.min_free_bytes = 0;
    // Small files, so that there are several of each writer.
    config.rotation.max_bytes = 64 << 10;
    let library = if mode == "write" { Some(OtlpLibrary::open(config)?) } else { None };
    let telemetry = Telemetry::open(dir);
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let answer = match &library {
            Some(library) => write(library, &line),
            None => ask(&telemetry, &line),
        };
        let answer = answer.unwrap_or_else(|error| serde_json::json!({"error": error.to_string()}).to_string());
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    if let Some(library) = library {
        library.shutdown_blocking(None)?;
    }
    Ok(())
}
