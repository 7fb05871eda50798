//! Compression of bodies and messages, both ways: what is decompressed is capped, and asked for before it grows.

use std::fmt;
use std::io::{self, Read, Write};

use bytes::Bytes;
use http::HeaderValue;
use otlp_arrow_base::error::{Code, OtlpError, Result};
use otlp_arrow_store::budget::WORTH_TRIMMING;

/// A compression of bodies and messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// RFC 1952.
    Gzip,
    /// A zlib stream, as HTTP has it.
    Deflate,
    /// Zstandard frames.
    Zstd,
}

/// What a sender may use, for messages.
pub const NAMES: &str = "identity, gzip, deflate or zstd";

/// The largest window of a zstd frame, as a power of two: 8 MiB, which RFC 8878 asks every decoder to bear.
const ZSTD_WINDOW_LOG: u32 = 23;
/// The level that costs least where the network is not the bottleneck.
const ZSTD_LEVEL: i32 = 1;

/// A header that names an encoding which is not known, or more than one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownEncoding(pub String);

/// Why compressed bytes were not decompressed.
#[derive(Debug)]
pub enum DecompressError {
    /// They are not what they claim to be.
    Broken(io::Error),
    /// There are at least so many bytes, more than was allowed.
    TooLong(usize),
    /// No memory was given for them.
    Refused(OtlpError),
}

impl fmt::Display for DecompressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecompressError::Broken(error) => write!(f, "the compressed body cannot be read: {error}"),
            DecompressError::TooLong(bytes) => {
                write!(f, "the body takes at least {bytes} bytes without its compression")
            }
            DecompressError::Refused(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DecompressError {}

impl Encoding {
    /// Its name in `content-encoding` and `grpc-encoding`.
    pub const fn name(self) -> &'static str {
        match self {
            Encoding::Gzip => "gzip",
            Encoding::Deflate => "deflate",
            Encoding::Zstd => "zstd",
        }
    }

    /// The encoding of a `Content-Encoding` or `grpc-encoding` header; None for none. The first may be a list, in which
    /// `identity` does not count.
    pub fn parse(header: Option<&HeaderValue>) -> Result<Option<Self>, UnknownEncoding> {
        let Some(header) = header else { return Ok(None) };
        let names = header.to_str().unwrap_or("not text").trim();
        let mut found = None;
        for name in names.split(',').map(str::trim) {
            let encoding = match name.to_ascii_lowercase().as_str() {
                "" | "identity" => continue,
                "gzip" | "x-gzip" => Encoding::Gzip,
                // The Collector's name for the same stream is the second one.
                "deflate" | "zlib" => Encoding::Deflate,
                "zstd" => Encoding::Zstd,
                _ => return Err(UnknownEncoding(names.to_owned())),
            };
            // Packed twice is packed by nobody but those who mean harm.
            if found.replace(encoding).is_some() {
                return Err(UnknownEncoding(names.to_owned()));
            }
        }
        Ok(found)
    }

    /// `plain` in this encoding, at the level that costs least.
    pub fn compress(self, plain: &[u8]) -> Result<Bytes> {
        let failed = |error| OtlpError::with_source(Code::Internal, "the request could not be compressed", error);
        let room = Vec::with_capacity(plain.len() / 4);
        let packed = match self {
            Encoding::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(room, flate2::Compression::fast());
                encoder.write_all(plain).and_then(|()| encoder.finish())
            }
            Encoding::Deflate => {
                let mut encoder = flate2::write::ZlibEncoder::new(room, flate2::Compression::fast());
                encoder.write_all(plain).and_then(|()| encoder.finish())
            }
            Encoding::Zstd => zstd::bulk::compress(plain, ZSTD_LEVEL),
        };
        Ok(packed.map_err(failed)?.into())
    }

    /// What `packed` is without this encoding: at most `max` bytes. `grow` is asked for memory before it is taken.
    pub fn decompress(
        self,
        packed: &[u8],
        max: usize,
        grow: impl FnMut(usize) -> Result<()>,
    ) -> Result<Bytes, DecompressError> {
        match self {
            Encoding::Gzip => read(flate2::bufread::MultiGzDecoder::new(packed), packed.len(), max, grow),
            Encoding::Deflate => read(flate2::bufread::ZlibDecoder::new(packed), packed.len(), max, grow),
            Encoding::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(packed).map_err(DecompressError::Broken)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(DecompressError::Broken)?;
                read(decoder, packed.len(), max, grow)
            }
        }
    }
}

