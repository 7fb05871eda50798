//! Record batches across the Arrow C stream interface, both ways, without pyarrow.

use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::ffi_stream::{ArrowArrayStreamReader, FFI_ArrowArrayStream};
use arrow_array::{RecordBatch, RecordBatchIterator, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef, ffi::FFI_ArrowSchema};
use otlp_arrow::{Code, OtlpError, Result};
use otlp_arrow_columns::Decoded;
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::error::{IntoPython, invalid_data};

const STREAM: &std::ffi::CStr = c"arrow_array_stream";
const SCHEMA: &std::ffi::CStr = c"arrow_schema";

/// Batches on their way to a reader.
pub(crate) type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

type Open = Box<dyn Fn() -> Result<Batches> + Send + Sync>;

/// Rows for any tool that reads the Arrow C stream interface: `pyarrow.table(t)`, `polars.DataFrame(t)`, DuckDB, pandas.
///
/// Batches are read as the consumer asks for them. Each consumer gets all rows.
#[pyclass(module = "otlp_arrow._native", frozen)]
pub(crate) struct Table {
    schema: SchemaRef,
    /// What the first consumer gets.
    first: Mutex<Option<Batches>>,
    /// What later ones get.
    again: Open,
    /// Records of a decoded request that are not here because they are invalid.
    #[pyo3(get)]
    rejected: u64,
    /// Why the first of them is not; empty when all are.
    #[pyo3(get)]
    message: String,
}

impl Table {
    /// Rows that `open` reads; it is called once now, so that this is a snapshot of now.
    pub(crate) fn open(schema: SchemaRef, open: impl Fn() -> Result<Batches> + Send + Sync + 'static) -> Result<Self> {
        let first = Mutex::new(Some(open()?));
        Ok(Self { schema, first, again: Box::new(open), rejected: 0, message: String::new() })
    }

    /// A decoded request.
    pub(crate) fn of(decoded: Decoded) -> Self {
        let (rejected, message) = (decoded.refused.total(), decoded.refused.to_string());
        Self { rejected, message, ..Self::of_batch(decoded.batch) }
    }

    /// One batch.
    pub(crate) fn of_batch(batch: RecordBatch) -> Self {
        let schema = batch.schema();
        let again = move || -> Result<Batches> { Ok(Box::new(std::iter::once(Ok(batch.clone())))) };
        Self { schema, first: Mutex::new(None), again: Box::new(again), rejected: 0, message: String::new() }
    }

    fn batches(&self) -> Result<Batches> {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        first.map_or_else(|| (self.again)(), Ok)
    }
}

#[pymethods]
impl Table {
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // The interface lets a producer ignore the request.
        drop(requested_schema);
        let batches = py.detach(|| self.batches()).into_python(py)?;
        let schema = Arc::clone(&self.schema);
        let batches = batches.map(move |batch| {
            // A consumer takes the announced types for granted: a batch that differs must not reach it.
            RecordBatch::try_new(Arc::clone(&schema), batch.map_err(to_arrow)?.columns().to_vec())
        });
        let reader: Box<dyn RecordBatchReader + Send> =
            Box::new(RecordBatchIterator::new(batches, Arc::clone(&self.schema)));
        PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(reader), STREAM)
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let schema = FFI_ArrowSchema::try_from(self.schema.as_ref())
            .map_err(|error| invalid_data(py, format!("the schema cannot be handed over: {error}")))?;
        PyCapsule::new_with_value(py, schema, SCHEMA)
    }

    fn __repr__(&self) -> String {
        let names: Vec<&str> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
        format!("<otlp_arrow.Table of {}: pass it to pyarrow.table() or polars.DataFrame()>", names.join(", "))
    }
}

fn to_arrow(error: OtlpError) -> ArrowError {
    ArrowError::ExternalError(Box::new(error))
}

/// The batches of any object with `__arrow_c_stream__`: a table of pyarrow or polars, or one of ours.
pub(crate) fn import(object: &Bound<'_, PyAny>) -> PyResult<Vec<RecordBatch>> {
    let py = object.py();
    let stream = Stream::of(object)?;
    // Attached: a Python producer's callbacks take the interpreter themselves.
    py.detach(|| stream.collect::<Result<Vec<_>>>()).into_python(py)
}

/// The batches of such an object, read one by one. A producer in Python takes the interpreter by itself, so whoever reads
/// should not hold it.
pub(crate) struct Stream(ArrowArrayStreamReader);

impl Iterator for Stream {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        Some(self.0.next()?.map_err(unreadable))
    }
}

fn unreadable(error: ArrowError) -> OtlpError {
    OtlpError::with_source(Code::InvalidData, format!("the Arrow stream cannot be read: {error}"), error)
}

impl Stream {
    pub(crate) fn of(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = object.py();
        let Some(method) = object.getattr_opt(intern!(py, "__arrow_c_stream__"))? else {
            return Err(PyTypeError::new_err(format!(
                "expected an object with __arrow_c_stream__, such as a pyarrow.Table, got {}",
                object.get_type().name()?
            )));
        };
        let capsule = method.call0()?.cast_into::<PyCapsule>()?;
        let pointer = capsule.pointer_checked(Some(STREAM))?.cast::<FFI_ArrowArrayStream>();
        // SAFETY: a capsule of this name holds a valid stream by the Arrow PyCapsule interface. The stream is moved out of
        // it; what stays is marked as released, so the capsule's destructor does nothing.
        let stream = unsafe { FFI_ArrowArrayStream::from_raw(pointer.as_ptr()) };
        py.detach(|| ArrowArrayStreamReader::try_new(stream).map(Self).map_err(unreadable)).into_python(py)
    }
}
