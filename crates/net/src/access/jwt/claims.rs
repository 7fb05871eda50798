//! What a token says, once its signature is good: whether it is for us and now, and who its owner is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::fault::Fault;

/// How far the clocks of two machines may be apart, in seconds.
const LEEWAY: f64 = 60.0;
/// The longest name of an owner: it stands in log lines.
const MOST_NAME: usize = 256;

/// What tokens of an issuer must say to be accepted.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The claim `iss`, exactly.
    pub issuer: String,
    /// Must be in the claim `aud`.
    pub audience: String,
    /// The claim with the owner's name; `sub` as a rule.
    pub username_claim: String,
    /// The claim with the owner's roles, such as `roles` or `realm_access.roles`.
    pub roles_claim: Option<String>,
}

/// What a token that is accepted says of its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The name.
    pub name: String,
    /// What the claim of roles has, known here or not; None where no claim is asked for.
    pub roles: Option<Vec<String>>,
    /// It is accepted up to here.
    pub until: SystemTime,
}

impl Expected {
    /// Whether a token claims to be of this issuer.
    pub(super) fn is_issuer(&self, claims: &Map<String, Value>) -> bool {
        claims.get("iss").and_then(Value::as_str) == Some(&self.issuer)
    }

    /// Whether it claims to be for us.
    pub(super) fn is_audience(&self, claims: &Map<String, Value>) -> bool {
        match claims.get("aud") {
            Some(Value::String(one)) => *one == self.audience,
            // One that is not text makes the list something else.
            Some(Value::Array(all)) => all.iter().all(Value::is_string) && all.iter().any(|one| *one == *self.audience),
            _ => false,
        }
    }

    /// What the claims say of the owner at `now`. A claim of the wrong kind is never taken for one that is not there.
    pub(super) fn check(&self, claims: &Map<String, Value>, now: SystemTime) -> Result<Owner, Fault> {
        if !self.is_issuer(claims) {
            return Err(Fault::Claim("iss"));
        }
        if !self.is_audience(claims) {
            return Err(Fault::Audience);
        }
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let end = moment(claims, "exp")?.ok_or(Fault::Claim("exp"))? + LEEWAY;
        if seconds >= end {
            return Err(Fault::Expired);
        }
        if moment(claims, "nbf")?.is_some_and(|begin| seconds < begin - LEEWAY) {
            return Err(Fault::Early);
        }
        moment(claims, "iat")?;
        // A token that never ends is asked for again each day.
        let left = Duration::from_secs_f64((end - seconds).min(86_400.0));
        let until = now.checked_add(left).ok_or(Fault::Claim("exp"))?;
        Ok(Owner { name: self.name(claims)?, roles: self.roles(claims)?, until })
    }

    fn name(&self, claims: &Map<String, Value>) -> Result<String, Fault> {
        let name = within(claims, &self.username_claim).and_then(Value::as_str).unwrap_or_default();
        if name.is_empty() || name.len() > MOST_NAME || name.chars().any(char::is_control) {
            return Err(Fault::Claim("username_claim"));
        }
        Ok(name.to_owned())
    }

    /// A list, or text with spaces between, as in `scope`. Who has none has no roles.
    fn roles(&self, claims: &Map<String, Value>) -> Result<Option<Vec<String>>, Fault> {
        let Some(path) = &self.roles_claim else { return Ok(None) };
        Ok(Some(match within(claims, path) {
            None => Vec::new(),
            Some(Value::String(words)) => words.split_ascii_whitespace().map(str::to_owned).collect(),
            Some(Value::Array(all)) => {
                let all: Option<_> = all.iter().map(|role| role.as_str().map(str::to_owned)).collect();
                all.ok_or(Fault::Claim("roles_claim"))?
            }
            Some(_) => return Err(Fault::Claim("roles_claim")),
        }))
    }
}

/// A claim of this name, or within others where dots say so.
fn within<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let (outer, inner) = path.split_once('.')?;
    within(claims.get(outer)?.as_object()?, inner)
}