/// Compresses what is written to it at the level that costs least, or hands it on as it is.
pub enum Packer<W: Write> {
    /// As it is.
    Plain(W),
    /// [`Encoding::Gzip`].
    Gzip(flate2::write::GzEncoder<W>),
    /// [`Encoding::Deflate`].
    Deflate(flate2::write::ZlibEncoder<W>),
    /// [`Encoding::Zstd`].
    Zstd(zstd::stream::write::Encoder<'static, W>),
}

impl<W: Write> fmt::Debug for Packer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Packer")
    }
}

impl<W: Write> Packer<W> {
    /// Into `out`.
    pub fn new(encoding: Option<Encoding>, out: W) -> io::Result<Self> {
        Ok(match encoding {
            None => Packer::Plain(out),
            Some(Encoding::Gzip) => Packer::Gzip(flate2::write::GzEncoder::new(out, flate2::Compression::fast())),
            Some(Encoding::Deflate) => {
                Packer::Deflate(flate2::write::ZlibEncoder::new(out, flate2::Compression::fast()))
            }
            Some(Encoding::Zstd) => Packer::Zstd(zstd::stream::write::Encoder::new(out, ZSTD_LEVEL)?),
        })
    }

    /// Writes what is left, and gives `out` back.
    pub fn finish(self) -> io::Result<W> {
        match self {
            Packer::Plain(out) => Ok(out),
            Packer::Gzip(out) => out.finish(),
            Packer::Deflate(out) => out.finish(),
            Packer::Zstd(out) => out.finish(),
        }
    }
}

impl<W: Write> Write for Packer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Packer::Plain(out) => out.write(bytes),
            Packer::Gzip(out) => out.write(bytes),
            Packer::Deflate(out) => out.write(bytes),
            Packer::Zstd(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Packer::Plain(out) => out.flush(),
            Packer::Gzip(out) => out.flush(),
            Packer::Deflate(out) => out.flush(),
            Packer::Zstd(out) => out.flush(),
        }
    }
}

