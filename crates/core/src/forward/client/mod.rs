//! One destination over the network: an OTLP request goes out, a classified [`Answer`] comes back.

mod answer;

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, TE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use http_body_util::Full;
use otlp_arrow_columns::Signal;
use otlp_arrow_net::client::{self, ClientOptions, Failure, Reply, Secrets, basic};
use otlp_arrow_net::encoding::Encoding;
use otlp_arrow_net::grpc::framed;
use otlp_arrow_net::tls::ClientFiles;
use secrecy::{ExposeSecret, SecretString};

use super::classify::{self, Class};
use crate::config::{Auth, Destination, ForwardCompression, ForwardProtocol, shown};
use crate::error::{Code, OtlpError, Result};
use crate::stats::{Exporter, PerSignal};

pub use answer::Answer;

/// The largest answer that is read, after decompression (OTLP specification: 4 MiB).
const MAX_ANSWER: usize = 4 << 20;

/// A destination that can be sent to. Connections are kept and shared between requests.
#[derive(Debug)]
pub struct Client {
    http: client::Client,
    protocol: ForwardProtocol,
    targets: PerSignal<Uri>,
    headers: HeaderMap,
    secrets: Secrets,
    compression: ForwardCompression,
    timeout: Duration,
}

impl Client {
    /// Prepares a client; nothing is connected yet. INVALID_CONFIG names the key that cannot be used.
    pub fn new(destination: &Destination) -> Result<Self> {
        let grpc = destination.protocol == ForwardProtocol::OtlpGrpc;
        let targets = PerSignal::try_from_fn(|signal| target(destination, signal))?;
        let tls = ClientFiles {
            key: "forward.tls",
            ca_file: destination.tls.ca_file.as_deref(),
            cert_file: destination.tls.cert_file.as_deref(),
            key_file: destination.tls.key_file.as_deref(),
        };
        let http = client::Client::new(ClientOptions {
            tls,
            server_name: destination.tls.server_name.clone(),
            http2: grpc,
            timeout: destination.timeout,
            max_answer: MAX_ANSWER,
        })?;
        Ok(Self {
            http,
            protocol: destination.protocol,
            targets,
            headers: headers(destination)?,
            secrets: secrets(destination),
            compression: destination.compression,
            timeout: destination.timeout,
        })
    }

    /// Sends one OTLP protobuf export request. Never fails: what went wrong is the answer's class.
    pub async fn send(&self, signal: Signal, payload: Bytes) -> Answer {
        let request = match self.request(signal, payload) {
            Ok(request) => request,
            Err(error) => return Answer::new(Class::Destination, error.to_string()),
        };
        let answer = match self.http.send(request).await {
            Ok(reply) => self.read(reply),
            Err(failure) => self.failed(failure),
        };
        // Some servers repeat what they were sent.
        Answer { message: self.secrets.masked(answer.message), ..answer }
    }

