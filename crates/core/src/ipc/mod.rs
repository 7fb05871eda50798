//! The two Arrow IPC forms of a file: the live stream of self-contained commits, and the sealed file.
//!
//! Written and read by our own small codec (see `docs/adr/0001-files.md`): the shape of a message depends on the schema
//! alone, so its metadata is built once and patched, and what is read is checked before any length in it is believed.

mod body;
pub mod commit;
mod layout;
mod merge;
mod message;
mod output;
mod parse;
pub mod read;
#[cfg(test)]
pub(crate) mod sample;
pub mod scan;
pub mod seal;
mod sealed;
mod unified;

pub use commit::CommitEncoder;

/// Schema metadata: the version of the storage schema, `1`.
pub const META_SCHEMA: &str = otlp_arrow_columns::schema::VERSION_KEY;
/// Schema metadata: the id of the writer that recorded the rows.
pub const META_WRITER: &str = "otlp_arrow.writer";
/// Schema metadata: the version of this library.
pub const META_VERSION: &str = "otlp_arrow.version";
/// Metadata of a record batch message: `<first row, 20 digits>,<rows, 10 digits>,<crc32c, 8 hex digits>`.
pub const META_COMMIT: &str = "otlp_arrow.commit";
/// The storage schema that is written.
pub const SCHEMA_VERSION: &str = otlp_arrow_columns::schema::VERSION;

/// Rows of a file in either form, by its heads; 0 for what is neither.
pub(crate) fn rows(file: &dyn crate::store::storage::ReadFile) -> std::io::Result<u64> {
    Ok(match scan::form(file)? {
        scan::Form::File => sealed::Contents::read(file)?.map_or(0, |contents| contents.rows()),
        scan::Form::Stream => scan::stream(file, scan::Check::Heads)?.rows(),
        scan::Form::Unknown => 0,
    })
}
