//! What a destination is asked to take.

use std::ops::Range;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use bytes::Bytes;
use otlp_arrow_base::hops::Hops;
use otlp_arrow_columns::{Format, Limits, Signal};

use crate::error::{Code, OtlpError, Result};
use crate::store::names::Stem;

/// In what form a kind of destination is handed the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// As an OTLP export request: what is fresh goes out as the bytes it came in.
    Otlp,
    /// As rows of the storage schema, read back from the files, which are in the page cache while they are fresh.
    Rows,
}

/// The records of one request.
#[derive(Clone, Debug)]
pub enum Content {
    /// An OTLP export request in protobuf.
    Otlp(Bytes),
    /// Rows of the storage schema.
    Rows(RecordBatch),
}

/// One request's worth of one writer's log of one signal.
#[derive(Clone, Debug)]
pub struct Request {
    /// What kind of records.
    pub signal: Signal,
    /// The records, in the form the kind of destination [takes](Takes).
    pub content: Content,
    /// How many records.
    pub records: u64,
    /// The recorders they came through, this one the last: an `otlp-arrow-via` header tells them.
    pub hops: Hops,
    /// Where they are in the log; `None` for what was set aside before and is sent again.
    pub rows: Option<Rows>,
}

/// Rows of one file. They are the same records whenever they are sent, so a destination can make keys of them that tell a
/// repeat from something new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// The file.
    pub file: Stem,
    first: Range<u64>,
    /// Further rows, in order, where some in between were answered already.
    more: Vec<Range<u64>>,
}

impl Request {
    /// An OTLP request that is not in the log any more, in the form that is taken.
    pub(crate) fn of_otlp(signal: Signal, payload: Bytes, takes: Takes) -> Result<Self> {
        // What cannot be read may still be sent as it is.
        let checked = otlp_arrow_columns::check(signal, &payload, &Limits::default());
        let records = checked.map_or(0, |checked| checked.rows as u64);
        let content = Content::Otlp(payload).turned(signal, takes)?;
        Ok(Self { signal, content, records, hops: Hops::default(), rows: None })
    }
}

impl Rows {
    /// Consecutive rows.
    pub(crate) fn new(file: Stem, rows: Range<u64>) -> Self {
        Self { file, first: rows, more: Vec::new() }
    }

    /// Their numbers in the file, from 0, as many as the request has records and in the same order.
    pub fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
        self.first.clone().chain(self.more.iter().cloned().flatten())
    }

    /// How many.
    pub fn count(&self) -> u64 {
        let length = |range: &Range<u64>| range.end - range.start;
        length(&self.first) + self.more.iter().map(length).sum::<u64>()
    }

    /// Those at these positions among them; `picked` is in order.
    pub(crate) fn picked(&self, picked: &[Range<u64>]) -> Self {
        let mut parts = Vec::new();
        let mut before = 0;
        for range in std::iter::once(&self.first).chain(&self.more) {
            let length = range.end - range.start;
            for wanted in picked {
                let from = wanted.start.max(before);
                let to = wanted.end.min(before + length);
                if from < to {
                    parts.push(range.start + from - before..range.start + to - before);
                }
            }
            before += length;
        }
        let mut parts = parts.into_iter();
        Self { file: self.file.clone(), first: parts.next().unwrap_or(0..0), more: parts.collect() }
    }
}

impl Content {
    /// In the form that is taken.
    pub(crate) fn turned(self, signal: Signal, takes: Takes) -> Result<Self> {
        match (takes, self) {
            (Takes::Otlp, Content::Rows(batch)) => encoded(signal, &batch).map(Content::Otlp),
            (Takes::Rows, Content::Otlp(bytes)) => decoded(signal, &bytes).map(Content::Rows),
            (_, same) => Ok(same),
        }
    }

    /// As an OTLP request, whatever it is.
    pub(crate) fn otlp(&self, signal: Signal) -> Result<Bytes> {
        match self {
            Content::Otlp(bytes) => Ok(bytes.clone()),
            Content::Rows(batch) => encoded(signal, batch),
        }
    }

    /// For each of `parts` the records at its positions, in the form they are in.
    pub(crate) fn divided(&self, signal: Signal, parts: &[Vec<Range<u64>>]) -> Result<Vec<Self>> {
        let decoded_here;
        let batch = match self {
            Content::Rows(batch) => batch,
            Content::Otlp(bytes) => {
                decoded_here = decoded(signal, bytes)?;
                &decoded_here
            }
        };
        let part = |ranges: &Vec<Range<u64>>| {
            let picked = picked(batch, ranges)?;
            match self {
                Content::Rows(_) => Ok(Content::Rows(picked)),
                Content::Otlp(_) => encoded(signal, &picked).map(Content::Otlp),
            }
        };
        parts.iter().map(part).collect()
    }
}

