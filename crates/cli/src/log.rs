//! The log of the standalone service: standard error only, and never more than a person or a disk can take.

use std::collections::HashMap;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use otlp_arrow::internal::Clock;
use otlp_arrow::internal::config::{Log, LogFormat, LogLevel};
use tracing::callsite::Identifier;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Metadata};
use tracing_subscriber::Layer as _;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::layer::{Context, Filter, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::text::one_line;

/// Lines one place in the code may write in one second.
const BURST: u32 = 20;
const WINDOW: Duration = Duration::from_secs(1);

/// Sends the log to standard error. A host program that has a subscriber of its own keeps it.
pub(crate) fn init(log: &Log) {
    let level = match log.level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // Libraries below us speak only where something is wrong, or where everything is asked for.
    let others = if level == LevelFilter::TRACE { level } else { level.min(LevelFilter::WARN) };
    let targets = Targets::new().with_default(others).with_target("otlp_arrow", level);
    // Colours are for people: a file or a journal takes the line as it is. NO_COLOR is honoured by the layer.
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // Telemetry and remotes are quoted in messages.
    let fields = debug_fn(|out, field, value| {
        let text = format!("{value:?}");
        match field.name() {
            "message" => write!(out, "{}", one_line(&text)),
            name => write!(out, "{name}={}", one_line(&text)),
        }
    });
    let lines = if std::io::stderr().is_terminal() { lines } else { lines.with_ansi(false) };
    let limited = RateLimit::default();
    let registry = tracing_subscriber::registry().with(targets);
    let _ = match log.format {
        LogFormat::Console => {
            registry.with(lines.with_target(false).fmt_fields(fields.delimited(" ")).with_filter(limited)).try_init()
        }
        LogFormat::Json => registry.with(lines.json().flatten_event(true).with_filter(limited)).try_init(),
    };
}

/// Lets each place in the code write [`BURST`] lines a second, and says how many it left out.
#[derive(Debug, Default)]
struct RateLimit {
    places: Mutex<HashMap<Identifier, Count>>,
}

#[derive(Debug)]
struct Count {
    since: Instant,
    seen: u32,
}

impl RateLimit {
    /// Whether a line may be written now, and how many the window that just ended left out.
    fn admit(&self, place: Identifier, now: Instant) -> (bool, u32) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let count = places.entry(place).or_insert(Count { since: now, seen: 0 });
        let mut left_out = 0;
        if now.duration_since(count.since) >= WINDOW {
            left_out = count.seen.saturating_sub(BURST);
            *count = Count { since: now, seen: 0 };
        }
        count.seen = count.seen.saturating_add(1);
        (count.seen <= BURST, left_out)
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Filter<S> for RateLimit {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let (admitted, left_out) = self.admit(event.metadata().callsite(), Clock::system().now());
        if left_out > 0 {
            // Not an event of its own: nothing may be logged from inside a filter.
            let _ = writeln!(std::io::stderr(), "({left_out} more lines like the next one were left out)");
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_counted() {
        let callsite = tracing::callsite!(name: "flood", kind: tracing::metadata::Kind::EVENT, fields: message);
        let id = tracing::callsite::Callsite::metadata(callsite).callsite();
        let limit = RateLimit::default();
        let start = Instant::now();
        let admitted = (0..100).filter(|_| limit.admit(id.clone(), start).0).count();
        assert_eq!(admitted, BURST as usize);
        assert_eq!(limit.admit(id.clone(), start + WINDOW), (true, 100 - BURST));
        assert_eq!(limit.admit(id, start + 2 * WINDOW), (true, 0));
    }
}
