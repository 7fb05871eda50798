//! The one error table: what a caller should do next decides the code.
//!
//! Every door and every language carries the same [`Code`]; [`status_of`] says what it is on the wire.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What went wrong, chosen by what the caller should do next. Names are public API in every language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// A configuration key has a value it cannot have.
    InvalidConfig,
    /// A listener could not be bound.
    BindFailed,
    /// The data cannot be read as what it claims to be; sending it again cannot help.
    InvalidData,
    /// One request is larger than a request may be.
    TooLarge,
    /// The memory budget is used up for the moment.
    BufferFull,
    /// The disk, or the room this directory may take, is full.
    StorageFull,
    /// The disk failed.
    StorageFailed,
    /// Credentials are missing or wrong.
    Unauthenticated,
    /// The credentials do not allow this.
    Forbidden,
    /// A remote cannot be reached or refuses for now.
    Unavailable,
    /// The deadline passed.
    Timeout,
    /// The library, exporter or service is shut down.
    Closed,
    /// A defect in this program.
    Internal,
}

/// What a [`Code`] is on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// gRPC status number.
    pub grpc: i32,
    /// HTTP status number.
    pub http: u16,
    /// How long the sender should wait: `RetryInfo` on gRPC, `Retry-After` on HTTP.
    pub retry_after: Option<Duration>,
}

struct Entry {
    code: Code,
    name: &'static str,
    meaning: &'static str,
    retryable: bool,
    status: Status,
}

const fn entry(
    code: Code,
    name: &'static str,
    retryable: bool,
    grpc: i32,
    http: u16,
    retry_after: Option<u64>,
    meaning: &'static str,
) -> Entry {
    let retry_after = match retry_after {
        Some(seconds) => Some(Duration::from_secs(seconds)),
        None => None,
    };
    Entry { code, name, meaning, retryable, status: Status { grpc, http, retry_after } }
}

#[rustfmt::skip]
const TABLE: [Entry; 13] = [
    entry(Code::InvalidConfig, "INVALID_CONFIG", false, 3, 400, None, "a configuration key has a value it cannot have"),
    entry(Code::BindFailed, "BIND_FAILED", false, 13, 500, None, "a listener could not be bound"),
    entry(Code::InvalidData, "INVALID_DATA", false, 3, 400, None, "the data cannot be read as what it claims to be"),
    entry(Code::TooLarge, "TOO_LARGE", false, 8, 413, None, "one request is larger than a request may be"),
    entry(Code::BufferFull, "BUFFER_FULL", true, 14, 503, Some(1), "the memory budget is used up for the moment"),
    entry(Code::StorageFull, "STORAGE_FULL", true, 14, 503, Some(10), "the disk, or the room the directory may take, is full"),
    entry(Code::StorageFailed, "STORAGE_FAILED", true, 14, 503, Some(10), "the disk failed"),
    entry(Code::Unauthenticated, "UNAUTHENTICATED", false, 16, 401, None, "credentials are missing or wrong"),
    entry(Code::Forbidden, "FORBIDDEN", false, 7, 403, None, "the credentials do not allow this"),
    entry(Code::Unavailable, "UNAVAILABLE", true, 14, 503, None, "a remote cannot be reached or refuses for now"),
    entry(Code::Timeout, "TIMEOUT", true, 14, 503, None, "the deadline passed"),
    entry(Code::Closed, "CLOSED", false, 14, 503, None, "the library, exporter or service is shut down"),
    entry(Code::Internal, "INTERNAL", false, 13, 500, None, "a defect in otlp-arrow"),
];

impl Code {
    /// How many there are.
    pub const COUNT: usize = TABLE.len();

    /// Every code, in table order.
    pub fn all() -> impl Iterator<Item = Code> {
        TABLE.iter().map(|entry| entry.code)
    }

