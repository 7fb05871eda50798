//! Configuration, parsed into types in which a wrong value cannot exist.
//!
//! What was written is read into one raw tree, each value with the place it came from (`raw`, `yaml`, `load`), and that
//! tree into [`Config`] by the one table of keys (`keys`, `read`, `parse`). The schema, the documentation and the
//! commented file come from the same table (`describe`).

mod built_in;
mod choice;
pub(crate) mod describe;
pub(crate) mod expand;
pub(crate) mod fit;
mod forward;
mod hint;
pub(crate) mod keys;
pub(crate) mod load;
mod memory_limit;
mod otel_env;
pub(crate) mod own_address;
mod parse;
mod proxy;
pub(crate) mod raw;
pub(crate) mod read;
mod request_memory;
mod storage;
mod store;
#[cfg(test)]
mod tests;
mod tls;
pub(crate) mod types;
mod units;
mod value;
mod variables;
mod yaml;

use crate::error::{Code, OtlpError, Result};

pub use crate::destinations::{
    Auth, Breaker, BreakerConfig, DestinationConfig, ForwardCompression, Kind, Proxy, Retry, Secret, Tls,
};
#[cfg(test)]
pub(crate) use describe::default as default_value;
use load::{Loaded, Sources};
pub use otlp_arrow_store::settings::{Durability, Retention, Rotation, Sealing, SealingCompression};
pub use types::{Buffer, Config, Limits, Listen, OnEvent, Protocols, Query, Storage};

/// The defaults of the table of keys: nothing is listened on, nothing forwarded.
impl Default for Config {
    fn default() -> Self {
        parse::defaults()
    }
}

/// The defaults of the table of keys.
impl Default for Query {
    fn default() -> Self {
        parse::defaults().query
    }
}

impl Listen {
    /// The standard OTLP ports on loopback: what the service listens on by default.
    pub fn standard() -> Self {
        let [grpc, http] = keys::STANDARD_LISTEN.map(|(_, address)| address.parse().ok());
        Self { grpc, http }
    }
}

impl DestinationConfig {
    /// A destination of one URL, everything else as the table of keys has it by default: OTLP over gRPC.
    pub fn new(name: impl Into<String>, endpoint: impl Into<String>) -> Self {
        Self::of(Kind::OTLP_GRPC, name, endpoint)
    }

    /// A destination of this kind, everything else as the table of keys and the kind have it by default.
    pub fn of(kind: Kind, name: impl Into<String>, endpoint: impl Into<String>) -> Self {
        forward::default_destination(kind, name.into(), endpoint.into())
    }
}

impl Config {
    /// Parses what a program passes (an object of keys as in the file), with the `OTLP_ARROW_*` variables and the
    /// configuration file of this process beneath it.
    ///
    /// INVALID_CONFIG names each key that is wrong, its value, where it came from, and what is allowed.
    pub fn from_value(arguments: serde_json::Value) -> Result<Self> {
        let loaded = Self::load(&Sources { arguments, ..Sources::process()? })?;
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        for note in &loaded.notes {
            tracing::info!("{note}");
        }
        Ok(loaded.config)
    }

    /// Checks what must hold between keys, for a configuration that was built by hand: INVALID_CONFIG names the first
    /// rule that does not hold. What is parsed holds to them already.
    pub fn check(&self) -> Result<()> {
        built_in::check(self)?;
        match parse::conflicts(self).first() {
            Some(conflict) => Err(OtlpError::new(Code::InvalidConfig, conflict.to_string())),
            None => Ok(()),
        }
    }

    /// Parses exactly these sources, and tells where each value came from.
    #[doc(hidden)]
    pub fn load(sources: &Sources) -> Result<Loaded> {
        load::load(sources)
    }
}