    fn read(&self, reply: Reply) -> Answer {
        let Reply { head, mut body, trailers } = reply;
        if !head.status.is_success() {
            // Before any of it is quoted in part.
            body = self.secrets.mask(body.into()).into();
        }
        match self.protocol {
            ForwardProtocol::OtlpGrpc => answer::from_grpc(&head, body, trailers.as_ref()),
            _ => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
                let after = head
                    .headers
                    .get(RETRY_AFTER)
                    .and_then(|value| value.to_str().ok())
                    .and_then(|value| classify::retry_after(value, now));
                answer::from_http(&head, body, after)
            }
        }
    }

    fn failed(&self, failure: Failure) -> Answer {
        let passing = Class::Passing { after: None };
        let within = format!("within {:?}", self.timeout);
        match failure {
            Failure::Settings(text) => Answer::new(Class::Destination, text),
            Failure::Connection(text) => Answer::new(passing, text),
            Failure::Timeout { connected: true } => Answer::new(
                passing,
                format!("no answer {within}: raise forward.timeout if the destination is only slow"),
            ),
            Failure::Timeout { connected: false } => Answer::new(
                passing,
                format!("no connection {within}: the name's server, the way there, or TLS does not answer"),
            ),
            Failure::TooLong(status) => {
                Answer::new(self.long_answer(status), format!("the answer exceeds {MAX_ANSWER} bytes"))
            }
            Failure::Interrupted(status, text) => {
                Answer::new(body_fault(status), format!("the answer broke off: {text}"))
            }
        }
    }

    /// A success that is too long stays one, and is nothing to send again for (OTLP specification 1.11); over gRPC the
    /// status comes behind it and stays unknown.
    fn long_answer(&self, status: http::StatusCode) -> Class {
        match classify::http(status.as_u16(), None) {
            Class::Delivered { .. } if self.protocol == ForwardProtocol::OtlpGrpc => Class::Data,
            class => class,
        }
    }

    fn request(&self, signal: Signal, payload: Bytes) -> Result<Request<Full<Bytes>>> {
        let grpc = self.protocol == ForwardProtocol::OtlpGrpc;
        let encoding = match self.compression {
            ForwardCompression::None => None,
            ForwardCompression::Gzip => Some(Encoding::Gzip),
            ForwardCompression::Zstd => Some(Encoding::Zstd),
        };
        let body = encoding.map_or(Ok(payload.clone()), |encoding| encoding.compress(&payload))?;
        let body = if grpc { framed(&body, encoding.is_some())? } else { body };
        let encoding = encoding.map(|encoding| HeaderValue::from_static(encoding.name()));
        let mut request = Request::post(self.targets[signal].clone())
            .body(Full::new(body))
            .map_err(|error| OtlpError::with_source(Code::Internal, "the request could not be built", error))?;
        let headers = request.headers_mut();
        headers.extend(self.headers.clone());
        match encoding {
            Some(name) if grpc => headers.insert(HeaderName::from_static("grpc-encoding"), name),
            Some(name) => headers.insert(CONTENT_ENCODING, name),
            None => None,
        };
        if grpc {
            let timeout = format!("{}m", self.timeout.as_millis().clamp(1, 99_999_999));
            headers.insert(HeaderName::from_static("grpc-timeout"), header_value("forward.timeout", &timeout)?);
            *request.version_mut() = http::Version::HTTP_2;
        }
        Ok(request)
    }
}

/// A half-written success may have been stored, a half-written failure was not: both are tried again.
fn body_fault(status: http::StatusCode) -> Class {
    match classify::http(status.as_u16(), None) {
        Class::Delivered { .. } => Class::Passing { after: None },
        other => other,
    }
}

fn target(destination: &Destination, signal: Signal) -> Result<Uri> {
    let grpc = destination.protocol == ForwardProtocol::OtlpGrpc;
    let own = destination.signal_endpoints[signal].as_deref();
    let text = own.unwrap_or(&destination.endpoint);
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let base: Uri = text.parse().map_err(|error| bad_endpoint(destination, &text, &format!("{error}")))?;
    if base.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(bad_endpoint(destination, &text, "credentials belong into forward.auth, not into the URL"));
    }
    if !matches!(base.scheme_str(), Some("http" | "https")) || base.host().is_none_or(str::is_empty) {
        return Err(bad_endpoint(destination, &text, "use http://HOST:PORT or https://HOST:PORT"));
    }
    let path = if grpc {
        grpc_path(signal).to_owned()
    } else if own.is_some() {
        base.path_and_query().map_or("/", |path| path.as_str()).to_owned()
    } else {
        format!("{}/v1/{signal}", base.path().trim_end_matches('/'))
    };
    let mut parts = base.into_parts();
    if let Some(authority) = parts.authority.as_ref().filter(|authority| authority.port().is_none()) {
        // The URL's scheme decides the port of a gRPC target as of an HTTP one (OTLP exporter specification).
        let port = if parts.scheme == Some(http::uri::Scheme::HTTPS) { 443 } else { 80 };
        let with_port = format!("{authority}:{port}");
        parts.authority =
            Some(with_port.parse().map_err(|error| bad_endpoint(destination, &with_port, &format!("{error}")))?);
    }
    parts.path_and_query = Some(path.parse().map_err(|error| bad_endpoint(destination, &path, &format!("{error}")))?);
    Uri::from_parts(parts).map_err(|error| bad_endpoint(destination, &text, &error.to_string()))
}

/// What the semantic conventions call the exporters of a destination, by signal.
pub(super) fn exporters(destination: &Destination) -> Result<PerSignal<Option<Exporter>>> {
    PerSignal::try_from_fn(|signal| {
        if !destination.signals[signal] || destination.protocol == ForwardProtocol::Stdout {
            return Ok(None);
        }
        let uri = target(destination, signal)?;
        let (host, port) = (uri.host().unwrap_or_default(), uri.port_u16().unwrap_or_default());
        Ok(Some(Exporter::new(destination.protocol.as_str(), signal, &destination.name, host, port)))
    })
}

/// The path of the unary OTLP export method of `signal`.
fn grpc_path(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    }
}

