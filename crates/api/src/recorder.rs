//! The recorder as it is shown, and a hand on its destinations.

use std::path::PathBuf;
use std::time::Duration;

use otlp_arrow::config::Query;
use otlp_arrow::internal::Recorder;
use otlp_arrow::{Code, Forwarder, ForwarderInfo, OtlpError, Result, Retried, Signal};
use otlp_arrow_base::stats::Metric;
use otlp_arrow_query::filter::nearest;
use serde::Serialize;
use serde_json::{Value, json};

use crate::routes::Hand;
use crate::words::Words;

/// The longest that sending again what a destination refused may take; what is left then is sent by the next call.
const RETRY: Duration = Duration::from_secs(20);

/// What is asked about.
pub(crate) enum Subject {
    Recorder(Recorder),
    /// A directory that nothing here records into.
    Directory {
        output_dir: PathBuf,
        query: Query,
    },
}

impl Subject {
    fn forwarders(&self) -> &[Forwarder] {
        match self {
            Subject::Recorder(recorder) => recorder.forwarders(),
            Subject::Directory { .. } => &[],
        }
    }
}

fn bounds(query: &Query) -> Value {
    json!({
        "timeout": query.timeout.as_nanos() as u64,
        "max_memory": query.max_memory,
        "max_rows": query.max_rows,
        "max_concurrent": query.max_concurrent,
    })
}

/// Health, counts, disk and destinations; of a directory without a recorder what is known of it.
pub(crate) fn shown(subject: &Subject) -> Value {
    let recorder = match subject {
        Subject::Recorder(recorder) => recorder,
        Subject::Directory { output_dir, query } => {
            return json!({
                "version": env!("CARGO_PKG_VERSION"),
                "output_dir": output_dir.display().to_string(),
                "health": null,
                "stats": null,
                "destinations": [],
                "retention": null,
                "query": bounds(query),
            });
        }
    };
    let config = recorder.config();
    let stats = recorder.stats();
    let refused = |labels: &[(&str, &str)]| stats.counters.total(Metric::RefusedRecords.name(), labels);
    let by_signal = Signal::ALL.map(|signal| (signal.to_string(), refused(&[("signal", signal.as_str())]).into()));
    let refused = Value::Object(by_signal.into_iter().collect());
    let mut stats = serde_json::to_value(&stats).unwrap_or_default();
    if let Some(stats) = stats.as_object_mut() {
        // Hundreds of series: /metrics has them.
        stats.remove("counters");
        stats.insert("refused_records".to_owned(), refused);
    }
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "output_dir": config.output_dir.display().to_string(),
        "health": recorder.health(),
        "stats": stats,
        "destinations": recorder.forwarders().iter().map(Forwarder::info).collect::<Vec<_>>(),
        "retention": {
            "max_bytes": config.retention.max_bytes,
            "max_age": config.retention.max_age.map(|age| age.as_nanos() as u64),
        },
        "query": bounds(&config.query),
    })
}

/// A destination after something was done to it.
#[derive(Serialize)]
pub(crate) struct Done {
    destination: ForwarderInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    retried: Option<Retried>,
}

/// Does it to the destination of that name. Blocks while what was refused is sent again.
pub(crate) fn take_in_hand(subject: &Subject, name: &str, hand: Hand) -> Result<Done> {
    let forwarders = subject.forwarders();
    let Some(forwarder) = forwarders.iter().find(|forwarder| forwarder.name() == name) else {
        let hint = match nearest(name, forwarders.iter().map(Forwarder::name)) {
            Some(meant) => format!("did you mean {meant}?"),
            None if forwarders.is_empty() => "nothing is forwarded".to_owned(),
            None => format!("there are {}", forwarders.iter().map(Forwarder::name).collect::<Vec<_>>().join(", ")),
        };
        return Err(OtlpError::new(Code::InvalidConfig, format!("no destination is called {name:?}: {hint}")));
    };
    let mut retried = None;
    match hand {
        Hand::Pause => forwarder.pause(),
        Hand::Resume => forwarder.resume(),
        Hand::Retry => {
            forwarder.reset();
            retried = Some(forwarder.retry_rejected(RETRY)?);
        }
    }
    Ok(Done { destination: forwarder.info(), retried })
}

/// INVALID_CONFIG for a word, where none is taken.
pub(crate) fn no_words(words: &Words) -> Result<()> {
    match words.first() {
        None => Ok(()),
        Some((name, _)) => {
            let name: String = name.chars().take(100).collect();
            Err(OtlpError::new(Code::InvalidConfig, format!("{name:?} is a word, and this path takes none")))
        }
    }
}
