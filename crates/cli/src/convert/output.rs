//! Writes a file under another name, and gives it its own when it is whole.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_ipc::writer::{FileWriter, StreamWriter};
use otlp_arrow::{Code, Config, Format, Signal};
use otlp_arrow_columns::otap::encode::{Encoder, Lost, MAX_ROWS, Options};
use otlp_arrow_columns::{BatchBuilder, DecodeError, Refused, check, encode, json, schema};
use otlp_arrow_store::file::CommitEncoder;
use otlp_arrow_store::file::compact::compact;
use otlp_arrow_store::names::WriterId;
use otlp_arrow_store::storage_os::OsStorage;

use super::piece::{LIMITS, OTAP};
use crate::io::{Failure, Outcome};
use crate::source::extension;

/// Requests are put together into commits of about this many bytes of columns.
const COMMIT_BYTES: usize = 4 << 20;
const COMMIT_ROWS: usize = 16_384;

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Protobuf,
    JsonLines,
    Arrows,
    Arrow,
    Otap,
}

impl Form {
    /// The form that the extension names.
    pub(super) fn of(path: &Path) -> Outcome<Form> {
        match extension(path) {
            Some("pb") => Ok(Form::Protobuf),
            Some("jsonl" | "ndjson") => Ok(Form::JsonLines),
            Some("arrows") => Ok(Form::Arrows),
            Some("arrow") => Ok(Form::Arrow),
            Some("otap") => Ok(Form::Otap),
            _ => Err(Failure::Usage(format!(
                "otlp-arrow: cannot tell the form of --output {}: end it in .pb, .jsonl, .arrow, .arrows or .otap",
                crate::text::path(path)
            ))),
        }
    }
}

/// What was written.
pub(super) struct Written {
    pub(super) records: u64,
    pub(super) bytes: u64,
    /// What the form has no place for.
    pub(super) lost: Lost,
}

/// The file being written. Dropped, it leaves nothing behind.
pub(super) struct Output {
    signal: Signal,
    form: Form,
    target: PathBuf,
    /// Before `file`, so that it is closed when that is deleted.
    out: BufWriter<File>,
    file: Temporary,
    records: u64,
    builder: BatchBuilder,
    waiting: usize,
    encoder: CommitEncoder,
    otap: Encoder,
    /// What OTAP has no place for.
    lost: Lost,
    /// Messages of OTAP so far.
    messages: i64,
    /// Rows and bytes of the commits so far.
    rows: u64,
    len: u64,
}

impl Output {
    pub(super) fn create(form: Form, target: &Path, signal: Signal) -> Outcome<Self> {
        let file = Temporary::beside(target, "writing");
        let out = File::create(&file.0).map_err(|error| Failure::file("write", target, error))?;
        Ok(Self {
            signal,
            form,
            target: target.to_owned(),
            file,
            out: BufWriter::with_capacity(256 << 10, out),
            records: 0,
            builder: BatchBuilder::new(signal),
            waiting: 0,
            encoder: CommitEncoder::new(WriterId::random().to_string()),
            otap: Encoder::new(signal, &Options { metric_metadata: true, ..Options::default() }),
            lost: Lost::default(),
            messages: 0,
            rows: 0,
            len: 0,
        })
    }

    pub(super) fn signal(&self) -> Signal {
        self.signal
    }

    /// Writes the valid records of a request: how many, and which were refused; or what is wrong with all of it.
    pub(super) fn request(&mut self, bytes: &[u8]) -> Outcome<Result<(u64, Refused), DecodeError>> {
        let checked = match check(self.signal, bytes, &LIMITS) {
            Ok(checked) => checked,
            Err(error) => return Ok(Err(error)),
        };
        let records = checked.rows as u64;
        let refused = checked.refused.clone();
        match self.form {
            _ if records == 0 => {}
            Form::Protobuf if refused.first.is_none() => self.write(bytes)?,
            Form::JsonLines if refused.first.is_none() => {
                let text = json::from_protobuf(self.signal, bytes).map_err(Failure::failed)?;
                self.write(&text)?;
                self.write(b"\n")?;
            }
            Form::Protobuf | Form::JsonLines => {
                self.builder.append(bytes, &checked);
                let batch = self.builder.finish();
                self.encoded(&batch)?;
            }
            Form::Arrows | Form::Arrow | Form::Otap => {
                if self.builder.rows() > 0 && self.waiting + checked.arrow_bytes > COMMIT_BYTES {
                    self.commit_waiting()?;
                }
                self.builder.append(bytes, &checked);
                self.waiting += checked.arrow_bytes;
                if self.waiting > COMMIT_BYTES || self.builder.rows() >= COMMIT_ROWS {
                    self.commit_waiting()?;
                }
            }
        }
        self.records += records;
        Ok(Ok((records, refused)))
    }

