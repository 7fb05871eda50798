//! The raw tree to [`Config`]: every key once, then what must hold between keys.

use std::collections::BTreeMap;
use std::time::Duration;

use otlp_arrow_base::PerSignal;
use otlp_arrow_columns::Signal;
use otlp_arrow_store::settings::{Durability, Retention, Rotation, Sealing};
use secrecy::SecretString;

use super::choice::{Choice, DurabilityWord, StrategyWord};
use super::destination::*;
use super::keys::{self, KEYS};
use super::raw::{Node, Origin, Raw};
use super::read::{HIDDEN, Reader, plain};
use super::types::*;
use super::units::show_duration;
use super::{hint, otel_env};

/// The defaults alone.
pub(crate) fn defaults() -> Config {
    let root = Node::map(Origin::Default);
    let env = BTreeMap::new();
    config(&mut Reader::new(&root, &env), &root, &env, &mut Vec::new())
}

/// Reads every key of the tree; what is wrong is left in the reader.
pub(crate) fn config(
    reader: &mut Reader<'_>,
    root: &Node,
    env: &BTreeMap<String, String>,
    warnings: &mut Vec<String>,
) -> Config {
    check_names(root, "", reader);
    let output_dir = reader.path("output_dir").unwrap_or_default();
    let durability = durability(reader);
    let config = Config {
        output_dir,
        durability,
        commit_interval: reader.duration("commit_interval"),
        buffer: Buffer { max_bytes: reader.memory("buffer.max_bytes") },
        limits: Limits {
            max_request_memory: reader.memory("limits.max_request_memory"),
            max_body: reader.memory("limits.max_body"),
            max_connections: count(reader, "limits.max_connections"),
            max_streams: count(reader, "limits.max_streams"),
            nesting: count(reader, "limits.nesting"),
            header_bytes: u32::try_from(reader.size("limits.header_bytes")).unwrap_or(u32::MAX),
            timeout: reader.duration("limits.timeout"),
        },
        sealing: Sealing { compression: reader.choice("sealing.compression"), level: count(reader, "sealing.level") },
        storage: Storage { min_free_bytes: reader.size("storage.min_free_bytes") },
        listen: Listen { grpc: reader.address("listen.grpc"), http: reader.address("listen.http") },
        insecure: reader.flag("insecure"),
        protocols: Protocols {
            otlp_grpc: reader.flag("protocols.otlp_grpc"),
            otlp_http: reader.flag("protocols.otlp_http"),
        },
        rotation: Rotation {
            max_bytes: reader.size("rotation.max_bytes"),
            max_age: reader.duration("rotation.max_age"),
        },
        retention: Retention {
            max_age: PerSignal::from_fn(|signal| reader.duration(&format!("retention.{signal}.max_age"))),
            max_bytes: reader.size("retention.max_bytes"),
        },
        forward: forward(reader, env, warnings),
        resource: resource(reader, env, warnings),
        on_event: OnEvent { webhook: webhook(reader), command: reader.command("on_event.command") },
        log: Log { level: reader.choice("log.level"), format: reader.choice("log.format") },
        shutdown_timeout: reader.duration("shutdown_timeout"),
    };
    for conflict in conflicts(&config) {
        let blamed = conflict.keys.iter().find(|key| reader.is_set(key)).unwrap_or(&conflict.keys[0]);
        reader.fail(blamed, &conflict.problem);
    }
    config
}

fn durability(reader: &mut Reader<'_>) -> Durability {
    let chosen: DurabilityWord = reader.choice("durability");
    if chosen != DurabilityWord::Buffered && reader.is_set("write_interval") {
        let word = chosen.word();
        reader.fail(
            "write_interval",
            &format!("has no meaning with durability: {word}: leave it out, or set durability: buffered"),
        );
    }
    match chosen {
        DurabilityWord::Buffered => Durability::Buffered { write_interval: reader.duration("write_interval") },
        DurabilityWord::Written => Durability::Written,
        DurabilityWord::Synced => Durability::Synced,
    }
}

fn webhook(reader: &mut Reader<'_>) -> Option<SecretString> {
    use secrecy::ExposeSecret;
    let url = reader.secret("on_event.webhook")?;
    if super::read::check_url(url.expose_secret()).is_err() {
        reader.fail("on_event.webhook", &format!("= {HIDDEN} is not an http or https URL"));
    }
    Some(url)
}

