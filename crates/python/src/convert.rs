//! `decode` and `encode`: OTLP requests to rows and back, without a library.

use otlp_arrow::{Code, Format, OtlpError, Result};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::{IntoPython, invalid_data};
use crate::library::parse_signal;
use crate::table::{Table, import};

/// One OTLP export request as rows.
#[pyfunction]
pub(crate) fn decode(py: Python<'_>, signal: &str, data: &Bound<'_, PyBytes>, format: &str) -> PyResult<Table> {
    let bytes = data.as_bytes();
    py.detach(|| {
        let decoded = otlp_arrow_columns::decode(parse_signal(signal)?, bytes, parse_format(format)?)?;
        Ok(Table::of(decoded))
    })
    .into_python(py)
}

/// Rows as one OTLP export request. `rows` is any object with `__arrow_c_stream__`.
#[pyfunction]
pub(crate) fn encode<'py>(
    py: Python<'py>,
    signal: &str,
    rows: &Bound<'py, PyAny>,
    format: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    let (signal, format) =
        parse_signal(signal).and_then(|signal| Ok((signal, parse_format(format)?))).into_python(py)?;
    let batches = import(rows)?;
    let encoded = py.detach(|| otlp_arrow_columns::encode(signal, &batches, format));
    Ok(PyBytes::new(py, &encoded.map_err(|error| invalid_data(py, error.to_string()))?))
}

fn parse_format(name: &str) -> Result<Format> {
    name.parse().map_err(|error| OtlpError::with_source(Code::InvalidConfig, format!("format: {error}"), error))
}
