//! Keys of parts that this build leaves out: a setting that nothing acts on is an error.

use super::read::Reader;
use super::types::Config;
use crate::error::{Code, OtlpError, Result};

/// A part that a Cargo feature builds in, and the keys that only it acts on.
struct Part {
    feature: &'static str,
    built_in: bool,
    keys: &'static [&'static str],
}

const PARTS: [Part; 2] = [
    Part {
        feature: "doors",
        built_in: cfg!(feature = "doors"),
        keys: &[
            "listen",
            "insecure",
            "protocols",
            "dashboard",
            "mcp",
            "limits.max_body",
            "limits.max_connections",
            "limits.max_streams",
            "limits.header_bytes",
            "limits.timeout",
        ],
    },
    Part { feature: "forward", built_in: cfg!(feature = "forward"), keys: &["forward", "on_event.webhook"] },
];

/// The keys that are left out, each with its feature.
fn left_out() -> impl Iterator<Item = (&'static str, &'static str)> {
    let parts = PARTS.iter().filter(|part| !part.built_in);
    parts.flat_map(|part| part.keys.iter().map(|key| (*key, part.feature)))
}

fn problem(feature: &str) -> String {
    format!("is not in this build: compile otlp-arrow with the Cargo feature {feature}, or leave the key out")
}

/// Leaves a mistake in the reader for each key that somebody set and nothing acts on.
pub(super) fn check_keys(reader: &mut Reader<'_>) {
    for (key, feature) in left_out() {
        if reader.is_set(key) {
            reader.fail(key, &problem(feature));
        }
    }
}

/// INVALID_CONFIG if a configuration asks for a part that is left out.
pub(super) fn check(config: &Config) -> Result<()> {
    let asked = |key: &str| match key {
        "listen" => config.listen.grpc.is_some() || config.listen.http.is_some(),
        "insecure" => config.insecure,
        "dashboard" => config.dashboard,
        "mcp" => config.mcp,
        "forward" => !config.forward.is_empty(),
        "on_event.webhook" => config.on_event.webhook.is_some(),
        // The others have values in any case, as they have defaults.
        _ => false,
    };
    match left_out().find(|(key, _)| asked(key)) {
        Some((key, feature)) => Err(OtlpError::new(Code::InvalidConfig, format!("{key} {}", problem(feature)))),
        None => Ok(()),
    }
}