/// What was given on top of what the OpenTelemetry variables say, in that order.
fn resource(
    reader: &mut Reader<'_>,
    env: &BTreeMap<String, String>,
    warnings: &mut Vec<String>,
) -> Vec<(String, String)> {
    let mut attributes = otel_env::resource(env, warnings);
    let from_env = !attributes.is_empty();
    let given = reader.attributes("resource");
    if from_env {
        reader.settings.retain(|setting| setting.key != "resource");
    }
    for (name, value) in given {
        match attributes.iter_mut().find(|(earlier, _)| *earlier == name) {
            Some((_, earlier)) => *earlier = value,
            None => attributes.push((name, value)),
        }
    }
    if from_env {
        let pairs: Vec<String> =
            attributes.iter().map(|(name, value)| format!("{}: {}", plain(name), plain(value))).collect();
        let origin = match reader.origin("resource") {
            Origin::Default => Origin::Variable("OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES".to_owned()),
            given => given,
        };
        reader.record("resource", format!("{{{}}}", pairs.join(", ")), origin);
    }
    attributes
}

fn forward(reader: &mut Reader<'_>, env: &BTreeMap<String, String>, warnings: &mut Vec<String>) -> Vec<Destination> {
    let Some(node) = reader.at("forward") else { return Vec::new() };
    let Raw::List(items) = &node.raw else { return Vec::new() };
    let mut destinations = Vec::new();
    for (position, item) in items.iter().enumerate() {
        match &item.raw {
            Raw::Text(text) if text == "env" => match otel_env::destinations(env, warnings) {
                Ok(found) => {
                    reader.record(&format!("forward[{position}]"), "env".to_owned(), item.origin.clone());
                    destinations.extend(found);
                }
                Err(problem) => reader.fail(&format!("forward[{position}]"), &format!("= env: {problem}")),
            },
            Raw::Map(_) => destinations.push(destination(reader, position, items.len())),
            _ => reader.fail(
                &format!("forward[{position}]"),
                "is not a destination: write {endpoint: http://collector:4317}, a list of such, or env for the OTEL_EXPORTER_OTLP_* variables",
            ),
        }
    }
    destinations
}

/// A destination of which nothing but name and address is said.
pub(crate) fn default_destination(name: String, endpoint: String) -> Destination {
    let (root, env) = (Node::map(Origin::Default), BTreeMap::new());
    Destination { name, endpoint, ..destination_at(&mut Reader::new(&root, &env), "forward[0]") }
}

fn destination(reader: &mut Reader<'_>, position: usize, of: usize) -> Destination {
    let at = |key: &str| format!("forward[{position}].{key}");
    let name = reader.name(&at("name"));
    let endpoint = reader.url(&at("endpoint"));
    let mut destination = destination_at(reader, &format!("forward[{position}]"));
    let missing = endpoint.is_none() && !reader.is_set(&at("endpoint"));
    if missing && destination.protocol != ForwardProtocol::Stdout {
        let origin = reader.origin(&format!("forward[{position}]"));
        reader.errors.push(format!(
            "{} is missing: say where to forward to, such as http://collector:4317 (from {origin})",
            at("endpoint")
        ));
    }
    destination.name = name.unwrap_or_else(|| if of == 1 { "default".to_owned() } else { position.to_string() });
    destination.endpoint = endpoint.unwrap_or_default();
    check_tls(reader, &at("tls"), &destination);
    let in_order = |reader: &mut Reader<'_>, low: &str, low_value: Duration, high: &str, high_value: Duration| {
        if low_value > high_value {
            let (key, wrong) = if reader.is_set(&at(low)) { (low, low_value) } else { (high, high_value) };
            let bounds =
                format!("{low} ({}) is above {high} ({})", show_duration(low_value), show_duration(high_value));
            reader.fail(&at(key), &format!("= {} does not fit: {bounds}", show_duration(wrong)));
        }
    };
    in_order(reader, "retry.initial", destination.retry.initial, "retry.max", destination.retry.max);
    in_order(reader, "breaker.open", destination.breaker.open, "breaker.max_open", destination.breaker.max_open);
    destination
}

/// What stands below `prefix`, but for name and address.
fn destination_at(reader: &mut Reader<'_>, prefix: &str) -> Destination {
    let at = |key: &str| format!("{prefix}.{key}");
    Destination {
        name: String::new(),
        endpoint: String::new(),
        signal_endpoints: PerSignal::default(),
        protocol: reader.choice(&at("protocol")),
        signals: reader.signals(&at("signals")),
        compression: reader.choice(&at("compression")),
        timeout: reader.duration(&at("timeout")),
        max_in_flight: count(reader, &at("max_in_flight")),
        memory: reader.memory(&at("memory")),
        headers: reader.headers(&at("headers")),
        auth: auth(reader, &at("auth")),
        tls: Tls {
            ca_file: reader.path(&at("tls.ca_file")),
            cert_file: reader.path(&at("tls.cert_file")),
            key_file: reader.path(&at("tls.key_file")),
            server_name: reader.text(&at("tls.server_name")),
        },
        retry: Retry {
            initial: reader.duration(&at("retry.initial")),
            max: reader.duration(&at("retry.max")),
            multiplier: reader.number(&at("retry.multiplier")),
        },
        breaker: breaker(reader, &at("breaker")),
    }
}

