//! Batches in the types that other programs give their columns become the same request as ours.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, UInt32Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, DictionaryArray, FixedSizeBinaryArray, LargeBinaryArray,
    LargeListArray, LargeStringArray, MapArray, RecordBatch, StringArray, StringViewArray, StructArray, UInt32Array,
};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, FieldRef, Schema};
use otlp_arrow_columns::{Format, Signal, decode, encode, encode_protobuf};
use otlp_arrow_testkit::generate::Generator;
use prost::Message;

/// What a tool makes of our types.
#[derive(Clone, Copy, Debug)]
enum Tool {
    /// Views, large lists, maps.
    Polars2,
    /// Large text and bytes, maps as lists of structs.
    Polars1,
    /// Plain bytes in place of ids.
    DuckDb,
    /// Dictionaries of other indexes and values.
    Categories,
}

const TOOLS: [Tool; 4] = [Tool::Polars2, Tool::Polars1, Tool::DuckDb, Tool::Categories];

fn field(name: &str, column: &ArrayRef) -> FieldRef {
    Arc::new(Field::new(name, column.data_type().clone(), true))
}

fn batch_by(tool: Tool, batch: &RecordBatch) -> RecordBatch {
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

fn batch_of(signal: Signal, seed: u64) -> RecordBatch {
    let mut generator = Generator::new(seed);
    let request = match signal {
        Signal::Traces => generator.traces().encode_to_vec(),
        Signal::Metrics => generator.metrics().encode_to_vec(),
        Signal::Logs => generator.logs().encode_to_vec(),
    };
    decode(signal, &request, Format::Protobuf).unwrap().batch
}

#[test]
fn columns_of_other_tools_become_the_same_request() {
    for seed in 0..60 {
        for signal in Signal::ALL {
            let batch = batch_of(signal, seed);
            let (from, len) = (batch.num_rows() / 3, batch.num_rows() - batch.num_rows() / 3);
            let own = [batch.clone(), batch.slice(from, len)];
            let wanted = encode_protobuf(signal, &own).unwrap();
            for tool in TOOLS {
                let theirs = batch_by(tool, &batch);
                let found = encode(signal, &[theirs.clone(), theirs.slice(from, len)], Format::Protobuf);
                assert_eq!(found.as_deref(), Ok(&*wanted), "{tool:?}, {signal:?}, seed {seed}");
                // Beside ones of ours.
                let found = encode(signal, &[batch.clone(), theirs.slice(from, len)], Format::Protobuf);
                assert_eq!(found.as_deref(), Ok(&*wanted), "{tool:?}, {signal:?}, seed {seed}");
            }
        }
    }
}

fn refused(name: &str, column: ArrayRef) -> String {
    let batch = (0..).map(|seed| batch_of(Signal::Traces, seed)).find(|batch| batch.num_rows() == column.len());
    let batch = batch.unwrap();
    let at = batch.schema().index_of(name).unwrap();
    let mut fields: Vec<_> = batch.schema().fields().iter().cloned().collect();
    let mut columns = batch.columns().to_vec();
    (fields[at], columns[at]) = (field(name, &column), column);
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    encode(Signal::Traces, &[batch], Format::Protobuf).unwrap_err().to_string()
}

#[test]
fn what_stands_for_nothing_of_ours_is_told() {
    let short = LargeBinaryArray::from_iter([Some(&[1_u8; 16][..]), None, Some(&[1; 5])]);
    assert_eq!(refused("trace_id", Arc::new(short)), "column trace_id: row 2: an id of 5 bytes, and 16 are needed");
    let numbers: ArrayRef = Arc::new(UInt32Array::from(vec![1]));
    let categories = DictionaryArray::<Int32Type>::try_new(vec![0; 2].into(), numbers.clone()).unwrap();
    assert!(refused("name", Arc::new(categories)).contains("column name is of type Dictionary"));
    let one_each = OffsetBuffer::from_lengths([1]);
    let list = LargeListArray::try_new(field("l", &numbers), one_each, numbers, None).unwrap();
    for name in ["events", "attributes"] {
        assert!(refused(name, Arc::new(list.clone())).starts_with(&format!("column {name} is of type")), "{name}");
    }
}

#[test]
fn a_category_without_values_is_null() {
    let batch = batch_of(Signal::Traces, 1);
    let nothing = DictionaryArray::<UInt32Type>::try_new(
        UInt32Array::new_null(batch.num_rows()),
        Arc::new(StringViewArray::from_iter(Vec::<Option<&str>>::new())),
    );
    let at = batch.schema().index_of("scope_name").unwrap();
    let mut fields: Vec<_> = batch.schema().fields().iter().cloned().collect();
    let mut columns = batch.columns().to_vec();
    columns[at] = Arc::new(nothing.unwrap());
    fields[at] = field("scope_name", &columns[at]);
    let theirs = RecordBatch::try_new(Arc::new(Schema::new(fields.clone())), columns.clone()).unwrap();
    columns[at] = Arc::new(StringArray::new_null(batch.num_rows()));
    fields[at] = field("scope_name", &columns[at]);
    let own = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    assert_eq!(encode(Signal::Traces, &[theirs], Format::Protobuf), encode_protobuf(Signal::Traces, &[own]));
}
