//! What a question is answered with: typed values, a table, JSON, and what was searched for it.

mod searched;
mod top;

pub use searched::{Searched, Skipped};
pub use top::{Found, TopRows, top};
pub(crate) use top::{behind, compare};

use std::any::Any;
use std::io::{self, Write};

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use otlp_arrow_base::error::{Code, OtlpError, Result};
use otlp_arrow_columns::Signal;
use serde::{Serialize, Serializer};

use crate::record::Form;

/// What a question is answered with.
pub trait Answer: Any + Send {
    /// What was searched for it, and why no more than that.
    fn searched(&self) -> &Searched;

    /// How many rows the table has.
    fn rows(&self) -> usize;

    /// The answer as a table, with a schema of its own.
    fn table(&self) -> Result<RecordBatch>;

    /// Writes the answer as one JSON object. Errors are those of `out`.
    fn write(&self, form: Form, out: &mut dyn Write) -> io::Result<()>;

    /// The records it consists of, in the columns of their schema: what OTLP can say of it.
    fn records(&self) -> Vec<(Signal, RecordBatch)> {
        Vec::new()
    }

    /// The answer as one JSON object.
    fn render(&self, form: Form) -> Result<String> {
        let mut out = Vec::new();
        self.write(form, &mut out).map_err(|error| internal(&error))?;
        String::from_utf8(out).map_err(|error| internal(&error))
    }

    /// The answer as one JSON object. Times are RFC 3339 with nine digits, durations nanoseconds.
    fn to_json(&self) -> Result<String> {
        self.render(Form::Text)
    }

    /// The table as an Arrow IPC stream.
    fn to_ipc(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        self.write_ipc(&mut out)?;
        Ok(out)
    }

    /// Writes the table as an Arrow IPC stream, some rows at a time. Errors are those of `out`.
    fn write_ipc(&self, out: &mut dyn Write) -> Result<()> {
        let table = self.table()?;
        let write = || {
            let mut writer = StreamWriter::try_new(out, &table.schema())?;
            for from in (0..table.num_rows()).step_by(WRITTEN_ROWS) {
                writer.write(&table.slice(from, WRITTEN_ROWS.min(table.num_rows() - from)))?;
            }
            writer.finish()
        };
        write().map_err(|error: arrow_schema::ArrowError| internal(&error))
    }
}

/// Rows that are written at once.
const WRITTEN_ROWS: usize = 8192;

/// The error of something that cannot fail with columns of ours.
pub(crate) fn internal(error: &dyn std::fmt::Display) -> OtlpError {
    OtlpError::new(Code::Internal, format!("an answer could not be made: {error}"))
}

/// JSON of anything.
pub(crate) fn json(form: Form, out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    form.write(value, out)
}

/// A JSON list of so many elements, each made when it is written.
pub(crate) struct Each<F>(pub(crate) usize, pub(crate) F);

impl<T: Serialize, F: Fn(usize) -> T> Serialize for Each<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((0..self.0).map(&self.1))
    }
}
