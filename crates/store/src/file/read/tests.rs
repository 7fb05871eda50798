#![allow(clippy::unwrap_used, reason = "tests")]

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampNanosecondType;
use arrow_array::{ArrayRef, StringArray};

use super::*;
use crate::file::sample::{self, InMemory};

const ROWS: [u64; 6] = [3, 1, 700, 1, 20_000, 2];

fn files() -> (Vec<u8>, Vec<u8>) {
    let stream = sample::stream(&ROWS);
    let dir = tempfile::tempdir().unwrap();
    let (source, target) = (dir.path().join("a.arrows"), dir.path().join("a.arrow"));
    std::fs::write(&source, &stream).unwrap();
    let disk = crate::disk::storage_os::OsStorage;
    super::super::compact::compact(&disk, &source, stream.len() as u64, &target, Some(1), &mut || true)
        .unwrap()
        .unwrap();
    (stream, std::fs::read(target).unwrap())
}

fn wanted(columns: Option<&[&str]>, time: Option<(u64, u64)>) -> Wanted {
    let columns = columns.map(|columns| columns.iter().map(|name| (*name).to_owned()).collect());
    Wanted { columns, dictionaries: false, time, time_columns: &["start_time"] }
}

fn open(bytes: &[u8], extent: Extent, from_row: u64, wanted: &Wanted) -> FileBatches {
    FileBatches::open(Box::new(InMemory(bytes.to_vec())), "file", extent, from_row, wanted).unwrap()
}

fn all(mut file: FileBatches) -> Vec<RecordBatch> {
    std::iter::from_fn(|| file.next_batch().unwrap()).collect()
}

fn plain(batch: &RecordBatch) -> Vec<ArrayRef> {
    let text = |column: &ArrayRef| -> ArrayRef {
        match column.as_any_dictionary_opt() {
            None => Arc::clone(column),
            Some(_) => {
                let column = column.as_dictionary::<arrow_array::types::Int32Type>();
                let text = column.downcast_dict::<StringArray>().unwrap();
                Arc::new(text.into_iter().collect::<StringArray>())
            }
        }
    };
    batch.columns().iter().map(text).collect()
}

#[test]
fn both_forms_deliver_the_same_rows_from_any_row_on() {
    let (stream, sealed) = files();
    let total: u64 = ROWS.iter().sum();
    for (bytes, extent) in [
        (&stream, Extent::Committed(stream.len() as u64)),
        (&stream, Extent::Prefix(None)),
        (&sealed, Extent::Prefix(None)),
    ] {
        for from in [0, 1, 3, 4, 500, 704, 20_705, total - 1, total, total + 5] {
            let mut file = open(bytes, extent, from, &wanted(None, None));
            let mut row = from;
            while let Some(batch) = file.next_batch().unwrap() {
                assert_eq!(batch.columns(), plain(&sample::batch(row, batch.num_rows() as u64)));
                row += batch.num_rows() as u64;
                assert_eq!(file.next_row(), row);
            }
            assert_eq!(row, from.max(total));
        }
        let mut file = open(bytes, extent, 2, &wanted(None, None));
        let mut rows = 0;
        while let Some(batch) = file.next_batch_until(702).unwrap() {
            rows += batch.num_rows();
        }
        assert_eq!(rows, 700);
    }
}

#[test]
fn small_commits_come_together() {
    let stream = sample::stream(&[1; 300]);
    let batches = all(open(&stream, Extent::Prefix(None), 0, &wanted(None, None)));
    assert_eq!(batches.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [300]);
    assert_eq!(batches[0].columns(), plain(&sample::batch(0, 300)));
}

#[test]
fn only_the_wanted_columns_come_in_the_wanted_order() {
    let (stream, sealed) = files();
    let names = ["value", "name", "span_id"];
    for bytes in [stream, sealed] {
        for time in [None, Some((0, u64::MAX))] {
            for batch in all(open(&bytes, Extent::Prefix(None), 0, &wanted(Some(&names), time))) {
                let fields: Vec<_> = batch.schema_ref().fields().iter().map(|field| field.name().clone()).collect();
                assert_eq!(fields, names);
            }
        }
        let batch = &all(open(&bytes, Extent::Prefix(None), 704, &wanted(Some(&names), None)))[0];
        let expected = plain(&sample::batch(704, batch.num_rows() as u64));
        assert_eq!(batch.columns(), [9, 1, 0].map(|column| Arc::clone(&expected[column])));
    }
}

