//! Questions by the names that every language has, and the end of a `Telemetry`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use otlp_arrow::{Code, ReadOptions, Signal};
use otlp_arrow_query::record::{Form, hex};
use otlp_arrow_query::scan::AskOptions;
use otlp_arrow_query::{Answer, Ask, Telemetry};

use crate::sample;

#[test]
fn every_question_is_a_method() {
    let dir = tempfile::tempdir().unwrap();
    let library = sample::mixed(dir.path());
    let telemetry = library.telemetry();
    let id = hex(&sample::spans(0..1)[0].trace);
    let words: &[(&str, &str)] = &[("service", "checkout"), ("limit", "3")];
    let trace = telemetry.trace(&id[..8]).unwrap();
    assert_eq!((trace.id.as_str(), trace.spans.num_rows()), (id.as_str(), 10));
    assert_eq!(telemetry.search(words).unwrap().traces.len(), 3);
    assert!(telemetry.search_spans(words).unwrap().iter().all(|span| span.service == "checkout"));
    assert!(telemetry.search_logs(words).unwrap().iter().all(|record| record.service == "checkout"));
    assert_eq!(telemetry.counts(&[("signal", "logs"), ("by", "service")]).unwrap().total, 6_000);
    assert_eq!(telemetry.services(&[]).unwrap().services.len(), sample::SERVICES.len());
    let keys = telemetry.attributes(&[]).unwrap().keys;
    assert!(keys.iter().any(|key| key.key == "http.route" && key.owner == "record"));
    assert_eq!(telemetry.attribute_values("http.route", &[("prefix", "/route/1")]).unwrap().distinct, 8);
    assert_eq!(telemetry.facets(&[("by", "service")]).unwrap().facets[0].distinct, 3);
    assert!(telemetry.metrics(&[]).unwrap().metrics.is_empty());
    assert!(telemetry.series(&[("metric", "none"), ("step", "1m")]).unwrap().lines.is_empty());
    assert_eq!(telemetry.errors(&[]).unwrap().total, 0);
    assert!(telemetry.exceptions(&[]).unwrap().exceptions.is_empty());
    assert_eq!(telemetry.service_map(&[]).unwrap().nodes.len(), sample::SERVICES.len());
    let compared = telemetry.compare(&id, "service=checkout", &[("name", "charge")]).unwrap();
    assert_eq!((compared.a.spans, compared.b.services), (2, vec!["checkout".to_owned()]));
    let found = telemetry.overrepresented(&[("status", "error"), ("limit", "1")]).unwrap();
    assert_eq!(found.selected, 546);
    for (wrong, problem) in [
        (telemetry.search(&[("servce", "checkout")]).map(drop), "did you mean service?"),
        (telemetry.series(&[("metric", "none"), ("metric", "other")]).map(drop), "2th value"),
        (telemetry.trace("xyz").map(drop), "hexadecimal"),
        (telemetry.compare(&id, "", &[]).map(drop), "b = \"\" is missing"),
    ] {
        let error = wrong.unwrap_err();
        assert_eq!(error.code(), Code::InvalidConfig);
        assert!(error.message().contains(problem), "{error}");
    }
}

#[test]
fn an_answer_has_a_form_for_every_reader() {
    let dir = tempfile::tempdir().unwrap();
    let library = sample::mixed(dir.path());
    let telemetry = library.telemetry();
    let spans = telemetry.search_spans(&[("limit", "1"), ("order", "oldest"), ("attr", "number=1")]).unwrap();
    let (from, to) = (sample::START + sample::SECOND / 10, sample::START + sample::SECOND / 10 + 791_900_013);
    for (form, times) in [
        (Form::Text, r#""start_time":"2026-09-21T14:13:20.100000000Z","end_time":"2026-09-21T14:13:20.891900013Z","duration":791900013"#.to_owned()),
        (Form::Numbers, format!(r#""start_time":{from},"end_time":{to},"duration":791900013"#)),
        (Form::Marked, format!(r#""startTime":"\u0001{from}","endTime":"\u0001{to}","duration":"\u0001791900013""#)),
    ] {
        let json = spans.render(form).unwrap();
        assert!(json.contains(&times), "{json}");
        assert!(json.contains(r#""attributes":{"number":1,"http.route":"/route/1"}"#), "{json}");
        assert!(json.contains(r#""resource":{"service.name":"checkout","host.cores":"8"}"#), "{json}");
    }
}

#[test]
fn what_is_closed_answers_nothing_and_reads_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let library = sample::mixed(dir.path());
    let telemetry = Telemetry::open(dir.path());
    let batches = telemetry.read(Signal::Traces, &ReadOptions::default()).unwrap();
    assert_eq!(batches.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 6_000);
    let (sender, receiver) = mpsc::sync_channel::<()>(0);
    let (held, at_work) = (std::sync::Mutex::new(receiver), AtomicBool::new(false));
    let (begun, wait) = mpsc::channel();
    let progress = move |_| {
        if !at_work.swap(true, Ordering::SeqCst) {
            begun.send(()).unwrap();
            let _ = held.lock().unwrap().recv();
        }
    };
    let options = AskOptions { progress: Some(Arc::new(progress)), ..AskOptions::default() };
    let clone = telemetry.clone();
    let asked = std::thread::spawn(move || clone.ask_named("services", [("from", "0")], &options).map(drop));
    wait.recv().unwrap();
    telemetry.close();
    drop(sender);
    let code = |result: Result<(), otlp_arrow::OtlpError>| result.unwrap_err().code();
    assert_eq!(code(asked.join().unwrap()), Code::Closed);
    assert_eq!(code(telemetry.services(&[]).map(drop)), Code::Closed);
    assert_eq!(code(telemetry.read(Signal::Logs, &ReadOptions::default()).map(drop)), Code::Closed);
    // Another one of the same directory is not closed with it.
    assert_eq!(Telemetry::open(dir.path()).services(&[]).unwrap().services.len(), 3);
    drop(library);
}
