//! A producer of OTAP in the ways that producers differ: how ids are written and by whose rules rows are alike, how wide
//! the indexes of dictionaries are, whether these grow or are replaced, how buffers are compressed, in which order tables come.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::{UInt8Type, UInt16Type};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, DictionaryArray, Float64Array, Int64Array, PrimitiveArray, RecordBatch,
    StringArray, StructArray, TimestampNanosecondArray, UInt8Array, UInt16Array,
};
use arrow_buffer::NullBuffer;
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{DictionaryHandling, IpcWriteOptions, StreamWriter};
use arrow_schema::{Field, Fields, Schema};

/// By whose rules rows are alike, which says how parents are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rules {
    Go,
    Rust,
    Plain,
}

/// How texts are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    U8,
    U16,
    Plain,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) rules: Rules,
    pub(crate) keys: Keys,
    /// Whole dictionaries again, instead of what is new.
    pub(crate) replace: bool,
    pub(crate) compression: Option<CompressionType>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Empty,
    Str(String),
    Int(i64),
    Double(f64),
    Bool(bool),
    Bytes(Vec<u8>),
}

impl Value {
    fn code(&self) -> u8 {
        match self {
            Value::Empty => 0,
            Value::Str(_) => 1,
            Value::Int(_) => 2,
            Value::Double(_) => 3,
            Value::Bool(_) => 4,
            Value::Bytes(_) => 7,
        }
    }

    fn is_default(&self) -> bool {
        match self {
            Value::Empty => true,
            Value::Str(text) => text.is_empty(),
            Value::Int(number) => *number == 0,
            Value::Double(number) => number.to_bits() == 0,
            Value::Bool(value) => !value,
            Value::Bytes(bytes) => bytes.is_empty(),
        }
    }

    /// The letter and the text of a column.
    pub(crate) fn shown(&self) -> (char, String) {
        match self {
            Value::Empty => ('n', "null".into()),
            Value::Str(text) => ('s', text.clone()),
            Value::Int(number) => ('i', number.to_string()),
            Value::Double(number) => ('d', format!("{number:?}")),
            Value::Bool(value) => ('b', value.to_string()),
            Value::Bytes(bytes) => {
                use std::fmt::Write as _;
                const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
                let mut out = String::new();
                for chunk in bytes.chunks(3) {
                    let word =
                        chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
                    for at in 0..4 {
                        let digit = if at <= chunk.len() {
                            char::from(DIGITS[(word >> (18 - 6 * at)) as usize & 63])
                        } else {
                            '='
                        };
                        write!(out, "{digit}").unwrap();
                    }
                }
                ('y', out)
            }
        }
    }

    fn order(&self) -> String {
        format!("{}{:?}", self.code(), self.shown())
    }
}

/// One log record: its time tells it from others.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) time: i64,
    pub(crate) body: Option<Value>,
    pub(crate) attributes: Vec<(String, Value)>,
    /// Which resource: its only attribute says so.
    pub(crate) resource: u16,
}

/// The texts of one column on one stream, in the order they came.
#[derive(Default)]
struct Texts {
    values: Vec<String>,
    found: HashMap<String, usize>,
}

impl Texts {
    fn column(&mut self, cells: &[Option<&str>], keys: Keys) -> ArrayRef {
        if keys == Keys::Plain {
            return Arc::new(cells.iter().copied().collect::<StringArray>());
        }
        let at: Vec<Option<usize>> = cells
            .iter()
            .map(|cell| {
                cell.map(|text| {
                    *self.found.entry(text.to_owned()).or_insert_with(|| {
                        self.values.push(text.to_owned());
                        self.values.len() - 1
                    })
                })
            })
            .collect();
        let values = Arc::new(self.values.iter().map(Some).collect::<StringArray>());
        match keys {
            Keys::U8 => {
                let keys: PrimitiveArray<UInt8Type> =
                    at.iter().map(|at| at.map(|at| u8::try_from(at).unwrap())).collect();
                Arc::new(DictionaryArray::try_new(keys, values).unwrap())
            }
            _ => {
                let keys: PrimitiveArray<UInt16Type> =
                    at.iter().map(|at| at.map(|at| u16::try_from(at).unwrap())).collect();
                Arc::new(DictionaryArray::try_new(keys, values).unwrap())
            }
        }
    }
}

/// The IPC stream of one table.
pub(crate) struct Table {
    writer: Option<StreamWriter<Vec<u8>>>,
    taken: usize,
    texts: HashMap<&'static str, Texts>,
    pub(crate) schema_id: String,
}

