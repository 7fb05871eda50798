//! What a client offers and trusts.

use std::path::{Path, PathBuf};

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

/// The same as [`ClientFiles`], for those who read them more than once. A program may change its working directory meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct OwnedFiles {
    key: String,
    ca_file: Option<PathBuf>,
    cert_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
}

impl OwnedFiles {
    pub(crate) fn of(files: &ClientFiles<'_>) -> Self {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self {
            key: files.key.to_owned(),
            ca_file: files.ca_file.map(absolute),
            cert_file: files.cert_file.map(absolute),
            key_file: files.key_file.map(absolute),
        }
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = PathBuf> + '_ {
        [&self.ca_file, &self.cert_file, &self.key_file].into_iter().flatten().cloned()
    }

    /// [`client`] of what the files hold now.
    pub(crate) fn client(&self, http2: bool) -> Result<ClientConfig> {
        let files = ClientFiles {
            key: &self.key,
            ca_file: self.ca_file.as_deref(),
            cert_file: self.cert_file.as_deref(),
            key_file: self.key_file.as_deref(),
        };
        client(&files, http2)
    }
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
