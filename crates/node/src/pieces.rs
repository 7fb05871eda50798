//! A request as JavaScript hands it over: steps, and the texts and bytes they take. The main thread copies them and goes
//! on; they become protobuf on a thread of the addon.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use otlp_arrow::{Code, OtlpError};
use otlp_arrow_wire::steps::{BadSteps, Tape};

/// Buffers kept for the next requests, and the largest, in bytes: fresh memory costs more than what is copied into it.
const KEPT: usize = 4;
const LARGEST: usize = 1 << 20;

static IDLE: Mutex<Vec<Pieces>> = Mutex::new(Vec::new());
static IDLE_REQUESTS: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// The copy of a request.
#[derive(Default)]
pub(crate) struct Pieces {
    steps: Vec<u32>,
    text: Vec<u8>,
    bytes: Vec<u8>,
    ascii: bool,
}

impl Pieces {
    /// Copies what the first words of `steps` say there is of each.
    pub(crate) fn copy(steps: &[u32], text: &[u8], bytes: &[u8]) -> Result<Self, OtlpError> {
        let tape = Tape::read(steps, text, bytes).map_err(refused)?;
        let mut own = lock(&IDLE).pop().unwrap_or_default();
        own.steps.extend_from_slice(tape.steps);
        own.text.extend_from_slice(tape.text);
        own.bytes.extend_from_slice(tape.bytes);
        own.ascii = tape.ascii;
        Ok(own)
    }

    /// The request in protobuf.
    pub(crate) fn make(mut self) -> Result<Bytes, OtlpError> {
        let mut request = Request(lock(&IDLE_REQUESTS).pop().unwrap_or_default());
        request.0.clear();
        let tape = Tape { steps: &self.steps, text: &self.text, bytes: &self.bytes, ascii: self.ascii };
        let made = tape.make(&mut request.0);
        if self.steps.capacity() * 4 + self.text.capacity() + self.bytes.capacity() <= LARGEST {
            self.steps.clear();
            self.text.clear();
            self.bytes.clear();
            let mut idle = lock(&IDLE);
            if idle.len() < KEPT {
                idle.push(self);
            }
        }
        made.map_err(refused)?;
        Ok(Bytes::from_owner(request))
    }
}

fn refused(error: BadSteps) -> OtlpError {
    let code = match error {
        BadSteps::Malformed => Code::Internal,
        BadSteps::TooLong { .. } => Code::TooLarge,
    };
    OtlpError::new(code, error.to_string())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A buffer that goes back when it is dropped.
struct Request(Vec<u8>);

impl AsRef<[u8]> for Request {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let mut idle = lock(&IDLE_REQUESTS);
        if idle.len() < KEPT && (1..=LARGEST).contains(&self.0.capacity()) {
            idle.push(std::mem::take(&mut self.0));
        }
    }
}
