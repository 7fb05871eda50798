//! The sources of a configuration and how they lie on top of each other.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::keys::{STANDARD_LISTEN, Table};
use super::raw::{Node, Origin, Raw};
use super::read::{Reader, Setting};
use super::{Config, parse, yaml};
use crate::destinations::Kinds;
use crate::error::{Code, OtlpError, Result};
use crate::key::Kind;

const PREFIX: &str = "OTLP_ARROW_";
const FILE_VARIABLE: &str = "OTLP_ARROW_CONFIG";
/// Variables of our tests; what they change is not configuration.
const TEST_PREFIX: &str = "OTLP_ARROW_TEST_";
/// As well, in builds for tests; other builds know nothing of it.
#[cfg(feature = "failpoints")]
const TEST_VARIABLES: [&str; 1] = [otlp_arrow_store::failpoint::VARIABLE];
#[cfg(not(feature = "failpoints"))]
const TEST_VARIABLES: [&str; 0] = [];
const STANDARD_FILE: &str = "otlp-arrow.yaml";

/// Where a configuration comes from, highest first: options, arguments, variables, file, defaults of the role.
#[derive(Clone, Default)]
pub struct Sources {
    /// Options of the command line.
    pub options: Vec<CommandOption>,
    /// An object of keys, or null.
    pub arguments: serde_json::Value,
    /// Environment variables: `OTLP_ARROW_*`, those of OpenTelemetry, and those that secrets refer to.
    pub env: BTreeMap<String, String>,
    /// The file.
    pub file: ConfigFile,
    /// Whose defaults hold.
    pub role: Role,
    /// The kinds of destinations that may be named.
    pub kinds: Kinds,
}

/// One option of the command line that sets a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandOption {
    /// The option as it was written, such as `--grpc`.
    pub option: String,
    /// The dotted key.
    pub key: String,
    /// Its value as text; lists and maps as in YAML.
    pub value: String,
}

/// Which file is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ConfigFile {
    /// None.
    #[default]
    None,
    /// The one `OTLP_ARROW_CONFIG` names, else `./otlp-arrow.yaml` if there is one.
    Standard,
    /// This one.
    Path(PathBuf),
}

/// Whose defaults hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Inside a program: listens on nothing.
    #[default]
    Library,
    /// The standalone service: listens on the standard ports.
    Service,
}

/// A configuration and how it came about.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Every key that has a value, in the order of the documentation; secrets are hidden.
    pub settings: Vec<Setting>,
    /// What was left out of OpenTelemetry's own variables, and why.
    pub warnings: Vec<String>,
    /// The file that was read.
    pub file: Option<PathBuf>,
}

impl Sources {
    /// The environment of this process and the file it names; no arguments.
    pub fn process() -> Result<Self> {
        let mut env = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => {
                    env.insert(name, value);
                }
                (Ok(name), Err(_)) if name.starts_with(PREFIX) => {
                    return Err(invalid(format!("{name} has a value that is not UTF-8")));
                }
                _ => {}
            }
        }
        Ok(Self { env, file: ConfigFile::Standard, ..Self::default() })
    }
}

/// Leaves values out: the environment holds secrets.
impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("file", &self.file).field("role", &self.role).finish_non_exhaustive()
    }
}

pub(crate) fn load(sources: &Sources) -> Result<Loaded> {
    let table = Table::new(&sources.kinds);
    let mut errors = Vec::new();
    let mut root = Node::map(Origin::Default);
    if sources.role == Role::Service {
        for (name, address) in STANDARD_LISTEN {
            root.insert(&["listen".to_owned(), name.to_owned()], Node::text(address, Origin::Default));
        }
    }
    let file = file_of(sources)?;
    if let Some(path) = &file {
        lay(&mut root, read_file(path)?, path, &mut errors);
    }
    for (name, value) in &sources.env {
        if let Some(path) = variable_path(name).filter(|_| !value.is_empty()) {
            match assignment(&table, &path, value, Origin::Variable(name.clone())) {
                Ok(layer) => root.overlay(normal(layer)),
                Err(problem) => errors.push(problem),
            }
        }
    }
    lay(&mut root, Node::from_json(&sources.arguments, &Origin::Argument), Path::new("the argument"), &mut errors);
    for option in &sources.options {
        match assignment(
            &table,
            &option_path(&table, &option.key),
            &option.value,
            Origin::Option(option.option.clone()),
        ) {
            Ok(layer) => root.overlay(normal(layer)),
            Err(problem) => errors.push(problem),
        }
    }
    as_list(&mut root);

    let mut warnings = Vec::new();
    let mut reader = Reader::new(&table, &root, &sources.env);
    let config = parse::config(&mut reader, &root, &sources.env, &mut warnings);
    errors.append(&mut reader.errors);
    let settings = reader.settings;
    match errors.len() {
        0 => Ok(Loaded { config, settings, warnings, file }),
        1 => Err(invalid(errors.remove(0))),
        n => Err(invalid(format!("{n} settings are wrong:\n  {}", errors.join("\n  ")))),
    }
}

fn invalid(message: String) -> OtlpError {
    OtlpError::new(Code::InvalidConfig, message)
}

