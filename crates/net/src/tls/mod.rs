//! TLS by rustls, for both directions: what is offered and trusted, made of PEM.

mod client;
mod pem;
mod server;

use std::sync::Arc;

use otlp_arrow_base::error::{Code, OtlpError};
use rustls::crypto::CryptoProvider;

pub use client::{ClientPems, client};
pub use pem::Pem;
pub use server::{ClientAuth, ServerFiles, server, server_reloaded};

/// What the two versions of HTTP are called within TLS (ALPN).
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// The one implementation of cryptography in this program, whatever others install for theirs.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn unusable(error: rustls::Error) -> OtlpError {
    OtlpError::with_source(Code::Internal, "TLS cannot be set up", error)
}
