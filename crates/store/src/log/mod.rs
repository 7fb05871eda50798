//! What is committed, as everybody reads it: files in order, snapshots, followers, cursors.

pub(crate) mod commit_notifier;
pub mod cursor;
mod derived;
pub(crate) mod files;
pub(crate) mod follow;
pub(crate) mod handle;
pub(crate) mod held_cursor;
pub mod hooks;
pub(crate) mod own_files;
pub mod position;
pub(crate) mod read;
pub mod subscription;

pub use handle::Log;
