//! gRPC over HTTP/2, as far as it is text and bytes: the prefix of a message, timeouts, the encoding of a status's words.

use std::fmt::Write;
use std::time::Duration;

/// The media type of gRPC.
pub const CONTENT_TYPE: &str = "application/grpc";
/// The header or trailer with the number of the status.
pub const STATUS: &str = "grpc-status";
/// The header or trailer with the words of the status, percent-encoded.
pub const MESSAGE: &str = "grpc-message";
/// The header or trailer with `google.rpc.Status` in base64: see [`crate::status`].
pub const DETAILS: &str = "grpc-status-details-bin";
/// The header that names the compression of messages.
pub const ENCODING: &str = "grpc-encoding";
/// The header that lists the compressions an answer may have.
pub const ACCEPT_ENCODING: &str = "grpc-accept-encoding";
/// The header that says how long the client waits.
pub const TIMEOUT: &str = "grpc-timeout";

/// Bytes before each message.
pub const PREFIX: usize = 5;

/// Longest text of an answer, in bytes: a gRPC message travels in a header.
pub const MAX_TEXT: usize = 1024;

/// Whether a content type is gRPC: `application/grpc`, or with `+` or `;` behind it. gRPC-Web is something else.
pub fn is_grpc(content_type: &[u8]) -> bool {
    content_type.len() >= CONTENT_TYPE.len()
        && content_type[..CONTENT_TYPE.len()].eq_ignore_ascii_case(CONTENT_TYPE.as_bytes())
        && matches!(content_type.get(CONTENT_TYPE.len()), None | Some(b'+' | b';' | b' '))
}

/// What stands before a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// Whether the message is compressed, as the header [`ENCODING`] says how.
    pub compressed: bool,
    /// Bytes of the message as it is sent.
    pub length: u32,
}

impl Prefix {
    /// The prefix of a message of so many bytes; `None` if it is too long for one.
    pub fn of(length: usize, compressed: bool) -> Option<Self> {
        u32::try_from(length).ok().map(|length| Self { compressed, length })
    }

    /// Reads a prefix.
    ///
    /// # Errors
    /// Its first byte, where that is neither 0 nor 1 (compressed).
    pub fn read([flag, length @ ..]: [u8; PREFIX]) -> Result<Self, u8> {
        match flag {
            0 | 1 => Ok(Self { compressed: flag == 1, length: u32::from_be_bytes(length) }),
            _ => Err(flag),
        }
    }

    /// The prefix as it is sent.
    pub fn bytes(self) -> [u8; PREFIX] {
        let [a, b, c, d] = self.length.to_be_bytes();
        [u8::from(self.compressed), a, b, c, d]
    }
}

/// A message behind its prefix; `None` if it is too long for one.
pub fn frame(message: &[u8], compressed: bool) -> Option<Vec<u8>> {
    let prefix = Prefix::of(message.len(), compressed)?;
    let mut frame = Vec::with_capacity(PREFIX + message.len());
    frame.extend_from_slice(&prefix.bytes());
    frame.extend_from_slice(message);
    Some(frame)
}

/// The first message of a body, and whether it is compressed; `None` if it is not there completely.
pub fn unframe(body: &[u8]) -> Option<(bool, &[u8])> {
    let (prefix, rest) = body.split_first_chunk()?;
    let prefix = Prefix::read(*prefix).ok()?;
    Some((prefix.compressed, rest.get(..prefix.length as usize)?))
}

/// How long a client waits, from [`TIMEOUT`]: at most eight digits and a unit. `None` if it is something else.
pub fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(value * 3600),
        "M" => Duration::from_secs(value * 60),
        "S" => Duration::from_secs(value),
        "m" => Duration::from_millis(value),
        "u" => Duration::from_micros(value),
        "n" => Duration::from_nanos(value),
        _ => return None,
    })
}

/// The same written, in milliseconds: at least one, at most what eight digits hold.
pub fn timeout_text(timeout: Duration) -> String {
    format!("{}m", timeout.as_millis().clamp(1, 99_999_999))
}

