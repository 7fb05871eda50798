//! A token as it comes: three parts (RFC 7515, 7519), read before anything is believed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::fault::Fault;
use super::key::Algorithm;

/// Tokens with hundreds of groups have a few KiB.
const MOST_BYTES: usize = 8 << 10;

/// Parts of a header that would change how a token is read, or bring a key along that nobody here knows.
const REFUSED: [&str; 7] = ["crit", "b64", "zip", "enc", "jku", "x5u", "jwk"];

/// A token, of which nothing is known to be true.
pub(super) struct Token<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) key: Option<String>,
    /// What its signature is of.
    pub(super) signed: &'a [u8],
    pub(super) signature: Vec<u8>,
    pub(super) claims: Map<String, Value>,
}

/// Whether somebody means it as a token of this kind, and not as a key.
pub(super) fn is_meant(text: &[u8]) -> bool {
    // Of `{"`, with which every header begins.
    text.starts_with(b"ey") && text.iter().filter(|byte| **byte == b'.').count() >= 2
}

impl<'a> Token<'a> {
    /// Reads one, whoever made it.
    pub(super) fn parse(text: &'a [u8]) -> Result<Self, Fault> {
        if text.len() > MOST_BYTES {
            return Err(Fault::TooLong);
        }
        let mut parts = text.split(|byte| *byte == b'.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Fault::Malformed);
        };
        let signed = &text[..header.len() + 1 + payload.len()];
        let header = object(header)?;
        let name = header.get("alg").and_then(Value::as_str).unwrap_or_default();
        let algorithm = Algorithm::parse(name).ok_or(Fault::Algorithm)?;
        if REFUSED.iter().any(|name| header.contains_key(*name)) || !is_access_token(header.get("typ")) {
            return Err(Fault::Header);
        }
        let key = match header.get("kid") {
            None => None,
            Some(id) => Some(id.as_str().ok_or(Fault::Header)?.to_owned()),
        };
        let (claims, signature) = (object(payload)?, decoded(signature)?);
        Ok(Self { algorithm, key, signed, signature, claims })
    }
}

/// `JWT` or, as RFC 9068 has it, `at+jwt`; tokens for other ends, such as a logout, say so and are none for this one.
fn is_access_token(kind: Option<&Value>) -> bool {
    let Some(kind) = kind else { return true };
    let kind = kind.as_str().unwrap_or_default().to_ascii_lowercase();
    matches!(kind.strip_prefix("application/").unwrap_or(&kind), "jwt" | "at+jwt")
}

fn decoded(part: &[u8]) -> Result<Vec<u8>, Fault> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Fault::Malformed)
}

fn object(part: &[u8]) -> Result<Map<String, Value>, Fault> {
    serde_json::from_slice(&decoded(part)?).map_err(|_| Fault::Malformed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn text(header: &str, payload: &str) -> String {
        [header, payload, "signature"].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".")
    }

    fn fault(text: &str) -> Fault {
        Token::parse(text.as_bytes()).err().unwrap()
    }

    #[test]
    fn a_token_is_read_and_nothing_of_it_believed() {
        let text = text(r#"{"alg":"ES256","kid":"one","typ":"at+JWT"}"#, r#"{"iss":"joe"}"#);
        let token = Token::parse(text.as_bytes()).unwrap();
        assert_eq!((token.algorithm, token.key.as_deref()), (Algorithm::Es256, Some("one")));
        assert_eq!(
            (token.signed, token.signature),
            (text.rsplit_once('.').unwrap().0.as_bytes(), b"signature".to_vec())
        );
        assert_eq!(token.claims["iss"], "joe");
        assert!(is_meant(text.as_bytes()) && !is_meant(b"oa_12345678_secret") && !is_meant(b"a.b.c"));
    }

    #[test]
    fn algorithms_that_prove_nothing_are_refused() {
        for name in ["none", "None", "NONE", "HS256", "HS512", "RS512", "ES256K", "es256", "RS256 ", "dir", ""] {
            assert_eq!(fault(&text(&format!(r#"{{"alg":"{name}"}}"#), "{}")), Fault::Algorithm, "{name}");
        }
        for header in ["{}", r#"{"alg":null}"#, r#"{"alg":["RS256"]}"#, r#"{"alg":{"RS256":1}}"#] {
            assert_eq!(fault(&text(header, "{}")), Fault::Algorithm, "{header}");
        }
        // Two of a name: the last one counts (RFC 7515, 4), and both are none.
        assert_eq!(fault(&text(r#"{"alg":"RS256","alg":"none"}"#, "{}")), Fault::Algorithm);
    }

    #[test]
    fn headers_that_would_change_the_rules_are_refused() {
        for more in [
            r#""crit":["exp"]"#,
            r#""crit":[]"#,
            r#""b64":false"#,
            r#""zip":"DEF""#,
            r#""enc":"A256GCM""#,
            r#""jku":"https://evil.example/keys""#,
            r#""x5u":"https://evil.example/chain""#,
            r#""jwk":{"kty":"oct"}"#,
            r#""typ":"logout+jwt""#,
            r#""typ":"dpop+jwt""#,
            r#""typ":7"#,
            r#""kid":7"#,
            r#""kid":null"#,
        ] {
            assert_eq!(fault(&text(&format!(r#"{{"alg":"ES256",{more}}}"#), "{}")), Fault::Header, "{more}");
        }
        for fine in [r#""typ":"JWT""#, r#""typ":"application/at+jwt""#, r#""x5t":"abc""#, r#""cty":"json""#] {
            assert!(Token::parse(text(&format!(r#"{{"alg":"ES256",{fine}}}"#), "{}").as_bytes()).is_ok(), "{fine}");
        }
    }

    #[test]
    fn what_is_not_three_parts_is_malformed() {
        let good = text(r#"{"alg":"ES256"}"#, "{}");
        let parts: Vec<_> = good.split('.').collect();
        for bad in [
            String::new(),
            "..".to_owned(),
            parts[..2].join("."),
            format!("{good}.{}", parts[0]),
            format!("{good}="),
            format!("{good} "),
            format!("{good}\n"),
            good.replacen('.', "", 1),
            good.replace('.', "+."),
            format!("{}A.{}.{}", parts[0], parts[1], parts[2]),
            text("[]", "{}"),
            text("7", "{}"),
            text(r#"{"alg":"ES256"}"#, "[]"),
            text(r#"{"alg":"ES256"}"#, "not json"),
            text(r#"{"alg":"ES256"}{}"#, "{}"),
            text(r#"{"alg":"ES256"}"#, &"[".repeat(5000)),
        ] {
            assert_eq!(fault(&bad), Fault::Malformed, "{bad:?}");
        }
        let long = text(r#"{"alg":"ES256"}"#, &format!(r#"{{"a":"{}"}}"#, "a".repeat(100 << 10)));
        assert_eq!(fault(&long), Fault::TooLong);
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let good = text(r#"{"alg":"ES256","kid":"one"}"#, r#"{"iss":"joe"}"#).into_bytes();
        for at in 0..good.len() {
            for byte in [0, b'.', b'=', b'A', b'{', 0xff] {
                let mut other = good.clone();
                other[at] = byte;
                let _ = Token::parse(&other);
            }
            let _ = Token::parse(&good[..at]);
        }
    }
}
