//! Reading the plain fields of SDK objects.

use otlp_arrow_wire::Writer;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyString, PyTuple};

/// A field of an SDK object: `private` where the object's class is known to keep it there, which saves a Python call,
/// else `public`.
#[inline]
pub(super) fn field<'py>(
    object: &Bound<'py, PyAny>,
    known: bool,
    private: &Bound<'py, PyString>,
    public: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    if known && let Some(value) = object.getattr_opt(private)? {
        return Ok(value);
    }
    object.getattr(public)
}

/// Nanoseconds since 1970, 0 for None. The SDK takes any number for a time, and programs hand it `time.time() * 1e9`.
#[inline]
pub(super) fn nanos(value: &Bound<'_, PyAny>) -> PyResult<u64> {
    if value.is_none() {
        return Ok(0);
    }
    if let Ok(float) = value.cast::<PyFloat>()
        && (0.0..18_446_744_073_709_551_616.0).contains(&float.value())
    {
        return Ok(float.value() as u64);
    }
    value.extract()
}

/// Text, written when it is not None and not empty. A lone surrogate, which UTF-8 cannot carry, becomes U+FFFD.
#[inline]
pub(super) fn text(writer: &mut Writer, field: u32, value: &Bound<'_, PyAny>) -> PyResult<()> {
    if value.is_none() {
        return Ok(());
    }
    with_text(value, |text| writer.bytes(field, text.as_bytes()))
}

/// Calls `f` with the text of `value`, or with `str(value)` where it is not text.
#[inline]
pub(super) fn with_text<R>(value: &Bound<'_, PyAny>, f: impl FnOnce(&str) -> R) -> PyResult<R> {
    match value.cast::<PyString>() {
        Ok(text) => Ok(match text.to_str() {
            Ok(text) => f(text),
            Err(_) => f(&text.to_string_lossy()),
        }),
        Err(_) => Ok(f(&value.str()?.to_string_lossy())),
    }
}

/// A trace id, 16 bytes, most significant first.
pub(super) fn trace_id(value: &Bound<'_, PyAny>) -> PyResult<[u8; 16]> {
    Ok(value.extract::<u128>()?.to_be_bytes())
}

/// A span id, 8 bytes, most significant first.
pub(super) fn span_id(value: &Bound<'_, PyAny>) -> PyResult<[u8; 8]> {
    Ok(value.extract::<u64>()?.to_be_bytes())
}

/// The number behind an enum member; 0 for None.
pub(super) fn enum_number(value: &Bound<'_, PyAny>) -> PyResult<i64> {
    if value.is_none() {
        return Ok(0);
    }
    field(value, true, intern!(value.py(), "_value_"), intern!(value.py(), "value"))?.extract()
}

/// The parts of a `SpanContext` that are exported.
pub(super) struct Context<'py> {
    pub(super) trace_id: Bound<'py, PyAny>,
    pub(super) span_id: Bound<'py, PyAny>,
    pub(super) is_remote: bool,
    pub(super) trace_state: Bound<'py, PyAny>,
}

impl<'py> Context<'py> {
    /// `known`: the object is exactly the API's `SpanContext`, a tuple of (trace id, span id, remote, flags, state, …).
    pub(super) fn read(context: &Bound<'py, PyAny>, known: bool) -> PyResult<Self> {
        let py = context.py();
        if known && let Ok(tuple) = context.cast::<PyTuple>() {
            return Ok(Self {
                trace_id: tuple.get_item(0)?,
                span_id: tuple.get_item(1)?,
                is_remote: tuple.get_item(2)?.is_truthy()?,
                trace_state: tuple.get_item(4)?,
            });
        }
        Ok(Self {
            trace_id: context.getattr(intern!(py, "trace_id"))?,
            span_id: context.getattr(intern!(py, "span_id"))?,
            is_remote: context.getattr(intern!(py, "is_remote"))?.is_truthy()?,
            trace_state: context.getattr(intern!(py, "trace_state"))?,
        })
    }
}

/// OTLP's span flags as the SDK sets them: the remoteness of `context`, and that it is known.
pub(super) fn flags(is_remote: bool) -> u32 {
    const HAS_IS_REMOTE: u32 = 0x100;
    const IS_REMOTE: u32 = 0x200;
    if is_remote { HAS_IS_REMOTE | IS_REMOTE } else { HAS_IS_REMOTE }
}

/// A W3C trace state as `key=value,key=value`.
pub(super) fn trace_state(writer: &mut Writer, field: u32, state: &Bound<'_, PyAny>) -> PyResult<()> {
    if state.is_none() || state.len()? == 0 {
        return Ok(());
    }
    let mut text = String::new();
    for item in state.call_method0(intern!(state.py(), "items"))?.try_iter()? {
        let (key, value) = item?.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()?;
        if !text.is_empty() {
            text.push(',');
        }
        with_text(&key, |key| text.push_str(key))?;
        text.push('=');
        with_text(&value, |value| text.push_str(value))?;
    }
    writer.bytes(field, text.as_bytes());
    Ok(())
}
