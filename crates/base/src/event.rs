//! What happens inside and a person should know: state changes and losses.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use otlp_arrow_columns::Signal;
use serde::Serialize;

/// How much an event asks of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know: something got better, or whoever is concerned was told already.
    Info,
    /// Something is wrong, or was lost.
    Warn,
}

impl Severity {
    /// `info` or `warn`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warn => "warn",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! event_names {
    ($($event:ident: $severity:ident $name:literal = $meaning:literal;)*) => {
        /// What happened. Each name has a counter of the same name in `stats()`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum EventName { $(#[doc = $meaning] $event,)* }

        impl EventName {
            /// Every name, in counter order.
            pub const ALL: &'static [EventName] = &[$(EventName::$event,)*];

            /// The stable name, such as `storage_full`.
            pub const fn as_str(self) -> &'static str {
                match self { $(EventName::$event => $name,)* }
            }

            /// Whether this is good news or bad. A single event may be milder, see [`Event::severity`].
            pub const fn severity(self) -> Severity {
                match self { $(EventName::$event => Severity::$severity,)* }
            }

            /// One line that says what happened.
            pub const fn meaning(self) -> &'static str {
                match self { $(EventName::$event => $meaning,)* }
            }
        }
    };
}

event_names! {
    StorageFull: Warn "storage_full" = "New data is refused because the disk, or the room the directory may take, is full.";
    StorageFailed: Warn "storage_failed" = "New data is refused because the disk fails.";
    StorageRecovered: Info "storage_recovered" = "Writing works again.";
    FileRecovered: Info "file_recovered" = "A dead writer's file was taken over; `count` records were kept.";
    FileQuarantined: Warn "file_quarantined" = "A file, or a torn tail, could not be read and was set aside.";
    RecordsEvicted: Warn "records_evicted" = "Retention deleted `count` records that a forwarder had not delivered yet.";
    ForwardBlocked: Warn "forward_blocked" = "A destination refuses everything: credentials, address or protocol are wrong.";
    ForwardLooped: Warn "forward_looped" = "A destination does not take records because they came from it: recorders forward in a ring.";
    ForwardDowngraded: Warn "forward_downgraded" = "A destination does not speak the protocol that is configured, and gets another one.";
    ForwardLagging: Warn "forward_lagging" = "A destination is far behind.";
    ForwardStalled: Warn "forward_stalled" = "A destination has answered nothing for a while though data waits, or forwarding to it ended by a defect and starts again.";
    ForwardRecovered: Info "forward_recovered" = "A destination that was blocked, lagging or stalled keeps up again.";
    BreakerOpened: Warn "breaker_opened" = "A circuit breaker opened.";
    BreakerHalfOpen: Info "breaker_half_open" = "A circuit breaker lets one probe through.";
    BreakerClosed: Info "breaker_closed" = "A circuit breaker closed.";
    RecordsRejected: Warn "records_rejected" = "`count` records were refused as invalid, by us or by a destination.";
    RecordsDropped: Warn "records_dropped" = "`count` records could not be kept.";
    SettingsIgnored: Warn "settings_ignored" = "Part of what the environment says is ignored: a variable that sets no key, or a wrong value in one of OpenTelemetry's.";
    EventsDropped: Warn "events_dropped" = "`count` events found the queue full and were not delivered.";
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
    /// That of its name; information only where who could not hand over the records logs that itself.
    pub severity: Severity,
    /// Which signal, where it concerns one.
    pub signal: Option<Signal>,
    /// Which forwarding destination, where it concerns one.
    pub destination: Option<String>,
    /// How many records, where records are concerned.
    pub count: Option<u64>,
    /// One line for a person: what happened, where, and what to do.
    pub message: String,
}

impl Event {
    /// An event as severe as its name, about no signal, destination or records in particular.
    pub fn new(name: EventName, time: SystemTime, message: impl Into<String>) -> Self {
        let (severity, message) = (name.severity(), message.into());
        Self { name, time, severity, signal: None, destination: None, count: None, message }
    }
}

/// Where events go. Called from any thread; must not block.
pub type EventSink = Arc<dyn Fn(Event) + Send + Sync>;
