//! The golden fixtures of test/fixtures, which the other languages read too. Its README says what is in them.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write as _;
use std::path::PathBuf;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampNanosecondType, UInt32Type, UInt64Type};
use arrow_array::{Array, RecordBatch, StructArray};
use arrow_schema::DataType;
use otlp_arrow_columns::{Decoded, Format, Limits, Reason, Signal, decode, encode, json};

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../test/fixtures")
}

fn cases() -> Vec<(Signal, String)> {
    let mut cases: Vec<(Signal, String)> = std::fs::read_dir(directory())
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().file_name().to_str()?.strip_suffix(".request.json")?.to_owned()))
        .map(|name| (name.split('-').next().unwrap().parse().unwrap(), name))
        .collect();
    cases.sort_by(|a, b| a.1.cmp(&b.1));
    assert!(cases.len() >= 7, "fixtures are missing in {:?}", directory());
    cases
}

fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            '\0'..='\u{1f}' => write!(out, "\\u{:04x}", char as u32).unwrap(),
            _ => out.push(char),
        }
    }
    out + "\""
}

/// One cell as the README describes it.
fn cell(array: &dyn Array, row: usize) -> String {
    let join = |cells: Vec<String>| format!("[{}]", cells.join(","));
    let each = |list: &dyn Array| join((0..list.len()).map(|at| cell(list, at)).collect());
    match array.data_type() {
        _ if array.is_null(row) => "null".into(),
        DataType::Utf8 => quote(array.as_string::<i32>().value(row)),
        DataType::Boolean => array.as_boolean().value(row).to_string(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::UInt32 => array.as_primitive::<UInt32Type>().value(row).to_string(),
        DataType::Int64 => quote(&array.as_primitive::<Int64Type>().value(row).to_string()),
        DataType::UInt64 => quote(&array.as_primitive::<UInt64Type>().value(row).to_string()),
        DataType::Float64 => {
            quote(&format!("{:?}", array.as_primitive::<Float64Type>().value(row)).replace("inf", "Infinity"))
        }
        DataType::Timestamp(..) => quote(&array.as_primitive::<TimestampNanosecondType>().value(row).to_string()),
        DataType::FixedSizeBinary(_) => {
            quote(&array.as_fixed_size_binary().value(row).iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        }
        DataType::Dictionary(..) => {
            let dictionary = array.as_dictionary::<Int32Type>();
            cell(dictionary.values(), dictionary.keys().value(row) as usize)
        }
        DataType::List(_) => each(&array.as_list::<i32>().value(row)),
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let pair = |at| join(entries.columns().iter().map(|column| cell(column, at)).collect());
            join((0..entries.len()).map(pair).collect())
        }
        DataType::Struct(_) => object(array.as_struct(), row),
        other => panic!("no cell of type {other}"),
    }
}

fn object(columns: &StructArray, row: usize) -> String {
    let cells = columns.fields().iter().zip(columns.columns()).filter(|(_, column)| column.is_valid(row));
    let cells: Vec<String> =
        cells.map(|(field, column)| format!("{}:{}", quote(field.name()), cell(column, row))).collect();
    format!("{{{}}}", cells.join(","))
}

fn rows(decoded: &Decoded) -> String {
    let refused: Vec<String> = Reason::ALL
        .iter()
        .zip(decoded.refused.by_reason)
        .map(|(reason, count)| format!("{}:{count}", quote(reason.as_str())))
        .collect();
    let columns = StructArray::from(decoded.batch.clone());
    let rows: Vec<String> = (0..columns.len()).map(|row| object(&columns, row)).collect();
    format!("{{\"refused\":{{{}}},\"rows\":[\n{}\n]}}\n", refused.join(","), rows.join(",\n"))
}

fn batch_rows(batch: RecordBatch) -> String {
    rows(&Decoded { batch, refused: Default::default() }).split_once("\"rows\"").unwrap().1.to_owned()
}

/// Compares with the golden file, or writes it.
fn golden(name: &str, found: &[u8]) {
    let path = directory().join(name);
    if std::env::var_os("OTLP_ARROW_BLESS").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(
        found == expected,
        "{name} differs; found:\n{}\nexpected:\n{}",
        String::from_utf8_lossy(found),
        String::from_utf8_lossy(&expected)
    );
}

#[test]
fn every_fixture_gives_what_it_says() {
    for (signal, name) in cases() {
        let request = std::fs::read(directory().join(format!("{name}.request.json"))).unwrap();
        golden(&format!("{name}.request.binpb"), &json::to_protobuf(signal, &request, &Limits::default()).unwrap());
        let from_json = decode(signal, &request, Format::Json).unwrap();
        let rows = rows(&from_json);
        golden(&format!("{name}.rows.json"), rows.as_bytes());
        jiter::JsonValue::parse(rows.as_bytes(), false).unwrap_or_else(|error| panic!("{name}: {error}"));
        let binary = std::fs::read(directory().join(format!("{name}.request.binpb"))).unwrap();
        let from_protobuf = decode(signal, &binary, Format::Protobuf).unwrap();
        assert_eq!(from_protobuf.batch, from_json.batch, "{name}");
        assert_eq!(from_protobuf.refused, from_json.refused, "{name}");

        let batches = [from_json.batch];
        golden(&format!("{name}.encoded.json"), &encode(signal, &batches, Format::Json).unwrap());
        let again = encode(signal, &batches, Format::Protobuf).unwrap();
        let again = decode(signal, &again, Format::Protobuf).unwrap();
        let [batch] = batches;
        assert_eq!(batch_rows(again.batch), batch_rows(batch), "{name}");
    }
}