fn auth(reader: &mut Reader<'_>, at: &str) -> Auth {
    let kinds = ["bearer", "api_key", "basic"];
    let given: Vec<&str> = kinds.into_iter().filter(|kind| reader.is_set(&format!("{at}.{kind}"))).collect();
    let required = |reader: &mut Reader<'_>, key: &str| {
        let path = format!("{at}.{key}");
        if !reader.is_set(&path) {
            let origin = reader.origin(at);
            reader.errors.push(format!("{path} is missing (from {origin})"));
        }
    };
    match given.as_slice() {
        [] => Auth::None,
        ["bearer"] => header_secret(reader, &format!("{at}.bearer")).map_or(Auth::None, Auth::Bearer),
        ["api_key"] => {
            required(reader, "api_key.key");
            let header = reader.name(&format!("{at}.api_key.header")).unwrap_or_default();
            header_secret(reader, &format!("{at}.api_key.key")).map_or(Auth::None, |key| Auth::ApiKey { header, key })
        }
        ["basic"] => {
            required(reader, "basic.username");
            required(reader, "basic.password");
            let username = reader.text(&format!("{at}.basic.username")).unwrap_or_default();
            reader
                .secret(&format!("{at}.basic.password"))
                .map_or(Auth::None, |password| Auth::Basic { username, password })
        }
        several => {
            reader.fail(at, &format!("has {}: choose one", several.join(" and ")));
            Auth::None
        }
    }
}

/// A secret that goes into a header as it is.
fn header_secret(reader: &mut Reader<'_>, path: &str) -> Option<SecretString> {
    use secrecy::ExposeSecret;
    let secret = reader.secret(path)?;
    if http::HeaderValue::from_str(secret.expose_secret()).is_err() {
        reader.fail(path, &format!("= {HIDDEN} has characters that no header may have, such as a line break"));
    }
    Some(secret)
}

fn check_tls(reader: &mut Reader<'_>, at: &str, destination: &Destination) {
    let tls = &destination.tls;
    if tls.cert_file.is_some() != tls.key_file.is_some() {
        reader.fail(at, "needs cert_file and key_file together");
    }
    if *tls != Tls::default() && destination.endpoint.starts_with("http://") {
        reader.fail(at, &format!("has no meaning with {}: use https:// or leave it out", destination.endpoint));
    }
    for (key, file) in [("ca_file", &tls.ca_file), ("cert_file", &tls.cert_file), ("key_file", &tls.key_file)] {
        if let Some(Err(error)) = file.as_ref().map(std::fs::File::open) {
            reader.fail(&format!("{at}.{key}"), &format!("cannot be read: {error}"));
        }
    }
}

fn breaker(reader: &mut Reader<'_>, at: &str) -> Breaker {
    let strategy: StrategyWord = reader.choice(&format!("{at}.strategy"));
    let foreign: &[&str] = match strategy {
        StrategyWord::ConsecutiveFailures => &["rate", "minimum", "window"],
        StrategyWord::FailureRate => &["failures"],
    };
    for key in foreign {
        let path = format!("{at}.{key}");
        if reader.is_set(&path) {
            let word = strategy.word();
            reader.fail(&path, &format!("has no meaning with strategy: {word}: leave it out or change the strategy"));
        }
    }
    let strategy = match strategy {
        StrategyWord::FailureRate => BreakerConfig::FailureRate {
            rate: reader.number(&format!("{at}.rate")),
            minimum: count(reader, &format!("{at}.minimum")),
            window: reader.duration(&format!("{at}.window")),
        },
        StrategyWord::ConsecutiveFailures => {
            BreakerConfig::ConsecutiveFailures { failures: count(reader, &format!("{at}.failures")) }
        }
    };
    Breaker {
        strategy,
        open: reader.duration(&format!("{at}.open")),
        max_open: reader.duration(&format!("{at}.max_open")),
    }
}

fn count<T: TryFrom<u64> + Default>(reader: &mut Reader<'_>, path: &str) -> T {
    T::try_from(reader.count(path)).unwrap_or_default()
}

/// A rule between keys that does not hold: the keys it is about, the one to blame first, and what is wrong.
pub(crate) struct Conflict {
    keys: Vec<String>,
    problem: String,
}

impl Conflict {
    fn new(key: &str, problem: String) -> Self {
        Self { keys: vec![key.to_owned()], problem }
    }
}