fn file_of(sources: &Sources) -> Result<Option<PathBuf>> {
    let (path, origin) = match (&sources.file, sources.env.get(FILE_VARIABLE)) {
        (ConfigFile::None, _) => return Ok(None),
        (ConfigFile::Path(path), _) => (path.clone(), "--config"),
        (ConfigFile::Standard, Some(path)) if !path.is_empty() => (PathBuf::from(path), FILE_VARIABLE),
        (ConfigFile::Standard, _) => {
            let standard = PathBuf::from(STANDARD_FILE);
            return Ok(standard.is_file().then_some(standard));
        }
    };
    if path.is_file() {
        return Ok(Some(path));
    }
    Err(invalid(format!(
        "there is no configuration file {} (from {origin}): correct the path, or write one with `otlp-arrow config init`",
        path.display()
    )))
}

fn read_file(path: &Path) -> Result<Node> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        OtlpError::with_source(
            Code::InvalidConfig,
            format!("cannot read the configuration file {}", path.display()),
            error,
        )
    })?;
    yaml::read_file(path, &text).map_err(invalid)
}

/// Lays a whole source on top.
fn lay(root: &mut Node, layer: Node, source: &Path, errors: &mut Vec<String>) {
    match layer.raw {
        Raw::Null => {}
        Raw::Map(_) => root.overlay(normal(layer)),
        _ => errors.push(format!("{} must be keys and values, such as {{output_dir: ./telemetry}}", source.display())),
    }
}

/// `listen: true` and `listen: false` as the two addresses they stand for.
fn normal(mut layer: Node) -> Node {
    if let Raw::Map(entries) = &mut layer.raw {
        for (_, node) in entries.iter_mut().filter(|(name, _)| name == "listen") {
            let flag = match &node.raw {
                Raw::Flag(flag) => Some(*flag),
                Raw::Text(text) if text == "true" || text == "on" => Some(true),
                Raw::Text(text) if text == "false" || text == "off" => Some(false),
                _ => None,
            };
            if let Some(flag) = flag {
                let origin = &node.origin;
                let entry = |(name, address): (&str, &str)| {
                    (name.to_owned(), Node::text(if flag { address } else { "off" }, origin.clone()))
                };
                node.raw = Raw::Map(STANDARD_LISTEN.map(entry).into());
            }
        }
    }
    layer
}

/// `forward` as the list of destinations it stands for.
fn as_list(root: &mut Node) {
    if let Raw::Map(entries) = &mut root.raw {
        for (_, node) in entries.iter_mut().filter(|(name, _)| name == "forward") {
            let origin = node.origin.clone();
            let destinations = std::mem::replace(node, Node { raw: Raw::Null, origin: origin.clone() }).destinations();
            *node = Node { raw: Raw::List(destinations), origin };
        }
    }
}

/// `OTLP_ARROW_BUFFER__MAX_BYTES` as a path; nothing for a variable that is not a key.
fn variable_path(name: &str) -> Option<Vec<String>> {
    let other = name == FILE_VARIABLE || TEST_VARIABLES.contains(&name) || name.starts_with(TEST_PREFIX);
    let rest = name.strip_prefix(PREFIX).filter(|_| !other)?;
    Some(rest.to_ascii_lowercase().split("__").map(str::to_owned).collect())
}

/// A dotted key as a path. What follows a key with names of its own is one name, dots and all.
fn option_path(table: &Table, key: &str) -> Vec<String> {
    let mut path: Vec<String> = Vec::new();
    let mut rest = key;
    loop {
        let open = table.lookup(&table_path(&path)).is_some_and(|key| key.kind.is_open());
        match rest.split_once('.') {
            Some((first, tail)) if !open => {
                path.push(first.to_owned());
                rest = tail;
            }
            _ => {
                path.push(rest.to_owned());
                return path;
            }
        }
    }
}

/// The table's name of a path: positions after `forward` are left out.
fn table_path(path: &[String]) -> String {
    match path {
        [first, position, rest @ ..] if first == "forward" && position.parse::<usize>().is_ok() => {
            [&["forward[]".to_owned()], rest].concat().join(".")
        }
        [first, rest @ ..] if first == "forward" && !rest.is_empty() => {
            [&["forward[]".to_owned()], rest].concat().join(".")
        }
        _ => path.join("."),
    }
}

/// A tree with this one value in it. Text that stands where a list or a map may is read as YAML if it looks like one.
fn assignment(table: &Table, path: &[String], value: &str, origin: Origin) -> std::result::Result<Node, String> {
    let structured = match table.lookup(&table_path(path)).map(|key| &key.kind) {
        Some(Kind::Secret) => !matches!(origin, Origin::Variable(_)),
        Some(kind) => matches!(kind, Kind::Attributes | Kind::Command | Kind::Headers | Kind::Signals),
        None => true,
    };
    let node = if structured && value.trim_start().starts_with(['{', '[']) {
        yaml::read_inline(value, &origin)?
    } else {
        Node::text(value, origin.clone())
    };
    let mut layer = Node::map(origin);
    layer.insert(path, node);
    Ok(layer)
}
