//! The messages of `grpc.health.v1.Health`.

use crate::Writer;
use crate::read::Cursor;
use crate::write::LEN;

/// The path of the unary method.
pub const CHECK: &str = "/grpc.health.v1.Health/Check";
/// The path of the method that answers whenever the status changes.
pub const WATCH: &str = "/grpc.health.v1.Health/Watch";

/// `grpc.health.v1.HealthCheckResponse.ServingStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serving {
    /// It takes requests.
    Yes = 1,
    /// It takes none now.
    No = 2,
    /// There is no such service. For those who watch; who checks gets the status NOT_FOUND.
    Unknown = 3,
}

/// The `service` of a `HealthCheckRequest`; `None` if the bytes are something else.
pub fn service(request: &[u8]) -> Option<&str> {
    let mut service = "";
    let mut cursor = Cursor::new(request);
    while !cursor.done() {
        let field = cursor.field().ok()?;
        if field.number == 1 {
            service = std::str::from_utf8(field.bytes).ok().filter(|_| field.wire_type == LEN)?;
        }
    }
    Some(service)
}

/// A `HealthCheckResponse`.
pub fn response(serving: Serving) -> Vec<u8> {
    let mut out = Writer::with_capacity(2);
    out.uint(1, serving as u64);
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_health_request_names_its_service() {
        assert_eq!(service(b""), Some(""));
        assert_eq!(service(b"\x0a\x02ab"), Some("ab"));
        for other in [&b"\x0a\x03ab"[..], b"\x08\x01", b"\x0a\x02\xff\xff", b"\xff"] {
            assert_eq!(service(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_health_response_has_its_number() {
        assert_eq!(response(Serving::Yes), [8, 1]);
        assert_eq!(response(Serving::No), [8, 2]);
        assert_eq!(response(Serving::Unknown), [8, 3]);
    }
}
