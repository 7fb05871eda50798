//! The questions that only this API has: each is made of others, which are asked one after the other.

mod overview;
mod question;
mod span;
mod trace;

pub(crate) use question::Own;
pub(crate) use trace::TraceView;

/// All of them.
pub(crate) const OWN: &[Own] = &[trace::TRACE, span::SPAN, overview::OVERVIEW];
