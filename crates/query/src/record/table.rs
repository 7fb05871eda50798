//! Rows of many blocks as one batch in the columns of the schema.

use std::sync::Arc;

use crate::maps::Map;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, DictionaryArray, Int32Array, RecordBatch, RecordBatchOptions, StringArray, UInt32Array,
};
use arrow_schema::{ArrowError, DataType, SchemaRef};
use arrow_select::interleave::interleave;
use arrow_select::take::take;
use otlp_arrow_columns::Signal;
use otlp_arrow_store::ReadError;

use crate::scan::View;

/// Rows of one block, with the dictionaries cut down to what they have.
pub type Part = Arc<[ArrayRef]>;

/// These rows of a block, all columns of the schema.
pub fn take_rows(view: &View<'_>, rows: &[u32]) -> Result<Part, ReadError> {
    let columns: Vec<usize> = (0..otlp_arrow_columns::schema(view.signal()).fields().len()).collect();
    view.need(&columns)?;
    let indices = UInt32Array::from(rows.to_vec());
    let failed = |error: ArrowError| ReadError::damaged(error.to_string());
    let column = |column: &usize| {
        let array = view.column(*column)?;
        match array.as_dictionary_opt::<Int32Type>() {
            Some(array) => Ok(cut_down(array, rows)?),
            None => take(array, &indices, None).map_err(failed),
        }
    };
    columns.iter().map(column).collect::<Result<Vec<_>, _>>().map(Into::into)
}

/// The rows of a dictionary column, with the values they have and no others.
fn cut_down(array: &DictionaryArray<Int32Type>, rows: &[u32]) -> Result<ArrayRef, ReadError> {
    let failed = |error: ArrowError| ReadError::damaged(error.to_string());
    let values =
        array.values().as_string_opt::<i32>().ok_or_else(|| ReadError::damaged("a dictionary of what is not text"))?;
    let (mut numbers, mut used): (Map<i32, i32>, Vec<u32>) = Default::default();
    let keys: Int32Array = rows
        .iter()
        .map(|row| {
            let row = *row as usize;
            array.keys().is_valid(row).then(|| {
                let key = array.keys().value(row);
                *numbers.entry(key).or_insert_with(|| {
                    used.push(key as u32);
                    used.len() as i32 - 1
                })
            })
        })
        .collect();
    let values = take(values, &UInt32Array::from(used), None).map_err(failed)?;
    Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, values).map_err(failed)?))
}

/// Rows of `parts`, each by its part and its row in there, as one batch of the schema of `signal`. Its dictionaries are
/// shared by all rows, and hold no value twice.
pub fn assemble(signal: Signal, parts: &[Part], rows: &[(usize, usize)]) -> Result<RecordBatch, ArrowError> {
    let schema: SchemaRef = otlp_arrow_columns::schema(signal);
    let mut columns = Vec::with_capacity(schema.fields().len());
    for (at, field) in schema.fields().iter().enumerate() {
        let arrays: Vec<&dyn Array> = parts.iter().map(|part| &*part[at]).collect();
        columns.push(match field.data_type() {
            _ if rows.is_empty() => arrow_array::new_empty_array(field.data_type()),
            DataType::Dictionary(..) => unified(&arrays, rows)?,
            _ => interleave(&arrays, rows)?,
        });
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(schema, columns, &options)
}

fn unified(arrays: &[&dyn Array], rows: &[(usize, usize)]) -> Result<ArrayRef, ArrowError> {
    let mut numbers: Map<&str, i32> = Map::default();
    let mut texts: Vec<&str> = Vec::new();
    let mut parts = Vec::with_capacity(arrays.len());
    for array in arrays {
        let array = array.as_dictionary_opt::<Int32Type>();
        let array = array.ok_or_else(|| ArrowError::SchemaError("a column without its dictionary".to_owned()))?;
        let values = array.values().as_string::<i32>();
        let number = |text| {
            *numbers.entry(text).or_insert_with(|| {
                texts.push(text);
                texts.len() as i32 - 1
            })
        };
        let numbers: Vec<i32> = values.iter().map(Option::unwrap_or_default).map(number).collect();
        parts.push((array.keys(), numbers));
    }
    let key = |(part, row): &(usize, usize)| {
        let (keys, numbers) = &parts[*part];
        keys.is_valid(*row).then(|| numbers[keys.value(*row) as usize])
    };
    let keys: Int32Array = rows.iter().map(key).collect();
    Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(StringArray::from(texts)))?))
}
