//! Clients that say exactly what they are told: a raw socket for HTTP/1.1, hyper for HTTP/2 frames.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body, Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;

/// Waits for a condition, for at most ten seconds.
pub async fn until(mut condition: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the condition did not come true within ten seconds");
}

/// The answer to a plain HTTP/1.1 request.
#[derive(Debug)]
pub struct Reply {
    /// 200 and so on.
    pub status: u16,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    /// As long as it said.
    pub body: Vec<u8>,
}

impl Reply {
    /// A header; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Code and message of a `google.rpc.Status` body, in the encoding the answer says it has.
    pub fn status_body(&self) -> (i32, String) {
        match self.header("content-type") {
            "application/json" => {
                let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
                (body["code"].as_i64().unwrap() as i32, body["message"].as_str().unwrap().to_owned())
            }
            "application/x-protobuf" => {
                let status = RpcStatus::decode(&self.body[..]).unwrap();
                (status.code, status.message)
            }
            other => panic!("a status in {other:?}"),
        }
    }
}

/// `google.rpc.Status`, for reading what the service writes.
#[derive(Clone, PartialEq, Message)]
pub struct RpcStatus {
    #[prost(int32, tag = "1")]
    /// The number of the gRPC status.
    pub code: i32,
    #[prost(string, tag = "2")]
    /// For people.
    pub message: String,
    #[prost(message, repeated, tag = "3")]
    /// Such as `RetryInfo`.
    pub details: Vec<Any>,
}

/// A detail of a status.
#[derive(Clone, PartialEq, Message)]
pub struct Any {
    #[prost(string, tag = "1")]
    /// The type of the message.
    pub type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    /// The message.
    pub value: Vec<u8>,
}

/// Sends bytes and reads the one answer to them; None if the connection closed without one.
pub fn raw(address: SocketAddr, request: &[u8]) -> Option<Reply> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let head = request.starts_with(b"HEAD");
    let request = request.to_vec();
    // A server may answer before it has read everything.
    let sender = std::thread::spawn(move || writer.write_all(&request).and_then(|()| writer.flush()));
    let reply = if head { read_head(&mut stream) } else { read_reply(&mut stream) };
    let _ = stream.shutdown(std::net::Shutdown::Both);
    let _ = sender.join();
    reply
}

/// Reads one answer with a content length.
pub fn read_reply(stream: &mut TcpStream) -> Option<Reply> {
    read_answer(stream, true)
}

/// Reads one answer to a HEAD: it tells the length of a body that does not come.
fn read_head(stream: &mut TcpStream) -> Option<Reply> {
    read_answer(stream, false)
}

fn read_answer(stream: &mut TcpStream, with_body: bool) -> Option<Reply> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 8192];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let mut lines = head.split("\r\n");
            let status: u16 = lines.next()?.split(' ').nth(1)?.parse().ok()?;
            if status == 100 {
                bytes.drain(..end + 4);
                continue;
            }
            let headers: HashMap<String, String> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let length = headers.get("content-length").filter(|_| with_body);
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                return Some(Reply { status, headers, body: bytes[end + 4..end + 4 + length].to_vec() });
            }
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}

/// One plain HTTP/1.1 request with a content length.
pub fn send(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    let mut request = request.into_bytes();
    request.extend_from_slice(body);
    raw(address, &request).expect("an answer")
}

/// What came back of a gRPC call.
#[derive(Debug)]
pub struct Called {
    /// `grpc-status`.
    pub status: i32,
    /// `grpc-message`, as it was sent.
    pub message: String,
    /// `grpc-status-details-bin`.
    pub details: Option<RpcStatus>,
    /// The headers, without the trailers.
    pub headers: HeaderMap,
    /// The messages with their prefixes.
    pub data: Bytes,
}

/// The frame of one gRPC message.
pub fn framed(flag: u8, message: &[u8]) -> Bytes {
    let mut frame = vec![flag];
    frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
    frame.extend_from_slice(message);
    frame.into()
}

/// An HTTP/2 connection that sends exactly these pieces as DATA frames.
pub async fn h2<B>(address: SocketAddr) -> hyper::client::conn::http2::SendRequest<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// A body of exactly these DATA frames.
pub type Pieces =
    StreamBody<futures::stream::Iter<std::vec::IntoIter<std::result::Result<Frame<Bytes>, std::io::Error>>>>;

/// A gRPC call of these pieces, for [`h2`].
pub fn grpc_request(path: &str, parts: Vec<Bytes>) -> http::Request<Pieces> {
    let request = http::Request::post(format!("http://test{path}")).header("content-type", "application/grpc");
    request.body(pieces(parts)).unwrap()
}

/// A body of these pieces, each a DATA frame of its own.
pub fn pieces(parts: Vec<Bytes>) -> Pieces {
    StreamBody::new(futures::stream::iter(parts.into_iter().map(|part| Ok(Frame::data(part))).collect::<Vec<_>>()))
}

/// A gRPC call made of raw pieces, with these headers on top of the usual ones.
pub async fn call(address: SocketAddr, path: &str, headers: &[(&str, &str)], parts: Vec<Bytes>) -> Called {
    let mut request = Request::post(format!("http://test{path}")).header("te", "trailers");
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/grpc");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut sender = h2(address).await;
    let response = sender.send_request(request.body(pieces(parts)).unwrap()).await.unwrap();
    called(response).await
}

/// Reads an answer to its end.
pub async fn called(response: Response<Incoming>) -> Called {
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/grpc");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or_else(|| parts.headers.clone());
    let text = |name: &str| trailers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let details = text("grpc-status-details-bin").map(|details| {
        let bytes = STANDARD_NO_PAD.decode(details).unwrap();
        RpcStatus::decode(&bytes[..]).unwrap()
    });
    Called {
        status: text("grpc-status").expect("a grpc-status").parse().unwrap(),
        message: text("grpc-message").unwrap_or_default(),
        details,
        headers: parts.headers,
        data: body.to_bytes(),
    }
}
