//! PEM files: read here and nowhere else, with errors that name the key and the file.

use std::path::Path;

use otlp_arrow_base::error::{Code, OtlpError, Result};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub(super) fn roots(key: &str, path: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(key, path)? {
        roots.add(certificate).map_err(|error| bad_file(key, path, error))?;
    }
    Ok(roots)
}

pub(super) fn certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let found: Vec<_> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|error| bad_file(key, path, error))?;
    if found.is_empty() {
        return Err(OtlpError::new(
            Code::InvalidConfig,
            format!("{key}: {} does not hold a certificate: give a PEM file", path.display()),
        ));
    }
    Ok(found)
}

pub(super) fn private_key(key: &str, path: &Path) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| bad_file(key, path, error))
}

pub(super) fn bad_file(key: &str, path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> OtlpError {
    let message = format!("{key}: {} cannot be used: {error}", path.display());
    OtlpError::with_source(Code::InvalidConfig, message, error)
}
