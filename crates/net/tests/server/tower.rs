//! A service as tonic makes them, behind the router beside others.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes};
use otlp_arrow_net::identity::{Identity, Peer};
use otlp_arrow_net::server::{RequestBody, Route, Tower};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Status, Streaming};

use crate::support::*;

const SERVICE: &str = "/test.Tonic/";

/// Messages as the bytes they are.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// Answers a stream of messages with how many they were, how long, and from where.
#[derive(Clone)]
struct Count;

impl tonic::server::ClientStreamingService<Bytes> for Count {
    type Response = Bytes;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Bytes>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Streaming<Bytes>>) -> Self::Future {
        Box::pin(async move {
            let Some(Peer::Address(peer)) = request.extensions().get::<Identity>().map(Identity::peer) else {
                return Err(Status::internal("who?"));
            };
            let (mut messages, mut bytes) = (0, 0);
            let mut stream = request.into_inner();
            while let Some(message) = stream.message().await? {
                (messages, bytes) = (messages + 1, bytes + message.len());
            }
            Ok(tonic::Response::new(format!("{messages} of {bytes} from {}", peer.ip()).into()))
        })
    }
}

/// What tonic generates for a service with one method.
impl tower_service::Service<http::Request<RequestBody>> for Count {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<RequestBody>) -> Self::Future {
        Box::pin(async move {
            if request.uri().path() != "/test.Tonic/Count" {
                return Ok(Status::unimplemented("no such method").into_http());
            }
            Ok(tonic::server::Grpc::new(Raw).client_streaming(Count, request).await)
        })
    }
}

#[tokio::test]
async fn a_service_of_tonic_is_one_of_many() {
    let fixture = Fixture::start_with(LIMITS, |router| {
        let routes = vec![Route::stream(SERVICE).and_below()];
        router.mount(Arc::new(Tower::new("tonic", routes, Count)), true).unwrap();
    });
    let messages = vec![framed(0, b"one"), framed(0, &[0; 60_000]), framed(0, b"")];
    let called = call(fixture.address, "/test.Tonic/Count", &[], messages).await;
    assert_eq!((called.status, &called.data[5..]), (0, &b"3 of 60003 from 127.0.0.1"[..]));
    let called = call(fixture.address, "/test.Tonic/Other", &[], vec![]).await;
    assert_eq!((called.status, called.message.as_str()), (12, "no%20such%20method"));
    let called = call(fixture.address, "/test.Nobody/Count", &[], vec![]).await;
    assert!(called.status == 12 && called.message.starts_with("nothing answers"), "{called:?}");
    let called = call(fixture.address, UNARY, &[], vec![framed(0, b"beside")]).await;
    assert_eq!(&called.data[5..], b"beside");
}
