//! What a server offers, and whom it asks for a certificate.

use std::path::Path;
use std::sync::Arc;

use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::error::Result;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;

use super::pem::Pem;
use super::{HTTP1, HTTP2, provider, unusable};
use crate::reload::Reloaded;

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

/// [`server`], made again when its files change: each new connection is offered the newest certificate, and those that are open
/// keep theirs.
pub fn server_reloaded(files: &ServerFiles<'_>, clock: Clock) -> Result<Reloaded<ServerConfig>> {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (cert, private) = (absolute(files.cert_file), absolute(files.key_file));
    let (authorities, optional) = match files.client_auth {
        ClientAuth::None => (None, false),
        ClientAuth::Optional(path) => (Some(absolute(path)), true),
        ClientAuth::Required(path) => (Some(absolute(path)), false),
    };
    let key = files.key.to_owned();
    let paths = [Some(cert.clone()), Some(private.clone()), authorities.clone()];
    Reloaded::new(paths.into_iter().flatten(), clock, move || {
        let client_auth = match &authorities {
            None => ClientAuth::None,
            Some(path) if optional => ClientAuth::Optional(path),
            Some(path) => ClientAuth::Required(path),
        };
        server(&ServerFiles { key: &key, cert_file: &cert, key_file: &private, client_auth })
    })
}

/// What a server offers; it speaks HTTP/2 and HTTP/1.1.
pub fn server(files: &ServerFiles<'_>) -> Result<ServerConfig> {
    let name = |file: &str| format!("{}.{file}", files.key);
    let builder =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(unusable)?;
    let builder = match files.client_auth {
        ClientAuth::None => builder.with_no_client_auth(),
        ClientAuth::Optional(path) | ClientAuth::Required(path) => {
            let authorities = Pem::file(name("client_ca_file"), path);
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities.roots()?), provider());
            let verifier = match files.client_auth {
                ClientAuth::Optional(_) => verifier.allow_unauthenticated(),
                _ => verifier,
            };
            builder.with_client_cert_verifier(verifier.build().map_err(|error| authorities.bad(error))?)
        }
    };
    let (cert, private) = (Pem::file(name("cert_file"), files.cert_file), Pem::file(name("key_file"), files.key_file));
    let mut config =
        builder.with_single_cert(cert.certificates()?, private.private_key()?).map_err(|error| cert.bad(error))?;
    config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
    Ok(config)
}
