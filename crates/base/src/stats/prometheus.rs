//! The Prometheus text form, version 0.0.4.

use std::fmt::Write;

use super::{Snapshot, Value};

/// One line that says what a name counts. Every name of [`super::Stats::snapshot`] is here.
fn help(name: &str) -> &'static str {
    match name {
        "otlp_arrow_received_records_total" => "Records accepted: kept, or on their way into a file.",
        "otlp_arrow_refused_records_total" => "Records not accepted: invalid, or for want of room or time.",
        "otlp_arrow_committed_records_total" => "Records written to a file.",
        "otlp_arrow_dropped_records_total" => "Accepted records that were lost.",
        "otlp_arrow_forwarded_records_total" => "Records delivered to a destination.",
        "otlp_arrow_forward_failed_records_total" => "Records in attempts to deliver that failed.",
        "otlp_arrow_rejected_records_total" => "Records a destination refused for good.",
        "otlp_arrow_events_total" => "State changes and losses, by event.",
        "otlp_arrow_commit_seconds" => "Time of one commit.",
        "otlp_arrow_request_seconds" => "Time from the first byte of a request to its answer.",
        "otlp_arrow_forward_seconds" => "Time of one request to a destination.",
        "otlp_arrow_buffer_bytes" => "Memory that accepted and arriving data takes.",
        "otlp_arrow_disk_bytes" => "Bytes of the files.",
        "otlp_arrow_forward_lag_records" => "Records a destination has not yet taken.",
        "otlp_arrow_forward_lag_seconds" => "Age of the oldest record a destination has not yet taken.",
        "otlp_arrow_breaker_state" => "Circuit breaker: 0 closed, 1 half-open, 2 open.",
        "otel_sdk_exporter_span_exported_total"
        | "otel_sdk_exporter_metric_data_point_exported_total"
        | "otel_sdk_exporter_log_exported_total" => "Records that were delivered, or refused for good (error_type).",
        "otel_sdk_exporter_span_inflight"
        | "otel_sdk_exporter_metric_data_point_inflight"
        | "otel_sdk_exporter_log_inflight" => "Records on their way to a destination, retries included.",
        "process_cpu_seconds_total" => "CPU time of this process.",
        "process_resident_memory_bytes" => "Resident memory of this process.",
        _ => "",
    }
}

fn labels(out: &mut String, labels: &[(&'static str, String)], bound: Option<f64>) {
    if labels.is_empty() && bound.is_none() {
        return;
    }
    out.push('{');
    for (position, (key, value)) in labels.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = write!(out, "{key}=\"{value}\"");
    }
    if let Some(bound) = bound {
        if !labels.is_empty() {
            out.push(',');
        }
        let _ = if bound.is_infinite() { write!(out, "le=\"+Inf\"") } else { write!(out, "le=\"{bound}\"") };
    }
    out.push('}');
}

impl Snapshot {
    /// The text that `/metrics` answers with.
    pub fn to_prometheus(&self) -> String {
        let mut out = String::with_capacity(4096);
        let mut last = "";
        for sample in &self.samples {
            if sample.name != last {
                last = sample.name;
                let kind = match sample.value {
                    Value::Counter(_) | Value::Seconds(_) => "counter",
                    Value::Gauge(_) => "gauge",
                    Value::Histogram { .. } => "histogram",
                };
                let _ = writeln!(out, "# HELP {last} {}\n# TYPE {last} {kind}", help(last));
            }
            let mut line = |suffix: &str, bound: Option<f64>, value: &dyn std::fmt::Display| {
                out.push_str(sample.name);
                out.push_str(suffix);
                labels(&mut out, &sample.labels, bound);
                let _ = writeln!(out, " {value}");
            };
            match &sample.value {
                Value::Counter(count) => line("", None, count),
                Value::Seconds(value) | Value::Gauge(value) => line("", None, value),
                Value::Histogram { count, sum, buckets } => {
                    for (bound, upto) in buckets {
                        line("_bucket", Some(*bound), upto);
                    }
                    line("_sum", None, sum);
                    line("_count", None, count);
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use otlp_arrow_columns::{Refused, Signal};

    use super::super::{Exporter, PerSignal, Protocol, Stats};
    use super::help;

    #[test]
    fn every_name_has_a_help_line_and_stands_together() {
        let stats = Stats::default();
        let exporter = |signal| Some(Exporter::new("otlp_http", signal, "far", "far.example", 443));
        stats.received(Signal::Logs, Protocol::OtlpHttp, 3, &Refused { by_reason: [1; 4], first: None });
        stats.request(Signal::Logs, Protocol::OtlpHttp, None, Duration::from_micros(300));
        stats.dropped(Signal::Logs, "evicted", 1);
        stats.event(crate::EventName::StorageFull);
        stats.destination("a \"b\"\\c\n", PerSignal::from_fn(exporter)).request(Duration::from_secs(1));
        let snapshot = stats.snapshot();
        for sample in &snapshot.samples {
            assert_ne!(help(sample.name), "", "{}", sample.name);
        }
        let text = snapshot.to_prometheus();
        let types: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
        let mut distinct = types.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(types.len(), distinct.len(), "{text}");
        assert!(text.contains("otlp_arrow_received_records_total{signal=\"logs\",protocol=\"otlp_http\"} 3\n"));
        assert!(text.contains(
            "otlp_arrow_request_seconds_bucket{signal=\"logs\",protocol=\"otlp_http\",code=\"OK\",le=\"0.0005\"} 1\n"
        ));
        assert!(
            text.contains("otlp_arrow_forward_seconds_bucket{destination=\"a \\\"b\\\"\\\\c\\n\",le=\"+Inf\"} 1\n")
        );
    }
}
