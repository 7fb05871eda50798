//! Why a batch of OTAP is not kept, and what that means for the batches after it.

use std::fmt;

/// Why a batch is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The batch cannot be read, and what later batches build on is lost with it: the stream must end.
    Broken(String),
    /// The stream has no room for the dictionaries of this batch, and is of no use without them: it must end. A stream
    /// that begins anew may have room.
    NoRoomForStream,
    /// What the stream keeps would be larger than one stream may have, even if it began with this batch.
    StreamTooLarge {
        /// Bytes it needs, as far as was counted.
        needed: usize,
        /// Bytes it may have.
        limit: usize,
    },
    /// This batch is not what the protocol says; others are not affected.
    Invalid(String),
    /// This batch would take more memory than one request may; others are not affected.
    TooLarge {
        /// Bytes it needs, as far as was counted.
        needed: usize,
        /// Bytes it may have.
        limit: usize,
    },
    /// No memory was given for this batch; others are not affected.
    NoRoom,
}

impl Fault {
    /// Whether batches that come later on the stream cannot be read any more.
    pub fn ends_stream(&self) -> bool {
        matches!(self, Fault::Broken(_) | Fault::NoRoomForStream | Fault::StreamTooLarge { .. })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Broken(message) => write!(f, "{message}: the stream cannot go on, begin another one"),
            Fault::Invalid(message) => f.write_str(message),
            Fault::NoRoomForStream => {
                f.write_str("there is no memory for the dictionaries of the stream: begin another one")
            }
            Fault::StreamTooLarge { needed, limit } => write!(
                f,
                "the dictionaries of the stream need at least {needed} bytes and may have {limit}: begin streams anew more often, or send smaller batches"
            ),
            Fault::TooLarge { needed, limit } => write!(
                f,
                "the rows need at least {needed} bytes and may have {limit}: send smaller batches or raise limits.max_request_memory"
            ),
            Fault::NoRoom => f.write_str("there is no memory for this batch now: send it again"),
        }
    }
}

impl std::error::Error for Fault {}

/// What is wrong with a batch whose stream is well.
#[cold]
pub(super) fn invalid<T>(message: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Invalid(message.into()))
}

/// What is wrong with what the stream builds on.
#[cold]
pub(super) fn broken<T>(message: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Broken(message.into()))
}
