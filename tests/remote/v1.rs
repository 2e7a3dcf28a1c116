//! Remote-write 1.0: `prometheus.WriteRequest`, after the official definition.

use super::model::Labels;
use super::{Histogram, Series};
use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    pub(crate) timeseries: Vec<TimeSeries>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) metadata: Vec<MetricMetadata>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    pub(crate) labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) samples: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) exemplars: Vec<Exemplar>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) histograms: Vec<Native>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Sample {
    #[prost(double, tag = "1")]
    pub(crate) value: f64,
    #[prost(int64, tag = "2")]
    pub(crate) timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Exemplar {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(double, tag = "2")]
    value: f64,
    #[prost(int64, tag = "3")]
    timestamp: i64,
}

/// The histogram, the same in both versions but for a start time in 2.0.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Native {
    #[prost(oneof = "Count", tags = "1, 2")]
    count: Option<Count>,
    #[prost(double, tag = "3")]
    sum: f64,
    #[prost(sint32, tag = "4")]
    schema: i32,
    #[prost(double, tag = "5")]
    zero_threshold: f64,
    #[prost(message, repeated, tag = "8")]
    negative_spans: Vec<Span>,
    #[prost(sint64, repeated, tag = "9")]
    negative_deltas: Vec<i64>,
    #[prost(double, repeated, tag = "10")]
    negative_counts: Vec<f64>,
    #[prost(message, repeated, tag = "11")]
    positive_spans: Vec<Span>,
    #[prost(sint64, repeated, tag = "12")]
    positive_deltas: Vec<i64>,
    #[prost(double, repeated, tag = "13")]
    positive_counts: Vec<f64>,
    #[prost(int32, tag = "14")]
    reset_hint: i32,
    #[prost(int64, tag = "15")]
    timestamp: i64,
    #[prost(double, repeated, tag = "16")]
    custom_values: Vec<f64>,
}

#[derive(Clone, Copy, PartialEq, prost::Oneof)]
pub(crate) enum Count {
    #[prost(uint64, tag = "1")]
    Int(u64),
    #[prost(double, tag = "2")]
    Float(f64),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Span {
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint32, tag = "2")]
    length: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct MetricMetadata {
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(string, tag = "2")]
    metric_family_name: String,
    #[prost(string, tag = "4")]
    help: String,
    #[prost(string, tag = "5")]
    unit: String,
}

impl From<&Histogram> for Native {
    fn from(h: &Histogram) -> Self {
        let spans = h.spans.iter().map(|(offset, length)| Span {
            offset: *offset,
            length: *length,
        });
        Self {
            count: Some(h.count.map_or_else(Count::Float, Count::Int)),
            sum: h.sum,
            schema: h.schema,
            positive_spans: spans.collect(),
            positive_deltas: h.deltas.clone(),
            custom_values: h.custom.clone(),
            timestamp: h.timestamp,
            ..Self::default()
        }
    }
}

impl From<&Native> for Histogram {
    fn from(h: &Native) -> Self {
        Self {
            count: match h.count {
                Some(Count::Int(n)) => Ok(n),
                Some(Count::Float(n)) => Err(n),
                None => panic!("the count is gone"),
            },
            sum: h.sum,
            schema: h.schema,
            spans: h
                .positive_spans
                .iter()
                .map(|s| (s.offset, s.length))
                .collect(),
            deltas: h.positive_deltas.clone(),
            custom: h.custom_values.clone(),
            timestamp: h.timestamp,
        }
    }
}

fn pack(labels: &Labels) -> Vec<Label> {
    let made = |(n, v): &(String, String)| Label {
        name: n.clone(),
        value: v.clone(),
    };
    labels.iter().map(made).collect()
}

fn unpack(labels: &[Label]) -> Labels {
    labels
        .iter()
        .map(|l| (l.name.clone(), l.value.clone()))
        .collect()
}

/// Encodes series; their metadata go into messages of their own, as this version has them.
pub(crate) fn encode(series: &[Series]) -> Vec<u8> {
    let mut request = WriteRequest::default();
    for s in series {
        request.timeseries.push(TimeSeries {
            labels: pack(&s.labels),
            samples: s
                .samples
                .iter()
                .map(|(value, timestamp)| Sample {
                    value: *value,
                    timestamp: *timestamp,
                })
                .collect(),
            exemplars: s
                .exemplars
                .iter()
                .map(|(l, value, timestamp)| Exemplar {
                    labels: pack(l),
                    value: *value,
                    timestamp: *timestamp,
                })
                .collect(),
            histograms: s.histograms.iter().map(Native::from).collect(),
        });
        request.metadata.push(MetricMetadata {
            kind: s.metadata.0,
            metric_family_name: "m".into(),
            help: s.metadata.1.clone(),
            unit: s.metadata.2.clone(),
        });
    }
    request.encode_to_vec()
}

/// Decodes a request.
pub(crate) fn decode(bytes: &[u8]) -> Vec<Series> {
    let request = WriteRequest::decode(bytes).expect("a request of version 1");
    assert_eq!(request.timeseries.len(), request.metadata.len());
    let pairs = request.timeseries.iter().zip(&request.metadata);
    pairs
        .map(|(s, m)| Series {
            labels: unpack(&s.labels),
            samples: s.samples.iter().map(|s| (s.value, s.timestamp)).collect(),
            exemplars: s
                .exemplars
                .iter()
                .map(|e| (unpack(&e.labels), e.value, e.timestamp))
                .collect(),
            histograms: s.histograms.iter().map(Histogram::from).collect(),
            metadata: (m.kind, m.help.clone(), m.unit.clone()),
        })
        .collect()
}