impl Table {
    pub(crate) fn new(schema_id: &str) -> Self {
        Self { writer: None, taken: 0, texts: HashMap::new(), schema_id: schema_id.into() }
    }

    /// Begins another IPC stream: nothing is left of the one before.
    pub(crate) fn restart(&mut self, schema_id: &str) {
        *self = Self::new(schema_id);
    }

    pub(crate) fn text(&mut self, name: &'static str, cells: &[Option<&str>], keys: Keys) -> ArrayRef {
        self.texts.entry(name).or_default().column(cells, keys)
    }

    /// The next piece of the stream. Every column is declared to have no nulls, as Go does where it sends them.
    pub(crate) fn piece(&mut self, columns: Vec<(Field, ArrayRef)>, options: &Options) -> Vec<u8> {
        let fields: Fields = columns.iter().map(|(field, _)| field.clone()).collect();
        let arrays: Vec<ArrayRef> = columns.into_iter().map(|(_, array)| array).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
        let handling = if options.replace { DictionaryHandling::Resend } else { DictionaryHandling::Delta };
        let writer = self.writer.get_or_insert_with(|| {
            let written = IpcWriteOptions::default().with_dictionary_handling(handling);
            let written = written.try_with_compression(options.compression).unwrap();
            StreamWriter::try_new_with_options(Vec::new(), &batch.schema(), written).unwrap()
        });
        writer.write(&batch).unwrap();
        let piece = writer.get_ref()[self.taken..].to_vec();
        self.taken = writer.get_ref().len();
        piece
    }
}

pub(crate) fn field(name: &str, array: &ArrayRef) -> Field {
    Field::new(name, array.data_type().clone(), true)
}

fn with_encoding(field: Field, encoding: &str) -> Field {
    field.with_metadata([("encoding".to_owned(), encoding.to_owned())].into())
}

/// A table of attributes, each with the id of what it belongs to.
pub(crate) fn attributes(table: &mut Table, mut rows: Vec<(u16, String, Value)>, options: &Options) -> Vec<u8> {
    rows.sort_by_key(|(parent, key, value)| (value.code(), key.clone(), value.order(), *parent));
    let go = options.rules == Rules::Go;
    let alike = |one: &(u16, String, Value), other: &(u16, String, Value)| {
        if one.1 != other.1 || one.2.code() != other.2.code() {
            return false;
        }
        match (&one.2, &other.2) {
            (Value::Empty, _) => false,
            (Value::Double(one), Value::Double(other)) if go => one == other,
            (Value::Double(one), Value::Double(other)) => one.to_bits() == other.to_bits(),
            (one, other) if go => one == other,
            // By the rules of Rust null is never alike, and defaults are sent as null here.
            (one, other) => one == other && !one.is_default(),
        }
    };
    let parents: UInt16Array = rows
        .iter()
        .enumerate()
        .map(|(at, row)| match at.checked_sub(1).map(|before| &rows[before]) {
            Some(before) if options.rules != Rules::Plain && alike(row, before) => row.0.wrapping_sub(before.0),
            _ => row.0,
        })
        .collect();
    // Doubles are sent whatever they are: a column of them has no dictionary, and null is one more rule.
    let sent = |value: &Value| matches!(value, Value::Double(_)) || !value.is_default();
    let texts = |of: fn(&Value) -> Option<&str>| -> Vec<Option<&str>> {
        rows.iter().map(|(_, _, value)| of(value).filter(|_| sent(value))).collect()
    };
    let keys: Vec<Option<&str>> = rows.iter().map(|(_, key, _)| Some(key.as_str())).collect();
    let strings = texts(|value| if let Value::Str(text) = value { Some(text) } else { None });
    let wide = if options.keys == Keys::U8 { Keys::U16 } else { options.keys };
    let cell = |value: &Value| sent(value);
    let key = table.text("key", &keys, options.keys);
    let text = table.text("str", &strings, wide);
    let ints: Int64Array = rows
        .iter()
        .map(|(_, _, value)| if let Value::Int(number) = value { cell(value).then_some(*number) } else { None })
        .collect();
    let doubles: Float64Array =
        rows.iter().map(|(_, _, value)| if let Value::Double(number) = value { Some(*number) } else { None }).collect();
    let bools: BooleanArray = rows
        .iter()
        .map(|(_, _, value)| if let Value::Bool(one) = value { cell(value).then_some(*one) } else { None })
        .collect();
    let bytes: BinaryArray = rows
        .iter()
        .map(|(_, _, value)| if let Value::Bytes(bytes) = value { cell(value).then_some(&bytes[..]) } else { None })
        .collect();
    let kinds: UInt8Array = rows.iter().map(|(_, _, value)| value.code()).collect();
    let parents: ArrayRef = Arc::new(parents);
    let parent = field("parent_id", &parents);
    let parent = match options.rules {
        Rules::Go => parent,
        Rules::Rust => with_encoding(parent, "quasidelta"),
        Rules::Plain => with_encoding(parent, "plain"),
    };
    let mut columns = vec![(parent, parents)];
    let rest: [(&str, ArrayRef); 7] = [
        ("key", key),
        ("type", Arc::new(kinds)),
        ("str", text),
        ("int", Arc::new(ints)),
        ("double", Arc::new(doubles)),
        ("bool", Arc::new(bools)),
        ("bytes", Arc::new(bytes)),
    ];
    columns.extend(rest.map(|(name, array)| (field(name, &array), array)));
    // A column that no table of attributes has, with a dictionary of its own and one within a struct.
    let extra: ArrayRef = Arc::new(rows.iter().map(|_| Some("x")).collect::<DictionaryArray<UInt8Type>>());
    columns.push((field("extra", &extra), extra.clone()));
    let inner = Fields::from(vec![field("inner", &extra)]);
    let nested: ArrayRef = Arc::new(StructArray::new(inner, vec![extra], None));
    columns.push((field("nested", &nested), nested));
    table.piece(columns, options)
}

