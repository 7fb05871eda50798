//! What the decoder makes of every kind of producer: the rows that went in.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampNanosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_ipc::CompressionType;
use otlp_arrow_columns::Signal;
use otlp_arrow_wire::otap::{ArrowPayload, BatchArrowRecords, PayloadType};

use super::model::{Keys, Log, Options, Rules, Table, Value, attributes, logs};
use super::{read, stream};

pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }

    fn value(&mut self) -> Value {
        match self.below(12) {
            0 => Value::Empty,
            1 | 2 => Value::Str(String::new()),
            3 => Value::Int(0),
            4 => Value::Int([i64::MIN, -1, 7, i64::MAX][self.below(4)]),
            5 => Value::Double([0.0, -0.0, 0.5, f64::NAN, f64::INFINITY.copysign(1.0)][self.below(4)]),
            6 => Value::Bool(self.below(2) == 0),
            7 => Value::Bytes(vec![7; self.below(3)]),
            _ => {
                Value::Str(["a", "é", "GET", "/api/v1", "a longer text than the others of them"][self.below(5)].into())
            }
        }
    }

    fn log(&mut self, time: i64, resources: usize) -> Log {
        let keys = ["k", "key", "http.method", "é"];
        let mut attributes: Vec<(String, Value)> = Vec::new();
        for key in keys {
            if self.below(2) == 0 {
                attributes.push((key.to_owned(), self.value()));
            }
        }
        let body = (self.below(4) > 0).then(|| {
            if self.below(3) == 0 {
                Value::Int(self.below(9) as i64)
            } else {
                Value::Str(["", "hello"][self.below(2)].into())
            }
        });
        Log { time, body, attributes, resource: self.below(resources) as u16 }
    }
}

/// The rows as text, by time.
fn shown(batch: &RecordBatch) -> Vec<String> {
    let times = batch.column_by_name("time").unwrap().as_primitive::<TimestampNanosecondType>();
    let dictionary = |name: &str, row: usize| -> Option<String> {
        let column = batch.column_by_name(name).unwrap().as_dictionary::<Int32Type>();
        let key = column.key(row)?;
        Some(column.values().as_string::<i32>().value(key).to_owned())
    };
    let bodies = batch.column_by_name("body").unwrap().as_string::<i32>();
    let mut rows: Vec<String> = (0..batch.num_rows())
        .map(|row| {
            let entries = batch.column_by_name("attributes").unwrap().as_map().value(row);
            let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_string::<i32>());
            let letters = dictionary("attribute_types", row);
            let mut pairs: Vec<String> = (0..keys.len())
                .map(|at| {
                    let letter = letters.as_ref().map_or('s', |letters| char::from(letters.as_bytes()[at]));
                    let value = if values.is_null(at) { "null" } else { values.value(at) };
                    format!("{}:{letter}:{value}", keys.value(at))
                })
                .collect();
            pairs.sort();
            let body = if bodies.is_null(row) { None } else { Some(bodies.value(row)) };
            let kind = dictionary("body_type", row);
            let resource = dictionary("resource_attributes", row).unwrap_or_default();
            format!("{:020} {pairs:?} {kind:?} {body:?} {resource}", times.value(row))
        })
        .collect();
    rows.sort();
    rows
}

fn wanted(logs: &[Log]) -> Vec<String> {
    let mut rows: Vec<String> = logs
        .iter()
        .map(|log| {
            let mut pairs: Vec<String> = log
                .attributes
                .iter()
                .map(|(key, value)| {
                    let (letter, text) = value.shown();
                    format!("{key}:{letter}:{text}")
                })
                .collect();
            pairs.sort();
            let (kind, body) = match log.body.as_ref().map(Value::shown) {
                Some((letter, text)) => (Some(letter.to_string()), Some(text)),
                None => (None, None),
            };
            format!("{:020} {pairs:?} {kind:?} {body:?} {{\"resource\":\"r{}\"}}", log.time, log.resource)
        })
        .collect();
    rows.sort();
    rows
}

/// Traps 1, 2, 3 and 12: 2,000 batches on streams of every kind, the tables in any order.
#[test]
fn every_kind_of_producer_is_understood() {
    let mut random = Random(11);
    let mut time = 0;
    for rules in [Rules::Go, Rules::Rust, Rules::Plain] {
        for keys in [Keys::U8, Keys::U16, Keys::Plain] {
            for compression in [None, Some(CompressionType::ZSTD)] {
                for replace in [false, true] {
                    let mut options = Options { rules, keys, replace, compression };
                    let mut stream = stream(Signal::Logs);
                    let mut tables = [Table::new("0"), Table::new("1"), Table::new("2")];
                    let mut next_id = 3;
                    for _ in 0..56 {
                        // Now and then the schema changes: a wider index, or none.
                        if random.below(15) == 0 {
                            options.keys = [Keys::U8, Keys::U16, Keys::Plain][random.below(3)];
                            for table in &mut tables {
                                table.restart(&next_id.to_string());
                                next_id += 1;
                            }
                        }
                        let count = random.below(30);
                        let resources = 1 + random.below(3);
                        let mut rows: Vec<Log> =
                            (0..count).map(|at| random.log(time + at as i64 + 1, resources)).collect();
                        time += 100;
                        rows.sort_by_key(|row| row.resource);
                        let [root, own, of_resources] = &mut tables;
                        let list = |rows: &[Log]| {
                            let each = rows.iter().enumerate();
                            each.flat_map(|(at, row)| {
                                row.attributes.iter().map(move |(key, value)| (at as u16, key.clone(), value.clone()))
                            })
                            .collect()
                        };
                        let resource = |at| (at, "resource".to_owned(), Value::Str(format!("r{at}")));
                        let pieces = [
                            (PayloadType::Logs, root.schema_id.clone(), logs(root, &rows, &options)),
                            (PayloadType::LogAttrs, own.schema_id.clone(), attributes(own, list(&rows), &options)),
                            (
                                PayloadType::ResourceAttrs,
                                of_resources.schema_id.clone(),
                                attributes(of_resources, (0..resources as u16).map(resource).collect(), &options),
                            ),
                        ];
                        let mut payloads: Vec<ArrowPayload<'_>> = pieces
                            .iter()
                            .map(|(kind, id, record)| ArrowPayload {
                                schema_id: id.as_bytes(),
                                kind: *kind as u64,
                                record,
                            })
                            .collect();
                        payloads.rotate_left(random.below(3));
                        if random.below(2) == 0 {
                            payloads.reverse();
                        }
                        let batch = BatchArrowRecords { batch_id: 1, payloads, headers: b"" };
                        let stored = read(&mut stream, &batch).unwrap_or_else(|fault| panic!("{options:?}: {fault}"));
                        assert_eq!(shown(stored.batch()), wanted(&rows), "{options:?}");
                    }
                }
            }
        }
    }
}

