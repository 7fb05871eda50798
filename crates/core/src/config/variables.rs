//! Which variables of the environment are settings.
//!
//! The prefix is not ours alone: Kubernetes tells every pod of a namespace where the service `otlp-arrow` is, and Docker
//! every container what it is linked to, in variables that begin like ours. So what is not a key is told and ignored, here
//! and nowhere else; a wrong value of a key stays an error.

use super::keys::Table;
use super::parse::unknown;
use super::raw::Origin;
use crate::key::Kind;

/// What variables that set a key begin with.
pub(super) const PREFIX: &str = "OTLP_ARROW_";
/// Names the configuration file.
pub(super) const FILE_VARIABLE: &str = "OTLP_ARROW_CONFIG";
/// Variables of our tests; what they change is not configuration.
const TEST_PREFIX: &str = "OTLP_ARROW_TEST_";
/// As well, in builds for tests; other builds know nothing of it.
#[cfg(feature = "failpoints")]
const TEST_VARIABLES: [&str; 1] = [otlp_arrow_store::failpoint::VARIABLE];
#[cfg(not(feature = "failpoints"))]
const TEST_VARIABLES: [&str; 0] = [];

/// What a variable is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Variable {
    /// It sets the key of this path.
    Sets(Vec<String>),
    /// Not ours, or nothing that sets a key.
    Other,
    /// A link that Kubernetes or Docker made.
    Link,
    /// Somebody meant a key that there is not; what is wrong, and the nearest right name.
    Unknown(String),
}

/// What the variable `name` is; `value` is asked where a link could be taken for a key.
pub(super) fn what_is(table: &Table, name: &str, value: &str) -> Variable {
    let ours = name != FILE_VARIABLE && !TEST_VARIABLES.contains(&name) && !name.starts_with(TEST_PREFIX);
    let Some(rest) = name.strip_prefix(PREFIX).filter(|rest| ours && !rest.is_empty()) else { return Variable::Other };
    let path: Vec<String> = rest.to_ascii_lowercase().split("__").map(str::to_owned).collect();
    match misplaced(table, &path) {
        None if is_link(rest, value) && is_link_value(value) => Variable::Link,
        None => Variable::Sets(path),
        Some(_) if is_link(rest, value) => Variable::Link,
        Some(at) => {
            let (prefix, name) = (template(&path[..at]), &path[at]);
            let known = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            Variable::Unknown(unknown(table, &known, name, &prefix))
        }
    }
}

/// What is to be told of variables that were ignored because they are links.
pub(super) fn links_ignored(names: &[&str]) -> String {
    format!(
        "{} are links that Kubernetes or Docker made of something called otlp-arrow, and no settings: they are ignored \
         (enableServiceLinks: false leaves them out)",
        names.join(", ")
    )
}

/// What is to be told of a variable that was ignored because it sets no key.
pub(super) fn unknown_ignored(name: &str, problem: &str) -> String {
    format!("{problem} (from {}); the variable is ignored", Origin::Variable(name.to_owned()))
}

/// The first segment of a path that no key has; `None` for a path that leads to a key, or to a group of keys.
fn misplaced(table: &Table, path: &[String]) -> Option<usize> {
    for end in 1..=path.len() {
        let (below, name) = (template(&path[..end - 1]), &path[end - 1]);
        match table.lookup(&below).map(|key| &key.kind) {
            // Names of the user's own, below which a secret may be a reference.
            Some(kind) if kind.is_open() => return None,
            Some(Kind::Secret | Kind::Proxy) if end == path.len() && matches!(name.as_str(), "env" | "file") => {
                return None;
            }
            Some(_) => return Some(end - 1),
            None => {}
        }
        let is_position = end == 2 && path[0] == "forward" && name.parse::<usize>().is_ok();
        if !is_position && !table.children(&below).contains(&name.as_str()) {
            return Some(end - 1);
        }
    }
    None
}

