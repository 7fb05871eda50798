//! The raw tree to [`Config`]: every key once, then what must hold between keys.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use otlp_arrow_base::PerSignal;
use otlp_arrow_columns::Signal;
use otlp_arrow_store::settings::{Durability, Retention, Rotation, Sealing};

use super::choice::{Choice, DurabilityWord};
use super::forward::forward;
use super::keys::{self, Table};
use super::own_address::{host_and_port, reaches, spelled};
use super::raw::{Node, Origin, Raw};
use super::read::{HIDDEN, Reader, plain};
use super::types::*;
use super::units::show_duration;
use super::{built_in, hint, otel_env, request_memory, storage};
use crate::destinations::{Secret, Target};

/// The defaults alone.
pub(crate) fn defaults() -> Config {
    let root = Node::map(Origin::Default);
    let env = BTreeMap::new();
    config(&mut Reader::new(keys::standard(), &root, &env), &root, &env, &mut Vec::new())
}

/// Reads every key of the tree; what is wrong is left in the reader.
pub(crate) fn config(
    reader: &mut Reader<'_>,
    root: &Node,
    env: &BTreeMap<String, String>,
    warnings: &mut Vec<String>,
) -> Config {
    check_names(root, "", reader);
    built_in::check_keys(reader);
    storage::check_keys(reader);
    let output_dir = reader.path("output_dir").unwrap_or_default();
    let durability = durability(reader);
    let buffer = Buffer { max_bytes: reader.memory("buffer.max_bytes") };
    request_memory::set_defaults(reader, buffer.max_bytes);
    let mut config = Config {
        output_dir,
        durability,
        commit_interval: reader.duration("commit_interval"),
        buffer,
        limits: Limits {
            max_request_memory: reader.memory("limits.max_request_memory"),
            max_body: reader.memory("limits.max_body"),
            max_connections: reader.count_as("limits.max_connections"),
            max_streams: reader.count_as("limits.max_streams"),
            nesting: reader.count_as("limits.nesting"),
            header_bytes: u32::try_from(reader.size("limits.header_bytes")).unwrap_or(u32::MAX),
            timeout: reader.duration("limits.timeout"),
        },
        sealing: Sealing { compression: reader.choice("sealing.compression"), level: reader.count_as("sealing.level") },
        storage: Storage {
            min_free_bytes: reader.size("storage.min_free_bytes"),
            mode: reader.mode("storage.mode"),
            group: reader.text("storage.group"),
        },
        listen: Listen { grpc: reader.address("listen.grpc"), http: reader.address("listen.http") },
        insecure: reader.flag("insecure"),
        protocols: Protocols {
            otlp_grpc: reader.flag("protocols.otlp_grpc"),
            otlp_http: reader.flag("protocols.otlp_http"),
            otap: reader.flag("protocols.otap"),
            api: reader.flag("protocols.api"),
            flight: reader.flag("protocols.flight"),
        },
        dashboard: reader.flag("dashboard"),
        mcp: reader.flag("mcp"),
        rotation: Rotation {
            max_bytes: reader.size("rotation.max_bytes"),
            max_age: reader.duration("rotation.max_age"),
        },
        retention: Retention {
            max_age: PerSignal::from_fn(|signal| reader.duration(&format!("retention.{signal}.max_age"))),
            max_bytes: reader.size("retention.max_bytes"),
        },
        forward: forward(reader, env, warnings),
        query: Query {
            timeout: reader.duration("query.timeout"),
            max_memory: reader.memory("query.max_memory"),
            max_rows: reader.count_as("query.max_rows"),
            max_concurrent: reader.count_as("query.max_concurrent"),
            index_memory: reader.memory("query.index_memory"),
        },
        resource: resource(reader, env, warnings),
        on_event: OnEvent { webhook: webhook(reader), command: reader.command("on_event.command") },
        log: Log { level: reader.choice("log.level"), format: reader.choice("log.format") },
        shutdown_timeout: reader.duration("shutdown_timeout"),
        fit: Fit { at_open: true, makes_way: !reader.is_set("retention.max_bytes") },
    };
    fit_to_listeners(&mut config, reader);
    for conflict in conflicts(&config) {
        let blamed = conflict.keys.iter().find(|key| reader.is_set(key)).unwrap_or(&conflict.keys[0]);
        reader.fail(blamed, &conflict.problem);
    }
    config
}

