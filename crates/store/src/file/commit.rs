//! One batch of a live file: a piece of an IPC stream that can be read without anything but the schema before it.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, RecordBatch};
use arrow_buffer::ToByteSlice;
use arrow_schema::{Schema, SchemaRef};
use otlp_arrow_columns::{BatchBuilder, ColumnSink};

use super::frame::NOTE_CRC;
use super::layout::{Shape, shapes};
use super::message::{Form, MessageWriter, Placed, Template, schema_message};
use super::metadata::{META_SCHEMA, META_SIGNAL, META_VERSION, META_WRITER, SCHEMA_VERSION, signal_of};
use super::output::Output;
use otlp_arrow_base::error::{Code, OtlpError, Result};

/// Memory that grew beyond this for one commit is not kept for the next: heads and small buffers take far less.
const KEEP_CAPACITY: usize = 256 << 10;

/// Turns record batches into commits of one writer's live files.
///
/// Rows of a file are numbered from 0, so the commit with first row 0 starts a file and carries the schema message.
/// Nothing is remembered from commit to commit but the shape of the schema: one that failed to be written leaves no
/// trace, and its batch can be encoded again at any row.
#[derive(Debug)]
pub struct CommitEncoder {
    writer: String,
    shape: Option<SchemaShape>,
    /// Schema and dictionaries, then the record batch: they are written side by side.
    out: [Output; 2],
    /// All in one piece, for those who ask for that.
    joined: Vec<u8>,
    /// What the commits from now on say of the keys of their batches; nothing of most.
    keys: String,
}

/// The bytes of one commit, in parts: large columns are not copied. They are released when this is dropped.
#[derive(Debug)]
pub struct Encoded<'a>(&'a mut [Output; 2]);

impl Encoded<'_> {
    /// Bytes in all.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(Output::len).sum()
    }

    /// The bytes in order.
    pub fn parts(&self) -> Vec<&[u8]> {
        parts(self.0)
    }
}

impl Drop for Encoded<'_> {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|out| out.clear(KEEP_CAPACITY));
    }
}

fn parts(out: &[Output; 2]) -> Vec<&[u8]> {
    let [first, second] = out;
    let mut parts = first.parts();
    parts.extend(second.parts());
    parts
}

#[derive(Debug)]
struct SchemaShape {
    schema: SchemaRef,
    header: Vec<u8>,
    batch: Template,
    dictionaries: Vec<(usize, Template)>,
    shapes: Vec<Shape>,
    /// The last template of a batch with so many bytes of keys.
    keyed: Option<(usize, Template)>,
}

impl SchemaShape {
    fn new(schema: &SchemaRef, writer: &str) -> Result<Self> {
        let shapes = shapes(schema)?;
        let header = schema_message(&stamped(schema, writer));
        let batch = Template::new(&shapes, Form { note: true, ..Form::default() })?;
        let dictionaries = dictionary_templates(&shapes, Form::default())?;
        Ok(Self { schema: Arc::clone(schema), header, batch, dictionaries, shapes, keyed: None })
    }

    /// Has a template for `keys` ready.
    fn expect_keys(&mut self, keys: &str) -> Result<()> {
        if !keys.is_empty() && self.keyed.as_ref().is_none_or(|(len, _)| *len != keys.len()) {
            let form = Form { note: true, keys: keys.len(), ..Form::default() };
            self.keyed = Some((keys.len(), Template::new(&self.shapes, form)?));
        }
        Ok(())
    }

    fn batch(&self, keys: &str) -> &Template {
        self.keyed.as_ref().filter(|_| !keys.is_empty()).map_or(&self.batch, |(_, template)| template)
    }
}

/// The template of each dictionary message with its column, in the order of dictionary ids.
pub(crate) fn dictionary_templates(shapes: &[Shape], form: Form) -> Result<Vec<(usize, Template)>> {
    let columns = shapes.iter().enumerate().filter(|(_, shape)| **shape == Shape::Dictionary);
    columns
        .zip(0i64..)
        .map(|((column, _), id)| {
            let form = Form { dictionary: Some(id), ..form };
            Ok((column, Template::new([&Shape::Bytes], form)?))
        })
        .collect()
}

