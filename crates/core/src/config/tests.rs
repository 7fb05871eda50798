#![allow(clippy::unwrap_used, reason = "tests")]

use otlp_arrow_base::PerSignal;
use otlp_arrow_columns::Signal;
use otlp_arrow_testkit::fresh::{fresh, section};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::*;
use crate::destinations::{Kinds, Target};
use crate::internal::config::*;
use crate::key::Key;

fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn arguments(value: Value) -> Result<Config> {
    Config::load(&Sources { arguments: value, ..Sources::default() }).map(|loaded| loaded.config)
}

fn with_env(pairs: &[(&str, &str)]) -> Result<Loaded> {
    Config::load(&Sources { env: env(pairs), ..Sources::default() })
}

fn refusal(value: Value) -> String {
    let error = arguments(value).unwrap_err();
    assert_eq!(error.code(), Code::InvalidConfig);
    error.message().to_owned()
}

/// Every value of a configuration, whoever set it.
fn shown(config: Config) -> String {
    format!("{:?}", config.exactly())
}

fn option(option: &str, key: &str, value: &str) -> CommandOption {
    CommandOption { option: option.to_owned(), key: key.to_owned(), value: value.to_owned() }
}

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.yaml");
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

#[test]
fn the_defaults_are_those_of_the_design() {
    let config = Config::default();
    assert_eq!(config.output_dir, Path::new("./output_dir"));
    assert_eq!(config.durability, Durability::Written);
    assert_eq!(config.commit_interval, Duration::from_millis(10));
    assert_eq!(config.buffer.max_bytes, 128 << 20);
    assert_eq!(config.limits.max_request_memory, 256 << 20);
    assert_eq!(config.limits.max_body, 64 << 20);
    assert_eq!(config.storage.min_free_bytes, 256 << 20);
    assert_eq!(config.listen, Listen::default());
    assert_eq!(config.protocols, Protocols { otlp_grpc: true, otlp_http: true, otap: true, api: true, flight: true });
    assert!(!config.dashboard && !config.mcp);
    assert_eq!(config.rotation, Rotation { max_bytes: 64 << 20, max_age: Duration::from_secs(900) });
    assert_eq!(config.retention.max_age(Signal::Traces), Duration::from_secs(24 * 3600));
    assert_eq!(config.retention.max_age(Signal::Logs), Duration::from_secs(24 * 3600));
    assert_eq!(config.retention.max_age(Signal::Metrics), Duration::from_secs(7 * 24 * 3600));
    assert_eq!(config.retention.max_bytes, 4 << 30);
    assert_eq!(config.log, Log { level: LogLevel::Info, format: LogFormat::Console });
    assert_eq!(config.shutdown_timeout, Duration::from_secs(10));
    assert!(config.forward.is_empty() && config.resource.is_empty() && !config.insecure);
}

#[test]
fn every_default_of_the_table_can_be_read() {
    let root = raw::Node::map(Origin::Default);
    let nothing = BTreeMap::new();
    let mut reader = read::Reader::new(keys::standard(), &root, &nothing);
    parse::config(&mut reader, &root, &nothing, &mut Vec::new());
    assert_eq!(reader.errors, Vec::<String>::new());
    for key in
        keys::standard().keys().iter().filter(|key| !key.default.is_empty() && !key.path.starts_with("forward[]"))
    {
        let found = reader.settings.iter().any(|setting| setting.key == key.path);
        assert!(found || key.path == "write_interval", "{} is in the table and is never read", key.path);
    }
}

#[test]
fn a_destination_of_one_url_has_the_defaults_of_the_table() {
    let config = arguments(json!({"forward": {"endpoint": "http://collector:4317"}})).unwrap();
    let [destination] = config.forward.as_slice() else { panic!("one destination") };
    let expected = DestinationConfig::new("default", "http://collector:4317");
    assert_eq!(format!("{destination:?}"), format!("{expected:?}"));
}

#[test]
fn every_kind_of_destination_can_be_named_and_its_defaults_be_read() {
    for kind in Kinds::default().iter() {
        let target = kind.spec().target;
        let mut destination = json!({"protocol": kind.name()});
        if let Target::Url { example, .. } = target {
            let missing = refusal(json!({"forward": destination}));
            assert!(missing.contains("forward[0].endpoint is missing") && missing.contains(example), "{missing}");
            destination["endpoint"] = example.into();
        }
        let config = arguments(json!({"forward": destination})).unwrap();
        assert_eq!(config.forward[0].protocol, kind);
        let endpoint = config.forward[0].endpoint.clone();
        let expected = DestinationConfig::of(kind, "default", endpoint);
        assert_eq!(format!("{:?}", config.forward[0]), format!("{expected:?}"));
    }
}

#[test]
fn forwarding_to_a_listener_of_ones_own_is_refused_where_the_kind_has_a_url() {
    let forward = |destination: Value| json!({"listen": true, "forward": destination});
    for endpoint in ["http://localhost:4318", "http://127.0.0.1:4317/path", "http://[::1]:4317"] {
        let refused = refusal(forward(json!({"endpoint": endpoint})));
        assert!(refused.contains("this would create a forwarding loop"), "{refused}");
        arguments(forward(json!({"protocol": "stdout", "endpoint": endpoint}))).unwrap();
    }
}

