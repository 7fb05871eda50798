//! Public keys as JSON (RFC 7517, 7518, 8037): those that check signatures, and which algorithm each is for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde_json::{Map, Value};

/// More than any issuer has: each that a token may name costs a look.
const MOST_KEYS: usize = 64;

/// How a token is signed. What is not here is refused: `none`, and HMAC, for which a public key would be the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Ps256,
    Es256,
    EdDsa,
}

impl Algorithm {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "PS256" => Self::Ps256,
            "ES256" => Self::Es256,
            "EdDSA" => Self::EdDsa,
            _ => return None,
        })
    }
}

/// The public keys of an issuer.
#[derive(Debug)]
pub(super) struct KeySet(Vec<Key>);

#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    /// The only algorithm it is for, where its issuer says so.
    only: Option<Algorithm>,
    public: Public,
}

#[derive(Debug)]
enum Public {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    P256([u8; 65]),
    Ed25519([u8; 32]),
}

impl KeySet {
    /// Keys of kinds that are not known here are left out, as are those for other purposes (RFC 7517, 5).
    ///
    /// # Errors
    /// It is not a set of keys, or has none that checks signatures.
    pub(super) fn parse(json: &[u8]) -> Result<Self, String> {
        let set: Value = serde_json::from_slice(json).map_err(|error| format!("it is not JSON: {error}"))?;
        let Some(keys) = set.get("keys").and_then(Value::as_array) else {
            return Err("it is not a JSON Web Key Set: an object with the array \"keys\" is expected".to_owned());
        };
        if keys.len() > MOST_KEYS {
            return Err(format!("it has {} keys, {MOST_KEYS} at most are read", keys.len()));
        }
        let keys: Vec<_> = keys.iter().filter_map(|key| Key::parse(key.as_object()?)).collect();
        if keys.is_empty() {
            return Err("it has no key for RS256, PS256, ES256 or EdDSA".to_owned());
        }
        Ok(Self(keys))
    }

    /// Those that a token with this key ID may be signed with: a key without an ID may be any.
    pub(super) fn named<'a>(&'a self, id: Option<&'a str>) -> impl Iterator<Item = &'a Key> {
        self.0.iter().filter(move |key| id.is_none() || key.id.is_none() || key.id.as_deref() == id)
    }
}

impl Key {
    fn parse(key: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        if key.get("use").is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        if let Some(operations) = key.get("key_ops")
            && !operations.as_array()?.iter().any(|operation| operation == "verify")
        {
            return None;
        }
        let public = match (text("kty")?, text("crv")) {
            ("RSA", _) => {
                let (n, e) = (without_zeros(bytes("n")?), without_zeros(bytes("e")?));
                let bits = n.len() * 8 - n.first()?.leading_zeros() as usize;
                (2048..=8192).contains(&bits).then_some(())?;
                Public::Rsa(RsaPublicKeyComponents { n, e })
            }
            ("EC", Some("P-256")) => {
                let mut point = [4; 65];
                let (x, y) = (<[u8; 32]>::try_from(bytes("x")?).ok()?, <[u8; 32]>::try_from(bytes("y")?).ok()?);
                point[1..33].copy_from_slice(&x);
                point[33..].copy_from_slice(&y);
                Public::P256(point)
            }
            ("OKP", Some("Ed25519")) => Public::Ed25519(bytes("x")?.try_into().ok()?),
            _ => return None,
        };
        let only = match key.get("alg") {
            None => None,
            // A key for something else, such as encryption.
            Some(name) => Some(Algorithm::parse(name.as_str()?)?),
        };
        Some(Self { id: text("kid").map(str::to_owned), only, public })
    }

    /// Whether it is for this algorithm: that is the key's to say, never the token's alone.
    pub(super) fn is_for(&self, algorithm: Algorithm) -> bool {
        let fits = match self.public {
            Public::Rsa(_) => matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256),
            Public::P256(_) => algorithm == Algorithm::Es256,
            Public::Ed25519(_) => algorithm == Algorithm::EdDsa,
        };
        fits && self.only.is_none_or(|only| only == algorithm)
    }

    /// Whether `signature` is one of `message` by this key's owner.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.is_for(algorithm) {
            return false;
        }
        let checked = match &self.public {
            Public::Rsa(key) if algorithm == Algorithm::Ps256 => {
                key.verify(&RSA_PSS_2048_8192_SHA256, message, signature)
            }
            Public::Rsa(key) => key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature),
            Public::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature),
            Public::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
        };
        checked.is_ok()
    }
}

