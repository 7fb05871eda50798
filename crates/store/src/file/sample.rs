//! Batches with every shape of column the storage schema has, for the tests of this module.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, FixedSizeBinaryBuilder, Float64Builder, ListBuilder, MapBuilder, MapFieldNames, StringBuilder,
    StringDictionaryBuilder, StructBuilder, TimestampNanosecondBuilder, UInt64Builder,
};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))
}

fn map() -> DataType {
    let entries =
        Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
}

fn events() -> Fields {
    Fields::from(vec![
        Field::new("time", timestamp(), true),
        Field::new("name", DataType::Utf8, false),
        Field::new("attributes", map(), false),
    ])
}

pub(crate) fn schema() -> SchemaRef {
    let dict = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let event = Field::new("item", DataType::Struct(events()), false);
    Arc::new(Schema::new(vec![
        Field::new("span_id", DataType::FixedSizeBinary(8), true),
        Field::new("name", dict.clone(), false),
        Field::new("service_name", dict, true),
        Field::new("start_time", timestamp(), true),
        Field::new("status_message", DataType::Utf8, true),
        Field::new("is_monotonic", DataType::Boolean, true),
        Field::new("attributes", map(), false),
        Field::new("events", DataType::List(Arc::new(event)), false),
        Field::new("bucket_counts", DataType::List(Arc::new(Field::new("item", DataType::UInt64, false))), true),
        Field::new("value", DataType::Float64, true),
    ]))
}

fn map_builder() -> MapBuilder<StringBuilder, StringBuilder> {
    let names = MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
    MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new())
}

/// `rows` rows that depend on `from` and the row alone, with nulls, empty lists and repeated names.
pub(crate) fn batch(from: u64, rows: u64) -> RecordBatch {
    let mut span_id = FixedSizeBinaryBuilder::new(8);
    let mut name = StringDictionaryBuilder::<Int32Type>::new();
    let mut service = StringDictionaryBuilder::<Int32Type>::new();
    let mut time = TimestampNanosecondBuilder::new().with_timezone("UTC");
    let mut status = StringBuilder::new();
    let mut monotonic = BooleanBuilder::new();
    let mut attributes = map_builder();
    let builders: Vec<Box<dyn arrow_array::builder::ArrayBuilder>> = vec![
        Box::new(TimestampNanosecondBuilder::new().with_timezone("UTC")),
        Box::new(StringBuilder::new()),
        Box::new(map_builder()),
    ];
    let item = Arc::new(Field::new("item", DataType::Struct(events()), false));
    let mut event = ListBuilder::new(StructBuilder::new(events(), builders)).with_field(item);
    let mut buckets = ListBuilder::new(UInt64Builder::new()).with_field(Field::new("item", DataType::UInt64, false));
    let mut value = Float64Builder::new();
    for row in from..from + rows {
        if row % 5 == 4 {
            span_id.append_null()
        } else {
            span_id.append_value((row * 7).to_le_bytes()).unwrap()
        }
        name.append_value(format!("GET /item/{}", row % 11));
        service.append_option((row % 3 != 0).then(|| format!("service-{}", row % 4)));
        time.append_option((row % 7 != 1).then_some(1_760_000_000_000_000_000 + row as i64 * 1_000_000_000));
        status.append_option((row % 4 == 2).then(|| format!("réason {row}")));
        monotonic.append_option((row % 6 != 5).then_some(row % 2 == 0));
        for key in 0..row % 4 {
            attributes.keys().append_value(format!("key.{key}"));
            attributes.values().append_option((key != 2).then(|| format!("v{row}-{key}")));
        }
        attributes.append(true).unwrap();
        for position in 0..row % 3 {
            let fields = event.values();
            fields.field_builder::<TimestampNanosecondBuilder>(0).unwrap().append_value(row as i64);
            fields.field_builder::<StringBuilder>(1).unwrap().append_value(format!("event {position}"));
            let map = fields.field_builder::<MapBuilder<StringBuilder, StringBuilder>>(2).unwrap();
            map.keys().append_value("k");
            map.values().append_value(row.to_string());
            map.append(true).unwrap();
            fields.append(true);
        }
        event.append(true);
        if row % 3 == 0 {
            buckets.append(false);
        } else {
            (0..row % 5).for_each(|count| buckets.values().append_value(count * row));
            buckets.append(true);
        }
        value.append_option((row % 8 != 3).then_some(row as f64 / 3.0));
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(span_id.finish()),
        Arc::new(name.finish()),
        Arc::new(service.finish()),
        Arc::new(time.finish()),
        Arc::new(status.finish()),
        Arc::new(monotonic.finish()),
        Arc::new(attributes.finish()),
        Arc::new(event.finish()),
        Arc::new(buckets.finish()),
        Arc::new(value.finish()),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

/// A file whose bytes are in memory.
#[derive(Clone, Debug)]
pub(crate) struct InMemory(pub(crate) Vec<u8>);

impl crate::disk::storage::ReadFile for InMemory {
    fn len(&self) -> std::io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        let rest = self.0.get(offset as usize..).unwrap_or_default();
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }
}

/// A live file with a commit of each of these numbers of rows.
pub(crate) fn stream(rows: &[u64]) -> Vec<u8> {
    let mut encoder = super::CommitEncoder::new("00000000000000aa");
    let (mut file, mut row) = (Vec::new(), 0);
    for rows in rows {
        file.extend_from_slice(encoder.encode(&batch(row, *rows), row).unwrap());
        row += rows;
    }
    file
}
