//! JSON Web Tokens: signed by an issuer that is trusted, checked with its public keys, by ring and nothing else.
//!
//! `token` reads, `key` checks the signature, `claims` says whom it is for, `source` has the issuer's keys. No library for this installs
//! its cryptography for one part of a program only, and this one is within programs of others (ADR 0033).

mod claims;
mod fault;
mod key;
mod source;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
mod token;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::lock::lock;

pub use claims::{Expected, Owner};
pub use fault::Fault;
use key::KeySet;
pub use source::{KeySource, Place, Tell};
use token::Token;

use super::crypto::{Digest, sha256};

/// Tokens that are remembered as accepted.
const REMEMBERED: usize = 1024;
/// Keys that are tried for a token that names none.
const TRIED: usize = 4;

/// An issuer, and what its tokens must say.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// What they must say.
    pub expected: Expected,
    /// Its keys.
    pub keys: Arc<KeySource>,
}

/// The issuers whose tokens are accepted.
pub struct Issuers {
    issuers: Vec<Issuer>,
    clock: Clock,
    remembered: Mutex<HashMap<Digest, Remembered>>,
}

/// A token that was accepted, under its digest.
#[derive(Clone)]
struct Remembered {
    issuer: usize,
    /// Of the keys that it was checked with.
    version: u64,
    owner: Arc<Owner>,
}

impl fmt::Debug for Issuers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuers").field("issuers", &self.issuers).finish_non_exhaustive()
    }
}

impl Issuers {
    /// These.
    pub fn new(issuers: Vec<Issuer>, clock: Clock) -> Self {
        Self { issuers, clock, remembered: Mutex::default() }
    }

    /// Whose token this is, and of which issuer, by position; None for what is not a token, and for tokens of others.
    ///
    /// # Errors
    /// It is one of an issuer that is known, and is not accepted.
    pub async fn check(&self, text: &[u8]) -> Result<Option<(usize, Arc<Owner>)>, Fault> {
        if !token::is_meant(text) {
            return Ok(None);
        }
        let now = self.clock.wall();
        let digest = sha256(text);
        if let Some(known) = self.recall(&digest, now) {
            return Ok(Some((known.issuer, known.owner)));
        }
        let token = Token::parse(text)?;
        let named = |issuer: &Issuer| issuer.expected.is_issuer(&token.claims);
        if !self.issuers.iter().any(named) {
            return Ok(None);
        }
        // One issuer may have tokens for several audiences.
        let ours = |issuer: &Issuer| named(issuer) && issuer.expected.is_audience(&token.claims);
        let at = self.issuers.iter().position(ours).ok_or(Fault::Audience)?;
        let issuer = &self.issuers[at];
        let (version, keys) = keys_of(issuer, &token).await?;
        verify(&keys, &token)?;
        let owner = Arc::new(issuer.expected.check(&token.claims, now)?);
        self.remember(digest, Remembered { issuer: at, version, owner: Arc::clone(&owner) }, now);
        Ok(Some((at, owner)))
    }

    /// One that was accepted, is not over, and whose issuer has the same keys still.
    fn recall(&self, digest: &Digest, now: SystemTime) -> Option<Remembered> {
        let known = lock(&self.remembered).get(digest).filter(|known| now < known.owner.until).cloned()?;
        let (version, _) = self.issuers[known.issuer].keys.current()?;
        (version == known.version).then_some(known)
    }

    fn remember(&self, digest: Digest, accepted: Remembered, now: SystemTime) {
        let mut remembered = lock(&self.remembered);
        if remembered.len() >= REMEMBERED {
            remembered.retain(|_, known| now < known.owner.until);
        }
        if remembered.len() >= REMEMBERED
            && let Some(any) = remembered.keys().next().copied()
        {
            remembered.remove(&any);
        }
        remembered.insert(digest, accepted);
    }
}

/// The issuer's keys; asked for where none are known, or none of them is the one that the token names.
async fn keys_of(issuer: &Issuer, token: &Token<'_>) -> Result<(u64, Arc<KeySet>), Fault> {
    let named = |keys: &KeySet| keys.named(token.key.as_deref()).next().is_some();
    match issuer.keys.current() {
        Some(found) if named(&found.1) => return Ok(found),
        _ => issuer.keys.refresh().await,
    }
    let found = issuer.keys.current().ok_or(Fault::NoKeys)?;
    if named(&found.1) { Ok(found) } else { Err(Fault::UnknownKey) }
}

fn verify(keys: &KeySet, token: &Token<'_>) -> Result<(), Fault> {
    let mut fit = keys.named(token.key.as_deref()).filter(|key| key.is_for(token.algorithm)).take(TRIED).peekable();
    fit.peek().ok_or(Fault::Algorithm)?;
    let good = fit.any(|key| key.verifies(token.algorithm, token.signed, &token.signature));
    if good { Ok(()) } else { Err(Fault::Signature) }
}
