//! `NO_PROXY`: servers that are reached directly, as Go's programs read it (golang.org/x/net/http/httpproxy). Pure.

use std::net::IpAddr;

/// The servers that no proxy stands before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NoProxy {
    all: bool,
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    /// An address, at this port or any.
    Address(IpAddr, Option<u16>),
    /// Addresses that share so many leading bits.
    Block(IpAddr, u8),
    /// `.example.com`: what ends so, and whether `example.com` itself is meant; at this port or any.
    Name { suffix: String, itself: bool, port: Option<u16> },
}

impl NoProxy {
    /// A list of names, addresses and blocks, with commas or blanks between them. What is none of these is left out.
    pub(super) fn parse(text: &str) -> Self {
        let items = text.split([',', ' ', '\t']).map(|item| item.trim().to_ascii_lowercase());
        let mut found = Self::default();
        for item in items.filter(|item| !item.is_empty()) {
            if item == "*" {
                found.all = true;
            } else {
                found.rules.extend(rule(&item));
            }
        }
        found
    }

    /// Whether this server is reached directly. Whoever speaks to its own machine never means a proxy.
    pub(super) fn has(&self, host: &str, port: u16) -> bool {
        let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
        let address = host.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        if self.all || host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
            return true;
        }
        self.rules.iter().any(|rule| match (rule, address) {
            (Rule::Address(known, at), Some(address)) => *known == address && at.is_none_or(|at| at == port),
            (Rule::Block(block, bits), Some(address)) => within(address, *block, *bits),
            (Rule::Name { suffix, itself, port: at }, None) => {
                at.is_none_or(|at| at == port) && (host.ends_with(suffix) || *itself && host == suffix[1..])
            }
            _ => false,
        })
    }
}

fn rule(item: &str) -> Option<Rule> {
    if let Some((address, bits)) = item.split_once('/') {
        let (address, bits) = (address.parse::<IpAddr>().ok()?, bits.parse::<u8>().ok()?);
        let most = if address.is_ipv4() { 32 } else { 128 };
        return (bits <= most).then_some(Rule::Block(address, bits));
    }
    let bare = |host: &str| host.trim_matches(['[', ']']).parse::<IpAddr>().ok().map(|address| address.to_canonical());
    if let Some(address) = bare(item) {
        return Some(Rule::Address(address, None));
    }
    let (host, port) = match item.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse::<u16>().ok()?)),
        None => (item, None),
    };
    if let Some(address) = bare(host) {
        return Some(Rule::Address(address, port));
    }
    let host = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host).trim_end_matches('.');
    match host {
        "" => None,
        host if host.starts_with('.') => Some(Rule::Name { suffix: host.to_owned(), itself: false, port }),
        host => Some(Rule::Name { suffix: format!(".{host}"), itself: true, port }),
    }
}

fn within(address: IpAddr, block: IpAddr, bits: u8) -> bool {
    match (address, block) {
        (IpAddr::V4(address), IpAddr::V4(block)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            u32::from(address) & mask == u32::from(block) & mask
        }
        (IpAddr::V6(address), IpAddr::V6(block)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            u128::from(address) & mask == u128::from(block) & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_left_out_as_go_leaves_them_out() {
        // The cases of httpproxy's own test, and what it documents.
        let list = ".foobar.com:1234, anotherone.com, *.wild.org, 192.168.1.1, 10.0.0.0/8 ,[2001:db8::52:0:1]:443,2001:db8:1::/48,only.net:80";
        let rules = NoProxy::parse(list);
        for (host, port, direct) in [
            ("localhost", 80, true),
            ("LOCALHOST.", 80, true),
            ("127.0.0.1", 80, true),
            ("127.0.0.2", 80, true),
            ("[::1]", 80, true),
            ("::ffff:127.0.0.1", 80, true),
            ("[::2]", 80, false),
            ("192.168.1.1", 80, true),
            ("192.168.1.2", 80, false),
            ("10.255.3.4", 4317, true),
            ("11.0.0.1", 4317, false),
            ("2001:db8::52:0:1", 443, true),
            ("2001:db8::52:0:1", 80, false),
            ("2001:db8:1::9", 80, true),
            ("2001:db8:2::9", 80, false),
            ("www.foobar.com", 1234, true),
            ("www.foobar.com", 80, false),
            ("foobar.com", 1234, false),
            ("anotherone.com", 80, true),
            ("www.AnotherOne.com", 80, true),
            ("notanotherone.com", 80, false),
            ("x.wild.org", 80, true),
            ("wild.org", 80, false),
            ("only.net", 80, true),
            ("sub.only.net", 80, true),
            ("only.net", 443, false),
        ] {
            assert_eq!(rules.has(host, port), direct, "{host}:{port}");
        }
    }

    #[test]
    fn a_star_is_everything_and_nonsense_is_nothing() {
        assert!(NoProxy::parse("a, *").has("example.com", 443));
        for nonsense in ["", " , ,", "10.0.0.0/33", "x:y", "*."] {
            assert!(!NoProxy::parse(nonsense).has("example.com", 443), "{nonsense:?}");
        }
        assert!(NoProxy::parse("0.0.0.0/0").has("8.8.8.8", 1) && !NoProxy::parse("0.0.0.0/0").has("name", 1));
        assert!(NoProxy::parse("a.com b.com").has("b.com", 1), "blanks, as curl takes them");
    }
}
