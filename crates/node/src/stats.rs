//! What the core counts, for JavaScript.

use std::collections::HashMap;

use napi_derive::napi;
use otlp_arrow::stats::{Sample, Value};

/// One series.
#[napi(object)]
pub struct BindingSample {
    /// The Prometheus name.
    pub name: String,
    /// Label names and values.
    pub labels: HashMap<String, String>,
    /// A count, a level, or the sum of a distribution in seconds.
    pub value: f64,
    /// Observations, where it is a distribution.
    pub count: Option<f64>,
}

impl From<Sample> for BindingSample {
    fn from(sample: Sample) -> Self {
        let (value, count) = match sample.value {
            Value::Counter(count) => (count as f64, None),
            Value::Seconds(value) | Value::Gauge(value) => (value, None),
            Value::Histogram { count, sum, .. } => (sum, Some(count as f64)),
        };
        let labels = sample.labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { name: sample.name.to_owned(), labels, value, count }
    }
}