fn read(
    mut from: impl Read,
    packed: usize,
    max: usize,
    mut grow: impl FnMut(usize) -> Result<()>,
) -> Result<Bytes, DecompressError> {
    // One byte over the limit is enough to know that it is over.
    let limit = max.saturating_add(1);
    let mut out = Vec::new();
    let mut filled = 0;
    let mut room = packed.saturating_mul(4).max(4096);
    loop {
        if filled == out.len() {
            let more = room.min(limit - filled);
            grow(more).map_err(DecompressError::Refused)?;
            out.resize(filled + more, 0);
            room = out.len();
        }
        match from.read(&mut out[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(DecompressError::Broken(error)),
        }
        if filled > max {
            return Err(DecompressError::TooLong(filled));
        }
    }
    out.truncate(filled);
    Ok(trimmed(out))
}

/// Bytes that a buffer holds, without the room that was made for more where that is worth a call of the allocator.
pub fn trimmed(mut buffer: Vec<u8>) -> Bytes {
    if buffer.len() >= WORTH_TRIMMING {
        buffer.shrink_to_fit();
    }
    buffer.into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use otlp_arrow_store::budget::{Budget, Reservation};
    use otlp_arrow_wire::Signal;

    use super::*;
    use crate::server::{Refusal, unpacked};

    fn inflate(encoding: Encoding, packed: &[u8], max: usize, reservation: &mut Reservation) -> Result<Bytes, Refusal> {
        unpacked(encoding, packed, max, reservation)
    }

    fn pack(encoding: Encoding, data: &[u8]) -> Bytes {
        encoding.compress(data).unwrap()
    }

    const ALL: [Encoding; 3] = [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd];

    #[test]
    fn what_was_packed_comes_out() {
        let budget = Arc::new(Budget::new(64 << 20));
        let texts: [Vec<u8>; 4] =
            [vec![], b"a".to_vec(), b"abc".repeat(5000), (0..=255).cycle().take(70_001).collect()];
        for encoding in ALL {
            for text in &texts {
                let mut reservation = budget.reserve(Signal::Logs, 0).unwrap();
                let out = inflate(encoding, &pack(encoding, text), 1 << 20, &mut reservation).unwrap();
                assert_eq!(out, text, "{encoding:?}");
                let mut packer = Packer::new(Some(encoding), Vec::new()).unwrap();
                text.chunks(1000).for_each(|some| packer.write_all(some).unwrap());
                let packed = packer.finish().unwrap();
                let mut reservation = budget.reserve(Signal::Logs, 0).unwrap();
                assert_eq!(
                    inflate(encoding, &packed, 1 << 20, &mut reservation).unwrap(),
                    text,
                    "{encoding:?} in pieces"
                );
                assert!(reservation.bytes() >= text.len());
            }
        }
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_body_of_exactly_the_limit_fits_and_one_more_byte_does_not() {
        let budget = Arc::new(Budget::new(64 << 20));
        for encoding in ALL {
            let mut reservation = budget.reserve(Signal::Logs, 0).unwrap();
            assert_eq!(inflate(encoding, &pack(encoding, &[7; 9000]), 9000, &mut reservation).unwrap().len(), 9000);
            let fault = inflate(encoding, &pack(encoding, &[7; 9001]), 9000, &mut reservation).unwrap_err();
            assert_eq!(fault.code(), Code::TooLarge, "{encoding:?}");
        }
    }

    #[test]
    fn a_bomb_takes_no_more_than_the_budget() {
        let budget = Arc::new(Budget::new(4 << 20));
        for encoding in ALL {
            let bomb = pack(encoding, &vec![0; 30 << 20]);
            let mut reservation = budget.reserve(Signal::Logs, bomb.len()).unwrap();
            let fault = inflate(encoding, &bomb, 64 << 20, &mut reservation).unwrap_err();
            assert_eq!(fault.code(), Code::TooLarge, "{encoding:?}: waiting would not help");
            assert!(reservation.bytes() <= 4 << 20);
        }
    }

    #[test]
    fn a_body_that_finds_no_room_now_may_be_sent_again() {
        let budget = Arc::new(Budget::new(4 << 20));
        let others = budget.reserve(Signal::Logs, 2 << 20).unwrap();
        for encoding in ALL {
            let body = pack(encoding, &vec![0; 2 << 20]);
            let mut reservation = budget.reserve(Signal::Logs, body.len()).unwrap();
            let fault = inflate(encoding, &body, 64 << 20, &mut reservation).unwrap_err();
            assert_eq!(fault.code(), Code::BufferFull, "{encoding:?}");
        }
        drop(others);
    }

    #[test]
    fn torn_and_random_bytes_are_refused() {
        let budget = Arc::new(Budget::new(4 << 20));
        for encoding in ALL {
            let packed = pack(encoding, &b"some text".repeat(1000));
            for bad in [&packed[..packed.len() / 2], b"no such thing", &[0xff; 40]] {
                let mut reservation = budget.reserve(Signal::Logs, 0).unwrap();
                let fault = inflate(encoding, bad, 1 << 20, &mut reservation).unwrap_err();
                assert_eq!(fault.code(), Code::InvalidData, "{encoding:?}");
            }
        }
    }

    #[test]
    fn names_are_read_in_any_case() {
        let parse = |name: &'static str| Encoding::parse(Some(&http::HeaderValue::from_static(name)));
        assert_eq!(parse("GZIP").unwrap(), Some(Encoding::Gzip));
        assert_eq!(parse("zlib").unwrap(), Some(Encoding::Deflate));
        assert_eq!(parse("identity").unwrap(), None);
        for list in ["gzip, identity", "identity,gzip", "gzip,"] {
            assert_eq!(parse(list).unwrap(), Some(Encoding::Gzip), "{list}");
        }
        assert!(parse("br").is_err() && parse("gzip, gzip").is_err() && parse("gzip, br").is_err());
    }
}
