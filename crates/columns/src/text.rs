//! Checks, hashes and copies of short strings, eight and thirty-two bytes at a time.

use otlp_arrow_wire::read::Block;

const HIGH: u64 = 0x8080_8080_8080_8080;

/// The eight bytes at `at`; `None` near the end of the request.
#[inline(always)]
fn word(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}

/// The low `len` bytes of a word, `len` from 0 to 8.
#[inline(always)]
fn low(word: u64, len: usize) -> u64 {
    if len >= 8 { word } else { word & ((1 << (8 * len)) - 1) }
}

/// Whether a block of `bytes` is UTF-8. Short ASCII, which nearly all is, takes a few loads.
#[inline(always)]
pub(crate) fn is_utf8(bytes: &[u8], block: Block) -> bool {
    let len = block.len();
    if len <= 8 {
        if let Some(first) = word(bytes, block.start)
            && low(first, len) & HIGH == 0
        {
            return true;
        }
    } else if len <= 32 {
        let text = block.of(bytes);
        if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
            let mut all = u64::from_le_bytes(*first) | u64::from_le_bytes(*last);
            if len > 16 {
                // Overlapping words reach every byte of 17 to 32.
                if let (Some(a), Some(b)) = (word(text, 8), word(text, len - 16)) {
                    all |= a | b;
                }
            }
            if all & HIGH == 0 {
                return true;
            }
        }
    }
    is_utf8_slow(block.of(bytes))
}

/// Sixteen bytes and more at a time while it is ASCII, as longer text nearly always is.
#[inline(never)]
fn is_utf8_slow(text: &[u8]) -> bool {
    text.is_ascii() || std::str::from_utf8(text).is_ok()
}

/// Whether two texts are the same. Up to thirty-two bytes, which most are, take a few loads and no call to memcmp.
#[inline(always)]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    /// Whether the first and the last `N` bytes are the same, which is all there is up to twice as many.
    #[inline(always)]
    fn ends<const N: usize>(a: &[u8], b: &[u8]) -> bool {
        a.first_chunk::<N>() == b.first_chunk::<N>() && a.last_chunk::<N>() == b.last_chunk::<N>()
    }
    let len = a.len();
    if len != b.len() {
        return false;
    }
    match len {
        0 => true,
        1..=3 => ends::<1>(a, b) && a.get(len / 2) == b.get(len / 2),
        4..=7 => ends::<4>(a, b),
        8..=16 => ends::<8>(a, b),
        17..=32 => ends::<16>(a, b),
        _ => a == b,
    }
}

