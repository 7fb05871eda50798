//! What no producer sends: refused, by name where there is one, within memory, and without harm to what it does not concern.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, FixedSizeBinaryArray, Int32Array, ListArray, StringArray, StructArray, TimestampSecondArray,
    UInt8Array, UInt16Array, UInt32Array,
};
use arrow_buffer::OffsetBuffer;
use arrow_ipc::CompressionType;
use arrow_schema::{Field, Fields};
use otlp_arrow_columns::otap::{Fault, Stream};
use otlp_arrow_columns::{Limits, Signal};
use otlp_arrow_wire::otap::{ArrowPayload, BatchArrowRecords, PayloadType};

use super::model::{Keys, Log, Options, Rules, Table, Value, attributes, field, logs};
use super::{KEEP, read, stream};

const PLAIN: Options = Options { rules: Rules::Plain, keys: Keys::Plain, replace: false, compression: None };

fn batch<'a>(pieces: &'a [(PayloadType, &'a str, Vec<u8>)]) -> BatchArrowRecords<'a> {
    let payload = |(kind, id, record): &'a (PayloadType, &'a str, Vec<u8>)| ArrowPayload {
        schema_id: id.as_bytes(),
        kind: *kind as u64,
        record,
    };
    BatchArrowRecords { batch_id: 0, payloads: pieces.iter().map(payload).collect(), headers: b"" }
}

/// One table of these columns, as the first piece of its stream.
fn table(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let columns = columns.into_iter().map(|(name, array)| (field(name, &array), array)).collect();
    Table::new("0").piece(columns, &PLAIN)
}

fn numbers(values: &[u16]) -> ArrayRef {
    Arc::new(UInt16Array::from(values.to_vec()))
}

fn times(rows: usize) -> ArrayRef {
    Arc::new(arrow_array::TimestampNanosecondArray::from(vec![1; rows]))
}

/// Where the messages of a piece are, and whether each is a dictionary.
fn messages(piece: &[u8]) -> Vec<(Range<usize>, bool)> {
    let (mut at, mut found) = (0, Vec::new());
    while at < piece.len() {
        let length = u32::from_le_bytes(piece[at + 4..at + 8].try_into().unwrap()) as usize;
        let message = arrow_ipc::root_as_message(&piece[at + 8..at + 8 + length]).unwrap();
        let end = at + 8 + length + usize::try_from(message.bodyLength()).unwrap();
        found.push((at..end, message.header_as_dictionary_batch().is_some()));
        at = end;
    }
    found
}

#[test]
fn columns_of_other_types_are_refused_by_name() {
    let fixed = |width| -> ArrayRef {
        Arc::new(FixedSizeBinaryArray::try_from_iter(std::iter::once(vec![1_u8; width])).unwrap())
    };
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    let cases: [(&str, ArrayRef, &str); 9] = [
        ("trace_id", fixed(15), "FixedSizeBinary(15)"),
        ("trace_id", fixed(17), "FixedSizeBinary(17)"),
        ("span_id", fixed(16), "FixedSizeBinary(16)"),
        ("span_id", text.clone(), "Utf8"),
        ("id", Arc::new(UInt32Array::from(vec![1])), "UInt32"),
        ("time_unix_nano", Arc::new(TimestampSecondArray::from(vec![1])), "a Timestamp that is not of nanoseconds"),
        ("severity_number", text, "Utf8"),
        ("flags", Arc::new(Int32Array::from(vec![1])), "Int32"),
        ("resource", Arc::new(UInt8Array::from(vec![1])), "UInt8"),
    ];
    for (name, array, found) in cases {
        let pieces = [(PayloadType::Logs, "0", table(vec![(name, array)]))];
        let fault = read(&mut stream(Signal::Logs), &batch(&pieces)).unwrap_err();
        let message = fault.to_string();
        assert!(
            fault.ends_stream() && message.contains(&format!("LOGS: column {name} is of type {found}")),
            "{message}"
        );
    }
    let inner = Fields::from(vec![Field::new("id", arrow_schema::DataType::Utf8, true)]);
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    let nested: ArrayRef = Arc::new(StructArray::new(inner, vec![text], None));
    let pieces = [(PayloadType::Logs, "0", table(vec![("scope", nested)]))];
    let message = read(&mut stream(Signal::Logs), &batch(&pieces)).unwrap_err().to_string();
    assert!(message.contains("column id is of type Utf8, and must be UInt16"), "{message}");
}

#[test]
fn schemas_without_end_are_refused() {
    let wide = (0..300).map(|at| (at.to_string(), numbers(&[1]))).collect::<Vec<_>>();
    let wide = wide.iter().map(|(name, array)| (name.as_str(), Arc::clone(array))).collect();
    let mut deep: ArrayRef = numbers(&[1]);
    for _ in 0..12 {
        let inner = Fields::from(vec![field("in", &deep)]);
        deep = Arc::new(StructArray::new(inner, vec![deep], None));
    }
    let twice = vec![
        ("flags", Arc::new(UInt32Array::from(vec![1])) as ArrayRef),
        ("flags", Arc::new(UInt32Array::from(vec![2]))),
    ];
    for (columns, wanted) in
        [(wide, "more than 256 columns"), (vec![("deep", deep)], "too deep"), (twice, "there twice")]
    {
        let pieces = [(PayloadType::Logs, "0", table(columns))];
        let fault = read(&mut stream(Signal::Logs), &batch(&pieces)).unwrap_err();
        assert!(fault.ends_stream() && fault.to_string().contains(wanted), "{fault}");
    }
}

/// What belongs to no row is passed over, whatever it says.
#[test]
fn wild_parents_belong_to_nobody() {
    let root = table(vec![("id", numbers(&[0, 1, 1])), ("time_unix_nano", times(3))]);
    let rows: Vec<(u16, String, Value)> =
        [0, 1, 2, 2, 3, 60_000, u16::MAX].iter().map(|parent| (*parent, "k".to_owned(), Value::Int(7))).collect();
    for rules in [Rules::Go, Rules::Rust, Rules::Plain] {
        let own = attributes(&mut Table::new("1"), rows.clone(), &Options { rules, ..PLAIN });
        let pieces = [(PayloadType::Logs, "0", root.clone()), (PayloadType::LogAttrs, "1", own)];
        let stored = read(&mut stream(Signal::Logs), &batch(&pieces)).unwrap();
        let attributes = stored.batch().column_by_name("attributes").unwrap().to_data();
        // Ids 0, 1 and 2, by distances: one, one, and two of the same key.
        assert_eq!(attributes.child_data()[0].len(), 4, "{rules:?}");
    }
    // Ids that are far apart, in a table of 32 bits.
    let events = table(vec![
        ("id", Arc::new(UInt32Array::from(vec![4_000_000_000, 7]))),
        ("parent_id", numbers(&[0, 0])),
        ("name", Arc::new(StringArray::from(vec!["a", "b"]))),
        ("time_unix_nano", times(2)),
    ]);
    let pieces = [
        (PayloadType::Spans, "0", table(vec![("id", numbers(&[0])), ("start_time_unix_nano", times(1))])),
        (PayloadType::SpanEvents, "1", events),
    ];
    let stored = read(&mut stream(Signal::Traces), &batch(&pieces)).unwrap();
    assert_eq!(stored.batch().column_by_name("events").unwrap().to_data().child_data()[0].len(), 2);
    let none = table(vec![("id", Arc::new(UInt32Array::from(vec![u32::MAX]))), ("parent_id", numbers(&[0]))]);
    let pieces = [pieces[0].clone(), (PayloadType::SpanEvents, "1", none)];
    assert!(matches!(read(&mut stream(Signal::Traces), &batch(&pieces)), Err(Fault::Invalid(_))));
}

/// Every row is the parent of every attribute: few bytes on the wire, and no memory here.
#[test]
fn rows_that_share_their_children_are_counted_before_they_are_made() {
    let rows = 20_000;
    let root = table(vec![("id", numbers(&vec![0; rows])), ("time_unix_nano", times(rows))]);
    let shared = (0..rows).map(|at| (0, format!("key{at}"), Value::Str("a value of some length".into()))).collect();
    let own = attributes(&mut Table::new("1"), shared, &PLAIN);
    let pieces = [(PayloadType::Logs, "0", root), (PayloadType::LogAttrs, "1", own)];
    let fault = read(&mut stream(Signal::Logs), &batch(&pieces)).unwrap_err();
    assert!(matches!(fault, Fault::TooLarge { limit, .. } if limit == 256 << 20), "{fault}");
}

#[test]
fn bombs_ask_before_they_grow() {
    let long = "a".repeat(40 << 20);
    let options = Options { compression: Some(CompressionType::ZSTD), ..PLAIN };
    let rows = [Log { time: 1, body: Some(Value::Str(long)), attributes: vec![], resource: 0 }];
    let piece = logs(&mut Table::new("0"), &rows, &options);
    assert!(piece.len() < 1 << 20);
    let pieces = [(PayloadType::Logs, "0", piece)];
    for (most, wanted) in [(8 << 20, "TooLarge"), (256 << 20, "NoRoom")] {
        let limits = Limits { max_request_memory: most, ..Limits::default() };
        let mut asked = 0;
        let mut grow = |more: usize| {
            asked += more;
            asked <= 16 << 20
        };
        let mut stream = Stream::new(Signal::Logs, KEEP);
        let fault = stream.read(&batch(&pieces), &limits, &mut |_| true, &mut grow).map(drop).unwrap_err();
        assert!(format!("{fault:?}").starts_with(wanted) && !fault.ends_stream(), "{fault:?}");
    }
}

#[test]
fn cbor_that_is_too_deep_or_broken_refuses_its_batch_alone() {
    let mut deep = vec![0x81; 100];
    deep.push(0x80);
    for bytes in [deep, vec![0x9f], vec![0xa1, 0x01, 0x01], vec![0xff], vec![0x80, 0x80], b"\x01".to_vec()] {
        let own = |ser: Vec<u8>| {
            table(vec![
                ("parent_id", numbers(&[0])),
                ("key", Arc::new(StringArray::from(vec!["k"]))),
                ("type", Arc::new(UInt8Array::from(vec![6]))),
                ("ser", Arc::new(BinaryArray::from(vec![&ser[..]]))),
            ])
        };
        let root = table(vec![("id", numbers(&[0])), ("time_unix_nano", times(1))]);
        let pieces = [(PayloadType::Logs, "0", root.clone()), (PayloadType::LogAttrs, "1", own(bytes))];
        let mut stream = stream(Signal::Logs);
        let fault = read(&mut stream, &batch(&pieces)).unwrap_err();
        assert!(matches!(&fault, Fault::Invalid(message) if message.contains("CBOR")), "{fault}");
        let pieces = [(PayloadType::Logs, "2", root), (PayloadType::LogAttrs, "3", own(vec![0x81, 0x01]))];
        assert_eq!(read(&mut stream, &batch(&pieces)).unwrap().batch().num_rows(), 1);
    }
}

#[test]
fn indexes_beyond_their_dictionary_are_refused() {
    let rows: Vec<Log> = (1..=5)
        .map(|time| Log { time, body: Some(Value::Str(format!("text {time}"))), attributes: vec![], resource: 0 })
        .collect();
    for keys in [Keys::U8, Keys::U16] {
        let piece = logs(&mut Table::new("0"), &rows, &Options { keys, ..PLAIN });
        let kept: Vec<u8> = messages(&piece)
            .into_iter()
            .filter(|(_, is_dictionary)| !is_dictionary)
            .flat_map(|(at, _)| piece[at].to_vec())
            .collect();
        assert!(kept.len() < piece.len());
        let pieces = [(PayloadType::Logs, "0", kept)];
        let fault = read(&mut stream(Signal::Logs), &batch(&pieces)).unwrap_err();
        assert!(matches!(&fault, Fault::Invalid(message) if message.contains("column str is beyond")), "{fault}");
    }
}

#[test]
fn offsets_that_point_elsewhere_are_refused() {
    let text: ArrayRef = Arc::new(StringArray::from(vec!["abcde", "fghij", "klmno"]));
    let lists: ArrayRef = Arc::new(ListArray::new(
        Arc::new(Field::new("item", arrow_schema::DataType::UInt64, true)),
        OffsetBuffer::from_lengths([5, 5, 5]),
        Arc::new(arrow_array::UInt64Array::from(vec![1; 15])),
        None,
    ));
    let logs = table(vec![("event_name", text)]);
    let points = table(vec![("parent_id", numbers(&[0, 0, 0])), ("bucket_counts", lists)]);
    let find: Vec<u8> = [0_u32, 5, 10, 15].iter().flat_map(|at| at.to_le_bytes()).collect();
    for (signal, kind, piece) in
        [(Signal::Logs, PayloadType::Logs, logs), (Signal::Metrics, PayloadType::HistogramDataPoints, points)]
    {
        let at = piece.windows(16).position(|bytes| bytes == find).unwrap();
        for (place, value) in [(1, 11_u32), (2, u32::MAX), (3, 16), (3, 1 << 31), (0, 7)] {
            let mut broken = piece.clone();
            broken[at + place * 4..at + place * 4 + 4].copy_from_slice(&value.to_le_bytes());
            let pieces = [(kind, "0", broken)];
            let fault = read(&mut stream(signal), &batch(&pieces)).unwrap_err();
            assert!(matches!(&fault, Fault::Invalid(message) if message.contains("points outside")), "{fault}");
        }
    }
}

#[test]
fn text_that_is_not_utf8_is_refused() {
    for keys in [Keys::Plain, Keys::U8] {
        let rows = [Log { time: 1, body: Some(Value::Str("findme".into())), attributes: vec![], resource: 0 }];
        let mut piece = logs(&mut Table::new("0"), &rows, &Options { keys, ..PLAIN });
        let at = piece.windows(6).position(|bytes| bytes == b"findme").unwrap();
        piece[at + 2] = 0xff;
        let pieces = [(PayloadType::Logs, "0", piece)];
        let fault = read(&mut stream(Signal::Logs), &batch(&pieces)).unwrap_err();
        assert!(fault.to_string().contains("UTF-8"), "{fault}");
        assert_eq!(fault.ends_stream(), keys != Keys::Plain, "a dictionary is what later batches build on");
    }
}

/// Trap 11: an id is one of its table.
#[test]
fn ids_of_two_tables_do_not_meet() {
    let mut stream = stream(Signal::Logs);
    let (mut root, mut own) = (Table::new("0"), Table::new("0"));
    let options = Options { keys: Keys::U8, rules: Rules::Go, ..PLAIN };
    for round in 0..3 {
        let log = Log {
            time: round + 1,
            body: Some(Value::Str("b".into())),
            attributes: vec![("k".into(), Value::Str(format!("v{round}")))],
            resource: 0,
        };
        let list = vec![(0, "k".to_owned(), log.attributes[0].1.clone())];
        let pieces = [
            (PayloadType::Logs, "0", logs(&mut root, &[log], &options)),
            (PayloadType::LogAttrs, "0", attributes(&mut own, list, &options)),
        ];
        assert_eq!(read(&mut stream, &batch(&pieces)).unwrap().batch().num_rows(), 1);
    }
    // An id again after another one is another IPC stream: what it had is gone.
    let piece = |table: &mut Table, body: &str| {
        logs(table, &[Log { time: 9, body: Some(Value::Str(body.into())), attributes: vec![], resource: 0 }], &options)
    };
    let other = [(PayloadType::Logs, "7", piece(&mut Table::new("7"), "c"))];
    assert!(read(&mut stream, &batch(&other)).is_ok());
    let stale = [(PayloadType::Logs, "0", piece(&mut root, "d"))];
    assert!(read(&mut stream, &batch(&stale)).unwrap_err().ends_stream());
}

#[test]
fn a_stream_keeps_no_more_than_it_may() {
    let texts = |from: usize, count: usize| -> Vec<Log> {
        let body = |at| Some(Value::Str(format!("text number {at}")));
        (from..from + count)
            .map(|at| Log { time: at as i64 + 1, body: body(at), attributes: vec![], resource: 0 })
            .collect()
    };
    let options = Options { keys: Keys::U16, rules: Rules::Go, ..PLAIN };
    // More than it may have with the first batch: no other stream could.
    let pieces = [(PayloadType::Logs, "0", logs(&mut Table::new("0"), &texts(0, 5000), &options))];
    let fault = read(&mut Stream::new(Signal::Logs, 50_000), &batch(&pieces)).unwrap_err();
    assert!(matches!(fault, Fault::StreamTooLarge { limit: 50_000, .. }), "{fault}");
    // It grows until there is no room; a stream that begins anew has some.
    for by_budget in [false, true] {
        let mut table = Table::new("0");
        let mut stream = Stream::new(Signal::Logs, if by_budget { KEEP } else { 200_000 });
        let (mut kept, mut fault, mut batches) = (0, None, 0);
        while fault.is_none() && batches < 1000 {
            let pieces = [(PayloadType::Logs, "0", logs(&mut table, &texts(batches * 100, 100), &options))];
            let mut keep = |more: usize| {
                kept += more;
                !by_budget || kept <= 200_000
            };
            let read = stream.read(&batch(&pieces), &Limits::default(), &mut keep, &mut |_| true).map(drop);
            fault = read.err();
            batches += 1;
        }
        assert_eq!(fault, Some(Fault::NoRoomForStream), "after {batches}");
        assert!(batches > 10 && stream.bytes() <= 200_000, "{batches} {}", stream.bytes());
    }
}
