//! PEM: read here and nowhere else, with errors that name the key and the file.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use otlp_arrow_base::error::{Code, OtlpError, Result};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};

/// Certificates or a key as PEM, and the key of the configuration that says where it is.
#[derive(Clone, Debug)]
pub struct Pem {
    key: String,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    File(PathBuf),
    Text(SecretString),
}

impl Pem {
    /// The file at `path`, that `key` of the configuration names. A program may change its working directory later.
    pub fn file(key: impl Into<String>, path: &Path) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self { key: key.into(), source: Source::File(path) }
    }

    /// The text itself. Where it has no line breaks but `\n`, as in many files of variables, these are meant.
    pub fn text(key: impl Into<String>, text: &SecretString) -> Self {
        let shown = text.expose_secret();
        let text = match !shown.trim_end().contains('\n') && shown.contains("\\n") {
            true => shown.replace("\\r", "").replace("\\n", "\n").into(),
            false => text.clone(),
        };
        Self { key: key.into(), source: Source::Text(text) }
    }

    /// The file it is in.
    pub(crate) fn path(&self) -> Option<&PathBuf> {
        match &self.source {
            Source::File(path) => Some(path),
            Source::Text(_) => None,
        }
    }

    fn read(&self) -> Result<Zeroizing<Vec<u8>>> {
        match &self.source {
            Source::File(path) => {
                let mut bytes = Zeroizing::new(Vec::new());
                File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(|error| self.bad(error))?;
                Ok(bytes)
            }
            Source::Text(text) => Ok(text.expose_secret().as_bytes().to_vec().into()),
        }
    }

    pub(super) fn bad(&self, error: impl std::error::Error + Send + Sync + 'static) -> OtlpError {
        let message = format!("{}: {self} cannot be used: {error}", self.key);
        OtlpError::with_source(Code::InvalidConfig, message, error)
    }

    pub(super) fn roots(&self) -> Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates()? {
            roots.add(certificate).map_err(|error| self.bad(error))?;
        }
        Ok(roots)
    }

    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>> {
        let bytes = self.read()?;
        let found: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
            .collect::<std::result::Result<_, _>>()
            .map_err(|error| self.bad(error))?;
        if found.is_empty() {
            let message = format!("{}: {self} does not hold a certificate: give PEM", self.key);
            return Err(OtlpError::new(Code::InvalidConfig, message));
        }
        Ok(found)
    }

    pub(super) fn private_key(&self) -> Result<PrivateKeyDer<'static>> {
        PrivateKeyDer::from_pem_slice(&self.read()?).map_err(|error| self.bad(error))
    }
}

/// What it is, never what is in it.
impl fmt::Display for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::File(path) => write!(f, "{}", path.display()),
            Source::Text(_) => f.write_str("the text"),
        }
    }
}
