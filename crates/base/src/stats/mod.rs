//! One registry of counters, gauges and histograms: what `stats()` returns and `/metrics` prints.
//!
//! Counting is a relaxed atomic add. Names, kinds, labels, units and meanings are one table, [`Metric`].

mod counter;
mod destination;
mod histogram;
mod metric;
mod process;
mod prometheus;
mod protocol;
mod report;
mod semconv;
mod snapshot;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use otlp_arrow_columns::{Reason, Refused, Signal};

use crate::error::Code;
use crate::event::EventName;
pub use crate::per_signal::PerSignal;
use counter::{BySignal, add, load};
pub use destination::{DestinationStats, Exporter};
use histogram::Histogram;
pub use metric::{Metric, MetricKind};
pub use protocol::Protocol;
use protocol::Protocols;
pub use report::{BreakerState, Health, HealthStatus, LibraryStats, Problem};
pub use snapshot::{Sample, Snapshot, Value};

/// Every counter, gauge and histogram of one library.
#[derive(Debug, Default)]
pub struct Stats {
    protocols: Protocols,
    committed: BySignal,
    dropped: Mutex<BTreeMap<(Signal, &'static str), u64>>,
    filtered: Mutex<BTreeMap<(Signal, String), u64>>,
    commit_seconds: PerSignal<Histogram>,
    events: [AtomicU64; EventName::ALL.len()],
    buffer_bytes: AtomicU64,
    disk_bytes: BySignal,
    read_skipped: BySignal,
    destinations: Mutex<Vec<Arc<DestinationStats>>>,
}

impl Stats {
    /// Registers a way in by the name that is its label: the same name is the same way.
    pub fn protocol(&self, name: &'static str) -> Protocol {
        self.protocols.register(name)
    }

    /// Counts the records of one request that was accepted, and those of it that were left out.
    pub fn received(&self, signal: Signal, protocol: Protocol, accepted: u64, refused: &Refused) {
        let counters = self.protocols.of(protocol);
        add(&counters.received[signal], accepted);
        for (counter, count) in counters.refused[signal].iter().zip(refused.by_reason) {
            if count > 0 {
                add(counter, count);
            }
        }
    }

    /// Records that were handed over and could not be accepted, because of `code`.
    pub fn not_kept(&self, signal: Signal, protocol: Protocol, code: Code, records: u64) {
        add(&self.protocols.of(protocol).not_kept[signal][code as usize], records);
    }

    /// A request held data of another signal, or nothing that is OTLP: its sender was warned.
    pub fn foreign_data(&self, signal: Signal, protocol: Protocol) {
        add(&self.protocols.of(protocol).foreign_data[signal], 1);
    }

    /// A stream was opened, on which requests come.
    pub fn stream(&self, signal: Signal, protocol: Protocol) {
        add(&self.protocols.of(protocol).streams[signal], 1);
    }

    /// One request was answered after `elapsed`: with success, or with the code.
    pub fn request(&self, signal: Signal, protocol: Protocol, outcome: Option<Code>, elapsed: Duration) {
        let outcome = outcome.map_or(0, |code| code as usize + 1);
        self.protocols.of(protocol).request_seconds[signal][outcome].record(elapsed);
    }

    /// One commit of `records` took `elapsed`.
    pub fn committed(&self, signal: Signal, records: u64, elapsed: Duration) {
        add(&self.committed[signal], records);
        self.commit_seconds[signal].record(elapsed);
    }

    /// Accepted records were lost, for `reason` (a word, such as `evicted`).
    pub fn dropped(&self, signal: Signal, reason: &'static str, records: u64) {
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        *dropped.entry((signal, reason)).or_default() += records;
    }

    /// Accepted records were dropped by the stage of that name, as the user's own rule says.
    pub fn filtered(&self, signal: Signal, stage: &str, records: u64) {
        let mut filtered = self.filtered.lock().unwrap_or_else(PoisonError::into_inner);
        *filtered.entry((signal, stage.to_owned())).or_default() += records;
    }

    /// An event happened.
    pub fn event(&self, name: EventName) {
        add(&self.events[name as usize], 1);
    }

    /// Bytes of memory that accepted and arriving data takes now.
    pub fn set_buffer_bytes(&self, bytes: u64) {
        self.buffer_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Bytes of the files of one signal.
    pub fn set_disk_bytes(&self, signal: Signal, bytes: u64) {
        self.disk_bytes[signal].store(bytes, Ordering::Relaxed);
    }

    /// A file was deleted between the listing of a snapshot and its turn to be read.
    pub fn read_skipped(&self, signal: Signal) {
        add(&self.read_skipped[signal], 1);
    }

    /// Counters for a forwarding destination, listed from now on; `exporters` tells what it is to the semantic
    /// conventions, by signal.
    pub fn destination(
        &self,
        name: impl Into<String>,
        exporters: PerSignal<Option<Exporter>>,
    ) -> Arc<DestinationStats> {
        let stats = Arc::new(DestinationStats::new(name.into(), exporters));
        self.destinations.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&stats));
        stats
    }

