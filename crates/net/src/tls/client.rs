//! What a client offers and trusts.

use std::path::Path;

use otlp_arrow_base::error::{Code, OtlpError, Result};
use rustls::{ClientConfig, RootCertStore};

use super::pem::{bad_file, certificates, private_key, roots};
use super::{HTTP1, HTTP2, provider, unusable};

/// The files of a client.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientFiles<'a> {
    /// Where these keys are in the configuration: `forward.tls`.
    pub key: &'a str,
    /// Authorities to trust instead of the system's.
    pub ca_file: Option<&'a Path>,
    /// The client certificate.
    pub cert_file: Option<&'a Path>,
    /// Its key.
    pub key_file: Option<&'a Path>,
}

/// What a client offers and trusts; it speaks HTTP/2 or HTTP/1.1, not both.
pub fn client(files: &ClientFiles<'_>, http2: bool) -> Result<ClientConfig> {
    let name = |file: &str| format!("{}.{file}", files.key);
    let roots = match files.ca_file {
        Some(path) => roots(&name("ca_file"), path)?,
        None => {
            let mut roots = RootCertStore::empty();
            let _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            roots
        }
    };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_root_certificates(roots);
    let mut config = match (files.cert_file, files.key_file) {
        (Some(cert), Some(key)) => builder
            .with_client_auth_cert(certificates(&name("cert_file"), cert)?, private_key(&name("key_file"), key)?)
            .map_err(|error| bad_file(&name("cert_file"), cert, error))?,
        (None, None) => builder.with_no_client_auth(),
        _ => {
            let message = format!("{}: cert_file and key_file go together: give both or neither", files.key);
            return Err(OtlpError::new(Code::InvalidConfig, message));
        }
    };
    config.alpn_protocols = vec![if http2 { HTTP2 } else { HTTP1 }.to_vec()];
    Ok(config)
}
