//! A third form of files: one type and one registration, and everybody reads it.

use std::io::{self, Cursor};
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::SchemaRef;
use otlp_arrow_columns::Signal;
use otlp_arrow_store::file::read::Extent;
use otlp_arrow_store::file::scan::Check;
use otlp_arrow_store::form::{Committed, FileForm, FileState, Form, RowReader};
use otlp_arrow_store::position::Positions;
use otlp_arrow_store::storage::ReadFile;
use otlp_arrow_store::storage_os::OsStorage;
use otlp_arrow_store::subscription::SubscribeFrom;
use otlp_arrow_store::{Entry, Log, ReadError, ReadOptions, Settings, Store, Wanted};

use crate::support::*;

type Result<T> = std::result::Result<T, ReadError>;

/// `.toy`: a mark, then a stream of whole batches as anybody writes it.
#[derive(Debug)]
struct Toy;

const TOY: Form = Form::new(&Toy);
const MARK: &[u8] = b"toy!";

fn batches(file: &dyn ReadFile) -> io::Result<Option<Vec<RecordBatch>>> {
    let mut bytes = vec![0; file.len()? as usize];
    file.read_exact_at(0, &mut bytes)?;
    let Some(stream) = bytes.strip_prefix(MARK) else { return Ok(None) };
    let reader = StreamReader::try_new(Cursor::new(stream.to_vec()), None);
    Ok(reader.and_then(Iterator::collect).ok())
}

impl FileForm for Toy {
    fn extension(&self) -> &'static str {
        "toy"
    }

    fn rank(&self) -> u8 {
        200
    }

    fn open(
        &self,
        file: Box<dyn ReadFile>,
        name: &str,
        _: Extent,
        from_row: u64,
        wanted: &Wanted,
    ) -> Result<Box<dyn RowReader>> {
        let batches = batches(&*file).map_err(|error| ReadError::read(name, error))?;
        let batches = batches.ok_or_else(|| ReadError::damaged(format!("{name} is not a toy")))?;
        let schema = wanted.apply(&batches[0].slice(0, 0)).unwrap().schema();
        Ok(Box::new(ToyRows {
            batches: batches.into(),
            first_row: 0,
            next_row: from_row,
            wanted: wanted.clone(),
            schema,
        }))
    }

    fn committed(&self, file: &dyn ReadFile, _: Check) -> io::Result<Committed> {
        let rows = batches(file)?.unwrap_or_default().iter().map(|batch| batch.num_rows() as u64).sum();
        Ok(Committed { rows, bytes: file.len()? })
    }

    fn state(&self, file: &dyn ReadFile, _: Check) -> io::Result<FileState> {
        Ok(if batches(file)?.is_some() { FileState::Whole } else { FileState::Damaged })
    }
}

#[derive(Debug)]
struct ToyRows {
    batches: std::collections::VecDeque<RecordBatch>,
    /// The number of the first row of `batches`.
    first_row: u64,
    next_row: u64,
    wanted: Wanted,
    schema: SchemaRef,
}

impl RowReader for ToyRows {
    fn next_batch_until(&mut self, end: u64) -> Result<Option<RecordBatch>> {
        while self.next_row < end {
            let Some(batch) = self.batches.pop_front() else { return Ok(None) };
            let (first, after) = (self.first_row, self.first_row + batch.num_rows() as u64);
            self.first_row = after;
            let (from, to) = (self.next_row.max(first), after.min(end));
            if from >= to {
                continue;
            }
            self.next_row = to;
            let rows = self.wanted.apply(&batch.slice((from - first) as usize, (to - from) as usize)).unwrap();
            if rows.num_rows() > 0 {
                return Ok(Some(rows));
            }
        }
        Ok(None)
    }

    fn next_row(&self) -> u64 {
        self.next_row
    }

    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn grow(&mut self, _: Extent) -> Result<bool> {
        Ok(false)
    }
}

/// Writes a file in the third form beside the one it has.
fn to_toy(log: &Log, entry: &Entry) {
    let options = ReadOptions { dictionaries: true, ..ReadOptions::default() };
    let mut rows = log.open(entry, 0, &Wanted::new(Signal::Logs, &options).unwrap()).unwrap();
    let mut out = MARK.to_vec();
    let schema = Arc::clone(rows.schema());
    let mut writer = StreamWriter::try_new(&mut out, &schema).unwrap();
    while let Some(batch) = rows.next_batch().unwrap() {
        writer.write(&batch).unwrap();
    }
    writer.finish().unwrap();
    drop(writer);
    std::fs::write(entry.path.with_extension("toy"), out).unwrap();
}

fn read(log: &Log) -> Vec<u64> {
    let batches = log.read(Signal::Logs, &ReadOptions::default()).unwrap();
    batches.flat_map(|batch| numbers(&batch.unwrap())).collect()
}

/// Three sealed files of ten records each.
fn three_files(dir: &Path) -> Settings {
    let mut config = config(dir);
    config.rotation.max_bytes = 1;
    let store = open(&config);
    for file in 0..3 {
        put(&store, file * 10..file * 10 + 10).unwrap();
    }
    store.close(soon());
    assert_eq!(log_files(dir, "arrow").len(), 3);
    config
}

