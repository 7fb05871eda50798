//! A request that JavaScript wrote in pieces: V8 is quick at appending texts to one text, and slow at writing each to
//! its place, so the encoder leaves gaps for them.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// Set on the length of a gap that takes the bytes of a hexadecimal id, of twice as many digits.
const HEX: u32 = 1 << 31;
/// Buffers kept for the next requests, and the largest, in bytes: fresh memory costs more than what is copied into it.
const KEPT: usize = 4;
const LARGEST: usize = 1 << 20;

static IDLE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Fills the gaps of `request` with what lies one behind the other in `text`. `gaps` are pairs of place and length.
///
/// None if that is no request: an id is not hexadecimal, or the pieces do not fit.
pub fn assemble(request: &[u8], text: &[u8], gaps: &[u32]) -> Option<Bytes> {
    let mut whole = Buffer(idle().pop().unwrap_or_default());
    whole.0.clear();
    whole.0.extend_from_slice(request);
    let mut rest = text;
    for gap in gaps.chunks_exact(2) {
        let (start, bytes) = (gap[0] as usize, (gap[1] & !HEX) as usize);
        let place = whole.0.get_mut(start..start.checked_add(bytes)?)?;
        if gap[1] & HEX == 0 {
            let (own, others) = rest.split_at_checked(bytes)?;
            place.copy_from_slice(own);
            rest = others;
        } else {
            let (digits, others) = rest.split_at_checked(bytes * 2)?;
            unhex(digits, place)?;
            rest = others;
        }
    }
    rest.is_empty().then(|| Bytes::from_owner(whole))
}

fn unhex(digits: &[u8], to: &mut [u8]) -> Option<()> {
    let mut seen = 0;
    for (byte, pair) in to.iter_mut().zip(digits.chunks_exact(2)) {
        let (high, low) = (NIBBLE[pair[0] as usize], NIBBLE[pair[1] as usize]);
        seen |= high | low;
        *byte = (high << 4) | (low & 0x0f);
    }
    (seen < 16).then_some(())
}

/// The value of a digit; 255 for what is none.
const NIBBLE: [u8; 256] = {
    let mut table = [255; 256];
    let mut digit = 0;
    while digit < 16 {
        table[b"0123456789abcdef"[digit] as usize] = digit as u8;
        table[b"0123456789ABCDEF"[digit] as usize] = digit as u8;
        digit += 1;
    }
    table
};

fn idle() -> std::sync::MutexGuard<'static, Vec<Vec<u8>>> {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A buffer that goes back when it is dropped.
struct Buffer(Vec<u8>);

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut idle = idle();
        if idle.len() < KEPT && (1..=LARGEST).contains(&self.0.capacity()) {
            idle.push(std::mem::take(&mut self.0));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn texts_and_ids_go_to_their_places() {
        let whole = assemble(b"a..b--c.", b"xyC0feZ", &[1, 2, 4, 2 | HEX, 7, 1]).unwrap();
        assert_eq!(&whole[..], b"axyb\xc0\xfecZ");
    }

    #[test]
    fn what_does_not_fit_is_no_request() {
        assert!(assemble(b"..", b"xg", &[0, 1 | HEX]).is_none(), "no hexadecimal digit");
        assert!(assemble(b"..", b"\xe4\xb8", &[0, 1 | HEX]).is_none(), "no ASCII");
        assert!(assemble(b"..", b"xyz", &[0, 2]).is_none(), "text is left");
        assert!(assemble(b"..", b"x", &[0, 2]).is_none(), "text is missing");
        assert!(assemble(b"..", b"xy", &[1, 2]).is_none(), "a gap beyond the end");
        assert!(assemble(b"..", b"xy", &[u32::MAX, HEX - 1]).is_none(), "a gap nowhere");
    }

    #[test]
    fn a_buffer_is_used_again_whatever_was_in_it() {
        drop(assemble(&[7; 1000], b"", &[]).unwrap());
        assert_eq!(&assemble(b"1..", b"23", &[1, 2]).unwrap()[..], b"123");
    }
}
