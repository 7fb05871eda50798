//! What `stats()` and `health()` return: plain values that become JSON in every language.

use std::collections::BTreeMap;
use std::fmt;
use std::time::UNIX_EPOCH;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{Sample, Snapshot, Value};
use crate::error::Code;
use crate::event::Event;
use crate::per_signal::PerSignal;

/// What a library has done and has in hand. For each signal `accepted = committed + waiting + dropped`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LibraryStats {
    /// Records that were acknowledged.
    pub accepted_records: PerSignal<u64>,
    /// Records that are in a file.
    pub committed_records: PerSignal<u64>,
    /// Acknowledged records that are in memory only: what a crash would lose (durability `buffered`).
    pub waiting_records: PerSignal<u64>,
    /// Acknowledged records that could not be written before the end.
    pub dropped_records: PerSignal<u64>,
    /// Requests that are on their way and not acknowledged yet.
    pub queued_requests: PerSignal<u64>,
    /// Bytes of memory that arriving and accepted data takes.
    pub buffer_bytes: u64,
    /// Bytes it may take (`buffer.max_bytes`).
    pub buffer_max_bytes: u64,
    /// Bytes of the files, as of the last look at the directory.
    pub disk_bytes: PerSignal<u64>,
    /// Files of this writer that are not sealed yet, live ones included.
    pub unsealed_files: u64,
    /// How often each event happened; names without an occurrence are left out.
    pub events: BTreeMap<String, u64>,
    /// Every counter, gauge and histogram: the list of `/metrics`.
    pub counters: Snapshot,
}

/// Whether a library does its work, and why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The worst of everything below.
    pub status: HealthStatus,
    /// Whether new data is taken: false when every signal is refused, and after shutdown. `/readyz` answers this.
    pub accepting: bool,
    /// One entry for each thing that is not well; empty when all is.
    pub problems: Vec<Problem>,
}

/// How well it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// Everything works.
    Ok,
    /// Data is kept, something else does not work, such as a destination.
    Degraded,
    /// New data of some signal is refused.
    Failing,
    /// Shut down.
    Closed,
}

/// Where the circuit breaker of a destination stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Requests go through.
    #[default]
    Closed,
    /// One probe is on its way, or may be sent.
    HalfOpen,
    /// Nothing is sent until the open time is over.
    Open,
}

impl BreakerState {
    /// `closed`, `half_open` or `open`.
    pub const fn as_str(self) -> &'static str {
        match self {
            BreakerState::Closed => "closed",
            BreakerState::HalfOpen => "half_open",
            BreakerState::Open => "open",
        }
    }

    /// The value of the gauge: 0 closed, 1 half-open, 2 open.
    pub const fn number(self) -> u64 {
        match self {
            BreakerState::Closed => 0,
            BreakerState::HalfOpen => 1,
            BreakerState::Open => 2,
        }
    }
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something that is not well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// `storage`, `forward` or another part.
    pub part: &'static str,
    /// Which signal, where it concerns one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<&'static str>,
    /// Which destination, where it concerns one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// The code that data is refused with, where it is refused.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "code_name")]
    pub code: Option<Code>,
    /// For a person: what is wrong and what to do.
    pub message: String,
}

fn code_name<S: Serializer>(code: &Option<Code>, serializer: S) -> Result<S::Ok, S::Error> {
    code.map(Code::as_str).serialize(serializer)
}

/// `{"name":…,"labels":{…},"value":…}`; a histogram has `count`, `sum` and `buckets` (`[bound, count]`) instead of `value`.
impl Serialize for Sample {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", self.metric.name())?;
        let labels: BTreeMap<&str, &str> = self.labels.iter().map(|(key, value)| (*key, value.as_str())).collect();
        map.serialize_entry("labels", &labels)?;
        match &self.value {
            Value::Counter(value) => map.serialize_entry("value", value)?,
            Value::Seconds(value) | Value::Gauge(value) => map.serialize_entry("value", value)?,
            Value::Histogram { count, sum, buckets } => {
                map.serialize_entry("count", count)?;
                map.serialize_entry("sum", sum)?;
                // JSON has no infinity: the last bucket's bound is null.
                let buckets: Vec<_> =
                    buckets.iter().map(|(bound, count)| (bound.is_finite().then_some(*bound), *count)).collect();
                map.serialize_entry("buckets", &buckets)?;
            }
        }
        map.end()
    }
}

/// A list of samples.
impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.samples.serialize(serializer)
    }
}

/// `{"name":…,"time":<milliseconds since 1970>,"severity":"info"|"warn","signal"?,"destination"?,"count"?,"message":…}`.
impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = self.time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", self.name.as_str())?;
        map.serialize_entry("time", &time)?;
        map.serialize_entry("severity", &self.severity)?;
        if let Some(signal) = self.signal {
            map.serialize_entry("signal", signal.as_str())?;
        }
        if let Some(destination) = &self.destination {
            map.serialize_entry("destination", destination)?;
        }
        if let Some(count) = self.count {
            map.serialize_entry("count", &count)?;
        }
        map.serialize_entry("message", &self.message)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::event::EventName;
    use crate::stats::Stats;
    use otlp_arrow_columns::Signal;
    use std::time::{Duration, SystemTime};

    #[test]
    fn an_event_is_plain_json() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let event = Event {
            signal: Some(Signal::Logs),
            destination: Some("far".into()),
            count: Some(7),
            ..Event::new(EventName::RecordsEvicted, time, "gone")
        };
        assert_eq!(
            serde_json::to_string(&event).unwrap(),
            r#"{"name":"records_evicted","time":1700000000123,"severity":"warn","signal":"logs","destination":"far","count":7,"message":"gone"}"#
        );
    }

    #[test]
    fn counters_are_a_list_of_named_values() {
        let stats = Stats::default();
        stats.request(Signal::Logs, stats.protocol("otlp_grpc"), None, Duration::from_secs(60));
        let json = serde_json::to_value(stats.snapshot()).unwrap();
        let of = |name: &str| json.as_array().unwrap().iter().find(|sample| sample["name"] == name).unwrap().clone();
        assert_eq!(of("otlp_arrow_received_records_total")["labels"]["signal"], "traces");
        let histogram = of("otlp_arrow_request_seconds");
        assert_eq!((&histogram["count"], &histogram["sum"]), (&1.into(), &60.0.into()));
        assert_eq!(histogram["buckets"].as_array().unwrap().last().unwrap(), &serde_json::json!([null, 1]));
    }

    #[test]
    fn a_breaker_is_called_the_same_in_json_and_text() {
        for state in [BreakerState::Closed, BreakerState::HalfOpen, BreakerState::Open] {
            assert_eq!(serde_json::to_string(&state).unwrap(), format!("\"{state}\""));
        }
    }

    #[test]
    fn health_names_codes_and_leaves_out_what_does_not_apply() {
        let problem = Problem {
            part: "storage",
            signal: Some("logs"),
            destination: None,
            code: Some(Code::StorageFull),
            message: "full".into(),
        };
        let health = Health { status: HealthStatus::Failing, accepting: true, problems: vec![problem] };
        assert_eq!(
            serde_json::to_string(&health).unwrap(),
            r#"{"status":"failing","accepting":true,"problems":[{"part":"storage","signal":"logs","code":"STORAGE_FULL","message":"full"}]}"#
        );
    }
}
