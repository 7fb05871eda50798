//! Who sends a request, as far as it is known, and what they may do here.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Peer {
    /// A socket of the network.
    Address(SocketAddr),
    /// A stream without an address, such as a pipe within this program.
    Unnamed,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Address(address) => address.fmt(f),
            Peer::Unnamed => f.write_str("a peer without an address"),
        }
    }
}

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Hand over telemetry: the exports of OTLP, OTAP, `DoPut` of Flight.
    Ingest,
    /// Ask what is kept, and how the recorder is.
    Query,
    /// Change what the recorder does: flush it, pause and resume its destinations.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 3] = [Role::Ingest, Role::Query, Role::Admin];

    /// Its word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Ingest => "ingest",
            Role::Query => "query",
            Role::Admin => "admin",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Several roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles(u8);

impl Roles {
    /// Whether `role` is among them.
    pub fn has(self, role: Role) -> bool {
        self.0 & role.bit() != 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.has(*role))
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<T: IntoIterator<Item = Role>>(roles: T) -> Self {
        Self(roles.into_iter().fold(0, |bits, role| bits | role.bit()))
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Role::as_str).collect();
        f.write_str(&names.join(", "))
    }
}

/// What a credential allows its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The name of the credential: what is shown of it, and all that is.
    pub id: String,
    /// What its owner may do.
    pub roles: Roles,
}

/// What a client's certificate says of it, once it was verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Its URI names, such as `spiffe://trust.domain/path`.
    pub uris: Vec<String>,
    /// Its DNS names, without wildcards: those name nobody.
    pub dns: Vec<String>,
}

/// Who sends a request: handed to every service beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    peer: Peer,
    certificate: Option<Arc<ClientCertificate>>,
    /// Whether credentials are asked for at all.
    guarded: bool,
    grant: Option<Arc<Grant>>,
}

impl Identity {
    /// Somebody who showed no credentials.
    pub fn anonymous(peer: Peer) -> Self {
        Self { peer, certificate: None, guarded: false, grant: None }
    }

    /// The same, who showed this certificate.
    pub fn with_certificate(self, certificate: Arc<ClientCertificate>) -> Self {
        Self { certificate: Some(certificate), ..self }
    }

    /// The same where credentials are asked for, with what those that were shown allow.
    pub fn with_grant(self, grant: Option<Arc<Grant>>) -> Self {
        Self { guarded: true, grant, ..self }
    }

    /// Where the request comes from.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// The certificate that was shown in the handshake of the connection.
    pub fn certificate(&self) -> Option<&Arc<ClientCertificate>> {
        self.certificate.as_ref()
    }

    /// Whether credentials are asked for here: without, whoever reaches a door may do what it offers.
    pub fn is_guarded(&self) -> bool {
        self.guarded
    }

    /// What the credentials allow; None where none were shown, or none are asked for.
    pub fn grant(&self) -> Option<&Arc<Grant>> {
        self.grant.as_ref()
    }

    /// Whether the owner may act so.
    pub fn may(&self, role: Role) -> bool {
        !self.guarded || self.grant.as_ref().is_some_and(|grant| grant.roles.has(role))
    }
}

/// For log lines: where from, and the name of the credential.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.peer.fmt(f)?;
        match &self.grant {
            Some(grant) => write!(f, " (key {})", grant.id),
            None => Ok(()),
        }
    }
}