#[test]
fn sources_lie_on_top_of_each_other() {
    let (_dir, path) =
        file("output_dir: ./file\ncommit_interval: 20ms\nbuffer:\n  max_bytes: 1MiB\nrotation: {max_bytes: 1MiB}\n");
    let sources = Sources {
        options: vec![option("--set", "buffer.max_bytes", "4MiB")],
        arguments: json!({"output_dir": "./argument", "buffer": {"max_bytes": "3MiB"}}),
        env: env(&[
            ("OTLP_ARROW_OUTPUT_DIR", "./variable"),
            ("OTLP_ARROW_BUFFER__MAX_BYTES", "2MiB"),
            ("OTLP_ARROW_COMMIT_INTERVAL", "30ms"),
            ("OTLP_ARROW_SHUTDOWN_TIMEOUT", ""),
        ]),
        file: ConfigFile::Path(path.clone()),
        ..Sources::default()
    };
    let loaded = Config::load(&sources).unwrap();
    assert_eq!(loaded.config.output_dir, Path::new("./argument"));
    assert_eq!(loaded.config.buffer.max_bytes, 4 << 20);
    assert_eq!(loaded.config.commit_interval, Duration::from_millis(30));
    assert_eq!(loaded.config.rotation.max_bytes, 1 << 20);
    assert_eq!(loaded.config.shutdown_timeout, Duration::from_secs(10));
    let origin = |key: &str| loaded.settings.iter().find(|setting| setting.key == key).unwrap().origin.to_string();
    assert_eq!(origin("output_dir"), "argument");
    assert_eq!(origin("buffer.max_bytes"), "--set");
    assert_eq!(origin("commit_interval"), "OTLP_ARROW_COMMIT_INTERVAL");
    assert_eq!(origin("rotation.max_bytes"), format!("{}:5", path.display()));
    assert_eq!(origin("shutdown_timeout"), "default");
}

#[test]
fn the_variable_names_the_file() {
    let (_dir, path) = file("commit_interval: 20ms\n");
    let text = path.to_string_lossy().into_owned();
    let sources = |text: &str| Sources {
        env: env(&[("OTLP_ARROW_CONFIG", text)]),
        file: ConfigFile::Standard,
        ..Sources::default()
    };
    let loaded = Config::load(&sources(&text)).unwrap();
    assert_eq!(loaded.config.commit_interval, Duration::from_millis(20));
    assert_eq!(loaded.file, Some(path));
    let error = Config::load(&sources("/nowhere/x.yaml")).unwrap_err();
    assert!(error.message().contains("/nowhere/x.yaml (from OTLP_ARROW_CONFIG)"), "{error}");
}

#[test]
fn errors_name_key_value_what_is_allowed_and_origin() {
    let (_dir, path) = file("# x\nbuffer:\n  max_bytes: 64\n");
    let error = Config::load(&Sources { file: ConfigFile::Path(path.clone()), ..Sources::default() }).unwrap_err();
    assert_eq!(
        error.message(),
        format!(
            "buffer.max_bytes = 64 is a bare number: say of what, such as 64MiB or 64B (from {}:3)",
            path.display()
        )
    );
    let error = with_env(&[("OTLP_ARROW_DURABILITY", "syncd")]).unwrap_err();
    assert_eq!(
        error.message(),
        "durability = \"syncd\" is not allowed: use buffered, written or synced: did you mean synced? (from OTLP_ARROW_DURABILITY)"
    );
    let error = refusal(json!({"commit_interval": 5, "limits": {"nesting": 65}, "output_dir": ""}));
    assert!(error.starts_with("3 settings are wrong:"), "{error}");
    assert!(
        error.contains("commit_interval = 5 is a bare number: say of what, such as 5s or 5ms (from argument)"),
        "{error}"
    );
    assert!(
        error.contains("limits.nesting = 65 is out of range: use a whole number from 1 to 64 (from argument)"),
        "{error}"
    );
    assert!(error.contains("output_dir = \"\" is not allowed: use a path"), "{error}");
    assert!(refusal(json!([1])).contains("must be keys and values"));
}

