//! Why a request is not answered with success, and what that is on the wire.

use otlp_arrow_columns::DecodeError;

use crate::error::{Code, OtlpError, Status, status_of};

/// A request that is refused as a whole.
#[derive(Debug)]
pub(super) struct Fault {
    error: OtlpError,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// What [`status_of`] says of the code.
    Mapped,
    /// gRPC UNIMPLEMENTED, and this HTTP status.
    Unsupported(u16),
    /// The same as 405, with the methods that are allowed.
    Method(&'static str),
}

/// gRPC UNIMPLEMENTED: unknown paths, methods, encodings, and more or fewer messages than one.
const UNIMPLEMENTED: i32 = 12;

impl Fault {
    fn unsupported(http: u16, message: String) -> Self {
        Self { error: OtlpError::new(Code::InvalidData, message), kind: Kind::Unsupported(http) }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        OtlpError::new(Code::InvalidData, message).into()
    }

    pub(super) fn unknown_path(path: &str) -> Self {
        let known = "POST /v1/traces, /v1/metrics or /v1/logs, or call Export of the OTLP gRPC services";
        Self::unsupported(404, format!("nothing answers at {path:?}: {known}"))
    }

    pub(super) fn switched_off(key: &str) -> Self {
        Self::unsupported(404, format!("this protocol is switched off here: set {key}: true to have it answered"))
    }

    pub(super) fn method(given: &http::Method, allowed: &'static str) -> Self {
        let error = OtlpError::new(Code::InvalidData, format!("method {given} is not allowed here: use {allowed}"));
        Self { error, kind: Kind::Method(allowed) }
    }

    pub(super) fn media_type(message: String) -> Self {
        Self::unsupported(415, message)
    }

    pub(super) fn encoding(name: &str) -> Self {
        let message = format!("unknown content encoding {name:?}: use {}", super::inflate::NAMES);
        Self::unsupported(415, message)
    }

    pub(super) fn message_count(message: &str) -> Self {
        Self::unsupported(400, message.to_owned())
    }

    pub(super) fn headers(given: usize, limit: u32) -> Self {
        let message = format!("the headers take {given} bytes and may take {limit}: raise limits.header_bytes");
        Self::unsupported(431, message)
    }

    pub(super) fn too_large(message: String) -> Self {
        OtlpError::new(Code::TooLarge, message).into()
    }

    pub(super) fn timeout(message: String) -> Self {
        OtlpError::new(Code::Timeout, message).into()
    }

    pub(super) fn code(&self) -> Code {
        self.error.code()
    }

    pub(super) fn message(&self) -> &str {
        self.error.message()
    }

    /// Both statuses and how long to wait.
    pub(super) fn status(&self) -> Status {
        match self.kind {
            Kind::Mapped => status_of(self.error.code()),
            Kind::Unsupported(http) => Status { grpc: UNIMPLEMENTED, http, retry_after: None },
            Kind::Method(_) => Status { grpc: UNIMPLEMENTED, http: 405, retry_after: None },
        }
    }

    /// The `Allow` header of a 405.
    pub(super) fn allowed(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Method(allowed) => Some(allowed),
            _ => None,
        }
    }

    /// Whether the sender should be told what is wrong with its data.
    pub(super) fn is_bad_data(&self) -> bool {
        self.kind == Kind::Mapped && self.error.code() == Code::InvalidData
    }
}

impl From<OtlpError> for Fault {
    fn from(error: OtlpError) -> Self {
        Self { error, kind: Kind::Mapped }
    }
}

impl From<DecodeError> for Fault {
    fn from(error: DecodeError) -> Self {
        OtlpError::from(error).into()
    }
}