/// The table's name of a path: positions after `forward` are left out.
pub(super) fn template(path: &[String]) -> String {
    match path {
        [first, position, rest @ ..] if first == "forward" && position.parse::<usize>().is_ok() => {
            [&["forward[]".to_owned()], rest].concat().join(".")
        }
        [first, rest @ ..] if first == "forward" && !rest.is_empty() => {
            [&["forward[]".to_owned()], rest].concat().join(".")
        }
        [first] if first == "forward" => "forward[]".to_owned(),
        _ => path.join("."),
    }
}

/// Whether what follows our prefix is a name of Kubernetes (`SERVICE_HOST`, `SERVICE_PORT_GRPC`, `PORT_4317_TCP_ADDR`) or
/// of a Docker link (`NAME`, `ENV_…`), of a service or container whose name may go on after ours (`COLLECTOR_PORT`). What
/// a person may have written as well, such as `GRPC_PORT`, is one by its value only.
fn is_link(rest: &str, value: &str) -> bool {
    let words: Vec<&str> = rest.split('_').collect();
    let is_port = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    (0..words.len()).any(|at| match &words[at..] {
        ["SERVICE", "HOST"] | ["SERVICE", "PORT", ..] | ["ENV", _, ..] => true,
        ["PORT" | "NAME"] => is_link_value(value),
        ["PORT", port, "TCP" | "UDP" | "SCTP"] => is_port(port),
        ["PORT", port, "TCP" | "UDP" | "SCTP", "ADDR" | "PORT" | "PROTO"] => is_port(port),
        // Of a range of ports.
        ["PORT", port, "TCP" | "UDP" | "SCTP", "START" | "END" | "PORT", ..] => is_port(port),
        _ => false,
    })
}

