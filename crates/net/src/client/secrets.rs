//! What may appear nowhere: the secrets that a server is sent, taken out of what it says.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// Shorter ones would take ordinary words out of answers, and protect nothing.
const SHORTEST: usize = 4;

/// The secrets that one server is sent, in every form in which they are sent.
pub struct Secrets(Vec<SecretString>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

impl Secrets {
    /// All of `secrets` that are long enough to be told from ordinary words.
    pub fn new(secrets: impl IntoIterator<Item = SecretString>) -> Self {
        let mut found: Vec<_> = secrets.into_iter().filter(|secret| secret.expose_secret().len() >= SHORTEST).collect();
        // One may be part of another.
        found.sort_by_key(|secret| std::cmp::Reverse(secret.expose_secret().len()));
        Self(found)
    }

    /// Overwrites every occurrence; lengths stay, so that encoded messages stay readable.
    pub fn mask(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        for secret in &self.0 {
            let secret = secret.expose_secret().as_bytes();
            let mut from = 0;
            while let Some(at) = bytes[from..].windows(secret.len()).position(|window| window == secret) {
                bytes[from + at..from + at + secret.len()].fill(b'*');
                from += at + secret.len();
            }
        }
        bytes
    }

    /// [`Secrets::mask`] for text.
    pub fn masked(&self, text: String) -> String {
        String::from_utf8_lossy(&self.mask(text.into_bytes())).into_owned()
    }
}

/// What follows `Basic ` in the header.
pub fn basic(username: &str, password: &SecretString) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(format!("{username}:{}", password.expose_secret()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_in_every_form_and_lengths_stay() {
        let secret = |text: &str| SecretString::from(text.to_owned());
        let password = secret("tenant");
        let found = [secret("tenant-key"), secret("abc"), basic("user", &password).into(), password];
        let secrets = Secrets::new(found);
        let text = format!("abc {} tenant-key,tenant;tenant", basic("user", &"tenant".to_owned().into()));
        let masked = secrets.masked(text.clone());
        assert_eq!(masked, "abc **************** **********,******;******");
        assert_eq!(masked.len(), text.len());
        assert_eq!(secrets.mask(Vec::new()), b"");
        assert_eq!(format!("{secrets:?}"), "Secrets(3)");
    }
}
