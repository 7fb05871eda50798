//! The two Arrow IPC forms of a file: the live stream of self-contained commits, and the sealed file.
//!
//! Written and read by our own small codec (see `docs/adr/0001-files.md`): the shape of a message depends on the schema
//! alone, so its metadata is built once and patched, and what is read is checked before any length in it is believed.

pub(crate) mod body;
pub mod commit;
pub mod compact;
mod compress;
pub(crate) mod error;
pub mod form;
mod head;
mod layout;
mod merge;
mod message;
pub mod options;
mod output;
mod parse;
pub mod read;
#[cfg(test)]
pub(crate) mod sample;
pub mod scan;
mod sealed;
mod unified;
mod wanted;
mod window;

pub use commit::CommitEncoder;
pub use error::ReadError;
pub use wanted::Wanted;

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

/// Whether a version after this one writes this storage schema.
pub fn is_newer(version: Option<&str>) -> bool {
    let number = |text: &str| text.parse::<u32>().ok();
    match (version.and_then(number), number(SCHEMA_VERSION)) {
        (Some(theirs), Some(ours)) => theirs > ours,
        _ => false,
    }
}
