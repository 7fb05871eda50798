//! Secrets of every kind, from every source, appear in nothing that a person or another program gets to see, also when
//! the destination repeats them.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use otlp_arrow::config::DestinationConfig;
use otlp_arrow::config::Kind;
use otlp_arrow::internal::config::Sources;
use otlp_arrow::{Config, EventName, OtlpLibrary};
use otlp_arrow_testkit::backend::{Backend, Reply};
use serde_json::json;

use crate::support::{LONG, event, export, wait_for};

/// Every secret has it in it; so has the base64 of `user:Hunter-basic`, which is looked for besides.
const MARK: &str = "Hunter-";
const BASIC: &str = "dXNlcjpIdW50ZXItYmFzaWM=";

/// Everything that is logged in this test program, down to the traces of the HTTP stack.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn logged() -> &'static Logged {
    static LOGGED: OnceLock<Logged> = OnceLock::new();
    LOGGED.get_or_init(|| {
        let logged = Logged::default();
        let writer = logged.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
        logged
    })
}

fn none_of_them(what: &str, text: &str) {
    for secret in [MARK, BASIC] {
        let found = text.find(secret).map(|at| text[at.saturating_sub(120)..].chars().take(240).collect::<String>());
        assert_eq!(found, None, "{what} tells a secret");
    }
}

fn no_file_has_them(dir: &Path) -> usize {
    let mut files = 0;
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            files += no_file_has_them(&entry.path());
        } else {
            let bytes = std::fs::read(entry.path()).unwrap();
            none_of_them(&entry.path().display().to_string(), &String::from_utf8_lossy(&bytes));
            files += 1;
        }
    }
    files
}

#[test]
fn no_secret_is_told_even_by_a_destination_that_repeats_it() {
    let logged = logged();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    std::fs::write(&file, "Hunter-from-file\n").unwrap();
    let backend = Backend::start();
    backend.reply(Reply::Echo { http: 401, grpc: 16 });
    let kinds = [
        ("bearer", json!({"auth": {"bearer": "Hunter-bearer"}})),
        ("variable", json!({"auth": {"bearer": {"env": "THE_TOKEN"}}})),
        ("key", json!({"auth": {"api_key": {"header": "x-api-key", "key": {"file": file}}}})),
        ("basic", json!({"auth": {"basic": {"username": "user", "password": "Hunter-basic"}}})),
        ("header", json!({"headers": {"x-tenant": "Hunter-header", "x-other": {"env": "THE_TOKEN"}}})),
    ];
    let protocols = [("otlp_grpc", "grpc"), ("otlp_http", "http")];
    let destinations = kinds.iter().flat_map(|(name, settings)| {
        let url = backend.url();
        protocols.map(|(protocol, short)| {
            let mut destination = settings.clone();
            destination["name"] = format!("{name}-{short}").into();
            destination["endpoint"] = url.clone().into();
            destination["protocol"] = protocol.into();
            destination["breaker"] = json!({"open": "100ms", "max_open": "200ms"});
            destination
        })
    });
    let sources = Sources {
        arguments: json!({
            "output_dir": dir.path().join("kept"),
            "forward": destinations.collect::<Vec<_>>(),
            "on_event": {"webhook": format!("http://{}/Hunter-webhook", backend.address())},
        }),
        env: BTreeMap::from([("THE_TOKEN".to_owned(), "Hunter-from-variable".to_owned())]),
        ..Sources::default()
    };
    let mut loaded = Config::load(&sources).unwrap();
    none_of_them("the configuration in debug output", &format!("{sources:?} {loaded:?}"));
    none_of_them("config print", &otlp_arrow::internal::config::print(&loaded));
    loaded.config.storage.min_free_bytes = 0;
    let library = OtlpLibrary::open(loaded.config).unwrap();
    let events = crate::support::events_of(&library);
    export(&library, 0, 5);

    let destinations = library.forwarders();
    assert_eq!(destinations.len(), 10);
    wait_for("every destination's answer", || destinations.iter().all(|one| one.info().last_error.is_some()));
    for name in [EventName::BreakerOpened, EventName::ForwardBlocked] {
        none_of_them("an event", &format!("{:?}", event(&events, name)));
    }
    // The answers do quote what was sent, or the test would prove nothing.
    for destination in &destinations {
        let info = destination.info();
        assert!(info.last_error.as_ref().is_some_and(|error| error.contains("***")), "{info:?}");
        none_of_them("a forwarder", &format!("{destination:?} {info:?} {}", serde_json::to_string(&info).unwrap()));
    }
    let (health, stats) = (library.health(), library.stats());
    none_of_them("health", &format!("{health:?} {}", serde_json::to_string(&health).unwrap()));
    none_of_them("stats", &format!("{stats:?} {}", stats.counters.to_prometheus()));
    none_of_them("the library", &format!("{library:?}"));

    // Refused for good: what was said stands beside the data.
    backend.reply(Reply::Echo { http: 400, grpc: 3 });
    for destination in &destinations {
        destination.reset();
    }
    wait_for("data set aside", || destinations.iter().all(|one| one.info().rejected_requests == 1));
    none_of_them("an event", &format!("{:?}", event(&events, EventName::RecordsRejected)));
    backend.reply(Reply::Echo { http: 401, grpc: 16 });
    for destination in &destinations {
        let error = destination.retry_rejected(LONG).unwrap_err();
        none_of_them("an error", &format!("{error} {error:?}"));
    }
    let _ = library.shutdown_blocking(Some(Duration::from_secs(5)));
    for event in events.try_iter() {
        none_of_them("an event", &format!("{event:?} {}", serde_json::to_string(&event).unwrap()));
    }
    assert!(no_file_has_them(&dir.path().join("kept")) >= 20, "rejected data and its answers");
    let text = String::from_utf8_lossy(&logged.0.lock().unwrap()).into_owned();
    assert!(text.contains("bearer-grpc"), "nothing was logged");
    none_of_them("the log", &text);
}

#[test]
fn credentials_in_a_url_are_refused_and_not_told() {
    for url in ["http://user:Hunter-url@127.0.0.1:1", "http://Hunter-url@127.0.0.1", "user:Hunter-url@127.0.0.1:1"] {
        for protocol in [Kind::OTLP_GRPC, Kind::OTLP_HTTP] {
            let destination = DestinationConfig { protocol, ..DestinationConfig::new("url", url) };
            none_of_them("debug output", &format!("{destination:?}"));
            let error = destination.protocol.open(&destination).unwrap_err();
            none_of_them("an error", &format!("{error} {error:?}"));
            assert!(error.message().contains("auth"), "{error}");
        }
        let arguments = json!({"forward": {"endpoint": url}});
        let error = Config::load(&Sources { arguments, ..Sources::default() }).unwrap_err();
        none_of_them("an error", &format!("{error} {error:?}"));
        let env = BTreeMap::from([("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), url.to_owned())]);
        let arguments = json!({"forward": "env"});
        let told = match Config::load(&Sources { arguments, env, ..Sources::default() }) {
            Ok(loaded) => format!("{loaded:?} {}", otlp_arrow::internal::config::print(&loaded)),
            Err(error) => format!("{error} {error:?}"),
        };
        none_of_them("forward: env", &told);
    }
}
