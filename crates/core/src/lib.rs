//! An embeddable, crash-safe OpenTelemetry recorder: traces, metrics and logs kept on local disk as Apache Arrow files
//! that any tool opens, and forwarded, if asked, to a destination that may be away for hours.
//!
//! ```
//! use futures::StreamExt;
//! use otlp_arrow::{Config, OtlpLibrary, ReadOptions, Signal};
//!
//! # let request = bytes::Bytes::from_static(b"\n\r\x12\x0b\x12\t*\x07\n\x05hello");
//! # let directory = tempfile::tempdir().unwrap();
//! # let output_dir = directory.path().join("telemetry");
//! # futures::executor::block_on(async {
//! // One recorder for each process; clones are the same one.
//! let library = OtlpLibrary::new(Config { output_dir, ..Config::default() }).await?;
//!
//! // An OTLP export request, as any exporter sends it. When this returns it survives `kill -9`.
//! let outcome = library.export_otlp(Signal::Logs, request).await?;
//! assert_eq!((outcome.accepted, outcome.rejected), (1, 0));
//!
//! // Everything that is kept, as record batches.
//! for batch in library.read(Signal::Logs, &ReadOptions::default())? {
//!     println!("{} records", batch?.num_rows());
//! }
//! library.shutdown(None).await?;
//! # Ok::<(), otlp_arrow::OtlpError>(())
//! # }).unwrap();
//! ```
//!
//! # Tour
//!
//! - **In**: [`OtlpLibrary::export_otlp`] takes OTLP protobuf. The crate
//!   [`otlp-arrow-sdk`](https://docs.rs/otlp-arrow-sdk) adds exporters for `opentelemetry_sdk`. With
//!   [`Config::listen`] other programs send OTLP over gRPC and HTTP to this one. [`OtlpLibrary::append`] takes record batches, and a
//!   [`Stage`] sees everything before it is kept.
//! - **Out**: [`OtlpLibrary::read`] is a snapshot of what is kept; [`OtlpLibrary::subscribe`] follows it from a durable
//!   position with a name, which is what custom exporters are written on. The files are Arrow IPC: DuckDB, polars, pyarrow and
//!   DataFusion open them while the recorder runs. [`decode`] and [`encode`] convert without a recorder.
//! - **On**: [`Config::forward`] names destinations, [`OtlpLibrary::forwarders`] tells how they stand.
//! - **Inside**: [`OtlpLibrary::events`], [`OtlpLibrary::stats`], [`OtlpLibrary::health`]. Errors carry one of a few
//!   [codes](Code), each with a remedy in its text.
//!
//! Calls work under Tokio, under another executor, or with none: `open`, `next_blocking` and `shutdown_blocking` are the blocking
//! forms. The library has threads of its own: one for each signal that has data, one for maintenance, and a small Tokio runtime
//! only where something listens or forwards.
//!
//! # Guarantees
//!
//! An export that returned `Ok` is kept. What that means is [`Config::durability`]:
//!
//! | `durability` | acknowledged when | survives |
//! |---|---|---|
//! | [`Buffered`](config::Durability::Buffered) | it is in memory | nothing: at most `write_interval` of data is at risk, and `stats()` says how much |
//! | [`Written`](config::Durability::Written), the default | `write` returned | the end of the process, also by `kill -9` |
//! | [`Synced`](config::Durability::Synced) | `fdatasync` returned | a power cut |
//!
//! - What came in can be written out again as OTLP, equal field by field: every value, type, count and timestamp.
//! - One request is checked as a whole and becomes one commit: no crash leaves half of it.
//! - An export that failed with a [retryable](Code::retryable) error was not kept, `TIMEOUT` aside, which leaves that open: send it again.
//! - `accepted = committed + waiting + dropped`, always; every loss is counted and is an event.
//! - Forwarding and subscriptions deliver at least once, from the files, also after a restart. One that is away costs disk and
//!   delays nobody.
//! - Memory stays within [`Config::buffer`] and a little more, whatever senders do.
//!
//! # What it is not
//!
//! - Not a collector: it keeps and forwards what it is sent. It scrapes nothing, and changes nothing unless a [`Stage`] does.
//! - Not a query engine: it reads columns and ranges of time. For SQL, open the files with a tool that has it.
//! - Not an archive: [`Config::retention`] deletes by age and size.
//! - Not exactly-once: after a crash a destination may get again what it had.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `doors` | yes | listeners: OTLP over gRPC and HTTP, health, metrics ([`Config::listen`], [`OtlpLibrary::addresses`]) |
//! | `forward` | yes | destinations and the webhook of events ([`Config::forward`], [`OtlpLibrary::forwarders`]) |
//! | `failpoints` | no | for the tests of this project: places where a variable ends the process |
//!
//! Without the first two neither hyper nor rustls nor Tokio is built. A setting of a part that is left out is INVALID_CONFIG, which
//! names the feature.
//!
//! # More
//!
//! [The columns](https://github.com/otlp-arrow/otlp-arrow/blob/main/docs/schema.md),
//! [every setting](https://github.com/otlp-arrow/otlp-arrow/blob/main/docs/configuration.md),
//! [operations](https://github.com/otlp-arrow/otlp-arrow/blob/main/docs/operations.md),
//! [integrations](https://github.com/otlp-arrow/otlp-arrow/blob/main/docs/integrations.md), and
//! [how it is built](https://github.com/otlp-arrow/otlp-arrow/blob/main/ARCHITECTURE.md).
#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests time what they start"))]

pub mod config;
mod destinations;
#[cfg(feature = "doors")]
mod doors;
mod event_bus;
#[cfg(feature = "forward")]
mod forward;
mod ingest;
#[doc(hidden)]
pub mod internal;
mod key;
mod library;
mod on_event;
mod outcome;
mod recorder;
#[cfg(any(feature = "doors", feature = "forward"))]
mod runtime;
mod stage;
#[cfg(all(test, feature = "doors", feature = "forward"))]
mod vocabulary;

pub use config::Config;
#[cfg(feature = "doors")]
pub use doors::Addresses;
pub use event_bus::EventReceiver;
#[cfg(feature = "forward")]
pub use forward::{Forwarder, ForwarderInfo, Retried};
pub use library::builder::Builder;
pub use library::{FlushOptions, OtlpLibrary};
#[doc(inline)]
pub use otlp_arrow_base::stats::{BreakerState, Health, HealthStatus, LibraryStats, Problem, Snapshot};
#[doc(inline)]
pub use otlp_arrow_base::{Code, Event, EventName, OtlpError, PerSignal, Result, Severity};
use otlp_arrow_base::{error, event, stats, wait};
#[doc(inline)]
pub use otlp_arrow_columns::{Decoded, Format, Signal, decode, encode};
use otlp_arrow_store as store;
#[doc(inline)]
pub use otlp_arrow_store::subscription::{SubscribeFrom, Subscription};
#[doc(inline)]
pub use otlp_arrow_store::{Batches, ClosedReport, ReadOptions};
pub use outcome::ExportOutcome;
pub use stage::{Stage, Staged};
