//! Messages of Arrow IPC in a payload, one after the other.

use arrow_ipc::{Message, MetadataVersion};

use super::error::{Fault, broken};

/// Bytes of the metadata of one message: a schema of the widest table takes ten thousand.
const MAX_METADATA: usize = 1 << 20;
const CONTINUATION: [u8; 4] = [0xff; 4];

/// One message: what it says of itself, and the buffers behind.
pub(super) struct Piece<'a> {
    pub(super) message: Message<'a>,
    pub(super) body: &'a [u8],
}

/// Takes the next message; None at the end, or at the mark that says that the IPC stream is at its end.
pub(super) fn next<'a>(rest: &mut &'a [u8]) -> Result<Option<Piece<'a>>, Fault> {
    if rest.is_empty() {
        return Ok(None);
    }
    let Some((prefix, tail)) = rest.split_first_chunk::<8>() else { return broken("a payload ends within a prefix") };
    let [a, b, c, d, length @ ..] = *prefix;
    if [a, b, c, d] != CONTINUATION {
        return broken("a payload is not Arrow IPC: a message begins without the mark ffffffff");
    }
    let length = u32::from_le_bytes(length) as usize;
    if length == 0 {
        *rest = &[];
        return Ok(None);
    }
    if length > MAX_METADATA {
        return broken(format!("a message has {length} bytes of metadata and may have {MAX_METADATA}"));
    }
    let Some((metadata, tail)) = tail.split_at_checked(length) else {
        return broken("a payload ends within a message");
    };
    let message = match arrow_ipc::root_as_message(metadata) {
        Ok(message) => message,
        Err(error) => return broken(format!("the metadata of a message cannot be read: {error}")),
    };
    if message.version() != MetadataVersion::V5 {
        return broken(format!("a message is of metadata version {:?}, and V5 is read", message.version()));
    }
    let body = usize::try_from(message.bodyLength()).ok().and_then(|length| tail.split_at_checked(length));
    let Some((body, tail)) = body else { return broken("a payload ends within the body of a message") };
    *rest = tail;
    Ok(Some(Piece { message, body }))
}
