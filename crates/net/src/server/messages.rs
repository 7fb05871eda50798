//! gRPC messages of a request body, one after the other.

use std::borrow::BorrowMut;
use std::mem;
use std::time::Duration;

use bytes::{Buf, Bytes};
use otlp_arrow_store::budget::Reservation;
use otlp_arrow_wire::grpc::{PREFIX, Prefix};

use super::body::{RequestBody, unpacked};
use super::gather::Gather;
use super::refusal::Refusal;
use crate::encoding::Encoding;

/// The messages of a gRPC call. A message that arrives in one frame is handed on without a copy.
///
/// Over a borrowed body for calls that are answered when they are read, over an owned one for streams.
#[derive(Debug)]
pub struct Messages<B = RequestBody> {
    body: B,
    encoding: Option<Encoding>,
    max: usize,
    /// What came behind the last message.
    rest: Bytes,
    /// How long a message may take that has begun; None where the deadline of the body says so.
    each: Option<Duration>,
}

/// One message, and the memory that it takes.
pub type Message = (Bytes, Reservation);

impl<B: BorrowMut<RequestBody>> Messages<B> {
    /// Of a call whose messages are `encoding` where they say that they are compressed, and take at most `max` bytes
    /// each, compressed and not.
    pub fn new(body: B, encoding: Option<Encoding>, max: usize) -> Self {
        Self { body, encoding, max, rest: Bytes::new(), each: None }
    }

    /// The same for a stream that may be quiet as long as it likes: only a message that has begun must arrive in time.
    pub fn stream(body: B, encoding: Option<Encoding>, max: usize, each: Duration) -> Self {
        Self { each: Some(each), ..Self::new(body, encoding, max) }
    }

    /// The next message, covered by `reservation`; None at the end.
    pub async fn next(&mut self, mut reservation: Reservation) -> Result<Option<Message>, Refusal> {
        match self.framed(&mut reservation).await? {
            Some((compressed, message)) => self.plain(compressed, message, reservation).map(Some),
            None => Ok(None),
        }
    }

    /// The message of a unary call: exactly one, and nothing behind it.
    pub async fn one(mut self, mut reservation: Reservation) -> Result<Message, Refusal> {
        const NOT_ONE: &str = "a unary call takes exactly one message";
        let first = self.framed(&mut reservation).await?;
        let (compressed, message) = first.ok_or_else(|| Refusal::message_count(NOT_ONE))?;
        if !self.rest.is_empty() || self.body.borrow_mut().next().await?.is_some() {
            return Err(Refusal::message_count(NOT_ONE));
        }
        self.plain(compressed, message, reservation)
    }

    /// A message as it was sent, and whether it is compressed.
    async fn framed(&mut self, reservation: &mut Reservation) -> Result<Option<(bool, Bytes)>, Refusal> {
        let body = self.body.borrow_mut();
        let mut prefix = [0; PREFIX];
        let mut filled = 0;
        let mut piece = mem::take(&mut self.rest);
        if self.each.is_some() && piece.is_empty() {
            body.set_deadline(None);
        }
        loop {
            let take = piece.len().min(PREFIX - filled);
            piece.copy_to_slice(&mut prefix[filled..filled + take]);
            filled += take;
            if let Some(each) = self.each.filter(|_| take > 0 && filled == take) {
                let deadline = body.clock().now() + each;
                body.set_deadline(Some(deadline));
            }
            if filled == PREFIX {
                break;
            }
            match body.next().await? {
                Some(next) => piece = next,
                None if filled == 0 => return Ok(None),
                None => return Err(Refusal::invalid("the body ends within the five bytes before the message")),
            }
        }
        let prefix = Prefix::read(prefix).map_err(|flag| {
            Refusal::invalid(format!("the message begins with {flag}, which is neither 0 nor 1 (compressed)"))
        })?;
        let length = prefix.length as usize;
        if length > self.max {
            return Err(Refusal::too_large(length, self.max));
        }
        let mut gather = Gather::new(length);
        loop {
            let missing = length - gather.len();
            if piece.len() > missing {
                self.rest = piece.split_off(missing);
            }
            if !piece.is_empty() {
                gather.push(piece, reservation)?;
            }
            if gather.len() == length {
                return Ok(Some((prefix.compressed, gather.finish())));
            }
            piece = match body.next().await? {
                Some(next) => next,
                None => {
                    let got = gather.len();
                    return Err(Refusal::invalid(format!("the body ends after {got} of the message's {length} bytes")));
                }
            };
        }
    }

    fn plain(&self, compressed: bool, message: Bytes, mut reservation: Reservation) -> Result<Message, Refusal> {
        match (compressed, self.encoding) {
            (false, _) => Ok((message, reservation)),
            (true, None) => {
                Err(Refusal::invalid("the message is marked as compressed but grpc-encoding does not say how"))
            }
            (true, Some(encoding)) => {
                let mut grown = reservation.sibling();
                let plain = unpacked(encoding, &message, self.max, &mut grown)?;
                drop(message);
                reservation.become_sibling(grown);
                reservation.settle(plain.len());
                Ok((plain, reservation))
            }
        }
    }
}
