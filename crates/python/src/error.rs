//! Errors of the core as the Python classes of `otlp_arrow.errors`.

use otlp_arrow::{Code, OtlpError};
use pyo3::intern;
use pyo3::prelude::*;

/// Conversion to the exception that carries code, text and causes.
pub(crate) trait IntoPython<T> {
    /// The same result with a Python exception as its error.
    fn into_python(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> IntoPython<T> for otlp_arrow::Result<T> {
    fn into_python(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| to_python(py, &error))
    }
}

/// The exception for `error`; whatever goes wrong on the way is raised instead.
pub(crate) fn to_python(py: Python<'_>, error: &OtlpError) -> PyErr {
    let made = py
        .import(intern!(py, "otlp_arrow.errors"))
        .and_then(|module| module.getattr(intern!(py, "_make")))
        .and_then(|make| make.call1((error.code().as_str(), error.message(), error.causes())));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(raised) => raised,
    }
}

/// INVALID_DATA with a text.
pub(crate) fn invalid_data(py: Python<'_>, message: impl Into<String>) -> PyErr {
    to_python(py, &OtlpError::new(Code::InvalidData, message))
}
