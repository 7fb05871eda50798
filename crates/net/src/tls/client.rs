//! What a client offers and trusts.

use std::path::PathBuf;

use otlp_arrow_base::error::{Code, OtlpError, Result};
use rustls::{ClientConfig, RootCertStore};

use super::pem::Pem;
use super::{HTTP1, HTTP2, provider, unusable};

/// What a client is made of.
#[derive(Clone, Debug, Default)]
pub struct ClientPems {
    /// Where these keys are in the configuration: `forward.tls`.
    pub key: String,
    /// Authorities to trust instead of the system's.
    pub ca: Option<Pem>,
    /// The client certificate.
    pub cert: Option<Pem>,
    /// Its key.
    pub private_key: Option<Pem>,
}

impl ClientPems {
    /// The files among them.
    pub(crate) fn paths(&self) -> impl Iterator<Item = PathBuf> + '_ {
        [&self.ca, &self.cert, &self.private_key].into_iter().flatten().filter_map(|pem| pem.path().cloned())
    }
}

/// What a client offers and trusts, of what files hold now; it speaks HTTP/2 or HTTP/1.1, not both.
pub fn client(pems: &ClientPems, http2: bool) -> Result<ClientConfig> {
    let roots = match &pems.ca {
        Some(ca) => ca.roots()?,
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
    let mut config = match (&pems.cert, &pems.private_key) {
        (Some(cert), Some(key)) => {
            builder.with_client_auth_cert(cert.certificates()?, key.private_key()?).map_err(|error| cert.bad(error))?
        }
        (None, None) => builder.with_no_client_auth(),
        _ => {
            let message = format!("{}: a certificate and its key go together: give both or neither", pems.key);
            return Err(OtlpError::new(Code::InvalidConfig, message));
        }
    };
    config.alpn_protocols = vec![if http2 { HTTP2 } else { HTTP1 }.to_vec()];
    Ok(config)
}
