//! Errors on their way to JavaScript, whole.

use std::str::FromStr;

use napi::bindgen_prelude::Either;
use napi_derive::napi;
use otlp_arrow::internal::status_of;
use otlp_arrow::{Code, OtlpError, Signal};

/// An [`OtlpError`] as a plain object.
#[napi(object)]
pub struct BindingError {
    /// Always true: tells it from a result.
    pub is_binding_error: bool,
    /// The stable name.
    pub code: String,
    /// What went wrong and what to do.
    pub message: String,
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// The texts of the causes, outermost first.
    pub causes: Vec<String>,
}

impl From<OtlpError> for BindingError {
    fn from(error: OtlpError) -> Self {
        Self {
            is_binding_error: true,
            code: error.code().to_string(),
            message: error.message().to_owned(),
            retryable: error.retryable(),
            causes: error.causes(),
        }
    }
}

/// A result, or the error as a value.
pub(crate) type Outcome<T> = Either<T, BindingError>;

/// Turns a core result into a union.
pub(crate) fn outcome<T>(result: otlp_arrow::Result<T>) -> Outcome<T> {
    match result {
        Ok(value) => Either::A(value),
        Err(error) => Either::B(error.into()),
    }
}

/// The signal at a position of `Signal::ALL`, as JavaScript passes it.
pub(crate) fn signal(position: u32) -> otlp_arrow::Result<Signal> {
    Signal::ALL
        .get(position as usize)
        .copied()
        .ok_or_else(|| OtlpError::new(Code::Internal, format!("there is no signal {position}")))
}

/// A name parsed, or INVALID_CONFIG with what is allowed.
pub(crate) fn parse<T: FromStr<Err = otlp_arrow_columns::UnknownName>>(name: &str) -> otlp_arrow::Result<T> {
    name.parse()
        .map_err(|error: otlp_arrow_columns::UnknownName| OtlpError::new(Code::InvalidConfig, error.to_string()))
}

/// One row of the core's error table.
#[napi(object)]
pub(crate) struct BindingErrorCode {
    /// The stable name.
    pub code: String,
    /// One line that says what it means.
    pub meaning: String,
    /// Whether the same call may succeed later without a change.
    pub retryable: bool,
    /// gRPC status number.
    pub grpc: i32,
    /// HTTP status number.
    pub http: u16,
    /// How long a sender should wait, in milliseconds.
    pub retry_after_ms: Option<f64>,
}

/// The error table: every code and what it is on the wire.
#[napi(catch_unwind)]
pub(crate) fn error_codes() -> Vec<BindingErrorCode> {
    Code::all()
        .map(|code| {
            let status = status_of(code);
            BindingErrorCode {
                code: code.to_string(),
                meaning: code.meaning().to_owned(),
                retryable: code.retryable(),
                grpc: status.grpc,
                http: status.http,
                retry_after_ms: status.retry_after.map(|wait| wait.as_secs_f64() * 1000.0),
            }
        })
        .collect()
}
