//! The Python extension module `otlp_arrow._native`: converts types and errors, and holds no policy.

mod ask;
mod convert;
mod detached;
mod error;
mod follow;
mod library;
mod sdk;
mod table;
mod wait;

use pyo3::prelude::*;

/// The native half of `otlp_arrow`. Everything in here is private to that package.
#[pymodule]
mod _native {
    use pyo3::prelude::*;
    use pyo3::types::PyBytes;

    use crate::sdk::{self, DefaultResource};

    #[pymodule_export]
    use crate::ask::{Answer, Question, Telemetry};

    #[pymodule_export]
    use crate::convert::{decode, encode};

    #[pymodule_export]
    use crate::follow::{Forwarder, Subscription};

    #[pymodule_export]
    use crate::library::Library;

    #[pymodule_export]
    use crate::table::Table;

    /// The version of the package.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");

    /// Every error code: name, meaning, whether the same call may succeed later.
    #[pyfunction]
    fn error_codes() -> Vec<(&'static str, &'static str, bool)> {
        otlp_arrow::Code::all().map(|code| (code.as_str(), code.meaning(), code.retryable())).collect()
    }

    /// Runs one command of the command line to its end and returns the exit code.
    #[pyfunction]
    fn run_cli(py: Python<'_>, arguments: Vec<String>) -> i32 {
        py.detach(|| otlp_arrow_cli::run(arguments))
    }

    /// Encodes SDK spans as one OTLP export request.
    #[pyfunction]
    fn encode_spans<'py>(spans: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(spans.py(), &sdk::encode_spans(spans, &DefaultResource::default())?.bytes))
    }

    /// Encodes SDK log records as one OTLP export request.
    #[pyfunction]
    fn encode_logs<'py>(records: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(records.py(), &sdk::encode_logs(records, &DefaultResource::default())?.bytes))
    }

    /// Encodes the SDK's `MetricsData` as one OTLP export request.
    #[pyfunction]
    fn encode_metrics<'py>(data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(data.py(), &sdk::encode_metrics(data, &DefaultResource::default())?.bytes))
    }
}
