//! Whether a destination is this program itself, as far as its URL tells. Pure.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::Uri;

use crate::destinations::Target;

/// Host and port of the URL of a destination.
pub(crate) fn host_and_port(url: &str, target: Target) -> Option<(String, u16)> {
    // A scheme may be left out over gRPC.
    let whole = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let uri: Uri = whole.parse().ok()?;
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    Some((host.to_ascii_lowercase(), uri.port_u16().unwrap_or_else(|| target.port(uri.scheme()))))
}

/// The address that a host is in any spelling: `127.1`, `0x7f000001`, `2130706433`, `::ffff:127.0.0.1` and `localhost` are all
/// this machine. `None` for a name.
pub(crate) fn spelled(host: &str) -> Option<IpAddr> {
    if host == "localhost" || host.ends_with(".localhost") || host == "ip6-localhost" || host == "localhost.localdomain"
    {
        return Some(Ipv4Addr::LOCALHOST.into());
    }
    let plain = host.split('%').next().unwrap_or(host);
    plain.parse::<IpAddr>().ok().map(|address| address.to_canonical()).or_else(|| numbers(host))
}

/// As `inet_aton` reads it: one to four numbers, decimal, octal or hexadecimal, the last of which fills what is left.
fn numbers(host: &str) -> Option<IpAddr> {
    let number = |text: &str| match (text.strip_prefix("0x"), text.strip_prefix('0')) {
        (Some(""), _) => None,
        (Some(digits), _) => u32::from_str_radix(digits, 16).ok(),
        (None, Some(digits)) if !digits.is_empty() => u32::from_str_radix(digits, 8).ok(),
        _ if text.starts_with(|c: char| c.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    let parts: Vec<u32> = host.split('.').map(number).collect::<Option<_>>()?;
    let (last, first) = parts.split_last().filter(|(_, first)| first.len() < 4)?;
    let free = 32 - 8 * first.len() as u32;
    let fits = u64::from(*last) < 1 << free && first.iter().all(|part| *part < 256);
    let above = first.iter().enumerate().fold(0, |sum, (at, part)| sum | part.wrapping_shl(24 - 8 * at as u32));
    fits.then(|| Ipv4Addr::from(above | last).into())
}

/// Whether who connects to `address` and `port` reaches `listener`; `own` says which addresses are of this machine.
pub(crate) fn reaches(address: IpAddr, port: u16, listener: SocketAddr, own: impl FnOnce(IpAddr) -> bool) -> bool {
    let (address, at) = (address.to_canonical(), listener.ip().to_canonical());
    let here = address.is_loopback() || address.is_unspecified();
    // Port 0 is any that is free, which nobody can have meant.
    port == listener.port()
        && port != 0
        && (address == at || here && at.is_loopback() || at.is_unspecified() && (here || own(address)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_in_every_spelling() {
        for host in [
            "127.0.0.1",
            "127.1",
            "127.0.1",
            "0x7f000001",
            "0x7F.1",
            "2130706433",
            "0177.0.0.1",
            "017700000001",
            "localhost",
            "a.localhost",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:7f00:1",
            "127.5.6.7",
        ] {
            let host = host.to_ascii_lowercase();
            assert!(spelled(&host).is_some_and(|address| address.is_loopback()), "{host}");
        }
        for host in ["0.0.0.0", "0", "::", "0x0"] {
            assert!(spelled(host).is_some_and(|address| address.is_unspecified()), "{host}");
        }
        for name in [
            "collector",
            "127.0.0.1.example.com",
            "1.2.3.4.5",
            "127.0.0.256",
            "0x",
            "4294967296",
            "1.",
            "deadbeef",
            "x0x1",
        ] {
            assert_eq!(spelled(name), None, "{name}");
        }
        assert_eq!(spelled("10.1"), Some("10.0.0.1".parse().unwrap()));
        let target = Target::Url { port: None, example: "" };
        assert_eq!(host_and_port("https://LOCALHOST./x", target), Some(("localhost".into(), 443)));
        assert_eq!(host_and_port("[::1]:4317", target), Some(("::1".into(), 4317)));
    }

    #[test]
    fn a_listener_is_reached_by_what_it_listens_to() {
        let own = |address: IpAddr| address == "192.168.1.5".parse::<IpAddr>().unwrap();
        let check =
            |address: &str, listener: &str| reaches(address.parse().unwrap(), 4317, listener.parse().unwrap(), own);
        for (address, listener, loops) in [
            ("127.0.0.1", "127.0.0.1:4317", true),
            ("::1", "127.0.0.1:4317", true),
            ("0.0.0.0", "127.0.0.1:4317", true),
            ("127.0.0.1", "127.0.0.1:4318", false),
            ("127.0.0.1", "0.0.0.0:4317", true),
            ("192.168.1.5", "0.0.0.0:4317", true),
            ("::ffff:192.168.1.5", "[::]:4317", true),
            ("192.168.1.6", "0.0.0.0:4317", false),
            ("192.168.1.5", "192.168.1.5:4317", true),
            ("192.168.1.5", "127.0.0.1:4317", false),
            ("127.0.0.1", "192.168.1.5:4317", false),
        ] {
            assert_eq!(check(address, listener), loops, "{address} at {listener}");
        }
    }
}
