//! Column builders over plain vectors. They hand their vectors over to Arrow without a copy, except dictionary values,
//! which are few and stay the same from batch to batch.

mod again;
mod attributes;
mod counts;
mod dictionary;
mod list;
mod plain;
mod text;

pub(crate) use again::{Again, Counters, MAX_KEPT_ROWS};
pub(crate) use attributes::{Attributes, Letters};
pub(crate) use counts::AttributeCounts;
pub(crate) use dictionary::Dictionary;
pub(crate) use list::{Lists, Offsets};
use plain::Validity;
pub(crate) use plain::{Booleans, Ids, Numbers, Times, Zeros, reserve};
pub(crate) use text::Text;
