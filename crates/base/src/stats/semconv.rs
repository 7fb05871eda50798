//! The counters of a destination under the names of OpenTelemetry's semantic conventions for SDK exporters, beside our
//! own: `otel.sdk.exporter.{span,metric_data_point,log}.{exported,inflight}` (v1.44.0, in development).

use otlp_arrow_columns::Signal;

use super::counter::load;
use super::destination::DestinationStats;
use super::metric::Metric;
use super::snapshot::Snapshot;

/// The two metrics of a signal.
fn metrics(signal: Signal) -> [Metric; 2] {
    match signal {
        Signal::Traces => [Metric::ExportedSpans, Metric::InflightSpans],
        Signal::Metrics => [Metric::ExportedPoints, Metric::InflightPoints],
        Signal::Logs => [Metric::ExportedLogs, Metric::InflightLogs],
    }
}

/// Adds the series of every destination. A record counts as exported once, with the answer that settles it, so what is
/// tried again is in flight all that time; what was refused for good has `error_type="rejected"`.
pub(super) fn destinations(out: &mut Snapshot, destinations: &[impl AsRef<DestinationStats>]) {
    for signal in Signal::ALL {
        let [exported, inflight] = metrics(signal);
        let of = |stats: &DestinationStats| {
            let delivered = load(&stats.forwarded[signal]);
            // Read before what was taken, which hardly ever shrinks, so the difference is never below zero.
            let rejected = load(&stats.rejected[signal]);
            let taken = load(&stats.taken[signal]);
            (delivered, rejected, taken.saturating_sub(delivered + rejected))
        };
        let exporters = || {
            let all = destinations.iter().map(AsRef::as_ref);
            all.filter_map(|stats| Some((stats.exporters[signal].as_ref()?.labels(), of(stats))))
        };
        for (labels, (delivered, rejected, _)) in exporters() {
            out.counter(exported, &labels, delivered);
            if rejected > 0 {
                let [kind, name, address, port] = labels;
                out.counter(exported, &[kind, name, address, port, ("error_type", "rejected")], rejected);
            }
        }
        for (labels, (.., waiting)) in exporters() {
            out.gauge(inflight, &labels, waiting as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::destination::Exporter;
    use super::*;
    use crate::per_signal::PerSignal;
    use crate::stats::{Stats, Value};

    #[test]
    fn a_record_is_in_flight_until_it_is_delivered_or_refused() {
        let stats = Stats::default();
        let exporter = |signal| Some(Exporter::new("otlp_grpc", signal, "far", "far.example", 4317));
        let far = stats.destination("far", PerSignal::from_fn(exporter));
        let beside = stats.destination("terminal", Default::default());
        beside.taken(Signal::Traces, 100);
        far.taken(Signal::Traces, 10);
        far.failed(Signal::Traces, 10);
        far.forwarded(Signal::Traces, 6);
        far.rejected(Signal::Traces, 1);
        let snapshot = stats.snapshot();
        let exported = |labels: &[(&str, &str)]| snapshot.total("otel_sdk_exporter_span_exported_total", labels);
        assert_eq!(exported(&[("otel_component_name", "otlp_grpc_span_exporter/far")]), 7);
        assert_eq!(exported(&[("error_type", "rejected"), ("server_port", "4317")]), 1);
        let inflight: Vec<_> =
            snapshot.samples.iter().filter(|sample| sample.metric == Metric::InflightSpans).collect();
        assert_eq!(inflight.len(), 1, "only an OTLP exporter has these names");
        assert_eq!(inflight[0].value, Value::Gauge(3.0));
    }
}
