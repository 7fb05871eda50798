//! Bytes on their way to a file: what is written here, and large buffers that are only pointed at.

use arrow_buffer::Buffer;
use bytes::Bytes;

/// A buffer of at least so many bytes is not copied where that can be avoided; smaller ones are cheaper to copy.
const WORTH_POINTING_AT: usize = 4 << 10;

/// Bytes in order, some of which lie elsewhere.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// What is written here; all of it if nothing is pointed at.
    pub(crate) own: Vec<u8>,
    /// Buffers that lie elsewhere, each with the length of `own` that comes before it.
    elsewhere: Vec<(usize, Buffer)>,
    elsewhere_len: usize,
    points: bool,
}

/// A buffer as the owner of its bytes.
struct Shared(Buffer);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl Output {
    /// An empty one that points at large buffers instead of copying them.
    pub(crate) fn pointing() -> Self {
        Self { points: true, ..Self::default() }
    }

    /// Bytes in all.
    pub(crate) fn len(&self) -> usize {
        self.own.len() + self.elsewhere_len
    }

    /// Appends bytes.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.own.extend_from_slice(bytes);
    }

    /// Appends a buffer, by a copy or by pointing at it.
    pub(crate) fn push(&mut self, buffer: &Buffer) {
        if self.points && buffer.len() >= WORTH_POINTING_AT {
            self.elsewhere_len += buffer.len();
            self.elsewhere.push((self.own.len(), buffer.clone()));
        } else {
            self.extend(buffer.as_slice());
        }
    }

    /// Appends zeros until the length is a multiple of `alignment`.
    pub(crate) fn align(&mut self, alignment: usize) {
        let missing = self.len().next_multiple_of(alignment) - self.len();
        self.own.resize(self.own.len() + missing, 0);
    }

    /// Forgets everything and releases what lies elsewhere; memory beyond `keep` bytes is given back.
    pub(crate) fn clear(&mut self, keep: usize) {
        self.elsewhere.clear();
        self.elsewhere_len = 0;
        self.own.clear();
        self.own.shrink_to(keep);
    }

    /// The same, kept apart from this: what lies elsewhere is shared.
    pub(crate) fn into_pieces(self) -> Vec<Bytes> {
        let mut own = Bytes::from(self.own);
        let (mut pieces, mut at) = (Vec::with_capacity(self.elsewhere.len() * 2 + 1), 0);
        for (before, buffer) in self.elsewhere {
            pieces.push(own.split_to(before - at));
            pieces.push(Bytes::from_owner(Shared(buffer)));
            at = before;
        }
        pieces.push(own);
        pieces
    }

    /// The bytes in order.
    pub(crate) fn parts(&self) -> Vec<&[u8]> {
        let mut parts = Vec::with_capacity(self.elsewhere.len() * 2 + 1);
        let mut at = 0;
        for (before, buffer) in &self.elsewhere {
            parts.push(&self.own[at..*before]);
            parts.push(buffer.as_slice());
            at = *before;
        }
        parts.push(&self.own[at..]);
        parts.retain(|part| !part.is_empty());
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_kept_whatever_is_copied() {
        let large: Vec<u8> = (0..WORTH_POINTING_AT + 3).map(|at| at as u8).collect();
        let small = vec![7; 5];
        for mut output in [Output::default(), Output::pointing()] {
            for _ in 0..2 {
                let mut expected = Vec::new();
                for bytes in [&large, &small, &large, &large, &small] {
                    output.push(&Buffer::from_vec(bytes.clone()));
                    expected.extend_from_slice(bytes);
                    output.align(8);
                    expected.resize(expected.len().next_multiple_of(8), 0);
                    output.extend(b"12345678");
                    expected.extend_from_slice(b"12345678");
                    assert_eq!(output.len(), expected.len());
                }
                assert_eq!(output.parts().concat(), expected);
                assert_eq!(output.parts().len(), if output.points { 6 } else { 1 });
                let again =
                    Output { own: output.own.clone(), elsewhere: output.elsewhere.clone(), ..Output::default() };
                assert_eq!(again.into_pieces().concat(), expected);
                output.clear(64);
                assert!(output.parts().is_empty() && output.own.capacity() <= 64 && output.len() == 0);
            }
        }
    }
}
