//! Why columns cannot be written as OTLP.

use std::fmt;

/// Why batches cannot be turned into OTLP.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// A batch lacks a column of the storage schema.
    MissingColumn {
        /// The column, such as `trace_id` or `events.time`.
        column: &'static str,
    },
    /// A column has another type than the storage schema gives it.
    WrongType {
        /// The column.
        column: &'static str,
        /// The Arrow type it should have.
        expected: &'static str,
        /// The Arrow type it has.
        found: String,
    },
    /// A cell holds what no decoder of ours writes.
    Corrupt {
        /// Position of the batch.
        batch: usize,
        /// Row within the batch.
        row: usize,
        /// The column.
        column: &'static str,
        /// What is wrong.
        message: &'static str,
    },
    /// The rows cannot be written in the format asked for.
    Unwritable {
        /// What is in the way.
        message: String,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::MissingColumn { column } => {
                write!(f, "column {column} is missing: pass batches of storage schema v1 with all of their columns")
            }
            EncodeError::WrongType { column, expected, found } => {
                write!(f, "column {column} is of type {found} and must be {expected}")
            }
            EncodeError::Corrupt { batch, row, column, message } => {
                write!(f, "batch {batch}, row {row}, column {column}: {message}")
            }
            EncodeError::Unwritable { message } => f.write_str(message),
        }
    }
}

impl std::error::Error for EncodeError {}
