//! What one writer does: queue, commit, seal, recover, retain.

pub(crate) mod adopt;
pub mod budget;
pub(crate) mod commit_policy;
pub(crate) mod committer;
#[doc(hidden)]
pub mod context;
pub(crate) mod keeper;
pub(crate) mod lane;
pub(crate) mod live;
pub(crate) mod notify;
pub(crate) mod recover;
pub(crate) mod request;
pub(crate) mod retention;
pub(crate) mod room;
pub(crate) mod seal;
pub(crate) mod sealer;