/// The rows as one OTLP request, in the bytes that go out.
fn encoded(signal: Signal, batch: &RecordBatch) -> Result<Bytes> {
    otlp_arrow_columns::encode_protobuf(signal, std::slice::from_ref(batch)).map(Bytes::from).map_err(|error| {
        OtlpError::with_source(Code::Internal, format!("stored rows cannot be encoded: {error}"), error)
    })
}

fn decoded(signal: Signal, bytes: &[u8]) -> Result<RecordBatch> {
    Ok(otlp_arrow_columns::decode(signal, bytes, Format::Protobuf)?.batch)
}

fn picked(batch: &RecordBatch, ranges: &[Range<u64>]) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    let bounds = |range: &Range<u64>| {
        let to = usize::try_from(range.end).unwrap_or(rows).min(rows);
        usize::try_from(range.start).unwrap_or(to).min(to)..to
    };
    if let [range] = ranges {
        let range = bounds(range);
        return Ok(batch.slice(range.start, range.len()));
    }
    let mut wanted = vec![false; rows];
    for range in ranges {
        wanted[bounds(range)].fill(true);
    }
    filter_record_batch(batch, &BooleanArray::from(wanted))
        .map_err(|error| OtlpError::with_source(Code::Internal, "stored rows cannot be picked out", error))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::single_range_in_vec_init, reason = "tests; one range of records")]
mod tests {
    use super::*;
    use crate::store::names::WriterId;
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
    use prost::Message;

    fn rows(range: Range<u64>) -> Rows {
        Rows::new(Stem { created_ms: 1, writer: WriterId(7), seq: 3 }, range)
    }

    fn numbers(rows: &Rows) -> Vec<u64> {
        rows.numbers().collect()
    }

    #[test]
    fn picked_rows_keep_their_numbers_in_the_file_however_often_they_are_picked_from() {
        let some = rows(100..110).picked(&[1..3, 5..6, 8..99]);
        assert_eq!(numbers(&some), [101, 102, 105, 108, 109]);
        assert_eq!(some.count(), 5);
        assert_eq!(numbers(&some.picked(&[1..4])), [102, 105, 108]);
        assert_eq!(numbers(&some.picked(&[0..1, 4..5])), [101, 109]);
        assert_eq!(some.picked(&[7..9]).count(), 0);
        assert_eq!(numbers(&rows(4..6).picked(&[0..2])), [4, 5]);
    }

    fn request(times: impl IntoIterator<Item = u64>) -> Bytes {
        let record = |time_unix_nano| LogRecord { time_unix_nano, ..Default::default() };
        let scope_logs = vec![ScopeLogs { log_records: times.into_iter().map(record).collect(), ..Default::default() }];
        let resource_logs = vec![ResourceLogs { scope_logs, ..Default::default() }];
        ExportLogsServiceRequest { resource_logs }.encode_to_vec().into()
    }

    fn times(content: &Content) -> Vec<u64> {
        let request = ExportLogsServiceRequest::decode(content.otlp(Signal::Logs).unwrap()).unwrap();
        let scopes = request.resource_logs.into_iter().flat_map(|resource| resource.scope_logs);
        scopes.flat_map(|scope| scope.log_records).map(|record| record.time_unix_nano).collect()
    }

    #[test]
    fn records_are_divided_in_the_form_they_are_in() {
        let otlp = Content::Otlp(request(1..=6));
        let as_rows = otlp.clone().turned(Signal::Logs, Takes::Rows).unwrap();
        assert!(matches!(&as_rows, Content::Rows(batch) if batch.num_rows() == 6));
        for content in [otlp, as_rows] {
            let parts = content.divided(Signal::Logs, &[vec![0..2], vec![2..3, 5..6], vec![3..5]]).unwrap();
            assert_eq!(parts.iter().map(times).collect::<Vec<_>>(), [vec![1, 2], vec![3, 6], vec![4, 5]]);
            assert!(parts.iter().all(|part| std::mem::discriminant(part) == std::mem::discriminant(&content)));
        }
    }

    #[test]
    fn what_is_in_the_right_form_is_not_touched() {
        let bytes = request(1..3);
        let Content::Otlp(same) = Content::Otlp(bytes.clone()).turned(Signal::Logs, Takes::Otlp).unwrap() else {
            panic!("turned into rows");
        };
        assert_eq!(same.as_ptr(), bytes.as_ptr());
        assert!(Content::Otlp(Bytes::from_static(b"nonsense")).turned(Signal::Logs, Takes::Rows).is_err());
    }
}
