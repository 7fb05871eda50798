//! The Prometheus text form, version 0.0.4.

use std::fmt::Write;

use super::{Snapshot, Value};

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
        let mut last = None;
        for sample in &self.samples {
            let (metric, name) = (sample.metric, sample.metric.name());
            if last.replace(metric) != Some(metric) {
                let _ = writeln!(out, "# HELP {name} {}\n# TYPE {name} {}", metric.help(), metric.kind().as_str());
            }
            let mut line = |suffix: &str, bound: Option<f64>, value: &dyn std::fmt::Display| {
                out.push_str(name);
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

    use super::super::{Exporter, Metric, PerSignal, Stats};

    #[test]
    fn every_metric_has_its_help_line_and_its_series_together() {
        let stats = Stats::default();
        let exporter = |signal| Some(Exporter::new("otlp_http", signal, "far", "far.example", 443));
        let http = stats.protocol("otlp_http");
        stats.received(Signal::Logs, http, 3, &Refused { by_reason: [1; 4], ..Refused::default() });
        stats.request(Signal::Logs, http, None, Duration::from_micros(300));
        stats.foreign_data(Signal::Logs, http);
        stats.stream(Signal::Logs, stats.protocol("otap"));
        stats.dropped(Signal::Logs, "evicted", 1);
        stats.filtered(Signal::Logs, "a stage", 1);
        stats.event(crate::EventName::StorageFull);
        let destination = stats.destination("a \"b\"\\c\n", PerSignal::from_fn(exporter));
        destination.request(Duration::from_secs(1));
        destination.changed(Signal::Logs, "sent_as_otlp", 1);
        stats.read_skipped(Signal::Logs);
        let snapshot = stats.snapshot();
        for metric in Metric::ALL {
            assert!(snapshot.samples.iter().any(|sample| sample.metric == *metric), "{} is counted", metric.name());
        }
        let text = snapshot.to_prometheus();
        for metric in Metric::ALL {
            assert!(text.contains(&format!("# HELP {} {}\n", metric.name(), metric.help())), "{text}");
        }
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
