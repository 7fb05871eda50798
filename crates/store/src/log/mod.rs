//! What is committed, as everybody reads it: files in order, snapshots, followers, cursors.

pub(crate) mod cursor;
pub mod directory;
pub(crate) mod follow;
pub mod hooks;
pub mod position;
pub(crate) mod read;
pub mod subscription;
