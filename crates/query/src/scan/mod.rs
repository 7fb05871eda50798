//! Rows that match a filter, block by block: only the columns that decide are made first, the others where something
//! matches.

mod asking;
pub(crate) mod attributes;
mod engine;
mod limits;
mod predicate;
mod pruner;
mod resources;
mod run;
mod selection;
mod texts;
mod thread;
mod times;
mod view;

pub use asking::{AskOptions, Asking, Progress};
pub(crate) use attributes::Attributes;
pub use engine::Engine;
pub use limits::{Cancel, Stop};
pub(crate) use predicate::{Matching, dictionary_term};
pub use pruner::{BlockRange, NoPruner, Pruned, Pruner};
pub(crate) use resources::Resource;
pub use run::{ANY_TIME, Bound, Gather, Scan};
pub use selection::Selection;
pub use thread::give_way;
pub(crate) use times::{Times, time_columns};
pub use view::View;
