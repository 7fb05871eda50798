//! Refuses, at the start, a destination that is this program itself by an address or a name of this machine: what resolves
//! later, and rings of several recorders, are noticed by the way that records came.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::mpsc;
use std::time::Duration;

use otlp_arrow_base::clock::Clock;

use crate::config::own_address::{host_and_port, reaches, spelled};
use crate::config::{Config, DestinationConfig};
use crate::destinations::Target;
use crate::error::{Code, OtlpError, Result};

/// So long names may take to be resolved, all of them together: a start does not wait for a network that is away.
const RESOLVE: Duration = Duration::from_secs(2);

/// INVALID_CONFIG if a destination is one of the addresses that are listened on.
pub(crate) fn check(config: &Config) -> Result<()> {
    let listeners = [("listen.grpc", config.listen.grpc), ("listen.http", config.listen.http)];
    let listeners: Vec<(&str, SocketAddr)> = listeners.into_iter().filter_map(|(key, at)| Some((key, at?))).collect();
    let asked = config.forward.iter().flat_map(|destination| {
        let ours = |port| listeners.iter().any(|(_, listener)| listener.port() == port);
        let target = destination.protocol.spec().target;
        let urls = destination.signal_endpoints.values().flatten().chain([&destination.endpoint]);
        let wanted = urls.filter(move |_| matches!(target, Target::Url { .. })).filter(|url| direct(destination, url));
        let found = wanted.filter_map(move |url| host_and_port(url, target)).filter(move |(_, port)| ours(*port));
        found.map(move |(host, port)| (destination, host, port)).collect::<Vec<_>>()
    });
    let clock = Clock::system();
    let until = clock.now() + RESOLVE;
    for (destination, host, port) in asked {
        let addresses = match spelled(&host) {
            Some(address) => vec![address],
            None => resolved(host.clone(), port, clock.left(until)),
        };
        for address in addresses {
            if let Some((key, _)) = listeners.iter().find(|(_, listener)| reaches(address, port, *listener, is_own)) {
                let message = format!(
                    "forward sends {} to {host}:{port}, which is {address}, this program's own {key}: this would create a forwarding loop",
                    destination.name
                );
                return Err(OtlpError::new(Code::InvalidConfig, message));
            }
        }
    }
    Ok(())
}

/// Whether no proxy stands before it: there its name means what the proxy knows.
fn direct(destination: &DestinationConfig, url: &str) -> bool {
    url.parse().is_ok_and(|url| destination.proxy.before(&url).is_none())
}

/// What a name means now; nothing where that takes too long.
fn resolved(host: String, port: u16, patience: Duration) -> Vec<IpAddr> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let resolve = move || {
        let found = (host.as_str(), port).to_socket_addrs().map(|all| all.map(|one| one.ip()).collect());
        let _ = sender.send(found.unwrap_or_default());
    };
    match std::thread::Builder::new().name("otlp-resolve".into()).spawn(resolve) {
        Ok(_) => receiver.recv_timeout(patience).unwrap_or_default(),
        Err(_) => Vec::new(),
    }
}

/// Whether an address is one of this machine's: then a socket can have it.
fn is_own(address: IpAddr) -> bool {
    let can_have = |address: IpAddr| UdpSocket::bind((address, 0)).is_ok();
    // Addresses of examples, which no machine has: where they can be had, any can be (`net.ipv4.ip_nonlocal_bind`).
    let nobodys: IpAddr = match address {
        IpAddr::V4(_) => [203, 0, 113, 254].into(),
        IpAddr::V6(_) => [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into(),
    };
    can_have(address) && !can_have(nobodys)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::config::Listen;

    /// An address of this machine that others may know, if it has one: no packet is sent.
    fn outward() -> Option<IpAddr> {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.connect("192.0.2.1:9").ok()?;
        Some(socket.local_addr().unwrap().ip()).filter(|address| !address.is_unspecified())
    }

    fn refused(listen: &str, endpoint: &str) -> Option<String> {
        let listen = Listen { grpc: Some(listen.parse().unwrap()), http: None };
        let forward = vec![DestinationConfig::new("self", endpoint)];
        let config = Config { listen, forward, insecure: true, ..Config::default() };
        check(&config).err().map(|error| error.message().to_owned())
    }

    #[test]
    fn names_and_addresses_of_this_machine_are_refused() {
        let mut own = vec![
            "http://127.0.0.1:15317".to_owned(),
            "http://localhost:15317".into(),
            "http://0x7f000001:15317".into(),
        ];
        own.extend(outward().map(|address| format!("http://{address}:15317")));
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let resolves = !name.is_empty() && !resolved(name.trim().to_owned(), 15317, RESOLVE).is_empty();
        own.extend(resolves.then(|| format!("http://{}:15317", name.trim())));
        for endpoint in &own {
            let told = refused("0.0.0.0:15317", endpoint).unwrap_or_else(|| panic!("{endpoint} is taken"));
            assert!(told.contains("forwarding loop") && told.contains("listen.grpc"), "{told}");
        }
        for endpoint in ["http://192.0.2.7:15317", "http://127.0.0.1:15318", "http://does-not-exist.invalid:15317"] {
            assert_eq!(refused("0.0.0.0:15317", endpoint), None, "{endpoint}");
        }
    }
}
