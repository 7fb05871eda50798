//! Batches in the types that other programs give our columns.
#![allow(clippy::unwrap_used, dead_code, reason = "shared by tests")]

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, UInt32Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, DictionaryArray, FixedSizeBinaryArray, LargeBinaryArray,
    LargeListArray, LargeStringArray, MapArray, RecordBatch, StringArray, StringViewArray, StructArray, UInt32Array,
};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, FieldRef, Schema};

/// What a tool makes of our types.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tool {
    /// Views, large lists, maps.
    Polars2,
    /// Large text and bytes, maps as lists of structs.
    Polars1,
    /// Plain bytes in place of ids.
    DuckDb,
    /// Dictionaries of other indexes and values.
    Categories,
}

/// Each of them.
pub(crate) const TOOLS: [Tool; 4] = [Tool::Polars2, Tool::Polars1, Tool::DuckDb, Tool::Categories];

/// A nullable field.
pub(crate) fn field(name: &str, column: &ArrayRef) -> FieldRef {
    Arc::new(Field::new(name, column.data_type().clone(), true))
}

/// A batch as a tool hands it over.
pub(crate) fn batch_by(tool: Tool, batch: &RecordBatch) -> RecordBatch {
    let columns: Vec<ArrayRef> = batch.columns().iter().map(|column| by(tool, column, true)).collect();
    let fields: Vec<FieldRef> =
        batch.schema().fields().iter().zip(&columns).map(|(own, column)| field(own.name(), column)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn texts(tool: Tool, text: &StringArray, top: bool) -> ArrayRef {
    match tool {
        Tool::Polars2 => Arc::new(text.iter().collect::<StringViewArray>()),
        Tool::Polars1 => Arc::new(text.iter().collect::<LargeStringArray>()),
        Tool::Categories if top => {
            let keys: UInt32Array = (0..text.len() as u32).map(|at| text.is_valid(at as usize).then_some(at)).collect();
            let values = Arc::new(text.iter().collect::<LargeStringArray>());
            Arc::new(DictionaryArray::<UInt32Type>::try_new(keys, values).unwrap())
        }
        _ => Arc::new(text.clone()),
    }
}

fn ids(tool: Tool, ids: &FixedSizeBinaryArray) -> ArrayRef {
    match tool {
        Tool::Polars2 => Arc::new(ids.iter().collect::<BinaryViewArray>()),
        Tool::Polars1 => Arc::new(ids.iter().collect::<LargeBinaryArray>()),
        _ => Arc::new(ids.iter().collect::<BinaryArray>()),
    }
}

fn large(column: &dyn Array, offsets: &[i32], values: ArrayRef) -> ArrayRef {
    let offsets = OffsetBuffer::new(ScalarBuffer::from_iter(offsets.iter().map(|&offset| i64::from(offset))));
    Arc::new(LargeListArray::try_new(field("l", &values), offsets, values, column.nulls().cloned()).unwrap())
}

fn structs(tool: Tool, column: &StructArray) -> ArrayRef {
    let columns: Vec<ArrayRef> = column.columns().iter().map(|column| by(tool, column, false)).collect();
    let fields = column.fields().iter().zip(&columns).map(|(own, column)| field(own.name(), column));
    Arc::new(StructArray::try_new(fields.collect(), columns, column.nulls().cloned()).unwrap())
}

fn maps(tool: Tool, column: &MapArray) -> ArrayRef {
    let entries = structs(tool, column.entries());
    if matches!(tool, Tool::Polars1) {
        return large(column, column.value_offsets(), entries);
    }
    let entries = entries.as_struct();
    let keys = Field::new("key", entries.column(0).data_type().clone(), false);
    let fields = vec![Arc::new(keys), field("value", entries.column(1))].into();
    let entries = StructArray::try_new(fields, entries.columns().to_vec(), None).unwrap();
    let entry = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    Arc::new(MapArray::try_new(entry, column.offsets().clone(), entries, column.nulls().cloned(), false).unwrap())
}

fn by(tool: Tool, column: &ArrayRef, top: bool) -> ArrayRef {
    match column.data_type() {
        DataType::Utf8 => texts(tool, column.as_string(), top),
        DataType::Dictionary(..) => {
            let text = column.as_dictionary::<Int32Type>().downcast_dict::<StringArray>().unwrap();
            texts(tool, &text.into_iter().collect(), top)
        }
        DataType::FixedSizeBinary(_) => ids(tool, column.as_fixed_size_binary()),
        DataType::List(_) if matches!(tool, Tool::Polars1 | Tool::Polars2) => {
            let list = column.as_list::<i32>();
            large(list, list.value_offsets(), by(tool, list.values(), false))
        }
        DataType::List(_) => {
            let (_, offsets, values, nulls) = column.as_list::<i32>().clone().into_parts();
            let values = by(tool, &values, false);
            Arc::new(arrow_array::ListArray::try_new(field("l", &values), offsets, values, nulls).unwrap())
        }
        DataType::Struct(_) => structs(tool, column.as_struct()),
        DataType::Map(..) => maps(tool, column.as_map()),
        _ => column.clone(),
    }
}
