//! One commit of a stream, and how closely it is looked at.

/// How closely commits are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Heads, row numbers and checksums: every byte is read.
    Full,
    /// Heads and row numbers: enough for what this process wrote and has not closed.
    Heads,
}

/// One complete commit of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Where its first byte is. The first commit begins with the schema message.
    pub offset: u64,
    /// Where the next commit begins.
    pub end: u64,
    /// Number of its first row within the file, from 0.
    pub first_row: u64,
    /// Its rows, at least 1.
    pub rows: u64,
}
