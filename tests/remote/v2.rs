//! Remote-write 2.0: `io.prometheus.write.v2.Request`, after the official definition.

use super::model::Labels;
use super::v1::{Native, Sample};
use super::{Histogram, Series};
use prost::Message;

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(string, repeated, tag = "4")]
    symbols: Vec<String>,
    #[prost(message, repeated, tag = "5")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(uint32, repeated, tag = "1")]
    labels_refs: Vec<u32>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    histograms: Vec<Native>,
    #[prost(message, repeated, tag = "4")]
    exemplars: Vec<Exemplar>,
    #[prost(message, optional, tag = "5")]
    metadata: Option<Metadata>,
}

#[derive(Clone, PartialEq, Message)]
struct Exemplar {
    #[prost(uint32, repeated, tag = "1")]
    labels_refs: Vec<u32>,
    #[prost(double, tag = "2")]
    value: f64,
    #[prost(int64, tag = "3")]
    timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(uint32, tag = "3")]
    help_ref: u32,
    #[prost(uint32, tag = "4")]
    unit_ref: u32,
}

/// The table: the empty text first, each text once.
struct Table(Vec<String>);

impl Table {
    fn of(&mut self, text: &str) -> u32 {
        let at = self.0.iter().position(|t| t == text).unwrap_or_else(|| {
            self.0.push(text.to_owned());
            self.0.len() - 1
        });
        u32::try_from(at).expect("a small table")
    }

    fn refs(&mut self, labels: &Labels) -> Vec<u32> {
        labels
            .iter()
            .flat_map(|(n, v)| [self.of(n), self.of(v)])
            .collect()
    }
}

/// Encodes series.
pub(crate) fn encode(series: &[Series]) -> Vec<u8> {
    let mut table = Table(vec![String::new()]);
    let mut timeseries = Vec::new();
    for s in series {
        timeseries.push(TimeSeries {
            labels_refs: table.refs(&s.labels),
            samples: s
                .samples
                .iter()
                .map(|(value, timestamp)| Sample {
                    value: *value,
                    timestamp: *timestamp,
                })
                .collect(),
            histograms: s.histograms.iter().map(Native::from).collect(),
            exemplars: s
                .exemplars
                .iter()
                .map(|(l, value, timestamp)| Exemplar {
                    labels_refs: table.refs(l),
                    value: *value,
                    timestamp: *timestamp,
                })
                .collect(),
            metadata: Some(Metadata {
                kind: s.metadata.0,
                help_ref: table.of(&s.metadata.1),
                unit_ref: table.of(&s.metadata.2),
            }),
        });
    }
    Request {
        symbols: table.0,
        timeseries,
    }
    .encode_to_vec()
}

/// Decodes a request, with every reference resolved.
pub(crate) fn decode(bytes: &[u8]) -> Vec<Series> {
    let request = Request::decode(bytes).expect("a request of version 2");
    let text = |r: &u32| request.symbols[*r as usize].clone();
    let labels =
        |refs: &[u32]| -> Labels { refs.chunks(2).map(|p| (text(&p[0]), text(&p[1]))).collect() };
    request
        .timeseries
        .iter()
        .map(|s| {
            let metadata = s.metadata.clone().expect("metadata");
            Series {
                labels: labels(&s.labels_refs),
                samples: s.samples.iter().map(|s| (s.value, s.timestamp)).collect(),
                exemplars: s
                    .exemplars
                    .iter()
                    .map(|e| (labels(&e.labels_refs), e.value, e.timestamp))
                    .collect(),
                histograms: s.histograms.iter().map(Histogram::from).collect(),
                metadata: (
                    metadata.kind,
                    text(&metadata.help_ref),
                    text(&metadata.unit_ref),
                ),
            }
        })
        .collect()
}
