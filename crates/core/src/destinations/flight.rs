//! Arrow Flight: rows go to another recorder in the columns they are stored in, one `DoPut` a request. The rows have a key, so that a
//! request that is sent again is stored once.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, Version};
use http_body_util::Full;
use otlp_arrow_base::hops::Hops;
use otlp_arrow_columns::Signal;
use otlp_arrow_net::client::Reply;
use otlp_arrow_net::encoding::Encoding;
use otlp_arrow_wire::flight::{Data, Descriptor, paths};
use otlp_arrow_wire::grpc::{self, Prefix};

use super::answer::{Answer, Class};
use super::destination::{Destination, Sending, Server};
use super::http::{Answers, HttpSender, server, url};
use super::kind::{DestinationKind, Kind, Spec, Target};
use super::request::{Content, Request, Rows, Takes};
use super::settings::DestinationConfig;
use super::{otlp_grpc, otlp_status};
use crate::error::{Code, OtlpError, Result};
use crate::store::stream::{StreamEncoder, StreamMessage};

/// The kind.
pub(super) const KIND: Kind = Kind::new(&FlightKind);

static SPEC: Spec = Spec::new(
    "flight",
    "Arrow Flight, to another otlp-arrow",
    Takes::Rows,
    Target::Url { port: None, example: "http://recorder:4317" },
);

#[derive(Debug)]
struct FlightKind;

impl DestinationKind for FlightKind {
    fn spec(&self) -> &Spec {
        &SPEC
    }

    fn open(&self, config: &DestinationConfig) -> Result<Arc<dyn Destination>> {
        Ok(Arc::new(Flight::open(config)?))
    }
}

#[derive(Debug)]
struct Flight {
    sender: HttpSender,
    to: Uri,
    timeout: HeaderValue,
}

impl Flight {
    fn open(config: &DestinationConfig) -> Result<Self> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(grpc::CONTENT_TYPE));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        let to = url(config, &config.endpoint, |_| paths::DO_PUT.to_owned())?;
        Ok(Self {
            sender: HttpSender::new(config, [&to], headers, true)?,
            to,
            timeout: HeaderValue::from_str(&grpc::timeout_text(config.timeout))
                .map_err(|error| OtlpError::with_source(Code::Internal, "grpc-timeout cannot be written", error))?,
        })
    }

    fn request(&self, body: Bytes, hops: &Hops) -> Result<http::Request<Full<Bytes>>> {
        let mut request = self.sender.request(&self.to, body, hops)?;
        let headers = request.headers_mut();
        if let Some(encoding) = self.sender.compression() {
            headers.insert(HeaderName::from_static(grpc::ENCODING), HeaderValue::from_static(encoding.name()));
        }
        headers.insert(HeaderName::from_static(grpc::TIMEOUT), self.timeout.clone());
        *request.version_mut() = Version::HTTP_2;
        Ok(request)
    }
}

impl Destination for Flight {
    fn send(&self, request: Request) -> Sending<'_> {
        Box::pin(async move {
            let Request { signal, content, hops, rows, .. } = request;
            let compression = self.sender.compression();
            // Columns are compressed away from the reactor.
            let body = tokio::task::spawn_blocking(move || body(signal, &content, rows.as_ref(), compression)).await;
            let body = body.unwrap_or_else(|error| {
                Err(OtlpError::with_source(Code::Internal, "writing rows for Flight ended by a defect", error))
            });
            let request = body.and_then(|body| self.request(body, &hops));
            self.sender.send(request, &Statuses).await
        })
    }

    fn server(&self, _: Signal) -> Option<Server> {
        Some(server(&self.to))
    }

    fn renewed(&self) -> bool {
        self.sender.renewed()
    }
}

/// The whole of a `DoPut`: the schema, the dictionaries, the rows with their key.
fn body(signal: Signal, content: &Content, rows: Option<&Rows>, compression: Option<Encoding>) -> Result<Bytes> {
    let Content::Rows(batch) = content else {
        return Err(OtlpError::new(Code::Internal, "Flight was handed what are not rows"));
    };
    let (encoder, key) = (StreamEncoder::new(batch.schema_ref())?, rows.map(key).unwrap_or_default());
    let mut out = BytesMut::new();
    let mut message = |message: &StreamMessage, descriptor: &[u8], metadata: &[u8]| {
        let begin = Data::begin(descriptor, &message.head, metadata, message.body_len());
        let parts = std::iter::once(&begin[..]).chain(message.body.iter().map(|piece| &piece[..]));
        frame(&mut out, parts, compression)
    };
    message(&encoder.schema(), &Descriptor::of_path(signal.as_str()), b"")?;
    for dictionary in encoder.dictionaries(batch)? {
        message(&dictionary, b"", b"")?;
    }
    message(&encoder.rows(batch)?, b"", key.as_bytes())?;
    Ok(out.freeze())
}

/// A gRPC message of these parts behind its prefix.
fn frame<'a>(out: &mut BytesMut, parts: impl Iterator<Item = &'a [u8]>, compression: Option<Encoding>) -> Result<()> {
    let start = out.len();
    out.put_slice(&[0; grpc::PREFIX]);
    parts.for_each(|part| out.put_slice(part));
    if let Some(encoding) = compression {
        let packed = encoding.compress(&out[start + grpc::PREFIX..])?;
        out.truncate(start + grpc::PREFIX);
        out.put_slice(&packed);
    }
    let length = out.len() - start - grpc::PREFIX;
    let prefix = Prefix::of(length, compression.is_some())
        .ok_or_else(|| OtlpError::new(Code::TooLarge, format!("{length} bytes do not fit into one gRPC message")))?;
    out[start..start + grpc::PREFIX].copy_from_slice(&prefix.bytes());
    Ok(())
}

/// What the same rows are called whenever they are sent: where they are in the log.
fn key(rows: &Rows) -> String {
    let mut numbers = rows.numbers();
    let first = numbers.next().unwrap_or_default();
    // Of rows with others between them, which ones.
    let mut hasher = DefaultHasher::new();
    numbers.for_each(|number| number.hash(&mut hasher));
    format!("{}:{first}+{}:{:016x}", rows.file, rows.count(), hasher.finish())
}

struct Statuses;

impl Answers for Statuses {
    fn of_status(&self, status: StatusCode) -> Class {
        otlp_status::http(status.as_u16(), None)
    }

    fn read(&self, reply: &Reply) -> Answer {
        otlp_grpc::refused(reply).unwrap_or_else(Answer::delivered)
    }

    /// The status of gRPC comes behind the messages and stays unknown.
    fn too_long(&self, _: StatusCode) -> Class {
        Class::Passing { after: None }
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "one range of records")]
mod tests {
    use super::*;
    use crate::store::names::{Stem, WriterId};

    #[test]
    fn the_same_rows_have_the_same_key_and_others_another_one() {
        let file = |seq| Stem { created_ms: 1_795_251_600_123, writer: WriterId(7), seq };
        let of = |seq, rows| Rows::new(file(seq), rows);
        let all = [
            key(&of(1, 0..10)),
            key(&of(1, 0..9)),
            key(&of(1, 1..10)),
            key(&of(2, 0..10)),
            key(&of(1, 0..20).picked(&[0..5, 6..11])),
            key(&of(1, 0..20).picked(&[0..6, 7..11])),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(one.len() <= 128 && all.iter().skip(at + 1).all(|other| other != one), "{one}");
        }
        assert_eq!(all[0], key(&of(1, 0..30).picked(&[0..10])), "however they were picked");
    }
}
