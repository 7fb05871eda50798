//! Listening sockets: bound once, accepted from until the server stops.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use otlp_arrow_base::error::{Code, OtlpError, Result};
#[cfg(unix)]
use otlp_arrow_store::sys;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::connection::{Connection, Server};
use crate::identity::Peer;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;
/// The pause after an error of the system's, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

impl Listener {
    /// Binds `address`, which `key` of the configuration names. Called within a runtime of Tokio's.
    ///
    /// # Errors
    /// BIND_FAILED if it is taken, not allowed, or not of this machine.
    pub fn bind(key: &str, address: SocketAddr) -> Result<Self> {
        let listen = || -> io::Result<TcpListener> {
            let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            // On Windows this option would let two programs share the port.
            #[cfg(not(windows))]
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)
        };
        let socket = listen().map_err(|error| {
            let remedy = match error.kind() {
                io::ErrorKind::AddrInUse => {
                    "another program listens there: stop it, or choose another port (0 takes any free one)"
                }
                io::ErrorKind::PermissionDenied => "this user may not listen there: choose a port above 1023",
                _ => "choose an address of this machine",
            };
            OtlpError::with_source(Code::BindFailed, format!("{key}: cannot listen on {address}: {remedy}"), error)
        })?;
        Ok(Listener { _inherited: Inherited::new(&socket), socket })
    }

    /// The address that was bound, with the port the system chose.
    pub fn address(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()
    }
}

/// Accepts connections until the server stops.
pub async fn accept(listener: Listener, server: Arc<Server>) {
    // Counts as a connection, so that the server is closed only once the port is free again.
    let _open = server.open();
    // Dropped before the line above is.
    let listener = listener;
    loop {
        let accept = async {
            let place = server.place().await;
            (place, listener.socket.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = server.stopped() => return,
            accepted = accept => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                tokio::spawn(serve(server.connection(place), stream, Peer::Address(peer)));
            }
            // The client was gone before it was accepted: the next one is not.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Serves a connection once its first byte has come: a client that connects and says nothing costs a socket, nothing
/// else, and not for long.
async fn serve(connection: Connection, stream: TcpStream, peer: Peer) {
    let _ = stream.set_nodelay(true);
    let mut byte = [0];
    let arrived = connection.server().in_time(stream.peek(&mut byte)).await;
    if matches!(arrived, Some(Ok(1..))) {
        connection.serve(stream, peer).await;
    }
}

/// A socket that is listened on.
#[derive(Debug)]
pub struct Listener {
    /// Taken back before the socket is closed.
    _inherited: Inherited,
    socket: TcpListener,
}

/// Makes a forked child close its copy of the listener: else the port would stay taken, and unanswered, after the parent.
#[derive(Debug)]
struct Inherited {
    #[cfg(unix)]
    descriptor: i32,
}

impl Inherited {
    #[cfg(unix)]
    fn new(listener: &TcpListener) -> Self {
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(listener);
        sys::close_in_children(descriptor);
        Self { descriptor }
    }

    #[cfg(not(unix))]
    fn new(_: &TcpListener) -> Self {
        Self {}
    }
}

#[cfg(unix)]
impl Drop for Inherited {
    fn drop(&mut self) {
        sys::keep_in_children(self.descriptor);
    }
}
