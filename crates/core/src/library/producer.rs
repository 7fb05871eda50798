//! What SDK exporters and language bindings need beyond the public calls: exports that wait for room, the count of what
//! they could not hand over, and what an encoder of SDK objects takes from the library.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use futures::future::{Either, select};
use otlp_arrow_columns::Signal;
use otlp_arrow_wire::Writer;

use super::{ExportOutcome, OtlpLibrary, shutdown};
use crate::error::{Code, OtlpError, Result};
use crate::event::{Event, EventName, Severity};
use crate::stats::{PerSignal, Protocol};
use crate::store::ClosedReport;

/// The calls of SDK exporters and language bindings, beyond those of everybody.
pub trait Producer {
    /// `export_otlp` that waits for room instead of failing, until `deadline`, because SDK processors drop a batch whose
    /// export failed. It answers TIMEOUT at the deadline in any case; what it sent may still be kept.
    fn send_within(
        &self,
        signal: Signal,
        bytes: Bytes,
        deadline: Instant,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send;

    /// Counts and announces records that an SDK exporter could not hand over: as information if the exporter logs that
    /// itself.
    fn not_kept(&self, signal: Signal, records: u64, error: &OtlpError, severity: Severity);

    /// Counts records that could not even be turned into a request, beside others that were.
    fn unreadable(&self, signal: Signal, records: u64);

    /// `shutdown_blocking` that first waits with `hand_over` for what is on its way to this library, until the moment it
    /// is given.
    fn shutdown_after(&self, deadline: Option<Duration>, hand_over: impl FnOnce(Instant)) -> Result<ClosedReport>;

    /// What encoders of SDK objects share.
    fn encoding(&self) -> &Encoding;
}

impl Producer for OtlpLibrary {
    async fn send_within(&self, signal: Signal, bytes: Bytes, deadline: Instant) -> Result<ExportOutcome> {
        let mut sent = pin!(patient(self, signal, bytes, deadline));
        loop {
            let changed = pin!(self.running().core.store.changed());
            match select(sent.as_mut(), changed).await {
                Either::Left((done, _)) => return done,
                Either::Right(_) if Instant::now() < deadline => {}
                Either::Right(_) => {
                    let message = "the data was not written in time: look after the disk, or raise the export timeout";
                    return Err(OtlpError::new(Code::Timeout, message));
                }
            }
        }
    }

    fn not_kept(&self, signal: Signal, records: u64, error: &OtlpError, severity: Severity) {
        let store = &self.running().core.store;
        store.stats().not_kept(signal, Protocol::Library, error.code(), records);
        let message = format!("{records} record(s) of {signal} from an SDK exporter were not kept: {error}");
        let event = Event::new(EventName::RecordsDropped, SystemTime::now(), message);
        store.announce(Event { severity, signal: Some(signal), count: Some(records), ..event });
    }

    fn unreadable(&self, signal: Signal, records: u64) {
        self.running().core.store.stats().not_kept(signal, Protocol::Library, Code::InvalidData, records);
    }

    fn shutdown_after(&self, deadline: Option<Duration>, hand_over: impl FnOnce(Instant)) -> Result<ClosedReport> {
        shutdown::shut_down(&self.root, deadline, hand_over)
    }

    fn encoding(&self) -> &Encoding {
        &self.running().core.encoding
    }
}

/// Tries again whenever there may be room, until `deadline`.
async fn patient(library: &OtlpLibrary, signal: Signal, bytes: Bytes, deadline: Instant) -> Result<ExportOutcome> {
    loop {
        match library.export_otlp(signal, bytes.clone()).await {
            Err(error) if error.retryable() && Instant::now() < deadline => {
                library.running().core.store.changed().await
            }
            done => return done,
        }
    }
}

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
