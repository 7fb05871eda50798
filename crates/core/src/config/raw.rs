//! What was written, before it means anything: one tree a source, each value with the place it came from.

use std::fmt;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// Nobody set it, and the default of the table is too large for this.
    Fitted(String),
    /// The object or keyword arguments a program passed.
    Argument,
    /// An option of the command line, such as `--grpc`.
    Option(String),
    /// An environment variable.
    Variable(String),
    /// A line of the configuration file, from 1.
    File {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::Fitted(what) => write!(f, "default, for {what}"),
            Origin::Argument => f.write_str("argument"),
            Origin::Option(option) => f.write_str(option),
            Origin::Variable(name) => f.write_str(name),
            Origin::File { path, line } => write!(f, "{}:{line}", otlp_arrow_base::terminal::path(path)),
        }
    }
}

/// A value as it was written. Numbers keep their text, so that `5` can be quoted back as `5`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Raw {
    Null,
    Flag(bool),
    Number(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// A value and its origin.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) raw: Raw,
    pub(crate) origin: Origin,
}

impl Node {
    pub(crate) fn text(text: impl Into<String>, origin: Origin) -> Self {
        Self { raw: Raw::Text(text.into()), origin }
    }

    pub(crate) fn map(origin: Origin) -> Self {
        Self { raw: Raw::Map(Vec::new()), origin }
    }

    pub(crate) fn from_json(value: &serde_json::Value, origin: &Origin) -> Self {
        use serde_json::Value;
        let raw = match value {
            Value::Null => Raw::Null,
            Value::Bool(flag) => Raw::Flag(*flag),
            Value::Number(number) => Raw::Number(number.to_string()),
            Value::String(text) => Raw::Text(text.clone()),
            Value::Array(items) => Raw::List(items.iter().map(|item| Node::from_json(item, origin)).collect()),
            Value::Object(entries) => {
                Raw::Map(entries.iter().map(|(key, value)| (key.clone(), Node::from_json(value, origin))).collect())
            }
        };
        Self { raw, origin: origin.clone() }
    }

    pub(crate) fn child(&self, name: &str) -> Option<&Node> {
        match &self.raw {
            Raw::Map(entries) => entries.iter().find(|(key, _)| key == name).map(|(_, node)| node),
            _ => None,
        }
    }

    /// Puts `value` at `path`, making maps on the way; what stood there is replaced.
    pub(crate) fn insert(&mut self, path: &[String], value: Node) {
        let Some((first, rest)) = path.split_first() else {
            *self = value;
            return;
        };
        if !matches!(self.raw, Raw::Map(_)) {
            *self = Node::map(value.origin.clone());
        }
        let Raw::Map(entries) = &mut self.raw else { return };
        let position = entries.iter().position(|(key, _)| key == first).unwrap_or_else(|| {
            entries.push((first.clone(), Node::map(value.origin.clone())));
            entries.len() - 1
        });
        entries[position].1.insert(rest, value);
    }

    /// Lays a tree on top of this one: maps key by key, single destinations onto their position in `forward`,
    /// everything else as a whole. Null above changes nothing.
    pub(crate) fn overlay(&mut self, over: Node) {
        if over.raw == Raw::Null {
            return;
        }
        let whole = self.is_reference() || over.is_reference();
        match (&mut self.raw, over.raw) {
            (Raw::Map(below), Raw::Map(above)) if !whole => {
                for (key, node) in above {
                    match below.iter_mut().find(|(name, _)| *name == key) {
                        Some((name, existing)) if name == "forward" => existing.overlay_destinations(node),
                        Some((_, existing)) => existing.overlay(node),
                        None => below.push((key, node)),
                    }
                }
            }
            (_, raw) => *self = Node { raw, origin: over.origin },
        }
    }

    /// A map changes the one destination there is, or those at the positions it names; a list replaces all.
    fn overlay_destinations(&mut self, over: Node) {
        let Raw::Map(above) = over.raw else {
            return self.overlay(over);
        };
        let mut below = self.clone().destinations();
        match positions(&above) {
            Some(last) if last <= below.len() => {
                for (key, node) in above {
                    match key.parse::<usize>().ok().and_then(|position| below.get_mut(position)) {
                        Some(existing) => existing.overlay(node),
                        None => below.push(node),
                    }
                }
            }
            None if below.len() == 1 && matches!(below[0].raw, Raw::Map(_)) => {
                below[0].overlay(Node { raw: Raw::Map(above), origin: over.origin });
            }
            _ => below = vec![Node { raw: Raw::Map(above), origin: over.origin }],
        }
        self.raw = Raw::List(below);
    }

    /// The destinations of a `forward` value: a list as it is, a map of positions in order, anything else as the only one.
    pub(crate) fn destinations(self) -> Vec<Node> {
        match self.raw {
            Raw::Null => Vec::new(),
            Raw::List(items) => items,
            Raw::Map(entries) if positions(&entries).is_some() => {
                let mut entries: Vec<(usize, Node)> =
                    entries.into_iter().filter_map(|(key, node)| Some((key.parse().ok()?, node))).collect();
                entries.sort_by_key(|(position, _)| *position);
                entries.into_iter().map(|(_, node)| node).collect()
            }
            raw => vec![Node { raw, origin: self.origin }],
        }
    }

    /// Whether it says where a secret is; such a map is replaced as a whole.
    pub(crate) fn is_reference(&self) -> bool {
        matches!(&self.raw, Raw::Map(entries) if !entries.is_empty() && entries.iter().all(|(key, _)| key == "env" || key == "file"))
    }
}

/// The highest key of a map whose keys are all list positions.
fn positions(entries: &[(String, Node)]) -> Option<usize> {
    entries.iter().map(|(key, _)| key.parse::<usize>().ok()).collect::<Option<Vec<_>>>()?.into_iter().max()
}
