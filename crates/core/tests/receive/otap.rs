//! OTAP: streams of batches that build on each other, each answered once it is kept.

use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::channel::mpsc;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use otlp_arrow::{Code, Signal};
use otlp_arrow_net::encoding::Encoding;
use otlp_arrow_wire::otap::{ArrowPayload, BatchArrowRecords, BatchStatus, path};
use tokio::sync::oneshot;

use super::support::*;

type Pieces = StreamBody<Pin<Box<dyn futures::Stream<Item = Result<Frame<Bytes>, std::io::Error>> + Send>>>;

/// A stream of the protocol.
struct Call {
    sender: Option<mpsc::UnboundedSender<Result<Frame<Bytes>, std::io::Error>>>,
    answer: Incoming,
    got: BytesMut,
    encoding: Option<Encoding>,
    _connection: hyper::client::conn::http2::SendRequest<Pieces>,
}

/// How a stream ended.
type Ended = (i32, String);

impl Call {
    async fn open(service: &Service, signal: Signal, headers: &[(&str, &str)]) -> Self {
        Self::open_at(service.grpc, signal, headers).await
    }

    async fn open_at(address: std::net::SocketAddr, signal: Signal, headers: &[(&str, &str)]) -> Self {
        let (sender, receiver) = mpsc::unbounded();
        let mut request = http::Request::post(format!("http://test{}", path(signal)));
        request = request.header("content-type", "application/grpc").header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let encoding = match headers.iter().find(|(name, _)| *name == "grpc-encoding") {
            Some((_, name)) if name.starts_with("zstd") => Some(Encoding::Zstd),
            Some((_, "gzip")) => Some(Encoding::Gzip),
            _ => None,
        };
        let mut connection = h2(address).await;
        let body: Pieces = StreamBody::new(Box::pin(receiver));
        let response = connection.send_request(request.body(body).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        let (sender, got) = (Some(sender), BytesMut::new());
        Self { sender, answer: response.into_body(), got, encoding, _connection: connection }
    }

    /// Bytes as they are.
    fn raw(&self, bytes: Bytes) {
        let _ = self.sender.as_ref().unwrap().unbounded_send(Ok(Frame::data(bytes)));
    }

    fn send(&self, message: &[u8]) {
        match self.encoding {
            None => self.raw(framed(0, message)),
            Some(encoding) => self.raw(framed(1, &encoding.compress(message).unwrap())),
        }
    }

    fn end(&mut self) {
        self.sender = None;
    }

    /// The next status; or how the stream ended.
    async fn next(&mut self) -> Result<BatchStatus, Ended> {
        loop {
            if let Some(prefix) = self.got.first_chunk::<5>() {
                let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
                if self.got.len() >= 5 + length {
                    let frame = self.got.split_to(5 + length);
                    return Ok(BatchStatus::read(&frame[5..]).unwrap());
                }
            }
            let frame = self.answer.frame().await.expect("trailers at the end").unwrap();
            match frame.into_trailers() {
                Ok(trailers) => {
                    let text = |name| trailers.get(name).map_or("", |value| value.to_str().unwrap());
                    return Err((text("grpc-status").parse().unwrap(), text("grpc-message").to_owned()));
                }
                Err(frame) => self.got.extend_from_slice(&frame.into_data().unwrap()),
            }
        }
    }

    /// The number and status of the next answer.
    async fn code(&mut self) -> (i64, i32) {
        let status = self.next().await.unwrap();
        (status.batch_id, status.code)
    }

    /// All statuses until the end, and the status of that.
    async fn rest(&mut self) -> (Vec<(i64, i32)>, i32) {
        let mut codes = Vec::new();
        loop {
            match self.next().await {
                Ok(status) => codes.push((status.batch_id, status.code)),
                Err((status, _)) => return (codes, status),
            }
        }
    }
}

pub(crate) fn golden(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../test/fixtures/otap").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A golden batch under another number.
fn numbered(name: &str, id: i64) -> Vec<u8> {
    let bytes = golden(name);
    BatchArrowRecords { batch_id: id, ..BatchArrowRecords::read(&bytes).unwrap() }.to_protobuf()
}

fn rows(service: &Service) -> usize {
    service.inside.stored.lock().unwrap().iter().map(|(_, rows)| rows.batch().num_rows()).sum()
}

/// Trap 4: the Collector's own name for zstd, beside those that everybody has; on both listeners.
#[tokio::test(flavor = "multi_thread")]
async fn batches_are_kept_and_answered_in_every_encoding() {
    let service = start();
    for signal in Signal::ALL {
        for encoding in ["", "identity", "gzip", "zstd", "zstdarrow1", "zstdarrow5", "zstdarrow10"] {
            for address in [service.grpc, service.http] {
                service.inside.stored.lock().unwrap().clear();
                let headers = [("grpc-encoding", encoding)];
                let headers = if encoding.is_empty() { &[][..] } else { &headers };
                let mut call = Call::open_at(address, signal, headers).await;
                call.send(&numbered(&format!("{signal}-initial.bar"), 0));
                assert_eq!(call.code().await, (0, 0), "{signal} {encoding}");
                call.send(&numbered(&format!("{signal}-reuse.bar"), 1));
                assert_eq!(call.code().await, (1, 0), "{signal} {encoding}");
                call.end();
                assert_eq!(call.next().await.unwrap_err().0, 0);
                let stored = service.inside.stored.lock().unwrap().clone();
                assert!(
                    stored.len() == 2 && stored.iter().all(|(of, rows)| *of == signal && rows.batch().num_rows() > 0)
                );
            }
        }
    }
    service.released().await;
    let counted = service.inside.stats.snapshot().to_prometheus();
    assert!(counted.contains("otlp_arrow_opened_streams_total{signal=\"logs\",protocol=\"otap\"} 14\n"), "{counted}");
    assert!(
        counted.contains("otlp_arrow_request_seconds_count{signal=\"logs\",protocol=\"otap\",code=\"OK\"} 28\n"),
        "{counted}"
    );
}

/// An encoding that is not known must not look like a server without OTAP by accident: only a wrong name does.
#[tokio::test]
async fn other_encodings_and_paths_are_unimplemented() {
    let service = start();
    for (name, wanted) in [("br", "12"), ("zstdarrow11", "12"), ("snappy", "12")] {
        let got = call(service.grpc, path(Signal::Logs), &[("grpc-encoding", name)], vec![]).await;
        assert_eq!(got.status.to_string(), wanted, "{name}");
    }
    let off = start_with(|config| config.protocols.otap = false);
    let got = call(off.grpc, path(Signal::Traces), &[], vec![]).await;
    assert_eq!(got.status, 12);
    assert!(got.message.contains("protocols.otap"), "{}", got.message);
}

/// Trap 7: of all statuses only those that leave the stream as it is.
#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_a_batch_is_one_of_five_statuses() {
    for later in [false, true] {
        for code in Code::all() {
            let wanted = match code {
                Code::TooLarge => 8,
                Code::Unauthenticated => 16,
                Code::InvalidData | Code::InvalidConfig | Code::BindFailed | Code::Forbidden | Code::Internal => 3,
                _ => 14,
            };
            let service = start();
            service.script(if later { Script::FailLater(code) } else { Script::Fail(code) });
            let mut call = Call::open(&service, Signal::Logs, &[]).await;
            call.send(&numbered("logs-initial.bar", 7));
            assert_eq!(call.code().await, (7, wanted), "{code}");
            service.script(Script::Keep);
            call.send(&numbered("logs-reuse.bar", 8));
            assert_eq!(call.code().await, (8, 0), "the stream goes on after {code}");
            call.end();
            assert_eq!(call.rest().await, (vec![], 0));
            service.released().await;
        }
    }
}

/// A defect is not sent again forever, and takes no other stream with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_defect_ends_its_stream_only() {
    let service = start();
    let mut other = Call::open(&service, Signal::Logs, &[]).await;
    other.send(&numbered("logs-initial.bar", 0));
    assert_eq!(other.code().await, (0, 0));
    service.script(Script::Panic);
    let mut call = Call::open(&service, Signal::Traces, &[]).await;
    call.send(&numbered("traces-initial.bar", 0));
    assert_eq!(call.rest().await, (vec![(0, 3)], 3));
    service.script(Script::Keep);
    other.send(&numbered("logs-reuse.bar", 1));
    assert_eq!(other.code().await, (1, 0));
}

