//! The little protobuf that answers and statuses are written with. Telemetry itself is read and written by `columns`.

fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a varint field; 0 is left out, as proto3 has it.
pub(crate) fn number(out: &mut Vec<u8>, field: u8, value: u64) {
    if value != 0 {
        out.push(field << 3);
        write_varint(out, value);
    }
}

/// Appends a bytes, text or message field.
pub(crate) fn bytes(out: &mut Vec<u8>, field: u8, value: &[u8]) {
    out.push(field << 3 | 2);
    write_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use otlp_arrow_wire::read::{bytes_field, varint_field};

    #[test]
    fn what_is_written_is_read() {
        let mut inner = Vec::new();
        number(&mut inner, 1, u64::MAX);
        number(&mut inner, 3, 0);
        let mut message = Vec::new();
        bytes(&mut message, 1, b"first");
        bytes(&mut message, 1, &inner);
        let read = bytes_field(&message, 1).unwrap();
        assert_eq!((varint_field(read, 1), varint_field(read, 3)), (Some(u64::MAX), None));
    }
}
