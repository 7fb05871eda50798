//! Why a request is not answered with success, and what that is on the wire.

use std::fmt;

use otlp_arrow_base::error::{Code, OtlpError, Status, status_of};
use otlp_arrow_wire::{grpc, status};

use crate::encoding::{self, DecompressError, UnknownEncoding};

/// A request that is refused as a whole.
#[derive(Debug)]
pub struct Refusal {
    error: OtlpError,
    kind: Kind,
    broke_off: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// What [`status_of`] says of the code.
    Mapped,
    /// gRPC UNIMPLEMENTED, and this HTTP status.
    Unsupported(u16),
    /// The same as 405, with the methods that are allowed.
    Method(&'static str),
    /// gRPC FAILED_PRECONDITION, HTTP 508.
    Loop,
}

/// gRPC UNIMPLEMENTED: unknown paths, methods, encodings, and more or fewer messages than one.
const UNIMPLEMENTED: i32 = 12;
/// gRPC FAILED_PRECONDITION: not to be sent again as it is.
const FAILED_PRECONDITION: i32 = 9;

impl Refusal {
    fn unsupported(http: u16, message: String) -> Self {
        Self { error: OtlpError::new(Code::InvalidData, message), kind: Kind::Unsupported(http), broke_off: false }
    }

    /// The request cannot be read as what it claims to be.
    pub fn invalid(message: impl Into<String>) -> Self {
        OtlpError::new(Code::InvalidData, message).into()
    }

    /// The body ended before its end: whoever sent it is gone, or has given up.
    pub(super) fn broke_off(error: &hyper::Error) -> Self {
        Self { broke_off: true, ..Self::invalid(format!("the body broke off: {error}")) }
    }

    /// Whether nobody is there to be answered.
    pub fn is_broken_off(&self) -> bool {
        self.broke_off
    }

    /// Nothing answers at this path; `usage` says what does.
    pub fn unknown_path(path: &str, usage: &str) -> Self {
        Self::unsupported(404, format!("nothing answers at {path:?}: {usage}"))
    }

    /// The service of this path is switched off by `key`.
    pub fn switched_off(key: &str) -> Self {
        Self::unsupported(404, format!("this protocol is switched off here: set {key}: true to have it answered"))
    }

    /// A method that the path does not take; `allowed` is a list for the `Allow` header.
    pub fn method(given: &http::Method, allowed: &'static str) -> Self {
        let error = OtlpError::new(Code::InvalidData, format!("method {given} is not allowed here: use {allowed}"));
        Self { error, kind: Kind::Method(allowed), broke_off: false }
    }

    /// A content type, or a version of HTTP, that the path does not take.
    pub fn media_type(message: impl Into<String>) -> Self {
        Self::unsupported(415, message.into())
    }

    /// Nothing that the client would read can be made of the answer.
    pub fn not_acceptable(message: impl Into<String>) -> Self {
        Self::unsupported(406, message.into())
    }

    /// Records that came through this recorder before.
    pub fn comes_back(reason: impl Into<String>) -> Self {
        Self { error: OtlpError::new(Code::InvalidData, reason), kind: Kind::Loop, broke_off: false }
    }

    /// More or fewer messages than the call takes.
    pub fn message_count(message: impl Into<String>) -> Self {
        Self::unsupported(400, message.into())
    }

    pub(super) fn headers(given: usize, limit: u32) -> Self {
        let message = format!("the headers take {given} bytes and may take {limit}: raise limits.header_bytes");
        Self::unsupported(431, message)
    }

    /// A body of at least so many bytes where `max` are allowed.
    pub fn too_large(bytes: usize, max: usize) -> Self {
        let message = format!(
            "the request takes at least {bytes} bytes and may take {max}: send smaller batches or raise limits.max_body"
        );
        OtlpError::new(Code::TooLarge, message).into()
    }

    /// A body that could not be decompressed into `max` bytes.
    pub(super) fn packed(error: DecompressError, max: usize) -> Self {
        match error {
            DecompressError::Broken(_) => Self::invalid(error.to_string()),
            DecompressError::TooLong(bytes) => Self::too_large(bytes, max),
            DecompressError::Refused(error) => error.into(),
        }
    }

    pub(super) fn timeout(message: &str) -> Self {
        OtlpError::new(Code::Timeout, message).into()
    }

    /// The code of the error table that comes nearest: what counters are labelled with.
    pub fn code(&self) -> Code {
        self.error.code()
    }

    /// For people.
    pub fn message(&self) -> &str {
        self.error.message()
    }

    /// Both statuses and how long to wait.
    pub fn status(&self) -> Status {
        match self.kind {
            Kind::Mapped => status_of(self.error.code()),
            Kind::Unsupported(http) => Status { grpc: UNIMPLEMENTED, http, retry_after: None },
            Kind::Method(_) => Status { grpc: UNIMPLEMENTED, http: 405, retry_after: None },
            Kind::Loop => Status { grpc: FAILED_PRECONDITION, http: 508, retry_after: None },
        }
    }

    /// The `Allow` header of a 405.
    pub(super) fn allowed(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Method(allowed) => Some(allowed),
            _ => None,
        }
    }

    /// Whether the records came through this recorder before: that is told in a header of its own as well.
    pub(super) fn is_loop(&self) -> bool {
        self.kind == Kind::Loop
    }

    /// `google.rpc.Status`, with `BadRequest` or `RetryInfo` where there is something to say.
    pub fn details(&self) -> status::Status<'_> {
        let Status { grpc: code, retry_after, .. } = self.status();
        status::Status { code, message: grpc::shortened(self.message()), retry_after, bad_data: self.is_bad_data() }
    }

    /// Whether the sender should be told what is wrong with its data.
    pub(super) fn is_bad_data(&self) -> bool {
        self.kind == Kind::Mapped && self.error.code() == Code::InvalidData
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Refusal {}

impl From<OtlpError> for Refusal {
    fn from(error: OtlpError) -> Self {
        Self { error, kind: Kind::Mapped, broke_off: false }
    }
}

impl From<UnknownEncoding> for Refusal {
    fn from(UnknownEncoding(name): UnknownEncoding) -> Self {
        Self::unsupported(415, format!("unknown content encoding {name:?}: use {}", encoding::NAMES))
    }
}
