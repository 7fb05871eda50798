//! Keys that are accepted, each by a digest alone. 256 random bits need no slow hash, and a slow one per request would be a way to
//! stop the machine.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use otlp_arrow_base::clock::Clock;
use subtle::ConstantTimeEq;

use super::Shown;
use super::crypto::{Digest, sha256};
use super::table::{Checking, Credential, Denied};
use crate::identity::Grant;

/// A key that is accepted.
#[derive(Clone)]
pub struct NamedKey {
    /// SHA-256 of its text.
    pub digest: Digest,
    /// What it allows.
    pub grant: Arc<Grant>,
    /// It is not accepted before this.
    pub not_before: Option<SystemTime>,
    /// Nor from this on.
    pub expires: Option<SystemTime>,
}

/// Its name, never its digest.
impl fmt::Debug for NamedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedKey").field("id", &self.grant.id).finish_non_exhaustive()
    }
}

/// Every key that is accepted.
#[derive(Debug)]
pub struct Keys {
    keys: Vec<NamedKey>,
    clock: Clock,
}

impl Keys {
    /// These, by the time of `clock`.
    pub fn new(keys: Vec<NamedKey>, clock: Clock) -> Self {
        Self { keys, clock }
    }

    fn find(&self, text: &[u8]) -> Result<Option<Arc<Grant>>, Denied> {
        let shown = sha256(text);
        // All are compared, so that the time tells nothing of where one stands.
        let found = self
            .keys
            .iter()
            .fold(None, |found, key| if bool::from(key.digest.as_slice().ct_eq(&shown)) { Some(key) } else { found });
        let Some(key) = found else { return Ok(None) };
        let now = self.clock.wall();
        if key.not_before.is_some_and(|from| now < from) || key.expires.is_some_and(|end| now >= end) {
            return Err(Denied::Unauthenticated);
        }
        Ok(Some(Arc::clone(&key.grant)))
    }
}

impl Credential for Keys {
    fn challenge(&self) -> Option<&'static str> {
        Some("Bearer realm=\"otlp-arrow\"")
    }

    fn check<'a>(&'a self, shown: &'a Shown<'a>) -> Checking<'a> {
        Box::pin(async move { shown.token.map_or(Ok(None), |token| self.find(token)) })
    }
}
