//! Requests of other programs, from public repositories (test/fixtures/corpus): each is taken as it was found right to be,
//! at the doors, and comes back equal. With `OTLP_ARROW_CORPUS` another directory of that form is tried.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use otlp_arrow::{Format, OtlpLibrary, Signal};
use otlp_arrow_columns::{Limits, decode, encode, json};
use otlp_arrow_testkit::canonical::Canonical;
use otlp_arrow_testkit::http::send;
use serde_json::Value;

use super::support::config;

fn directory() -> PathBuf {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test/fixtures/corpus");
    std::env::var_os("OTLP_ARROW_CORPUS").map_or(ours, PathBuf::from)
}

/// Everything below a directory: names relative to it.
fn files(root: &Path, below: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(root, &path, found);
        } else {
            found.push(path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/"));
        }
    }
}

fn difference<M: Canonical>(before: &[u8], after: &[u8]) -> Option<String> {
    let read = |bytes: &[u8]| M::decode(bytes).unwrap().content();
    read(before).difference(&read(after))
}

/// What becomes of a request that is taken whole: nothing changes.
fn comes_back(name: &str, signal: Signal, request: &[u8], format: Format) {
    let protobuf = match format {
        Format::Json => json::to_protobuf(signal, request, &Limits::default()).unwrap(),
        Format::Protobuf => request.to_vec(),
    };
    let batch = decode(signal, request, format).unwrap().batch;
    for format in [Format::Protobuf, Format::Json] {
        let mut back = encode(signal, std::slice::from_ref(&batch), format).unwrap();
        if format == Format::Json {
            back = json::to_protobuf(signal, &back, &Limits::default()).unwrap();
        }
        let difference = match signal {
            Signal::Traces => difference::<ExportTraceServiceRequest>(&protobuf, &back),
            Signal::Metrics => difference::<ExportMetricsServiceRequest>(&protobuf, &back),
            Signal::Logs => difference::<ExportLogsServiceRequest>(&protobuf, &back),
        };
        assert_eq!(difference, None, "{name}");
    }
}

/// The answer of the door: `400`, `refused N`, or nothing where all was taken.
fn verdict(library: &OtlpLibrary, signal: Signal, request: &[u8], format: Format) -> String {
    let kind = if format == Format::Json { "application/json" } else { "application/x-protobuf" };
    let path = format!("/v1/{signal}");
    let reply = send(library.addresses().http.unwrap(), "POST", &path, &[("content-type", kind)], request);
    if reply.status != 200 {
        return reply.status.to_string();
    }
    // Protobuf of a partial success begins with its length and, where records were refused, their number.
    let rejected = match format {
        Format::Json => {
            let answer: Value = serde_json::from_slice(&reply.body).unwrap();
            let inner = answer["partialSuccess"].as_object().cloned().unwrap_or_default();
            inner
                .iter()
                .find(|(name, _)| name.starts_with("rejected"))
                .map(|(_, count)| count.as_str().unwrap().to_owned())
        }
        Format::Protobuf => (reply.body.get(2) == Some(&8)).then(|| reply.body[3].to_string()),
    };
    rejected.filter(|count| count != "0").map_or(String::new(), |count| format!("refused {count}"))
}

#[test]
fn requests_of_other_programs_are_taken_as_ever() {
    let (root, dir) = (directory(), tempfile::tempdir().unwrap());
    let mut settings = config(dir.path());
    settings.listen.http = Some(([127, 0, 0, 1], 0).into());
    let library = OtlpLibrary::open(settings).unwrap();
    let verdicts = std::fs::read_to_string(root.join("verdicts.tsv")).unwrap();
    let mut verdicts: BTreeMap<&str, &str> = verdicts.lines().map(|line| line.split_once('\t').unwrap()).collect();
    let mut names = Vec::new();
    files(&root, &root, &mut names);
    names.sort();
    let mut tried = 0;
    for name in &names {
        let Some(signal) = name.split('/').nth(1).and_then(|signal| signal.parse::<Signal>().ok()) else { continue };
        let mut bytes = std::fs::read(root.join(name)).unwrap();
        if name.ends_with(".gz") {
            let packed = std::mem::take(&mut bytes);
            flate2::read::MultiGzDecoder::new(&packed[..]).read_to_end(&mut bytes).unwrap();
        }
        let format = if name.contains(".json") { Format::Json } else { Format::Protobuf };
        let wanted = verdicts.remove(&**name).unwrap_or_default();
        assert_eq!(verdict(&library, signal, &bytes, format), wanted, "{name}");
        if wanted.is_empty() {
            comes_back(name, signal, &bytes, format);
        }
        tried += 1;
    }
    assert!(tried >= 100 && verdicts.is_empty(), "{tried} tried, {verdicts:?} are missing");
    library.shutdown_blocking(None).unwrap();
}
