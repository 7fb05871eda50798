//! Compression of bodies and messages.

use std::io::{Read, Write};

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use otlp_arrow_base::error::{Code, OtlpError, Result};

/// A compression of bodies and messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// RFC 1952.
    Gzip,
    /// Zstandard frames.
    Zstd,
}

impl Encoding {
    /// Its name in `content-encoding` and `grpc-encoding`.
    pub const fn name(self) -> &'static str {
        match self {
            Encoding::Gzip => "gzip",
            Encoding::Zstd => "zstd",
        }
    }

    /// `payload` in this encoding.
    pub fn compress(self, payload: &[u8]) -> Result<Bytes> {
        let failed = |error| OtlpError::with_source(Code::Internal, "the request could not be compressed", error);
        match self {
            Encoding::Gzip => {
                let out = Vec::with_capacity(payload.len() / 4);
                let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::fast());
                encoder.write_all(payload).map_err(failed)?;
                Ok(encoder.finish().map_err(failed)?.into())
            }
            Encoding::Zstd => Ok(zstd::bulk::compress(payload, 1).map_err(failed)?.into()),
        }
    }
}

/// A response body in plain form; what cannot be decompressed within `limit` is empty, as its content is optional.
pub(crate) fn decompress(headers: &HeaderMap, body: Bytes, limit: usize) -> Bytes {
    match headers.get(CONTENT_ENCODING) {
        Some(name) if name == "gzip" => gunzip(&body, limit).unwrap_or_default().into(),
        _ => body,
    }
}

pub(crate) fn gunzip(bytes: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let read = flate2::read::MultiGzDecoder::new(bytes).take(limit as u64 + 1).read_to_end(&mut out).ok()?;
    (read <= limit).then_some(out)
}
