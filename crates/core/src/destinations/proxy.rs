//! Which proxy stands before which URL. Pure but for [`Variables::of_process`].

use std::collections::BTreeMap;
use std::fmt;

use http::Uri;

use super::no_proxy::NoProxy;
use super::secret::Secret;
use super::settings::Tls;
use crate::error::{Code, OtlpError, Result};

/// How a destination is reached: by default as `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
#[derive(Clone, Debug, Default)]
pub struct Proxy {
    pub(crate) through: Through,
    /// TLS towards the proxy; used where its URL begins with `https`.
    pub tls: Tls,
}

/// Through which proxy a destination is reached.
#[derive(Clone, Debug)]
pub(crate) enum Through {
    /// As `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    Environment(Variables),
    /// Through none.
    Nothing,
    /// Through this one, whatever the variables say.
    Server(ProxyServer),
}

/// As the variables of the process say.
impl Default for Through {
    fn default() -> Self {
        Through::Environment(Variables::of_process())
    }
}

/// A proxy that speaks HTTP.
#[derive(Clone)]
pub(crate) struct ProxyServer {
    /// Whether it is spoken to within TLS.
    pub(crate) https: bool,
    /// Name or address.
    pub(crate) host: String,
    /// Port.
    pub(crate) port: u16,
    /// User name, if it wants one.
    pub(crate) username: Option<String>,
    /// Password, if it wants one.
    pub(crate) password: Option<Secret>,
}

/// Its URL, without the password.
impl fmt::Display for ProxyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.https { "https://" } else { "http://" })?;
        match (&self.username, &self.password) {
            (Some(name), Some(_)) => write!(f, "{name}:***@")?,
            (Some(name), None) => write!(f, "{name}@")?,
            (None, _) => {}
        }
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Debug for ProxyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl ProxyServer {
    /// Reads a URL; without a scheme it is an `http` one. What is wrong is told without quoting it, as it may hold a password.
    pub(crate) fn parse(url: &str) -> std::result::Result<Self, String> {
        let (scheme, rest) = url.trim().split_once("://").unwrap_or(("http", url.trim()));
        let https = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            other => return Err(format!("is a proxy of the kind {other}: only http:// and https:// are spoken here")),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (user, server) = match authority.rsplit_once('@') {
            Some((user, server)) => (Some(user), server),
            None => (None, authority),
        };
        let remedy = "write http://proxy:3128 or http://user:password@proxy:3128";
        let wrong = || format!("is not the URL of a proxy: {remedy}");
        let uri: Uri = format!("http://{server}").parse().map_err(|_| wrong())?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?.trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        if uri.port().is_none() && server.contains(':') && !server.ends_with(']') || port == 0 {
            return Err(wrong());
        }
        let decoded = |part: &str| {
            let text = percent_decoded(part)
                .ok_or_else(|| format!("has a `%` that is not %XX in its credentials: {remedy}"))?;
            let bad = text.contains(|c: char| c.is_control());
            if bad { Err("has a control character in its credentials".to_owned()) } else { Ok(text) }
        };
        let (username, password) =
            match user.map(|user| user.split_once(':').map_or((user, None), |(a, b)| (a, Some(b)))) {
                None => (None, None),
                Some((name, password)) => (Some(decoded(name)?), password.map(decoded).transpose()?.map(Secret::from)),
            };
        Ok(Self { https, host, port, username, password })
    }
}

/// `%2F` and the like as what they stand for; `None` where that is not text.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let two = tail.get(..2).filter(|two| two.iter().all(u8::is_ascii_hexdigit))?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).ok()
}

/// What the variables say that all programs share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables {
    http: Option<(String, ProxyServer)>,
    https: Option<(String, ProxyServer)>,
    no_proxy: NoProxy,
    /// Which variable that is.
    no_proxy_name: &'static str,
}

impl Variables {
    /// Those of this process; what cannot be used is logged and left out.
    pub(crate) fn of_process() -> Self {
        let mut warnings = Vec::new();
        let names =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let found = Self::of(&names.collect(), &mut warnings);
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        found
    }