/// The beginning of a text, at most [`MAX_TEXT`] bytes.
pub fn shortened(text: &str) -> &str {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A text as [`MESSAGE`] holds it.
pub fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(byte as char),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// The text that [`MESSAGE`] holds. What is not encoded well stays as it is: a text is not a reason to fail.
pub fn percent_decoded(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, tail)) = rest.split_first() {
        let code = match tail {
            [high, low, after @ ..] if first == b'%' => digit(*high).zip(digit(*low)).map(|pair| (pair, after)),
            _ => None,
        };
        match code {
            Some(((high, low), after)) => {
                out.push(high << 4 | low);
                rest = after;
            }
            None => {
                out.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_grpc_is_grpc() {
        for yes in ["application/grpc", "application/grpc+proto", "Application/gRPC; charset=x"] {
            assert!(is_grpc(yes.as_bytes()), "{yes}");
        }
        for no in ["application/grpc-web", "application/grpc-web+proto", "application/x-protobuf", ""] {
            assert!(!is_grpc(no.as_bytes()), "{no}");
        }
    }

    #[test]
    fn what_is_framed_is_there_again() {
        for message in [&b""[..], b"message", &[7; 70_000]] {
            for compressed in [false, true] {
                let body = frame(message, compressed).unwrap();
                assert_eq!(body.len(), PREFIX + message.len());
                assert_eq!(unframe(&body), Some((compressed, message)));
                assert_eq!(unframe(&body[..body.len() - 1]), None, "it is cut off");
                assert_eq!(unframe(&[&body[..], b"next"].concat()), Some((compressed, message)));
            }
        }
        assert_eq!(frame(b"ab", true).unwrap(), [1, 0, 0, 0, 2, b'a', b'b']);
        assert_eq!(Prefix::read([2, 0, 0, 0, 0]), Err(2));
        assert_eq!(unframe(&[2, 0, 0, 0, 0]), None);
        assert_eq!(Prefix::of(1 << 32, false), None);
        let longest = Prefix { compressed: false, length: u32::MAX };
        assert_eq!(Prefix::read(longest.bytes()), Ok(longest));
    }

    #[test]
    fn timeouts_have_a_unit_and_at_most_eight_digits() {
        assert_eq!(timeout("2H"), Some(Duration::from_secs(7200)));
        assert_eq!(timeout("100m"), Some(Duration::from_millis(100)));
        assert_eq!(timeout("99999999n"), Some(Duration::from_nanos(99_999_999)));
        for bad in ["", "5", "m", "123456789S", "-1S", "1\u{e4}"] {
            assert_eq!(timeout(bad), None, "{bad}");
        }
    }

    #[test]
    fn timeouts_are_read_as_they_are_written() {
        for millis in [1, 250, 10_000, 99_999_999] {
            let given = Duration::from_millis(millis);
            assert_eq!(timeout(&timeout_text(given)), Some(given));
        }
        assert_eq!(timeout_text(Duration::ZERO), "1m");
        assert_eq!(timeout_text(Duration::MAX), "99999999m");
    }

    #[test]
    fn messages_fit_a_header() {
        assert_eq!(percent_encoded("100% \u{e4}\n"), "100%25 %C3%A4%0A");
        assert!(percent_encoded(shortened(&"\u{e4}".repeat(5000))).len() <= MAX_TEXT * 3);
        assert_eq!(shortened(&format!("{}\u{e4}", "x".repeat(MAX_TEXT - 1))).len(), MAX_TEXT - 1);
        assert_eq!(shortened("short"), "short");
    }

    #[test]
    fn grpc_messages_are_percent_decoded() {
        assert_eq!(percent_decoded(b"no%20room%21 100%"), "no room! 100%");
        assert_eq!(percent_decoded(b"%E4%BD%A0"), "\u{4f60}");
        assert_eq!(percent_decoded(b"%+1%4 %zz%"), "%+1%4 %zz%");
        assert_eq!(percent_decoded(b"%ff"), "\u{fffd}");
        let every: String = (1..0x250).filter_map(char::from_u32).collect();
        assert_eq!(percent_decoded(percent_encoded(&every).as_bytes()), every);
    }
}
