//! Compression of buffers.

use zstd::zstd_safe::{CParameter, compress_bound};

use otlp_arrow_base::error::{Code, OtlpError, Result};

/// A table of 2^13 positions fits into the first-level cache, the 2^14 of level 1 do not (`docs/adr/0001-files.md`).
const HASH_LOG: u32 = 13;

/// Makes a zstd frame of each buffer.
pub(crate) struct Compressor {
    zstd: zstd::bulk::Compressor<'static>,
    frame: Vec<u8>,
}

impl Compressor {
    /// Compresses at `level` of zstd.
    pub(crate) fn new(level: i32) -> Result<Self> {
        let failed = |error| OtlpError::with_source(Code::Internal, "zstd cannot start", error);
        let mut zstd = zstd::bulk::Compressor::new(level).map_err(failed)?;
        if level == 1 {
            zstd.set_parameter(CParameter::HashLog(HASH_LOG)).map_err(failed)?;
        }
        Ok(Self { zstd, frame: Vec::new() })
    }

    /// Appends `bytes` as a buffer of a compressed message: the length, then a frame; or -1, then what a frame would not make
    /// smaller.
    pub(crate) fn append(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
        self.frame.clear();
        self.frame.reserve(compress_bound(bytes.len()));
        self.zstd
            .compress_to_buffer(bytes, &mut self.frame)
            .map_err(|error| OtlpError::with_source(Code::Internal, "zstd cannot compress a buffer", error))?;
        let is_smaller = self.frame.len() < bytes.len();
        let len = if is_smaller { bytes.len() as i64 } else { -1 };
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(if is_smaller { &self.frame } else { bytes });
        Ok(())
    }
}