/// `schema` with the metadata that every file of `writer` carries.
fn stamped(schema: &Schema, writer: &str) -> Schema {
    let mut metadata = schema.metadata().clone();
    metadata.entry(META_SCHEMA.to_owned()).or_insert_with(|| SCHEMA_VERSION.to_owned());
    // Rows that were read from a file of the first versions do not say it.
    if let Some(signal) = signal_of(schema) {
        metadata.insert(META_SIGNAL.to_owned(), signal.to_string());
    }
    metadata.insert(META_WRITER.to_owned(), writer.to_owned());
    metadata.insert(META_VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    Schema::new_with_metadata(schema.fields().clone(), metadata)
}

impl CommitEncoder {
    /// An encoder for files of the writer with this id.
    pub fn new(writer: impl Into<String>) -> Self {
        let (shape, joined, keys) = Default::default();
        Self { writer: writer.into(), shape, out: [Output::pointing(), Output::pointing()], joined, keys }
    }

    /// What the commits from now on say of the keys of their batches.
    pub(crate) fn set_keys(&mut self, keys: String) {
        self.keys = keys;
    }

    /// [`CommitEncoder::encode_parts`] in one piece.
    pub fn encode(&mut self, batch: &RecordBatch, first_row: u64) -> Result<&[u8]> {
        let mut joined = std::mem::take(&mut self.joined);
        joined.clear();
        self.encode_parts(batch, first_row)?.parts().iter().for_each(|part| joined.extend_from_slice(part));
        self.joined = joined;
        Ok(&self.joined)
    }

    /// The bytes that append `batch` to a file of `first_row` rows; with `first_row` 0 they are a complete new file.
    ///
    /// Fails with INTERNAL for an empty batch, a column type that files may not contain, or a schema that is not the
    /// one of the file.
    pub fn encode_parts(&mut self, batch: &RecordBatch, first_row: u64) -> Result<Encoded<'_>> {
        let (shape, keys, out) = self.begin(batch.schema_ref(), batch.num_rows(), first_row)?;
        for (column, template) in &shape.dictionaries {
            let values = dictionary_values(batch, *column)?;
            let mut message = MessageWriter::new(&mut out.0[0], template, None);
            message.array(values)?;
            message.finish(values.len());
        }
        let mut message = MessageWriter::new(&mut out.0[1], shape.batch(keys), None);
        for column in batch.columns() {
            message.array(column.as_ref())?;
        }
        let placed = message.finish(batch.num_rows());
        note(out.0, placed, keys, first_row, batch.num_rows());
        Ok(out)
    }

    /// [`CommitEncoder::encode_parts`] of what `builder` holds, without making arrays of it: for few rows, whose bytes
    /// are all copied. The builder is empty then, also if this fails.
    pub fn encode_rows(&mut self, builder: &mut BatchBuilder, first_row: u64) -> Result<Encoded<'_>> {
        let rows = builder.rows();
        let schema = otlp_arrow_columns::schema(builder.signal());
        let (shape, keys, out) = match self.begin(&schema, rows, first_row) {
            Ok(begun) => begun,
            Err(error) => {
                builder.finish();
                return Err(error);
            }
        };
        let [before, batch] = &mut *out.0;
        let batch = MessageWriter::new(batch, shape.batch(keys), None);
        let mut sink = Sink { before, batch, dictionaries: shape.dictionaries.iter() };
        builder.write(&mut sink);
        let placed = sink.batch.finish(rows);
        note(out.0, placed, keys, first_row, rows);
        Ok(out)
    }

    /// What the messages of a commit of `rows` rows are made from, and where they go: begun with what starts a file.
    fn begin(&mut self, schema: &SchemaRef, rows: usize, first_row: u64) -> Result<(&SchemaShape, &str, Encoded<'_>)> {
        if rows == 0 {
            return Err(OtlpError::new(Code::Internal, "a commit needs at least one row"));
        }
        let known =
            self.shape.as_ref().is_some_and(|shape| Arc::ptr_eq(&shape.schema, schema) || shape.schema == *schema);
        if !known {
            if self.shape.is_some() && first_row != 0 {
                return Err(OtlpError::new(Code::Internal, "a file cannot change its schema: start a new file"));
            }
            self.shape = Some(SchemaShape::new(schema, &self.writer)?);
        }
        let Some(shape) = &mut self.shape else {
            return Err(OtlpError::new(Code::Internal, "the encoder has no schema"));
        };
        shape.expect_keys(&self.keys)?;
        // Whatever became of it, nothing of the commit before stays.
        self.out.iter_mut().for_each(|out| out.clear(KEEP_CAPACITY));
        let out = Encoded(&mut self.out);
        if first_row == 0 {
            out.0[0].extend(&shape.header);
        }
        Ok((shape, &self.keys, out))
    }
}

/// Writes the columns of a builder: each dictionary is a message of its own before that of the batch.
struct Sink<'a> {
    before: &'a mut Output,
    batch: MessageWriter<'a>,
    dictionaries: std::slice::Iter<'a, (usize, Template)>,
}

