//! Every credential that is accepted, as one table. A kind of credential is one file behind [`Credential`]; a table is never changed
//! but replaced, so that a request is judged by one of them, whole.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::HeaderMap;

use super::Shown;
use crate::identity::{Grant, Identity, Role};

/// One kind of credential.
pub trait Credential: Send + Sync + 'static {
    /// How clients are told to show one, as in `WWW-Authenticate`; None for what no header shows.
    fn challenge(&self) -> Option<&'static str>;

    /// What `shown` allows; None if it is not of this kind, or nothing that is known here.
    fn check<'a>(&'a self, shown: &'a Shown<'a>) -> Checking<'a>;
}

/// A credential that is being checked.
pub type Checking<'a> = Pin<Box<dyn Future<Output = Result<Option<Arc<Grant>>, Denied>> + Send + 'a>>;

/// Why somebody does not come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// No credentials were shown, or none that count: one text for all, which tells a guesser nothing.
    Unauthenticated,
    /// Two credentials in one request: nobody can say which is meant.
    Ambiguous,
    /// The credentials are good, and not for this; the text says what would be needed.
    Forbidden(String),
}

/// What a route asks of whoever calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: it tells nothing, or judges by itself.
    Nothing,
    /// A credential with this role.
    Role(Role),
}

/// Every credential that is accepted.
#[derive(Default)]
pub struct Access {
    kinds: Vec<Box<dyn Credential>>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("kinds", &self.kinds.len()).finish()
    }
}

impl Access {
    /// Without credentials: whoever reaches a door comes in.
    pub fn open() -> Self {
        Self::default()
    }

    /// One that asks for a credential of one of these kinds.
    pub fn new(kinds: Vec<Box<dyn Credential>>) -> Self {
        Self { kinds }
    }

    /// Whether nothing is asked for.
    pub fn is_open(&self) -> bool {
        self.kinds.is_empty()
    }

    /// How clients may show credentials, as in `WWW-Authenticate`.
    pub fn challenges(&self) -> impl Iterator<Item = &'static str> {
        self.kinds.iter().filter_map(|kind| kind.challenge())
    }

    /// Who sends a request with these headers over the connection of `connection`. Who shows nothing is nobody.
    ///
    /// # Errors
    /// What was shown does not count here.
    pub async fn identify(&self, headers: &HeaderMap, connection: &Identity) -> Result<Identity, Denied> {
        if self.is_open() {
            return Ok(connection.clone());
        }
        let shown = Shown::new(headers, connection)?;
        for kind in &self.kinds {
            if let Some(grant) = kind.check(&shown).await? {
                return Ok(connection.clone().with_grant(Some(grant)));
            }
        }
        // A certificate that no rule names is a way to connect, and nobody's name.
        if shown.is_in_headers() { Err(Denied::Unauthenticated) } else { Ok(connection.clone().with_grant(None)) }
    }
}

impl Need {
    /// Whether `identity` may do what a route with this need offers.
    ///
    /// # Errors
    /// Credentials are asked for, and these are not enough.
    pub fn met_by(self, identity: &Identity) -> Result<(), Denied> {
        match (self, identity.grant()) {
            (Need::Nothing, _) => Ok(()),
            _ if !identity.is_guarded() => Ok(()),
            (Need::Role(_), None) => Err(Denied::Unauthenticated),
            (Need::Role(role), Some(grant)) if !grant.roles.has(role) => Err(Denied::Forbidden(format!(
                "this needs the role {role}, and the key {} has {}",
                grant.id, grant.roles
            ))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::{Duration, SystemTime};

    use http::HeaderValue;
    use http::header::{AUTHORIZATION, HeaderName};
    use otlp_arrow_base::clock::ManualClock;

    use super::super::crypto::sha256;
    use super::super::{Keys, NamedKey, TOKEN_HEADER};
    use super::*;
    use crate::identity::Peer;

    fn key(text: &str, id: &str, role: Role, expires: Option<SystemTime>) -> NamedKey {
        let grant = Arc::new(Grant { id: id.to_owned(), roles: [role].into_iter().collect() });
        NamedKey { digest: sha256(text.as_bytes()), grant, not_before: None, expires }
    }

    async fn who(access: &Access, shown: &[(HeaderName, &str)]) -> Result<Option<String>, Denied> {
        let mut headers = HeaderMap::new();
        for (name, value) in shown {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        let identity = access.identify(&headers, &Identity::anonymous(Peer::Unnamed)).await?;
        assert!(identity.is_guarded());
        Ok(identity.grant().map(|grant| grant.id.clone()))
    }

    #[tokio::test]
    async fn a_key_is_found_wherever_it_may_stand_and_nothing_else_is() {
        let clock = ManualClock::new();
        let hour = clock.clock().wall() + Duration::from_secs(3600);
        let keys = vec![key("one", "shop", Role::Ingest, Some(hour)), key("two", "ops", Role::Query, None)];
        let access = Access::new(vec![Box::new(Keys::new(keys, clock.clock()))]);
        for (name, value, id) in [
            (AUTHORIZATION, "Bearer one", "shop"),
            (AUTHORIZATION, "bearer  two", "ops"),
            (TOKEN_HEADER, "one", "shop"),
        ] {
            assert_eq!(who(&access, &[(name, value)]).await, Ok(Some(id.to_owned())), "{value}");
        }
        assert_eq!(who(&access, &[]).await, Ok(None));
        for (name, value) in [
            (AUTHORIZATION, "Bearer three"),
            (AUTHORIZATION, "Bearer"),
            (AUTHORIZATION, "Bearerone"),
            (AUTHORIZATION, "one"),
            (AUTHORIZATION, "Basic b25l"),
            (TOKEN_HEADER, ""),
            (TOKEN_HEADER, "Bearer one"),
        ] {
            assert_eq!(who(&access, &[(name, value)]).await, Err(Denied::Unauthenticated), "{value}");
        }
        for twice in [
            [(AUTHORIZATION, "Bearer one"), (TOKEN_HEADER, "one")],
            [(AUTHORIZATION, "Bearer one"), (AUTHORIZATION, "Bearer one")],
        ] {
            assert_eq!(who(&access, &twice).await, Err(Denied::Ambiguous));
        }
        clock.advance(Duration::from_secs(3600));
        assert_eq!(who(&access, &[(TOKEN_HEADER, "one")]).await, Err(Denied::Unauthenticated), "expired");
    }

    #[tokio::test]
    async fn a_route_gets_those_who_have_its_role() {
        let anonymous = Identity::anonymous(Peer::Unnamed);
        let open = Access::open().identify(&HeaderMap::new(), &anonymous).await.unwrap();
        assert_eq!(Need::Role(Role::Admin).met_by(&open), Ok(()), "nothing is asked for");
        let grant = |role| Some(Arc::new(Grant { id: "shop".to_owned(), roles: [role].into_iter().collect() }));
        let shop = anonymous.clone().with_grant(grant(Role::Ingest));
        assert_eq!(Need::Role(Role::Ingest).met_by(&shop), Ok(()));
        let needs = "this needs the role query, and the key shop has ingest".to_owned();
        assert_eq!(Need::Role(Role::Query).met_by(&shop), Err(Denied::Forbidden(needs)));
        let nobody = anonymous.with_grant(None);
        assert_eq!(Need::Role(Role::Ingest).met_by(&nobody), Err(Denied::Unauthenticated));
        assert_eq!(Need::Nothing.met_by(&nobody), Ok(()));
        assert!(!nobody.may(Role::Query) && shop.may(Role::Ingest) && open.may(Role::Admin));
    }
}
