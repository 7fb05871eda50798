//! What an encoder of SDK objects takes from the library.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use otlp_arrow_wire::Writer;

use crate::stats::PerSignal;

/// What encoders of SDK objects share, over one library.
#[derive(Debug)]
pub struct Encoding {
    /// The configured resource, of objects that come without one: the field `resource` of the three `Resource*` messages.
    pub resource: Vec<u8>,
    /// How large the next request will be.
    pub expected: PerSignal<ExpectedSize>,
}

impl Encoding {
    /// Of the configured resource attributes.
    pub fn new(resource: &[(String, String)]) -> Self {
        let mut out = Writer::default();
        out.nest(1, 2, |out| {
            for (key, value) in resource {
                out.nest(1, 1, |out| {
                    out.text(1, key);
                    out.nest(2, 1, |out| out.bytes_always(1, value.as_bytes()));
                });
            }
        });
        Self { resource: out.finish(), expected: PerSignal::default() }
    }
}

/// About how large the next request of one kind will be, from what the last one took for each record.
#[derive(Debug, Default)]
pub struct ExpectedSize {
    bytes_per_record: AtomicUsize,
}

/// Before the first request.
const BYTES_PER_RECORD: usize = 256;

impl ExpectedSize {
    /// Room for so many records, with an eighth to spare.
    pub fn capacity(&self, records: usize) -> usize {
        let each = match self.bytes_per_record.load(Ordering::Relaxed) {
            0 => BYTES_PER_RECORD,
            known => known,
        };
        512 + records.saturating_mul(each + each / 8)
    }

    /// The finished request, from which the next one is guessed.
    pub fn learn(&self, bytes: Vec<u8>, records: usize) -> Bytes {
        if let Some(each) = bytes.len().checked_div(records) {
            self.bytes_per_record.store(each, Ordering::Relaxed);
        }
        bytes.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_request_is_guessed_from_the_last_one() {
        let expected = ExpectedSize::default();
        assert_eq!(expected.capacity(10), 512 + 10 * 288);
        assert_eq!(expected.learn(vec![0; 800], 10).len(), 800);
        assert_eq!(expected.capacity(10), 512 + 10 * 90);
        expected.learn(Vec::new(), 0);
        assert_eq!(expected.capacity(1), 512 + 90, "nothing is learnt from a request of nothing");
    }

    #[test]
    fn a_resource_is_written_once_as_a_field() {
        let pairs = [("k".to_owned(), "v".to_owned()), (String::new(), String::new())];
        let field = Encoding::new(&pairs).resource;
        assert_eq!(field, b"\x0a\x10\x0a\x08\x0a\x01k\x12\x03\x0a\x01v\x0a\x04\x12\x02\x0a\x00");
        assert_eq!(Encoding::new(&[]).resource, b"\x0a\x00", "an empty resource is there");
    }
}
