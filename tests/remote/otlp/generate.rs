//! Requests of OTLP with metrics of every type, and the keys that policies are about.

use super::message::{
    Any, AnyValue, ArrayValue, Buckets, Data, Exemplar, ExponentialHistogram,
    ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, InstrumentationScope,
    KeyValue, Metric, Number, NumberDataPoint, Request, Resource, ResourceMetrics, ScopeMetrics,
    Sum, Summary, SummaryDataPoint, ValueAtQuantile,
};
use proptest::collection::vec;
use proptest::prelude::*;

const KEYS: [&str; 9] = [
    "email",
    "user.id",
    "user_id",
    "path",
    "secret",
    "job",
    "zone",
    "http.route",
    "größe",
];

fn any_value() -> impl Strategy<Value = Option<Any>> {
    prop_oneof![
        6 => "[a-z]{1,3}".prop_map(|t| Some(Any::Text(t))),
        2 => prop::sample::select(vec!["", "team-a", "/users/7", "/users/7/cart", "/gone"])
            .prop_map(|t| Some(Any::Text(t.to_owned()))),
        1 => any::<bool>().prop_map(|b| Some(Any::Bool(b))),
        1 => any::<i64>().prop_map(|n| Some(Any::Int(n))),
        1 => Just(Some(Any::Double(0.5))),
        1 => Just(Some(Any::Bytes(vec![0xff]))),
        1 => Just(Some(Any::Array(ArrayValue { values: vec![AnyValue { value: None }] }))),
        1 => Just(None),
    ]
}

/// Attributes, each key once, the tenant's label under at most two spellings.
fn attributes(identity: &'static [&'static str]) -> impl Strategy<Value = Vec<KeyValue>> {
    let keys: Vec<&str> = KEYS.iter().chain(identity).copied().collect();
    let others = (prop::sample::subsequence(keys, 0..4), vec(any_value(), 4));
    let spelling = prop::sample::select(vec![
        "tenant_id",
        "tenant_id",
        "tenant_id",
        "tenant.id",
        "tenant-id",
        "tenant__id",
    ]);
    let tenant = prop_oneof![
        6 => Just(Some(Any::Text("team-a".to_owned()))),
        1 => Just(Some(Any::Text("team-b".to_owned()))),
        1 => any_value(),
    ];
    let tenants = prop_oneof![
        4 => Just(Vec::new()),
        5 => vec((spelling.clone(), tenant.clone()), 1),
        1 => vec((spelling, tenant), 2),
    ];
    (others, tenants, any::<prop::sample::Index>()).prop_map(|((keys, values), tenants, at)| {
        let mut all: Vec<_> = keys.into_iter().zip(values).collect();
        for one in tenants {
            all.insert(at.index(all.len() + 1), one);
        }
        let pair = |(key, value): (&str, Option<Any>)| KeyValue {
            key: key.to_owned(),
            value: Some(AnyValue { value }),
        };
        all.into_iter().map(pair).collect()
    })
}

fn exemplars() -> impl Strategy<Value = Vec<Exemplar>> {
    let one = (attributes(&["trace_id"]), any::<u64>(), vec(any::<u8>(), 8));
    vec(
        one.prop_map(|(filtered_attributes, time_unix_nano, span_id)| Exemplar {
            time_unix_nano,
            as_double: 1.5,
            trace_id: span_id.repeat(2),
            span_id,
            filtered_attributes,
        }),
        0..2,
    )
}

fn number() -> impl Strategy<Value = Vec<NumberDataPoint>> {
    let value = prop_oneof![
        any::<i32>().prop_map(|n| Number::Double(f64::from(n))),
        any::<i64>().prop_map(Number::Int),
    ];
    let one = (attributes(&[]), exemplars(), any::<u64>(), value, 0u32..2);
    vec(
        one.prop_map(
            |(attributes, exemplars, time, value, flags)| NumberDataPoint {
                start_time_unix_nano: time / 2,
                time_unix_nano: time,
                value: Some(value),
                exemplars,
                attributes,
                flags,
            },
        ),
        0..3,
    )
}

