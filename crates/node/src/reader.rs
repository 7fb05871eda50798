//! A snapshot on its way out, as the bytes of one Arrow IPC stream.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::Schema;
use napi::Env;
use napi::bindgen_prelude::{Buffer, PromiseRaw};
use napi_derive::napi;
use otlp_arrow::{Batches, Code, OtlpError, ReadOptions, Result, Signal};
use otlp_arrow_store::Wanted;
use serde_json::Value;

use crate::error::{Outcome, outcome, signal};
use crate::runtime::{blocking, promise};

/// What is left of a snapshot.
#[napi]
pub struct BindingReader {
    stream: Arc<Mutex<Stream>>,
}

/// None once everything is out, or the caller let go.
type Stream = Option<(Batches, StreamWriter<Vec<u8>>)>;

impl BindingReader {
    pub fn new(batches: Batches, schema: &Schema) -> Result<Self> {
        let writer = StreamWriter::try_new(Vec::new(), schema).map_err(unwritable)?;
        Ok(Self { stream: Arc::new(Mutex::new(Some((batches, writer)))) })
    }
}

#[napi]
impl BindingReader {
    /// The next piece of the stream, or null after its end.
    #[napi(catch_unwind)]
    pub fn next<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Outcome<Option<Buffer>>>> {
        let stream = Arc::clone(&self.stream);
        promise(env, async move {
            let piece = blocking(move || next_piece(&mut stream.lock().unwrap_or_else(PoisonError::into_inner)));
            outcome(piece.await.map(|bytes| bytes.map(Buffer::from)))
        })
    }

    /// Releases the files.
    #[napi(catch_unwind)]
    pub fn close(&self) {
        // While a piece is being read the lock is taken; the reader then goes with the last reference to it.
        if let Ok(mut stream) = self.stream.try_lock() {
            *stream = None;
        }
    }
}

fn next_piece(stream: &mut Stream) -> Result<Option<Vec<u8>>> {
    let Some((mut batches, mut writer)) = stream.take() else { return Ok(None) };
    let piece = match batches.next().transpose()? {
        Some(batch) => {
            let piece = write(&mut writer, &batch)?;
            *stream = Some((batches, writer));
            piece
        }
        None => {
            writer.finish().map_err(unwritable)?;
            std::mem::take(writer.get_mut())
        }
    };
    Ok(Some(piece))
}

fn write(writer: &mut StreamWriter<Vec<u8>>, batch: &RecordBatch) -> Result<Vec<u8>> {
    writer.write(batch).map_err(unwritable)?;
    Ok(std::mem::take(writer.get_mut()))
}

fn unwritable(error: arrow_schema::ArrowError) -> OtlpError {
    OtlpError::with_source(Code::Internal, "a batch could not be written as an Arrow IPC stream", error)
}

/// The stream of what `read` opens, on a thread where that may block; `options` is a JSON object.
pub(crate) fn reading(
    env: &Env,
    signal_position: u32,
    options: String,
    read: impl FnOnce(Signal, &ReadOptions) -> Result<Batches> + Send + 'static,
) -> napi::Result<PromiseRaw<'_, Outcome<BindingReader>>> {
    promise(env, async move {
        let opened = blocking(move || {
            let (signal, options) = (signal(signal_position)?, read_options(&options)?);
            BindingReader::new(read(signal, &options)?, &Wanted::new(signal, &options)?.schema(signal))
        });
        outcome(opened.await)
    })
}

/// Parses `{from, to, columns, limit, dictionaries}`; the times are nanoseconds since 1970 as text.
fn read_options(json: &str) -> Result<ReadOptions> {
    let invalid = |what: &str| OtlpError::new(Code::InvalidConfig, format!("read: {what}"));
    let value: Value = serde_json::from_str(json).map_err(|error| invalid(&error.to_string()))?;
    let known = ["from", "to", "columns", "limit", "dictionaries"];
    if let Some(key) = value.as_object().and_then(|keys| keys.keys().find(|key| !known.contains(&key.as_str()))) {
        return Err(invalid(&format!("{key} is not an option: use {}", known.join(", "))));
    }
    let time = |key: &str| match &value[key] {
        Value::Null => Ok(None),
        Value::String(text) => text
            .parse::<u64>()
            .map(|nanoseconds| Some(SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds)))
            .map_err(|_| invalid(&format!("{key} = {text:?} is not a time: use a Date or nanoseconds since 1970"))),
        other => Err(invalid(&format!("{key} = {other} is not a time: use a Date or nanoseconds since 1970"))),
    };
    let columns = match &value["columns"] {
        Value::Null => None,
        Value::Array(names) => Some(
            names
                .iter()
                .map(|name| name.as_str().map(str::to_owned).ok_or_else(|| invalid("columns must be names")))
                .collect::<Result<Vec<_>>>()?,
        ),
        other => return Err(invalid(&format!("columns = {other}: use a list of names"))),
    };
    let limit = match &value["limit"] {
        Value::Null => None,
        other => Some(
            other
                .as_u64()
                .and_then(|limit| usize::try_from(limit).ok())
                .ok_or_else(|| invalid(&format!("limit = {other}: use a whole number")))?,
        ),
    };
    let dictionaries = match &value["dictionaries"] {
        Value::Null => false,
        Value::Bool(wanted) => *wanted,
        other => return Err(invalid(&format!("dictionaries = {other}: use true or false"))),
    };
    Ok(ReadOptions { from: time("from")?, to: time("to")?, columns, limit, dictionaries })
}