/// Some issuers write numbers with the sign's byte of ASN.1.
fn without_zeros(number: Vec<u8>) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number[zeros..].to_vec()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// RFC 7515, appendix A.2 and A.3, and RFC 8037, appendix A.4: key, what is signed, signature.
    const PUBLISHED: [(Algorithm, &str, &str, &str); 3] = [
        (
            Algorithm::Rs256,
            r#"{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}"#,
            "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        ),
        (
            Algorithm::Es256,
            r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
            "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ),
        (
            Algorithm::EdDsa,
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        ),
    ];

    fn set(keys: &str) -> Result<KeySet, String> {
        KeySet::parse(format!(r#"{{"keys":[{keys}]}}"#).as_bytes())
    }

    fn is_read(key: &str) -> bool {
        set(key).is_ok()
    }

    #[test]
    fn published_signatures_are_good_and_no_bit_of_them_may_change() {
        for (algorithm, key, message, signature) in PUBLISHED {
            let keys = set(key).unwrap();
            let key = keys.named(None).next().unwrap();
            let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
            assert!(key.verifies(algorithm, message.as_bytes(), &signature), "{algorithm:?}");
            for at in [0, signature.len() / 2, signature.len() - 1] {
                let mut other = signature.clone();
                other[at] ^= 1;
                assert!(!key.verifies(algorithm, message.as_bytes(), &other), "{algorithm:?} byte {at}");
            }
            assert!(!key.verifies(algorithm, &message.as_bytes()[1..], &signature), "{algorithm:?}: another text");
            assert!(!key.verifies(algorithm, message.as_bytes(), &[]), "{algorithm:?}: no signature");
            assert!(!key.verifies(algorithm, message.as_bytes(), &vec![0; signature.len()]), "{algorithm:?}: zeros");
            for other in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa] {
                let good = key.verifies(other, message.as_bytes(), &signature);
                assert_eq!(good, other == algorithm, "{algorithm:?} taken for {other:?}");
            }
        }
    }

    #[test]
    fn a_key_is_for_what_its_issuer_says() {
        let [(_, rsa, ..), (_, ec, ..), (_, okp, ..)] = PUBLISHED;
        let with = |key: &str, more: &str| format!("{}, {more}}}", key.strip_suffix('}').unwrap());
        let only = set(&with(rsa, r#""alg": "PS256""#)).unwrap();
        let only = only.named(None).next().unwrap();
        assert!(only.is_for(Algorithm::Ps256) && !only.is_for(Algorithm::Rs256));
        for key in [rsa, ec, okp] {
            assert!(is_read(&with(key, r#""use": "sig", "key_ops": ["verify"]"#)), "{key}");
            for more in [
                r#""use": "enc""#,
                r#""use": 1"#,
                r#""key_ops": ["encrypt"]"#,
                r#""key_ops": "verify""#,
                r#""alg": "HS256""#,
                r#""alg": "none""#,
                r#""alg": null"#,
                r#""alg": "RSA-OAEP""#,
            ] {
                assert!(!is_read(&with(key, more)), "{more}");
            }
        }
        // An algorithm of another kind of key makes it a key for nothing.
        let none = set(&with(ec, r#""alg": "RS256""#)).unwrap();
        assert!(!none.named(None).next().unwrap().is_for(Algorithm::Es256));
    }

    #[test]
    fn what_is_no_key_for_signatures_is_left_out() {
        for key in [
            r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T"}"#,
            r#"{"kty":"RSA","e":"AQAB","n":"AQAB"}"#,
            r#"{"kty":"RSA","e":"AQAB","n":""}"#,
            r#"{"kty":"RSA","e":"AQAB"}"#,
            r#"{"kty":"EC","crv":"P-256","x":"AQAB","y":"AQAB"}"#,
            r#"{"kty":"EC","crv":"P-384","x":"AQAB","y":"AQAB"}"#,
            r#"{"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo="}"#,
            r#"{"crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
            "{}",
            "7",
        ] {
            let error = set(key).unwrap_err();
            assert!(error.contains("no key for RS256"), "{key}: {error}");
            assert!(is_read(&format!("{key}, {}", PUBLISHED[1].1)), "{key}: the one beside it is read");
        }
        for text in ["", "[]", "{}", r#"{"keys": {}}"#, "<html>", r#"{"keys": ["#] {
            assert!(KeySet::parse(text.as_bytes()).is_err(), "{text}");
        }
        let many = vec![PUBLISHED[2].1; MOST_KEYS + 1].join(",");
        assert!(set(&many).unwrap_err().contains("65 keys"));
    }

    #[test]
    fn keys_are_found_by_id() {
        let key = |id: &str| format!(r#"{{"kid": "{id}", {}"#, &PUBLISHED[2].1[1..]);
        let keys = set(&[key("a"), key("b"), key("b")].join(",")).unwrap();
        let found = |id| keys.named(id).count();
        assert_eq!((found(Some("a")), found(Some("b")), found(Some("c")), found(None)), (1, 2, 0, 3));
        assert_eq!(set(PUBLISHED[2].1).unwrap().named(Some("c")).count(), 1, "it has no ID");
    }
}
