//! What a gRPC client sends, and what it reads of an answer: its message and its status.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::response::Parts;
use otlp_arrow_base::error::{Code, OtlpError, Result};
use otlp_arrow_wire::{grpc, status};

use crate::encoding::Encoding;

/// One message with its prefix.
///
/// # Errors
/// TOO_LARGE if it does not fit into one message.
pub fn framed(message: &[u8], compressed: bool) -> Result<Bytes> {
    let frame = grpc::frame(message, compressed).ok_or_else(|| {
        OtlpError::new(Code::TooLarge, format!("{} bytes do not fit into one gRPC message", message.len()))
    })?;
    Ok(frame.into())
}

/// The message of a response body, if there is a complete one of at most `limit` bytes.
pub fn unframed(headers: &HeaderMap, body: &[u8], limit: usize) -> Option<Vec<u8>> {
    let (compressed, message) = grpc::unframe(body)?;
    if !compressed {
        return Some(message.to_vec());
    }
    let encoding = Encoding::parse(headers.get(grpc::ENCODING)).ok().flatten()?;
    encoding.decompress(message, limit, |_| Ok(())).ok().map(Into::into)
}

/// How a call ended, from its trailers, or from its headers where there is nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallStatus {
    /// The number of the gRPC status.
    pub code: i32,
    /// The server's words.
    pub message: String,
    /// When to try again, from `RetryInfo`.
    pub retry_after: Option<Duration>,
}

impl CallStatus {
    /// None if it was not a gRPC server that answered, or the answer ended before its status.
    pub fn of(head: &Parts, trailers: Option<&HeaderMap>) -> Option<Self> {
        let find = |name: &str| trailers.and_then(|trailers| trailers.get(name)).or_else(|| head.headers.get(name));
        let code = find(grpc::STATUS).and_then(|value| value.to_str().ok()?.parse().ok())?;
        let details = find(grpc::DETAILS).and_then(|value| status::of_details(value.as_bytes()));
        let message = find(grpc::MESSAGE).map(|value| grpc::percent_decoded(value.as_bytes())).unwrap_or_default();
        Some(Self { code, message, retry_after: details.and_then(|details| status::retry_info(&details)) })
    }
}
