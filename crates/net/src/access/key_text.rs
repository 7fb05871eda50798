//! The text of a key: `oa_<id>_<secret>_<check>`, which scanners for secrets find and in which a typing error shows at once.

use std::fmt;

use otlp_arrow_base::error::Result;
use secrecy::{ExposeSecret, SecretString};

use super::crypto;

/// What every key begins with.
const PREFIX: &str = "oa_";
/// Letters of the id, which everybody may know.
const ID: usize = 8;
/// Letters of the secret: 43 of 62 are 256 bits.
const SECRET: usize = 43;
/// Letters of the check.
const CHECK: usize = 6;
/// Letters of all of it.
const LENGTH: usize = PREFIX.len() + ID + 1 + SECRET + 1 + CHECK;
/// Digits of base 62.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A whole key. Its secret is shown by [`KeyText::expose`] only, and is overwritten when it is dropped.
pub struct KeyText(SecretString);

impl KeyText {
    /// A new one, by the random numbers of the system.
    ///
    /// # Errors
    /// INTERNAL if it has none.
    pub fn new() -> Result<Self> {
        let (id, secret) = (random::<ID>()?, random::<SECRET>()?);
        let mut text = String::with_capacity(LENGTH);
        text.extend([PREFIX, id.expose_secret(), "_", secret.expose_secret(), "_"]);
        let check = check(&text[..LENGTH - CHECK - 1]);
        text.extend(check.map(char::from));
        Ok(Self(text.into()))
    }

    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it; nothing of it is repeated.
    pub fn parse(text: &str) -> std::result::Result<Self, NotAKey> {
        if !text.starts_with(PREFIX) {
            return Err(NotAKey("it does not begin with oa_"));
        }
        if text.len() != LENGTH {
            return Err(NotAKey("it is cut off or has something around it: a key has 62 characters"));
        }
        let parts: Vec<&str> = text[PREFIX.len()..].split('_').collect();
        let [id, secret, given] = parts[..] else {
            return Err(NotAKey("it does not have the parts of a key: oa_ID_SECRET_CHECK"));
        };
        let digits = |part: &str, length| part.len() == length && part.bytes().all(|byte| DIGITS.contains(&byte));
        if !(digits(id, ID) && digits(secret, SECRET) && digits(given, CHECK)) {
            return Err(NotAKey("it does not have the parts of a key: oa_ID_SECRET_CHECK"));
        }
        if check(&text[..LENGTH - CHECK - 1]) != given.as_bytes() {
            return Err(NotAKey("a character of it is wrong: copy it again"));
        }
        Ok(Self(text.to_owned().into()))
    }

    /// The part that everybody may know, for log lines and lists.
    pub fn id(&self) -> &str {
        &self.0.expose_secret()[PREFIX.len()..PREFIX.len() + ID]
    }

    /// The SHA-256 of all of it, in hexadecimal: what the configuration has.
    pub fn sha256(&self) -> String {
        sha256_hex(self.0.expose_secret().as_bytes())
    }

    /// All of it, to be shown once.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyText(oa_{}_…)", self.id())
    }
}

/// Why a text is not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAKey(&'static str);

impl fmt::Display for NotAKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for NotAKey {}

/// The SHA-256 of any credential, in hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    crypto::sha256(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Digits that all occur equally often.
fn random<const N: usize>() -> Result<SecretString> {
    /// Four times 62: bytes from here on would make some digits more frequent.
    const FAIR: u8 = 248;
    let mut text = String::with_capacity(N);
    while text.len() < N {
        let bytes = crypto::random::<64>()?;
        let fair = bytes.iter().filter(|byte| **byte < FAIR).map(|byte| char::from(DIGITS[usize::from(byte % 62)]));
        text.extend(fair.take(N - text.len()));
    }
    Ok(text.into())
}

/// The CRC-32 (as in zip) of `text` in base 62, the highest digit first.
fn check(text: &str) -> [u8; CHECK] {
    let mut crc = u32::MAX;
    for byte in text.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1));
        }
    }
    let mut rest = !crc;
    let mut digits = [0; CHECK];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    digits
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Made by hand: its check is zip's CRC-32 by Python's `zlib.crc32`.
    const EXAMPLE: &str = "oa_Shop0001_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg_4C9SUA";

    #[test]
    fn a_new_key_is_one_and_no_two_are_the_same() {
        let keys: Vec<_> = (0..50).map(|_| KeyText::new().unwrap()).collect();
        for key in &keys {
            let read = KeyText::parse(key.expose()).unwrap();
            assert_eq!((read.id(), read.sha256()), (key.id(), key.sha256()));
            assert_eq!((key.expose().len(), key.id().len()), (62, 8));
        }
        assert_eq!(keys.iter().map(KeyText::expose).collect::<HashSet<_>>().len(), keys.len());
        // 50 keys have 2,150 digits: that one of 62 is missing has a chance of 10⁻¹³.
        let used: HashSet<u8> = keys.iter().flat_map(|key| key.expose()[12..55].bytes()).collect();
        assert_eq!(used, DIGITS.iter().copied().collect());
    }

    #[test]
    fn a_key_is_what_it_was_when_it_was_given_out() {
        let key = KeyText::parse(EXAMPLE).unwrap();
        assert_eq!(key.id(), "Shop0001");
        assert_eq!(key.sha256(), "a007795ae2d65f20a9694354670ca6cc0021ca73cd750e0274f57a3c48453b49");
    }

    #[test]
    fn each_typing_error_shows() {
        for at in 0..EXAMPLE.len() {
            let mut wrong = EXAMPLE.as_bytes().to_vec();
            wrong[at] = if wrong[at] == b'x' { b'y' } else { b'x' };
            assert!(KeyText::parse(std::str::from_utf8(&wrong).unwrap()).is_err(), "{at}");
            let mut shorter = EXAMPLE.to_owned();
            shorter.remove(at);
            assert!(KeyText::parse(&shorter).is_err(), "{at}");
            if at > 0 && wrong[at - 1] != EXAMPLE.as_bytes()[at] {
                let mut swapped = EXAMPLE.as_bytes().to_vec();
                swapped.swap(at - 1, at);
                assert!(KeyText::parse(std::str::from_utf8(&swapped).unwrap()).is_err(), "{at}");
            }
        }
        for other in ["", "oa_", "oa____", &format!(" {EXAMPLE}"), &format!("{EXAMPLE}\n"), &"ä".repeat(31)] {
            assert!(KeyText::parse(other).is_err(), "{other:?}");
        }
        let letters = EXAMPLE.replace("ABC", "A€");
        assert_eq!(letters.len(), EXAMPLE.len() + 1);
        assert!(KeyText::parse(&letters.replace("DEF", "DE")).is_err(), "of the right length, and not of our digits");
    }

    #[test]
    fn nothing_shows_the_secret() {
        let key = KeyText::new().unwrap();
        let wrong = format!("{}x", &key.expose()[..61]);
        let shown = format!("{key:?} {:?} {}", KeyText::parse(&wrong), KeyText::parse(&wrong).unwrap_err());
        assert!(shown.contains(key.id()) && !shown.contains(&key.expose()[12..20]), "{shown}");
    }
}