/// Whether a value is what a link has and no setting: `tcp://10.96.0.12:4317`, or `/web/otlp-arrow` of a Docker name.
fn is_link_value(value: &str) -> bool {
    let address = ["tcp://", "udp://", "sctp://"].iter().find_map(|scheme| value.strip_prefix(scheme));
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let named = value.strip_prefix('/').and_then(|rest| rest.split_once('/'));
    address.and_then(|rest| rest.rsplit_once(':')).is_some_and(|(_, port)| is_port(port))
        || named.is_some_and(|(who, link)| !who.is_empty() && !link.is_empty() && !link.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::standard;

    fn of(name: &str, value: &str) -> Variable {
        what_is(standard(), name, value)
    }

    #[test]
    fn links_of_every_form_and_of_every_name_are_told_from_settings() {
        for service in ["", "COLLECTOR_", "FORWARD_", "OUTPUT_DIR_", "LISTEN_", "FORWARD__0_", "BUFFER__MAX_"] {
            for (rest, value) in [
                ("SERVICE_HOST", "10.96.0.12"),
                ("SERVICE_PORT", "4317"),
                ("SERVICE_PORT_GRPC", "4317"),
                ("SERVICE_PORT_OTLP_HTTP", "4318"),
                ("PORT", "tcp://10.96.0.12:4317"),
                ("PORT", "tcp://[fd00::12]:4317"),
                ("PORT_4317_TCP", "tcp://10.96.0.12:4317"),
                ("PORT_4317_TCP_ADDR", "10.96.0.12"),
                ("PORT_4317_TCP_PORT", "4317"),
                ("PORT_4317_TCP_PROTO", "tcp"),
                ("PORT_53_UDP", "udp://10.96.0.12:53"),
                ("PORT_53_UDP_PROTO", "udp"),
                ("PORT_9_SCTP_ADDR", "10.96.0.12"),
                ("PORT_4317_TCP_START", "tcp://172.17.0.2:4317"),
                ("PORT_4317_TCP_PORT_END", "4318"),
                ("NAME", "/web/otlp-arrow"),
                ("ENV_OUTPUT_DIR", "/data"),
                ("ENV_PATH", "/bin"),
            ] {
                let name = format!("OTLP_ARROW_{service}{rest}");
                assert_eq!(of(&name, value), Variable::Link, "{name}={value}");
            }
        }
    }

    #[test]
    fn where_a_link_has_the_name_of_a_key_the_value_tells() {
        let sets = |path: &[&str]| Variable::Sets(path.iter().map(|part| (*part).to_owned()).collect());
        assert_eq!(of("OTLP_ARROW_FORWARD__NAME", "/web/otlp-arrow-forward"), Variable::Link);
        assert_eq!(of("OTLP_ARROW_FORWARD__NAME", "eu"), sets(&["forward", "name"]));
        assert_eq!(of("OTLP_ARROW_RESOURCE__PORT", "tcp://10.0.0.1:80"), Variable::Link);
        assert_eq!(of("OTLP_ARROW_RESOURCE__PORT", "80"), sets(&["resource", "port"]));
        // Only links have such names, so a wrong value of a key stays one.
        assert_eq!(of("OTLP_ARROW_LISTEN__HTTP", "tcp://10.0.0.1:80"), sets(&["listen", "http"]));
    }

    #[test]
    fn keys_groups_positions_and_references_are_settings() {
        for name in [
            "OUTPUT_DIR",
            "BUFFER",
            "BUFFER__MAX_BYTES",
            "FORWARD",
            "FORWARD__ENDPOINT",
            "FORWARD__3__ENDPOINT",
            "FORWARD__0",
            "FORWARD__AUTH__BEARER",
            "FORWARD__AUTH__BEARER__FILE",
            "FORWARD__1__AUTH__BASIC__PASSWORD__ENV",
            "FORWARD__HEADERS__X_KEY",
            "FORWARD__HEADERS__X_KEY__FILE",
            "ON_EVENT__WEBHOOK__ENV",
            "RESOURCE__SERVICE_VERSION",
        ] {
            let found = of(&format!("OTLP_ARROW_{name}"), "x");
            assert!(matches!(found, Variable::Sets(_)), "{name}: {found:?}");
        }
        for name in ["OTLP_ARROW_CONFIG", "OTLP_ARROW_TEST_X", "OTLP_ARROW", "OTLP_ARROW_", "PATH", "OTLP_ARROWS_X"] {
            assert_eq!(of(name, "x"), Variable::Other, "{name}");
        }
    }

    #[test]
    fn what_was_meant_is_named() {
        for (name, told) in [
            ("OTLP_ARROW_OUTPT_DIR", "outpt_dir is not a key: did you mean output_dir?"),
            ("OTLP_ARROW_BUFER__MAX_BYTES", "bufer is not a key: did you mean buffer?"),
            ("OTLP_ARROW_BUFFER__MAX_BYTE", "buffer.max_byte is not a key: did you mean buffer.max_bytes?"),
            ("OTLP_ARROW_BUFFER_MAX_BYTES", "buffer_max_bytes is not a key: did you mean buffer.max_bytes?"),
            ("OTLP_ARROW_FORWARD__0__ENDPIONT", "forward[].endpiont is not a key: did you mean forward[].endpoint?"),
            ("OTLP_ARROW_OUTPUT_DIR__X", "output_dir.x is not a key: output_dir has no keys of its own"),
            ("OTLP_ARROW_GRPC_PORT", "grpc_port is not a key: "),
            ("OTLP_ARROW_SERVICE_NAME", "service_name is not a key"),
            ("OTLP_ARROW_COLOUR", "colour is not a key: known here: output_dir"),
            ("OTLP_ARROW_LIMITS_MAX_BODY", "limits_max_body is not a key: did you mean limits.max_body?"),
        ] {
            let Variable::Unknown(problem) = of(name, "x") else { panic!("{name}: {:?}", of(name, "x")) };
            assert!(problem.contains(told), "{problem}\n  wanted: {told}");
        }
    }
}