fn histogram() -> impl Strategy<Value = Vec<HistogramDataPoint>> {
    let one = (
        attributes(&[]),
        exemplars(),
        vec(any::<u64>(), 0..4),
        any::<u64>(),
    );
    vec(
        one.prop_map(
            |(attributes, exemplars, bucket_counts, time)| HistogramDataPoint {
                time_unix_nano: time,
                count: 7,
                sum: Some(0.0),
                explicit_bounds: bucket_counts.iter().skip(1).map(|b| *b as f64).collect(),
                bucket_counts,
                exemplars,
                attributes,
                max: Some(9.0),
                ..HistogramDataPoint::default()
            },
        ),
        0..3,
    )
}

fn exponential() -> impl Strategy<Value = Vec<ExponentialHistogramDataPoint>> {
    let one = (
        attributes(&[]),
        exemplars(),
        vec(any::<u64>(), 0..4),
        -5i32..5,
    );
    vec(
        one.prop_map(|(attributes, exemplars, bucket_counts, scale)| {
            ExponentialHistogramDataPoint {
                attributes,
                time_unix_nano: 5,
                count: 3,
                scale,
                zero_count: 1,
                positive: Some(Buckets {
                    offset: -1,
                    bucket_counts,
                }),
                exemplars,
                zero_threshold: 0.1,
                ..ExponentialHistogramDataPoint::default()
            }
        }),
        0..2,
    )
}

fn summary() -> impl Strategy<Value = Vec<SummaryDataPoint>> {
    let quantile = (0u8..100).prop_map(|q| ValueAtQuantile {
        quantile: f64::from(q) / 100.0,
        value: 2.0,
    });
    let one = (attributes(&[]), vec(quantile, 0..4));
    vec(
        one.prop_map(|(attributes, quantile_values)| SummaryDataPoint {
            time_unix_nano: 1,
            count: 4,
            sum: 8.0,
            quantile_values,
            attributes,
            ..SummaryDataPoint::default()
        }),
        0..2,
    )
}

fn data() -> impl Strategy<Value = Option<Data>> {
    prop_oneof![
        3 => number().prop_map(|data_points| Some(Data::Gauge(Gauge { data_points }))),
        3 => (number(), any::<bool>()).prop_map(|(data_points, is_monotonic)| {
            Some(Data::Sum(Sum { data_points, aggregation_temporality: 2, is_monotonic }))
        }),
        2 => histogram().prop_map(|data_points| {
            Some(Data::Histogram(Histogram { data_points, aggregation_temporality: 2 }))
        }),
        2 => exponential().prop_map(|data_points| {
            Some(Data::Exponential(ExponentialHistogram { data_points, aggregation_temporality: 1 }))
        }),
        2 => summary().prop_map(|data_points| Some(Data::Summary(Summary { data_points }))),
        1 => Just(None),
    ]
}

fn metric() -> impl Strategy<Value = Metric> {
    // The metadata of a metric are no labels.
    ("[a-z.]{1,6}", "(|By)", data(), attributes(&[])).prop_map(|(name, unit, data, metadata)| {
        Metric {
            name,
            description: "help".to_owned(),
            unit,
            data,
            metadata,
        }
    })
}

/// Requests.
pub(crate) fn request() -> impl Strategy<Value = Request> {
    let scope = prop::option::of(attributes(&[]).prop_map(|attributes| InstrumentationScope {
        name: "scope".to_owned(),
        version: "1".to_owned(),
        attributes,
        dropped_attributes_count: 1,
    }));
    let scoped = (scope, vec(metric(), 0..3)).prop_map(|(scope, metrics)| ScopeMetrics {
        scope,
        metrics,
        schema_url: "scope".to_owned(),
    });
    let identity = &["service.name", "service.namespace", "service.instance.id"];
    let resource = prop::option::of(attributes(identity).prop_map(|attributes| Resource {
        attributes,
        dropped_attributes_count: 3,
    }));
    let metrics = (resource, vec(scoped, 0..3), "(|resource)").prop_map(
        |(resource, scope_metrics, schema_url)| ResourceMetrics {
            resource,
            scope_metrics,
            schema_url,
        },
    );
    vec(metrics, 0..3).prop_map(|resource_metrics| Request { resource_metrics })
}
