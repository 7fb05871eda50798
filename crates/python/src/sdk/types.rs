//! The SDK's own classes, whose objects are read through their private fields.
//!
//! Nothing here needs the SDK: a class whose module nobody has imported is one that no object has.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

/// A class of the SDK, found when the first object is compared with it.
pub(super) struct Known {
    module: &'static str,
    name: &'static str,
    class: PyOnceLock<Py<PyType>>,
}

impl Known {
    const fn new(module: &'static str, name: &'static str) -> Self {
        Self { module, name, class: PyOnceLock::new() }
    }

    /// Whether `object` is of exactly this class.
    #[inline]
    pub(super) fn is(&self, object: &Bound<'_, PyAny>) -> bool {
        let py = object.py();
        self.class.get(py).or_else(|| self.find(py)).is_some_and(|class| object.get_type().is(class))
    }

    #[cold]
    fn find(&self, py: Python<'_>) -> Option<&Py<PyType>> {
        let modules = py.import(intern!(py, "sys")).ok()?.getattr(intern!(py, "modules")).ok()?;
        let class = modules.get_item(self.module).ok()?.getattr(self.name).ok()?.cast_into::<PyType>().ok()?;
        Some(self.class.get_or_init(py, || class.unbind()))
    }
}

pub(super) static READABLE_SPAN: Known = Known::new("opentelemetry.sdk.trace", "ReadableSpan");
pub(super) static SPAN: Known = Known::new("opentelemetry.sdk.trace", "_Span");
pub(super) static EVENT: Known = Known::new("opentelemetry.sdk.trace", "Event");
pub(super) static LINK: Known = Known::new("opentelemetry.trace", "Link");
pub(super) static CONTEXT: Known = Known::new("opentelemetry.trace", "SpanContext");
pub(super) static STATUS: Known = Known::new("opentelemetry.trace", "Status");
pub(super) static BOUNDED_LIST: Known = Known::new("opentelemetry.sdk.util", "BoundedList");
pub(super) static BOUNDED_ATTRIBUTES: Known = Known::new("opentelemetry.attributes", "BoundedAttributes");
pub(super) static RESOURCE: Known = Known::new("opentelemetry.sdk.resources", "Resource");
pub(super) static SCOPE: Known = Known::new("opentelemetry.sdk.util.instrumentation", "InstrumentationScope");
pub(super) static GAUGE: Known = Known::new("opentelemetry.sdk.metrics.export", "Gauge");
pub(super) static SUM: Known = Known::new("opentelemetry.sdk.metrics.export", "Sum");
pub(super) static HISTOGRAM: Known = Known::new("opentelemetry.sdk.metrics.export", "Histogram");
pub(super) static EXPONENTIAL_HISTOGRAM: Known = Known::new("opentelemetry.sdk.metrics.export", "ExponentialHistogram");
