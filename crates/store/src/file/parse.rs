//! Schemas as they lie in a file.

use arrow_ipc::Type;
use arrow_schema::{DataType, Field, Fields, Schema, TimeUnit};

/// An entry of the metadata of a schema.
pub(crate) fn schema_entry(schema: arrow_ipc::Schema<'_>, key: &str) -> Option<String> {
    let mut pairs = schema.custom_metadata().into_iter().flatten();
    pairs.find(|pair| pair.key() == Some(key)).and_then(|pair| pair.value()).map(str::to_owned)
}

/// The schema, if it has only types that our files have.
pub(crate) fn schema(schema: arrow_ipc::Schema<'_>) -> Option<Schema> {
    let fields = schema.fields()?.iter().map(field).collect::<Option<Vec<_>>>()?;
    let metadata = schema.custom_metadata().into_iter().flatten();
    let metadata = metadata.filter_map(|pair| Some((pair.key()?.to_owned(), pair.value()?.to_owned()))).collect();
    Some(Schema::new_with_metadata(fields, metadata))
}

fn field(field: arrow_ipc::Field<'_>) -> Option<Field> {
    let mut data_type = value_type(field)?;
    if let Some(dictionary) = field.dictionary() {
        let index = dictionary.indexType()?;
        if index.bitWidth() != 32 || !index.is_signed() {
            return None;
        }
        data_type = DataType::Dictionary(Box::new(DataType::Int32), Box::new(data_type));
    }
    Some(Field::new(field.name()?, data_type, field.nullable()))
}

fn value_type(field: arrow_ipc::Field<'_>) -> Option<DataType> {
    let children = || match field.children() {
        Some(children) => children.iter().map(self::field).collect::<Option<Fields>>(),
        None => Some(Fields::empty()),
    };
    let only_child = || children().filter(|children| children.len() == 1).map(|children| children[0].clone());
    Some(match field.type_type() {
        Type::Bool => DataType::Boolean,
        Type::Utf8 => DataType::Utf8,
        Type::Binary => DataType::Binary,
        Type::Int => {
            let int = field.type_as_int()?;
            match (int.bitWidth(), int.is_signed()) {
                (8, true) => DataType::Int8,
                (16, true) => DataType::Int16,
                (32, true) => DataType::Int32,
                (64, true) => DataType::Int64,
                (8, false) => DataType::UInt8,
                (16, false) => DataType::UInt16,
                (32, false) => DataType::UInt32,
                (64, false) => DataType::UInt64,
                _ => return None,
            }
        }
        Type::FloatingPoint => match field.type_as_floating_point()?.precision() {
            arrow_ipc::Precision::SINGLE => DataType::Float32,
            arrow_ipc::Precision::DOUBLE => DataType::Float64,
            _ => return None,
        },
        Type::FixedSizeBinary => {
            let width = field.type_as_fixed_size_binary()?.byteWidth();
            DataType::FixedSizeBinary((width > 0).then_some(width)?)
        }
        Type::Timestamp => {
            let timestamp = field.type_as_timestamp()?;
            let unit = match timestamp.unit() {
                arrow_ipc::TimeUnit::SECOND => TimeUnit::Second,
                arrow_ipc::TimeUnit::MILLISECOND => TimeUnit::Millisecond,
                arrow_ipc::TimeUnit::MICROSECOND => TimeUnit::Microsecond,
                arrow_ipc::TimeUnit::NANOSECOND => TimeUnit::Nanosecond,
                _ => return None,
            };
            DataType::Timestamp(unit, timestamp.timezone().map(Into::into))
        }
        Type::List => DataType::List(only_child()?),
        Type::Struct_ => DataType::Struct(children()?),
        Type::Map => {
            let entries = only_child()?;
            let pairs = matches!(entries.data_type(), DataType::Struct(fields) if fields.len() == 2);
            DataType::Map(pairs.then_some(entries)?, field.type_as_map()?.keysSorted())
        }
        _ => return None,
    })
}