    /// [`Output::request`] of a line of OTLP/JSON.
    pub(super) fn json(&mut self, line: &[u8]) -> Outcome<Result<(u64, Refused), DecodeError>> {
        match json::to_remarked_protobuf(self.signal, line, &LIMITS) {
            Ok(bytes) => self.request(&bytes),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Records written so far.
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// Writes rows of the storage schema.
    pub(super) fn rows(&mut self, batch: &RecordBatch) -> Outcome<u64> {
        let records = batch.num_rows() as u64;
        match self.form {
            _ if records == 0 => {}
            Form::Protobuf | Form::JsonLines => self.encoded(batch)?,
            Form::Arrows | Form::Arrow | Form::Otap => {
                self.commit_waiting()?;
                self.commit(batch)?;
            }
        }
        self.records += records;
        Ok(records)
    }

    /// Gives the file its name.
    pub(super) fn finish(mut self) -> Outcome<Written> {
        self.commit_waiting()?;
        if matches!(self.form, Form::Arrows | Form::Arrow | Form::Otap) && self.len == 0 {
            self.empty()?;
        }
        let failed = |error| Failure::file("write", &self.target, error);
        self.out.flush().map_err(failed)?;
        let sealed = if self.form == Form::Arrow && self.len > 0 { Some(self.sealed()?) } else { None };
        let whole = &sealed.as_ref().unwrap_or(&self.file).0;
        let bytes = std::fs::metadata(whole).map_err(failed)?.len();
        // Closed before it is renamed: Windows renames no open file.
        drop(self.out);
        std::fs::rename(whole, &self.target).map_err(failed)?;
        Ok(Written { records: self.records, bytes, lost: self.lost })
    }

    /// A table without rows, in the form asked for: what reads it finds the columns.
    fn empty(&mut self) -> Outcome {
        if self.form == Form::Otap {
            return self.write(&OTAP);
        }
        let schema = schema(self.signal);
        match self.form {
            Form::Arrow => FileWriter::try_new(&mut self.out, &schema).and_then(|mut out| out.finish()),
            _ => StreamWriter::try_new(&mut self.out, &schema).and_then(|mut out| out.finish()),
        }
        .map_err(|error| Failure::file("write", &self.target, error))
    }

    /// The stream as a file of the sealed form.
    fn sealed(&self) -> Outcome<Temporary> {
        let sealed = Temporary::beside(&self.target, "sealing");
        let level = Config::default().sealing.level;
        compact(&OsStorage, &self.file.0, self.len, &sealed.0, Some(level), &mut || true)?;
        Ok(sealed)
    }

    fn write(&mut self, bytes: &[u8]) -> Outcome {
        self.out.write_all(bytes).map_err(|error| Failure::file("write", &self.target, error))
    }

    /// A batch as a request of its own.
    fn encoded(&mut self, batch: &RecordBatch) -> Outcome {
        let json = self.form == Form::JsonLines;
        let format = if json { Format::Json } else { Format::Protobuf };
        let bytes = encode(self.signal, std::slice::from_ref(batch), format).map_err(|error| {
            Failure::Failed(format!("{}: the table cannot be written as OTLP: {error}", Code::InvalidData))
        })?;
        self.write(&bytes)?;
        if json {
            self.write(b"\n")?;
        }
        Ok(())
    }

    /// Rows as the next message of a stream of OTAP, behind its length.
    fn message(&mut self, rows: &RecordBatch) -> Outcome {
        if self.len == 0 {
            self.write(&OTAP)?;
        }
        let encoded = self.otap.encode(rows, self.messages).map_err(|error| {
            Failure::Failed(format!("{}: the table cannot be written as OTAP: {error}", Code::InvalidData))
        })?;
        let length = u32::try_from(encoded.message.len()).map_err(Failure::failed)?;
        self.write(&length.to_le_bytes())?;
        self.write(&encoded.message)?;
        self.lost.add_all(encoded.lost);
        self.messages += 1;
        self.len += u64::from(length);
        Ok(())
    }

    fn commit_waiting(&mut self) -> Outcome {
        if self.builder.rows() > 0 {
            let batch = self.builder.finish();
            self.waiting = 0;
            self.commit(&batch)?;
        }
        Ok(())
    }

    fn commit(&mut self, batch: &RecordBatch) -> Outcome {
        if self.form == Form::Otap {
            return (0..batch.num_rows())
                .step_by(MAX_ROWS)
                .try_for_each(|start| self.message(&batch.slice(start, MAX_ROWS.min(batch.num_rows() - start))));
        }
        let bytes = self.encoder.encode(batch, self.rows)?;
        self.rows += batch.num_rows() as u64;
        self.len += bytes.len() as u64;
        self.out.write_all(bytes).map_err(|error| Failure::file("write", &self.target, error))
    }
}

/// A file that is deleted unless it was renamed.
struct Temporary(PathBuf);

impl Temporary {
    fn beside(target: &Path, step: &str) -> Self {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        Self(target.with_file_name(format!(".{name}.{}.{step}", std::process::id())))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
