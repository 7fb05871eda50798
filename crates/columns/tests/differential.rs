//! Broken and odd bytes, beside readers that are not ours: prost for the wire, jiter for JSON.
#![allow(clippy::unwrap_used, reason = "tests")]

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{Exemplar, metric};
use otlp_arrow_columns::{BatchBuilder, DecodeError, Limits, Signal, check, encode_protobuf, json};
use otlp_arrow_testkit::canonical::Canonical;
use otlp_arrow_testkit::generate::Generator;
use otlp_arrow_testkit::rng::Rng;
use prost::Message;

fn cases(default: u64) -> u64 {
    std::env::var("OTLP_ARROW_CASES").map_or(default, |text| text.parse().expect("a number"))
}

/// One to three small changes: flipped, deleted, inserted, repeated or cut bytes, or bytes of another request.
fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..1 + rng.index(3) {
        let at = rng.index(bytes.len().max(1)).min(bytes.len());
        match rng.below(8) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << rng.below(8),
            1 if !bytes.is_empty() => bytes[at] = rng.bits() as u8,
            2 if !bytes.is_empty() => drop(bytes.remove(at)),
            3 => bytes.insert(at, rng.bits() as u8),
            4 => bytes.truncate(at),
            5 => {
                let end = (at + rng.index(40)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            6 if !other.is_empty() => {
                let from = rng.index(other.len());
                let end = (from + rng.index(40)).min(other.len());
                bytes.splice(at..at, other[from..end].iter().copied());
            }
            // A whole request behind another is one request, by the rules of protobuf.
            _ => bytes.extend_from_slice(other),
        }
    }
}

trait Request: Canonical {
    /// Takes out the records that have an id of a wrong length, and counts them.
    fn without_invalid_ids(self) -> (Self, usize);
    /// Gives its first record an id of a wrong length, if it can.
    fn spoil(&mut self);
}

fn is_id(id: &[u8], len: usize) -> bool {
    id.is_empty() || id.len() == len
}

fn retain<T>(list: &mut Vec<T>, refused: &mut usize, keep: impl Fn(&T) -> bool) {
    let before = list.len();
    list.retain(keep);
    *refused += before - list.len();
}

impl Request for ExportTraceServiceRequest {
    fn without_invalid_ids(mut self) -> (Self, usize) {
        let mut refused = 0;
        for scope in self.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans) {
            retain(&mut scope.spans, &mut refused, |span| {
                is_id(&span.trace_id, 16)
                    && is_id(&span.span_id, 8)
                    && is_id(&span.parent_span_id, 8)
                    && span.links.iter().all(|link| is_id(&link.trace_id, 16) && is_id(&link.span_id, 8))
            });
        }
        (self, refused)
    }

    fn spoil(&mut self) {
        let scopes = self.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans);
        if let Some(span) = scopes.flat_map(|scope| &mut scope.spans).next() {
            match span.links.first_mut() {
                Some(link) => link.span_id = vec![1; 7],
                None => span.parent_span_id = vec![1; 9],
            }
        }
    }
}

impl Request for ExportLogsServiceRequest {
    fn without_invalid_ids(mut self) -> (Self, usize) {
        let mut refused = 0;
        for scope in self.resource_logs.iter_mut().flat_map(|resource| &mut resource.scope_logs) {
            retain(&mut scope.log_records, &mut refused, |log| is_id(&log.trace_id, 16) && is_id(&log.span_id, 8));
        }
        (self, refused)
    }

    fn spoil(&mut self) {
        let scopes = self.resource_logs.iter_mut().flat_map(|resource| &mut resource.scope_logs);
        if let Some(log) = scopes.flat_map(|scope| &mut scope.log_records).next() {
            log.trace_id = vec![1; 15];
        }
    }
}

impl Request for ExportMetricsServiceRequest {
    fn without_invalid_ids(mut self) -> (Self, usize) {
        let mut refused = 0;
        let valid = |list: &[Exemplar]| list.iter().all(|e| is_id(&e.trace_id, 16) && is_id(&e.span_id, 8));
        let scopes = self.resource_metrics.iter_mut().flat_map(|resource| &mut resource.scope_metrics);
        for metric in scopes.flat_map(|scope| &mut scope.metrics) {
            match &mut metric.data {
                Some(metric::Data::Gauge(data)) => {
                    retain(&mut data.data_points, &mut refused, |point| valid(&point.exemplars));
                }
                Some(metric::Data::Sum(data)) => {
                    retain(&mut data.data_points, &mut refused, |point| valid(&point.exemplars));
                }
                Some(metric::Data::Histogram(data)) => {
                    retain(&mut data.data_points, &mut refused, |point| valid(&point.exemplars));
                }
                Some(metric::Data::ExponentialHistogram(data)) => {
                    retain(&mut data.data_points, &mut refused, |point| valid(&point.exemplars));
                }
                Some(metric::Data::Summary(_)) | None => {}
            }
        }
        (self, refused)
    }

