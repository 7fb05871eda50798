//! What destinations over HTTP share: URL, headers, credentials, TLS, compression, and what it means when no answer
//! comes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri};
use http_body_util::Full;
use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::hops::Hops;
use otlp_arrow_net::client::{self, Client, ClientOptions, Failure, Proxies, Replies, Reply, Secrets, Sender, basic};
use otlp_arrow_net::encoding::Encoding;
use otlp_arrow_net::reload::Reloaded;
use otlp_arrow_net::tls::{ClientPems, Pem};
use secrecy::{ExposeSecret, SecretString};

use super::answer::{Answer, Class};
use super::destination::Server;
use super::proxy::{Proxy, ProxyServer};
use super::secret::Secret;
use super::settings::{Auth, DestinationConfig, ForwardCompression, Tls, shown};
use crate::error::{Code, OtlpError, Result};

/// The largest answer that is read, after decompression (OTLP specification: 4 MiB).
pub(super) const MAX_ANSWER: usize = 4 << 20;

/// Sends requests to one destination. Connections are kept and shared between them. What of its settings comes from files is
/// read again when they change.
#[derive(Debug)]
pub(super) struct HttpSender {
    client: Client,
    sent: Reloaded<Sent>,
    /// The settings that were used last.
    used: AtomicU64,
    compression: Option<Encoding>,
    timeout: Duration,
}

/// What every request carries.
#[derive(Debug)]
struct Sent {
    headers: HeaderMap,
    secrets: Secrets,
}