#[test]
fn rows_outside_of_the_time_are_left_out() {
    let (stream, sealed) = files();
    let at = |row: u64| 1_760_000_000_000_000_000 + row * 1_000_000_000;
    for bytes in [stream, sealed] {
        let batches =
            all(open(&bytes, Extent::Prefix(None), 0, &wanted(Some(&["start_time"]), Some((at(10), at(15))))));
        let times: Vec<_> = batches
            .iter()
            .flat_map(|batch| batch.column(0).as_primitive::<TimestampNanosecondType>().values().to_vec())
            .collect();
        // Every seventh row from 1 has no time.
        let expected: Vec<_> = (10..15).filter(|row| row % 7 != 1).map(|row| at(row) as i64).collect();
        assert_eq!(times, expected);
    }
}

#[test]
fn dictionaries_stay_when_they_are_asked_for() {
    let (stream, sealed) = files();
    let wanted = Wanted { dictionaries: true, ..wanted(None, None) };
    for bytes in [stream, sealed] {
        let mut row = 0;
        for batch in all(open(&bytes, Extent::Prefix(None), 0, &wanted)) {
            assert!(batch.column(1).as_any_dictionary_opt().is_some());
            assert_eq!(plain(&batch), plain(&sample::batch(row, batch.num_rows() as u64)));
            row += batch.num_rows() as u64;
        }
        assert_eq!(row, ROWS.iter().sum::<u64>());
    }
}

#[test]
fn a_torn_stream_ends_early_for_others_and_is_an_error_for_its_writer() {
    let stream = sample::stream(&[3, 4, 5]);
    let cut = stream.len() - 20;
    let file = open(&stream[..cut], Extent::Prefix(None), 0, &wanted(None, None));
    assert_eq!(all(file).iter().map(RecordBatch::num_rows).sum::<usize>(), 7);
    let mut file = open(&stream[..cut], Extent::Committed(stream.len() as u64), 0, &wanted(None, None));
    let mut failed = false;
    while let Some(batch) = file.next_batch().transpose() {
        failed = batch.is_err();
        if failed {
            break;
        }
    }
    assert!(failed);
    assert!(all(open(&[], Extent::Prefix(None), 0, &wanted(None, None))).is_empty());
    assert!(all(open(&stream[..100], Extent::Prefix(None), 0, &wanted(Some(&["name"]), Some((0, 1))))).is_empty());
}

/// The file with a checksum that fits what is in it now. `note` is where the digits are.
fn with_checksum(mut file: Vec<u8>, note: usize) -> Vec<u8> {
    file[note..note + 8].copy_from_slice(b"00000000");
    let crc = crc32c::crc32c(&file);
    file[note..note + 8].copy_from_slice(format!("{crc:08x}").as_bytes());
    file
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..proptest::prelude::ProptestConfig::default()
    })]

    /// Nobody but us writes such files, yet a file must not be able to end the process that reads it.
    #[test]
    fn content_that_lies_with_a_right_checksum_is_an_error_at_most(
        changes in proptest::collection::vec((0usize..1 << 20, proptest::prelude::any::<u8>()), 1..6),
        dictionaries in proptest::prelude::any::<bool>(),
    ) {
        let file = sample::stream(&[20]);
        let text = file.windows(4).rposition(|window| window == b",000").unwrap();
        let note = file[..text + 20].windows(21).rposition(|w| w[20] == b',' && w[..20].iter().all(u8::is_ascii_digit));
        let note = note.unwrap() + crate::file::frame::NOTE_CRC;
        assert_eq!(with_checksum(file.clone(), note), file);
        let mut bytes = file;
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let wanted = Wanted { dictionaries, ..wanted(None, None) };
        let file = Box::new(InMemory(with_checksum(bytes, note)));
        if let Ok(mut file) = FileBatches::open(file, "file", Extent::Prefix(None), 0, &wanted) {
            while let Ok(Some(batch)) = file.next_batch() {
                proptest::prop_assert!(batch.num_rows() > 0);
            }
        }
    }
}
