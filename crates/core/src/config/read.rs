//! From the raw tree to typed values, by the table of keys. Mistakes are collected, so that all are told at once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use otlp_arrow_base::PerSignal;
use otlp_arrow_columns::Signal;

use super::choice::Choice;
use super::expand::home;
use super::keys::Table;
use super::raw::{Node, Origin, Raw};
use super::units;
pub(crate) use super::value::HIDDEN;
use super::value::{filled, not_one_of, quote, refused, scalar, within, word};
use crate::destinations::{self, OptionValue, ProxyServer, Secret};
use crate::key::{Key, Kind};

/// One key with its effective value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The dotted key, destinations by position: `forward[0].endpoint`.
    pub key: String,
    /// The value as it would be written in a file; secrets are `***`.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

pub(crate) struct Reader<'a> {
    table: &'a Table,
    root: &'a Node,
    env: &'a BTreeMap<String, String>,
    /// Where a key has another default than in the table, and what that is for if a person may wonder.
    defaults: BTreeMap<String, (String, Option<String>)>,
    pub(crate) errors: Vec<String>,
    pub(crate) settings: Vec<Setting>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(table: &'a Table, root: &'a Node, env: &'a BTreeMap<String, String>) -> Self {
        Self { table, root, env, defaults: BTreeMap::new(), errors: Vec::new(), settings: Vec::new() }
    }

    pub(crate) fn table(&self) -> &'a Table {
        self.table
    }

    /// The kinds of destinations that may be named.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = destinations::Kind> + use<'a> {
        self.table.kinds().iter()
    }

    /// Replaces the default of a key.
    pub(crate) fn set_default(&mut self, path: &str, default: String) {
        self.defaults.insert(path.to_owned(), (default, None));
    }

    /// Replaces the default of a key by one that fits `what`, which is told as where it comes from.
    pub(crate) fn set_default_for(&mut self, path: &str, default: String, what: String) {
        self.defaults.insert(path.to_owned(), (default, Some(what)));
    }

    /// The value somebody set at `path`.
    pub(crate) fn at(&self, path: &str) -> Option<&'a Node> {
        let mut node = self.root;
        for segment in path.split('.') {
            let (name, position) = match segment.split_once('[') {
                Some((name, rest)) => (name, rest.trim_end_matches(']').parse::<usize>().ok()),
                None => (segment, None),
            };
            node = node.child(name)?;
            if let (Some(position), Raw::List(items)) = (position, &node.raw) {
                node = items.get(position)?;
            }
        }
        (node.raw != Raw::Null).then_some(node)
    }

    pub(crate) fn is_set(&self, path: &str) -> bool {
        self.at(path).is_some()
    }

    pub(crate) fn origin(&self, path: &str) -> Origin {
        self.at(path).map_or(Origin::Default, |node| node.origin.clone())
    }

    /// Adds a mistake about `path`; where its value came from is added.
    pub(crate) fn fail(&mut self, path: &str, problem: &str) {
        let origin = match self.at(path) {
            Some(node) => node.origin.to_string(),
            None => return self.errors.push(format!("{path} {problem}")),
        };
        self.errors.push(format!("{path} {problem} (from {origin})"));
    }

    pub(crate) fn record(&mut self, path: &str, value: String, origin: Origin) {
        self.settings.push(Setting { key: path.to_owned(), value, origin });
    }

    /// Reads a key, or its default, with `parse`, which answers with what is wrong; `show` writes the value back.
    fn value<T>(
        &mut self,
        path: &str,
        parse: impl Fn(&Raw, &Key) -> Result<T, String>,
        show: impl Fn(&T) -> String,
    ) -> Option<T> {
        let key = self.table.lookup(path)?;
        if let Some(node) = self.at(path) {
            match parse(&node.raw, key) {
                Ok(value) => {
                    self.record(path, show(&value), node.origin.clone());
                    return Some(value);
                }
                Err(problem) => self.fail(path, &format!("= {} {problem}", quote(&node.raw, &key.kind))),
            }
        }
        // Of one destination, or of all.
        let other = self.defaults.get(path).or_else(|| self.defaults.get(&*key.path));
        let (default, what) = other.cloned().unwrap_or_else(|| (key.default.to_owned(), None));
        let default = (!default.is_empty()).then(|| parse(&Raw::Text(default), key).ok())??;
        self.record(path, show(&default), what.map_or(Origin::Default, Origin::Fitted));
        Some(default)
    }

    pub(crate) fn duration(&mut self, path: &str) -> Duration {
        let parse = |raw: &Raw, key: &Key| {
            let value = units::duration(&word(raw, key)?)?;
            match key.kind {
                Kind::Duration(from, to) => within(value, units::duration(from)?, units::duration(to)?, key),
                _ => Ok(value),
            }
        };
        self.value(path, parse, |value| units::show_duration(*value)).unwrap_or_default()
    }

    pub(crate) fn size(&mut self, path: &str) -> u64 {
        let parse = |raw: &Raw, key: &Key| {
            let value = units::size(&word(raw, key)?)?;
            match key.kind {
                Kind::Size(from, to) => within(value, units::size(from)?, units::size(to)?, key),
                _ => Ok(value),
            }
        };
        self.value(path, parse, |value| units::show_size(*value)).unwrap_or_default()
    }

    /// A size that is kept in memory, so that it fits the platform's `usize`.
    pub(crate) fn memory(&mut self, path: &str) -> usize {
        usize::try_from(self.size(path)).unwrap_or(usize::MAX)
    }

    pub(crate) fn count(&mut self, path: &str) -> u64 {
        let parse = |raw: &Raw, key: &Key| {
            let value = word(raw, key)?.trim().parse::<u64>().map_err(|_| refused(key))?;
            match key.kind {
                Kind::Count(from, to) => within(value, from, to, key),
                _ => Ok(value),
            }
        };
        self.value(path, parse, u64::to_string).unwrap_or_default()
    }

    /// A count in the type it is kept in.
    pub(crate) fn count_as<T: TryFrom<u64> + Default>(&mut self, path: &str) -> T {
        T::try_from(self.count(path)).unwrap_or_default()
    }

    pub(crate) fn number(&mut self, path: &str) -> f64 {
        let parse = |raw: &Raw, key: &Key| {
            let value = word(raw, key)?.trim().parse::<f64>().map_err(|_| refused(key))?;
            match key.kind {
                Kind::Number(from, to) => within(value, from, to, key),
                _ => Ok(value),
            }
        };
        self.value(path, parse, f64::to_string).unwrap_or_default()
    }

    /// Rights of files.
    pub(crate) fn mode(&mut self, path: &str) -> u32 {
        let parse = |raw: &Raw, key: &Key| match raw {
            // 640 is decimal for JSON and octal for chmod: nobody can tell which is meant, but for the leading 0 of YAML.
            Raw::Number(text) if !text.starts_with('0') => Err(format!("is a bare number: use {}", key.kind.allowed())),
            _ => units::mode(&word(raw, key)?).ok_or_else(|| refused(key)),
        };
        self.value(path, parse, |value| plain(&units::show_mode(*value))).unwrap_or_default()
    }

    pub(crate) fn flag(&mut self, path: &str) -> bool {
        let parse = |raw: &Raw, key: &Key| match raw {
            Raw::Flag(flag) => Ok(*flag),
            Raw::Text(text) if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("on") => Ok(true),
            Raw::Text(text) if text.eq_ignore_ascii_case("false") || text.eq_ignore_ascii_case("off") => Ok(false),
            _ => Err(refused(key)),
        };
        self.value(path, parse, bool::to_string).unwrap_or_default()
    }

    /// What one of the words of the key stands for.
    pub(crate) fn choice<T: Choice>(&mut self, path: &str) -> T {
        let parse = |raw: &Raw, key: &Key| {
            debug_assert!(
                matches!(&key.kind, Kind::Choice(words) if **words == *T::WORDS),
                "{path} is of another type"
            );
            let given = word(raw, key)?;
            T::of(&given).ok_or_else(|| not_one_of(&given, key))
        };
        self.value(path, parse, |value: &T| value.word().to_owned()).unwrap_or(T::VALUES[0])
    }

    /// The kind of destination that a word names.
    pub(crate) fn kind_of_destination(&mut self, path: &str) -> destinations::Kind {
        let kinds = self.table.kinds();
        let parse = |raw: &Raw, key: &Key| {
            let given = word(raw, key)?;
            kinds.find(&given).ok_or_else(|| not_one_of(&given, key))
        };
        self.value(path, parse, |kind| kind.name().to_owned()).unwrap_or(destinations::Kind::OTLP_GRPC)
    }

    /// One of the words of a key, whose values are their own.
    fn one_of(&mut self, path: &str) -> Option<String> {
        let parse = |raw: &Raw, key: &Key| {
            let given = word(raw, key)?;
            let known = matches!(&key.kind, Kind::Choice(words) if words.iter().any(|(word, _)| *word == given));
            if known { Ok(given) } else { Err(not_one_of(&given, key)) }
        };
        self.value(path, parse, String::clone)
    }

    /// The value of a key that a kind of destination has of its own, or its default.
    pub(crate) fn option(&mut self, path: &str, kind: &Kind) -> Option<OptionValue> {
        let has_value = self.is_set(path) || self.table.lookup(path).is_some_and(|key| !key.default.is_empty());
        if !has_value {
            return None;
        }
        Some(match kind {
            Kind::Address => OptionValue::Text(self.address(path)?.to_string()),
            Kind::Attributes => OptionValue::Pairs(self.attributes(path)),
            Kind::Choice(_) => OptionValue::Text(self.one_of(path)?),
            Kind::Command => OptionValue::List(self.command(path)?),
            Kind::Count(..) => OptionValue::Count(self.count(path)),
            Kind::Duration(..) => OptionValue::Duration(self.duration(path)),
            Kind::Flag => OptionValue::Flag(self.flag(path)),
            Kind::Headers => OptionValue::SecretPairs(self.headers(path)),
            Kind::Mode => OptionValue::Text(units::show_mode(self.mode(path))),
            Kind::Name => OptionValue::Text(self.name(path)?),
            Kind::Number(..) => OptionValue::Number(self.number(path)),
            Kind::Path => OptionValue::Path(self.path(path)?),
            Kind::Proxy => {
                OptionValue::Text(self.proxy_url(path)?.map_or_else(|| "none".to_owned(), |server| server.to_string()))
            }
            Kind::Secret => OptionValue::Secret(self.secret(path)?),
            Kind::Signals => {
                let wanted = self.signals(path);
                let names = wanted.iter().filter(|(_, wanted)| **wanted).map(|(signal, _)| signal.to_string());
                OptionValue::List(names.collect())
            }
            Kind::Size(..) => OptionValue::Count(self.size(path)),
            Kind::Text => OptionValue::Text(self.text(path)?),
            Kind::Url => OptionValue::Text(self.url(path)?),
        })
    }

    pub(crate) fn path(&mut self, path: &str) -> Option<PathBuf> {
        let env = self.env;
        let parse = |raw: &Raw, key: &Key| match raw {
            // A slip, in all likelihood; one who means it can quote it. Variables and options are text anyway.
            Raw::Number(text) => {
                Err(format!("is a number: use {}, in quotes if it is meant: \"{text}\"", key.kind.allowed()))
            }
            _ => home(&filled(raw, key)?, env).map(PathBuf::from),
        };
        self.value(path, parse, |value| plain(&value.to_string_lossy()))
    }

    pub(crate) fn text(&mut self, path: &str) -> Option<String> {
        self.value(path, filled, |value| plain(value))
    }

    pub(crate) fn name(&mut self, path: &str) -> Option<String> {
        let parse = |raw: &Raw, key: &Key| {
            let name = word(raw, key)?;
            let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            let safe = name.starts_with(|c: char| c.is_ascii_alphanumeric()) && !name.ends_with('.');
            if name.len() <= 64 && safe && name.chars().all(allowed) { Ok(name) } else { Err(refused(key)) }
        };
        self.value(path, parse, String::clone)
    }

    pub(crate) fn url(&mut self, path: &str) -> Option<String> {
        self.value(path, |raw, key| check_url(&filled(raw, key)?), |value| plain(value))
    }

    /// `None` for `off`, and where nothing is set.
    pub(crate) fn address(&mut self, path: &str) -> Option<SocketAddr> {
        let parse = |raw: &Raw, key: &Key| {
            let text = match raw {
                Raw::Flag(false) => "off".to_owned(),
                _ => word(raw, key)?,
            };
            if text == "off" {
                return Ok(None);
            }
            let numeric = match text.strip_prefix("localhost:") {
                Some(port) => format!("127.0.0.1:{port}"),
                None => text,
            };
            numeric.parse::<SocketAddr>().map(Some).map_err(|_| refused(key))
        };
        let show = |value: &Option<SocketAddr>| match value {
            Some(address) => plain(&address.to_string()),
            None => "off".to_owned(),
        };
        self.value(path, parse, show).flatten()
    }

    pub(crate) fn signals(&mut self, path: &str) -> PerSignal<bool> {
        let parse = |raw: &Raw, key: &Key| {
            let names: Vec<String> = match raw {
                Raw::List(items) => items.iter().map(|item| word(&item.raw, key)).collect::<Result<_, _>>()?,
                _ => word(raw, key)?.split(',').map(|name| name.trim().to_owned()).collect(),
            };
            let mut wanted = PerSignal::all(false);
            for name in names {
                let signal: Signal = name.parse().map_err(|_| refused(key))?;
                wanted[signal] = true;
            }
            if wanted == PerSignal::all(false) {
                Err("is empty: name at least one signal".to_owned())
            } else {
                Ok(wanted)
            }
        };
        let show = |wanted: &PerSignal<bool>| {
            let names: Vec<&str> =
                wanted.iter().filter(|(_, wanted)| **wanted).map(|(signal, _)| signal.as_str()).collect();
            format!("[{}]", names.join(", "))
        };
        self.value(path, parse, show).unwrap_or_default()
    }

    pub(crate) fn command(&mut self, path: &str) -> Option<Vec<String>> {
        let env = self.env;
        let parse = |raw: &Raw, key: &Key| match raw {
            Raw::List(items) if !items.is_empty() => {
                let mut words: Vec<String> =
                    items.iter().map(|item| filled(&item.raw, key)).collect::<Result<_, _>>()?;
                words[0] = home(&words[0], env)?;
                Ok(words)
            }
            _ => Err(refused(key)),
        };
        self.value(path, parse, |words: &Vec<String>| {
            format!("[{}]", words.iter().map(|word| plain(word)).collect::<Vec<_>>().join(", "))
        })
    }

    /// Names and texts, in the order they were written.
    pub(crate) fn attributes(&mut self, path: &str) -> Vec<(String, String)> {
        let parse = |raw: &Raw, key: &Key| match raw {
            Raw::Map(entries) => entries
                .iter()
                .map(|(name, node)| Ok((name.clone(), scalar(&node.raw).ok_or_else(|| refused(key))?)))
                .collect(),
            Raw::Text(text) => super::otel_env::pairs(text),
            _ => Err(refused(key)),
        };
        let show = |pairs: &Vec<(String, String)>| {
            let pairs: Vec<String> =
                pairs.iter().map(|(name, value)| format!("{}: {}", plain(name), plain(value))).collect();
            format!("{{{}}}", pairs.join(", "))
        };
        self.value(path, parse, show).unwrap_or_default()
    }

    pub(crate) fn secret(&mut self, path: &str) -> Option<Secret> {
        let env = self.env;
        self.value(
            path,
            |raw, key| secret(raw, env).map_err(|problem| format!("{problem}: use {}", key.kind.allowed())),
            |_| HIDDEN.to_owned(),
        )
    }

    /// A proxy, or `Some(None)` for none.
    pub(crate) fn proxy_url(&mut self, path: &str) -> Option<Option<ProxyServer>> {
        use secrecy::ExposeSecret;
        let env = self.env;
        let parse = |raw: &Raw, key: &Key| {
            // YAML and JSON have words for it as well.
            if matches!(raw, Raw::Flag(false)) {
                return Ok(None);
            }
            let text = secret(raw, env).map_err(|problem| format!("{problem}: use {}", key.kind.allowed()))?;
            match text.expose_secret().trim() {
                "none" | "off" | "false" => Ok(None),
                url => ProxyServer::parse(url).map(Some),
            }
        };
        let show = |server: &Option<ProxyServer>| match server {
            Some(server) => plain(&server.to_string()),
            None => "none".to_owned(),
        };
        self.value(path, parse, show)
    }

    pub(crate) fn headers(&mut self, path: &str) -> Vec<(String, Secret)> {
        use secrecy::ExposeSecret;
        let env = self.env;
        let parse = |raw: &Raw, key: &Key| {
            let pairs: Vec<(String, Secret)> = match raw {
                Raw::Map(entries) => entries
                    .iter()
                    .map(|(name, node)| {
                        Ok((name.clone(), secret(&node.raw, env).map_err(|problem| format!("{name} {problem}"))?))
                    })
                    .collect::<Result<_, String>>()?,
                Raw::Text(text) => {
                    super::otel_env::pairs(text)?.into_iter().map(|(name, value)| (name, value.into())).collect()
                }
                _ => return Err(refused(key)),
            };
            for (name, value) in &pairs {
                http::HeaderName::from_bytes(name.as_bytes())
                    .map_err(|_| format!("has {name:?}, which no header is called"))?;
                http::HeaderValue::from_str(value.expose_secret())
                    .map_err(|_| format!("has a value for {name} with characters that no header may have"))?;
            }
            Ok(pairs)
        };
        let show = |pairs: &Vec<(String, Secret)>| {
            let names: Vec<String> = pairs.iter().map(|(name, _)| format!("{}: \"{HIDDEN}\"", plain(name))).collect();
            format!("{{{}}}", names.join(", "))
        };
        self.value(path, parse, show).unwrap_or_default()
    }
}

