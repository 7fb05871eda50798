//! What a request shows of its sender: at most one credential in its headers, and the certificate of its connection.

use std::fmt;

use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue};

use super::table::Denied;
use crate::identity::{ClientCertificate, Identity, Peer};

/// Where a key may stand besides `Authorization: Bearer`.
pub const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-api-key");

/// What is shown.
pub struct Shown<'a> {
    /// What follows `Bearer` or stands in `x-api-key`.
    pub token: Option<&'a [u8]>,
    /// What follows `Basic`, in Base64.
    pub basic: Option<&'a [u8]>,
    /// The certificate of the connection.
    pub certificate: Option<&'a ClientCertificate>,
    /// Where from.
    pub peer: Peer,
    /// Whether a header shows something, known or not.
    in_headers: bool,
}

/// Nothing of what is shown.
impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl<'a> Shown<'a> {
    /// What `headers` show over the connection of `connection`.
    ///
    /// # Errors
    /// They show two credentials.
    pub fn new(headers: &'a HeaderMap, connection: &'a Identity) -> Result<Self, Denied> {
        let mut all = headers.get_all(header::AUTHORIZATION).iter();
        let mut tokens = headers.get_all(TOKEN_HEADER).iter();
        let (authorization, token) = (all.next(), tokens.next());
        if all.next().is_some() || tokens.next().is_some() || authorization.is_some() && token.is_some() {
            return Err(Denied::Ambiguous);
        }
        let after = |scheme: &str| authorization.and_then(|value| of_scheme(value, scheme));
        Ok(Self {
            token: after("Bearer").or(token.map(HeaderValue::as_bytes)),
            basic: after("Basic"),
            certificate: connection.certificate().map(|certificate| &**certificate),
            peer: connection.peer(),
            in_headers: authorization.is_some() || token.is_some(),
        })
    }

    pub(super) fn is_in_headers(&self) -> bool {
        self.in_headers
    }
}

/// What follows the name of a scheme, in any case (RFC 9110, 11.1).
fn of_scheme<'a>(value: &'a HeaderValue, scheme: &str) -> Option<&'a [u8]> {
    let (given, rest) = value.as_bytes().split_at_checked(scheme.len())?;
    let rest = given.eq_ignore_ascii_case(scheme.as_bytes()).then_some(rest)?;
    rest.starts_with(b" ").then(|| rest.trim_ascii())
}
