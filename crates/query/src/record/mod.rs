//! Records as typed values: what an answer's rows are in Rust and in JSON.

mod attributes;
mod cells;
mod data_point;
mod form;
mod log_record;
mod span;
mod table;

pub use attributes::{AttributeValue, Attributes};
pub use cells::hex;
pub(crate) use cells::{Cells, as_optional_time, as_time};
pub use data_point::DataPoint;
pub(crate) use form::{Fields, as_nanos};
pub use form::{Form, MARK};
pub use log_record::LogRecord;
pub use span::{Link, Span, SpanEvent};
pub use table::{Part, assemble, take_rows};
