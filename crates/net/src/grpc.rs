//! gRPC on the wire: the five-byte prefix of a message, and what a status carries besides its number.

use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderMap;
use otlp_arrow_base::error::{Code, OtlpError, Result};

use crate::encoding::gunzip;

/// One message with its prefix.
pub fn framed(message: &[u8], compressed: bool) -> Result<Bytes> {
    let length = u32::try_from(message.len()).map_err(|error| {
        OtlpError::with_source(
            Code::TooLarge,
            format!("{} bytes do not fit into one gRPC message", message.len()),
            error,
        )
    })?;
    let mut frame = BytesMut::with_capacity(5 + message.len());
    frame.put_u8(u8::from(compressed));
    frame.put_u32(length);
    frame.put_slice(message);
    Ok(frame.freeze())
}

/// The message of a response body, if there is a complete one of at most `limit` bytes.
pub fn unframed(headers: &HeaderMap, body: &[u8], limit: usize) -> Option<Vec<u8>> {
    let (prefix, rest) = body.split_at_checked(5)?;
    let length = u32::from_be_bytes(prefix[1..5].try_into().ok()?) as usize;
    let message = rest.get(..length)?;
    if prefix[0] == 0 {
        return Some(message.to_vec());
    }
    let gzip = headers.get("grpc-encoding").is_some_and(|name| name == "gzip");
    gzip.then(|| gunzip(message, limit)).flatten()
}

/// The text of a `grpc-message` header.
pub fn percent_decoded(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, tail)) = rest.split_first() {
        let code = (first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match code {
            Some(byte) => {
                out.push(byte);
                rest = &tail[2..];
            }
            None => {
                out.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_a_status_are_percent_decoded() {
        assert_eq!(percent_decoded(b"no%20room%21 100%"), "no room! 100%");
        assert_eq!(percent_decoded("%E4%BD%A0".as_bytes()), "\u{4f60}");
    }
}
