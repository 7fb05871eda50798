//! `config print|init|schema`, and how options become a configuration.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use otlp_arrow::Code;
use otlp_arrow::config::{Config, Query};
use otlp_arrow::internal::config::{self, CommandOption, ConfigFile, Loaded, Role, Sources};
use otlp_arrow::internal::destinations::Kinds;
use otlp_arrow_query::Telemetry;

use crate::args::{ConfigCommand, InitArgs, Settings, Source};
use crate::io::{Failure, Io, Outcome};
use crate::text::{json, path};

pub(crate) fn run(command: ConfigCommand, io: &mut Io<'_>) -> Outcome {
    match command {
        ConfigCommand::Print(settings) => {
            let loaded = load(&settings)?;
            for warning in loaded.warnings.iter().chain(&loaded.notes) {
                io.note(format_args!("otlp-arrow: {warning}"));
            }
            write!(io.out, "{}", json(&config::print(&loaded)))?;
        }
        ConfigCommand::Init(args) => init(&args, io)?,
        ConfigCommand::Schema => {
            let schema =
                serde_json::to_string_pretty(&config::json_schema(&Kinds::default())).map_err(Failure::failed)?;
            writeln!(io.out, "{}", json(&schema))?;
        }
    }
    Ok(())
}

/// The configuration of the service with these options on top.
pub(crate) fn load(settings: &Settings) -> Outcome<Loaded> {
    let mut sources = sources(settings.config.as_deref())?;
    sources.role = Role::Service;
    let mut set = |option: &str, key: &str, value: &str| {
        sources.options.push(CommandOption { option: option.to_owned(), key: key.to_owned(), value: value.to_owned() });
    };
    for pair in &settings.set {
        let Some((key, value)) = pair.split_once('=').filter(|(key, _)| !key.trim().is_empty()) else {
            return Err(Failure::Usage(format!(
                "--set {pair} has no `=`: write --set KEY=VALUE, such as --set rotation.max_age=5m"
            )));
        };
        set("--set", key.trim(), value.trim());
    }
    let named = [
        ("--output-dir", "output_dir", &settings.output_dir),
        ("--grpc", "listen.grpc", &settings.grpc),
        ("--http", "listen.http", &settings.http),
        ("--durability", "durability", &settings.durability),
    ];
    for (option, key, value) in named {
        if let Some(value) = value {
            set(option, key, value);
        }
    }
    if settings.insecure {
        set("--insecure", "insecure", "true");
    }
    parsed(&sources)
}

/// The directory that is named, whether it is there or not.
pub(crate) fn named(source: &Source) -> Outcome<PathBuf> {
    match &source.output_dir {
        Some(directory) => at_home(directory),
        None => Ok(parsed(&sources(source.config.as_deref())?)?.config.output_dir),
    }
}

/// The directory that a reading command reads.
pub(crate) fn directory(source: &Source) -> Outcome<PathBuf> {
    let directory = named(source)?;
    if directory.is_dir() {
        return Ok(directory);
    }
    Err(Failure::Failed(format!(
        "there is no directory {}: name the one to read with --output-dir DIR",
        path(&directory)
    )))
}

/// What a command that asks is asked of: the directory, within the limits of the configuration.
pub(crate) fn telemetry(source: &Source, timeout: Option<Duration>) -> Outcome<Telemetry> {
    Ok(telemetry_of(directory(source)?, source, timeout))
}

/// As [`telemetry`], of this directory.
pub(crate) fn telemetry_of(directory: PathBuf, source: &Source, timeout: Option<Duration>) -> Telemetry {
    let mut limits = limits(source);
    // The process is that of who waits: they may wait longer than a service lets others.
    limits.timeout = timeout.unwrap_or(limits.timeout);
    Telemetry::with(directory, limits)
}

/// Bounds on questions. A directory that is named needs no configuration: one that cannot be read is then nobody's business.
pub(crate) fn limits(source: &Source) -> Query {
    let loaded = sources(source.config.as_deref()).and_then(|sources| parsed(&sources));
    loaded.map(|loaded| loaded.config.query).unwrap_or_default()
}

/// A directory of the command line with a leading `~/`, which a shell leaves in `--output-dir=~/x`.
fn at_home(directory: &Path) -> Outcome<PathBuf> {
    let Some(text) = directory.to_str() else { return Ok(directory.to_owned()) };
    let sources = Sources::process()?;
    config::home(text, &sources.env)
        .map(PathBuf::from)
        .map_err(|problem| Failure::Usage(format!("otlp-arrow: --output-dir {text} {problem}")))
}

fn sources(file: Option<&Path>) -> Outcome<Sources> {
    let mut sources = Sources::process()?;
    if let Some(file) = file {
        sources.file = ConfigFile::Path(file.to_owned());
    }
    Ok(sources)
}

/// A wrong configuration is wrong usage.
fn parsed(sources: &Sources) -> Outcome<Loaded> {
    Config::load(sources).map_err(|error| match error.code() {
        Code::InvalidConfig => match Failure::from(error) {
            Failure::Failed(text) => Failure::Usage(format!("otlp-arrow: {text}")),
            other => other,
        },
        _ => error.into(),
    })
}

fn init(args: &InitArgs, io: &mut Io<'_>) -> Outcome {
    let text = config::commented_file(&Kinds::default());
    if args.file == Path::new("-") {
        write!(io.out, "{text}")?;
        return Ok(());
    }
    let mut options = OpenOptions::new();
    if args.force {
        options.write(true).create(true).truncate(true);
    } else {
        options.write(true).create_new(true);
    }
    let written = options.open(&args.file).and_then(|mut file| file.write_all(text.as_bytes()));
    match written {
        Ok(()) => {
            writeln!(io.out, "wrote {}: take the # off what you want to set", path(&args.file))?;
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Failure::Failed(format!(
            "{} is there already: name another file, or replace it with --force",
            path(&args.file)
        ))),
        Err(error) => Err(Failure::file("write", &args.file, error)),
    }
}
