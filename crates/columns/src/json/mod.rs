//! OTLP/JSON to OTLP protobuf and back, driven by one table of the messages.
//!
//! Reading is as tolerant as the OTLP specification and the serializers in use ask for:
//! - ids are hexadecimal in any case, other bytes base64 of either alphabet, padded or not;
//! - integers may be numbers or strings, with a point or exponent if they are whole; so may doubles be strings, and
//!   `NaN`, `Infinity` and `-Infinity`, in any case and as `Inf`;
//! - enum values may be numbers or names, field names lowerCamelCase or snake_case; unknown ones are ignored, and of
//!   a repeated one the last counts;
//! - `null` means absent; as the only member of a value, `"doubleValue":null` and `"asDouble":null` mean NaN, which is
//!   what JavaScript's serializer makes of it;
//! - an `intValue` number out of range becomes a `doubleValue`: it was a JavaScript number;
//! - a surrogate without its partner becomes U+FFFD.
//!
//! What is not JSON refuses the request. A value that cannot be what its field says refuses its span, point or log
//! record (through a mark that [`crate::check`] knows), and outside of records the request; so do two members of a oneof
//! in one object. The first such value is told with its path. What a request holds besides, of another signal or of no
//! version of OTLP, is a remark that [`crate::Checked::warning`] carries.

mod place;
mod read;
mod refuse;
mod scalar;
mod table;
pub(crate) mod tokens;
mod write;

use crate::{DecodeError, Limits, Signal};

/// The field that marks a record as invalid: the highest number protobuf has, which no OTLP message uses.
///
/// The OTLP/JSON reader writes it into a record with a value that cannot be what its field says, and [`crate::check`]
/// refuses such a record with [`crate::Reason::InvalidValue`]. A sender's own field of that number holds other bytes.
pub(crate) const INVALID_VALUE_FIELD: u32 = (1 << 29) - 1;
/// What that field holds, as eight bytes; chosen by chance.
pub(crate) const INVALID_VALUE: u64 = 0x8c5d_71e2_094b_f6a3;

/// The text in a field of that number, behind the same eight bytes: in a record, of what is wrong with it; in a request,
/// of what it holds that is not kept.
pub(crate) fn remark(field: &[u8]) -> Option<&str> {
    let text = field.strip_prefix(&INVALID_VALUE.to_le_bytes())?;
    std::str::from_utf8(text).ok()
}

/// Arrays and maps within a value nest no deeper than this in what [`crate::check`] accepts, whatever
/// [`Limits::nesting`] says.
const MAX_NESTING: usize = 64;

/// Turns one OTLP/JSON export request into OTLP protobuf.
///
/// The result is for [`crate::check`], which refuses the records that are marked as invalid.
///
/// # Errors
/// [`DecodeError::Malformed`] with offset and path where the text stops to be JSON, or where a value outside of any record
/// is not what its field says; [`DecodeError::TooLarge`] when the result exceeds [`Limits::max_request_memory`].
pub fn to_protobuf(signal: Signal, json: &[u8], limits: &Limits) -> Result<Vec<u8>, DecodeError> {
    read::Reader::new(signal, json, limits, false).request()
}

/// [`to_protobuf`] that also says, in fields that no other reader looks at, what is wrong with the first refused record,
/// and what the request holds besides records of `signal`. [`crate::check`] has it as [`crate::Refused::detail`] and
/// [`crate::Checked::warning`].
///
/// # Errors
/// Those of [`to_protobuf`].
pub fn to_remarked_protobuf(signal: Signal, json: &[u8], limits: &Limits) -> Result<Vec<u8>, DecodeError> {
    read::Reader::new(signal, json, limits, true).request()
}

/// Whether `name` is that of the one member that an OTLP/JSON export request of `signal` has, in either spelling.
pub fn is_request(signal: Signal, name: &str) -> bool {
    let field = table::request(signal).fields[0].json;
    name == field || read::camel_case(name.as_bytes()).is_some_and(|name| name == field.as_bytes())
}

/// Turns one OTLP protobuf export request into compact OTLP/JSON, on one line.
///
/// # Errors
/// [`DecodeError::Malformed`] when the bytes are not that message, hold a string that is not UTF-8, or nest deeper than
/// any request [`crate::check`] accepts.
pub fn from_protobuf(signal: Signal, protobuf: &[u8]) -> Result<Vec<u8>, DecodeError> {
    write::Writer::new(protobuf).request(table::request(signal))
}