#[test]
fn a_number_is_no_path_unless_it_is_text() {
    let told = "output_dir = 5 is a number: use a path, in quotes if it is meant: \"5\"";
    assert_eq!(refusal(json!({"output_dir": 5})), format!("{told} (from argument)"));
    let from_file = |text: &str| {
        let (_dir, path) = file(text);
        Config::load(&Sources { file: ConfigFile::Path(path), ..Sources::default() })
    };
    let error = from_file("output_dir: 5\n").unwrap_err();
    assert!(error.message().contains(told) && error.message().contains(":1)"), "{error}");
    assert!(refusal(json!({"output_dir": true})).contains("output_dir = true is not allowed: use a path"));
    for loaded in [with_env(&[("OTLP_ARROW_OUTPUT_DIR", "5")]), from_file("output_dir: '5'\n")] {
        assert_eq!(loaded.unwrap().config.output_dir, Path::new("5"));
    }
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_right_name() {
    for (value, hint) in [
        (json!({"outputDir": "x"}), "outputDir is not a key: did you mean output_dir?"),
        (json!({"rotation": {"max_byte": "1MiB"}}), "rotation.max_byte is not a key: did you mean rotation.max_bytes?"),
        (json!({"max_bytes": "1MiB"}), "did you mean buffer.max_bytes?"),
        (json!({"buffer.max_bytes": "1MiB"}), "write it nested: buffer: {max_bytes: …}"),
        (json!({"colour": 1}), "colour is not a key: known here: output_dir"),
        (json!({"forward": {"endpoint": "http://a", "retries": 1}}), "did you mean forward[].retry?"),
        (json!({"buffer": "64MiB"}), "buffer takes keys of its own: max_bytes"),
    ] {
        let error = refusal(value);
        assert!(error.contains(hint), "{error}");
    }
    // Only builds for tests that end a process know this one.
    let told = with_env(&[("OTLP_ARROW_FAILPOINT", "write.before:1")]).unwrap().warnings;
    assert_eq!(told.is_empty(), cfg!(feature = "failpoints"), "{told:?}");
}

#[test]
fn a_variable_that_sets_no_key_is_told_and_ignored_and_a_wrong_value_is_an_error() {
    let loaded = with_env(&[
        ("OTLP_ARROW_BUFER__MAX_BYTES", "1MiB"),
        ("OTLP_ARROW_FORWARD__X", "1"),
        ("OTLP_ARROW_COMMIT_INTERVAL", "7ms"),
        ("OTLP_ARROW_PORT", "tcp://10.96.0.12:4317"),
        ("OTLP_ARROW_FORWARD__Y_SERVICE_HOST", "10.96.0.13"),
        ("OTLP_ARROW_EMPTY", ""),
    ])
    .unwrap();
    assert_eq!(loaded.config.commit_interval, Duration::from_millis(7));
    assert!(loaded.config.forward.is_empty(), "nothing was begun with what is ignored");
    let [bufer, forward] = loaded.warnings.as_slice() else { panic!("{:?}", loaded.warnings) };
    let told = "bufer is not a key: did you mean buffer? (from OTLP_ARROW_BUFER__MAX_BYTES); the variable is ignored";
    assert_eq!(bufer, told);
    assert!(forward.starts_with("forward[].x is not a key") && forward.contains("OTLP_ARROW_FORWARD__X"), "{forward}");
    let [links] = loaded.notes.as_slice() else { panic!("{:?}", loaded.notes) };
    assert!(links.starts_with("OTLP_ARROW_FORWARD__Y_SERVICE_HOST, OTLP_ARROW_PORT are links"), "{links}");

    for (name, value) in [
        ("OTLP_ARROW_OUTPUT_DIR", "~other/x"),
        ("OTLP_ARROW_LISTEN__GRPC", "tcp://10.96.0.12:4317"),
        ("OTLP_ARROW_BUFFER", "64MiB"),
        ("OTLP_ARROW_FORWARD", "{endpoint: 'http://a', retries: 1}"),
    ] {
        let error = with_env(&[(name, value)]).unwrap_err();
        assert!(error.message().contains(&format!("(from {name})")), "{error}");
    }
    let not_text = |name: &str| {
        Config::load(&Sources { not_text: vec![name.to_owned()], ..Sources::default() }).map(|loaded| loaded.warnings)
    };
    let error = not_text("OTLP_ARROW_OUTPUT_DIR").unwrap_err();
    assert!(error.message().contains("OTLP_ARROW_OUTPUT_DIR has a value that is not UTF-8"), "{error}");
    assert_eq!(not_text("OTLP_ARROW_COLOUR").unwrap().len(), 1);
    assert!(not_text("PATH").unwrap().is_empty());
    // In every other source a name is somebody's word.
    let (_dir, path) = file("port: tcp://10.96.0.12:4317\n");
    for sources in [
        Sources { file: ConfigFile::Path(path), ..Sources::default() },
        Sources { options: vec![option("--set", "port", "tcp://10.96.0.12:4317")], ..Sources::default() },
        Sources { arguments: json!({"port": "tcp://10.96.0.12:4317"}), ..Sources::default() },
    ] {
        assert!(Config::load(&sources).unwrap_err().message().contains("port is not a key"));
    }
}

#[test]
fn sizes_that_nobody_set_fit_the_memory_and_say_so() {
    let system = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("proc/self/cgroup", "0::/\n"),
        ("proc/self/mountinfo", "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"),
        ("sys/fs/cgroup/memory.max", "67108864\n"),
    ] {
        let path = system.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let load = |arguments: Value| {
        let sources = Sources { arguments, system: Some(system.path().to_owned()), ..Sources::default() };
        Config::load(&sources).unwrap()
    };
    let forward =
        json!([{"name": "a", "endpoint": "http://a"}, {"name": "b", "endpoint": "http://b", "memory": "16MiB"}]);
    let loaded = load(json!({"output_dir": system.path(), "forward": forward}));
    assert_eq!(loaded.config.buffer.max_bytes, 16 << 20);
    assert_eq!((loaded.config.forward[0].memory, loaded.config.forward[1].memory), (8 << 20, 16 << 20));
    let printed = print(&loaded);
    let told: Vec<String> = printed
        .lines()
        .filter(|line| line.contains("default, for"))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    for told_of in [
        "max_bytes: 16MiB # default, for a memory limit of 64MiB",
        "max_body: 12MiB # default, for a buffer of 16MiB",
        "memory: 8MiB # default, for a memory limit of 64MiB",
        "max_request_memory: 32MiB # default, for a buffer of 16MiB",
    ] {
        assert!(told.iter().any(|line| line == told_of), "{told_of}\n{printed}");
    }
    assert!(loaded.config.fit.makes_way);
    // Whoever says a size means it, also that of the table.
    let loaded = load(
        json!({"output_dir": system.path(), "buffer": {"max_bytes": "128MiB"}, "retention": {"max_bytes": "4GiB"}}),
    );
    assert_eq!((loaded.config.buffer.max_bytes, loaded.config.retention.max_bytes), (128 << 20, 4 << 30));
    assert!(!loaded.config.fit.makes_way && !loaded.config.fit.at_open);
}

#[cfg(unix)]
#[test]
fn who_may_use_the_files_is_read_and_what_nobody_could_enforce_is_refused() {
    let (_dir, path) = file("storage:\n  mode: 0660\n  group: 0\n");
    let loaded = Config::load(&Sources { file: ConfigFile::Path(path), ..Sources::default() }).unwrap();
    assert_eq!((loaded.config.storage.mode, loaded.config.storage.group.as_deref()), (0o660, Some("0")));
    let storage = |value: Value| arguments(json!({"storage": value})).map(|config| config.storage.mode);
    assert_eq!(storage(json!({})).unwrap(), 0o600);
    assert_eq!(storage(json!({"mode": "0640", "group": "root"})).is_ok(), cfg!(target_os = "linux"));
    assert_eq!(with_env(&[("OTLP_ARROW_STORAGE__MODE", "640")]).unwrap().config.storage.mode, 0o640);
    for (value, told) in [
        (json!({"mode": 416}), "storage.mode = 416 is a bare number: use octal digits in quotes"),
        (json!({"mode": 640}), "storage.mode = 640 is a bare number"),
        (json!({"mode": "0750"}), "storage.mode = \"0750\" is not allowed: use octal digits in quotes"),
        (json!({"group": "0"}), "storage.group = \"0\" has no meaning with storage.mode: 0600"),
        (json!({"mode": "0640", "group": "no-such-group"}), "storage.group = \"no-such-group\" is not a group here"),
        (json!({"mode": "0640", "group": "4294967295"}), "is not a group here"),
        (json!({"mode": "0640", "group": "4294967296"}), "is not a group here"),
        (json!({"mode": "0640", "group": ""}), "storage.group = \"\" is not allowed"),
    ] {
        let error = refusal(json!({"storage": value}));
        assert!(error.contains(told), "{error}\n wanted: {told}");
    }
    let mut config = Config::default();
    config.storage.mode = 0o755;
    assert!(config.check().unwrap_err().message().contains("storage.mode = 0755 is not allowed"));
}

#[test]
fn variables_and_the_home_are_put_into_the_file() {
    let (_dir, path) = file(
        "output_dir: ~/telemetry\nbuffer:\n  max_bytes: ${SIZE:-2MiB}\nforward:\n  endpoint: ${env:URL}\n  auth: {bearer: '$${x}${TOKEN}'}\n\
         resource: {a: 'x${URL}'}\non_event: {command: [~/notify, ~/kept]}\n",
    );
    let home = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    let load = |pairs: &[(&str, &str)]| {
        let sources = Sources { env: env(pairs), file: ConfigFile::Path(path.clone()), ..Sources::default() };
        Config::load(&sources)
    };
    let loaded = load(&[("URL", "http://c:4317"), ("TOKEN", "hunter2"), (home, "/home/u")]).unwrap();
    assert_eq!(loaded.config.output_dir, Path::new("/home/u/telemetry"));
    assert_eq!(loaded.config.buffer.max_bytes, 2 << 20);
    assert_eq!(loaded.config.forward[0].endpoint, "http://c:4317");
    assert!(matches!(&loaded.config.forward[0].auth, Auth::Bearer(token) if token.expose_secret() == "${x}hunter2"));
    assert_eq!(loaded.config.resource, [("a".to_owned(), "xhttp://c:4317".to_owned())]);
    assert_eq!(loaded.config.on_event.command.as_deref().unwrap(), ["/home/u/notify", "~/kept"]);
    assert!(!print(&loaded).contains("hunter2"));
    let error = load(&[("TOKEN", "hunter2")]).unwrap_err();
    assert_eq!(error.code(), Code::InvalidConfig);
    for told in [
        format!(
            "forward.endpoint names the variable URL, which is not set: set it, or write ${{URL:-default}} (from {}:5)",
            path.display()
        ),
        format!(
            "resource.a names the variable URL, which is not set: set it, or write ${{URL:-default}} (from {}:7)",
            path.display()
        ),
        format!(
            "output_dir = \"~/telemetry\" begins with ~, and {home} is not set: set it, or write the path out (from {}:1)",
            path.display()
        ),
    ] {
        assert!(error.message().contains(&told), "{error}\n wanted: {told}");
    }
    assert!(!error.message().contains("hunter2"), "{error}");

    // A leading ~ everywhere where a path is, since no shell has looked at it; the other only in the file.
    let variables = [("OTLP_ARROW_OUTPUT_DIR", "~/v"), ("OTLP_ARROW_RESOURCE", "a=${B}"), (home, "/h")];
    let config = with_env(&variables).unwrap().config;
    assert_eq!((config.output_dir.as_path(), config.resource[0].1.as_str()), (Path::new("/h/v"), "${B}"));
    let sources = Sources { arguments: json!({"output_dir": "~/a"}), env: env(&[(home, "/h")]), ..Sources::default() };
    assert_eq!(Config::load(&sources).unwrap().config.output_dir, Path::new("/h/a"));
    let printed = print(&with_env(&[("OTLP_ARROW_RESOURCE", "a=${B}$$")]).unwrap());
    let (_dir, path) = file(&printed);
    let again = Config::load(&Sources { file: ConfigFile::Path(path), ..Sources::default() }).unwrap().config;
    assert_eq!(again.resource, [("a".to_owned(), "${B}$$".to_owned())]);

    let (_dir, path) = file("forward: {endpoint: ${URL}}\n");
    let error = Config::load(&Sources { file: ConfigFile::Path(path), ..Sources::default() }).unwrap_err();
    assert!(error.message().ends_with("between { } and [ ] a ${NAME} must be quoted: \"${NAME}\""), "{error}");
}

#[test]
fn write_interval_belongs_to_buffered() {
    let config = arguments(json!({"durability": "buffered"})).unwrap();
    assert_eq!(config.durability, Durability::Buffered { write_interval: Duration::from_secs(5) });
    let config = arguments(json!({"durability": "buffered", "write_interval": "250ms"})).unwrap();
    assert_eq!(config.durability, Durability::Buffered { write_interval: Duration::from_millis(250) });
    let error = refusal(json!({"write_interval": "1s"}));
    assert!(error.contains("write_interval has no meaning with durability: written"), "{error}");
}

#[test]
fn rotation_is_at_most_a_quarter_of_retention() {
    arguments(json!({"rotation": {"max_age": "6h"}})).unwrap();
    let error = refusal(json!({"rotation": {"max_age": "7h"}}));
    assert!(
        error.contains("rotation.max_age (7h) must be at most a quarter of retention.traces.max_age (1d)"),
        "{error}"
    );
    let error = refusal(json!({"retention": {"logs": {"max_age": "30m"}}}));
    assert!(error.starts_with("retention.logs.max_age does not fit: rotation.max_age (15m)"), "{error}");
}

#[test]
fn listening_is_standard_with_true_and_refused_to_others_without_credentials() {
    let listen = |value: Value| arguments(json!({"listen": value})).map(|config| config.listen);
    assert_eq!(listen(json!(true)).unwrap(), Listen::standard());
    assert_eq!(listen(json!(false)).unwrap(), Listen::default());
    assert_eq!(
        listen(json!({"grpc": "localhost:0"})).unwrap(),
        Listen { grpc: Some(([127, 0, 0, 1], 0).into()), http: None }
    );
    assert_eq!(listen(json!({"http": "[::1]:4318", "grpc": "off"})).unwrap().http.unwrap().to_string(), "[::1]:4318");
    assert!(listen(json!({"grpc": 4317})).is_err());

    let error = refusal(json!({"listen": {"grpc": "0.0.0.0:4317"}}));
    assert!(error.contains("listen.grpc = 0.0.0.0:4317 can be reached from other machines"), "{error}");
    assert!(error.contains("listen on 127.0.0.1:4317, or accept that with insecure: true (--insecure"), "{error}");
    arguments(json!({"listen": {"grpc": "0.0.0.0:4317"}, "insecure": true})).unwrap();

    let service =
        Sources { role: Role::Service, options: vec![option("--http", "listen.http", "off")], ..Sources::default() };
    assert_eq!(Config::load(&service).unwrap().config.listen, Listen { http: None, ..Listen::standard() });
    let loaded = with_env(&[("OTLP_ARROW_LISTEN", "true"), ("OTLP_ARROW_LISTEN__GRPC", "127.0.0.1:0")]).unwrap();
    assert_eq!(loaded.config.listen, Listen { grpc: Some(([127, 0, 0, 1], 0).into()), ..Listen::standard() });
}

#[test]
fn forward_takes_one_several_or_the_variables() {
    let config = arguments(json!({"forward": [
        {"name": "a", "endpoint": "http://a:4317", "signals": ["traces"], "auth": {"bearer": "t"}},
        {"endpoint": "https://b/x", "protocol": "otlp_http", "compression": "zstd", "max_in_flight": 1,
         "auth": {"basic": {"username": "u", "password": "p"}},
         "breaker": {"strategy": "failure_rate", "rate": 0.25}, "retry": {"initial": "2s"}},
        {"name": "out", "protocol": "stdout", "auth": {"api_key": {"key": "k"}}},
    ]}))
    .unwrap();
    let [a, b, out] = config.forward.as_slice() else { panic!("three destinations") };
    assert_eq!(a.signals, PerSignal { traces: true, metrics: false, logs: false });
    assert!(matches!(&a.auth, Auth::Bearer(token) if token.expose_secret() == "t"));
    assert_eq!(
        (b.name.as_str(), b.protocol, b.compression, b.max_in_flight),
        ("1", Kind::OTLP_HTTP, ForwardCompression::Zstd, 1)
    );
    assert_eq!(b.retry.initial, Duration::from_secs(2));
    assert_eq!(
        b.breaker.strategy,
        BreakerConfig::FailureRate { rate: 0.25, minimum: 20, window: Duration::from_secs(30) }
    );
    assert!(matches!(&out.auth, Auth::ApiKey { header, key } if header == "x-api-key" && key.expose_secret() == "k"));
    assert_eq!(out.protocol, Kind::STDOUT);
}

#[test]
fn wrong_destinations_are_refused() {
    for (value, hint) in [
        (json!({"name": "a"}), "forward[0].endpoint is missing"),
        (
            json!({"endpoint": "collector:4317"}),
            "is not an http or https URL: write a URL such as http://collector:4317",
        ),
        (json!({"endpoint": "http://u:hunter2@c"}), "forward[0].endpoint = *** has credentials in it"),
        (json!("http://collector:4317"), "forward[0] is not a destination: write {endpoint: http://collector:4317}"),
        (
            json!([{"endpoint": "http://a", "name": "x"}, {"endpoint": "http://b", "name": "x"}]),
            "two destinations named x",
        ),
        (
            json!([{"endpoint": "http://a", "name": "Eu"}, {"endpoint": "http://b", "name": "eu"}]),
            "two destinations named eu",
        ),
        (
            json!({"endpoint": "http://a", "auth": {"bearer": "hunter2\nx"}}),
            "forward[0].auth.bearer = *** has characters that no header may have",
        ),
        (
            json!({"endpoint": "http://a", "auth": {"api_key": {"key": "hunter2\r"}}}),
            "forward[0].auth.api_key.key = *** has characters that no header may have",
        ),
        (json!({"endpoint": "http://a", "name": "../x"}), "forward[0].name = \"../x\" is not allowed"),
        (
            json!({"endpoint": "http://a", "auth": {"bearer": "t", "basic": {"username": "u"}}}),
            "has bearer and basic: choose one",
        ),
        (
            json!({"endpoint": "http://a", "auth": {"basic": {"username": "u"}}}),
            "forward[0].auth.basic.password is missing",
        ),
        (
            json!({"endpoint": "http://a", "auth": "hunter2"}),
            "forward[].auth takes keys of its own: bearer, api_key, basic",
        ),
        (json!({"endpoint": "http://a", "headers": {"a b": "c"}}), "\"a b\", which no header is called"),
        (json!({"endpoint": "http://a", "tls": {"server_name": "x"}}), "has no meaning with http://a"),
        (
            json!({"endpoint": "https://a", "tls": {"cert_file": "/nowhere"}}),
            "needs a certificate and its key together",
        ),
        (
            json!({"endpoint": "http://a", "breaker": {"rate": 0.5}}),
            "rate has no meaning with strategy: consecutive_failures",
        ),
        (json!({"endpoint": "http://a", "retry": {"initial": "1m"}}), "retry.initial (1m) is above retry.max (30s)"),
        (json!({"endpoint": "http://a", "signals": []}), "is empty: name at least one signal"),
        (json!({"endpoint": "http://a", "signals": ["spans"]}), "use a list of traces, metrics, logs"),
    ] {
        let error = refusal(json!({"forward": value}));
        assert!(error.contains(hint), "{error}\n  wanted: {hint}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let looped = json!({"listen": true, "forward": {"endpoint": "http://localhost:4318", "protocol": "otlp_http"}});
    assert!(refusal(looped).contains("this program's own listen.http"));
}

#[test]
fn variables_change_single_destinations_of_the_file() {
    let (_dir, path) = file("forward:\n  - endpoint: http://a\n    name: a\n  - endpoint: http://b\n    name: b\n");
    let load = |pairs: &[(&str, &str)]| {
        Config::load(&Sources { env: env(pairs), file: ConfigFile::Path(path.clone()), ..Sources::default() })
            .map(|loaded| loaded.config.forward)
    };
    let forward =
        load(&[("OTLP_ARROW_FORWARD__1__ENDPOINT", "http://c"), ("OTLP_ARROW_FORWARD__2__ENDPOINT", "http://d")])
            .unwrap();
    let urls: Vec<&str> = forward.iter().map(|destination| destination.endpoint.as_str()).collect();
    assert_eq!(urls, ["http://a", "http://c", "http://d"]);
    assert_eq!(forward[1].name, "b");
    let forward =
        load(&[("OTLP_ARROW_FORWARD", "{endpoint: 'http://e', auth: {bearer: {env: T}}}"), ("T", "secret")]).unwrap();
    assert_eq!((forward.len(), forward[0].endpoint.as_str()), (1, "http://e"));
    let forward = with_env(&[("OTLP_ARROW_FORWARD__ENDPOINT", "http://f"), ("OTLP_ARROW_FORWARD__AUTH__BEARER", "{x")])
        .unwrap()
        .config
        .forward;
    assert!(matches!(&forward[0].auth, Auth::Bearer(token) if token.expose_secret() == "{x"));
}

#[test]
fn secrets_come_from_text_variable_or_file_and_are_never_shown() {
    let (dir, path) = file("hunter2-file\n");
    let sources = Sources {
        arguments: json!({
            "forward": [
                {"name": "a", "endpoint": "https://a", "auth": {"bearer": "hunter2-text"}},
                {"name": "b", "endpoint": "https://b", "auth": {"bearer": {"env": "TOKEN"}}, "headers": {"x-k": {"file": path}}},
            ],
            "on_event": {"webhook": "https://hooks/hunter2-hook"},
        }),
        env: env(&[("TOKEN", "hunter2-variable")]),
        ..Sources::default()
    };
    let loaded = Config::load(&sources).unwrap();
    let [a, b] = loaded.config.forward.as_slice() else { panic!("two destinations") };
    assert!(matches!(&a.auth, Auth::Bearer(token) if token.expose_secret() == "hunter2-text"));
    assert!(matches!(&b.auth, Auth::Bearer(token) if token.expose_secret() == "hunter2-variable"));
    assert_eq!(b.headers[0].1.expose_secret(), "hunter2-file");
    for text in [print(&loaded), format!("{loaded:?}"), format!("{sources:?}")] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert!(print(&loaded).contains("bearer: ***"), "{}", print(&loaded));

    // The user name may be one, and each has a variable of its own for its file, as secrets of containers are handed over.
    let basic = with_env(&[
        ("OTLP_ARROW_FORWARD__ENDPOINT", "https://a"),
        ("OTLP_ARROW_FORWARD__AUTH__BASIC__USERNAME__ENV", "NAME"),
        ("OTLP_ARROW_FORWARD__AUTH__BASIC__PASSWORD__FILE", path.to_str().unwrap()),
        ("OTLP_ARROW_FORWARD__HEADERS__X-KEY__ENV", "NAME"),
        ("NAME", "hunter2-name"),
    ])
    .unwrap();
    let Auth::Basic { username, password } = &basic.config.forward[0].auth else { panic!("basic") };
    assert_eq!((username.as_str(), password.expose_secret()), ("hunter2-name", "hunter2-file"));
    assert_eq!(basic.config.forward[0].headers[0].1.expose_secret(), "hunter2-name");
    assert!(!print(&basic).contains("hunter2"), "{}", print(&basic));

    let missing = |value: Value| refusal(json!({"forward": {"endpoint": "https://a", "auth": {"bearer": value}}}));
    assert!(
        missing(json!({"env": "NOT_SET"}))
            .contains("auth.bearer = *** names the environment variable NOT_SET, which is not set")
    );
    assert!(missing(json!({"file": dir.path().join("none")})).contains("which cannot be read"));
    assert!(missing(json!({"vault": "x"})).contains("use text, {env: NAME} or {file: PATH}"));
    assert!(missing(json!("")).contains("is an empty secret"));
}

#[test]
fn certificates_and_keys_come_from_text_variable_or_file_too() {
    let (_dir, path) = file("hunter2-key\n");
    for at in ["TLS", "PROXY__TLS"] {
        let name = |rest: &str| format!("OTLP_ARROW_FORWARD__{at}__{rest}");
        let all = [
            ("OTLP_ARROW_FORWARD__ENDPOINT".to_owned(), "https://a"),
            ("OTLP_ARROW_FORWARD__PROXY__URL".to_owned(), "https://proxy"),
            (name("CA_PEM"), "hunter2-ca"),
            (name("CERT_PEM__ENV"), "CERT"),
            (name("KEY_PEM__FILE"), path.to_str().unwrap()),
            ("CERT".to_owned(), "hunter2-cert"),
        ];
        let load = |all: &[(String, &str)]| {
            let all: Vec<_> = all.iter().map(|(name, value)| (name.as_str(), *value)).collect();
            with_env(&all)
        };
        let loaded = load(&all).unwrap();
        let forward = &loaded.config.forward[0];
        let tls = if at == "TLS" { &forward.tls } else { &forward.proxy.tls };
        let text = |secret: &Option<Secret>| secret.as_ref().unwrap().expose_secret().to_owned();
        assert_eq!((text(&tls.ca_pem), text(&tls.cert_pem)), ("hunter2-ca".into(), "hunter2-cert".into()));
        assert_eq!(tls.key_pem.as_ref().unwrap().path(), Some(&*path), "read again when it changes");
        for shown in [print(&loaded), format!("{loaded:?}")] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        let both = [&all[..], &[(name("KEY_FILE"), path.to_str().unwrap())]].concat();
        let error = load(&both).unwrap_err();
        assert!(error.message().contains("key_pem is given as key_file as well"), "{error}");
        let error = load(&[&all[..4], &all[5..]].concat()).unwrap_err();
        assert!(error.message().contains("needs a certificate and its key together"), "{error}");
    }
}

#[test]
fn the_resource_is_that_of_the_variables_with_what_was_given_on_top() {
    let variables = [("OTEL_SERVICE_NAME", "shop"), ("OTEL_RESOURCE_ATTRIBUTES", "service.name=x,a=1%2C2,b=c d")];
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let config = with_env(&variables).unwrap().config;
    assert_eq!(config.resource, [pair("service.name", "shop"), pair("a", "1,2"), pair("b", "c d")]);
    let sources =
        Sources { arguments: json!({"resource": {"a": 7, "z": true}}), env: env(&variables), ..Sources::default() };
    let config = Config::load(&sources).unwrap().config;
    assert_eq!(config.resource, [pair("service.name", "shop"), pair("a", "7"), pair("b", "c d"), pair("z", "true")]);
    let sources = Sources { options: vec![option("--set", "resource.service.name", "till")], ..Sources::default() };
    assert_eq!(Config::load(&sources).unwrap().config.resource, [pair("service.name", "till")]);
    let loaded = with_env(&[("OTEL_RESOURCE_ATTRIBUTES", "a=1,b"), ("OTLP_ARROW_RESOURCE", "c=d")]).unwrap();
    assert_eq!(loaded.config.resource, [pair("c", "d")]);
    assert!(loaded.warnings[0].starts_with("OTEL_RESOURCE_ATTRIBUTES has a part without"), "{:?}", loaded.warnings);
}

#[test]
fn forward_env_reads_the_standard_variables() {
    let load = |pairs: &[(&str, &str)]| {
        let mut all = vec![("OTLP_ARROW_FORWARD", "env")];
        all.extend_from_slice(pairs);
        with_env(&all)
    };
    let only = |pairs: &[(&str, &str)]| {
        let forward = load(pairs).unwrap().config.forward;
        assert_eq!(forward.len(), 1, "{forward:?}");
        forward.into_iter().next().unwrap()
    };

    let plain = only(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/base")]);
    assert_eq!((plain.name.as_str(), plain.endpoint.as_str()), ("env", "http://c:4318/base"));
    assert_eq!((plain.protocol, plain.compression), (Kind::OTLP_HTTP, ForwardCompression::None));
    assert_eq!((plain.timeout, plain.signals), (Duration::from_secs(10), PerSignal::all(true)));
    assert_eq!(only(&[]).endpoint, "http://localhost:4318");
    assert_eq!(only(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "GRPC")]).endpoint, "http://localhost:4317");

    let rich = only(&[
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "c:4317"),
        ("OTEL_EXPORTER_OTLP_INSECURE", "True"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, x = y"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
    ]);
    assert_eq!((rich.endpoint.as_str(), rich.protocol), ("http://c:4317", Kind::OTLP_GRPC));
    assert_eq!((rich.compression, rich.timeout), (ForwardCompression::Gzip, Duration::from_millis(2500)));
    let headers: Vec<(&str, &str)> =
        rich.headers.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
    assert_eq!(headers, [("api-key", "a b"), ("x", "y")]);
    assert_eq!(rich.tls.ca_file.as_deref(), Some(Path::new("/ca.pem")));
    assert_eq!(
        only(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "c:1")]).endpoint,
        "https://c:1"
    );

    let own =
        only(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"), ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://l/logs")]);
    assert_eq!(own.signal_endpoints, PerSignal { traces: None, metrics: None, logs: Some("http://l/logs".to_owned()) });

    let forward = load(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"), ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "k=v")])
        .unwrap()
        .config
        .forward;
    let names: Vec<&str> = forward.iter().map(|destination| destination.name.as_str()).collect();
    assert_eq!(names, ["env-traces", "env-metrics-logs"]);
    assert_eq!((forward[0].headers.len(), forward[1].headers.len()), (1, 0));

    let odd = load(&[("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")]).unwrap();
    assert_eq!(odd.warnings.len(), 2, "{:?}", odd.warnings);
    let error = load(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector")]).unwrap_err();
    assert!(error.message().contains("OTEL_EXPORTER_OTLP_ENDPOINT is not an http or https URL"), "{error}");
}

#[test]
fn a_configuration_built_by_hand_is_checked_as_well() {
    let open = Listen { grpc: Some(([0, 0, 0, 0], 4317).into()), http: None };
    let error = Config { listen: open, ..Config::default() }.check().unwrap_err();
    assert!(error.message().starts_with("listen.grpc = 0.0.0.0:4317 can be reached"), "{error}");
    Config { listen: Listen::standard(), ..Config::default() }.check().unwrap();
}

#[test]
fn what_is_printed_can_be_read_again() {
    let (_dir, path) = file(
        "forward:\n  - endpoint: http://a\n    retry: {max: 1m}\n  - env\nlisten: {grpc: '127.0.0.1:0'}\nresource: {a: '5'}\n",
    );
    let loaded = Config::load(&Sources { file: ConfigFile::Path(path), ..Sources::default() }).unwrap();
    let text = print(&loaded);
    assert!(text.contains("output_dir: ./output_dir"), "{text}");
    let (_dir, again) = file(&text);
    let again = Config::load(&Sources { file: ConfigFile::Path(again), ..Sources::default() }).unwrap();
    assert_eq!(shown(again.config), shown(loaded.config), "{text}");
}

#[test]
fn the_commented_file_is_the_defaults_when_its_keys_are_uncommented() {
    let text = commented_file(&Kinds::default());
    let wanted =
        |key: &Key| !key.default.is_empty() && !key.path.starts_with("forward[]") && key.path != "write_interval";
    let uncommented: String = text
        .lines()
        .filter_map(|line| line.strip_prefix('#').filter(|_| !line.starts_with("# ") || line.starts_with("#  ")))
        .filter(|line| {
            let name = line.trim_start().split(':').next().unwrap();
            let leaf = line.contains("  # ");
            !leaf || keys::standard().keys().iter().any(|key| wanted(key) && key.path.rsplit('.').next() == Some(name))
        })
        .map(|line| format!("{line}\n"))
        .collect();
    let uncommented = uncommented.split("forward:").next().unwrap();
    let (_dir, path) = file(uncommented);
    let loaded = Config::load(&Sources { file: ConfigFile::Path(path), ..Sources::default() }).unwrap();
    assert_eq!(shown(loaded.config.clone()), shown(Config::default()));
    let from_file = loaded.settings.iter().filter(|setting| matches!(setting.origin, Origin::File { .. })).count();
    assert!(from_file > 20, "{uncommented}");

    let destination = text.split("#forward:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    for key in keys::standard().keys().iter().filter_map(|key| key.path.strip_prefix("forward[].")) {
        let last = key.rsplit('.').next().unwrap();
        assert!(destination.contains(&format!(" {last}: ")), "{key} is not in\n{destination}");
    }
}

#[test]
fn schema_and_table_of_keys_are_fresh() {
    fresh("docs/config.schema.json", &(serde_json::to_string_pretty(&json_schema(&Kinds::default())).unwrap() + "\n"));
    fresh("docs/configuration.md", &section("docs/configuration.md", "keys", &markdown_table(&Kinds::default())));
}

#[test]
fn every_group_of_keys_says_what_they_have_in_common_and_no_other_does() {
    let mut groups: Vec<&str> = Vec::new();
    for key in keys::standard().keys() {
        for (end, _) in key.path.match_indices('.') {
            let parent = &key.path[..end];
            for group in [parent.trim_end_matches("[]"), parent] {
                if !groups.contains(&group) {
                    groups.push(group);
                }
            }
        }
    }
    assert_eq!(keys::standard().groups().collect::<Vec<_>>(), groups);
}

#[test]
fn the_schema_names_every_key_and_no_other() {
    fn leaves(schema: &Value, prefix: &str, out: &mut Vec<String>) {
        for (name, child) in schema["properties"].as_object().unwrap() {
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            let nested = if matches!(&*path, "listen" | keys::PROXY) { &child["anyOf"][1] } else { child };
            match nested.get("properties") {
                Some(_) => leaves(nested, &path, out),
                None if path == "forward" => {}
                None => out.push(path),
            }
        }
    }
    let schema = json_schema(&Kinds::default());
    let mut found = Vec::new();
    leaves(&schema, "", &mut found);
    leaves(&schema["$defs"]["destination"], "forward[]", &mut found);
    let mut wanted: Vec<String> = keys::standard().keys().iter().map(|key| key.path.clone().into_owned()).collect();
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted);
}

