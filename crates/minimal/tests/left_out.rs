//! Without doors and destinations the recorder records, and says of each setting that nothing would act on it.
#![allow(clippy::unwrap_used, reason = "tests")]

use futures::executor::block_on;
use otlp_arrow::internal::FEATURES;
use otlp_arrow::{Code, Config, Format, OtlpLibrary, ReadOptions, Signal, decode, encode};
use serde_json::{Value, json};

const LOGS: &[u8] = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"hello"}}]}]}]}"#;

#[test]
fn what_is_accepted_is_kept_and_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let batch = decode(Signal::Logs, LOGS, Format::Json).unwrap().batch;
    let request = encode(Signal::Logs, &[batch], Format::Protobuf).unwrap();
    for number in 1..=2 {
        let library =
            OtlpLibrary::open(Config { output_dir: directory.path().join("out"), ..Config::default() }).unwrap();
        assert_eq!(block_on(library.export_otlp(Signal::Logs, request.clone().into())).unwrap().accepted, 1);
        let batches: Vec<_> =
            library.read(Signal::Logs, &ReadOptions::default()).unwrap().map(Result::unwrap).collect();
        assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), number);
        let kept: Value = serde_json::from_slice(&encode(Signal::Logs, &batches, Format::Json).unwrap()).unwrap();
        assert!(kept.to_string().contains(r#"{"stringValue":"hello"}"#), "{kept}");
        library.shutdown_blocking(None).unwrap();
    }
}

/// Every key of a part, with a value that is right where the part is built in.
fn settings() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("doors", "listen", json!({"listen": {"http": "127.0.0.1:0"}})),
        ("doors", "protocols", json!({"protocols": {"otlp_grpc": false}})),
        ("doors", "insecure", json!({"insecure": true})),
        ("doors", "limits.max_body", json!({"limits": {"max_body": "1MiB"}})),
        ("doors", "limits.max_connections", json!({"limits": {"max_connections": 5}})),
        ("doors", "limits.max_streams", json!({"limits": {"max_streams": 5}})),
        ("doors", "limits.header_bytes", json!({"limits": {"header_bytes": "2KiB"}})),
        ("doors", "limits.timeout", json!({"limits": {"timeout": "5s"}})),
        ("forward", "forward", json!({"forward": {"endpoint": "http://collector:4317"}})),
        ("forward", "forward", json!({"forward": "env"})),
        ("forward", "on_event.webhook", json!({"on_event": {"webhook": "http://127.0.0.1:1/"}})),
    ]
}

#[test]
fn a_setting_that_nothing_acts_on_is_an_error_that_names_the_feature() {
    for (feature, key, arguments) in settings() {
        let parsed = Config::from_value(arguments);
        if FEATURES.contains(&feature) {
            parsed.unwrap();
            continue;
        }
        let error = parsed.unwrap_err();
        assert_eq!(error.code(), Code::InvalidConfig);
        let wanted = format!("{key} is not in this build: compile otlp-arrow with the Cargo feature {feature}");
        assert!(error.message().contains(&wanted), "{error}");
        assert_eq!(error.message().matches("is not in this build").count(), 1, "{error}");
    }
}

#[test]
fn so_it_is_of_a_configuration_that_is_built_by_hand() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = Config { output_dir: directory.path().join("out"), ..Config::default() };
    config.listen.grpc = Some(([127, 0, 0, 1], 0).into());
    let opened = OtlpLibrary::open(config);
    if FEATURES.contains(&"doors") {
        opened.unwrap().shutdown_blocking(None).unwrap();
    } else {
        let error = opened.unwrap_err();
        assert_eq!(error.code(), Code::InvalidConfig);
        assert!(error.message().contains("Cargo feature doors"), "{error}");
    }
}

#[test]
fn what_is_shared_can_be_set_in_any_build() {
    let arguments = json!({"durability": "synced", "limits": {"nesting": 8, "max_request_memory": "8MiB"}});
    assert_eq!(Config::from_value(arguments).unwrap().limits.nesting, 8);
}
