//! The sources of a configuration and how they lie on top of each other.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::fit::Surroundings;
use super::keys::{ON_IN_THE_SERVICE, STANDARD_LISTEN, Table};
use super::raw::{Node, Origin, Raw};
use super::read::{Reader, Setting};
use super::variables::{FILE_VARIABLE, Variable, links_ignored, template, unknown_ignored, what_is};
use super::{Config, expand, fit, parse, yaml};
use crate::destinations::Kinds;
use crate::error::{Code, OtlpError, Result};
use crate::key::Kind;

const STANDARD_FILE: &str = "otlp-arrow.yaml";

/// Where a configuration comes from, highest first: options, arguments, variables, file, defaults of the role.
#[derive(Clone, Default)]
pub struct Sources {
    /// Options of the command line.
    pub options: Vec<CommandOption>,
    /// An object of keys, or null.
    pub arguments: serde_json::Value,
    /// Environment variables: `OTLP_ARROW_*`, those of OpenTelemetry, and those that secrets and the file refer to.
    pub env: BTreeMap<String, String>,
    /// Names of variables whose value is not UTF-8.
    pub not_text: Vec<String>,
    /// The file.
    pub file: ConfigFile,
    /// Whose defaults hold.
    pub role: Role,
    /// The kinds of destinations that may be named.
    pub kinds: Kinds,
    /// The root of the file system, where limits of memory are told. Without it, sizes that nobody set are those of the table,
    /// whatever volume and memory can bear.
    pub system: Option<PathBuf>,
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
    /// What was left out of the environment, and why: wrong values of OpenTelemetry's own variables, and variables that set
    /// no key.
    pub warnings: Vec<String>,
    /// What was left out of the environment and is nobody's mistake: variables that a platform made.
    pub notes: Vec<String>,
    /// The file that was read.
    pub file: Option<PathBuf>,
}

impl Sources {
    /// The environment of this process and the file it names; no arguments.
    pub fn process() -> Result<Self> {
        let (mut env, mut not_text) = (BTreeMap::new(), Vec::new());
        for (name, value) in std::env::vars_os() {
            match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => {
                    env.insert(name, value);
                }
                (Ok(name), Err(_)) => not_text.push(name),
                _ => {}
            }
        }
        let system = Some(PathBuf::from("/"));
        Ok(Self { env, not_text, file: ConfigFile::Standard, system, ..Self::default() })
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
        for key in ON_IN_THE_SERVICE {
            root.insert(&[(*key).to_owned()], Node::text("true", Origin::Default));
        }
    }
    let file = file_of(sources)?;
    if let Some(path) = &file {
        lay(&mut root, read_file(path, &sources.env, &mut errors)?, path, &mut errors);
    }
    let (mut warnings, mut notes) = (Vec::new(), Vec::new());
    lay_variables(&mut root, sources, &table, &mut errors, &mut warnings, &mut notes);
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

    let mut reader = Reader::new(&table, &root, &sources.env);
    if let Some(system) = &sources.system {
        let output_dir = Reader::new(&table, &root, &sources.env).path("output_dir").unwrap_or_default();
        fit::set_defaults(&mut reader, &Surroundings::of(&output_dir, system));
    }
    let mut config = parse::config(&mut reader, &root, &sources.env, &mut warnings);
    config.fit.at_open = false;
    errors.append(&mut reader.errors);
    let settings = reader.settings;
    match errors.len() {
        0 => Ok(Loaded { config, settings, warnings, notes, file }),
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
    let path = at_home(path, &sources.env).map_err(|problem| invalid(format!("{origin} {problem}")))?;
    if path.is_file() {
        return Ok(Some(path));
    }
    Err(invalid(format!(
        "there is no configuration file {} (from {origin}): correct the path, or write one with `otlp-arrow config init`",
        otlp_arrow_base::terminal::path(&path)
    )))
}

/// [`expand::home`] for a path that may not be text.
fn at_home(path: PathBuf, env: &BTreeMap<String, String>) -> std::result::Result<PathBuf, String> {
    match path.to_str() {
        Some(text) => expand::home(text, env).map(PathBuf::from),
        None => Ok(path),
    }
}

