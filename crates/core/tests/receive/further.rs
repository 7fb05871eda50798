//! Doors that a host program adds: the registry takes them beside those of the core.

use otlp_arrow::ReadOptions;
use otlp_arrow::{Code, Config, OtlpLibrary, Signal};

use crate::support::{send, traces};
use crate::toy_door::SYSLOG;

fn config(dir: &std::path::Path) -> Config {
    let mut config = Config { output_dir: dir.to_owned(), ..Config::default() };
    config.listen.http = Some(([127, 0, 0, 1], 0).into());
    config.storage.min_free_bytes = 0;
    config
}

#[test]
fn a_door_of_one_file_records_counts_and_refuses_like_any_other() {
    let dir = tempfile::tempdir().unwrap();
    let library = OtlpLibrary::builder(config(dir.path())).door(SYSLOG).open().unwrap();
    let address = library.addresses().http.unwrap();

    let reply = send(address, "POST", "/syslog", &[], b"<3>disk on fire\nall is well\n");
    assert_eq!((reply.status, &reply.body[..]), (200, &b"2 kept\n"[..]));
    let reply = send(address, "POST", "/v1/traces", &[("content-type", "application/x-protobuf")], &traces("beside"));
    assert_eq!(reply.status, 200, "the doors of the core are there as well");
    let reply = send(address, "GET", "/syslog", &[], b"");
    assert_eq!((reply.status, reply.header("allow")), (405, "POST"));
    let reply = send(address, "POST", "/syslog", &[], b"\xff");
    assert_eq!(reply.status_body(), (3, "not text: invalid utf-8 sequence of 1 bytes from index 0".into()));
    let reply = send(address, "POST", "/nowhere", &[], b"");
    assert_eq!(reply.status, 404);
    assert!(reply.status_body().1.ends_with("or POST lines to /syslog"), "{reply:?}");

    let options = ReadOptions { columns: Some(vec!["body".into(), "severity_number".into()]), ..Default::default() };
    let batches: Vec<_> = library.read(Signal::Logs, &options).unwrap().map(Result::unwrap).collect();
    let rows: Vec<_> = batches.iter().flat_map(rows).collect();
    assert_eq!(rows, [("disk on fire".to_owned(), 17), ("all is well".to_owned(), 9)]);

    let counters = library.stats().counters;
    let count = |name: &str| counters.total(name, &[("signal", "logs"), ("protocol", "syslog")]);
    assert_eq!(count("otlp_arrow_received_records_total"), 2);
    assert_eq!(count("otlp_arrow_request_seconds"), 3, "one kept, two refused");
    library.shutdown_blocking(None).unwrap();
}

fn rows(batch: &arrow_array::RecordBatch) -> Vec<(String, i32)> {
    use arrow_array::cast::AsArray;
    let bodies = batch.column(0).as_string::<i32>();
    let severities = batch.column(1).as_primitive::<arrow_array::types::Int32Type>();
    bodies.iter().zip(severities).map(|(body, severity)| (body.unwrap().to_owned(), severity.unwrap())).collect()
}

#[test]
fn two_doors_at_one_path_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let error = OtlpLibrary::builder(config(dir.path())).door(SYSLOG).door(SYSLOG).open().unwrap_err();
    assert_eq!(error.code(), Code::InvalidConfig);
    assert_eq!(error.message(), "two services answer at /syslog: syslog and syslog: leave one out");
}
