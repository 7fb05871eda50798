//! Why a token is not accepted. Whoever sent it is told the same for each of these; the owner reads them in the log.

use std::fmt;

/// What is wrong with a token. It names no part of it but claims by their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// More bytes than any honest token has.
    TooLong,
    /// It is not three parts of Base64url, the first two of them JSON objects.
    Malformed,
    /// Its algorithm is none that is accepted here, or not one of the key that it names.
    Algorithm,
    /// Its header has something that would change how it is read, or says that it is a token for something else.
    Header,
    /// No key of its issuer has its key ID.
    UnknownKey,
    /// The signature is not one of its issuer's.
    Signature,
    /// It is for somebody else.
    Audience,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    Early,
    /// A claim is missing or of the wrong kind.
    Claim(&'static str),
    /// The keys of its issuer were never to be had, or are too old: nobody can say whether it is good.
    NoKeys,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::TooLong => "the token is too long",
            Fault::Malformed => "the token is not a signed JWT",
            Fault::Algorithm => {
                "the token's algorithm is not one of its issuer's key: RS256, PS256, ES256 and EdDSA are accepted"
            }
            Fault::Header => "the token's header asks for what is not done here",
            Fault::UnknownKey => "the issuer does not publish the key that the token names",
            Fault::Signature => "the token's signature is wrong",
            Fault::Audience => "the token is for another audience",
            Fault::Expired => "the token has expired",
            Fault::Early => "the token is not valid yet",
            Fault::Claim(name) => return write!(f, "the token's claim {name} is missing or of the wrong kind"),
            Fault::NoKeys => "the keys of the token's issuer cannot be had now",
        })
    }
}

impl std::error::Error for Fault {}
