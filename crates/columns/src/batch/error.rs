//! Why a batch from elsewhere cannot be kept: the column, what it has, and what it should have.

use std::borrow::Cow;
use std::fmt;

use crate::Signal;

/// Why batches cannot become rows of the storage schema. Nothing of them is kept then.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchError {
    /// A column that the table does not have.
    UnknownColumn {
        /// Its name.
        column: String,
        /// The table: a signal, or the list of structs it is found in.
        table: &'static str,
        /// The signal whose columns these are.
        fits: Option<Signal>,
    },
    /// Two columns of one name.
    RepeatedColumn {
        /// Their name.
        column: String,
        /// The table.
        table: &'static str,
    },
    /// A column that may not be left out.
    MissingColumn {
        /// The column, such as `kind` or `events.time`.
        column: &'static str,
        /// Its type.
        expected: &'static str,
    },
    /// A column of another type.
    WrongType {
        /// The column.
        column: &'static str,
        /// What it may be.
        expected: &'static str,
        /// The Arrow type it has.
        found: String,
    },
    /// A cell that the column may not have.
    Cell {
        /// Position of the row, over all batches.
        row: usize,
        /// The column.
        column: &'static str,
        /// What is wrong.
        message: Cow<'static, str>,
    },
    /// Batches of another version of the storage schema.
    OtherVersion {
        /// The version they say.
        found: String,
    },
    /// The rows would take more memory than one request may.
    TooLarge {
        /// Bytes they need, as far as was counted.
        needed: usize,
        /// Bytes they may have.
        limit: usize,
    },
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BatchError::UnknownColumn { table, fits: Some(fits), .. } => {
                write!(f, "these are the columns of {fits}, not of {table}: append them as {fits}")
            }
            BatchError::UnknownColumn { column, table, fits: None } => write!(
                f,
                "column {column} is not one of {table} in storage schema v1 (docs/schema.md): leave it out, or use the name it has there"
            ),
            BatchError::RepeatedColumn { column, table } => {
                write!(f, "column {column} of {table} is there twice: leave one out")
            }
            BatchError::MissingColumn { column, expected } => {
                write!(
                    f,
                    "column {column} is missing or has only nulls, and must be {expected}: only nullable columns may be left out"
                )
            }
            BatchError::WrongType { column, expected, found } => {
                write!(f, "column {column} is of type {found}, and must be {expected}")
            }
            BatchError::Cell { row, column, message } => write!(f, "row {row}, column {column}: {message}"),
            BatchError::OtherVersion { found } => write!(
                f,
                "the table says that it is of version {found} of the storage schema, and this is version 1: append it with a newer otlp-arrow"
            ),
            BatchError::TooLarge { needed, limit } => write!(
                f,
                "the rows need at least {needed} bytes as columns and may have {limit}: append fewer rows at once or raise limits.max_request_memory"
            ),
        }
    }
}

impl std::error::Error for BatchError {}

/// What is wrong with a cell: the row within its batch, the column, and why.
#[derive(Debug)]
pub(super) struct Flaw {
    pub(super) row: usize,
    pub(super) column: &'static str,
    pub(super) message: Cow<'static, str>,
}

impl Flaw {
    #[cold]
    pub(super) fn new(row: usize, column: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { row, column, message: message.into() }
    }

    /// A flaw of one element of a list is one of the row that has it.
    pub(super) fn at(self, row: usize) -> Self {
        Self { row, ..self }
    }
}

/// Why rows cannot be copied.
#[derive(Debug)]
pub(super) enum Bad {
    /// A cell that its column may not have.
    Cell(Flaw),
    /// More than one request may have.
    TooLarge(usize),
}

impl Bad {
    /// What is wrong with an element of a list is wrong with the row that has it.
    pub(super) fn at(self, row: usize) -> Self {
        match self {
            Bad::Cell(flaw) => Bad::Cell(flaw.at(row)),
            other => other,
        }
    }
}

impl From<Flaw> for Bad {
    fn from(flaw: Flaw) -> Self {
        Bad::Cell(flaw)
    }
}

/// The outcome of a check.
pub(super) type Checked<T> = Result<T, Bad>;
