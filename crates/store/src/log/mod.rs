//! What is committed, as everybody reads it: files in order, snapshots, followers, cursors.

pub(crate) mod commit_notifier;
pub(crate) mod cursor;
pub mod directory;
pub(crate) mod follow;
pub mod hooks;
pub(crate) mod own_files;
pub mod position;
pub(crate) mod read;
pub mod subscription;