fn bad_endpoint(destination: &Destination, value: &str, why: &str) -> OtlpError {
    OtlpError::new(
        Code::InvalidConfig,
        format!("forward {:?}: endpoint {:?} cannot be used: {why}", destination.name, shown(value)),
    )
}

fn headers(destination: &Destination) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let agent =
        concat!("otlp-arrow/", env!("CARGO_PKG_VERSION"), " OTel-OTLP-Exporter-Rust/", env!("CARGO_PKG_VERSION"));
    headers.insert(USER_AGENT, HeaderValue::from_static(agent));
    if destination.protocol == ForwardProtocol::OtlpGrpc {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(HeaderName::from_static("grpc-accept-encoding"), HeaderValue::from_static("gzip"));
    } else {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        headers.insert(http::header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    }
    for (name, value) in &destination.headers {
        headers.insert(header_name(name)?, secret_value(name, value.expose_secret())?);
    }
    match &destination.auth {
        Auth::None => {}
        Auth::Bearer(token) => {
            headers.insert(AUTHORIZATION, secret_value("auth.token", &format!("Bearer {}", token.expose_secret()))?);
        }
        Auth::ApiKey { header, key } => {
            headers.insert(header_name(header)?, secret_value("auth.key", key.expose_secret())?);
        }
        Auth::Basic { username, password } => {
            let text = format!("Basic {}", basic(username, password));
            headers.insert(AUTHORIZATION, secret_value("auth.password", &text)?);
        }
    }
    Ok(headers)
}

/// Every secret that is sent there, in every form in which it is.
fn secrets(destination: &Destination) -> Secrets {
    let mut found: Vec<SecretString> = destination.headers.iter().map(|(_, value)| value.clone()).collect();
    match &destination.auth {
        Auth::None => {}
        Auth::Bearer(secret) | Auth::ApiKey { key: secret, .. } => found.push(secret.clone()),
        Auth::Basic { username, password } => {
            found.push(basic(username, password).into());
            found.push(password.clone());
        }
    }
    Secrets::new(found)
}

fn header_name(name: &str) -> Result<HeaderName> {
    name.parse().map_err(|_| OtlpError::new(Code::InvalidConfig, format!("forward: {name:?} is not a header name")))
}

fn header_value(key: &str, value: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(value)
        .map_err(|_| OtlpError::new(Code::InvalidConfig, format!("forward: the value of {key} is not a header value")))
}

/// The value itself stays out of the error and, marked sensitive, out of debug output.
fn secret_value(key: &str, value: &str) -> Result<HeaderValue> {
    let mut value = header_value(key, value)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn http_destination(endpoint: &str) -> Destination {
        Destination { protocol: ForwardProtocol::OtlpHttp, ..Destination::new("test", endpoint) }
    }

    #[test]
    fn paths_follow_the_exporter_specification() {
        let of = |endpoint: &str| target(&http_destination(endpoint), Signal::Traces).unwrap().to_string();
        assert_eq!(of("http://host:4318"), "http://host:4318/v1/traces");
        assert_eq!(of("http://host:4318/"), "http://host:4318/v1/traces");
        assert_eq!(of("https://host/some/prefix"), "https://host:443/some/prefix/v1/traces");
        let mut own = http_destination("http://host:4318");
        own.signal_endpoints.traces = Some("http://other:80/exactly?x=1".into());
        assert_eq!(target(&own, Signal::Traces).unwrap().to_string(), "http://other:80/exactly?x=1");
        let grpc = target(&Destination::new("test", "host:4317"), Signal::Logs).unwrap().to_string();
        assert_eq!(grpc, "http://host:4317/opentelemetry.proto.collector.logs.v1.LogsService/Export");
    }

    #[test]
    fn unusable_endpoints_are_named() {
        for endpoint in ["ftp://host", "http://", "ht!tp://x y"] {
            let error = Client::new(&http_destination(endpoint)).unwrap_err();
            assert_eq!(error.code(), Code::InvalidConfig, "{endpoint}");
            assert!(error.message().contains("endpoint"), "{error}");
        }
    }

    #[test]
    fn secrets_do_not_print() {
        let mut destination = http_destination("http://host:1");
        destination.auth = Auth::Bearer("s3cret-token".to_owned().into());
        destination.headers = vec![("x-key".into(), "s3cret-header".to_owned().into())];
        let client = Client::new(&destination).unwrap();
        assert!(!format!("{client:?} {destination:?}").contains("s3cret"));
        destination.headers = vec![("x-key".into(), "s3cret\nheader".to_owned().into())];
        assert!(!Client::new(&destination).unwrap_err().to_string().contains("s3cret"));
    }
}
