//! Durations and sizes as text with a unit. Bare numbers are refused: nobody can tell what they count. Rights of files as
//! octal digits.

use std::time::Duration;

const DURATIONS: [(&str, u128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

const SIZES: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

/// Reads `5s`, `10ms`, `1h30m`. The error says what is allowed.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let allowed = "write whole numbers with a unit (ns, us, ms, s, m, h, d), such as 5s, 250ms or 1h30m";
    if let Some(number) = bare_number(text) {
        return Err(format!("is a bare number: say of what, such as {number}s or {number}ms"));
    }
    let mut rest = text.trim();
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let (number, unit, tail) = term(rest).ok_or_else(|| format!("is not a duration: {allowed}"))?;
        let scale = DURATIONS
            .iter()
            .find(|(name, _)| *name == unit || (unit == "µs" && *name == "us"))
            .ok_or_else(|| format!("has the unknown unit {unit:?}: {allowed}"))?
            .1;
        total = u128::from(number)
            .checked_mul(scale)
            .and_then(|term| total.checked_add(term))
            .ok_or_else(|| format!("is too long: {allowed}"))?;
        rest = tail;
    }
    if text.trim().is_empty() {
        return Err(format!("is empty: {allowed}"));
    }
    u64::try_from(total).map(Duration::from_nanos).map_err(|_| "is longer than 500 years".to_owned())
}

/// Reads `64MiB`, `512KiB`, `10GB`. Units are powers of 1024 with an `i`, of 1000 without; letter case is free.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let allowed = "write a whole number with a unit (B, KiB, MiB, GiB, TiB, or KB, MB, GB, TB), such as 64MiB";
    if let Some(number) = bare_number(text) {
        return Err(format!("is a bare number: say of what, such as {number}MiB or {number}B"));
    }
    let (number, unit, rest) = term(text.trim()).ok_or_else(|| format!("is not a size: {allowed}"))?;
    let scale = SIZES.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
    match scale {
        Some((_, scale)) if rest.is_empty() => {
            number.checked_mul(*scale).ok_or_else(|| format!("is larger than any disk: {allowed}"))
        }
        Some(_) => Err(format!("is not a size: {allowed}")),
        None => Err(format!("has the unknown unit {unit:?}: {allowed}")),
    }
}

/// The shortest text that [`duration`] reads as `value`.
pub(crate) fn show_duration(value: Duration) -> String {
    let nanos = value.as_nanos();
    let unit = DURATIONS.iter().find(|(_, scale)| nanos.is_multiple_of(*scale) && nanos > 0);
    unit.map_or_else(|| "0s".to_owned(), |(name, scale)| format!("{}{name}", nanos / scale))
}

/// The shortest text in powers of 1024 that [`size`] reads as `value`.
pub(crate) fn show_size(value: u64) -> String {
    let unit = SIZES
        .iter()
        .find(|(name, scale)| value > 0 && value.is_multiple_of(*scale) && (name.len() == 3 || *name == "B"));
    unit.map_or_else(|| "0B".to_owned(), |(name, scale)| format!("{}{name}", value / scale))
}

/// Reads `0640`, `640` or `0o640`: the owner reads and writes, the group and others read, write as well, or neither.
pub(crate) fn mode(text: &str) -> Option<u32> {
    let text = text.trim();
    let digits = text.strip_prefix("0o").or(text.strip_prefix('0')).unwrap_or(text);
    let mode = match digits.as_bytes() {
        [b'6', group @ (b'0' | b'4' | b'6'), others @ (b'0' | b'4' | b'6')] => {
            0o600 | u32::from(group - b'0') << 3 | u32::from(others - b'0')
        }
        _ => return None,
    };
    Some(mode)
}

/// The text that [`mode`] reads as `value`.
pub(crate) fn show_mode(value: u32) -> String {
    format!("{value:04o}")
}

fn bare_number(text: &str) -> Option<&str> {
    let text = text.trim();
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-');
    plain.then_some(text)
}

/// The leading number, its unit, and what follows.
fn term(text: &str) -> Option<(u64, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number = text[..digits].parse().ok()?;
    let after = text[digits..].trim_start();
    let unit_end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
    (unit_end > 0).then(|| (number, &after[..unit_end], after[unit_end..].trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_shown() {
        for (text, nanos) in [
            ("5s", 5_000_000_000),
            ("10ms", 10_000_000),
            ("1h30m", 5_400_000_000_000),
            ("7 d", 604_800_000_000_000),
            ("3µs", 3_000),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
        for nanos in [0, 1, 1_500, 10_000_000, 5_000_000_000, 5_400_000_000_000, 604_800_000_000_000] {
            let value = Duration::from_nanos(nanos);
            assert_eq!(duration(&show_duration(value)), Ok(value));
        }
        assert_eq!(show_duration(Duration::from_secs(90 * 60)), "90m");
    }

    #[test]
    fn sizes_are_read_and_shown() {
        for (text, bytes) in [("64MiB", 64 << 20), ("1 GB", 1_000_000_000), ("10kib", 10 << 10), ("0B", 0), ("7b", 7)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for bytes in [0, 1, 1000, 1024, 1536, 64 << 20, 4 << 30, u64::MAX] {
            assert_eq!(size(&show_size(bytes)), Ok(bytes));
        }
    }

    #[test]
    fn modes_are_read_and_shown() {
        for (text, value) in [("0600", 0o600), ("640", 0o640), ("0o660", 0o660), (" 0644 ", 0o644), ("0666", 0o666)] {
            assert_eq!(mode(text), Some(value), "{text}");
            assert_eq!(mode(&show_mode(value)), Some(value));
        }
        for text in
            ["", "0", "0700", "0400", "0642", "0620", "0601", "00640", "06400", "1640", "416", "rw-r-----", "0x1a0"]
        {
            assert_eq!(mode(text), None, "{text}");
        }
    }

    #[test]
    fn wrong_text_is_refused_with_the_remedy() {
        for text in ["", "s", "5x", "1.5s", "-1s", "5s!", "s5", "99999999999999999999s", "999999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["", "MiB", "64M", "1.5GiB", "-1B", "64MiB 1B", "99999999TiB"] {
            assert!(size(text).is_err(), "{text}");
        }
        assert_eq!(duration("5"), Err("is a bare number: say of what, such as 5s or 5ms".to_owned()));
        assert_eq!(size("64"), Err("is a bare number: say of what, such as 64MiB or 64B".to_owned()));
    }
}
