//! One destination: requests go in, answers come out.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use otlp_arrow_columns::Signal;

use super::answer::Answer;
use super::request::Request;

/// One destination that requests are sent to.
pub trait Destination: fmt::Debug + Send + Sync {
    /// Sends one request, and says what became of it. It never fails: what went wrong is the class of the answer.
    ///
    /// As many requests as `max_in_flight` allows are on their way at once, each polled on a Tokio runtime; a destination
    /// that keeps a stream open answers each when its turn comes. It keeps the configured `timeout` itself: what never
    /// answers holds its place.
    fn send(&self, request: Request) -> Sending<'_>;

    /// The server that requests of this signal go to, for counters; `None` if there is none.
    fn server(&self, signal: Signal) -> Option<Server> {
        let _ = signal;
        None
    }

    /// Whether a file of its settings, such as a token or a certificate, changed since the last attempt: then another one
    /// makes sense at once. Asked once a second while it is in trouble.
    fn renewed(&self) -> bool {
        false
    }

    /// What happened to records that were delivered, since this was asked last: counted, and where there are words for it an
    /// event `forward_downgraded`. Asked behind each answer.
    fn notices(&self) -> Vec<Notice> {
        Vec::new()
    }
}

/// Records that were delivered, but not as they are or not by the protocol that is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What kind of records.
    pub signal: Signal,
    /// Why, as a label of `otlp_arrow_forward_changed_records_total`.
    pub reason: &'static str,
    /// How many.
    pub records: u64,
    /// What a person should be told, once.
    pub event: Option<String>,
}

/// A request on its way.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// A server on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}