impl ColumnSink for Sink<'_> {
    fn array(&mut self, len: usize, nulls: usize) {
        self.batch.node(len, nulls);
    }

    fn buffer(&mut self, bytes: &[u8]) {
        self.batch.plain(|out| out.extend_from_slice(bytes));
    }

    fn zeros(&mut self, len: usize) {
        self.batch.plain(|out| out.resize(out.len() + len, 0));
    }

    fn dictionary(&mut self, ends: &[u32], text: &[u8]) {
        let Some((_, template)) = self.dictionaries.next() else { return };
        let mut message = MessageWriter::new(self.before, template, None);
        message.node(ends.len(), 0);
        message.plain(|_| {});
        message.plain(|out| {
            out.extend_from_slice(&[0; size_of::<u32>()]);
            out.extend_from_slice(ends.to_byte_slice());
        });
        message.plain(|out| out.extend_from_slice(text));
        message.finish(ends.len());
    }
}

/// Completes the commit note and the keys, which are in the second of `out`.
fn note(out: &mut [Output; 2], placed: Placed, keys: &str, first_row: u64, rows: usize) {
    let Some(note) = placed.note else { return };
    if let Some(at) = placed.keys {
        out[1].own[at..at + keys.len()].copy_from_slice(keys.as_bytes());
    }
    out[1].own[note..note + NOTE_CRC].copy_from_slice(numbers(first_row, rows).as_bytes());
    let crc = parts(out).into_iter().fold(0, crc32c::crc32c_append);
    out[1].own[note + NOTE_CRC..note + NOTE_CRC + 8].copy_from_slice(digits(crc).as_bytes());
}

/// The values of the dictionary column `column`.
pub(crate) fn dictionary_values(batch: &RecordBatch, column: usize) -> Result<&dyn Array> {
    match batch.column(column).as_dictionary_opt::<Int32Type>() {
        Some(array) if array.values().null_count() == 0 => Ok(array.values().as_ref()),
        Some(_) => Err(OtlpError::new(Code::Internal, format!("the dictionary of column {column} has a null value"))),
        None => Err(OtlpError::new(Code::Internal, format!("column {column} is not a dictionary"))),
    }
}

/// Writes the note at `at`, with a checksum over all of `out`.
// It covers every byte, its own digits as zeros: a torn page in the metadata is found too.
pub(crate) fn write_note(out: &mut [u8], at: usize, first_row: u64, rows: usize) {
    out[at..at + NOTE_CRC].copy_from_slice(numbers(first_row, rows).as_bytes());
    let crc = crc32c::crc32c(out);
    out[at + NOTE_CRC..at + NOTE_CRC + 8].copy_from_slice(digits(crc).as_bytes());
}

fn numbers(first_row: u64, rows: usize) -> String {
    format!("{first_row:020},{rows:010},")
}

