//! The answer to one export, the same at every door and in every language.

/// What became of the records of one export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportOutcome {
    /// Records that are kept, and those that a stage dropped.
    pub accepted: u64,
    /// Records that were refused as invalid.
    pub rejected: u64,
    /// Why the first was refused, and what else the sender should know: that the request holds data of another signal, or
    /// nothing that is OTLP. Empty where all is well.
    pub message: String,
}