    /// Of these variables. Either case is read, the lower first, as curl and Python do; an empty one is none.
    pub(crate) fn of(env: &BTreeMap<String, String>, warnings: &mut Vec<String>) -> Self {
        // A web server hands the header `Proxy` of a request to a CGI program as HTTP_PROXY. Names of variables have no case on
        // Windows, so there the other spelling is the same variable.
        let cgi = env.contains_key("REQUEST_METHOD");
        let mut find = |names: &[&'static str]| {
            let found = names.iter().find_map(|name| {
                let value = env.get(*name).filter(|value| !value.trim().is_empty())?;
                Some((*name, value))
            })?;
            if cgi && (found.0 == "HTTP_PROXY" || cfg!(windows) && found.0 == "http_proxy") {
                warnings.push(format!("{} is left out, because anybody can set it in a CGI program", found.0));
                return None;
            }
            match ProxyServer::parse(found.1) {
                Ok(server) => Some((found.0.to_owned(), server)),
                Err(problem) => {
                    warnings.push(format!("{} {problem}; it is left out", found.0));
                    None
                }
            }
        };
        let http = find(&["http_proxy", "HTTP_PROXY"]).or_else(|| find(&["all_proxy", "ALL_PROXY"]));
        let https = find(&["https_proxy", "HTTPS_PROXY"]).or_else(|| find(&["all_proxy", "ALL_PROXY"]));
        let no = ["no_proxy", "NO_PROXY"].into_iter().find_map(|name| Some((name, env.get(name)?)));
        let (no_proxy_name, list) = no.map_or(("NO_PROXY", ""), |(name, list)| (name, list.as_str()));
        warnings.sort();
        warnings.dedup();
        Self { http, https, no_proxy: NoProxy::parse(list), no_proxy_name }
    }

    /// The proxy before this URL with the variable that names it, or the variable that leaves the server out, or neither.
    fn before(
        &self,
        host: &str,
        port: u16,
        https: bool,
    ) -> std::result::Result<Option<(&str, &ProxyServer)>, &'static str> {
        let found = if https { &self.https } else { &self.http };
        match found {
            Some(_) if self.no_proxy.has(host, port) => Err(self.no_proxy_name),
            found => Ok(found.as_ref().map(|(name, server)| (name.as_str(), server))),
        }
    }
}

impl Proxy {
    /// Without one, whatever the variables say.
    pub fn none() -> Self {
        Self { through: Through::Nothing, tls: Tls::default() }
    }

    /// Through the proxy of this URL, whatever the variables say; its user name and password may stand in the URL.
    ///
    /// INVALID_CONFIG says what is wrong with the URL without quoting it.
    pub fn to(url: &str) -> Result<Self> {
        let server = ProxyServer::parse(url)
            .map_err(|problem| OtlpError::new(Code::InvalidConfig, format!("the URL of the proxy {problem}")))?;
        Ok(Self { through: Through::Server(server), tls: Tls::default() })
    }

    /// The proxy before this URL.
    pub(crate) fn before(&self, url: &Uri) -> Option<&ProxyServer> {
        self.explained(url).ok().flatten().map(|(_, server)| server)
    }