impl HttpSender {
    /// Prepares a sender to `urls`; nothing is connected yet. `headers` go with each request, and those that are configured
    /// win. INVALID_CONFIG names the key that cannot be used.
    pub(super) fn new<'a>(
        config: &DestinationConfig,
        urls: impl IntoIterator<Item = &'a Uri>,
        headers: HeaderMap,
        http2: bool,
    ) -> Result<Self> {
        let options = ClientOptions {
            tls: pems("forward.tls", &config.tls),
            server_name: config.tls.server_name.clone(),
            proxies: proxies(&config.proxy, urls)?.map(Arc::new),
            proxy_tls: pems("forward.proxy.tls", &config.proxy.tls),
            http2,
            timeout: config.timeout,
            max_answer: MAX_ANSWER,
        };
        let client = Client::new(options)?;
        let (named, auth) = (config.headers.clone(), config.auth.clone());
        let found: Vec<PathBuf> =
            secrets_of(&named, &auth).filter_map(|secret| secret.path().map(Into::into)).collect();
        let sent = Reloaded::new(found, Clock::system(), move || {
            let headers = with_configured(&named, &auth, headers.clone())?;
            Ok(Sent { headers, secrets: masked(&named, &auth)? })
        })?;
        let used = AtomicU64::new(client.version() + sent.version());
        Ok(Self {
            client,
            sent,
            used,
            compression: match config.compression {
                ForwardCompression::None => None,
                ForwardCompression::Gzip => Some(Encoding::Gzip),
                ForwardCompression::Zstd => Some(Encoding::Zstd),
            },
            timeout: config.timeout,
        })
    }

    /// The headers of a request with a body of this type.
    pub(super) fn headers_for(content_type: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        headers
    }

    /// Whether a file of its settings changed since the last attempt.
    pub(super) fn renewed(&self) -> bool {
        self.version() != self.used.load(Ordering::Relaxed)
    }

    fn version(&self) -> u64 {
        self.client.version() + self.sent.version()
    }

    /// How requests are compressed.
    pub(super) fn compression(&self) -> Option<Encoding> {
        self.compression
    }

    /// A body compressed as it is configured.
    pub(super) fn compressed(&self, body: Bytes) -> Result<Bytes> {
        self.compression.map_or(Ok(body.clone()), |encoding| encoding.compress(&body))
    }

    /// A POST of `body` as it is, which came through `hops`.
    pub(super) fn request(&self, to: &Uri, body: Bytes, hops: &Hops) -> Result<Request<Full<Bytes>>> {
        let mut request = Request::post(to.clone())
            .body(Full::new(body))
            .map_err(|error| OtlpError::with_source(Code::Internal, "the request could not be built", error))?;
        if !hops.is_empty()
            && let Ok(value) = HeaderValue::from_str(&hops.to_string())
        {
            request.headers_mut().insert(HeaderName::from_static(Hops::HEADER), value);
        }
        Ok(request)
    }

    /// Posts a body, compressed as it is configured; `answers` says what the answer means.
    pub(super) async fn post(&self, to: &Uri, body: Bytes, hops: &Hops, answers: &impl Answers) -> Answer {
        let request = self.compressed(body).and_then(|body| self.request(to, body, hops)).map(|mut request| {
            if let Some(encoding) = self.compression {
                request.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
            }
            request
        });
        self.send(request, answers).await
    }

    /// Sends a request with the headers of all, and once more where it is refused and the files of the settings say something
    /// new; `answers` says what the answer means. A request that could not be built is the destination's fault: no other will be.
    pub(super) async fn send(&self, request: Result<Request<Full<Bytes>>>, answers: &impl Answers) -> Answer {
        let request = match request {
            Ok(request) => request,
            Err(error) => return Answer::new(Class::Destination, error.to_string()),
        };
        let (answer, version) = self.attempt(request.clone(), answers).await;
        if answer.class != Class::Destination {
            return answer;
        }
        self.doubt();
        if self.version() == version { answer } else { self.attempt(request, answers).await.0 }
    }

    /// Somebody may have changed a token or a certificate a moment ago.
    pub(super) fn doubt(&self) {
        self.client.doubt();
        self.sent.doubt();
    }

    /// Begins a call with the headers of all, and `headers`.
    pub(super) fn call(
        &self,
        to: &Uri,
        headers: HeaderMap,
    ) -> (Sender, impl Future<Output = Result<Replies, Failure>> + Send + 'static) {
        self.used.store(self.version(), Ordering::Relaxed);
        let mut request = Request::new(());
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = to.clone();
        *request.version_mut() = http::Version::HTTP_2;
        *request.headers_mut() = self.sent.current().headers.clone();
        request.headers_mut().extend(headers);
        self.client.call(request)
    }

    /// A text without the secrets that are sent there: some servers repeat what they were sent.
    pub(super) fn masked(&self, text: String) -> String {
        self.sent.current().secrets.masked(text)
    }

    /// Sends a request once; no word of the answer shows a secret. Returns the version of the settings as well.
    async fn attempt(&self, mut request: Request<Full<Bytes>>, answers: &impl Answers) -> (Answer, u64) {
        let (version, sent) = (self.version(), self.sent.current());
        self.used.store(version, Ordering::Relaxed);
        let own = std::mem::replace(request.headers_mut(), sent.headers.clone());
        request.headers_mut().extend(own);
        let answer = match self.client.send(request).await {
            Ok(mut reply) => {
                if !reply.head.status.is_success() {
                    // Before any of it is quoted in part.
                    reply.body = sent.secrets.mask(reply.body.into()).into();
                }
                let mut answer =
                    match refused_loop(&reply.head.headers).or_else(|| refused_loop(reply.trailers.as_ref()?)) {
                        Some(numbers) => Answer::new(Class::Loop, numbers),
                        None => answers.read(&reply),
                    };
                if let Some(proxy) = reply.proxy.filter(|_| !matches!(answer.class, Class::Delivered { .. })) {
                    answer.message = format!("{} (through the proxy {proxy})", answer.message);
                }
                answer
            }
            Err(failure) => self.failed(failure, answers),
        };
        // Some servers repeat what they were sent.
        (Answer { message: sent.secrets.masked(answer.message), ..answer }, version)
    }

    /// What it means that there is no answer.
    pub(super) fn failed(&self, failure: Failure, answers: &impl Answers) -> Answer {
        let within = format!("within {:?}", self.timeout);
        match failure {
            Failure::Settings(text) => Answer::new(Class::Destination, text),
            Failure::Connection(text) => Answer::passing(text),
            Failure::Timeout { connected: true } => {
                Answer::passing(format!("no answer {within}: raise forward.timeout if the destination is only slow"))
            }
            Failure::Timeout { connected: false } => Answer::passing(format!(
                "no connection {within}: the name's server, the way there, or TLS does not answer"
            )),
            Failure::TooLong(status) => {
                Answer::new(answers.too_long(status), format!("the answer exceeds {MAX_ANSWER} bytes"))
            }
            Failure::Interrupted(status, text) => {
                // A half-written success may have been stored, a half-written failure was not: both are tried again.
                let class = match answers.of_status(status) {
                    Class::Delivered { .. } => Class::Passing { after: None },
                    class => class,
                };
                Answer::new(class, format!("the answer broke off: {text}"))
            }
        }
    }
}

/// What the answers of one protocol mean.
pub(super) trait Answers: Sync {
    /// What a status means by itself.
    fn of_status(&self, status: StatusCode) -> Class;

    /// What a complete answer means.
    fn read(&self, reply: &Reply) -> Answer;

    /// What an answer means of which only the status was read, as it is too long. A success stays one, and is nothing to
    /// send again for (OTLP specification 1.11).
    fn too_long(&self, status: StatusCode) -> Class {
        self.of_status(status)
    }
}

