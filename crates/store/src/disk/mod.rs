//! The lowest floor: files as this crate touches them, their names and locks, and what a failing disk means.

#[cfg(target_os = "linux")]
pub(crate) mod direct;
pub mod failpoint;
pub(crate) mod fault;
pub(crate) mod maintenance_lock;
pub mod names;
#[cfg(unix)]
pub mod shared;
pub mod storage;
pub mod storage_os;
#[doc(hidden)]
pub mod sys;
#[doc(hidden)]
pub mod volume;