/// The service has the dashboard and the tools for agents where it can; who asks for them is told where they cannot be.
fn fit_to_listeners(config: &mut Config, reader: &mut Reader<'_>) {
    let listens = config.listen.grpc.is_some() || config.listen.http.is_some();
    let mut fit = |key: &str, on: &mut bool, can: bool| {
        if *on && !can && reader.origin(key) == Origin::Default {
            *on = false;
            reader.settings.iter_mut().filter(|setting| setting.key == key).for_each(|off| off.value = "false".into());
        }
    };
    fit("dashboard", &mut config.dashboard, listens && config.protocols.api);
    fit("mcp", &mut config.mcp, listens);
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

fn webhook(reader: &mut Reader<'_>) -> Option<Secret> {
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
    if let Err((key, problem)) = storage::access(&config.storage) {
        found.push(Conflict::new(key, problem));
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
    if config.dashboard && listeners.iter().all(|(_, address)| address.is_none()) {
        let problem =
            "= true, and nothing is listened on where it could be looked at: set listen: true, or leave it out";
        found.push(Conflict::new("dashboard", problem.to_owned()));
    } else if config.dashboard && !config.protocols.api {
        let problem =
            "= true needs protocols.api, which it asks: leave protocols.api: false out, or set dashboard: false";
        found.push(Conflict::new("dashboard", problem.to_owned()));
    }
    if config.mcp && listeners.iter().all(|(_, address)| address.is_none()) {
        let problem = "= true, and nothing is listened on where agents could ask: set listen: true, or leave it out; `otlp-arrow mcp` reads the directory without";
        found.push(Conflict::new("mcp", problem.to_owned()));
    }
    for (position, destination) in config.forward.iter().enumerate() {
        // Each has folders of its name, and file systems of macOS and Windows do not tell letter case apart.
        if config.forward[..position].iter().any(|earlier| earlier.name.eq_ignore_ascii_case(&destination.name)) {
            let problem = format!("has two destinations named {}: give each a name of its own", destination.name);
            found.push(Conflict::new("forward", problem));
        }
        let target = destination.protocol.spec().target;
        let Target::Url { .. } = target else { continue };
        let urls = destination.signal_endpoints.values().flatten().chain([&destination.endpoint]);
        // Names and other addresses of this machine are looked at when it starts.
        let mut known = urls.filter_map(|url| {
            let (host, port) = host_and_port(url, target)?;
            Some((spelled(&host)?, port))
        });
        let looped = known.find_map(|(address, port)| {
            let reached =
                |listener: Option<SocketAddr>| listener.is_some_and(|at| reaches(address, port, at, |_| false));
            listeners.iter().find(|(_, listener)| reached(*listener))
        });
        if let Some((key, _)) = looped {
            let problem = format!(
                "sends {} to {}, which is this program's own {key}: this would create a forwarding loop",
                destination.name, destination.endpoint
            );
            found.push(Conflict::new("forward", problem));
        }
    }
    found
}

/// Every name in the tree must be in the table.
fn check_names(node: &Node, prefix: &str, reader: &mut Reader<'_>) {
    let Raw::Map(entries) = &node.raw else { return };
    let table = reader.table();
    let known = table.children(prefix);
    for (name, child) in entries {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if !known.contains(&name.as_str()) {
            let problem = unknown(table, &path, name, prefix);
            reader.errors.push(format!("{problem} (from {})", child.origin));
            continue;
        }
        if table.lookup(&path).is_some() {
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
                let below = table.children(&path).join(", ");
                reader.errors.push(format!("{path} takes keys of its own: {below} (from {})", child.origin));
            }
        }
    }
}

/// That `path`, which is `name` below `prefix`, is not a key, and which one was meant.
pub(super) fn unknown(table: &Table, path: &str, name: &str, prefix: &str) -> String {
    let known = table.children(prefix);
    let elsewhere = || {
        let paths = || table.keys().iter().map(|key| &*key.path);
        let last = |path: &'_ str| path.rsplit('.').next().map_or(0, |name| path.len() - name.len());
        paths().find(|path| *path == name || path.replace('.', "_") == name).or_else(|| {
            let near = hint::nearest(name, paths().map(|path| &path[last(path)..]))?;
            paths().find(|path| &path[last(path)..] == near)
        })
    };
    let remedy = match hint::nearest(name, known.iter().copied()) {
        Some(near) if prefix.is_empty() => format!("did you mean {near}?"),
        Some(near) => format!("did you mean {prefix}.{near}?"),
        None if known.is_empty() => format!("{prefix} has no keys of its own"),
        None => match elsewhere() {
            Some(near) if near == name => format!("write it nested: {}", nested(near)),
            Some(near) => format!("did you mean {near}?"),
            None => format!("known here: {}", known.join(", ")),
        },
    };
    format!("{} is not a key: {remedy}", otlp_arrow_base::terminal::one_line(path))
}

/// `buffer.max_bytes` as it is written in a file.
fn nested(path: &str) -> String {
    let mut segments = path.rsplit('.');
    let last = format!("{}: …", segments.next().unwrap_or_default());
    segments.fold(last, |inner, segment| format!("{segment}: {{{inner}}}"))
}