/// Trap 8: what was read is answered after the sender has said all, and before the stream ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_drained_when_its_sender_is_done() {
    let service = start();
    let (released, mut holds) = (std::sync::Arc::new(std::sync::Mutex::new(Vec::new())), Vec::new());
    for _ in 0..3 {
        let (hold, wait) = oneshot::channel::<()>();
        released.lock().unwrap().push(wait);
        holds.push(hold);
    }
    service.script(Script::Wait(std::sync::Arc::clone(&released)));
    let mut call = Call::open(&service, Signal::Logs, &[]).await;
    call.send(&numbered("logs-initial.bar", 0));
    call.send(&numbered("logs-reuse.bar", 1));
    call.send(&numbered("logs-reuse.bar", 2));
    call.end();
    until(|| released.lock().unwrap().is_empty()).await;
    // The last one first: answers are matched by number, whatever their order.
    for (at, hold) in holds.into_iter().enumerate() {
        hold.send(()).unwrap();
        assert_eq!(call.code().await, (2 - at as i64, 0));
    }
    assert_eq!(call.rest().await, (vec![], 0));
    service.released().await;
}

/// When the doors close, senders are told, and what was read is answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_the_doors() {
    let service = start();
    let mut call = Call::open(&service, Signal::Logs, &[]).await;
    call.send(&numbered("logs-initial.bar", 0));
    assert_eq!(call.code().await, (0, 0));
    let closed = tokio::spawn({
        let doors = service.doors;
        async move { doors.close(Duration::from_secs(30)).await }
    });
    let (codes, status) = call.rest().await;
    assert_eq!((codes, status), (vec![], 14));
    assert!(closed.await.unwrap());
}

