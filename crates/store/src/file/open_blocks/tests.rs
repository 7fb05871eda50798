#![allow(clippy::unwrap_used, reason = "tests")]
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_select::concat::concat_batches;
use arrow_select::take::take;

use super::*;
use crate::disk::storage_os::OsStorage;
use crate::file::compact::compact;
use crate::file::sample::{self, InMemory};

fn reader(bytes: &[u8], known: Option<&Arc<Outline>>) -> Result<Box<dyn BlockReader>> {
    open(Arc::new(InMemory(bytes.to_vec())), "sample", Extent::Prefix(None), known)
}

fn sealed(stream: &[u8]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let (source, target) = (dir.path().join("a.arrows"), dir.path().join("a.arrow"));
    std::fs::write(&source, stream).unwrap();
    compact(&OsStorage, &source, stream.len() as u64, &target, Some(1), &mut || true).unwrap().unwrap();
    std::fs::read(target).unwrap()
}

/// A column as plain text where it has a dictionary, to compare what is kept by other dictionaries.
fn plain(array: &ArrayRef) -> ArrayRef {
    match array.as_any_dictionary_opt() {
        Some(dictionary) => take(dictionary.values(), dictionary.keys(), None).unwrap(),
        None => Arc::clone(array),
    }
}

/// All rows by blocks, one column at a time or all at once.
fn rows(reader: &dyn BlockReader, column: usize, together: bool) -> ArrayRef {
    let all: Vec<usize> = (0..reader.outline().schema().fields().len()).collect();
    let parts: Vec<ArrayRef> = (0..reader.outline().blocks().len())
        .map(|block| {
            let loaded = reader.load(block).unwrap();
            let columns = if together { loaded.columns(&all).unwrap() } else { loaded.columns(&[column]).unwrap() };
            let array = plain(&columns[if together { column } else { 0 }]);
            assert_eq!(array.len() as u64, reader.outline().blocks()[block].rows);
            array
        })
        .collect();
    let parts: Vec<&dyn Array> = parts.iter().map(|part| &**part).collect();
    arrow_select::concat::concat(&parts).unwrap()
}

#[test]
fn both_forms_have_the_rows_that_were_written_whatever_columns_are_asked_for() {
    let (commits, mut at) = ([3, 4_000, 1, 9_000, 77], 0);
    let batches: Vec<RecordBatch> = commits
        .iter()
        .map(|rows| {
            at += rows;
            sample::batch(at - *rows, *rows)
        })
        .collect();
    let whole = concat_batches(&batches[0].schema(), &batches).unwrap();
    let stream = sample::stream(&commits);
    for bytes in [stream.clone(), sealed(&stream)] {
        let first = reader(&bytes, None).unwrap();
        let outline = Arc::clone(first.outline());
        assert_eq!((outline.rows(), outline.schema().fields().len()), (at, whole.num_columns()));
        assert!(outline.blocks().windows(2).all(|pair| pair[0].first_row + pair[0].rows == pair[1].first_row));
        // What was checked once is read in parts by the second reader.
        let second = reader(&bytes, Some(&outline)).unwrap();
        assert!(Arc::ptr_eq(second.outline(), &outline));
        for reader in [&first, &second] {
            for column in 0..whole.num_columns() {
                for together in [true, false] {
                    let found = rows(&**reader, column, together);
                    assert_eq!(&found, &plain(whole.column(column)), "column {column} of {:?}", reader.outline());
                }
            }
        }
    }
}

#[test]
fn an_outline_grows_with_its_file_and_takes_only_whole_commits() {
    let stream = sample::stream(&[10, 20, 30]);
    let whole = reader(&stream, None).unwrap();
    let Parts::Live { commits, .. } = &whole.outline().parts else { panic!("a live file") };
    let ends: Vec<usize> = commits.iter().map(|commit| commit.end as usize).collect();
    let mut known: Option<Arc<Outline>> = None;
    for (len, rows) in [(7, 0), (ends[0] - 1, 0), (ends[0], 10), (ends[1] - 1, 10), (ends[1] + 7, 30), (ends[2], 60)] {
        let reader = reader(&stream[..len], known.as_ref()).unwrap();
        assert_eq!(reader.outline().rows(), rows, "{len}");
        assert_eq!(reader.outline().schema().fields().is_empty(), len == 7);
        known = Some(Arc::clone(reader.outline()));
    }
    // A shorter file than was known is looked at anew.
    assert_eq!(reader(&stream[..ends[0]], known.as_ref()).unwrap().outline().rows(), 10);
}

#[test]
fn a_changed_byte_is_told_when_a_block_is_read_for_the_first_time() {
    let whole = sealed(&sample::stream(&[3_000, 3_000]));
    let places: Vec<Place> = {
        let reader = reader(&whole, None).unwrap();
        let Parts::Sealed { batches, .. } = &reader.outline().parts else { panic!("a sealed file") };
        batches.clone()
    };
    let mut told = 0;
    for step in 0..40 {
        let mut bytes = whole.clone();
        let at = places[0].offset + step * places[0].len / 40 + places[0].len / 80;
        bytes[at as usize] ^= 0x10;
        // In the head the file as a whole is damaged, in the body the block.
        let error = reader(&bytes, None).and_then(|reader| reader.load(0).map(drop));
        told += usize::from(error.unwrap_err().is_damage());
    }
    assert_eq!(told, 40);
    assert!(reader(&whole[..whole.len() - 1], None).unwrap_err().is_damage());
    assert_eq!(reader(&[], None).unwrap().outline().rows(), 0);
}

#[test]
fn dictionaries_of_sealed_files_have_every_value() {
    let reader = reader(&sealed(&sample::stream(&[500, 500])), None).unwrap();
    let outline = reader.outline();
    let mut columns = 0;
    for (column, values) in outline.dictionaries().unwrap() {
        columns += 1;
        let values: Vec<&str> = values.as_string::<i32>().iter().flatten().collect();
        for row in rows(&*reader, column, false).as_string::<i32>().iter().flatten() {
            assert!(values.contains(&row), "{row} of column {column}");
        }
    }
    assert!(columns > 0 && outline.memory() > 0);
}
