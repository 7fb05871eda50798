//! What the standard OpenTelemetry variables say: the resource, and the destination of `forward: env`.
//!
//! As the specification asks: an empty variable is an unset one, the variable of a signal wins over the general one,
//! words are compared without letter case, and what cannot be read is warned of and left out.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use otlp_arrow_base::PerSignal;
use otlp_arrow_columns::Signal;

use super::read::check_url;
use crate::destinations::{DestinationConfig, ForwardCompression, Kind, Proxy, Secret, Through, Tls, Variables};

type Env = BTreeMap<String, String>;

/// The resource attributes of `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`.
pub(crate) fn resource(env: &Env, warnings: &mut Vec<String>) -> Vec<(String, String)> {
    let mut attributes = match set(env, "OTEL_RESOURCE_ATTRIBUTES").map(pairs) {
        Some(Ok(attributes)) => attributes,
        Some(Err(problem)) => {
            warnings.push(format!("OTEL_RESOURCE_ATTRIBUTES {problem}; it is left out as a whole"));
            Vec::new()
        }
        None => Vec::new(),
    };
    if let Some(name) = set(env, "OTEL_SERVICE_NAME") {
        attributes.retain(|(key, _)| key != "service.name");
        attributes.insert(0, ("service.name".to_owned(), name.to_owned()));
    }
    attributes
}

/// The destinations of `forward: env`: one, or one for each group of signals whose settings differ.
pub(crate) fn destinations(env: &Env, warnings: &mut Vec<String>) -> Result<Vec<DestinationConfig>, String> {
    let mut found: Vec<(Settings, DestinationConfig)> = Vec::new();
    for signal in Signal::ALL {
        let (settings, own_endpoint) = Settings::of(signal, env, warnings)?;
        let position = found.iter().position(|(other, _)| other.same(&settings, own_endpoint.is_some()));
        let position = position.unwrap_or_else(|| {
            found.push((settings.clone(), settings.destination()));
            found.len() - 1
        });
        let destination = &mut found[position].1;
        destination.signals[signal] = true;
        destination.signal_endpoints[signal] = own_endpoint;
    }
    let mut destinations: Vec<DestinationConfig> = found.into_iter().map(|(_, destination)| destination).collect();
    if let [_, _, ..] = destinations.as_slice() {
        for destination in &mut destinations {
            let names: Vec<&str> =
                destination.signals.iter().filter(|(_, taken)| **taken).map(|(signal, _)| signal.as_str()).collect();
            destination.name = format!("env-{}", names.join("-"));
        }
    }
    warnings.sort();
    warnings.dedup();
    Ok(destinations)
}

/// `k=v,k2=v2` with percent-decoded values, as in W3C Baggage; metadata after `;` is not supported.
pub(crate) fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let (name, value) = item.split_once('=').ok_or("has a part without `=`: write name=value,name=value")?;
        let name = decode(name.trim())?;
        if name.is_empty() {
            return Err("has a part without a name: write name=value,name=value".to_owned());
        }
        let value = decode(value.trim())?;
        pairs.retain(|(earlier, _)| *earlier != name);
        pairs.push((name, value));
    }
    Ok(pairs)
}

/// What the variables say for one signal, without the endpoint of the signal itself.
#[derive(Clone, Debug)]
struct Settings {
    protocol: Kind,
    base: String,
    headers: Vec<(String, String)>,
    compression: ForwardCompression,
    timeout: Duration,
    ca_file: Option<PathBuf>,
    cert_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    proxy: Proxy,
}

