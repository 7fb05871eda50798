//! The keys of `forward` to destinations: those of every destination, and those of its kind.

use std::collections::BTreeMap;
use std::time::Duration;

use otlp_arrow_base::PerSignal;
use otlp_arrow_columns::Signal;

use super::choice::{Choice, StrategyWord};
use super::keys::Table;
use super::otel_env;
use super::proxy::proxy;
use super::raw::{Node, Origin, Raw};
use super::read::{HIDDEN, Reader};
use super::tls::tls;
use super::units::show_duration;
use crate::destinations::{
    Auth, Breaker, BreakerConfig, DestinationConfig, Kind, Kinds, Options, Proxy, Retry, Secret, Target, Tls,
};

/// Reads `forward`.
pub(super) fn forward(
    reader: &mut Reader<'_>,
    env: &BTreeMap<String, String>,
    warnings: &mut Vec<String>,
) -> Vec<DestinationConfig> {
    let Some(node) = reader.at("forward") else { return Vec::new() };
    let Raw::List(items) = &node.raw else { return Vec::new() };
    if !cfg!(feature = "forward") {
        return Vec::new(); // Which is said of the key as a whole.
    }
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
            Raw::Map(_) => destinations.push(destination(reader, position, items.len(), env, warnings)),
            _ => reader.fail(
                &format!("forward[{position}]"),
                "is not a destination: write {endpoint: http://collector:4317}, a list of such, or env for the OTEL_EXPORTER_OTLP_* variables",
            ),
        }
    }
    destinations
}

/// A destination of which nothing but kind, name and address is said.
pub(super) fn default_destination(kind: Kind, name: String, endpoint: String) -> DestinationConfig {
    let (root, env, table) = (Node::map(Origin::Default), BTreeMap::new(), Table::new(&Kinds::default().with(kind)));
    let reader = &mut Reader::new(&table, &root, &env);
    let of_keys = destination_at(reader, "forward[0]", kind, None, &env, &mut Vec::new());
    DestinationConfig { name, endpoint, proxy: Proxy::default(), ..of_keys }
}

fn destination(
    reader: &mut Reader<'_>,
    position: usize,
    of: usize,
    env: &BTreeMap<String, String>,
    warnings: &mut Vec<String>,
) -> DestinationConfig {
    let prefix = format!("forward[{position}]");
    let at = |key: &str| format!("{prefix}.{key}");
    let name = reader.name(&at("name"));
    let endpoint = reader.url(&at("endpoint"));
    let kind = reader.kind_of_destination(&at("protocol"));
    let url = endpoint.as_deref().filter(|_| matches!(kind.spec().target, Target::Url { .. }));
    let mut destination = destination_at(reader, &prefix, kind, url, env, warnings);
    if let Target::Url { example, .. } = kind.spec().target
        && !reader.is_set(&at("endpoint"))
    {
        let origin = reader.origin(&prefix);
        reader
            .errors
            .push(format!("{} is missing: say where to forward to, such as {example} (from {origin})", at("endpoint")));
    }
    destination.name = name.unwrap_or_else(|| if of == 1 { "default".to_owned() } else { position.to_string() });
    destination.endpoint = endpoint.unwrap_or_default();
    check_kind(reader, &prefix, &destination);
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
fn destination_at(
    reader: &mut Reader<'_>,
    prefix: &str,
    kind: Kind,
    endpoint: Option<&str>,
    env: &BTreeMap<String, String>,
    warnings: &mut Vec<String>,
) -> DestinationConfig {
    let at = |key: &str| format!("{prefix}.{key}");
    let spec = kind.spec();
    reader.set_default(
        &at("signals"),
        spec.signals.iter().filter(|(_, can)| **can).map(|(signal, _)| signal.as_str()).collect::<Vec<_>>().join(", "),
    );
    for (key, default) in spec.defaults {
        reader.set_default(&at(key), (*default).to_owned());
    }
    DestinationConfig {
        name: String::new(),
        endpoint: String::new(),
        signal_endpoints: PerSignal::default(),
        protocol: kind,
        signals: reader.signals(&at("signals")),
        compression: reader.choice(&at("compression")),
        timeout: reader.duration(&at("timeout")),
        max_in_flight: reader.count_as(&at("max_in_flight")),
        memory: reader.memory(&at("memory")),
        headers: reader.headers(&at("headers")),
        auth: auth(reader, &at("auth")),
        tls: Tls { server_name: reader.text(&at("tls.server_name")), ..tls(reader, &at("tls")) },
        proxy: proxy(reader, &at("proxy"), endpoint, env, warnings),
        retry: Retry {
            initial: reader.duration(&at("retry.initial")),
            max: reader.duration(&at("retry.max")),
            multiplier: reader.number(&at("retry.multiplier")),
        },
        breaker: breaker(reader, &at("breaker")),
        options: options(reader, &at(spec.name), kind),
    }
}

/// The keys that the kind has of its own.
fn options(reader: &mut Reader<'_>, at: &str, kind: Kind) -> Options {
    let mut options = Options::default();
    for key in kind.spec().keys {
        if let Some(value) = reader.option(&format!("{at}.{}", key.path), &key.kind) {
            options.set(&*key.path, value);
        }
    }
    options
}

/// What the kind cannot do, and keys of other kinds.
fn check_kind(reader: &mut Reader<'_>, prefix: &str, destination: &DestinationConfig) {
    let spec = destination.protocol.spec();
    let others: Vec<&str> = reader.kinds().map(Kind::name).filter(|name| *name != spec.name).collect();
    for other in others {
        let path = format!("{prefix}.{other}");
        if reader.is_set(&path) {
            let name = spec.name;
            let problem = format!("has no meaning with protocol: {name}: leave it out, or set protocol: {other}");
            reader.fail(&path, &problem);
        }
    }
    let cannot = |(signal, taken): (Signal, &bool)| (*taken && !spec.signals[signal]).then_some(signal.as_str());
    let cannot: Vec<&str> = destination.signals.iter().filter_map(cannot).collect();
    if !cannot.is_empty() {
        let problem = format!("has {}, which {} does not take: leave them out", cannot.join(" and "), spec.name);
        reader.fail(&format!("{prefix}.signals"), &problem);
    }
}

fn auth(reader: &mut Reader<'_>, at: &str) -> Auth {
    use secrecy::ExposeSecret;
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
            let username = reader.secret(&format!("{at}.basic.username"));
            let username = username.map(|name| name.expose_secret().to_owned()).unwrap_or_default();
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
fn header_secret(reader: &mut Reader<'_>, path: &str) -> Option<Secret> {
    use secrecy::ExposeSecret;
    let secret = reader.secret(path)?;
    if http::HeaderValue::from_str(secret.expose_secret()).is_err() {
        reader.fail(path, &format!("= {HIDDEN} has characters that no header may have, such as a line break"));
    }
    Some(secret)
}

fn check_tls(reader: &mut Reader<'_>, at: &str, destination: &DestinationConfig) {
    let tls = &destination.tls;
    if *tls != Tls::default() && destination.endpoint.starts_with("http://") {
        reader.fail(at, &format!("has no meaning with {}: use https:// or leave it out", destination.endpoint));
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
            minimum: reader.count_as(&format!("{at}.minimum")),
            window: reader.duration(&format!("{at}.window")),
        },
        StrategyWord::ConsecutiveFailures => {
            BreakerConfig::ConsecutiveFailures { failures: reader.count_as(&format!("{at}.failures")) }
        }
    };
    Breaker {
        strategy,
        open: reader.duration(&format!("{at}.open")),
        max_open: reader.duration(&format!("{at}.max_open")),
    }
}
