//! How closely a file is read.

/// How closely commits are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Heads, row numbers and checksums: every byte is read.
    Full,
    /// Heads and row numbers: enough for what this process wrote and has not closed.
    Heads,
}