/// Trap 12 and what else can be wrong with one batch alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_batch_is_refused_and_the_stream_goes_on() {
    let service = start();
    let mut call = Call::open(&service, Signal::Logs, &[]).await;
    let bytes = golden("logs-initial.bar");
    let mut batch = BatchArrowRecords::read(&bytes).unwrap();
    batch.payloads.push(ArrowPayload { schema_id: b"99", kind: 77, record: b"" });
    call.send(&batch.to_protobuf());
    assert_eq!(call.code().await, (batch.batch_id, 3));
    call.send(&numbered("logs-reuse.bar", 5));
    assert_eq!(call.code().await, (5, 0), "it builds on what the refused one brought");
    call.send(&BatchArrowRecords { batch_id: 6, ..Default::default() }.to_protobuf());
    assert_eq!(call.code().await, (6, 0), "nothing in it");
    // The message with the number 0 and nothing else has no bytes at all.
    call.send(b"");
    assert_eq!(call.code().await, (0, 0));
}

/// What cannot be read takes what later batches build on with it.
#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_a_stream_ends_it_and_leaves_the_others() {
    let service = start();
    let mut other = Call::open(&service, Signal::Logs, &[]).await;
    other.send(&numbered("logs-initial.bar", 0));
    assert_eq!(other.code().await, (0, 0));
    let bytes = golden("logs-initial.bar");
    let batch = || BatchArrowRecords { batch_id: 4, ..BatchArrowRecords::read(&bytes).unwrap() };
    let cut = |batch: &mut BatchArrowRecords<'_>| {
        let record = &mut batch.payloads[0].record;
        *record = &record[..record.len() - 9];
    };
    type Change<'a> = &'a dyn Fn(&mut BatchArrowRecords<'_>);
    let changes: [(&str, Change<'_>); 6] = [
        ("cut", &cut),
        ("not IPC", &|batch| batch.payloads[0].record = b"0123456789abcdef"),
        ("nothing", &|batch| batch.payloads[0].record = b""),
        ("twice", &|batch| batch.payloads.push(batch.payloads[0])),
        ("no HPACK", &|batch| batch.headers = b"\x80"),
        ("a header that is in no table", &|batch| batch.headers = b"\xff\xff\xff\x01"),
    ];
    for (what, change) in changes {
        let mut call = Call::open(&service, Signal::Logs, &[]).await;
        let mut batch = batch();
        change(&mut batch);
        call.send(&batch.to_protobuf());
        assert_eq!(call.rest().await, (vec![(4, 3)], 3), "{what}");
    }
    // A dictionary that grows where none was sent.
    let mut call = Call::open(&service, Signal::Logs, &[]).await;
    call.send(&numbered("logs-reuse.bar", 3));
    assert_eq!(call.rest().await, (vec![(3, 3)], 3));
    for (what, message) in [("not protobuf", &b"\xff\xff\xff\xff"[..]), ("a batch cut off", &bytes[..bytes.len() - 5])]
    {
        let mut call = Call::open(&service, Signal::Logs, &[]).await;
        call.send(message);
        assert_eq!(call.rest().await.1, 3, "{what}");
    }
    other.send(&numbered("logs-reuse.bar", 1));
    assert_eq!(other.code().await, (1, 0));
    drop(other);
    service.released().await;
}

/// Trap 9 and 10: sizes before and after decompression, and the memory of all.
#[tokio::test(flavor = "multi_thread")]
async fn bombs_and_large_messages_take_no_more_than_they_may() {
    let service = start_with(|config| {
        config.limits.max_body = 1 << 20;
        config.buffer.max_bytes = 8 << 20;
    });
    let mut other = Call::open(&service, Signal::Logs, &[]).await;
    other.send(&numbered("logs-initial.bar", 0));
    assert_eq!(other.code().await, (0, 0));
    for name in ["gzip", "zstd", "zstdarrow5"] {
        let mut call = Call::open(&service, Signal::Logs, &[("grpc-encoding", name)]).await;
        call.send(&vec![0; 2 << 20]);
        assert_eq!(call.rest().await, (vec![], 8), "{name}");
    }
    let mut call = Call::open(&service, Signal::Logs, &[]).await;
    call.raw(Bytes::from_static(&[0, 0x7f, 0xff, 0xff, 0xff]));
    assert_eq!(call.rest().await, (vec![], 8), "only announced");
    assert!(service.used() < 8 << 20);
    other.send(&numbered("logs-reuse.bar", 1));
    assert_eq!(other.code().await, (1, 0));
    drop(other);
    service.released().await;
}

/// A batch that finds no room is sent again, and the stream that it came on is well.
#[tokio::test(flavor = "multi_thread")]
async fn no_memory_is_unavailable() {
    let service = start_with(|config| config.buffer.max_bytes = 4 << 20);
    let mut call = Call::open(&service, Signal::Logs, &[]).await;
    call.send(&numbered("logs-initial.bar", 0));
    assert_eq!(call.code().await, (0, 0));
    let budget = std::sync::Arc::clone(&service.inside.budget);
    let free = budget.max() / 4 * 3 - budget.used();
    let message = numbered("logs-reuse.bar", 1);
    let others = budget.reserve(Signal::Logs, free - message.len() - 200).unwrap();
    call.send(&message);
    assert_eq!(call.code().await, (1, 14));
    drop(others);
    call.send(&numbered("logs-reuse.bar", 2));
    assert_eq!(call.code().await, (2, 0));
    assert_eq!(rows(&service), rows_of("logs-initial.bar") + rows_of("logs-reuse.bar"));
    drop(call);
    service.released().await;
}

fn rows_of(_: &str) -> usize {
    // Both golden batches of logs have as many records.
    otlp_arrow::decode(Signal::Logs, &golden("logs-initial.otlp"), otlp_arrow::Format::Protobuf)
        .unwrap()
        .batch
        .num_rows()
}

/// A stream of records that came through this recorder is a ring.
#[tokio::test(flavor = "multi_thread")]
async fn a_ring_is_refused_by_stream_and_by_batch() {
    let service = start();
    let many: Vec<String> = (0..17).map(|number| format!("{number:016x}")).collect();
    let via = many.join(",");
    let refused = call(service.grpc, path(Signal::Logs), &[("otlp-arrow-via", &via)], vec![]).await;
    assert_eq!(refused.status, 9);
    // As a header of one batch: a literal of HPACK that is not kept.
    let mut call = Call::open(&service, Signal::Logs, &[]).await;
    let bytes = golden("logs-initial.bar");
    let mut headers = vec![0x00, 14];
    headers.extend_from_slice(b"otlp-arrow-via");
    headers.extend([0x7f, (via.len() - 127) as u8 | 0x80, ((via.len() - 127) / 128) as u8]);
    headers.extend_from_slice(via.as_bytes());
    let batch = BatchArrowRecords { batch_id: 3, headers: &headers, ..BatchArrowRecords::read(&bytes).unwrap() };
    call.send(&batch.to_protobuf());
    assert_eq!(call.code().await, (3, 3));
    call.send(&numbered("logs-reuse.bar", 4));
    assert_eq!(call.code().await, (4, 0), "the tables of the refused batch were read");
}

/// A client that goes away leaves nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_leaves_nothing_reserved() {
    let service = start();
    service.script(Script::Hang);
    for signal in Signal::ALL {
        let call = Call::open(&service, signal, &[]).await;
        call.send(&numbered(&format!("{signal}-initial.bar"), 0));
        until(|| !service.inside.stored.lock().unwrap().is_empty()).await;
        service.inside.stored.lock().unwrap().clear();
        drop(call);
    }
    service.released().await;
}
