//! Numbers, times, ids and text from elsewhere as people read them.

use std::fmt::Write as _;

use otlp_arrow::Signal;
pub(crate) use otlp_arrow::internal::terminal::{Coloured, Guard, json, one_line, path};
pub(crate) use otlp_arrow_query::text::{duration, thousands};

/// `1 span`, `12,345 log records`.
pub(crate) fn count(records: u64, signal: Signal) -> String {
    let noun = match signal {
        Signal::Traces => "span",
        Signal::Metrics => "data point",
        Signal::Logs => "log record",
    };
    plural(records, noun)
}

/// `1 file`, `2 files`.
pub(crate) fn plural(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// `a, b and c`.
pub(crate) fn list(words: &[&str]) -> String {
    match words.split_last() {
        None => "nothing".to_owned(),
        Some((only, [])) => (*only).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// `3.4 MiB`.
pub(crate) fn bytes(number: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (number as f64, 0);
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{number} B"),
        _ => format!("{value:.1} {}", units[unit]),
    }
}

/// Nanoseconds since 1970 as `2026-11-21T07:41:35.042Z`. Bit patterns above 2^63 are times after the year 2262.
pub(crate) fn time(nanos: i64) -> String {
    let nanos = nanos.cast_unsigned();
    let (days, of_day) = (nanos / 86_400_000_000_000, nanos % 86_400_000_000_000 / 1_000_000);
    let (year, month, day) = date(days);
    let (seconds, millis) = (of_day / 1000, of_day % 1000);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{millis:03}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// The Gregorian date of a day counted from 1970-01-01.
fn date(days: u64) -> (u64, u64, u64) {
    // Years begin in March here, so that the leap day is the last of its year.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, of_month)
}

/// Bytes as lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_iso_8601() {
        assert_eq!(time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(1_795_246_895_042_000_000), "2026-11-21T07:41:35.042Z");
        assert_eq!(time(951_782_400_000_000_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(time(-1), "2554-07-21T23:34:33.709Z");
    }

    #[test]
    fn counts_lists_and_sizes_read_well() {
        assert_eq!(count(1, Signal::Traces), "1 span");
        assert_eq!(count(1_234_567, Signal::Logs), "1,234,567 log records");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(list(&[]), "nothing");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(3 * 1024 * 1024 + 400_000), "3.4 MiB");
    }
}
