//! Conversions that need no library.

use arrow_ipc::writer::StreamWriter;
use arrow_schema::ArrowError;
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use otlp_arrow::{Code, Format, OtlpError};

use crate::error::{Outcome, outcome, parse, signal};
use crate::ipc::Batches;
use crate::pieces::Pieces;

/// One OTLP request as columns.
#[napi(object)]
pub(crate) struct BindingDecoded {
    /// An Arrow IPC stream.
    pub ipc: Buffer,
    /// Records that are not in it, because they are invalid.
    pub rejected: f64,
    /// Why the first is not; empty when all are.
    pub message: String,
}

/// One OTLP request, `protobuf` or `json`, as an Arrow IPC stream of the storage schema.
#[napi(catch_unwind)]
pub(crate) fn decode(signal_position: u32, data: &[u8], format: String) -> Outcome<BindingDecoded> {
    let decode = || -> otlp_arrow::Result<BindingDecoded> {
        let decoded = otlp_arrow_columns::decode(signal(signal_position)?, data, parse::<Format>(&format)?)?;
        let mut writer = StreamWriter::try_new(Vec::new(), &decoded.batch.schema()).map_err(unwritable)?;
        writer.write(&decoded.batch).map_err(unwritable)?;
        let ipc = writer.into_inner().map_err(unwritable)?;
        Ok(BindingDecoded {
            ipc: ipc.into(),
            rejected: decoded.refused.total() as f64,
            message: decoded.refused.to_string(),
        })
    };
    outcome(decode())
}

/// An Arrow IPC stream or file of the storage schema as one OTLP request, `protobuf` or `json`.
#[napi(catch_unwind)]
pub(crate) fn encode(signal_position: u32, ipc: &[u8], format: String) -> Outcome<Buffer> {
    let encode = || -> otlp_arrow::Result<Vec<u8>> {
        let batches = Batches::of(arrow_buffer::Buffer::from(ipc))?.collect::<otlp_arrow::Result<Vec<_>>>()?;
        otlp_arrow_columns::encode(signal(signal_position)?, &batches, parse::<Format>(&format)?)
            .map_err(|error| invalid(&format!("this is not a table of the storage schema: {error}"), error))
    };
    outcome(encode().map(Buffer::from))
}

/// What [`crate::library::BindingLibrary::export_pieces`] makes of its pieces: one OTLP request in protobuf.
#[napi(catch_unwind)]
pub(crate) fn make_request(steps: &[u32], text: &[u8], bytes: &[u8]) -> Outcome<Buffer> {
    outcome(Pieces::copy(steps, text, bytes).and_then(Pieces::make).map(|request| Buffer::from(request.to_vec())))
}

/// One zstd frame, decompressed: the codec of apache-arrow for sealed files.
#[napi(catch_unwind)]
pub(crate) fn decompress_zstd(data: &[u8]) -> Outcome<Buffer> {
    let plain = zstd::stream::decode_all(data).map_err(|error| invalid("a buffer is not a zstd frame", error));
    outcome(plain.map(Buffer::from))
}

fn invalid(what: &str, cause: impl std::error::Error + Send + Sync + 'static) -> OtlpError {
    OtlpError::with_source(Code::InvalidData, what, cause)
}

fn unwritable(error: ArrowError) -> OtlpError {
    OtlpError::with_source(Code::Internal, "a batch could not be written as an Arrow IPC stream", error)
}
