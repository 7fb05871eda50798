//! The one table of metrics: what is counted, under which name and labels, in which unit, and what it means.

/// What a metric is to Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// A level.
    Gauge,
    /// A distribution.
    Histogram,
}

impl MetricKind {
    /// `counter`, `gauge` or `histogram`.
    pub const fn as_str(self) -> &'static str {
        match self {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        }
    }
}

macro_rules! metrics {
    ($($metric:ident: $kind:ident $name:literal in $unit:literal by [$($label:literal),*] = $help:literal;)*) => {
        /// Everything that is counted. What has no row in the table, with all its columns, does not compile.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Metric { $(#[doc = $help] $metric,)* }

        impl Metric {
            /// Every metric, in the order of reports.
            pub const ALL: &'static [Metric] = &[$(Metric::$metric,)*];

            /// The Prometheus name.
            pub const fn name(self) -> &'static str {
                match self { $(Metric::$metric => $name,)* }
            }

            /// Counter, gauge or histogram.
            pub const fn kind(self) -> MetricKind {
                match self { $(Metric::$metric => MetricKind::$kind,)* }
            }

            /// What one of it is.
            pub const fn unit(self) -> &'static str {
                match self { $(Metric::$metric => $unit,)* }
            }

            /// The labels its series may have, in order.
            pub const fn labels(self) -> &'static [&'static str] {
                match self { $(Metric::$metric => &[$($label),*],)* }
            }

            /// One line that says what it counts.
            pub const fn help(self) -> &'static str {
                match self { $(Metric::$metric => $help,)* }
            }
        }
    };
}

metrics! {
    ReceivedRecords: Counter "otlp_arrow_received_records_total" in "records" by ["signal", "protocol"]
        = "Records accepted: written to a file, or waiting to be.";
    RefusedRecords: Counter "otlp_arrow_refused_records_total" in "records" by ["signal", "protocol", "reason"]
        = "Records not accepted: invalid, or because the buffer was full or the deadline passed.";
    RefusedRequests: Counter "otlp_arrow_refused_requests_total" in "requests" by ["signal", "protocol", "reason"]
        = "Requests answered with an error, by its code; and those with data of another signal or nothing that is OTLP (foreign_data).";
    OpenedStreams: Counter "otlp_arrow_opened_streams_total" in "streams" by ["signal", "protocol"]
        = "Streams that were opened, of the protocols that send their requests on streams.";
    CommittedRecords: Counter "otlp_arrow_committed_records_total" in "records" by ["signal"]
        = "Records written to a file.";
    DroppedRecords: Counter "otlp_arrow_dropped_records_total" in "records" by ["signal", "reason"]
        = "Accepted records that were lost.";
    FilteredRecords: Counter "otlp_arrow_filtered_records_total" in "records" by ["signal", "processor"]
        = "Accepted records that a stage dropped, as the user's own rule says: not a loss.";
    ForwardedRecords: Counter "otlp_arrow_forwarded_records_total" in "records" by ["signal", "destination"]
        = "Records delivered to a destination.";
    ForwardFailedRecords: Counter "otlp_arrow_forward_failed_records_total" in "records" by ["signal", "destination"]
        = "Records in delivery attempts that failed and are repeated.";
    RejectedRecords: Counter "otlp_arrow_rejected_records_total" in "records" by ["signal", "destination"]
        = "Records a destination refused permanently.";
    ForwardChangedRecords: Counter "otlp_arrow_forward_changed_records_total" in "records" by ["signal", "destination", "reason"]
        = "Records delivered by another protocol than the configured one (sent_as_otlp), or without what it has no place for.";
    ForwardLagRecords: Gauge "otlp_arrow_forward_lag_records" in "records" by ["signal", "destination"]
        = "Records a destination has not taken yet.";
    ForwardLagSeconds: Gauge "otlp_arrow_forward_lag_seconds" in "seconds" by ["signal", "destination"]
        = "Age of the oldest record a destination has not taken yet.";
    BreakerState: Gauge "otlp_arrow_breaker_state" in "state" by ["destination"]
        = "Circuit breaker: 0 closed, 1 half-open, 2 open.";
    ForwardSeconds: Histogram "otlp_arrow_forward_seconds" in "seconds" by ["destination"]
        = "Duration of one request to a destination.";
    ExportedSpans: Counter "otel_sdk_exporter_span_exported_total" in "records"
        by ["otel_component_type", "otel_component_name", "server_address", "server_port", "error_type"]
        = "Spans that were delivered, or refused permanently (error_type).";
    InflightSpans: Gauge "otel_sdk_exporter_span_inflight" in "records"
        by ["otel_component_type", "otel_component_name", "server_address", "server_port"]
        = "Spans on their way to a destination, retries included.";
    ExportedPoints: Counter "otel_sdk_exporter_metric_data_point_exported_total" in "records"
        by ["otel_component_type", "otel_component_name", "server_address", "server_port", "error_type"]
        = "Data points that were delivered, or refused permanently (error_type).";
    InflightPoints: Gauge "otel_sdk_exporter_metric_data_point_inflight" in "records"
        by ["otel_component_type", "otel_component_name", "server_address", "server_port"]
        = "Data points on their way to a destination, retries included.";
    ExportedLogs: Counter "otel_sdk_exporter_log_exported_total" in "records"
        by ["otel_component_type", "otel_component_name", "server_address", "server_port", "error_type"]
        = "Log records that were delivered, or refused permanently (error_type).";
    InflightLogs: Gauge "otel_sdk_exporter_log_inflight" in "records"
        by ["otel_component_type", "otel_component_name", "server_address", "server_port"]
        = "Log records on their way to a destination, retries included.";
    Events: Counter "otlp_arrow_events_total" in "events" by ["event"]
        = "State changes and losses, by event.";
    CommitSeconds: Histogram "otlp_arrow_commit_seconds" in "seconds" by ["signal"]
        = "Duration of one commit.";
    RequestSeconds: Histogram "otlp_arrow_request_seconds" in "seconds" by ["signal", "protocol", "code"]
        = "Time from the first byte of a request to its answer.";
    BufferBytes: Gauge "otlp_arrow_buffer_bytes" in "bytes" by []
        = "Memory taken by accepted and arriving data.";
    DiskBytes: Gauge "otlp_arrow_disk_bytes" in "bytes" by ["signal"]
        = "Bytes of the files.";
    ReadSkippedFiles: Counter "otlp_arrow_read_skipped_files_total" in "files" by ["signal"]
        = "Files that a reader skipped because retention deleted them before their turn.";
    ProcessCpuSeconds: Counter "process_cpu_seconds_total" in "seconds" by []
        = "CPU time of this process.";
    ProcessResidentBytes: Gauge "process_resident_memory_bytes" in "bytes" by []
        = "Resident memory of this process.";
}

impl Metric {
    /// The metric of that Prometheus name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|metric| metric.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions_of_prometheus_and_are_there_once() {
        for metric in Metric::ALL {
            let (name, counts) = (metric.name(), metric.kind() == MetricKind::Counter);
            assert_eq!(Metric::named(name), Some(*metric), "{name} is there once");
            assert_eq!(name.ends_with("_total"), counts, "{name}");
            for (suffix, unit) in [("_seconds", "seconds"), ("_bytes", "bytes"), ("_records", "records")] {
                if name.trim_end_matches("_total").ends_with(suffix) {
                    assert_eq!(metric.unit(), unit, "{name}");
                }
            }
            assert!(metric.help().ends_with('.') && metric.help().len() > 10, "{name}: {}", metric.help());
        }
    }
}
