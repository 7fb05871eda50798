//! Arrow Flight for a recorder: rows in and out in the columns they are stored in, on the listeners that take telemetry.
//!
//! ```
//! use otlp_arrow::{Config, OtlpLibrary};
//! use otlp_arrow_flight::ArrowFlight;
//!
//! # let directory = tempfile::tempdir()?;
//! let mut config = Config { output_dir: directory.path().join("telemetry"), ..Config::default() };
//! config.listen.grpc = Some(([127, 0, 0, 1], 0).into()); // any free port
//! let library = OtlpLibrary::builder(config).arrow_flight().open()?;
//! println!("pyarrow.flight.connect('grpc://{}')", library.addresses().grpc.expect("it is listened on"));
//! # library.shutdown_blocking(None)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is put is taken from whom OTLP is taken from. What is kept is told to this machine only, as over HTTP
//! (`guard.rs` of `otlp-arrow-net`). docs/flight.md says what clients send and get.
//!
//! # How it is put together
//!
//! `service` finds the method of a call. `asked` reads what a descriptor or a ticket asks for, in the words of the filter. `put` takes
//! batches: `decode` makes them of the messages of IPC, the recorder keeps them, and each is acknowledged. `get` sends rows from
//! a thread that gives way, through a `sink` that waits for its client; `info` tells of tables, `actions` of the recorder.
//!
//! To add an action: a row in `actions`.
#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests"))]

mod actions;
mod asked;
mod decode;
mod get;
mod info;
mod put;
mod service;
mod sink;

use std::sync::Arc;

use otlp_arrow::Builder;
use otlp_arrow::internal::Door;

/// The name of its key, and in counters.
const NAME: &str = "flight";

/// Arrow Flight as a door.
pub const DOOR: Door = Door {
    name: NAME,
    telemetry: Some("Arrow Flight"),
    on: |config| config.protocols.flight,
    open: |inside| Arc::new(service::Flight::new(NAME, inside)),
};

/// Answers Arrow Flight.
pub trait ArrowFlight {
    /// Answers Arrow Flight on the addresses that are listened on, unless `protocols.flight` is off.
    #[must_use]
    fn arrow_flight(self) -> Self;
}

impl ArrowFlight for Builder {
    fn arrow_flight(self) -> Self {
        self.door(DOOR)
    }
}
