//! What an answer means: one pure function for gRPC, one for HTTP.
//!
//! The three classes of failure differ in what happens to the data: refused data is set aside, a refusing destination
//! keeps the cursor where it is, and a passing failure is tried again.

use std::time::Duration;

/// What to do with the data after an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// Delivered. `rejected` records were refused by the destination and are not sent again.
    Delivered {
        /// Records the destination refused in a partial success.
        rejected: u64,
    },
    /// This data is refused for good.
    Data,
    /// The request is too large: split it; a single record that is still too large is refused data.
    TooLarge,
    /// The destination refuses everything until somebody changes something.
    Destination,
    /// It may work later; `after` is what the destination asked for.
    Passing {
        /// RetryInfo or Retry-After.
        after: Option<Duration>,
    },
}

/// Classifies a gRPC status (OTLP specification 1.60, failures and throttling). `retry_info` is RetryInfo's delay.
///
/// UNKNOWN, INTERNAL and the other codes that OTLP calls not retryable are no proof that the data is bad, so they count
/// as refused data only because the specification forbids sending again.
pub fn grpc(status: i32, retry_info: Option<Duration>) -> Class {
    match status {
        0 => Class::Delivered { rejected: 0 },
        // CANCELLED, DEADLINE_EXCEEDED, ABORTED, UNAVAILABLE, DATA_LOSS.
        1 | 4 | 10 | 14 | 15 => Class::Passing { after: retry_info },
        // RESOURCE_EXHAUSTED is throttling with RetryInfo and a size limit without.
        8 if retry_info.is_some() => Class::Passing { after: retry_info },
        8 => Class::TooLarge,
        // OUT_OF_RANGE: what tonic and grpc-core answer to an oversized message.
        11 => Class::TooLarge,
        // PERMISSION_DENIED, UNIMPLEMENTED, UNAUTHENTICATED.
        7 | 12 | 16 => Class::Destination,
        _ => Class::Data,
    }
}

/// Classifies an HTTP status (OTLP specification 1.60: only 429, 502, 503 and 504 are retried).
pub fn http(status: u16, retry_after: Option<Duration>) -> Class {
    match status {
        200..=299 => Class::Delivered { rejected: 0 },
        429 | 502 | 503 | 504 => Class::Passing { after: retry_after },
        413 => Class::TooLarge,
        401 | 403 | 404 | 405 | 407 | 415 => Class::Destination,
        300..=399 => Class::Destination,
        _ => Class::Data,
    }
}

/// Parses `Retry-After`: seconds or an HTTP date; `now` is seconds since the Unix epoch.
pub fn retry_after(value: &str, now: u64) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    http_date(value).map(|at| Duration::from_secs(at.saturating_sub(now)))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` as seconds since the Unix epoch (RFC 9110, IMF-fixdate).
fn http_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split_once(", ")?.1.split(' ');
    let day: i64 = words.next()?.parse().ok()?;
    let month_name = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month_name)? as i64 + 1;
    let year: i64 = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    if words.next()? != "GMT" || !(1..=31).contains(&day) || !(0..=9999).contains(&year) {
        return None;
    }
    // Days from civil: the year starts in March, so that the leap day is its last.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    u64::try_from(days * 86_400 + hour * 3600 + minute * 60 + second).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_grpc_status_has_its_class() {
        let wait = Some(Duration::from_secs(3));
        for status in [1, 4, 10, 14, 15] {
            assert_eq!(grpc(status, wait), Class::Passing { after: wait }, "{status}");
        }
        for status in [2, 3, 5, 6, 9, 13, 99] {
            assert_eq!(grpc(status, None), Class::Data, "{status}");
        }
        for status in [7, 12, 16] {
            assert_eq!(grpc(status, None), Class::Destination, "{status}");
        }
        assert_eq!(grpc(8, wait), Class::Passing { after: wait });
        assert_eq!(grpc(8, None), Class::TooLarge);
        assert_eq!(grpc(11, None), Class::TooLarge);
        assert_eq!(grpc(0, None), Class::Delivered { rejected: 0 });
    }

    #[test]
    fn http_retries_only_what_the_specification_allows() {
        for status in 400..600 {
            let passing = matches!(http(status, None), Class::Passing { .. });
            assert_eq!(passing, matches!(status, 429 | 502 | 503 | 504), "{status}");
        }
        assert_eq!(http(413, None), Class::TooLarge);
        assert_eq!(http(401, None), Class::Destination);
        assert_eq!(http(400, None), Class::Data);
        assert_eq!(http(500, None), Class::Data);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after("120", 0), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("0", 0), Some(Duration::ZERO));
        let at = 784_111_777;
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", at - 10), Some(Duration::from_secs(10)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", at + 10), Some(Duration::ZERO));
        assert_eq!(retry_after("Thu, 29 Feb 2024 00:00:00 GMT", 1_709_164_800), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", 0), None);
        assert_eq!(retry_after("Sun, 99 Foo 1994", 0), None);
    }
}