/// `text` as the URL of a destination, with its port; `path` makes the path of it from the path it has.
pub(super) fn url(config: &DestinationConfig, text: &str, path: impl FnOnce(&Uri) -> String) -> Result<Uri> {
    let bad = |value: &str, why: &str| {
        let message = format!("forward {:?}: endpoint {:?} cannot be used: {why}", config.name, shown(value));
        OtlpError::new(Code::InvalidConfig, message)
    };
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let base: Uri = text.parse().map_err(|error| bad(&text, &format!("{error}")))?;
    if base.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(bad(&text, "put credentials in forward.auth, not in the URL"));
    }
    if !matches!(base.scheme_str(), Some("http" | "https")) || base.host().is_none_or(str::is_empty) {
        return Err(bad(&text, "use http://HOST:PORT or https://HOST:PORT"));
    }
    let path = path(&base);
    let path: PathAndQuery = path.parse().map_err(|error| bad(&path, &format!("{error}")))?;
    let mut parts = base.into_parts();
    if let Some(authority) = parts.authority.as_ref().filter(|authority| authority.port().is_none()) {
        let port = config.protocol.spec().target.port(parts.scheme.as_ref());
        let with_port = format!("{authority}:{port}");
        parts.authority = Some(with_port.parse().map_err(|error| bad(&with_port, &format!("{error}")))?);
    }
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).map_err(|error| bad(&text, &error.to_string()))
}

/// Host and port of a URL that [`url`] made.
pub(super) fn server(url: &Uri) -> Server {
    Server { host: url.host().unwrap_or_default().to_owned(), port: url.port_u16().unwrap_or_default() }
}

/// What a recorder says that notices a ring; its words are in the header, whatever the protocol.
pub(super) fn refused_loop(headers: &HeaderMap) -> Option<String> {
    headers.get(Hops::REFUSED).map(|words| String::from_utf8_lossy(words.as_bytes()).into_owned())
}

/// What TLS is made of, of the keys below `key`.
pub(crate) fn pems(key: &str, tls: &Tls) -> ClientPems {
    let pem = |name: &str, file: &Option<PathBuf>, text: &Option<Secret>| match (file, text) {
        (Some(path), _) => Some(Pem::file(format!("{key}.{name}_file"), path)),
        (None, Some(text)) => Some(match text.path() {
            Some(path) => Pem::file(format!("{key}.{name}_pem"), path),
            None => Pem::text(format!("{key}.{name}_pem"), &text.expose_secret().to_owned().into()),
        }),
        (None, None) => None,
    };
    ClientPems {
        key: key.to_owned(),
        ca: pem("ca", &tls.ca_file, &tls.ca_pem),
        cert: pem("cert", &tls.cert_file, &tls.cert_pem),
        private_key: pem("key", &tls.key_file, &tls.key_pem),
    }
}

/// The proxies before `urls`, with passwords that are read again when their files change; `None` without any.
fn proxies<'a>(proxy: &Proxy, urls: impl IntoIterator<Item = &'a Uri>) -> Result<Option<Reloaded<Proxies>>> {
    let before = |url: &Uri| Some((url.clone(), proxy.before(url)?.clone()));
    let found: Vec<(Uri, ProxyServer)> = urls.into_iter().filter_map(before).collect();
    if found.is_empty() {
        return Ok(None);
    }
    let secrets = found.iter().filter_map(|(_, server)| server.password.as_ref()?.path().map(Into::into));
    let paths: Vec<PathBuf> = secrets.collect();
    let make = move || {
        found.iter().try_fold(Proxies::default(), |proxies, (url, server)| Ok(proxies.with(url, of_server(server)?)))
    };
    Reloaded::new(paths, Clock::system(), make).map(Some)
}

/// A proxy as the client takes it.
pub(crate) fn of_server(server: &ProxyServer) -> Result<client::Proxy> {
    let authorization = server.username.as_ref().map(|name| {
        let password = server.password.as_ref().map_or_else(|| Ok(String::new().into()), Secret::now)?;
        secret_value("proxy.password", &format!("Basic {}", basic(name, &password)))
    });
    let ProxyServer { https, host, port, .. } = server.clone();
    Ok(client::Proxy { https, host, port, authorization: authorization.transpose()? })
}

fn with_configured(named: &[(String, Secret)], auth: &Auth, mut headers: HeaderMap) -> Result<HeaderMap> {
    let agent =
        concat!("otlp-arrow/", env!("CARGO_PKG_VERSION"), " OTel-OTLP-Exporter-Rust/", env!("CARGO_PKG_VERSION"));
    headers.insert(USER_AGENT, HeaderValue::from_static(agent));
    for (name, value) in named {
        headers.insert(header_name(name)?, secret_value(name, value.now()?.expose_secret())?);
    }
    match auth {
        Auth::None => {}
        Auth::Bearer(token) => {
            let text = format!("Bearer {}", token.now()?.expose_secret());
            headers.insert(AUTHORIZATION, secret_value("auth.bearer", &text)?);
        }
        Auth::ApiKey { header, key } => {
            headers.insert(header_name(header)?, secret_value("auth.api_key.key", key.now()?.expose_secret())?);
        }
        Auth::Basic { username, password } => {
            let text = format!("Basic {}", basic(username, &password.now()?));
            headers.insert(AUTHORIZATION, secret_value("auth.basic.password", &text)?);
        }
    }
    Ok(headers)
}

