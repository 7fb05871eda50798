//! Conversions that need no library.

use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use otlp_arrow::{Code, OtlpError};

use crate::error::{Outcome, outcome};

/// One zstd frame, decompressed: the codec of apache-arrow for sealed files.
#[napi(catch_unwind)]
pub fn decompress_zstd(data: &[u8]) -> Outcome<Buffer> {
    let plain = zstd::stream::decode_all(data)
        .map_err(|error| OtlpError::with_source(Code::InvalidData, "a buffer is no zstd frame", error));
    outcome(plain.map(Buffer::from))
}
