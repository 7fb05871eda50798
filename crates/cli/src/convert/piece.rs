//! Pieces of input on their way to the output.

use otlp_arrow::{PerSignal, Signal};
use otlp_arrow_columns::Limits;

use crate::io::Outcome;

/// What takes the pieces.
pub(super) type Take<'a> = dyn FnMut(Item<'_>) -> Outcome<Taken> + 'a;

/// The most that one request may take.
pub(super) const MAX: usize = 2 << 30;

/// What one request or line may take; the person who converts a file has chosen it.
pub(super) const LIMITS: Limits = Limits { nesting: 64, max_request_memory: MAX };

/// What a file of OTAP begins with; its last byte is the version of the form.
pub(super) const OTAP: [u8; 8] = *b"\x89OTAP\r\n\x01";

/// A piece of input.
pub(super) enum Item<'a> {
    /// One OTLP protobuf export request.
    Request {
        /// Its bytes.
        bytes: &'a [u8],
        /// What it is; `None` where the input does not say.
        signal: Option<Signal>,
        /// For messages, such as `a.jsonl:3`.
        place: &'a str,
        /// Records before it in the same place, so that a refused one is named by its position there.
        before: u64,
    },
    /// An object of OTLP/JSON with members of these signals.
    Json { line: &'a [u8], signals: PerSignal<bool>, place: &'a str },
    /// Rows in the storage schema.
    Rows { batch: &'a arrow_array::RecordBatch, signal: Signal },
    /// A file of this signal follows; the answer is whether it is wanted.
    File { signal: Signal },
    /// A part of the input that could not be used, and why.
    LeftOut { place: &'a str, what: &'a str },
}

/// What became of a piece.
pub(super) enum Taken {
    /// It held so many records, refused ones included; of a file, whether it is wanted (0 = no).
    Records(u64),
    /// It is not what it should be: nothing of it was taken.
    Foreign(String),
}
