//! Waiting, from one moment to another, and calls that nobody waits for any more.

use std::time::{Duration, Instant};

use otlp_arrow::{Config, OtlpLibrary};
use otlp_arrow_mcp::internal::answer;
use otlp_arrow_query::scan::Cancel;
use otlp_arrow_query::{Ask as _, AskOptions};
use serde_json::{Value, json};

use crate::support::{call, logs, span, spans};

/// Nothing here takes so long; what is wrong takes forever.
const LONG: Duration = Duration::from_secs(40);

fn recorder() -> (tempfile::TempDir, OtlpLibrary) {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config { output_dir: dir.path().to_owned(), ..Config::default() };
    config.storage.min_free_bytes = 0;
    (dir, OtlpLibrary::builder(config).open().unwrap())
}

fn export(library: &OtlpLibrary, (signal, request): (otlp_arrow::Signal, Vec<u8>)) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(library.export_otlp(signal, request.into())).unwrap();
}

fn cursor(answer: &str) -> String {
    answer.lines().find_map(|line| line.strip_prefix("cursor: ")).unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[test]
fn a_cursor_marks_a_moment_and_what_comes_behind_it_is_found() {
    let (dir, library) = recorder();
    let telemetry = library.telemetry();
    export(&library, spans("shop", vec![span(1, 1, 0, "before", (0, 10), None)]));
    let ask = |given: Value| call(dir.path(), &telemetry, "wait_for", &given).unwrap();
    let mark = cursor(&ask(json!({"timeout": 0})));
    export(
        &library,
        spans("shop", vec![span(2, 2, 0, "after", (0, 10), Some("broken")), span(2, 3, 2, "fine", (0, 10), None)]),
    );
    let found = ask(json!({"timeout": 30, "status": "error", "cursor": mark}));
    assert!(found.starts_with("1 span:") && found.contains("after") && found.contains("ERROR \"broken\""), "{found}");
    assert!(!found.contains("before") && !found.contains("fine"), "{found}");
    let nothing = ask(json!({"timeout": 0, "cursor": cursor(&found)}));
    assert!(nothing.starts_with("Nothing yet."), "{nothing}");
    // Another signal, and what comes while it is waited for.
    let mark = cursor(&ask(json!({"signal": "logs", "timeout": 0})));
    let given = json!({"signal": "logs", "timeout": 45, "severity": ">=error", "cursor": mark});
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| call(dir.path(), &telemetry, "wait_for", &given).unwrap());
        export(&library, logs("shop", &[(0, 9, "all is well".into()), (1, 17, "card declined".into())], None));
        let found = waiting.join().unwrap();
        assert!(found.starts_with("1 log record:") && found.contains("\"card declined\""), "{found}");
    });
}

#[test]
fn cancel_ends_waiting_and_searching() {
    let (dir, library) = recorder();
    let telemetry = library.telemetry();
    export(&library, spans("shop", vec![span(1, 1, 0, "one", (0, 10), None)]));
    for (tool, given) in [
        ("wait_for", json!({"timeout": 45, "name": "never"})),
        ("search_traces", json!({"text": "nothing of that kind"})),
        ("errors", json!({})),
    ] {
        let cancel = Cancel::default();
        let options = AskOptions { cancel: cancel.clone(), ..AskOptions::default() };
        let began = Instant::now();
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| answer(dir.path(), &telemetry, tool, &given, &options));
            cancel.cancel();
            // Whatever it says, it ends.
            let _ = asked.join().unwrap();
        });
        assert!(began.elapsed() < LONG, "{tool} went on");
    }
}