fn digits(crc: u32) -> String {
    format!("{crc:08x}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow_ipc::reader::StreamReader;

    use super::*;
    use crate::file::sample;

    fn read(bytes: &[u8]) -> (SchemaRef, Vec<RecordBatch>) {
        let reader = StreamReader::try_new(bytes, None).unwrap();
        (reader.schema(), reader.map(Result::unwrap).collect())
    }

    #[test]
    fn a_file_is_a_valid_stream_after_every_commit() {
        let mut encoder = CommitEncoder::new("00000000000000aa");
        let (mut file, mut written, mut row) = (Vec::new(), Vec::new(), 0);
        for rows in [1, 17, 1, 300, 2] {
            let batch = sample::batch(row, rows);
            file.extend_from_slice(encoder.encode(&batch, row).unwrap());
            assert_eq!(file.len() % 8, 0);
            row += rows;
            written.push(batch);
            let (schema, batches) = read(&file);
            assert_eq!(schema.metadata()[META_WRITER], "00000000000000aa");
            assert_eq!(schema.metadata()[META_SCHEMA], SCHEMA_VERSION);
            let columns: Vec<_> = batches.iter().map(|batch| batch.columns().to_vec()).collect();
            assert_eq!(columns, written.iter().map(|batch| batch.columns().to_vec()).collect::<Vec<_>>());
        }
        if let Ok(path) = std::env::var("OTLP_ARROW_KEEP_SAMPLE") {
            std::fs::write(path, &file).unwrap();
        }
    }

    #[test]
    fn a_slice_writes_its_own_rows_only() {
        let whole = sample::batch(0, 100);
        for (offset, rows) in [(0, 3), (3, 50), (64, 36), (99, 1)] {
            let slice = whole.slice(offset, rows);
            let bytes = CommitEncoder::new("a").encode(&slice, 0).unwrap().to_vec();
            let alone = CommitEncoder::new("a").encode(&sample::batch(offset as u64, rows as u64), 0).unwrap().to_vec();
            let (_, batches) = read(&bytes);
            let (_, expected) = read(&alone);
            for (got, want) in batches[0].columns().iter().zip(expected[0].columns()) {
                // Dictionaries of a slice keep values it does not use: compare what they mean.
                match (got.as_dictionary_opt::<Int32Type>(), want.as_dictionary_opt::<Int32Type>()) {
                    (Some(got), Some(want)) => {
                        let (got, want) = (
                            got.downcast_dict::<arrow_array::StringArray>().unwrap(),
                            want.downcast_dict::<arrow_array::StringArray>().unwrap(),
                        );
                        assert!(got.into_iter().eq(want.into_iter()));
                    }
                    _ => assert_eq!(got, want),
                }
            }
        }
    }

    /// Requests of every shape, one to several in a batch: byte for byte what their arrays would give.
    #[test]
    fn rows_are_written_as_their_arrays_would_be() {
        use otlp_arrow_columns::{Limits, Signal, check};
        use otlp_arrow_testkit::generate::Generator;
        use prost::Message;

        for signal in Signal::ALL {
            let (mut direct, mut arrays) = (BatchBuilder::new(signal), BatchBuilder::new(signal));
            let (mut encoder, mut expected) = (CommitEncoder::new("a"), CommitEncoder::new("a"));
            let (mut row, mut nulls) = (0, 0);
            for seed in 0..400 {
                let mut generator = Generator::new(seed);
                let requests: Vec<_> = (0..1 + seed % 5)
                    .map(|_| match signal {
                        Signal::Traces => generator.traces().encode_to_vec(),
                        Signal::Logs => generator.logs().encode_to_vec(),
                        Signal::Metrics => generator.metrics().encode_to_vec(),
                    })
                    .filter_map(|bytes| Some((check(signal, &bytes, &Limits::default()).ok()?, bytes)))
                    .collect();
                if seed % 3 > 0 {
                    direct.expect(requests.iter().map(|(checked, _)| checked));
                }
                for (checked, bytes) in &requests {
                    direct.append(bytes, checked);
                    arrays.append(bytes, checked);
                }
                let rows = direct.rows() as u64;
                let batch = arrays.finish();
                if rows == 0 {
                    assert_eq!(encoder.encode_rows(&mut direct, row).unwrap_err().code(), Code::Internal);
                    continue;
                }
                nulls += batch.columns().iter().map(|column| column.null_count()).sum::<usize>();
                // One builder serves both ways, as commits are small and large by turns.
                let written = match seed % 4 {
                    0 => encoder.encode(&direct.finish(), row).unwrap().to_vec(),
                    _ => encoder.encode_rows(&mut direct, row).unwrap().parts().concat(),
                };
                assert!(written == expected.encode(&batch, row).unwrap(), "{signal}, seed {seed}");
                assert_eq!(direct.rows(), 0);
                row += rows;
            }
            assert!(row > 500 && nulls > 500, "{signal}: {row} rows, {nulls} nulls");
        }
    }

    #[test]
    fn the_same_batch_encodes_the_same_after_a_failed_write() {
        let mut encoder = CommitEncoder::new("a");
        let (first, second, third) = (sample::batch(0, 5), sample::batch(50, 7), sample::batch(90, 7));
        encoder.encode(&first, 0).unwrap();
        let expected = encoder.encode(&second, 5).unwrap().to_vec();
        encoder.encode(&third, 5).unwrap();
        assert_eq!(encoder.encode(&second, 5).unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_a_commit_is_refused() {
        let mut encoder = CommitEncoder::new("a");
        assert_eq!(encoder.encode(&sample::batch(0, 0), 0).unwrap_err().code(), Code::Internal);
        encoder.encode(&sample::batch(0, 1), 0).unwrap();
        let other = sample::batch(0, 1).project(&[0, 1]).unwrap();
        assert_eq!(encoder.encode(&other, 1).unwrap_err().code(), Code::Internal);
        encoder.encode(&other, 0).unwrap();
        let nested = Arc::new(arrow_array::LargeStringArray::from(vec!["x"]));
        let unsupported = RecordBatch::try_from_iter([("x", nested as arrow_array::ArrayRef)]).unwrap();
        assert_eq!(encoder.encode(&unsupported, 0).unwrap_err().code(), Code::Internal);
    }
}
