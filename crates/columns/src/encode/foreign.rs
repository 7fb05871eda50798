//! Columns in the types that other programs gave them, in those of the storage schema again: text and bytes of the large
//! and view forms, ids of the same, large lists, dictionaries of other indexes, maps as lists of key and value.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::builder::{FixedSizeBinaryBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, MapArray, RecordBatch, StringArray, StructArray};
use arrow_buffer::{ArrowNativeType, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema};

use super::EncodeError;
use crate::{Signal, schema};

/// A column in a type of ours; none when it has one already, or is of a type that stands for no other.
type Own = Result<Option<ArrayRef>, String>;

/// The batches with every column that stands for one of the storage schema in its type. Others stay as they are.
pub(crate) fn in_own_types(signal: Signal, batches: &[RecordBatch]) -> Result<Cow<'_, [RecordBatch]>, EncodeError> {
    let own: Vec<Option<RecordBatch>> =
        batches.iter().map(|batch| of_batch(signal, batch)).collect::<Result<_, _>>()?;
    if own.iter().all(Option::is_none) {
        return Ok(Cow::Borrowed(batches));
    }
    Ok(own.into_iter().zip(batches).map(|(own, batch)| own.unwrap_or_else(|| batch.clone())).collect())
}

fn of_batch(signal: Signal, batch: &RecordBatch) -> Result<Option<RecordBatch>, EncodeError> {
    let wanted = schema::schema(signal);
    let Some((fields, columns)) = of_columns(wanted.fields(), batch.schema_ref().fields(), batch.columns())
        .map_err(|message| EncodeError::Unwritable { message })?
    else {
        return Ok(None);
    };
    let own = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns);
    own.map(Some).map_err(|error| EncodeError::Unwritable { message: error.to_string() })
}

/// Fields, and the columns they describe.
type Described = (Vec<FieldRef>, Vec<ArrayRef>);

/// The columns of a batch or struct, and their fields; none when nothing had to be done.
fn of_columns(wanted: &Fields, fields: &Fields, columns: &[ArrayRef]) -> Result<Option<Described>, String> {
    let mut own = None;
    for (at, (field, column)) in fields.iter().zip(columns).enumerate() {
        let Some((_, wanted)) = wanted.find(field.name()) else { continue };
        let named = |message| format!("column {}: {message}", field.name());
        if let Some(column) = own_type(column, wanted.data_type()).map_err(named)? {
            let (fields, columns) = own.get_or_insert_with(|| (fields.to_vec(), columns.to_vec()));
            fields[at] = nullable(field.name(), &column);
            columns[at] = column;
        }
    }
    Ok(own)
}

fn nullable(name: &str, column: &ArrayRef) -> FieldRef {
    Arc::new(Field::new(name, column.data_type().clone(), true))
}

fn own_type(column: &ArrayRef, wanted: &DataType) -> Own {
    match (wanted, column.data_type()) {
        (DataType::Utf8 | DataType::Dictionary(..), found) if is_foreign_text(found, wanted) => {
            checked(column)?;
            text(column).map(|text| text.map(|text| Arc::new(text) as ArrayRef))
        }
        (DataType::FixedSizeBinary(size), DataType::Binary | DataType::LargeBinary | DataType::BinaryView) => {
            checked(column)?;
            ids(column, *size).map(Some)
        }
        (DataType::List(item), DataType::List(_) | DataType::LargeList(_)) => {
            Ok(list(column, item.data_type())?.map(|list| Arc::new(list) as ArrayRef))
        }
        (DataType::Struct(wanted), DataType::Struct(_)) => structs(column.as_struct(), wanted),
        (DataType::Map(..), DataType::Map(..)) => map(column.as_map()),
        (DataType::Map(entries, _), DataType::List(_) | DataType::LargeList(_)) => pairs(column, entries.data_type()),
        _ => Ok(None),
    }
}