    fn spoil(&mut self) {
        let scopes = self.resource_metrics.iter_mut().flat_map(|resource| &mut resource.scope_metrics);
        let data = scopes.flat_map(|scope| &mut scope.metrics).filter_map(|metric| metric.data.as_mut());
        for data in data {
            if let metric::Data::Gauge(data) = data
                && let Some(point) = data.data_points.first_mut()
            {
                point.exemplars.push(Exemplar { trace_id: vec![1; 17], ..Default::default() });
            }
        }
    }
}

/// What prost reads, we read as the same; what is no protobuf to prost, is none to us.
fn agrees_with_prost<M: Request>(signal: Signal, make: fn(&mut Generator) -> M) {
    let limits = Limits::default();
    let (mut read, mut malformed, mut refused) = (0, 0, 0);
    for seed in 0..cases(2_000) {
        let mut rng = Rng::new(seed);
        let mut generator = Generator::new(seed);
        let mut request = make(&mut generator);
        if seed % 4 == 0 {
            request.spoil();
        }
        let mut bytes = request.encode_to_vec();
        let other = make(&mut generator).encode_to_vec();
        mutate(&mut rng, &mut bytes, &other);
        let ours = check(signal, &bytes, &limits);
        // JSON reads the same bytes without a panic, whatever they are.
        let text = json::from_protobuf(signal, &bytes);
        match M::decode(&*bytes) {
            Ok(request) => {
                let checked = ours.unwrap_or_else(|error| panic!("seed {seed}: {error}, but prost reads it"));
                assert!(text.is_ok(), "seed {seed}: {text:?}");
                let (request, invalid) = request.without_invalid_ids();
                let mut builder = BatchBuilder::new(signal);
                builder.append(&bytes, &checked);
                let back = encode_protobuf(signal, &[builder.finish()]).unwrap();
                let back = M::decode(&*back).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
                if let Some(difference) = request.content().difference(&back.content()) {
                    panic!("seed {seed}: {difference}");
                }
                assert_eq!(checked.refused.total(), invalid as u64, "seed {seed}: {}", checked.refused);
                read += 1;
                refused += invalid;
            }
            Err(error) if error.to_string().contains("UTF-8") => {}
            Err(error) => {
                assert!(
                    matches!(ours, Err(DecodeError::Malformed { .. })),
                    "seed {seed}: prost says {error}, we {ours:?}"
                );
                malformed += 1;
            }
        }
    }
    assert!(read > 300 && malformed > 300 && refused > 5, "{read} read, {malformed} malformed, {refused} refused");
}

#[test]
fn mutated_traces() {
    agrees_with_prost(Signal::Traces, Generator::traces);
}

#[test]
fn mutated_logs() {
    agrees_with_prost(Signal::Logs, Generator::logs);
}

#[test]
fn mutated_metrics() {
    agrees_with_prost(Signal::Metrics, Generator::metrics);
}

/// Our tokenizer takes what jiter takes, and lone surrogates.
#[test]
fn mutated_json() {
    let (mut taken, mut refused) = (0, 0);
    for seed in 0..cases(2_000) {
        let mut rng = Rng::new(seed);
        let mut generator = Generator::new(seed);
        let json =
            |generator: &mut Generator| json::from_protobuf(Signal::Logs, &generator.logs().encode_to_vec()).unwrap();
        let mut text = json(&mut generator);
        text.truncate(3_000);
        let other = json(&mut generator);
        let piece = other.len().min(20);
        mutate(&mut rng, &mut text, &other[..piece]);
        if rng.one_in(2) {
            text = br#"{"q":[0,-1.5e+7,"\u0041\ud83d\ude00\n",true,false,null,{"a":{}},[],""],"r":1E-2}"#.to_vec();
            mutate(&mut rng, &mut text, b"0.eE+-\\u\"[]{},:ntf\x01\xff ");
        }
        // Within an unknown field, so that only JSON itself matters.
        let wrapped = [br#"{"x":"#, &*text, b"}"].concat();
        let ours = json::to_protobuf(Signal::Logs, &wrapped, &Limits::default());
        match jiter::JsonValue::parse(&wrapped, false) {
            Ok(_) => {
                assert_eq!(ours, Ok(Vec::new()), "seed {seed}: {}", String::from_utf8_lossy(&wrapped));
                taken += 1;
            }
            Err(error) => {
                let text = error.to_string();
                // What jiter does not take, or only we leave for later.
                if text.contains("surrogate")
                    || text.contains("escape")
                    || text.contains("unicode")
                    || text.contains("recursion")
                {
                    continue;
                }
                assert!(ours.is_err(), "seed {seed}: {error}: {}", String::from_utf8_lossy(&wrapped));
                refused += 1;
            }
        }
        let _ = json::to_protobuf(Signal::Logs, &text, &Limits::default());
    }
    assert!(taken > 30 && refused > 300, "{taken} taken, {refused} refused");
}