impl Settings {
    /// The settings, and the URL that is used as it is if the signal has one of its own.
    fn of(signal: Signal, env: &Env, warnings: &mut Vec<String>) -> Result<(Self, Option<String>), String> {
        let look = |suffix: &str| variable(env, signal, suffix);
        let mut warn = |name: &str, problem: &str| warnings.push(format!("{name} {problem}; it is left out"));

        let protocol = match look("PROTOCOL").map(|(name, text)| (name, text.to_ascii_lowercase())) {
            Some((_, word)) if word == "grpc" => Kind::OTLP_GRPC,
            Some((_, word)) if word == "http/protobuf" || word == "http/json" => Kind::OTLP_HTTP,
            Some((name, _)) => {
                warn(&name, "is none of grpc, http/protobuf, http/json");
                Kind::OTLP_HTTP
            }
            None => Kind::OTLP_HTTP,
        };
        let default = DestinationConfig::new("env", "");
        let compression = match look("COMPRESSION").map(|(name, text)| (name, text.to_ascii_lowercase())) {
            Some((_, word)) if word == "gzip" => ForwardCompression::Gzip,
            Some((_, word)) if word == "none" => ForwardCompression::None,
            Some((name, _)) => {
                warn(&name, "is none of gzip, none");
                default.compression
            }
            None => default.compression,
        };
        let timeout = match look("TIMEOUT").map(|(name, text)| (name, text.trim().parse::<u64>())) {
            Some((_, Ok(millis))) if millis > 0 => Duration::from_millis(millis),
            Some((name, _)) => {
                warn(&name, "is not a whole number of milliseconds above 0");
                default.timeout
            }
            None => default.timeout,
        };
        let headers = match look("HEADERS").map(|(name, text)| (name, pairs(text))) {
            Some((name, Ok(headers))) => {
                let (good, bad): (Vec<_>, Vec<_>) = headers.into_iter().partition(|(key, value)| is_header(key, value));
                if !bad.is_empty() {
                    warn(&name, "has entries that cannot be headers; the others are kept");
                }
                good
            }
            Some((name, Err(problem))) => {
                warn(&name, &problem);
                Vec::new()
            }
            None => Vec::new(),
        };
        let plain = look("INSECURE").is_some_and(|(_, text)| text.eq_ignore_ascii_case("true"));
        let url = |name: &str, text: &str| {
            // Over gRPC the variable may name a target instead of a URL.
            let whole = match (protocol == Kind::OTLP_GRPC && !text.contains("://"), plain) {
                (true, true) => format!("http://{text}"),
                (true, false) => format!("https://{text}"),
                (false, _) => text.to_owned(),
            };
            check_url(&whole).map_err(|problem| format!("{name} {problem}"))
        };
        let own_name = format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", upper(signal));
        let own_endpoint = set(env, &own_name).map(|text| url(&own_name, text)).transpose()?;
        let general = "OTEL_EXPORTER_OTLP_ENDPOINT";
        let base = match (set(env, general), &own_endpoint) {
            (Some(text), _) => url(general, text)?,
            (None, Some(own)) => own.clone(),
            (None, None) if protocol == Kind::OTLP_GRPC => "http://localhost:4317".to_owned(),
            (None, None) => "http://localhost:4318".to_owned(),
        };
        let file = |suffix: &str| look(suffix).map(|(_, text)| PathBuf::from(text));
        let settings = Self {
            protocol,
            base,
            headers,
            compression,
            timeout,
            ca_file: file("CERTIFICATE"),
            cert_file: file("CLIENT_CERTIFICATE"),
            key_file: file("CLIENT_KEY"),
            proxy: Proxy { through: Through::Environment(Variables::of(env, warnings)), tls: Tls::default() },
        };
        if settings.cert_file.is_some() != settings.key_file.is_some() {
            return Err(
                "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY belong together: set both"
                    .to_owned(),
            );
        }
        Ok((settings, own_endpoint))
    }

    /// Whether one destination can serve both. A base URL that is not used does not count.
    fn same(&self, other: &Self, base_is_unused: bool) -> bool {
        let rest = |s: &Self| (s.protocol, s.headers.clone(), s.compression, s.timeout);
        let files = |s: &Self| (s.ca_file.clone(), s.cert_file.clone(), s.key_file.clone());
        rest(self) == rest(other) && files(self) == files(other) && (base_is_unused || self.base == other.base)
    }

    fn destination(&self) -> DestinationConfig {
        let mut destination = DestinationConfig::new("env", self.base.clone());
        destination.protocol = self.protocol;
        destination.signals = PerSignal::all(false);
        destination.compression = self.compression;
        destination.timeout = self.timeout;
        destination.headers =
            self.headers.iter().map(|(name, value)| (name.clone(), Secret::from(value.clone()))).collect();
        destination.proxy = self.proxy.clone();
        destination.tls.ca_file.clone_from(&self.ca_file);
        destination.tls.cert_file.clone_from(&self.cert_file);
        destination.tls.key_file.clone_from(&self.key_file);
        destination
    }
}

fn set<'a>(env: &'a Env, name: &str) -> Option<&'a str> {
    env.get(name).map(String::as_str).filter(|text| !text.trim().is_empty())
}

/// The variable of the signal, else the general one, with its name.
fn variable<'a>(env: &'a Env, signal: Signal, suffix: &str) -> Option<(String, &'a str)> {
    let names = [format!("OTEL_EXPORTER_OTLP_{}_{suffix}", upper(signal)), format!("OTEL_EXPORTER_OTLP_{suffix}")];
    names.into_iter().find_map(|name| set(env, &name).map(|text| (name, text)))
}

fn upper(signal: Signal) -> String {
    signal.as_str().to_ascii_uppercase()
}

fn is_header(name: &str, value: &str) -> bool {
    http::HeaderName::from_bytes(name.as_bytes()).is_ok() && http::HeaderValue::from_str(value).is_ok()
}

fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let digits = (first == b'%').then(|| hex_pair(tail));
        match digits {
            Some(Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            Some(None) => return Err("has a `%` that no two hexadecimal digits follow: write it as %25".to_owned()),
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8 when percent-decoded".to_owned())
}

fn hex_pair(bytes: &[u8]) -> Option<u8> {
    let two = bytes.get(..2).filter(|two| two.iter().all(u8::is_ascii_hexdigit))?;
    u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()
}