/// Trap 1 by hand: one table of wire values, read by each rule.
#[test]
fn by_go_two_defaults_are_alike_and_by_rust_they_are_not() {
    // Three records with an empty text under one key, in the bytes of each producer.
    for rules in [Rules::Go, Rules::Rust, Rules::Plain] {
        let options = Options { rules, keys: Keys::U8, replace: false, compression: None };
        let mut tables = [Table::new("0"), Table::new("1")];
        let row = |time: i64, value: &Value| Log {
            time,
            body: None,
            attributes: vec![("k".into(), value.clone())],
            resource: 0,
        };
        for value in [
            Value::Str(String::new()),
            Value::Int(0),
            Value::Bool(false),
            Value::Bytes(vec![]),
            Value::Double(f64::NAN),
            Value::Double(-0.0),
            Value::Str("same".into()),
        ] {
            let rows: Vec<Log> = (1..=3).map(|time| row(time, &value)).collect();
            let [root, own] = &mut tables;
            root.restart("0");
            own.restart("1");
            let list = rows
                .iter()
                .enumerate()
                .map(|(at, row)| (at as u16, "k".to_owned(), row.attributes[0].1.clone()))
                .collect();
            let pieces = [logs(root, &rows, &options), attributes(own, list, &options)];
            let payloads = vec![
                ArrowPayload { schema_id: b"0", kind: 30, record: &pieces[0] },
                ArrowPayload { schema_id: b"1", kind: 31, record: &pieces[1] },
            ];
            let stored =
                read(&mut stream(Signal::Logs), &BatchArrowRecords { batch_id: 0, payloads, headers: b"" }).unwrap();
            let wanted: Vec<String> =
                wanted(&rows).iter().map(|row| row.replace(r#"{"resource":"r0"}"#, "{}")).collect();
            assert_eq!(shown(stored.batch()), wanted, "{rules:?} {value:?}");
        }
    }
}

/// Trap 3: 70,000 texts on one stream. What is new each time is appended; where few are new, the dictionary begins anew.
#[test]
fn seventy_thousand_texts_on_one_stream() {
    for reset in [false, true] {
        let mut options = Options { rules: Rules::Go, keys: Keys::U8, replace: false, compression: None };
        let mut stream = stream(Signal::Logs);
        let mut tables = [Table::new("0"), Table::new("1")];
        let (mut next_id, mut sent) = (2, 0_usize);
        while sent < 70_000 {
            let rows: Vec<Log> = (0..500)
                .map(|at| Log {
                    time: (sent + at) as i64 + 1,
                    body: Some(Value::Str(format!("body {}", sent + at))),
                    attributes: vec![("k".into(), Value::Str(format!("text {}", sent + at)))],
                    resource: 0,
                })
                .collect();
            // As Go does: a wider index at 256, and beyond 65,536 another dictionary or none.
            let [root, own] = &mut tables;
            let turn = if sent == 0 {
                None
            } else if sent == 500 {
                Some(Keys::U16)
            } else if sent == 65_500 {
                Some(if reset { Keys::U16 } else { Keys::Plain })
            } else {
                None
            };
            if let Some(keys) = turn {
                options.keys = keys;
                for table in [&mut *root, &mut *own] {
                    table.restart(&next_id.to_string());
                    next_id += 1;
                }
            }
            let list = rows
                .iter()
                .enumerate()
                .map(|(at, row)| (at as u16, "k".to_owned(), row.attributes[0].1.clone()))
                .collect();
            let pieces = [logs(root, &rows, &options), attributes(own, list, &options)];
            let payloads = vec![
                ArrowPayload { schema_id: root.schema_id.as_bytes(), kind: 30, record: &pieces[0] },
                ArrowPayload { schema_id: own.schema_id.as_bytes(), kind: 31, record: &pieces[1] },
            ];
            let stored = read(&mut stream, &BatchArrowRecords { batch_id: 0, payloads, headers: b"" }).unwrap();
            let wanted: Vec<String> =
                wanted(&rows).iter().map(|row| row.replace(r#"{"resource":"r0"}"#, "{}")).collect();
            assert_eq!(shown(stored.batch()), wanted, "{sent}");
            sent += 500;
            assert!(stream.bytes() < super::KEEP);
        }
        assert!(stream.bytes() > 0);
    }
}
