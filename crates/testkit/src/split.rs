//! One large request as many small ones, as the same program sends them: the resource and the scope stay the same.

use opentelemetry_proto::tonic::metrics::v1::{Metric, Sum, metric};
use prost::Message;

use crate::payload::{self, Kind};

impl Kind {
    /// `records` records of one program in requests of `each` records, in binary protobuf.
    pub fn in_requests(self, records: usize, each: usize, seed: u64) -> Vec<Vec<u8>> {
        match self {
            Kind::Spans { attributes } => {
                let mut whole = payload::spans(records, attributes, seed);
                let spans = std::mem::take(&mut whole.resource_spans[0].scope_spans[0].spans);
                let request = |part: &[_]| {
                    whole.resource_spans[0].scope_spans[0].spans = part.to_vec();
                    whole.encode_to_vec()
                };
                spans.chunks(each).map(request).collect()
            }
            Kind::Logs { body } => {
                let mut whole = payload::logs(records, body, seed);
                let logs = std::mem::take(&mut whole.resource_logs[0].scope_logs[0].log_records);
                let request = |part: &[_]| {
                    whole.resource_logs[0].scope_logs[0].log_records = part.to_vec();
                    whole.encode_to_vec()
                };
                logs.chunks(each).map(request).collect()
            }
            Kind::Numbers => {
                let mut whole = payload::numbers(records, seed);
                let metrics = std::mem::take(&mut whole.resource_metrics[0].scope_metrics[0].metrics);
                let points: Vec<Metric> = metrics.into_iter().flat_map(points).collect();
                let request = |part: &[Metric]| {
                    whole.resource_metrics[0].scope_metrics[0].metrics = part.to_vec();
                    whole.encode_to_vec()
                };
                points.chunks(each).map(request).collect()
            }
            Kind::Histograms => {
                let seeds = seed..seed + records.div_ceil(each) as u64;
                seeds.map(|seed| self.encoded(each, seed)).collect()
            }
        }
    }
}

/// Each point of a sum as a metric of its own.
fn points(of: Metric) -> Vec<Metric> {
    let Some(metric::Data::Sum(sum)) = &of.data else { return vec![of] };
    let alone = |point| {
        let data = metric::Data::Sum(Sum { data_points: vec![point], ..sum.clone() });
        Metric { data: Some(data), ..of.clone() }
    };
    sum.data_points.iter().cloned().map(alone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_requests_are_many_and_differ() {
        for kind in Kind::COMPARED {
            let requests = kind.in_requests(30, 3, 9);
            assert_eq!(requests.len(), 10, "{kind:?}");
            assert!(requests.windows(2).all(|pair| pair[0] != pair[1]), "{kind:?}");
        }
    }
}
