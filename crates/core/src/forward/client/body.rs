//! Bodies on the wire: compression and the five-byte prefix of gRPC.

use std::io::{Read, Write};

use bytes::{BufMut, Bytes, BytesMut};
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderValue};

use crate::config::ForwardCompression;
use crate::error::{Code, OtlpError, Result};

/// Compresses a request body and, for gRPC, frames it. Also the name of the encoding, if there is one.
pub(super) fn compress(
    payload: Bytes,
    compression: ForwardCompression,
    grpc: bool,
) -> Result<(Bytes, Option<HeaderValue>)> {
    let failed = |error| OtlpError::with_source(Code::Internal, "the request could not be compressed", error);
    let (body, name) = match compression {
        ForwardCompression::None => (payload, None),
        ForwardCompression::Gzip => {
            let out = Vec::with_capacity(payload.len() / 4);
            let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::fast());
            encoder.write_all(&payload).map_err(failed)?;
            (encoder.finish().map_err(failed)?.into(), Some("gzip"))
        }
        ForwardCompression::Zstd => (zstd::bulk::compress(&payload, 1).map_err(failed)?.into(), Some("zstd")),
    };
    let body = if grpc { framed(&body, name.is_some())? } else { body };
    Ok((body, name.map(HeaderValue::from_static)))
}

fn framed(message: &[u8], compressed: bool) -> Result<Bytes> {
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

/// The message of a gRPC response body, if there is a whole one.
pub(super) fn unframed(headers: &HeaderMap, body: &[u8], limit: usize) -> Option<Vec<u8>> {
    let (prefix, rest) = body.split_at_checked(5)?;
    let length = u32::from_be_bytes(prefix[1..5].try_into().ok()?) as usize;
    let message = rest.get(..length)?;
    if prefix[0] == 0 {
        return Some(message.to_vec());
    }
    let gzip = headers.get("grpc-encoding").is_some_and(|name| name == "gzip");
    gzip.then(|| gunzip(message, limit)).flatten()
}

/// A response body in plain form; what cannot be decompressed within `limit` is empty, as its content is optional.
pub(super) fn decompress(headers: &HeaderMap, body: Bytes, limit: usize) -> Bytes {
    match headers.get(CONTENT_ENCODING) {
        Some(name) if name == "gzip" => gunzip(&body, limit).unwrap_or_default().into(),
        _ => body,
    }
}

fn gunzip(bytes: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let read = flate2::read::MultiGzDecoder::new(bytes).take(limit as u64 + 1).read_to_end(&mut out).ok()?;
    (read <= limit).then_some(out)
}
