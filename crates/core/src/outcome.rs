//! The answer to one export, the same at every door and in every language.

/// What became of the records of one export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportOutcome {
    /// Records that are kept, and those that a stage dropped.
    pub accepted: u64,
    /// Records that were refused as invalid.
    pub rejected: u64,
    /// Why the first was refused; empty when none was.
    pub message: String,
}
