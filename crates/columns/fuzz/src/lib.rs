//! What the fuzz targets hold to be true of any input.

use std::sync::{Arc, LazyLock};

use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_schema::{Field, Schema};
use otlp_arrow_columns::{BatchBuilder, DecodeError, Format, Limits, Signal, check, decode, encode_protobuf, json};
use otlp_arrow_columns::otap::Stream;
use otlp_arrow_wire::hpack;
use otlp_arrow_wire::otap::BatchArrowRecords;
use otlp_arrow_wire::steps::Tape;

/// Small, so that inputs that need much memory for their size are found.
const LIMITS: Limits = Limits { nesting: 64, max_request_memory: 8 << 20 };

fn rows(signal: Signal, bytes: &[u8]) -> Option<RecordBatch> {
    let checked = match check(signal, bytes, &LIMITS) {
        Ok(checked) => checked,
        Err(DecodeError::Malformed { offset, .. }) => {
            assert!(offset <= bytes.len());
            return None;
        }
        Err(_) => return None,
    };
    assert!(checked.arrow_bytes <= LIMITS.max_request_memory);
    let mut builder = BatchBuilder::new(signal);
    builder.append(bytes, &checked);
    let batch = builder.finish();
    assert_eq!(batch.num_rows(), checked.rows);
    for column in batch.columns() {
        column.to_data().validate_full().expect("a valid column");
    }
    Some(batch)
}

/// Bytes that are accepted come back as the same rows, from the batch and from its JSON.
pub fn append(signal: Signal, data: &[u8]) {
    let _ = json::from_protobuf(signal, data);
    let Some(batch) = rows(signal, data) else { return };
    let out = encode_protobuf(signal, std::slice::from_ref(&batch)).expect("what was decoded can be encoded");
    let again = decode(signal, &out, Format::Protobuf).expect("what was encoded can be decoded");
    assert_eq!(again.refused.total(), 0);
    assert_eq!(again.batch.num_rows(), batch.num_rows());
    // Rows may be regrouped once; then everything stays.
    let twice = encode_protobuf(signal, &[again.batch]).expect("what was decoded can be encoded");
    assert_eq!(twice, out);
    let text = json::from_protobuf(signal, &out).expect("what was encoded is valid");
    let back = json::to_protobuf(signal, &text, &Limits::default()).expect("what was written can be read");
    assert_eq!(json::from_protobuf(signal, &back).expect("what was read is valid"), text);
}

/// Text that is read gives protobuf that can be checked.
pub fn json(data: &[u8]) {
    let Some((&first, text)) = data.split_first() else { return };
    let signal = Signal::ALL[usize::from(first) % Signal::ALL.len()];
    match json::to_protobuf(signal, text, &LIMITS) {
        Ok(bytes) => match check(signal, &bytes, &LIMITS) {
            Ok(checked) => {
                let mut builder = BatchBuilder::new(signal);
                builder.append(&bytes, &checked);
                assert_eq!(builder.finish().num_rows(), checked.rows);
            }
            Err(DecodeError::TooLarge { .. }) => {}
            Err(error) => panic!("{error}"),
        },
        Err(DecodeError::Malformed { offset, .. }) => assert!(offset <= text.len()),
        Err(_) => {}
    }
}

