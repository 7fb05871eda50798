//! Who is answered: this machine, by its own names, and no page of another origin. What is kept is as secret as the program that
//! sent it, and there are no credentials yet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::header::{self, HeaderName};
use http::request::Parts;
use otlp_arrow_base::error::{Code, OtlpError, Result};

use crate::identity::{Identity, Peer};

/// Where a browser says what made it send a request; one that came of another site is none of ours.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Where a proxy says whom it asks for.
const FORWARDED: [HeaderName; 3] =
    [header::FORWARDED, HeaderName::from_static("x-forwarded-for"), HeaderName::from_static("x-real-ip")];

/// FORBIDDEN for everybody but programs of this machine that ask it by one of its own names. What tells nothing of what is kept may
/// be shown to all of them; a link of another page may lead there.
pub fn visit(head: &Parts, identity: &Identity) -> Result<()> {
    let Peer::Address(peer) = identity.peer() else {
        return forbidden("only peers of this machine are answered, and this one has no address".to_owned());
    };
    if !peer.ip().to_canonical().is_loopback() {
        return forbidden(format!("{} is not this machine: only peers of it are answered", peer.ip()));
    }
    for name in FORWARDED {
        for value in head.headers.get_all(&name) {
            let value = value.to_str().unwrap_or("?");
            if !value.split(',').all(is_forwarded_for_loopback) {
                return forbidden(format!(
                    "{name}: {value}: only peers of this machine are answered, through no proxy"
                ));
            }
        }
    }
    let host = host(head);
    if !host.is_some_and(|host| is_own_name(host_of(host))) {
        let given = host.unwrap_or("none");
        let text = format!("Host {given:?} is not a name of this machine: ask localhost, 127.0.0.1 or [::1]");
        return forbidden(text);
    }
    Ok(())
}

/// As [`visit`], and FORBIDDEN for pages that are not of this address.
pub fn admit(head: &Parts, identity: &Identity) -> Result<()> {
    visit(head, identity)?;
    if let Some(site) = head.headers.get(FETCH_SITE)
        && !matches!(site.as_bytes(), b"same-origin" | b"none")
    {
        return forbidden("a page of another site asks: only pages of this address are answered".to_owned());
    }
    for origin in head.headers.get_all(header::ORIGIN) {
        let origin = origin.to_str().unwrap_or("?");
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        // The name was checked above, so it is enough that it is the same one, with its port.
        if authority.is_none() || authority != host(head) {
            return forbidden(format!("Origin {origin:?} is not this address: only pages of it are answered"));
        }
    }
    Ok(())
}

fn forbidden(message: String) -> Result<()> {
    Err(OtlpError::new(Code::Forbidden, message))
}

/// Whom the client asks, with the port; nothing where it does not say so once and clearly.
fn host(head: &Parts) -> Option<&str> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let named = hosts.next().map(|host| host.to_str().unwrap_or("?"));
    if hosts.next().is_some() {
        return None;
    }
    match (head.uri.authority().map(|authority| authority.as_str()), named) {
        // Two names that differ are a trick.
        (Some(authority), Some(named)) if authority != named => None,
        (authority, named) => authority.or(named),
    }
}

/// A host without its port.
fn host_of(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split_once(']').map_or("", |(address, rest)| match rest.strip_prefix(':') {
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => address,
            None if rest.is_empty() => address,
            _ => "",
        });
    }
    match host.split_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) => "",
        None => host,
    }
}

/// Whether it names this machine to itself. A name that others can give to an address of ours is not one.
fn is_own_name(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost")
        || name.eq_ignore_ascii_case("localhost.")
        || name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || name.parse::<Ipv6Addr>().is_ok_and(|address| IpAddr::V6(address).to_canonical().is_loopback())
}

