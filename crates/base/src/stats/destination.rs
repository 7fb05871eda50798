//! The counters of one forwarding destination.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use otlp_arrow_columns::Signal;

use super::counter::{BySignal, add};
use super::histogram::Histogram;
use super::report::BreakerState;
use crate::per_signal::PerSignal;

/// What the conventions tell a destination of one signal by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exporter {
    /// `otel.component.type`, such as `otlp_grpc_span_exporter`.
    component_type: String,
    /// `otel.component.name`: the type and the name of the destination.
    component_name: String,
    /// `server.address`.
    address: String,
    /// `server.port`.
    port: String,
}

impl Exporter {
    /// `component` is the type of the exporter without the signal, such as `otlp_grpc`.
    pub fn new(component: &str, signal: Signal, name: &str, host: &str, port: u16) -> Self {
        let of = match signal {
            Signal::Traces => "span",
            Signal::Metrics => "metric",
            Signal::Logs => "log",
        };
        let component_type = format!("{component}_{of}_exporter");
        let component_name = format!("{component_type}/{name}");
        Self { component_type, component_name, address: host.to_owned(), port: port.to_string() }
    }

    pub(super) fn labels(&self) -> [(&'static str, &str); 4] {
        [
            ("otel_component_type", self.component_type.as_str()),
            ("otel_component_name", &self.component_name),
            ("server_address", &self.address),
            ("server_port", &self.port),
        ]
    }
}

/// The counters of one forwarding destination.
#[derive(Debug)]
pub struct DestinationStats {
    pub(super) name: String,
    pub(super) exporters: PerSignal<Option<Exporter>>,
    pub(super) taken: BySignal,
    pub(super) forwarded: BySignal,
    pub(super) failed: BySignal,
    pub(super) rejected: BySignal,
    /// By reason.
    pub(super) changed: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
    pub(super) lag_records: BySignal,
    pub(super) lag_milliseconds: BySignal,
    pub(super) breaker_state: AtomicU64,
    pub(super) seconds: Histogram,
}

impl DestinationStats {
    pub(super) fn new(name: String, exporters: PerSignal<Option<Exporter>>) -> Self {
        Self {
            name,
            exporters,
            taken: Default::default(),
            forwarded: Default::default(),
            failed: Default::default(),
            rejected: Default::default(),
            changed: Default::default(),
            lag_records: Default::default(),
            lag_milliseconds: Default::default(),
            breaker_state: AtomicU64::new(0),
            seconds: Histogram::default(),
        }
    }

    /// Records are about to be sent, for the first time.
    pub fn taken(&self, signal: Signal, records: u64) {
        add(&self.taken[signal], records);
    }

    /// Records that were about to be sent are not on their way any more; they will be taken again.
    pub fn taken_back(&self, signal: Signal, records: u64) {
        self.taken[signal].fetch_sub(records, Ordering::Relaxed);
    }

    /// Records were delivered.
    pub fn forwarded(&self, signal: Signal, records: u64) {
        add(&self.forwarded[signal], records);
    }

    /// An attempt to deliver records failed; they will be tried again.
    pub fn failed(&self, signal: Signal, records: u64) {
        add(&self.failed[signal], records);
    }

    /// The destination refused records for good; they were set aside.
    pub fn rejected(&self, signal: Signal, records: u64) {
        add(&self.rejected[signal], records);
    }

    /// Records were delivered, but not as they are.
    pub fn changed(&self, signal: Signal, reason: &'static str, records: u64) {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        *changed.entry((signal.as_str(), reason)).or_default() += records;
    }

    /// How far behind the destination is.
    pub fn set_lag(&self, signal: Signal, records: u64, age: Duration) {
        self.lag_records[signal].store(records, Ordering::Relaxed);
        self.lag_milliseconds[signal].store(age.as_millis() as u64, Ordering::Relaxed);
    }

    /// Where the circuit breaker stands.
    pub fn set_breaker_state(&self, state: BreakerState) {
        self.breaker_state.store(state.number(), Ordering::Relaxed);
    }

    /// One request to the destination took `elapsed`.
    pub fn request(&self, elapsed: Duration) {
        self.seconds.record(elapsed);
    }
}
