//! What may appear nowhere: the secrets of a destination, taken out of what the destination says.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::config::{Auth, Destination};

/// Shorter ones would take ordinary words out of answers, and protect nothing.
const SHORTEST: usize = 4;

/// The secrets of one destination, in every form in which they are sent.
pub(super) struct Secrets(Vec<SecretString>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

impl Secrets {
    pub(super) fn of(destination: &Destination) -> Self {
        let mut found: Vec<SecretString> = destination.headers.iter().map(|(_, value)| value.clone()).collect();
        match &destination.auth {
            Auth::None => {}
            Auth::Bearer(secret) | Auth::ApiKey { key: secret, .. } => found.push(secret.clone()),
            Auth::Basic { username, password } => {
                found.push(basic(username, password).into());
                found.push(password.clone());
            }
        }
        found.retain(|secret| secret.expose_secret().len() >= SHORTEST);
        // One may be part of another.
        found.sort_by_key(|secret| std::cmp::Reverse(secret.expose_secret().len()));
        Self(found)
    }

    /// Overwrites every occurrence; lengths stay, so that encoded messages stay readable.
    pub(super) fn mask(&self, mut bytes: Vec<u8>) -> Vec<u8> {
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
    pub(super) fn masked(&self, text: String) -> String {
        String::from_utf8_lossy(&self.mask(text.into_bytes())).into_owned()
    }
}

/// What follows `Basic ` in the header.
pub(super) fn basic(username: &str, password: &SecretString) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(format!("{username}:{}", password.expose_secret()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_in_every_form_and_lengths_stay() {
        let mut destination = Destination::new("d", "http://h:1");
        destination.headers = vec![("x".into(), "tenant-key".to_owned().into()), ("y".into(), "abc".to_owned().into())];
        destination.auth = Auth::Basic { username: "user".into(), password: "tenant".to_owned().into() };
        let secrets = Secrets::of(&destination);
        let text = format!("abc {} tenant-key,tenant;tenant", basic("user", &"tenant".to_owned().into()));
        let masked = secrets.masked(text.clone());
        assert_eq!(masked, "abc **************** **********,******;******");
        assert_eq!(masked.len(), text.len());
        assert_eq!(secrets.mask(Vec::new()), b"");
        assert_eq!(format!("{secrets:?}"), "Secrets(3)");
    }
}
