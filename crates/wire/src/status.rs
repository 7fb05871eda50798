//! `google.rpc.Status` and what OTLP puts into it: `RetryInfo` and `BadRequest`.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::write::LEN;
use crate::{Writer, read};

/// The type of a detail that says when to try again.
pub const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";
/// The type of a detail that says what is wrong with the data.
pub const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";

/// A status to be written.
#[derive(Clone, Copy, Debug)]
pub struct Status<'a> {
    /// The number of the gRPC status.
    pub code: i32,
    /// For people.
    pub message: &'a str,
    /// When to try again.
    pub retry_after: Option<Duration>,
    /// Whether `message` says what is wrong with the data.
    pub bad_data: bool,
}

impl Status<'_> {
    /// In protobuf.
    pub fn to_protobuf(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(self.message.len() * 2 + 128);
        out.uint(1, i64::from(self.code) as u64);
        out.text(2, self.message);
        if let Some(delay) = self.retry_after {
            any(&mut out, RETRY_INFO, |info| {
                info.nest(1, 1, |duration| {
                    duration.uint(1, delay.as_secs());
                    duration.uint(2, delay.subsec_nanos().into());
                });
            });
        }
        if self.bad_data {
            any(&mut out, BAD_REQUEST, |request| {
                request.nest(1, 2, |violation| violation.text(2, self.message));
            });
        }
        out.finish()
    }
}

fn any(out: &mut Writer, url: &str, value: impl FnOnce(&mut Writer)) {
    out.nest(3, 2, |any| {
        any.text(1, url);
        any.nest(2, 2, value);
    });
}

/// A status as the header [`DETAILS`](crate::grpc::DETAILS) holds it.
pub fn details(status: &[u8]) -> String {
    STANDARD_NO_PAD.encode(status)
}

/// The status that the header holds, padded or not; `None` if it is not base64.
pub fn of_details(header: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = header.iter().copied().filter(|byte| *byte != b'=').collect();
    STANDARD_NO_PAD.decode(text).ok()
}

/// The words of a status; `None` if there are none.
pub fn message(status: &[u8]) -> Option<String> {
    read::bytes_field(status, 2).map(|text| String::from_utf8_lossy(text).into_owned())
}

/// When to try again: `None` if the status has no `RetryInfo`.
pub fn retry_info(status: &[u8]) -> Option<Duration> {
    read::readable(status).filter(|field| field.number == 3 && field.wire_type == LEN).find_map(|any| {
        let url = read::bytes_field(any.bytes, 1)?;
        if url != RETRY_INFO.as_bytes() {
            return None;
        }
        let delay = read::bytes_field(read::bytes_field(any.bytes, 2)?, 1).unwrap_or_default();
        let seconds = read::varint_field(delay, 1).unwrap_or(0);
        let nanos = u32::try_from(read::varint_field(delay, 2).unwrap_or(0)).unwrap_or(0).min(999_999_999);
        Some(Duration::new(u64::try_from(seconds as i64).unwrap_or(0), nanos))
    })
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    const PLAIN: Status<'_> = Status { code: 14, message: "no room", retry_after: None, bad_data: false };

    #[test]
    fn what_is_written_is_read() {
        let long = "x".repeat(1000);
        for retry_after in
            [None, Some(Duration::ZERO), Some(Duration::from_millis(2500)), Some(Duration::from_secs(300))]
        {
            for (message, bad_data) in [("", false), ("no room", true), (&long, true)] {
                let bytes = Status { message, retry_after, bad_data, ..PLAIN }.to_protobuf();
                assert_eq!(super::message(&bytes), (!message.is_empty()).then(|| message.to_owned()));
                assert_eq!(retry_info(&bytes), retry_after);
                assert_eq!(read::varint_field(&bytes, 1), Some(14));
                let details: Vec<_> = read::readable(&bytes).filter(|field| field.number == 3).collect();
                assert_eq!(details.len(), usize::from(retry_after.is_some()) + usize::from(bad_data));
                if let (true, Some(last)) = (bad_data, details.last()) {
                    assert_eq!(read::bytes_field(last.bytes, 1), Some(BAD_REQUEST.as_bytes()));
                    let request = read::bytes_field(last.bytes, 2).unwrap();
                    let violation = read::bytes_field(request, 1).unwrap();
                    assert_eq!(read::bytes_field(violation, 2).unwrap_or_default(), message.as_bytes());
                }
                assert_eq!(of_details(self::details(&bytes).as_bytes()), Some(bytes));
            }
        }
    }

    #[test]
    fn retry_info_is_read_from_status_details() {
        // Status{code 14, details [Any{RetryInfo{Duration{2 s, 500 ms}}}]}
        let delay = [8, 2, 16, 0x80, 0xca, 0xb5, 0xee, 1];
        let mut info = vec![10, delay.len() as u8];
        info.extend(delay);
        let url = b"type.googleapis.com/google.rpc.RetryInfo";
        let mut any = vec![10, url.len() as u8];
        any.extend(url);
        any.extend([18, info.len() as u8]);
        any.extend(info);
        let mut status = vec![8, 14, 26, any.len() as u8];
        status.extend(any);
        for text in [STANDARD.encode(&status), STANDARD_NO_PAD.encode(&status)] {
            let read = of_details(text.as_bytes()).unwrap();
            assert_eq!(retry_info(&read), Some(Duration::from_millis(2500)));
        }
        assert_eq!(of_details(b"!!!"), None);
        for end in 0..status.len() {
            assert!(retry_info(&status[..end]).is_none_or(|delay| delay <= Duration::from_millis(2500)));
        }
        assert_eq!(retry_info(&[0xff; 40]), None);
    }
}
