//! What happens inside and a person should know: state changes and losses.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use otlp_arrow_columns::Signal;

macro_rules! event_names {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*) => {
        /// What happened. Each name has a counter of the same name in `stats()`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum EventName { $($(#[doc = $doc])* $variant,)* }

        impl EventName {
            /// Every name, in counter order.
            pub const ALL: &'static [EventName] = &[$(EventName::$variant,)*];

            /// The stable name, such as `storage_full`.
            pub const fn as_str(self) -> &'static str {
                match self { $(EventName::$variant => $name,)* }
            }
        }
    };
}

event_names! {
    /// New data is refused because the disk, or the room the directory may take, is full.
    StorageFull = "storage_full",
    /// New data is refused because the disk fails.
    StorageFailed = "storage_failed",
    /// Writing works again.
    StorageRecovered = "storage_recovered",
    /// A dead writer's file was taken over; `count` records were kept.
    FileRecovered = "file_recovered",
    /// A file, or a torn tail, could not be read and was set aside.
    FileQuarantined = "file_quarantined",
    /// Retention deleted `count` records that a forwarder had not delivered yet.
    RecordsEvicted = "records_evicted",
    /// A destination refuses everything: credentials, address or protocol are wrong.
    ForwardBlocked = "forward_blocked",
    /// A destination is far behind.
    ForwardLagging = "forward_lagging",
    /// A destination has answered nothing for a while though data waits.
    ForwardStalled = "forward_stalled",
    /// A destination that was blocked, lagging or stalled keeps up again.
    ForwardRecovered = "forward_recovered",
    /// A circuit breaker opened.
    BreakerOpened = "breaker_opened",
    /// A circuit breaker lets one probe through.
    BreakerHalfOpen = "breaker_half_open",
    /// A circuit breaker closed.
    BreakerClosed = "breaker_closed",
    /// `count` records were refused as invalid, by us or by a destination.
    RecordsRejected = "records_rejected",
    /// `count` records could not be kept.
    RecordsDropped = "records_dropped",
    /// `count` events found the queue full and were not delivered.
    EventsDropped = "events_dropped",
}

impl EventName {
    /// Whether things became better: logged as information, everything else as a warning.
    pub fn is_good_news(self) -> bool {
        use EventName::{BreakerClosed, BreakerHalfOpen, FileRecovered, ForwardRecovered, StorageRecovered};
        matches!(self, StorageRecovered | FileRecovered | ForwardRecovered | BreakerHalfOpen | BreakerClosed)
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub name: EventName,
    /// When, by the wall clock.
    pub time: SystemTime,
    /// Which signal, where it concerns one.
    pub signal: Option<Signal>,
    /// Which forwarding destination, where it concerns one.
    pub destination: Option<String>,
    /// How many records, where records are concerned.
    pub count: Option<u64>,
    /// One line for a person: what happened, where, and what to do.
    pub message: String,
}

/// Where events go. Called from any thread; must not block.
pub type EventSink = Arc<dyn Fn(Event) + Send + Sync>;
