//! What one writer does: queue, commit, seal, recover, retain.

pub(crate) mod admission;
pub(crate) mod adopt;
pub mod budget;
pub(crate) mod commit_policy;
pub(crate) mod committer;
pub(crate) mod context;
pub(crate) mod keys;
pub(crate) mod lane;
pub(crate) mod live;
pub(crate) mod maintenance;
pub(crate) mod notify;
pub(crate) mod probe;
pub(crate) mod quarantine;
pub(crate) mod recover;
pub(crate) mod request;
pub(crate) mod retention;
pub(crate) mod seal;
pub(crate) mod seal_queue;
pub(crate) mod space;
pub(crate) mod sweep;
pub(crate) mod verify;
pub(crate) mod wakeup;
