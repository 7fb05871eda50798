//! Rows in a form that can be compared although a sender of OTAP sorts what OTLP keeps in order.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampNanosecondType, UInt32Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;

/// Every row as text, sorted: attributes, events, links and exemplars in an order of their own.
pub(crate) fn canonical(batch: &RecordBatch) -> Vec<String> {
    let mut rows: Vec<String> = (0..batch.num_rows()).map(|row| of_row(batch, row)).collect();
    rows.sort();
    rows
}

fn of_row(batch: &RecordBatch, row: usize) -> String {
    let schema = batch.schema();
    let cells = schema.fields().iter().zip(batch.columns()).filter(|(field, _)| field.name() != "attribute_types");
    let cells = cells.map(|(field, column)| {
        let name = field.name();
        let text = match name.as_str() {
            "attributes" => attributes(column, batch.column_by_name("attribute_types").unwrap(), row),
            "resource_attributes" | "scope_attributes" | "metadata" => object(&cell(column, row)),
            _ => cell(column, row),
        };
        format!("{name}={text}")
    });
    cells.collect::<Vec<_>>().join("|")
}

/// Pairs with their letters, sorted.
fn attributes(map: &dyn Array, types: &dyn Array, row: usize) -> String {
    let entries = map.as_map().value(row);
    let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_string::<i32>());
    let letters = cell(types, row);
    let mut pairs: Vec<String> = (0..entries.len())
        .map(|at| {
            let letter = if letters == "null" { 's' } else { char::from(letters.as_bytes()[at]) };
            let value = if values.is_null(at) { "null" } else { values.value(at) };
            format!("{}:{letter}:{value}", keys.value(at))
        })
        .collect();
    pairs.sort();
    format!("{pairs:?}")
}

/// The members of a JSON object, sorted: none of the tests has a comma within a string of one.
fn object(json: &str) -> String {
    let Some(inner) = json.strip_prefix('{').and_then(|json| json.strip_suffix('}')) else { return json.to_owned() };
    let (mut members, mut depth, mut start, mut quoted, mut escaped) = (Vec::new(), 0, 0, false, false);
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => depth -= 1,
            b',' if !quoted && depth == 0 => {
                members.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    members.push(&inner[start..]);
    members.sort_unstable();
    format!("{{{}}}", members.join(","))
}

fn cell(array: &dyn Array, row: usize) -> String {
    match array.data_type() {
        _ if array.is_null(row) => "null".into(),
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::Boolean => array.as_boolean().value(row).to_string(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::UInt32 => array.as_primitive::<UInt32Type>().value(row).to_string(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).to_string(),
        DataType::Float64 => {
            let value = array.as_primitive::<Float64Type>().value(row);
            format!("{value:?}/{:x}", value.to_bits())
        }
        DataType::Timestamp(..) => array.as_primitive::<TimestampNanosecondType>().value(row).to_string(),
        DataType::FixedSizeBinary(_) => {
            array.as_fixed_size_binary().value(row).iter().map(|byte| format!("{byte:02x}")).collect()
        }
        DataType::Dictionary(..) => {
            let dictionary = array.as_dictionary::<Int32Type>();
            cell(dictionary.values(), dictionary.keys().value(row) as usize)
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>().value(row);
            let mut items: Vec<String> = (0..list.len()).map(|at| item(&list, at)).collect();
            if matches!(list.data_type(), DataType::Struct(_)) {
                items.sort();
            }
            format!("{items:?}")
        }
        other => panic!("a cell of {other}"),
    }
}

fn item(list: &dyn Array, at: usize) -> String {
    let Some(structs) = list.as_struct_opt() else { return cell(list, at) };
    let fields = structs.fields().iter().zip(structs.columns());
    let cells = fields.filter(|(field, _)| field.name() != "attribute_types").map(|(field, column)| {
        let text = match field.name().as_str() {
            "attributes" => attributes(column, structs.column_by_name("attribute_types").unwrap(), at),
            _ => cell(column, at),
        };
        format!("{}={text}", field.name())
    });
    cells.collect::<Vec<_>>().join(";")
}