/// Batches of OTAP on one stream, each behind its length: rows that are valid and can be encoded, within the memory that was given.
pub fn otap(data: &[u8]) {
    const KEPT: usize = 4 << 20;
    const GIVEN: usize = 32 << 20;
    let Some((&first, mut rest)) = data.split_first() else { return };
    let signal = Signal::ALL[usize::from(first) % Signal::ALL.len()];
    let (mut stream, mut headers, mut kept) = (Stream::new(signal, KEPT), hpack::Decoder::default(), 0);
    while let Some((length, tail)) = rest.split_first_chunk() {
        let length = (u32::from_le_bytes(*length) as usize).min(tail.len());
        let (message, tail) = tail.split_at(length);
        rest = tail;
        let Ok(batch) = BatchArrowRecords::read(message) else { return };
        if headers.read(batch.headers, |_, _| ()).is_err() {
            return;
        }
        let mut given = 0;
        let mut grow = |more: usize| {
            given += more;
            given <= GIVEN
        };
        let mut keep = |more: usize| {
            kept += more;
            kept <= KEPT
        };
        let tables = match stream.read(&batch, &LIMITS, &mut keep, &mut grow) {
            Ok(tables) => tables,
            Err(fault) if fault.ends_stream() => return,
            Err(_) => continue,
        };
        let Ok(plan) = tables.plan(&LIMITS, &mut grow) else { continue };
        assert!(plan.arrow_bytes() <= LIMITS.max_request_memory);
        let rows = plan.store();
        assert_eq!(rows.batch().num_rows(), plan.rows());
        for column in rows.batch().columns() {
            column.to_data().validate_full().expect("a valid column");
        }
        // What the check of tables from elsewhere finds wrong would be wrong in a file too.
        let again = otlp_arrow_columns::check_batches(signal, [rows.batch().clone()], &Limits::default());
        assert!(again.is_ok(), "{again:?}");
        encode_protobuf(signal, std::slice::from_ref(rows.batch())).expect("what was stored can be encoded");
    }
    assert!(stream.bytes() <= KEPT);
}

static BATCHES: LazyLock<[(Signal, RecordBatch); 3]> = LazyLock::new(|| {
    let fixture = |signal, bytes: &[u8]| (signal, decode(signal, bytes, Format::Protobuf).expect("a fixture").batch);
    [
        fixture(Signal::Traces, include_bytes!("../../../../test/fixtures/traces-official.request.binpb")),
        fixture(Signal::Metrics, include_bytes!("../../../../test/fixtures/metrics-official.request.binpb")),
        fixture(Signal::Logs, include_bytes!("../../../../test/fixtures/logs-official.request.binpb")),
    ]
});

/// Columns of text, replaced by lines of the input; whatever is encoded can be decoded.
pub fn encode(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    for (signal, batch) in &*BATCHES {
        let mut batch = batch.clone();
        for name in ["attribute_types", "body", "body_type", "resource_attributes", "scope_attributes", "kind", "metadata", "resource_entity_refs"] {
            let Ok(at) = batch.schema().index_of(name) else { continue };
            let Some(line) = lines.next() else { break };
            batch = replace(&batch, at, Arc::new(StringArray::from(vec![line; batch.num_rows()])));
        }
        let Ok(out) = encode_protobuf(*signal, &[batch]) else { continue };
        match decode(*signal, &out, Format::Protobuf) {
            Ok(_) | Err(DecodeError::TooLarge { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// A tape is a request or an error, within the bound that it tells; and whatever request it is can be checked.
pub fn steps(data: &[u8]) {
    let Some((&[ascii, text_low, text_high, bytes_length], rest)) = data.split_first_chunk() else { return };
    let text_length = usize::from(text_low) | usize::from(text_high) << 8;
    let Some((text, rest)) = rest.split_at_checked(text_length) else { return };
    let Some((bytes, rest)) = rest.split_at_checked(bytes_length.into()) else { return };
    let (words, _) = rest.as_chunks();
    let words: Vec<u32> = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
    let make = |ascii| {
        let tape = Tape { steps: &words, text, bytes, ascii };
        let mut out = b"before".to_vec();
        let made = tape.make(&mut out);
        let request = out.strip_prefix(b"before").expect("what was there stays").to_vec();
        assert!(request.len() <= tape.most());
        made.map(|()| request)
    };
    let made = make(ascii & 1 == 1);
    if text.is_ascii() {
        assert_eq!(made, make(ascii & 1 == 0), "what is ASCII may also be read as UTF-8");
    }
    if let Ok(request) = made {
        for signal in Signal::ALL {
            let _ = check(signal, &request, &LIMITS);
        }
    }
}

fn replace(batch: &RecordBatch, at: usize, column: ArrayRef) -> RecordBatch {
    let mut fields: Vec<_> = batch.schema().fields().iter().cloned().collect();
    fields[at] = Arc::new(Field::new(fields[at].name(), column.data_type().clone(), true));
    let mut columns = batch.columns().to_vec();
    columns[at] = column;
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("columns of one length")
}
