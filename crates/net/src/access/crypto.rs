//! What credentials are made of and found by: random bytes of the system, and SHA-256.

use otlp_arrow_base::error::{Code, OtlpError, Result};
use ring::digest::{SHA256, digest};
use ring::error::Unspecified;
use ring::rand::{SecureRandom, SystemRandom};

/// What stands for a credential: its SHA-256, or an HMAC of it.
pub type Digest = [u8; 32];

pub(super) fn sha256(bytes: &[u8]) -> Digest {
    let mut found = Digest::default();
    found.copy_from_slice(digest(&SHA256, bytes).as_ref());
    found
}

/// Random bytes.
///
/// # Errors
/// INTERNAL if the system has none.
pub(super) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(no_random)?;
    Ok(bytes)
}

/// What it is when the system has no random numbers.
pub(super) fn no_random(_: Unspecified) -> OtlpError {
    OtlpError::new(Code::Internal, "the system has no random numbers")
}