    /// How often each event happened that happened at all.
    pub fn events(&self) -> BTreeMap<String, u64> {
        let counts =
            EventName::ALL.iter().zip(&self.events).map(|(name, count)| (name.as_str().to_owned(), load(count)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// Bytes of the files by signal, as of the last look at the directory.
    pub fn disk_bytes(&self) -> PerSignal<u64> {
        self.disk_bytes.each_ref().map(load)
    }

    /// Everything, as it is now. Series that never counted are left out where there is one for each reason or code.
    pub fn snapshot(&self) -> Snapshot {
        let mut out = Snapshot { samples: Vec::new() };
        for signal in Signal::ALL {
            for (protocol, counters) in self.protocols.iter() {
                let labels = [("signal", signal.as_str()), ("protocol", protocol)];
                let received = load(&counters.received[signal]);
                out.counter(Metric::ReceivedRecords, &labels, received);
            }
        }
        for signal in Signal::ALL {
            for (protocol, counters) in self.protocols.iter() {
                let invalid = Reason::ALL.into_iter().map(Reason::as_str);
                let invalid = invalid.zip(&counters.refused[signal]);
                let failed = Code::all().map(Code::as_str).zip(&counters.not_kept[signal]);
                for (reason, counter) in invalid.chain(failed) {
                    let labels = [("signal", signal.as_str()), ("protocol", protocol), ("reason", reason)];
                    if load(counter) > 0 {
                        out.counter(Metric::RefusedRecords, &labels, load(counter));
                    }
                }
            }
        }
        self.refused_requests(&mut out);
        for signal in Signal::ALL {
            for (protocol, counters) in self.protocols.iter() {
                let labels = [("signal", signal.as_str()), ("protocol", protocol)];
                if load(&counters.streams[signal]) > 0 {
                    out.counter(Metric::OpenedStreams, &labels, load(&counters.streams[signal]));
                }
            }
        }
        for signal in Signal::ALL {
            let labels = [("signal", signal.as_str())];
            out.counter(Metric::CommittedRecords, &labels, load(&self.committed[signal]));
        }
        for ((signal, reason), count) in self.dropped.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let labels = [("signal", signal.as_str()), ("reason", *reason)];
            out.counter(Metric::DroppedRecords, &labels, *count);
        }
        for ((signal, stage), count) in self.filtered.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let labels = [("signal", signal.as_str()), ("processor", stage.as_str())];
            out.counter(Metric::FilteredRecords, &labels, *count);
        }
        self.destinations(&mut out);
        for (name, counter) in EventName::ALL.iter().zip(&self.events) {
            if load(counter) > 0 {
                out.counter(Metric::Events, &[("event", name.as_str())], load(counter));
            }
        }
        for signal in Signal::ALL {
            let labels = [("signal", signal.as_str())];
            out.histogram(Metric::CommitSeconds, &labels, &self.commit_seconds[signal]);
        }
        self.requests(&mut out);
        out.gauge(Metric::BufferBytes, &[], load(&self.buffer_bytes) as f64);
        for signal in Signal::ALL {
            let labels = [("signal", signal.as_str())];
            out.gauge(Metric::DiskBytes, &labels, load(&self.disk_bytes[signal]) as f64);
        }
        for signal in Signal::ALL {
            let skipped = load(&self.read_skipped[signal]);
            if skipped > 0 {
                out.counter(Metric::ReadSkippedFiles, &[("signal", signal.as_str())], skipped);
            }
        }
        let usage = process::usage();
        if let Some(seconds) = usage.cpu_seconds {
            out.push(Metric::ProcessCpuSeconds, &[], Value::Seconds(seconds));
        }
        if let Some(bytes) = usage.resident_bytes {
            out.gauge(Metric::ProcessResidentBytes, &[], bytes as f64);
        }
        out
    }

    fn refused_requests(&self, out: &mut Snapshot) {
        for signal in Signal::ALL {
            for (protocol, counters) in self.protocols.iter() {
                // The first outcome is success.
                let codes = Code::all().map(Code::as_str);
                let refused = codes.zip(counters.request_seconds[signal][1..].iter().map(Histogram::count));
                for (reason, count) in refused.chain([("foreign_data", load(&counters.foreign_data[signal]))]) {
                    let labels = [("signal", signal.as_str()), ("protocol", protocol), ("reason", reason)];
                    if count > 0 {
                        out.counter(Metric::RefusedRequests, &labels, count);
                    }
                }
            }
        }
    }

    fn requests(&self, out: &mut Snapshot) {
        for signal in Signal::ALL {
            for (protocol, counters) in self.protocols.iter() {
                let outcomes = std::iter::once("OK").chain(Code::all().map(Code::as_str));
                for (code, histogram) in outcomes.zip(&counters.request_seconds[signal]) {
                    if histogram.count() > 0 {
                        let labels = [("signal", signal.as_str()), ("protocol", protocol), ("code", code)];
                        out.histogram(Metric::RequestSeconds, &labels, histogram);
                    }
                }
            }
        }
    }

    fn destinations(&self, out: &mut Snapshot) {
        let destinations = self.destinations.lock().unwrap_or_else(PoisonError::into_inner).clone();
        type Column = fn(&DestinationStats) -> &BySignal;
        let counters: [(Metric, Column); 3] = [
            (Metric::ForwardedRecords, |stats| &stats.forwarded),
            (Metric::ForwardFailedRecords, |stats| &stats.failed),
            (Metric::RejectedRecords, |stats| &stats.rejected),
        ];
        for (metric, column) in counters {
            for stats in &destinations {
                for signal in Signal::ALL {
                    let labels = [("signal", signal.as_str()), ("destination", stats.name.as_str())];
                    out.counter(metric, &labels, load(&column(stats)[signal]));
                }
            }
        }
        for stats in &destinations {
            let changed = stats.changed.lock().unwrap_or_else(PoisonError::into_inner);
            for ((signal, reason), records) in &*changed {
                let labels = [("signal", *signal), ("destination", stats.name.as_str()), ("reason", *reason)];
                out.counter(Metric::ForwardChangedRecords, &labels, *records);
            }
        }
        let gauges: [(Metric, Column, f64); 2] = [
            (Metric::ForwardLagRecords, |stats| &stats.lag_records, 1.0),
            (Metric::ForwardLagSeconds, |stats| &stats.lag_milliseconds, 1000.0),
        ];
        for (metric, column, divisor) in gauges {
            for stats in &destinations {
                for signal in Signal::ALL {
                    let labels = [("signal", signal.as_str()), ("destination", stats.name.as_str())];
                    out.gauge(metric, &labels, load(&column(stats)[signal]) as f64 / divisor);
                }
            }
        }
        for stats in &destinations {
            let labels = [("destination", stats.name.as_str())];
            out.gauge(Metric::BreakerState, &labels, load(&stats.breaker_state) as f64);
        }
        for stats in &destinations {
            out.histogram(Metric::ForwardSeconds, &[("destination", stats.name.as_str())], &stats.seconds);
        }
        semconv::destinations(out, &destinations);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_in_the_snapshot() {
        let stats = Stats::default();
        let grpc = stats.protocol("otlp_grpc");
        let refused = Refused { by_reason: [2, 0, 1, 0], ..Refused::default() };
        stats.received(Signal::Logs, grpc, 40, &refused);
        stats.received(Signal::Logs, Protocol::LIBRARY, 2, &Refused::default());
        stats.request(Signal::Logs, grpc, None, Duration::from_millis(3));
        stats.request(Signal::Logs, grpc, Some(Code::Internal), Duration::from_millis(3));
        stats.foreign_data(Signal::Logs, grpc);
        stats.dropped(Signal::Traces, "evicted", 7);
        stats.filtered(Signal::Logs, "every_second", 5);
        stats.filtered(Signal::Logs, "every_second", 1);
        stats.event(EventName::EventsDropped);
        stats.destination("far", Default::default()).forwarded(Signal::Metrics, 9);
        let snapshot = stats.snapshot();
        assert_eq!(snapshot.total("otlp_arrow_received_records_total", &[("signal", "logs")]), 42);
        assert_eq!(snapshot.total("otlp_arrow_refused_records_total", &[("reason", "too_deep")]), 1);
        assert_eq!(snapshot.total("otlp_arrow_request_seconds", &[("code", "INTERNAL")]), 1);
        let refused = |reason| snapshot.total("otlp_arrow_refused_requests_total", &[("reason", reason)]);
        assert_eq!(["INTERNAL", "foreign_data", "OK", "INVALID_DATA"].map(refused), [1, 1, 0, 0]);
        assert_eq!(snapshot.total("otlp_arrow_dropped_records_total", &[("signal", "traces")]), 7);
        assert_eq!(snapshot.total("otlp_arrow_filtered_records_total", &[("processor", "every_second")]), 6);
        assert_eq!(snapshot.total("otlp_arrow_events_total", &[("event", "events_dropped")]), 1);
        assert_eq!(snapshot.total("otlp_arrow_forwarded_records_total", &[("destination", "far")]), 9);
    }
}
