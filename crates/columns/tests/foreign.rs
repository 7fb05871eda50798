//! Batches in the types that other programs give their columns become the same request as ours.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/tools.rs"]
mod tools;

use std::sync::Arc;

use arrow_array::types::{Int32Type, UInt32Type};
use arrow_array::{
    ArrayRef, DictionaryArray, LargeBinaryArray, LargeListArray, RecordBatch, StringArray, StringViewArray, UInt32Array,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::Schema;
use otlp_arrow_columns::{Format, Signal, decode, encode, encode_protobuf};
use otlp_arrow_testkit::generate::Generator;
use prost::Message;
use tools::{TOOLS, batch_by, field};

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
