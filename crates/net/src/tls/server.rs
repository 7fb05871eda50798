//! What a server offers, and whom it asks for a certificate.

use std::path::Path;
use std::sync::Arc;

use otlp_arrow_base::error::Result;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;

use super::pem::{bad_file, certificates, private_key, roots};
use super::{HTTP1, HTTP2, provider, unusable};

/// The files of a server.
#[derive(Clone, Copy, Debug)]
pub struct ServerFiles<'a> {
    /// Where these keys are in the configuration: `tls`.
    pub key: &'a str,
    /// The certificate, with those between it and the authority.
    pub cert_file: &'a Path,
    /// Its key.
    pub key_file: &'a Path,
    /// Whether clients show certificates.
    pub client_auth: ClientAuth<'a>,
}

/// Whether clients show certificates, and the authorities that must have signed them: never the system's.
#[derive(Clone, Copy, Debug, Default)]
pub enum ClientAuth<'a> {
    /// They are not asked for one.
    #[default]
    None,
    /// Who shows none is let in; a bad one is refused.
    Optional(&'a Path),
    /// Only who shows one is let in.
    Required(&'a Path),
}

/// What a server offers; it speaks HTTP/2 and HTTP/1.1.
pub fn server(files: &ServerFiles<'_>) -> Result<ServerConfig> {
    let name = |file: &str| format!("{}.{file}", files.key);
    let builder =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(unusable)?;
    let builder = match files.client_auth {
        ClientAuth::None => builder.with_no_client_auth(),
        ClientAuth::Optional(path) | ClientAuth::Required(path) => {
            let key = name("client_ca_file");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(&key, path)?), provider());
            let verifier = match files.client_auth {
                ClientAuth::Optional(_) => verifier.allow_unauthenticated(),
                _ => verifier,
            };
            builder.with_client_cert_verifier(verifier.build().map_err(|error| bad_file(&key, path, error))?)
        }
    };
    let mut config = builder
        .with_single_cert(
            certificates(&name("cert_file"), files.cert_file)?,
            private_key(&name("key_file"), files.key_file)?,
        )
        .map_err(|error| bad_file(&name("cert_file"), files.cert_file, error))?;
    config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
    Ok(config)
}