/// A cheap fingerprint of a block: equal text gives equal values.
#[inline(always)]
pub(crate) fn fingerprint(bytes: &[u8], block: Block) -> u64 {
    let len = block.len();
    let mixed = if len >= 8 {
        let first = word(bytes, block.start).unwrap_or_default();
        let last = word(bytes, block.end - 8).unwrap_or_default();
        let middle = word(bytes, block.start + (len - 8) / 2).unwrap_or_default();
        first ^ last.rotate_left(23) ^ middle.rotate_left(43)
    } else {
        match word(bytes, block.start) {
            Some(first) => low(first, len),
            None => block.of(bytes).iter().rev().fold(0, |all, &byte| all << 8 | u64::from(byte)),
        }
    };
    (mixed ^ len as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A keyed hash: 128-bit multiplications folded, as in wyhash. The key keeps senders from choosing collisions.
#[inline(always)]
pub(crate) fn hash(text: &[u8], seed: u64) -> u64 {
    const K: [u64; 3] = [0x2d35_8dcc_aa6c_78a5, 0x8bb8_4b93_962e_acc9, 0x4b33_a62e_d433_d4a3];
    #[inline(always)]
    fn fold(a: u64, b: u64) -> u64 {
        let wide = u128::from(a) * u128::from(b);
        wide as u64 ^ (wide >> 64) as u64
    }
    let len = text.len();
    let mut state = seed ^ K[0];
    let (a, b) = if len >= 8 {
        let mut rest = text;
        while rest.len() > 16
            && let Some((chunk, after)) = rest.split_first_chunk::<16>()
        {
            let (a, b) = (word(chunk, 0).unwrap_or_default(), word(chunk, 8).unwrap_or_default());
            state = fold(a ^ K[1], b ^ state);
            rest = after;
        }
        // The last sixteen bytes, overlapping what was taken; of fewer, two words that overlap.
        let last = word(text, len - 8).unwrap_or_default();
        (word(text, len.saturating_sub(16)).unwrap_or_default(), last)
    } else {
        (text.iter().fold(0, |all, &byte| all << 8 | u64::from(byte)), 0)
    };
    fold(K[2] ^ len as u64, fold(a ^ K[1], b ^ state))
}

/// Room [`copy`] may use beyond the text.
pub(crate) const SLACK: usize = 32;

/// Appends a block of `bytes`. Up to thirty-two bytes are copied as one fixed chunk and cut to length, which needs no
/// call to memcpy; the surplus comes from what follows in the request.
#[inline(always)]
pub(crate) fn copy(to: &mut Vec<u8>, bytes: &[u8], block: Block) {
    let len = block.len();
    if len <= 32
        && let Some(chunk) = bytes.get(block.start..).and_then(|rest| rest.first_chunk::<SLACK>())
    {
        let end = to.len() + len;
        to.extend_from_slice(chunk);
        to.truncate(end);
    } else {
        to.extend_from_slice(block.of(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each(len: usize, check: impl Fn(&[u8], Block)) {
        for (before, after) in [(0, 0), (3, 1), (5, 40)] {
            let mut bytes = vec![0xff; before];
            bytes.extend((0..len).map(|i| b'a' + (i % 23) as u8));
            bytes.extend(vec![0xfe; after]);
            check(&bytes, Block { start: before, end: before + len });
        }
    }

    #[test]
    fn utf8_agrees_with_the_standard_library() {
        for len in 0..80 {
            each(len, |bytes, block| {
                assert!(is_utf8(bytes, block), "{len}");
                for at in block.start..block.end {
                    let mut broken = bytes.to_vec();
                    broken[at] = 0xff;
                    assert!(!is_utf8(&broken, block), "{len} {at}");
                    if at + 1 < block.end {
                        broken[at..at + 2].copy_from_slice("é".as_bytes());
                        assert!(is_utf8(&broken, block), "{len} {at}");
                    }
                }
            });
        }
    }

    #[test]
    fn equal_text_has_equal_fingerprints_wherever_it_lies() {
        for len in 0..80 {
            let text: Vec<u8> = (0..len).map(|i| b'a' + (i % 23) as u8).collect();
            let alone = fingerprint(&text, Block { start: 0, end: len });
            each(len, |bytes, block| assert_eq!(fingerprint(bytes, block), alone, "{len}"));
            each(len, |bytes, block| assert_eq!(hash(block.of(bytes), 7), hash(&text, 7), "{len}"));
        }
    }

    #[test]
    fn texts_are_the_same_when_every_byte_is() {
        for len in 0..80 {
            let text: Vec<u8> = (0..len).map(|i| b'a' + (i % 23) as u8).collect();
            assert!(same(&text, &text.clone()));
            assert!(!same(&text, &[&text[..], b"a"].concat()));
            for at in 0..len {
                let mut other = text.clone();
                other[at] ^= 1;
                assert!(!same(&text, &other), "{len} {at}");
            }
        }
    }

    #[test]
    fn hashes_see_every_byte_and_the_seed() {
        for len in 1..80 {
            let text = vec![b'x'; len];
            let alone = hash(&text, 1);
            assert_ne!(alone, hash(&text, 2));
            for at in 0..len {
                let mut other = text.clone();
                other[at] = b'y';
                assert_ne!(alone, hash(&other, 1), "{len} {at}");
            }
        }
    }

    #[test]
    fn copies_exactly_the_block() {
        for len in 0..80 {
            each(len, |bytes, block| {
                let mut to = b"before".to_vec();
                copy(&mut to, bytes, block);
                assert_eq!(to, [b"before", block.of(bytes)].concat());
            });
        }
    }
}