/// The table of log records. Ids are distances from the last one; a row without attributes has none by the rules of Go.
pub(crate) fn logs(table: &mut Table, rows: &[Log], options: &Options) -> Vec<u8> {
    let mut last = 0_u16;
    let ids: UInt16Array = rows
        .iter()
        .enumerate()
        .map(|(at, row)| {
            if row.attributes.is_empty() && options.rules != Rules::Rust {
                return None;
            }
            let id = at as u16;
            let written = if options.rules == Rules::Plain { id } else { id - last };
            last = id;
            Some(written)
        })
        .collect();
    let mut last = 0_u16;
    let resources: UInt16Array = rows
        .iter()
        .map(|row| {
            let written = if options.rules == Rules::Plain { row.resource } else { row.resource.wrapping_sub(last) };
            last = row.resource;
            Some(written)
        })
        .collect();
    let encoding = if options.rules == Rules::Plain { "plain" } else { "delta" };
    let mark = |field: Field| if options.rules == Rules::Go { field } else { with_encoding(field, encoding) };
    let (ids, resources): (ArrayRef, ArrayRef) = (Arc::new(ids), Arc::new(resources));
    let inner = Fields::from(vec![mark(field("id", &resources))]);
    let resource: ArrayRef = Arc::new(StructArray::new(inner, vec![resources], None));
    let times: ArrayRef =
        Arc::new(TimestampNanosecondArray::from_iter_values(rows.iter().map(|row| row.time)).with_timezone("UTC"));
    let kinds: ArrayRef =
        Arc::new(rows.iter().map(|row| row.body.as_ref().map_or(0, Value::code)).collect::<UInt8Array>());
    let strings: Vec<Option<&str>> = rows
        .iter()
        .map(|row| {
            if let Some(Value::Str(text)) = &row.body {
                Some(text.as_str()).filter(|text| !text.is_empty())
            } else {
                None
            }
        })
        .collect();
    let text = table.text("body", &strings, if options.keys == Keys::U8 { Keys::U16 } else { options.keys });
    let ints: ArrayRef = Arc::new(
        rows.iter()
            .map(|row| if let Some(Value::Int(number)) = row.body { Some(number) } else { None })
            .collect::<Int64Array>(),
    );
    let inner = Fields::from(vec![field("type", &kinds), field("str", &text), field("int", &ints)]);
    let nulls = NullBuffer::from(rows.iter().map(|row| row.body.is_some()).collect::<Vec<_>>());
    let body: ArrayRef = Arc::new(StructArray::new(inner, vec![kinds, text, ints], Some(nulls)));
    let columns = vec![
        (mark(field("id", &ids)), ids),
        (field("resource", &resource), resource),
        (field("time_unix_nano", &times), times),
        (field("body", &body), body),
    ];
    table.piece(columns, options)
}