/// An absolute `http` or `https` URL without credentials and fragment, as it was written.
pub(crate) fn check_url(text: &str) -> Result<String, String> {
    let remedy = "write a URL such as http://collector:4317 or https://otel.example.com";
    let uri: http::Uri = text.parse().map_err(|_| format!("is not a URL: {remedy}"))?;
    match (uri.scheme_str(), uri.authority()) {
        (Some("http" | "https"), Some(authority)) if authority.as_str().contains('@') => {
            Err("has credentials in it, which end up in logs: put them under auth".to_owned())
        }
        (Some("http" | "https"), Some(authority)) if !authority.host().is_empty() => Ok(text.to_owned()),
        _ => Err(format!("is not an http or https URL: {remedy}")),
    }
}

/// Text as it stands in a YAML file, quoted where it must be.
pub(crate) fn plain(text: &str) -> String {
    let safe = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | ':' | '+' | '\\');
    let reads_as_text = text.parse::<f64>().is_err() && !matches!(text, "true" | "false" | "null" | "");
    let starts = text.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_'));
    if reads_as_text && starts && text.chars().all(safe) && !text.ends_with(':') {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}

fn secret(raw: &Raw, env: &BTreeMap<String, String>) -> Result<Secret, String> {
    let text = match raw {
        Raw::Text(text) | Raw::Number(text) => text.clone(),
        Raw::Map(entries) => match entries.as_slice() {
            [(kind, Node { raw: Raw::Text(name), .. })] if kind == "env" => env
                .get(name)
                .cloned()
                .ok_or_else(|| format!("names the environment variable {name}, which is not set"))?,
            [(kind, Node { raw: Raw::Text(path), .. })] if kind == "file" => {
                return Secret::file(home(path, env)?).map_err(|error| error.message().to_owned());
            }
            _ => return Err("is neither text nor a reference".to_owned()),
        },
        _ => return Err("is neither text nor a reference".to_owned()),
    };
    if text.is_empty() { Err("is an empty secret".to_owned()) } else { Ok(text.into()) }
}
