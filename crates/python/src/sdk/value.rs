//! Attribute values and log bodies.

use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PySequence, PyString, PyTuple};

use otlp_arrow_wire::Writer;

use super::ids::with_text;
use super::types::BOUNDED_ATTRIBUTES;
use super::{Failure, MAX_NESTING};

mod any_value {
    pub(super) const STRING: u32 = 1;
    pub(super) const BOOL: u32 = 2;
    pub(super) const INT: u32 = 3;
    pub(super) const DOUBLE: u32 = 4;
    pub(super) const ARRAY: u32 = 5;
    pub(super) const KVLIST: u32 = 6;
    pub(super) const BYTES: u32 = 7;
}

/// Field of the elements in both `ArrayValue` and `KeyValueList`.
const VALUES: u32 = 1;
const KEY: u32 = 1;
const VALUE: u32 = 2;

/// Writes a mapping as repeated `KeyValue` and returns how many entries had to be left out, because looking at their
/// value raised.
pub(super) fn attributes(writer: &mut Writer, field: u32, mapping: &Bound<'_, PyAny>) -> Result<u32, Failure> {
    let mut left_out = 0;
    for_each_entry(mapping, |key, value| {
        let mark = writer.mark();
        match key_value(writer, field, key, value, 0) {
            Err(Failure::Raised(error)) if error.is_instance_of::<PyException>(key.py()) => {
                writer.rewind(mark);
                left_out += 1;
                Ok(())
            }
            done => done,
        }
    })?;
    Ok(left_out)
}

/// Writes an `AnyValue` message, such as a log body. A value that raises when looked at becomes an empty one.
pub(super) fn any_value(writer: &mut Writer, field: u32, any: &Bound<'_, PyAny>) -> Result<(), Failure> {
    let message = writer.open(field, 1);
    let mark = writer.mark();
    match value(writer, any, 0) {
        Err(Failure::Raised(error)) if error.is_instance_of::<PyException>(any.py()) => writer.rewind(mark),
        done => done?,
    }
    writer.close(message);
    Ok(())
}

/// Calls `f` with each entry of None, a dict, the SDK's container (for the dict within), or any mapping.
fn for_each_entry<'py>(
    mapping: &Bound<'py, PyAny>,
    mut f: impl FnMut(&Bound<'py, PyAny>, &Bound<'py, PyAny>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if mapping.is_none() {
        return Ok(());
    }
    let py = mapping.py();
    if let Ok(dict) = mapping.cast_exact::<PyDict>() {
        return dict_entries(dict, f);
    }
    if BOUNDED_ATTRIBUTES.is(mapping)
        && let Some(inner) = mapping.getattr_opt(intern!(py, "_dict"))?
        && let Ok(dict) = inner.cast_exact::<PyDict>()
    {
        return dict_entries(dict, f);
    }
    for item in mapping.call_method0(intern!(py, "items"))?.try_iter()? {
        let (key, value) = item?.extract::<(Bound<'py, PyAny>, Bound<'py, PyAny>)>()?;
        f(&key, &value)?;
    }
    Ok(())
}

/// Walks a dict. Where its values are not all of built-in types, Python code may run meanwhile and change it, so that
/// one is copied first.
fn dict_entries<'py>(
    dict: &Bound<'py, PyDict>,
    mut f: impl FnMut(&Bound<'py, PyAny>, &Bound<'py, PyAny>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if dict.iter().all(|(_, value)| is_plain(&value)) {
        dict.iter().try_for_each(|(key, value)| f(&key, &value))
    } else {
        dict.copy()?.iter().try_for_each(|(key, value)| f(&key, &value))
    }
}

fn is_plain(value: &Bound<'_, PyAny>) -> bool {
    value.is_exact_instance_of::<PyString>()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyFloat>()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_none()
}

fn key_value(
    writer: &mut Writer,
    field: u32,
    key: &Bound<'_, PyAny>,
    value_: &Bound<'_, PyAny>,
    depth: usize,
) -> Result<(), Failure> {
    let entry = writer.open(field, 1);
    with_text(key, |key| writer.bytes(KEY, key.as_bytes()))?;
    let message = writer.open(VALUE, 1);
    value(writer, value_, depth)?;
    writer.close(message);
    writer.close(entry);
    Ok(())
}

