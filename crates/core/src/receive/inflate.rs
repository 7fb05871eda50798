//! Decompression of request bodies: capped, and reserved as it grows.

use std::io::{self, Read};

use bytes::Bytes;

use super::body::over;
use super::fault::Fault;
use crate::store::budget::Reservation;

/// A compression of request bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Gzip,
    /// A zlib stream, as HTTP has it.
    Deflate,
    Zstd,
}

/// What a sender may use, for messages.
pub(super) const NAMES: &str = "identity, gzip, deflate or zstd";

/// The largest window of a zstd frame, as a power of two: 8 MiB, which RFC 8878 asks every decoder to bear.
const ZSTD_WINDOW_LOG: u32 = 23;

impl Encoding {
    /// The encoding of a `Content-Encoding` or `grpc-encoding` header; None for none. The first may be a list, of which
    /// `identity` is no part.
    pub(super) fn parse(header: Option<&http::HeaderValue>) -> Result<Option<Self>, Fault> {
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
                _ => return Err(Fault::encoding(names)),
            };
            // Packed twice is packed by nobody but those who mean harm.
            if found.replace(encoding).is_some() {
                return Err(Fault::encoding(names));
            }
        }
        Ok(found)
    }

    /// What `body` is without this encoding: at most `max` bytes, each reserved before it is kept.
    pub(super) fn inflate(self, body: &[u8], max: usize, reservation: &mut Reservation) -> Result<Bytes, Fault> {
        match self {
            Encoding::Gzip => read(flate2::bufread::MultiGzDecoder::new(body), body.len(), max, reservation),
            Encoding::Deflate => read(flate2::bufread::ZlibDecoder::new(body), body.len(), max, reservation),
            Encoding::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(body).map_err(broken)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(broken)?;
                read(decoder, body.len(), max, reservation)
            }
        }
    }
}

fn broken(error: io::Error) -> Fault {
    Fault::invalid(format!("the compressed body cannot be read: {error}"))
}

fn read(mut from: impl Read, packed: usize, max: usize, reservation: &mut Reservation) -> Result<Bytes, Fault> {
    // One byte over the limit is enough to know that it is over.
    let limit = max.saturating_add(1);
    let mut out = Vec::new();
    let mut filled = 0;
    let mut room = packed.saturating_mul(4).max(4096);
    loop {
        if filled == out.len() {
            let more = room.min(limit - filled);
            reservation.grow(more)?;
            out.resize(filled + more, 0);
            room = out.len();
        }
        match from.read(&mut out[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(broken(error)),
        }
        if filled > max {
            return Err(over(filled, max));
        }
    }
    out.truncate(filled);
    Ok(out.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use otlp_arrow_columns::Signal;

    use super::*;
    use crate::error::Code;
    use crate::store::budget::Budget;

    fn pack(encoding: Encoding, data: &[u8]) -> Vec<u8> {
        match encoding {
            Encoding::Gzip => {
                let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                writer.write_all(data).unwrap();
                writer.finish().unwrap()
            }
            Encoding::Deflate => {
                let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
                writer.write_all(data).unwrap();
                writer.finish().unwrap()
            }
            Encoding::Zstd => zstd::encode_all(data, 3).unwrap(),
        }
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
                let out = encoding.inflate(&pack(encoding, text), 1 << 20, &mut reservation).unwrap();
                assert_eq!(out, text, "{encoding:?}");
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
            assert_eq!(encoding.inflate(&pack(encoding, &[7; 9000]), 9000, &mut reservation).unwrap().len(), 9000);
            let fault = encoding.inflate(&pack(encoding, &[7; 9001]), 9000, &mut reservation).unwrap_err();
            assert_eq!(fault.code(), Code::TooLarge, "{encoding:?}");
        }
    }

    #[test]
    fn a_bomb_takes_no_more_than_the_budget() {
        let budget = Arc::new(Budget::new(4 << 20));
        for encoding in ALL {
            let bomb = pack(encoding, &vec![0; 30 << 20]);
            let mut reservation = budget.reserve(Signal::Logs, bomb.len()).unwrap();
            let fault = encoding.inflate(&bomb, 64 << 20, &mut reservation).unwrap_err();
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
            let fault = encoding.inflate(&body, 64 << 20, &mut reservation).unwrap_err();
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
                let fault = encoding.inflate(bad, 1 << 20, &mut reservation).unwrap_err();
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
