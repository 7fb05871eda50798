//! Numbers, durations and times as people read them.

use crate::filter::{Nanos, show_time};

/// `1234567` as `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 file`, `2 files`, `3 entries`.
pub fn plural(number: u64, noun: &str) -> String {
    let number_shown = thousands(number);
    match (number, noun.strip_suffix('y')) {
        (1, _) => format!("{number_shown} {noun}"),
        (_, Some(stem)) => format!("{number_shown} {stem}ies"),
        (_, None) => format!("{number_shown} {noun}s"),
    }
}

/// `830ns`, `12.4ms`, `2.05s`, `1m 4s`: three digits that matter.
pub fn duration(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let value = nanos.unsigned_abs();
    let scaled = |unit: f64, name: &str| {
        let number = value as f64 / unit;
        let digits = if number >= 100.0 {
            0
        } else if number >= 10.0 {
            1
        } else {
            2
        };
        let text = format!("{number:.digits$}");
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        format!("{sign}{text}{name}")
    };
    match value {
        0..=999 => format!("{sign}{value}ns"),
        1_000..=999_499 => scaled(1e3, "µs"),
        999_500..=999_499_999 => scaled(1e6, "ms"),
        999_500_000..=59_999_999_999 => scaled(1e9, "s"),
        _ => {
            let seconds = value / 1_000_000_000;
            match seconds {
                0..=3599 if seconds.is_multiple_of(60) => format!("{sign}{}m", seconds / 60),
                0..=3599 => format!("{sign}{}m {}s", seconds / 60, seconds % 60),
                _ => format!("{sign}{}h {}m", seconds / 3600, seconds % 3600 / 60),
            }
        }
    }
}

/// `2026-11-21T07:41:35.042Z`.
pub fn moment(time: Nanos) -> String {
    format!("{}Z", &show_time(time)[..23])
}

/// The time of day of a moment: `07:41:35.042`.
pub fn clock(time: Nanos) -> String {
    show_time(time)[11..23].to_owned()
}

/// `12s ago`, `3m ago`, `5h ago`, `2d ago`; `in 3m` of what is to come.
pub fn ago(time: Nanos, now: Nanos) -> String {
    let seconds = now.abs_diff(time) / 1_000_000_000;
    let (number, unit) = match seconds {
        0..120 => (seconds, "s"),
        120..7_200 => (seconds / 60, "m"),
        7_200..172_800 => (seconds / 3600, "h"),
        _ => (seconds / 86_400, "d"),
    };
    match time > now && seconds > 0 {
        true => format!("in {number}{unit}"),
        false => format!("{number}{unit} ago"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits() {
        for (nanos, text) in [
            (0, "0ns"),
            (999, "999ns"),
            (1_500, "1.5µs"),
            (12_345_678, "12.3ms"),
            (999_600, "1ms"),
            (152_000_000, "152ms"),
            (2_050_000_000, "2.05s"),
            (64_000_000_000, "1m 4s"),
            (300_000_000_000, "5m"),
            (7_500_000_000_000, "2h 5m"),
            (-5_000, "-5µs"),
        ] {
            assert_eq!(duration(nanos), text);
        }
    }

    #[test]
    fn times_are_absolute_and_relative() {
        let now = 1_795_246_895_042_000_000;
        assert_eq!((moment(now), clock(now)), ("2026-11-21T07:41:35.042Z".into(), "07:41:35.042".into()));
        for (before, text) in [
            (0, "0s ago"),
            (90, "90s ago"),
            (120, "2m ago"),
            (7_200, "2h ago"),
            (200_000, "2d ago"),
            (60_000, "16h ago"),
        ] {
            assert_eq!(ago(now - before * 1_000_000_000, now), text);
        }
        assert_eq!(ago(now + 300_000_000_000, now), "in 5m");
        assert_eq!(ago(0, now), "20778d ago");
    }

    #[test]
    fn counts_read_well() {
        assert_eq!((plural(1, "span"), plural(1_234_567, "span")), ("1 span".into(), "1,234,567 spans".into()));
        assert_eq!((plural(1, "query"), plural(2, "query")), ("1 query".into(), "2 queries".into()));
    }
}
