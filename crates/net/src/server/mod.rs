//! A server: connections, bodies and their limits, and a table of services behind one router.
//!
//! A connection may speak HTTP/1.1 or HTTP/2; a request is gRPC by its content type and plain HTTP otherwise. Each path
//! leads to one [`Service`], which gets the request as it arrives and the [`Identity`](crate::identity::Identity) of its
//! sender. Bodies are reserved from a memory budget before they are kept, and handed on as the bytes they are.

pub mod answer;
mod apart;
mod body;
mod connection;
mod frames;
mod gather;
pub mod guard;
mod idle;
mod limits;
mod listen;
mod messages;
mod refusal;
mod router;
mod sending;
mod service;
mod tower;

pub use answer::Answer;
pub use apart::{WORTH_A_THREAD, apart};
pub use body::{RequestBody, unpacked};
pub use connection::{Connection, Place, Server};
pub use limits::Limits;
pub use listen::{Listener, accept};
pub use messages::{Message, Messages};
pub use refusal::Refusal;
pub use router::Router;
pub use service::{Answering, Request, Route, Service};
pub use tower::Tower;