/// Whether a type holds text in a form that [`super::column`] does not read in a column of the type `wanted`.
fn is_foreign_text(found: &DataType, wanted: &DataType) -> bool {
    match found {
        DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => {
            found != wanted && matches!(values.as_ref(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
        }
        _ => false,
    }
}

/// What came over the C data interface was believed until now; what follows indexes without a check.
fn checked(column: &ArrayRef) -> Result<(), String> {
    column.to_data().validate_full().map_err(|error| error.to_string())
}

fn text(column: &ArrayRef) -> Result<Option<StringArray>, String> {
    if let Some(plain) = column.as_string_opt::<i32>() {
        return Ok(Some(plain.clone()));
    }
    if let Some(large) = column.as_string_opt::<i64>() {
        return gathered(large.iter()).map(Some);
    }
    if let Some(views) = column.as_string_view_opt() {
        return gathered(views.iter()).map(Some);
    }
    let Some(dictionary) = column.as_any_dictionary_opt() else { return Ok(None) };
    let Some(values) = text(dictionary.values())? else { return Ok(None) };
    if values.is_empty() {
        return Ok(Some(StringArray::new_null(column.len())));
    }
    let slots = dictionary.normalized_keys();
    let is_null = |row, slot| dictionary.keys().is_null(row) || values.is_null(slot);
    let texts = slots.into_iter().enumerate();
    gathered(texts.map(|(row, slot)| (!is_null(row, slot)).then(|| values.value(slot)))).map(Some)
}

fn gathered<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> Result<StringArray, String> {
    let mut builder = StringBuilder::with_capacity(texts.size_hint().0, 0);
    for text in texts {
        let room = i32::MAX as usize - builder.values_slice().len();
        if text.is_some_and(|text| text.len() > room) {
            return Err(TOO_LONG.into());
        }
        builder.append_option(text);
    }
    Ok(builder.finish())
}

const TOO_LONG: &str = "there is more than fits into 2 GiB: hand over fewer rows at once";

fn ids(column: &ArrayRef, size: i32) -> Result<ArrayRef, String> {
    let mut builder = FixedSizeBinaryBuilder::with_capacity(column.len(), size);
    let mut append = |(row, id): (usize, Option<&[u8]>)| match id {
        None => {
            builder.append_null();
            Ok(())
        }
        Some(id) => builder
            .append_value(id)
            .map_err(|_| format!("row {row}: an id of {} bytes, and {size} are needed", id.len())),
    };
    match column.data_type() {
        DataType::Binary => column.as_binary::<i32>().iter().enumerate().try_for_each(&mut append)?,
        DataType::LargeBinary => column.as_binary::<i64>().iter().enumerate().try_for_each(&mut append)?,
        _ => column.as_binary_view().iter().enumerate().try_for_each(&mut append)?,
    }
    Ok(Arc::new(builder.finish()))
}

/// A list of elements of ours. None if it is one already.
fn list(column: &ArrayRef, item: &DataType) -> Result<Option<ListArray>, String> {
    let (offsets, values, nulls) = match column.as_list_opt::<i32>() {
        Some(list) => {
            let Some(values) = own_type(list.values(), item)? else { return Ok(None) };
            (list.offsets().clone(), values, list.nulls().cloned())
        }
        None => large_list(column, item)?,
    };
    let item = nullable("item", &values);
    ListArray::try_new(item, offsets, values, nulls).map(Some).map_err(|error| error.to_string())
}

type Parts = (OffsetBuffer<i32>, ArrayRef, Option<NullBuffer>);

fn large_list(column: &ArrayRef, item: &DataType) -> Result<Parts, String> {
    checked(column)?;
    let list = column.as_list::<i64>();
    let first = list.value_offsets()[0];
    let offsets: Vec<i32> = list
        .value_offsets()
        .iter()
        .map(|offset| i32::try_from(offset - first).map_err(|_| TOO_LONG.into()))
        .collect::<Result<_, String>>()?;
    let len = offsets.last().map_or(0, |last| last.as_usize());
    let values = list.values().slice(first.as_usize(), len);
    let values = own_type(&values, item)?.unwrap_or(values);
    Ok((OffsetBuffer::new(ScalarBuffer::from(offsets)), values, list.nulls().cloned()))
}

fn structs(column: &StructArray, wanted: &Fields) -> Own {
    let Some((fields, columns)) = of_columns(wanted, column.fields(), column.columns())? else { return Ok(None) };
    let own = StructArray::try_new(fields.into(), columns, column.nulls().cloned());
    own.map(|own| Some(Arc::new(own) as ArrayRef)).map_err(|error| error.to_string())
}

fn map(column: &MapArray) -> Own {
    let [keys, values] = [column.keys(), column.values()].map(|texts| own_type(texts, &DataType::Utf8));
    let (keys, values) = match (keys?, values?) {
        (None, None) => return Ok(None),
        (keys, values) => {
            (keys.unwrap_or_else(|| column.keys().clone()), values.unwrap_or_else(|| column.values().clone()))
        }
    };
    of_pairs(column.offsets().clone(), keys, values, column.nulls().cloned())
}

/// A map of a tool that has none: a list of structs of `key` and `value`.
fn pairs(column: &ArrayRef, entry: &DataType) -> Own {
    let own = list(column, entry)?;
    let Some(list) = own.as_ref().or_else(|| column.as_list_opt::<i32>()) else { return Ok(None) };
    let Some(entries) = list.values().as_struct_opt().filter(|entries| entries.null_count() == 0) else {
        return Ok(None);
    };
    let (Some(keys), Some(values)) = (entries.column_by_name("key"), entries.column_by_name("value")) else {
        return Ok(None);
    };
    of_pairs(list.offsets().clone(), keys.clone(), values.clone(), list.nulls().cloned())
}

fn of_pairs(offsets: OffsetBuffer<i32>, keys: ArrayRef, values: ArrayRef, nulls: Option<NullBuffer>) -> Own {
    let entries = StructArray::try_new(schema::entry_fields(), vec![keys, values], None);
    let map = entries.and_then(|entries| MapArray::try_new(schema::entries_field(), offsets, entries, nulls, false));
    map.map(|map| Some(Arc::new(map) as ArrayRef)).map_err(|error| error.to_string())
}