/// Writes the oneof of an `AnyValue`; nothing for None.
fn value(writer: &mut Writer, any: &Bound<'_, PyAny>, depth: usize) -> Result<(), Failure> {
    if let Ok(text) = any.cast_exact::<PyString>() {
        string(writer, text)?;
    } else if let Ok(number) = any.cast_exact::<PyInt>() {
        int(writer, number)?;
    } else if let Ok(boolean) = any.cast_exact::<PyBool>() {
        writer.uint_always(any_value::BOOL, boolean.is_true().into());
    } else if let Ok(number) = any.cast_exact::<PyFloat>() {
        writer.double_always(any_value::DOUBLE, number.value());
    } else if any.is_none() {
        // An AnyValue without a value is OTLP's empty value.
    } else if let Ok(tuple) = any.cast_exact::<PyTuple>() {
        array(writer, tuple.iter().map(Ok), depth)?;
    } else if let Ok(list) = any.cast_exact::<PyList>() {
        array(writer, list.iter().map(Ok), depth)?;
    } else {
        less_common(writer, any, depth)?;
    }
    Ok(())
}

#[cold]
fn less_common(writer: &mut Writer, any: &Bound<'_, PyAny>, depth: usize) -> Result<(), Failure> {
    if let Ok(text) = any.cast::<PyString>() {
        string(writer, text)?;
    } else if let Ok(number) = any.cast::<PyInt>() {
        int(writer, number)?;
    } else if let Ok(number) = any.cast::<PyFloat>() {
        writer.double_always(any_value::DOUBLE, number.value());
    } else if let Ok(bytes) = any.cast::<PyBytes>() {
        writer.bytes_always(any_value::BYTES, bytes.as_bytes());
    } else if any.cast::<PyDict>().is_ok() || any.cast::<PyMapping>().is_ok() {
        if depth >= MAX_NESTING {
            return Err(Failure::TooDeep);
        }
        let message = writer.open(any_value::KVLIST, 1);
        for_each_entry(any, |key, value| key_value(writer, VALUES, key, value, depth + 1))?;
        writer.close(message);
    } else if any.cast::<PySequence>().is_ok() {
        array(writer, any.try_iter()?, depth)?;
    } else {
        let text = any.str()?;
        string(writer, &text)?;
    }
    Ok(())
}

fn string(writer: &mut Writer, text: &Bound<'_, PyString>) -> PyResult<()> {
    match text.to_str() {
        Ok(text) => writer.bytes_always(any_value::STRING, text.as_bytes()),
        // UTF-8 cannot carry a lone surrogate: it becomes U+FFFD, and the rest of the text is kept.
        Err(_) => writer.bytes_always(any_value::STRING, text.to_string_lossy().as_bytes()),
    }
    Ok(())
}

/// An integer, or its decimal text where it does not fit 64 bits.
fn int(writer: &mut Writer, number: &Bound<'_, PyInt>) -> PyResult<()> {
    match number.extract::<i64>() {
        Ok(number) => writer.uint_always(any_value::INT, number as u64),
        Err(_) => {
            let text = number.py().get_type::<PyInt>().call_method1(intern!(number.py(), "__repr__"), (number,))?;
            with_text(&text, |text| writer.bytes_always(any_value::STRING, text.as_bytes()))?;
        }
    }
    Ok(())
}

fn array<'py>(
    writer: &mut Writer,
    items: impl Iterator<Item = PyResult<Bound<'py, PyAny>>>,
    depth: usize,
) -> Result<(), Failure> {
    if depth >= MAX_NESTING {
        return Err(Failure::TooDeep);
    }
    let message = writer.open(any_value::ARRAY, 1);
    for item in items {
        let element = writer.open(VALUES, 1);
        value(writer, &item?, depth + 1)?;
        writer.close(element);
    }
    writer.close(message);
    Ok(())
}
