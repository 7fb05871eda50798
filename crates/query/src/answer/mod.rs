//! What a question is answered with: typed values, a table, JSON, and what was searched for it.

mod searched;
mod top;

pub use searched::{Searched, Skipped};
pub use top::{Found, TopRows, top};
pub(crate) use top::{behind, compare};

use std::any::Any;

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use otlp_arrow_base::error::{Code, OtlpError, Result};

use crate::record::Form;

/// What a question is answered with.
pub trait Answer: Any + Send {
    /// What was searched for it, and why no more than that.
    fn searched(&self) -> &Searched;

    /// How many rows the table has.
    fn rows(&self) -> usize;

    /// The answer as a table, with a schema of its own.
    fn table(&self) -> Result<RecordBatch>;

    /// The answer as one JSON object.
    fn render(&self, form: Form) -> Result<String>;

    /// The answer as one JSON object. Times are RFC 3339 with nine digits, durations nanoseconds.
    fn to_json(&self) -> Result<String> {
        self.render(Form::Text)
    }

    /// The table as an Arrow IPC stream.
    fn to_ipc(&self) -> Result<Vec<u8>> {
        let table = self.table()?;
        let write = || {
            let mut writer = StreamWriter::try_new(Vec::new(), &table.schema())?;
            writer.write(&table)?;
            writer.into_inner()
        };
        write().map_err(|error: arrow_schema::ArrowError| internal(&error))
    }
}

/// The error of something that cannot fail with columns of ours.
pub(crate) fn internal(error: &dyn std::fmt::Display) -> OtlpError {
    OtlpError::new(Code::Internal, format!("an answer could not be made: {error}"))
}

/// JSON of anything.
pub(crate) fn json(form: Form, value: &impl serde::Serialize) -> Result<String> {
    form.json(value).map_err(|error| internal(&error))
}