/// Seconds since 1970, which may have a fraction (RFC 7519, 2).
fn moment(claims: &Map<String, Value>, name: &'static str) -> Result<Option<f64>, Fault> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_f64().filter(|seconds| seconds.is_finite()).map(Some).ok_or(Fault::Claim(name)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn expected(roles_claim: Option<&str>) -> Expected {
        Expected {
            issuer: "https://id.example".to_owned(),
            audience: "otlp-arrow".to_owned(),
            username_claim: "sub".to_owned(),
            roles_claim: roles_claim.map(str::to_owned),
        }
    }

    /// Good claims, with some of them replaced; null takes one away.
    fn with(more: Value) -> Map<String, Value> {
        let good = json!({"iss": "https://id.example", "aud": "otlp-arrow", "exp": NOW + 300, "sub": "shop"});
        let Value::Object(mut claims) = good else { unreachable!() };
        for (name, value) in more.as_object().unwrap() {
            match value {
                Value::Null => claims.remove(name),
                value => claims.insert(name.clone(), value.clone()),
            };
        }
        claims
    }

    fn check(more: Value) -> Result<Owner, Fault> {
        expected(None).check(&with(more), UNIX_EPOCH + Duration::from_secs(NOW))
    }

    #[test]
    fn good_claims_name_the_owner() {
        let owner = check(json!({})).unwrap();
        assert_eq!((owner.name.as_str(), &owner.roles), ("shop", &None));
        assert_eq!(owner.until, UNIX_EPOCH + Duration::from_secs(NOW + 360));
        for fine in [
            json!({"aud": ["other", "otlp-arrow"]}),
            json!({"exp": NOW as f64 + 0.5}),
            json!({"nbf": NOW + 60, "iat": NOW}),
            json!({"exp": NOW - 59}),
            json!({"exp": 1e300}),
        ] {
            assert!(check(fine.clone()).is_ok(), "{fine}");
        }
        assert_eq!(check(json!({"exp": 1e300})).unwrap().until, UNIX_EPOCH + Duration::from_secs(NOW + 86_400));
    }

    #[test]
    fn each_claim_is_checked() {
        for (more, fault) in [
            (json!({"iss": null}), Fault::Claim("iss")),
            (json!({"iss": "https://id.example/"}), Fault::Claim("iss")),
            (json!({"iss": "https://ID.example"}), Fault::Claim("iss")),
            (json!({"iss": ["https://id.example"]}), Fault::Claim("iss")),
            (json!({"aud": null}), Fault::Audience),
            (json!({"aud": "other"}), Fault::Audience),
            (json!({"aud": "otlp-arrow2"}), Fault::Audience),
            (json!({"aud": []}), Fault::Audience),
            (json!({"aud": ["other"]}), Fault::Audience),
            (json!({"aud": ["otlp-arrow", 7]}), Fault::Audience),
            (json!({"aud": {"otlp-arrow": true}}), Fault::Audience),
            (json!({"exp": null}), Fault::Claim("exp")),
            (json!({"exp": (NOW + 300).to_string()}), Fault::Claim("exp")),
            (json!({"exp": [NOW + 300]}), Fault::Claim("exp")),
            (json!({"exp": true}), Fault::Claim("exp")),
            (json!({"exp": NOW - 60}), Fault::Expired),
            (json!({"exp": NOW - 86_400}), Fault::Expired),
            (json!({"exp": -1}), Fault::Expired),
            (json!({"exp": 0}), Fault::Expired),
            (json!({"nbf": NOW + 61}), Fault::Early),
            (json!({"nbf": (NOW - 300).to_string()}), Fault::Claim("nbf")),
            (json!({"nbf": {}}), Fault::Claim("nbf")),
            (json!({"iat": "today"}), Fault::Claim("iat")),
            (json!({"sub": null}), Fault::Claim("username_claim")),
            (json!({"sub": ""}), Fault::Claim("username_claim")),
            (json!({"sub": 7}), Fault::Claim("username_claim")),
            (json!({"sub": "shop\nadmin"}), Fault::Claim("username_claim")),
            (json!({"sub": "s".repeat(257)}), Fault::Claim("username_claim")),
        ] {
            assert_eq!(check(more.clone()).unwrap_err(), fault, "{more}");
        }
        // JSON has a null of its own, which is not a claim that is missing.
        let mut claims = with(json!({}));
        claims.insert("nbf".to_owned(), Value::Null);
        let checked = expected(None).check(&claims, UNIX_EPOCH + Duration::from_secs(NOW));
        assert_eq!(checked.unwrap_err(), Fault::Claim("nbf"));
    }

    #[test]
    fn roles_are_read_where_they_are_asked_for() {
        let roles = |path: &str, more: Value| {
            expected(Some(path))
                .check(&with(more), UNIX_EPOCH + Duration::from_secs(NOW))
                .map(|owner| owner.roles.unwrap())
        };
        assert_eq!(roles("roles", json!({"roles": ["ingest", "query"]})).unwrap(), ["ingest", "query"]);
        assert_eq!(roles("scope", json!({"scope": "openid ingest"})).unwrap(), ["openid", "ingest"]);
        assert_eq!(roles("realm_access.roles", json!({"realm_access": {"roles": ["admin"]}})).unwrap(), ["admin"]);
        assert_eq!(roles("https://a.example/r", json!({"https://a.example/r": ["admin"]})).unwrap(), ["admin"]);
        assert!(roles("roles", json!({})).unwrap().is_empty());
        assert!(roles("roles.more", json!({"roles": ["admin"]})).unwrap().is_empty());
        for wrong in [json!({"roles": 7}), json!({"roles": {"admin": true}}), json!({"roles": ["admin", 7]})] {
            assert_eq!(roles("roles", wrong.clone()).unwrap_err(), Fault::Claim("roles_claim"), "{wrong}");
        }
        assert_eq!(check(json!({"roles": 7})).unwrap().roles, None, "nobody asks");
    }
}
