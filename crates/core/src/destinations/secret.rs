//! A secret, and the file that it is read from again when it changes.

use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::error::{Code, OtlpError, Result};

/// A secret: a text, or what a file holds. It prints as nothing of it.
#[derive(Clone)]
pub struct Secret {
    text: SecretString,
    file: Option<PathBuf>,
}

impl Secret {
    /// What the file at `path` holds, without the ends of lines behind it. INVALID_CONFIG if it cannot be read, or is empty.
    /// What is sent is read again when the file changes.
    pub fn file(path: impl AsRef<Path>) -> Result<Self> {
        let given = path.as_ref();
        // A program may change its working directory later.
        let path = std::path::absolute(given).unwrap_or_else(|_| given.to_owned());
        let text = read(&path).map_err(|problem| OtlpError::new(Code::InvalidConfig, problem))?;
        Ok(Self { text, file: Some(path) })
    }

    /// The file it comes from.
    pub fn path(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// What the file holds now; a text that comes from none as it is.
    pub fn now(&self) -> Result<SecretString> {
        match &self.file {
            Some(path) => read(path).map_err(|problem| OtlpError::new(Code::InvalidConfig, problem)),
            None => Ok(self.text.clone()),
        }
    }
}

fn read(path: &Path) -> Result<SecretString, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("names the file {shown}, which cannot be read ({error})"))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(format!("names the file {shown}, which is an empty secret")),
        text => Ok(text.to_owned().into()),
    }
}

impl From<SecretString> for Secret {
    fn from(text: SecretString) -> Self {
        Self { text, file: None }
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        SecretString::from(text).into()
    }
}

/// What it was when it was configured.
impl ExposeSecret<str> for Secret {
    fn expose_secret(&self) -> &str {
        self.text.expose_secret()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.text.expose_secret() == other.text.expose_secret() && self.file == other.file
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("file", &self.file).finish_non_exhaustive()
    }
}