impl std::fmt::Display for Conflict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.keys[0], self.problem)
    }
}

/// What must hold between keys that are each right.
pub(crate) fn conflicts(config: &Config) -> Vec<Conflict> {
    let mut found = Vec::new();
    for signal in Signal::ALL {
        let (rotation, retention) = (config.rotation.max_age, config.retention.max_age(signal));
        if rotation > retention / 4 {
            let key = format!("retention.{signal}.max_age");
            let problem = format!(
                "does not fit: rotation.max_age ({}) must be at most a quarter of {key} ({}), because whole files are deleted",
                show_duration(rotation),
                show_duration(retention)
            );
            found.push(Conflict { keys: vec!["rotation.max_age".to_owned(), key], problem });
        }
    }
    let listeners = [("listen.grpc", config.listen.grpc), ("listen.http", config.listen.http)];
    for (key, address) in listeners {
        if let Some(address) = address.filter(|address| !address.ip().to_canonical().is_loopback() && !config.insecure)
        {
            let problem = format!(
                "= {address} can be reached from other machines and asks for no credentials: listen on 127.0.0.1:{}, or accept that with insecure: true (--insecure on the command line)",
                address.port()
            );
            found.push(Conflict::new(key, problem));
        }
    }
    for (position, destination) in config.forward.iter().enumerate() {
        // Each has folders of its name, and file systems of macOS and Windows do not tell letter case apart.
        if config.forward[..position].iter().any(|earlier| earlier.name.eq_ignore_ascii_case(&destination.name)) {
            let problem = format!("has two destinations named {}: give each a name of its own", destination.name);
            found.push(Conflict::new("forward", problem));
        }
        let urls = destination.signal_endpoints.values().flatten().chain([&destination.endpoint]);
        let looped = urls.filter_map(|url| local_port(url)).find_map(|port| {
            listeners.iter().find(|(_, address)| address.is_some_and(|address| address.port() == port))
        });
        if let Some((key, _)) = looped {
            let problem = format!(
                "sends {} to {}, which is this program's own {key}: data would go round for ever",
                destination.name, destination.endpoint
            );
            found.push(Conflict::new("forward", problem));
        }
    }
    found
}

/// The port of a URL on this machine.
fn local_port(url: &str) -> Option<u16> {
    let uri: http::Uri = url.parse().ok()?;
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    let local = host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified());
    let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    local.then(|| uri.port_u16().unwrap_or(default))
}

/// Every name in the tree must be in the table.
fn check_names(node: &Node, prefix: &str, reader: &mut Reader<'_>) {
    let Raw::Map(entries) = &node.raw else { return };
    let known = keys::children(prefix);
    for (name, child) in entries {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if !known.contains(&name.as_str()) {
            reader.errors.push(unknown(&path, name, prefix, &known, &child.origin));
            continue;
        }
        if keys::lookup(&path).is_some() {
            continue;
        }
        match &child.raw {
            Raw::Null => {}
            Raw::List(items) if path == "forward" => {
                for item in items {
                    check_names(item, "forward[]", reader);
                }
            }
            Raw::Map(_) => check_names(child, &path, reader),
            _ => {
                let below = keys::children(&path).join(", ");
                reader.errors.push(format!("{path} takes keys of its own: {below} (from {})", child.origin));
            }
        }
    }
}

fn unknown(path: &str, name: &str, prefix: &str, known: &[&str], origin: &Origin) -> String {
    let elsewhere = || {
        let last = |key: &'static str| key.rsplit('.').next().unwrap_or(key);
        let nested = KEYS.iter().find(|key| key.path == name).map(|key| key.path);
        nested.or_else(|| {
            let near = hint::nearest(name, KEYS.iter().map(|key| last(key.path)))?;
            KEYS.iter().map(|key| key.path).find(|path| last(path) == near)
        })
    };
    let remedy = match hint::nearest(name, known.iter().copied()) {
        Some(near) if prefix.is_empty() => format!("did you mean {near}?"),
        Some(near) => format!("did you mean {prefix}.{near}?"),
        None => match elsewhere() {
            Some(near) if near == name => format!("write it nested: {}", nested(near)),
            Some(near) => format!("did you mean {near}?"),
            None => format!("known here: {}", known.join(", ")),
        },
    };
    format!("{path} is not a key: {remedy} (from {origin})")
}

/// `buffer.max_bytes` as it is written in a file.
fn nested(path: &str) -> String {
    let mut segments = path.rsplit('.');
    let last = format!("{}: …", segments.next().unwrap_or_default());
    segments.fold(last, |inner, segment| format!("{segment}: {{{inner}}}"))
}
