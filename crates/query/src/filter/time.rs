//! Moments and spans of time as people write them.

use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970, UTC. What is beyond 2^63 is a time after the year 2262.
pub type Nanos = u64;

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;

/// Units, the longest spelling first where one begins like another.
const UNITS: [(&str, u64); 10] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3600 * SECOND),
    ("d", DAY),
    ("w", 7 * DAY),
];

/// Of the clock.
pub(crate) fn nanos(time: SystemTime) -> Nanos {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    Nanos::try_from(since).unwrap_or(Nanos::MAX)
}

/// `1.5s`, `250ms`, `1h30m`: nanoseconds. A bare number is refused, for nobody knows its unit.
pub fn parse_duration(text: &str) -> Result<u64, String> {
    const FORM: &str = "write a number with a unit, such as 250ms, 1.5s, 10m, 2h or 7d";
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(format!("is empty: {FORM}"));
    }
    if rest == "0" {
        return Ok(0);
    }
    let mut total = 0u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, unit) = rest.split_at(digits);
        let end = unit.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(unit.len());
        let (unit, after) = unit.split_at(end);
        let factor = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
        let value = factor.and_then(|factor| scaled(number, factor));
        total = value.and_then(|value| total.checked_add(value)).ok_or_else(|| format!("is not a duration: {FORM}"))?;
        rest = after;
    }
    Ok(total)
}

/// `number` with a point times `factor`, exact where it can be.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && part.is_empty()) || !digits(whole) || !digits(part) || part.len() > 18 {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()? };
    let part = if part.is_empty() {
        0
    } else {
        part.parse::<u128>().ok()? * u128::from(factor) / 10u128.pow(part.len() as u32)
    };
    whole.checked_mul(factor)?.checked_add(u64::try_from(part).ok()?)
}

/// A moment: `now`, `-1h` and `now-1h` before it, an RFC 3339 time or date, or nanoseconds since 1970.
pub fn parse_time(text: &str, now: Nanos) -> Result<Nanos, String> {
    const FORM: &str = "write a time such as 2026-11-30T12:00:00Z or 2026-11-30, a time before now such as -1h, now, or nanoseconds since 1970";
    let text = text.trim();
    let relative = text.strip_prefix("now").unwrap_or(text);
    if relative.is_empty() && !text.is_empty() {
        return Ok(now);
    }
    if let Some(before) = relative.strip_prefix('-') {
        return parse_duration(before)
            .map(|before| now.saturating_sub(before))
            .map_err(|_| format!("is not a time: {FORM}"));
    }
    if let Some(after) = relative.strip_prefix('+') {
        return parse_duration(after)
            .map(|after| now.saturating_add(after))
            .map_err(|_| format!("is not a time: {FORM}"));
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        if text.len() < 15 && text != "0" {
            return Err(format!(
                "has {} digits, so it cannot be nanoseconds since 1970: seconds take nine zeros more, milliseconds six",
                text.len()
            ));
        }
        return text.parse().map_err(|_| format!("is beyond the year 2554: {FORM}"));
    }
    rfc3339(text).ok_or_else(|| format!("is not a time: {FORM}"))
}

fn rfc3339(text: &str) -> Option<Nanos> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<u64> {
        let part = text.get(from..to)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?
    };
    let at = |position: usize, any: &[u8]| bytes.get(position).is_some_and(|byte| any.contains(byte));
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    if !at(4, b"-") || !at(7, b"-") || !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    let days = u64::try_from(days_from_civil(year, month, day)).ok()?;
    if text.len() == 10 {
        return days.checked_mul(DAY);
    }
    let (hour, minute) = (number(11, 13)?, number(14, 16)?);
    if !at(10, b"Tt ") || !at(13, b":") || hour > 23 || minute > 59 {
        return None;
    }
    let (second, mut rest) = match at(16, b":") {
        true => (number(17, 19)?, text.get(19..)?),
        false => (0, text.get(16..)?),
    };
    if second > 60 {
        return None;
    }
    let mut fraction = 0;
    if let Some(after) = rest.strip_prefix('.') {
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let shown = after.get(..digits.min(9))?;
        fraction = shown.parse::<u64>().ok()? * 10u64.pow(9 - shown.len() as u32);
        rest = after.get(digits..)?;
    }
    let offset: i64 = match rest {
        "Z" | "z" => 0,
        _ => {
            let sign = if rest.starts_with('-') { -1 } else { 1 };
            let zone = rest.strip_prefix(['+', '-'])?;
            let (hours, minutes) = zone.split_once(':').or_else(|| zone.split_at_checked(2))?;
            let part = |text: &str| (text.len() == 2).then(|| text.parse::<i64>().ok())?;
            sign * (part(hours)? * 3600 + part(minutes)? * 60)
        }
    };
    let seconds = i64::try_from(days * 86_400 + hour * 3600 + minute * 60 + second).ok()? - offset;
    u64::try_from(seconds).ok()?.checked_mul(SECOND)?.checked_add(fraction)
}

