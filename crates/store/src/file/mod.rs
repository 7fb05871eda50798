//! The two Arrow IPC forms of a file: the live stream of self-contained commits, and the sealed file.
//!
//! Written and read by our own small codec (see `docs/adr/0001-files.md`): the shape of a message depends on the schema
//! alone, so its metadata is built once and patched, and what is read is checked before any length in it is believed.

pub mod blocks;
pub(crate) mod body;
mod check;
pub mod commit;
pub mod compact;
mod compress;
pub(crate) mod error;
pub mod form;
mod frame;
mod head;
pub(crate) mod keys;
mod layout;
mod live_blocks;
mod merge;
mod message;
mod metadata;
mod open_blocks;
pub mod options;
mod output;
mod parse;
pub mod read;
mod recycled;
mod row_blocks;
#[cfg(test)]
pub(crate) mod sample;
pub mod scan;
mod sealed;
mod sealed_blocks;
pub mod stream;
mod unified;
mod wanted;
mod window;

pub use commit::CommitEncoder;
pub use error::ReadError;
pub use metadata::{
    META_COMMIT, META_KEYS, META_SCHEMA, META_SIGNAL, META_VERSION, META_WRITER, SCHEMA_VERSION, is_newer, signal_of,
};
pub use wanted::Wanted;
