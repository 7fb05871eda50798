//! The little protobuf that answers and statuses need, both ways. Telemetry itself is read and written by `columns`.

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

/// One field as it stands on the wire.
pub(crate) struct Field<'a> {
    pub(crate) number: u32,
    /// The value of a varint, else 0.
    pub(crate) varint: u64,
    /// The value of anything else.
    pub(crate) bytes: Option<&'a [u8]>,
}

/// The last value of a bytes, text or message field.
pub(crate) fn bytes_field(message: &[u8], number: u32) -> Option<&[u8]> {
    fields(message).filter(|field| field.number == number).filter_map(|field| field.bytes).last()
}

/// The last value of a varint field.
pub(crate) fn varint_field(message: &[u8], number: u32) -> Option<u64> {
    fields(message).filter(|field| field.number == number && field.bytes.is_none()).map(|field| field.varint).last()
}

/// The fields of a small protobuf message, as far as it can be read: an answer's text is no reason to fail.
pub(crate) fn fields(mut rest: &[u8]) -> impl Iterator<Item = Field<'_>> {
    std::iter::from_fn(move || {
        let key = read_varint(&mut rest)?;
        let number = u32::try_from(key >> 3).ok()?;
        let (value, bytes) = match key & 7 {
            0 => (read_varint(&mut rest)?, None),
            1 => (0, Some(take(&mut rest, 8)?)),
            2 => {
                let length = usize::try_from(read_varint(&mut rest)?).ok()?;
                (0, Some(take(&mut rest, length)?))
            }
            5 => (0, Some(take(&mut rest, 4)?)),
            _ => return None,
        };
        Some(Field { number, varint: value, bytes })
    })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(head)
}

fn read_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

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

    #[test]
    fn what_is_cut_off_ends_the_fields() {
        let mut message = Vec::new();
        number(&mut message, 1, 300);
        bytes(&mut message, 2, b"text");
        for end in 0..message.len() {
            assert!(bytes_field(&message[..end], 2).is_none());
            assert_eq!(varint_field(&message[..end], 1), (end >= 3).then_some(300));
        }
        assert_eq!(fields(&[0xff; 40]).count(), 0);
    }
}