fn with_toys(settings: &Settings) -> Store {
    let mut settings = settings.clone();
    settings.forms = settings.forms.with(TOY);
    Store::open(settings, Arc::new(OsStorage), Arc::new(|_| ())).unwrap()
}

#[test]
fn a_registered_form_is_read_in_its_place_and_an_unknown_one_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    three_files(dir.path());
    let plain = Log::read_only(dir.path());
    let log = plain.clone().with_form(TOY);
    let middle = plain.entries(Signal::Logs).unwrap().remove(1);
    to_toy(&plain, &middle);
    // Both forms are there: each log reads the file once, in the highest form it knows.
    assert_eq!(log.entries(Signal::Logs).unwrap()[1].form, TOY);
    assert_eq!((read(&log), read(&plain)), ((0..30).collect(), (0..30).collect()));
    // A listing from before, and a reader that is in the middle of the file.
    let wanted = Wanted::new(Signal::Logs, &ReadOptions::default()).unwrap();
    std::fs::remove_file(&middle.path).unwrap();
    let mut rows = log.open(&middle, 7, &wanted).unwrap();
    assert_eq!((rows.form(), numbers(&rows.next_batch().unwrap().unwrap())), (TOY, (17..20).collect()));
    assert!(plain.open(&middle, 7, &wanted).unwrap_err().is_gone());
    assert_eq!(log.committed(&middle).unwrap().rows, 10);
    assert_eq!(read(&log), (0..30).collect::<Vec<_>>());
    assert_eq!(read(&plain), (0..10).chain(20..30).collect::<Vec<_>>());
    let at =
        |number: u64| Some(std::time::UNIX_EPOCH + std::time::Duration::from_nanos(1_700_000_000_000_000_000 + number));
    let options = ReadOptions { from: at(5), to: at(15), columns: Some(vec!["body".into()]), ..ReadOptions::default() };
    let found = log.read(Signal::Logs, &options).unwrap().flat_map(|batch| numbers(&batch.unwrap()));
    assert_eq!(found.collect::<Vec<_>>(), (5..15).collect::<Vec<_>>(), "time and columns narrow it as they do others");

    // A file that goes to the third form while it is followed is not read a second time.
    let mut follow = log.follow(Signal::Logs, Positions::new(), wanted);
    let mut found = Vec::new();
    while let Some((batch, position)) = follow.next_batch().unwrap() {
        let file = log.entries(Signal::Logs).unwrap().into_iter().find(|entry| entry.stem == position.stem).unwrap();
        if file.form != TOY {
            to_toy(&log, &file);
            std::fs::remove_file(&file.path).unwrap();
        }
        found.extend(numbers(&batch));
    }
    assert_eq!(found, (0..30).collect::<Vec<_>>());
    assert_eq!(read(&log), (0..30).collect::<Vec<_>>());
}

#[test]
fn a_store_reads_follows_recovers_and_deletes_a_registered_form() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = three_files(dir.path());
    {
        let store = with_toys(&config);
        let mut subscription = store.subscribe(Signal::Logs, "mine", SubscribeFrom::Beginning).unwrap();
        let mut found = Vec::new();
        while found.len() < 10 {
            found.extend(numbers(&subscription.next_blocking().unwrap().unwrap()));
        }
        subscription.ack();
        store.close(soon());
    }
    let log = Log::read_only(dir.path());
    for entry in log.entries(Signal::Logs).unwrap() {
        to_toy(&log, &entry);
        std::fs::remove_file(&entry.path).unwrap();
    }
    // What was acknowledged in another form is behind.
    let store = with_toys(&config);
    assert_eq!(ids(&store), (0..30).collect::<Vec<_>>());
    let mut subscription = store.subscribe(Signal::Logs, "mine", SubscribeFrom::Beginning).unwrap();
    let mut found = Vec::new();
    while found.len() < 20 {
        found.extend(numbers(&subscription.next_blocking().unwrap().unwrap()));
    }
    assert_eq!(found, (10..30).collect::<Vec<_>>());
    drop(subscription);
    // One that does not hold is set aside as others are.
    let toys = log_files(dir.path(), "toy");
    std::fs::write(&toys[1], b"broken").unwrap();
    let failed = store.read(Signal::Logs, &ReadOptions::default()).unwrap().filter_map(std::result::Result::err);
    let said: Vec<String> = failed.map(|error| error.message().to_owned()).collect();
    assert!(said.len() == 1 && said[0].contains("is not a toy; it is set aside"), "{said:?}");
    assert_eq!(ids(&store), (0..10).chain(20..30).collect::<Vec<_>>());
    assert!(names(dir.path(), "quarantine").iter().any(|name| name.ends_with(".toy")));
    store.close(soon());
    config.retention.max_bytes = 1;
    with_toys(&config).maintain();
    assert_eq!(log_files(dir.path(), "toy"), [] as [std::path::PathBuf; 0], "retention knows it as well");
}