fn read_file(path: &Path, env: &BTreeMap<String, String>, errors: &mut Vec<String>) -> Result<Node> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        OtlpError::with_source(
            Code::InvalidConfig,
            format!("cannot read the configuration file {}", otlp_arrow_base::terminal::path(path)),
            error,
        )
    })?;
    let (tree, problems) = yaml::read_file(path, &text, env).map_err(invalid)?;
    errors.extend(problems);
    Ok(tree)
}

/// Lays the variables on top that set keys, and tells of those that look as if they did.
fn lay_variables(
    root: &mut Node,
    sources: &Sources,
    table: &Table,
    errors: &mut Vec<String>,
    warnings: &mut Vec<String>,
    notes: &mut Vec<String>,
) {
    let mut links: Vec<&str> = Vec::new();
    let text = sources.env.iter().filter(|(_, value)| !value.is_empty());
    let text = text.map(|(name, value)| (name, Some(value)));
    for (name, value) in text.chain(sources.not_text.iter().map(|name| (name, None))) {
        match (what_is(table, name, value.map_or("", String::as_str)), value) {
            (Variable::Other, _) => {}
            (Variable::Link, _) => links.push(name),
            (Variable::Unknown(problem), _) => warnings.push(unknown_ignored(name, &problem)),
            (Variable::Sets(_), None) => errors.push(format!("{name} has a value that is not UTF-8")),
            (Variable::Sets(path), Some(value)) => {
                match assignment(table, &path, value, Origin::Variable(name.clone())) {
                    Ok(layer) => root.overlay(normal(layer)),
                    Err(problem) => errors.push(problem),
                }
            }
        }
    }
    if !links.is_empty() {
        notes.push(links_ignored(&links));
    }
}

/// Lays a whole source on top.
fn lay(root: &mut Node, layer: Node, source: &Path, errors: &mut Vec<String>) {
    match layer.raw {
        Raw::Null => {}
        Raw::Map(_) => root.overlay(normal(layer)),
        _ => errors.push(format!(
            "{} must be keys and values, such as {{output_dir: ./telemetry}}",
            otlp_arrow_base::terminal::path(source)
        )),
    }
}

/// `listen: true` and `listen: false` as the two addresses they stand for, and the URL of a proxy as its key.
fn normal(mut layer: Node) -> Node {
    if let Raw::Map(entries) = &mut layer.raw {
        for (_, node) in entries.iter_mut().filter(|(name, _)| name == "forward") {
            proxies_as_keys(node);
        }
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

/// `proxy: URL` as `proxy: {url: URL}`, in one destination, in a list of them, and in those at positions.
fn proxies_as_keys(node: &mut Node) {
    match &mut node.raw {
        Raw::List(items) => items.iter_mut().for_each(proxies_as_keys),
        Raw::Map(entries) => {
            for (name, node) in entries {
                match &node.raw {
                    _ if name.parse::<usize>().is_ok() => proxies_as_keys(node),
                    Raw::Null => {}
                    Raw::Map(_) if !node.is_reference() => {}
                    _ if name == "proxy" => {
                        let origin = node.origin.clone();
                        let url = std::mem::replace(node, Node::map(origin));
                        node.raw = Raw::Map(vec![("url".to_owned(), url)]);
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
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

/// A dotted key as a path. What follows a key with names of its own is one name, dots and all.
fn option_path(table: &Table, key: &str) -> Vec<String> {
    let mut path: Vec<String> = Vec::new();
    let mut rest = key;
    loop {
        let open = table.lookup(&template(&path)).is_some_and(|key| key.kind.is_open());
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

/// A tree with this one value in it. Text that stands where a list or a map may is read as YAML if it looks like one.
fn assignment(table: &Table, path: &[String], value: &str, origin: Origin) -> std::result::Result<Node, String> {
    let structured = match table.lookup(&template(path)).map(|key| &key.kind) {
        Some(Kind::Secret | Kind::Proxy) => !matches!(origin, Origin::Variable(_)),
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
