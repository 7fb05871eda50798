//! What the other crates of this project and its tests reach into, and the seams that kinds of doors and destinations are
//! written on.
//!
//! Not part of the public interface: it changes without notice, in any version.

#[cfg(feature = "doors")]
pub use crate::doors::{DASHBOARD, Door, Doors, Inside, MCP, answered, grpc_response, grpc_status_details};
pub use crate::ingest::{Ingest, Kept, Sent};
pub use crate::library::encoding::{Encoding, ExpectedSize};
pub use crate::library::patience::Waiter;
pub use crate::library::producer::Producer;
pub use crate::library::waiting::Export;
pub use crate::recorder::Recorder;
pub use otlp_arrow_base::clock::Clock;
pub use otlp_arrow_base::hops::Hops;
pub use otlp_arrow_base::stats::{Protocol, Stats};
pub use otlp_arrow_base::terminal;
pub use otlp_arrow_base::{EventSink, Status, status_of};

/// `library` as those see it who answer about it.
pub fn recorder_of(library: &crate::OtlpLibrary) -> Recorder {
    library.recorder()
}

/// What is committed in the directory of `library`, as this process's writer knows it.
pub fn log_of(library: &crate::OtlpLibrary) -> otlp_arrow_store::Log {
    library.log().clone()
}

/// The features of this build.
pub const FEATURES: &[&str] = &[
    #[cfg(feature = "doors")]
    "doors",
    #[cfg(feature = "forward")]
    "forward",
];

/// Where a configuration comes from, and how it is shown.
pub mod config {
    pub use crate::config::describe::{commented_file, json_schema, markdown_table, print};
    pub use crate::config::expand::home;
    pub use crate::config::load::{CommandOption, ConfigFile, Loaded, Role, Sources};
    pub use crate::config::raw::Origin;
    pub use crate::config::read::Setting;
    pub use crate::config::types::{Log, LogFormat, LogLevel};
}

/// What a kind of destination is written on.
pub mod destinations {
    pub use crate::destinations::{
        Answer, Class, Content, Destination, DestinationKind, Key, KeyKind, Kinds, Notice, OptionValue, Options,
        RecordAnswer, Request, Rows, Sending, Server, Spec, Takes, Target,
    };
}
