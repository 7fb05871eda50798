//! The network: what a server and a client need below the protocols they speak. Knows nothing of telemetry.
#![deny(unsafe_code)]

pub mod client;
pub mod encoding;
pub mod grpc;
pub mod tls;
