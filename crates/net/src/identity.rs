//! Who sends a request, as far as it is known.

use std::fmt;
use std::net::SocketAddr;

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

/// Who sends a request: handed to every service beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    peer: Peer,
}

impl Identity {
    /// Somebody who showed no credentials.
    pub fn anonymous(peer: Peer) -> Self {
        Self { peer }
    }

    /// Where the request comes from.
    pub fn peer(&self) -> Peer {
        self.peer
    }
}