    fn entry(self) -> &'static Entry {
        &TABLE[self as usize]
    }

    /// The stable name, such as `BUFFER_FULL`.
    pub fn as_str(self) -> &'static str {
        self.entry().name
    }

    /// One line that says what the code means.
    pub fn meaning(self) -> &'static str {
        self.entry().meaning
    }

    /// Whether the same call may succeed later without a change.
    pub fn retryable(self) -> bool {
        self.entry().retryable
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What `code` is on the wire: the only place where codes become gRPC and HTTP statuses.
pub fn status_of(code: Code) -> Status {
    code.entry().status
}

/// Every failure of this library: a [`Code`], one line of text with the remedy, and the cause if there is one.
///
/// The text is for people and is not public API; the code is.
#[derive(Clone)]
pub struct OtlpError(Arc<Inner>);

struct Inner {
    code: Code,
    lasting: bool,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// `std::result::Result` with [`OtlpError`].
pub type Result<T, E = OtlpError> = std::result::Result<T, E>;

impl OtlpError {
    /// An error of `code`; `message` says what went wrong, with which value, and what to do.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner { code, lasting: false, message: message.into(), source: None }))
    }

    /// The same with what caused it.
    pub fn with_source(
        code: Code,
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self(Arc::new(Inner { code, lasting: false, message: message.into(), source: Some(source.into()) }))
    }

    /// What the caller should do next.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The text without the code and without the causes.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether the same call may succeed later without a change.
    pub fn retryable(&self) -> bool {
        self.0.code.retryable()
    }

    /// The same as one that stays until a person does something: a directory that may not be written to. It may still be
    /// [`retryable`](Self::retryable), since then the same call succeeds.
    pub fn lasting(self) -> Self {
        let (code, message) = (self.code(), self.message().to_owned());
        let source = Arc::try_unwrap(self.0).ok().and_then(|inner| inner.source);
        Self(Arc::new(Inner { code, lasting: true, message, source }))
    }

    /// Whether waiting a moment may be enough: retryable, and nothing that stays until a person does something.
    pub fn passes(&self) -> bool {
        self.retryable() && !self.0.lasting
    }

    /// The texts of the causes, outermost first.
    pub fn causes(&self) -> Vec<String> {
        let mut next = std::error::Error::source(self);
        std::iter::from_fn(|| {
            let cause = next?;
            next = cause.source();
            Some(cause.to_string())
        })
        .collect()
    }
}

impl fmt::Debug for OtlpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpError")
            .field("code", &self.0.code)
            .field("message", &self.0.message)
            .field("source", &self.0.source)
            .finish()
    }
}

/// `CODE: message`.
impl fmt::Display for OtlpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.message)
    }
}

impl std::error::Error for OtlpError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<otlp_arrow_columns::DecodeError> for OtlpError {
    fn from(error: otlp_arrow_columns::DecodeError) -> Self {
        use otlp_arrow_columns::DecodeError;
        let code = match &error {
            DecodeError::TooLarge { .. } => Code::TooLarge,
            _ => Code::InvalidData,
        };
        OtlpError::with_source(code, error.to_string(), error)
    }
}

impl From<otlp_arrow_columns::BatchError> for OtlpError {
    fn from(error: otlp_arrow_columns::BatchError) -> Self {
        use otlp_arrow_columns::BatchError;
        let code = match &error {
            BatchError::TooLarge { .. } => Code::TooLarge,
            _ => Code::InvalidData,
        };
        OtlpError::with_source(code, error.to_string(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_codes() {
        for (position, entry) in TABLE.iter().enumerate() {
            assert_eq!(entry.code as usize, position, "{}", entry.name);
        }
    }

    #[test]
    fn what_stays_until_a_person_does_something_does_not_pass() {
        for code in Code::all() {
            let error = OtlpError::with_source(code, "what; remedy", std::io::Error::other("why"));
            assert_eq!(error.passes(), code.retryable(), "{code}");
            let lasting = error.lasting();
            assert!(!lasting.passes() && lasting.retryable() == code.retryable(), "{code}");
            assert_eq!(
                (lasting.code(), lasting.message(), lasting.causes()),
                (code, "what; remedy", vec!["why".into()])
            );
        }
    }

    #[test]
    fn only_retryable_codes_ask_the_sender_to_wait() {
        for code in Code::all() {
            assert!(status_of(code).retry_after.is_none() || code.retryable(), "{code}");
        }
    }
}