fn days_in(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970 of a Gregorian date (Hinnant's algorithm).
fn days_from_civil(year: u64, month: u64, day: u64) -> i64 {
    let year = year as i64 - i64::from(month <= 2);
    let (era, month) = (year.div_euclid(400), month as i64);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day as i64 - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// `2026-11-30T19:34:18.123456789Z`: exact, and read back by [`parse_time`].
pub fn show_time(time: Nanos) -> String {
    let (days, of_day) = (time / DAY, time % DAY);
    let (seconds, fraction) = (of_day / SECOND, of_day % SECOND);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:09}Z")
}

fn civil(days: u64) -> (u64, u64, u64) {
    // Years begin in March here, so that the leap day is the last of its year.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Nanos = 1_795_246_895_042_000_000;

    #[test]
    fn durations_have_units() {
        for (text, nanos) in [
            ("250ms", 250_000_000),
            ("1.5s", 1_500_000_000),
            ("1h30m", 5_400_000_000_000),
            ("7d", 7 * DAY),
            ("2w", 14 * DAY),
            ("15µs", 15_000),
            ("3us", 3_000),
            (".5ms", 500_000),
            ("0", 0),
            ("12ns", 12),
        ] {
            assert_eq!(parse_duration(text), Ok(nanos), "{text}");
        }
        for wrong in ["", "5", "ms", "1 s", "-1s", "1.2.3s", "5x", "1e3s", "99999999999999w", "1.s2"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_absolute_or_before_now() {
        for (text, time) in [
            ("now", NOW),
            ("-1h", NOW - 3600 * SECOND),
            ("now-1h30m", NOW - 5400 * SECOND),
            ("+5m", NOW + 300 * SECOND),
            ("2026-11-21T07:41:35.042Z", NOW),
            ("2026-11-21t07:41:35.042z", NOW),
            ("2026-11-21 07:41:35.042Z", NOW),
            ("2026-11-21T08:41:35.042+01:00", NOW),
            ("2026-11-21T02:11:35.042-0530", NOW),
            ("2026-11-21T07:41Z", NOW - 35_042_000_000),
            ("2026-11-21", 1_795_219_200 * SECOND),
            ("2000-02-29", 951_782_400 * SECOND),
            ("1795246895042000000", NOW),
            ("18446744073709551615", u64::MAX),
            ("0", 0),
            ("2554-07-21T23:34:33.709551615Z", u64::MAX),
        ] {
            assert_eq!(parse_time(text, NOW), Ok(time), "{text}");
        }
        for wrong in [
            "",
            "yesterday",
            "-5",
            "now+",
            "1795246895",
            "1795246895042",
            "2026-13-01",
            "2026-02-29",
            "2026-11-21T25:00Z",
            "2026-11-21T07:41:35",
            "2026-11-21T07:41:35.Z",
            "2026-11-21T07:41:35+1:00",
            "18446744073709551616",
            "1969-12-31T23:59:59Z",
            "2554-07-22T00:00:00Z",
            "2026-11-21Tä7:41Z",
        ] {
            assert!(parse_time(wrong, NOW).is_err(), "{wrong}");
        }
        assert!(parse_time("1795246895042", NOW).unwrap_err().contains("milliseconds"));
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for time in [0, 1, NOW, NOW + 123, u64::MAX, i64::MAX as u64 + 1, 951_782_400 * SECOND] {
            assert_eq!(parse_time(&show_time(time), NOW), Ok(time));
        }
        assert_eq!(show_time(NOW), "2026-11-21T07:41:35.042000000Z");
    }
}
