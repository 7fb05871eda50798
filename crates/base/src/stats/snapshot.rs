//! Everything that is counted, at one moment.

use super::metric::{Metric, MetricKind};

/// Everything that is counted, at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// One entry a series; series of one name stand together.
    pub samples: Vec<Sample>,
}

/// One series.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What was counted; it has the name.
    pub metric: Metric,
    /// Label names and values, in order.
    pub labels: Vec<(&'static str, String)>,
    /// How much.
    pub value: Value,
}

/// The value of a series.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A count that only grows.
    Counter(u64),
    /// Seconds that only grow.
    Seconds(f64),
    /// A level.
    Gauge(f64),
    /// A distribution of seconds.
    Histogram {
        /// Observations.
        count: u64,
        /// Their sum in seconds.
        sum: f64,
        /// Upper bound in seconds and observations up to it (cumulative); the last bound is infinite.
        buckets: Vec<(f64, u64)>,
    },
}

impl Value {
    const fn kind(&self) -> MetricKind {
        match self {
            Value::Counter(_) | Value::Seconds(_) => MetricKind::Counter,
            Value::Gauge(_) => MetricKind::Gauge,
            Value::Histogram { .. } => MetricKind::Histogram,
        }
    }
}

impl Snapshot {
    pub(super) fn push(&mut self, metric: Metric, labels: &[(&'static str, &str)], value: Value) {
        debug_assert_eq!(metric.kind(), value.kind(), "{}", metric.name());
        debug_assert!(labels.iter().all(|(key, _)| metric.labels().contains(key)), "{} has {labels:?}", metric.name());
        let labels = labels.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        self.samples.push(Sample { metric, labels, value });
    }

    pub(super) fn counter(&mut self, metric: Metric, labels: &[(&'static str, &str)], value: u64) {
        self.push(metric, labels, Value::Counter(value));
    }

    pub(super) fn gauge(&mut self, metric: Metric, labels: &[(&'static str, &str)], value: f64) {
        self.push(metric, labels, Value::Gauge(value));
    }

    /// The sum of all counters called `name` that carry every label of `labels`; 0 if there are none.
    pub fn total(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        debug_assert!(Metric::named(name).is_some(), "{name} is not in the table of metrics");
        self.samples
            .iter()
            .filter(|sample| sample.metric.name() == name)
            .filter(|sample| labels.iter().all(|wanted| sample.labels.iter().any(|(k, v)| (*k, v.as_str()) == *wanted)))
            .map(|sample| match &sample.value {
                Value::Counter(count) | Value::Histogram { count, .. } => *count,
                Value::Seconds(_) | Value::Gauge(_) => 0,
            })
            .sum()
    }
}
