//! Listening sockets: bound once, accepted from until the doors close.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

use super::Addresses;
use super::connection::Connections;
use super::router::Shared;
use crate::config::Config;
use crate::error::{Code, OtlpError, Result};
#[cfg(unix)]
use crate::store::sys;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;
/// The pause after an error of the system's, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Binds what is configured. One listener serves both keys if they name the same address.
pub(super) fn bind_all(config: &Config) -> Result<(Addresses, Vec<Listener>)> {
    let mut addresses = Addresses::default();
    let mut listeners = Vec::with_capacity(2);
    if let Some(address) = config.listen.grpc {
        let listener = bind("listen.grpc", address, config.insecure)?;
        addresses.grpc = listener.socket.local_addr().ok();
        listeners.push(listener);
    }
    if let Some(address) = config.listen.http {
        if address.port() != 0 && config.listen.grpc == Some(address) {
            addresses.http = addresses.grpc;
        } else {
            let listener = bind("listen.http", address, config.insecure)?;
            addresses.http = listener.socket.local_addr().ok();
            listeners.push(listener);
        }
    }
    Ok((addresses, listeners))
}

fn bind(key: &str, address: SocketAddr, insecure: bool) -> Result<Listener> {
    if !address.ip().to_canonical().is_loopback() && !insecure {
        let message = format!(
            "{key}: {address} can be reached by others, and there are no credentials: use 127.0.0.1, or set insecure: true (--insecure)"
        );
        return Err(OtlpError::new(Code::InvalidConfig, message));
    }
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

/// Accepts until the doors close.
pub(super) async fn serve(
    listener: Listener,
    shared: Arc<Shared>,
    connections: Arc<Connections>,
    mut stopped: watch::Receiver<bool>,
) {
    // Counts as a connection, so that the doors are closed only once the port is free again.
    let _open = connections.listener();
    // Dropped before the line above is.
    let listener = listener;
    loop {
        let accept = async {
            let slot = connections.slot().await;
            (slot, listener.socket.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => return,
            accepted = accept => accepted,
        };
        match accepted {
            Ok((stream, _)) => connections.serve(slot, stream, Arc::clone(&shared)),
            // The client was gone before it was accepted: the next one is not.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// A socket that is listened on.
pub(super) struct Listener {
    /// Taken back before the socket is closed.
    _inherited: Inherited,
    socket: TcpListener,
}

/// Has a forked child close its copy of the listener: else the port would stay taken, and unanswered, after the parent.
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