mod any_text {
    use proptest::prelude::*;

    use super::*;

    /// Words and punctuation that reach far into the parsers more often than letters do.
    fn yaml_like() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            prop::sample::select(keys::standard().keys()).prop_map(|key| key
                .path
                .rsplit('.')
                .next()
                .unwrap_or_default()
                .to_owned()),
            prop::sample::select(vec![
                "forward",
                "listen",
                "limits",
                "retention",
                "env",
                "file",
                "true",
                "off",
                "5s",
                "64MiB",
                "5",
                "null",
                ": ",
                ":",
                "\n",
                "\n  ",
                "\n  - ",
                "{",
                "}",
                "[",
                "]",
                ", ",
                "'",
                "\"",
                "&a ",
                "*a",
                "# ",
                "|",
                "http://a",
                "%41",
                "=",
                "99999999999999999999d",
            ])
            .prop_map(str::to_owned),
            "[ -~é\u{0}]{0,4}",
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_text_in_any_source_panics(text in yaml_like(), key in prop::sample::select(keys::standard().keys())) {
            let _ = yaml::read_file(Path::new("c"), &text, &BTreeMap::new());
            let _ = (units::duration(&text), units::size(&text), otel_env::pairs(&text));
            let variable = format!("OTLP_ARROW_{}", key.path.replace("[]", "").replace('.', "__").to_ascii_uppercase());
            let sources = Sources {
                options: vec![option("--set", &key.path.replace("[]", ""), &text)],
                env: env(&[(&variable, &text), ("OTEL_RESOURCE_ATTRIBUTES", &text), ("OTEL_EXPORTER_OTLP_ENDPOINT", &text)]),
                ..Sources::default()
            };
            if let Err(error) = Config::load(&sources) {
                prop_assert_eq!(error.code(), Code::InvalidConfig);
            }
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("c.yaml");
            std::fs::write(&path, &text).unwrap();
            if let Ok(loaded) = Config::load(&Sources { file: ConfigFile::Path(path), ..Sources::default() }) {
                prop_assert!(loaded.config.check().is_ok());
            }
        }
    }
}