    /// The proxy before this URL, with the variable that names it if one does; the error is the variable that leaves the server
    /// out.
    pub(crate) fn explained(
        &self,
        url: &Uri,
    ) -> std::result::Result<Option<(Option<&str>, &ProxyServer)>, &'static str> {
        match &self.through {
            Through::Nothing => Ok(None),
            Through::Server(server) => Ok(Some((None, server))),
            Through::Environment(variables) => {
                let https = url.scheme_str() == Some("https");
                let port = url.port_u16().unwrap_or(if https { 443 } else { 80 });
                let found = variables.before(url.host().unwrap_or_default(), port, https)?;
                Ok(found.map(|(name, server)| (Some(name), server)))
            }
        }
    }

    /// Every server that may be asked, to complete it.
    pub(crate) fn servers(&mut self) -> impl Iterator<Item = &mut ProxyServer> {
        let (one, both) = match &mut self.through {
            Through::Nothing => (None, [None, None]),
            Through::Server(server) => (Some(server), [None, None]),
            Through::Environment(variables) => {
                (None, [variables.http.as_mut(), variables.https.as_mut()].map(|found| found.map(|(_, server)| server)))
            }
        };
        one.into_iter().chain(both.into_iter().flatten())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> (Proxy, Vec<String>) {
        let env = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut warnings = Vec::new();
        let through = Through::Environment(Variables::of(&env, &mut warnings));
        (Proxy { through, tls: Tls::default() }, warnings)
    }

    fn before(proxy: &Proxy, url: &str) -> String {
        match proxy.explained(&url.parse().unwrap()) {
            Ok(Some((name, server))) => format!("{server} by {}", name.unwrap_or("key")),
            Ok(None) => "direct".to_owned(),
            Err(name) => format!("direct by {name}"),
        }
    }

    #[test]
    fn the_scheme_and_the_server_choose_the_proxy() {
        let (proxy, warnings) = variables(&[
            ("HTTP_PROXY", "http://plain:3128"),
            ("https_proxy", "user:p%40ss@secure:8080"),
            ("HTTPS_PROXY", "http://not-this:1"),
            ("NO_PROXY", "internal.test,10.0.0.0/8"),
        ]);
        assert_eq!(warnings, [""; 0]);
        for (url, expected) in [
            ("http://collector:4318/v1/logs", "http://plain:3128 by HTTP_PROXY"),
            ("https://collector:4317/", "http://user:***@secure:8080 by https_proxy"),
            ("https://a.internal.test/", "direct by NO_PROXY"),
            ("http://10.1.2.3:4318/", "direct by NO_PROXY"),
            ("http://127.0.0.1:4318/", "direct by NO_PROXY"),
            ("http://localhost/", "direct by NO_PROXY"),
        ] {
            assert_eq!(before(&proxy, url), expected, "{url}");
        }
        let server = proxy.before(&"https://x/".parse().unwrap()).unwrap();
        assert_eq!(server.password.as_ref().unwrap().expose_secret(), "p@ss");
        assert!(!format!("{proxy:?}").contains("p@ss"));
    }

    #[test]
    fn all_proxy_stands_in_and_empty_is_none() {
        let (proxy, _) =
            variables(&[("ALL_PROXY", "http://all:1"), ("https_proxy", ""), ("http_proxy", "http://one:2")]);
        assert_eq!(before(&proxy, "https://x/"), "http://all:1 by ALL_PROXY");
        assert_eq!(before(&proxy, "http://x/"), "http://one:2 by http_proxy");
        assert_eq!(before(&variables(&[]).0, "http://x/"), "direct");
    }

    #[test]
    fn what_a_request_can_set_is_not_believed_in_a_cgi_program() {
        let cgi = ("REQUEST_METHOD", "POST");
        let (proxy, warnings) = variables(&[cgi, ("HTTP_PROXY", "http://evil:1"), ("HTTPS_PROXY", "http://good:1")]);
        assert_eq!(before(&proxy, "http://x/"), "direct");
        assert_eq!(before(&proxy, "https://x/"), "http://good:1 by HTTPS_PROXY");
        assert!(warnings[0].contains("CGI"), "{warnings:?}");
        if !cfg!(windows) {
            let (proxy, _) = variables(&[cgi, ("http_proxy", "http://good:1"), ("HTTP_PROXY", "http://evil:1")]);
            assert_eq!(before(&proxy, "http://x/"), "http://good:1 by http_proxy");
        }
    }

    #[test]
    fn urls_of_proxies_are_read_and_what_is_wrong_is_not_quoted() {
        for (url, shown) in [
            ("proxy:3128", "http://proxy:3128"),
            ("HTTPS://proxy", "https://proxy:443"),
            ("http://proxy/", "http://proxy:80"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("http://me@proxy:1", "http://me@proxy:1"),
            ("http://a%3Ab:c%2Fd@proxy:1", "http://a:b:***@proxy:1"),
        ] {
            assert_eq!(ProxyServer::parse(url).unwrap().to_string(), shown, "{url}");
        }
        for url in [
            "",
            "http://",
            "socks5://u:hunter2@p:1",
            "http://u:hunter2@p:port",
            "http://u:hunter2%zz@p:1",
            "http://u:hunter2@p:0",
            "http://u:hunter2%0a@p:1",
        ] {
            let problem = ProxyServer::parse(url).unwrap_err();
            assert!(!problem.contains("hunter2"), "{url}: {problem}");
        }
        let (proxy, warnings) = variables(&[("ALL_PROXY", "socks5://u:hunter2@p:1")]);
        assert_eq!(before(&proxy, "http://x/"), "direct");
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].starts_with("ALL_PROXY is a proxy of the kind socks5") && !warnings[0].contains("hunter2"));
    }
}