fn secrets_of<'a>(named: &'a [(String, Secret)], auth: &'a Auth) -> impl Iterator<Item = &'a Secret> {
    let of_auth = match auth {
        Auth::None => None,
        Auth::Bearer(secret) | Auth::ApiKey { key: secret, .. } | Auth::Basic { password: secret, .. } => Some(secret),
    };
    named.iter().map(|(_, value)| value).chain(of_auth)
}

/// Every secret that is sent there, in every form in which it is.
fn masked(named: &[(String, Secret)], auth: &Auth) -> Result<Secrets> {
    let mut found: Vec<SecretString> = secrets_of(named, auth).map(Secret::now).collect::<Result<_>>()?;
    if let Auth::Basic { username, password } = auth {
        found.push(basic(username, &password.now()?).into());
    }
    Ok(Secrets::new(found))
}

fn header_name(name: &str) -> Result<HeaderName> {
    name.parse().map_err(|_| OtlpError::new(Code::InvalidConfig, format!("forward: {name:?} is not a header name")))
}

/// The value itself stays out of the error and, marked sensitive, out of debug output.
fn secret_value(key: &str, value: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        OtlpError::new(Code::InvalidConfig, format!("forward: the value of {key} is not a header value"))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// How long the destination asks to wait.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let now = Clock::system().wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    wait_of(headers.get(RETRY_AFTER)?.to_str().ok()?, now)
}

/// Reads `Retry-After`: seconds or an HTTP date; `now` is seconds since the Unix epoch.
fn wait_of(value: &str, now: u64) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    http_date(value).map(|at| Duration::from_secs(at.saturating_sub(now)))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` as seconds since the Unix epoch (RFC 9110, IMF-fixdate).
fn http_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split_once(", ")?.1.split(' ');
    let day: i64 = words.next()?.parse().ok()?;
    let month_name = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month_name)? as i64 + 1;
    let year: i64 = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    if words.next()? != "GMT" || !(1..=31).contains(&day) || !(0..=9999).contains(&year) {
        return None;
    }
    // Days from civil: the year starts in March, so that the leap day is its last.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    u64::try_from(days * 86_400 + hour * 3600 + minute * 60 + second).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn config(endpoint: &str) -> DestinationConfig {
        DestinationConfig::new("test", endpoint)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(wait_of("120", 0), Some(Duration::from_secs(120)));
        assert_eq!(wait_of("0", 0), Some(Duration::ZERO));
        let at = 784_111_777;
        assert_eq!(wait_of("Sun, 06 Nov 1994 08:49:37 GMT", at - 10), Some(Duration::from_secs(10)));
        assert_eq!(wait_of("Sun, 06 Nov 1994 08:49:37 GMT", at + 10), Some(Duration::ZERO));
        assert_eq!(wait_of("Thu, 29 Feb 2024 00:00:00 GMT", 1_709_164_800), Some(Duration::ZERO));
        assert_eq!(wait_of("soon", 0), None);
        assert_eq!(wait_of("Sun, 99 Foo 1994", 0), None);
    }

    #[test]
    fn unusable_endpoints_are_named() {
        for endpoint in ["ftp://host", "http://", "ht!tp://x y", "http://user:word@host"] {
            let error = url(&config(endpoint), endpoint, |base| base.path().to_owned()).unwrap_err();
            assert_eq!(error.code(), Code::InvalidConfig, "{endpoint}");
            assert!(error.message().contains("endpoint") && !error.message().contains("word"), "{error}");
        }
    }

    #[test]
    fn secrets_do_not_print() {
        let mut config = config("http://host:1");
        config.auth = Auth::Bearer("s3cret-token".to_owned().into());
        config.headers = vec![("x-key".into(), "s3cret-header".to_owned().into())];
        let sender = HttpSender::new(&config, [], HeaderMap::new(), false).unwrap();
        assert!(!format!("{sender:?} {config:?}").contains("s3cret"));
        config.headers = vec![("x-key".into(), "s3cret\nheader".to_owned().into())];
        assert!(!HttpSender::new(&config, [], HeaderMap::new(), false).unwrap_err().to_string().contains("s3cret"));
    }
}
