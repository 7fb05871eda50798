//! The tables of `docs/reference.md`.

use std::fmt::Write as _;

use super::{Vocabulary, capital};

/// Each table with the name of its section.
pub(super) fn tables(vocabulary: &Vocabulary) -> [(&'static str, String); 3] {
    let mut errors = String::from("| code | meaning | retryable | gRPC | HTTP |\n|---|---|---|---|---|\n");
    for error in &vocabulary.errors {
        let retryable = if error.retryable { "yes" } else { "" };
        let meaning = capital(error.meaning);
        let _ = writeln!(errors, "| `{}` | {meaning} | {retryable} | {} | {} |", error.code, error.grpc, error.http);
    }
    let mut events = String::from("| event | severity | meaning |\n|---|---|---|\n");
    for event in &vocabulary.events {
        let _ = writeln!(events, "| `{}` | {} | {} |", event.name, event.severity, event.meaning.trim_end_matches('.'));
    }
    let mut metrics = String::from("| metric | kind | unit | labels | meaning |\n|---|---|---|---|---|\n");
    for metric in &vocabulary.metrics {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (labels, help) = (labels.join(", "), metric.help.trim_end_matches('.'));
        let _ = writeln!(metrics, "| `{}` | {} | {} | {labels} | {help} |", metric.name, metric.kind, metric.unit);
    }
    [("errors", errors), ("events", events), ("metrics", metrics)]
}
