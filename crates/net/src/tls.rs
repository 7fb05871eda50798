//! TLS by rustls: PEM files are read here and nowhere else, and an error names the key and the file.

use std::path::Path;
use std::sync::Arc;

use otlp_arrow_base::error::{Code, OtlpError, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

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
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| OtlpError::with_source(Code::Internal, "TLS cannot be set up", error))?
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
    config.alpn_protocols = if http2 { vec![b"h2".to_vec()] } else { vec![b"http/1.1".to_vec()] };
    Ok(config)
}

fn roots(key: &str, path: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(key, path)? {
        roots.add(certificate).map_err(|error| bad_file(key, path, error))?;
    }
    Ok(roots)
}

fn certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let found: Vec<_> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|error| bad_file(key, path, error))?;
    if found.is_empty() {
        return Err(OtlpError::new(
            Code::InvalidConfig,
            format!("{key}: {} holds no certificate: give a PEM file", path.display()),
        ));
    }
    Ok(found)
}

fn private_key(key: &str, path: &Path) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| bad_file(key, path, error))
}

fn bad_file(key: &str, path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> OtlpError {
    let message = format!("{key}: {} cannot be used: {error}", path.display());
    OtlpError::with_source(Code::InvalidConfig, message, error)
}