/// Whether what a proxy says of one client is that it is on this machine: `127.0.0.1`, `for="[::1]:4711";proto=http`.
fn is_forwarded_for_loopback(hop: &str) -> bool {
    let of = |part: &str| {
        let part = part.trim();
        match part.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("for") => Some(value.trim_matches('"').to_owned()),
            Some(_) => None,
            None => Some(part.to_owned()),
        }
    };
    hop.split(';').filter_map(of).all(|client| {
        let address = client.parse::<IpAddr>().or_else(|_| host_of(&client).parse());
        address.is_ok_and(|address| address.to_canonical().is_loopback())
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn admitted(peer: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = http::Request::get("/api/v1/services");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let found = admit(&head, &Identity::anonymous(Peer::Address(peer.parse().unwrap())));
        found.is_ok_and(|()| true)
    }

    #[test]
    fn this_machine_is_answered_by_its_own_names() {
        for host in [
            "localhost",
            "localhost:4318",
            "LOCALHOST:1",
            "127.0.0.1:4318",
            "127.8.9.1",
            "[::1]:4318",
            "[::1]",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(admitted("127.0.0.1:5000", &[("host", host)]), "{host}");
        }
        for peer in ["[::1]:5000", "[::ffff:127.0.0.1]:5000", "127.4.4.4:1"] {
            assert!(admitted(peer, &[("host", "localhost")]), "{peer}");
        }
        for peer in ["10.0.0.1:5000", "192.168.1.7:1", "[fe80::1]:1", "[2001:db8::1]:5000", "0.0.0.0:1"] {
            assert!(!admitted(peer, &[("host", "localhost")]), "{peer}");
        }
    }

    #[test]
    fn a_name_that_somebody_points_here_is_not_answered() {
        for host in [
            "evil.example",
            "evil.example:4318",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.1.nip.io",
            "10.0.0.1",
            "0.0.0.0:4318",
            "[::]",
            "[::2]:1",
            "[::1]evil",
            "localhost:4318:80",
            "localhost:x",
            "",
            "[::1",
            "127.1",
            "2130706433",
            "localhost@evil.example",
        ] {
            assert!(!admitted("127.0.0.1:5000", &[("host", host)]), "{host}");
        }
        assert!(!admitted("127.0.0.1:5000", &[]), "no name at all");
        assert!(!admitted("127.0.0.1:5000", &[("host", "localhost"), ("host", "evil.example")]));
    }

    #[test]
    fn pages_of_other_origins_are_not_answered() {
        let from = |name: &str, value: &str| admitted("127.0.0.1:5000", &[("host", "localhost:4318"), (name, value)]);
        assert!(
            from("origin", "http://localhost:4318")
                && from("sec-fetch-site", "same-origin")
                && from("sec-fetch-site", "none")
        );
        for origin in [
            "http://evil.example",
            "http://localhost:3000",
            "http://localhost",
            "null",
            "http://127.0.0.1:4318",
            "file://",
            "",
        ] {
            assert!(!from("origin", origin), "{origin}");
        }
        for site in ["cross-site", "same-site", "whatever"] {
            assert!(!from("sec-fetch-site", site), "{site}");
        }
    }

    #[test]
    fn what_comes_through_a_proxy_for_others_is_not_answered() {
        let from = |name: &str, value: &str| admitted("127.0.0.1:5000", &[("host", "localhost:4318"), (name, value)]);
        for (name, value) in [
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-for", "::1, 127.0.0.1"),
            ("x-real-ip", "127.0.0.1"),
            ("forwarded", "for=\"[::1]:4711\";proto=http"),
            ("forwarded", "proto=http"),
        ] {
            assert!(from(name, value), "{name}: {value}");
        }
        for (name, value) in [
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-for", "127.0.0.1, 203.0.113.9"),
            ("x-forwarded-for", "unknown"),
            ("x-real-ip", "10.0.0.3"),
            ("forwarded", "for=203.0.113.9;host=localhost"),
            ("forwarded", "for=_hidden"),
            ("forwarded", "For=\"[2001:db8::7]\""),
        ] {
            assert!(!from(name, value), "{name}: {value}");
        }
    }
}
