//! Names of client certificates: which of them an entry of the configuration means. Signatures were checked in the handshake.

use std::fmt;

/// The scheme of SPIFFE IDs (X.509-SVID: exactly one of them in a certificate).
const SPIFFE: &str = "spiffe://";

/// A name, or several that differ in single segments: `spiffe://td/ns/*/sa/collector`, `uri:…`, `dns:…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateName {
    kind: Kind,
    segments: Vec<Segment>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Segments between slashes.
    Uri,
    /// Labels between dots, in any case.
    Dns,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Is(String),
    Any,
}

impl Kind {
    fn between(self) -> char {
        match self {
            Kind::Uri => '/',
            Kind::Dns => '.',
        }
    }
}

impl CertificateName {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it, and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (kind, name) = match (text.strip_prefix("dns:"), text.strip_prefix("uri:")) {
            (Some(name), _) => (Kind::Dns, name.to_ascii_lowercase()),
            (_, Some(name)) => (Kind::Uri, name.to_owned()),
            _ if text.starts_with(SPIFFE) => (Kind::Uri, text.to_owned()),
            _ => return Err("write spiffe://TRUST-DOMAIN/PATH, uri:URI or dns:NAME".to_owned()),
        };
        let segments: Vec<_> = name.split(kind.between()).collect();
        if segments.iter().any(|segment| *segment != "*" && segment.contains('*')) {
            return Err("* stands for one whole segment: write prefix/*/rest".to_owned());
        }
        let fixed = match kind {
            // The scheme and who owns what follows.
            Kind::Uri => segments.iter().take(3).all(|segment| *segment != "*") && name.contains(':'),
            // The two labels that somebody registers.
            Kind::Dns => segments.iter().rev().take(2).all(|label| *label != "*"),
        };
        let empty = match kind {
            Kind::Uri => name.strip_prefix(SPIFFE).is_some_and(|rest| rest.split('/').any(str::is_empty)),
            Kind::Dns => segments.iter().any(|label| label.is_empty()),
        };
        if !fixed || empty || name.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
            return Err(
                "write a full name: * may not stand for the trust domain, the host or the last two labels".to_owned()
            );
        }
        let segment = |text: &str| if text == "*" { Segment::Any } else { Segment::Is(text.to_owned()) };
        Ok(Self { kind, segments: segments.into_iter().map(segment).collect() })
    }

    /// Whether a certificate with these names is meant. One with several SPIFFE IDs is nobody's.
    pub fn is_one_of(&self, uris: &[String], dns: &[String]) -> bool {
        if uris.iter().filter(|uri| uri.starts_with(SPIFFE)).count() > 1 {
            return false;
        }
        match self.kind {
            Kind::Uri => uris.iter().any(|uri| self.is(uri)),
            Kind::Dns => dns.iter().any(|name| !name.contains('*') && self.is(&name.to_ascii_lowercase())),
        }
    }

    fn is(&self, name: &str) -> bool {
        let given: Vec<_> = name.split(self.kind.between()).collect();
        given.len() == self.segments.len()
            && self.segments.iter().zip(given).all(|(segment, given)| match segment {
                Segment::Is(text) => text == given,
                Segment::Any => is_plain(given),
            })
    }
}

/// Whether a segment is what it looks like: no way up, no other spelling, no beginning of a query.
fn is_plain(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..") && !segment.contains(['%', '?', '#', '*', '\\', ';', '@'])
}

impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = self.kind.between().to_string();
        let texts = self.segments.iter().map(|segment| match segment {
            Segment::Is(text) => text.as_str(),
            Segment::Any => "*",
        });
        f.write_str(&texts.collect::<Vec<_>>().join(&between))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn is(pattern: &str, uris: &[&str], dns: &[&str]) -> bool {
        let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        CertificateName::parse(pattern).unwrap().is_one_of(&all(uris), &all(dns))
    }

    #[test]
    fn a_star_is_one_segment() {
        let collector = "spiffe://td.example/ns/*/sa/collector";
        assert!(is(collector, &["spiffe://td.example/ns/shop/sa/collector"], &[]));
        assert!(is(collector, &["https://a.example", "spiffe://td.example/ns/shop/sa/collector"], &["a.example"]));
        for other in [
            "spiffe://td.example/ns/shop/sa/collector/more",
            "spiffe://td.example/ns/shop/x/sa/collector",
            "spiffe://td.example/ns//sa/collector",
            "spiffe://td.example/ns/../sa/collector",
            "spiffe://td.example/ns/./sa/collector",
            "spiffe://td.example/ns/a%2fb/sa/collector",
            "spiffe://td.example/ns/a?b/sa/collector",
            "spiffe://td.example/ns/*/sa/collector",
            "spiffe://td.example/ns/shop/sa/Collector",
            "spiffe://td.example/ns/shop/sa/collector/",
            "spiffe://other.example/ns/shop/sa/collector",
            "spiffe://td.example.evil/ns/shop/sa/collector",
            "uri:spiffe://td.example/ns/shop/sa/collector",
            "https://td.example/ns/shop/sa/collector",
            "",
        ] {
            assert!(!is(collector, &[other], &[]), "{other}");
        }
        assert!(!is(collector, &[], &["spiffe://td.example/ns/shop/sa/collector"]), "the name of another kind");
        assert!(!is(collector, &[], &[]));
    }

    #[test]
    fn two_spiffe_ids_are_nobody() {
        let (one, two) = ("spiffe://td.example/one", "spiffe://td.example/two");
        assert!(is(one, &[one], &["a.example"]) && is("dns:a.example", &[one], &["a.example"]));
        assert!(!is(one, &[one, two], &[]) && !is("dns:a.example", &[one, two], &["a.example"]));
        assert!(!is(one, &[one, one], &[]));
    }

    #[test]
    fn names_of_hosts_and_other_uris() {
        assert!(is("dns:Collector.Example", &[], &["collector.example"]));
        assert!(is("dns:*.nodes.example", &[], &["b.example", "A7.Nodes.Example"]));
        for other in
            ["nodes.example", "a.b.nodes.example", "*.nodes.example", ".nodes.example", "a7.nodes.example.evil"]
        {
            assert!(!is("dns:*.nodes.example", &[], &[other]), "{other}");
        }
        assert!(!is("dns:collector.example", &["collector.example"], &[]), "the name of another kind");
        assert!(is("uri:urn:shop:collector", &["urn:shop:collector"], &[]));
        assert!(!is("uri:urn:shop:collector", &["urn:shop:collectors"], &[]));
        assert!(is("uri:https://a.example/nodes/*", &["https://a.example/nodes/7"], &[]));
        assert!(!is("uri:https://a.example/nodes/*", &["https://a.example/nodes/7/8"], &[]));
    }

    #[test]
    fn names_that_are_too_wide_or_not_names_are_refused() {
        for text in [
            "",
            "*",
            "collector",
            "shop.example",
            "dns:",
            "dns:*",
            "dns:*.example",
            "dns:*.*.example",
            "dns:a..example",
            "dns:node-*.a.example",
            "dns:a b.example",
            "uri:",
            "uri:*",
            "uri:collector",
            "uri:https://*/collector",
            "uri:*://a.example/x",
            "spiffe://",
            "spiffe://*",
            "spiffe://*/ns/shop",
            "spiffe://td.example//shop",
            "spiffe://td.example/",
            "spiffe://td.example/ns/shop-*",
            "spiffe://td.example/ns/a\nb",
        ] {
            assert!(CertificateName::parse(text).is_err(), "{text:?}");
        }
        let shown = CertificateName::parse("spiffe://td.example/ns/*").unwrap().to_string();
        assert_eq!(shown, "spiffe://td.example/ns/*");
    }
}
