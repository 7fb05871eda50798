//! All that matches, batch by batch: the same rows that a question finds, however the files lie.

use std::collections::BTreeSet;

use arrow_array::cast::AsArray;
use arrow_array::{Array, StringArray};
use otlp_arrow::Signal;
use otlp_arrow_query::filter::Filter;
use otlp_arrow_query::questions::SpansQuestion;
use otlp_arrow_query::{Ask, Columns, Telemetry};

use crate::sample::{self, SECOND, START};

const WORDS: &[&[(&str, &str)]] = &[
    &[],
    &[("service", "checkout")],
    &[("service", "!checkout"), ("kind", "server")],
    &[("status", "error"), ("min_duration", "10ms")],
    &[("attr", "http.route=/route/3")],
    &[("attr", "!http.route"), ("resource", "host.cores>7")],
    &[("text", "route/16")],
    &[("from", "-500s"), ("to", "-400s")],
    &[("from", "-500s"), ("service", "payment"), ("name", "~^S")],
    &[("service", "nobody")],
];

fn filter(words: &[(&str, &str)]) -> Filter {
    Filter::parse(words.iter().copied(), START + 600 * SECOND).unwrap()
}

/// The ids of the spans that a stream brings, and how many batches those came in.
fn streamed(telemetry: &Telemetry, filter: &Filter, columns: &Columns) -> (Vec<Vec<u8>>, usize) {
    let mut stream = telemetry.stream(Signal::Traces, filter, columns).unwrap();
    let (mut ids, mut batches) = (Vec::new(), 0);
    while let Some(batch) = stream.next_batch().unwrap() {
        assert_eq!(batch.schema_ref(), stream.schema());
        assert!(batch.num_rows() > 0);
        let spans = batch.column_by_name("span_id").unwrap().as_fixed_size_binary();
        ids.extend((0..spans.len()).map(|row| spans.value(row).to_vec()));
        batches += 1;
    }
    assert!(stream.skipped().is_empty(), "{:?}", stream.skipped());
    (ids, batches)
}

fn asked(telemetry: &Telemetry, filter: Filter) -> BTreeSet<Vec<u8>> {
    let answer = telemetry.ask(&SpansQuestion { filter: Filter { limit: Some(10_000), ..filter } }).unwrap();
    let spans = answer.batch.column_by_name("span_id").unwrap().as_fixed_size_binary();
    (0..spans.len()).map(|row| spans.value(row).to_vec()).collect()
}

fn columns(names: &[&str], dictionaries: bool) -> Columns {
    let names = (!names.is_empty()).then(|| names.iter().map(|name| (*name).to_owned()).collect());
    Columns { names, dictionaries }
}

#[test]
fn a_stream_brings_what_a_question_finds_in_live_and_sealed_files() {
    let dir = tempfile::tempdir().unwrap();
    let library = sample::mixed(dir.path());
    // With an index, without one, and of a directory that somebody else writes.
    let (own, other) = (library.telemetry(), Telemetry::open(dir.path()));
    for telemetry in [&own, &other, &own] {
        for words in WORDS {
            let wanted = asked(telemetry, filter(words));
            for columns in [
                columns(&[], false),
                columns(&[], true),
                columns(&["span_id"], false),
                columns(&["duration", "span_id", "service_name"], false),
                columns(&["name", "span_id"], true),
            ] {
                let (ids, _) = streamed(telemetry, &filter(words), &columns);
                assert_eq!(ids.len(), wanted.len(), "{words:?} {columns:?}: each once");
                assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), wanted, "{words:?} {columns:?}");
            }
        }
    }
    assert_eq!(streamed(&own, &filter(&[("limit", "2500")]), &Columns::default()).0.len(), 2_500);
    let all = streamed(&own, &filter(&[]), &Columns::default()).0;
    let some = streamed(&own, &filter(&[("limit", "2500")]), &columns(&["span_id"], true)).0;
    assert_eq!(some, all[..2_500], "the first ones, in the same order");
}

#[test]
fn text_is_plain_unless_dictionaries_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let telemetry = sample::mixed(dir.path()).telemetry();
    for (dictionaries, words) in
        [(false, &[][..]), (false, &[("service", "checkout")]), (true, &[]), (true, &[("status", "error")])]
    {
        let columns = columns(&["name", "span_id"], dictionaries);
        let mut stream = telemetry.stream(Signal::Traces, &filter(words), &columns).unwrap();
        let batch = stream.next_batch().unwrap().unwrap();
        assert_eq!(batch.column(0).as_string_opt::<i32>().is_none(), dictionaries);
        assert_eq!(telemetry.stream_schema(Signal::Traces, &columns).unwrap(), batch.schema());
        let name: &StringArray = match batch.column(0).as_any_dictionary_opt() {
            Some(names) => names.values().as_string(),
            None => batch.column(0).as_string(),
        };
        assert!(name.iter().flatten().all(|name| !name.is_empty()));
    }
}

#[test]
fn files_that_cannot_be_read_are_told_and_the_others_are_whole() {
    let dir = tempfile::tempdir().unwrap();
    sample::mixed(dir.path()).shutdown_blocking(None).unwrap();
    let mut sealed: Vec<_> =
        std::fs::read_dir(dir.path().join("otlp/traces")).unwrap().map(|entry| entry.unwrap().path()).collect();
    sealed.sort();
    assert_eq!(sealed.len(), 3);
    let count = |telemetry: &Telemetry, words: &[(&str, &str)]| {
        let mut stream = telemetry.stream(Signal::Traces, &filter(words), &Columns::default()).unwrap();
        let mut rows = 0;
        while let Some(batch) = stream.next_batch().unwrap() {
            rows += batch.num_rows();
        }
        (rows, stream.skipped().len())
    };
    let bytes = std::fs::read(&sealed[1]).unwrap();
    std::fs::write(&sealed[1], &bytes[..bytes.len() / 3]).unwrap();
    for words in [&[][..], &[("service", "!nobody")]] {
        let telemetry = Telemetry::open(dir.path());
        assert_eq!(count(&telemetry, words), (4_000, 1));
        // What is deleted is nobody's any more.
        let mut stream = telemetry.stream(Signal::Traces, &filter(words), &Columns::default()).unwrap();
        std::fs::rename(&sealed[1], dir.path().join("away")).unwrap();
        let mut rows = 0;
        while let Some(batch) = stream.next_batch().unwrap() {
            rows += batch.num_rows();
        }
        assert_eq!((rows, stream.skipped()), (4_000, &[][..]));
        assert_eq!(telemetry.size(Signal::Traces).unwrap().rows, 4_000);
        std::fs::rename(dir.path().join("away"), &sealed[1]).unwrap();
    }
    let telemetry = Telemetry::open(dir.path());
    telemetry.close();
    assert!(telemetry.stream(Signal::Traces, &filter(&[]), &Columns::default()).is_err());
}

#[test]
fn what_has_no_meaning_for_a_stream_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let telemetry = Telemetry::open(dir.path());
    let refused = |words: &[(&str, &str)], columns: &Columns| {
        telemetry.stream(Signal::Traces, &filter(words), columns).unwrap_err().message().to_owned()
    };
    assert!(refused(&[("order", "oldest")], &Columns::default()).contains("order"));
    assert!(refused(&[("severity", "error")], &Columns::default()).contains("severity"));
    assert!(refused(&[], &columns(&["nam"], false)).contains("nam"));
    let limited = telemetry.follow(Signal::Traces, &filter(&[("limit", "1")]), &Columns::default(), None);
    assert!(limited.unwrap_err().message().contains("limit"));
}
