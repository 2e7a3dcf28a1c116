//! The policy for bodies against the official messages, encoded and decoded by `prost`: what comes
//! out is the policy applied to what went in, and nothing else has changed.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that panics has failed, which is what it is for"
)]

mod limits;
mod model;
mod otlp;
mod v1;
mod v2;

use model::{Labels, Policy};
use promfence::config::error::Problems;
use promfence::remote::{Body, BodyPolicy, Counts, Protocol, WriteError};
use promfence::scope::{Enforced, Scope};
use promfence::tenant::{LabelName, TenantId};
use proptest::prelude::*;

const TENANT: &str = "team-a";

/// Compiles a policy of JSON for the tenant label `tenant_id`.
fn compile(json: &str) -> BodyPolicy {
    let (mut problems, label) = (
        Problems::default(),
        LabelName::parse("tenant_id").expect("a label name"),
    );
    let config = serde_json::from_str(json).expect("a policy");
    BodyPolicy::compile(&config, &label, &|_| None, "write", &mut problems)
        .unwrap_or_else(|| panic!("{problems}"))
}

/// Applies a policy to the bytes of a message. `None`: they pass as they came.
fn apply(
    policy: &BodyPolicy,
    protocol: Protocol,
    message: &[u8],
) -> Result<(Counts, Option<Vec<u8>>), WriteError> {
    let label = LabelName::parse("tenant_id").expect("a label name");
    let scope = Scope::new(vec![Enforced::values(label, [TENANT]).expect("a tenant")]);
    let tenant = TenantId::parse(TENANT).expect("a tenant");
    let body = snap::raw::Encoder::new()
        .compress_vec(message)
        .expect("snappy");
    let outcome = policy.apply(protocol, &body, &scope, &tenant)?;
    let changed = match outcome.body {
        Body::Unchanged => None,
        Body::Changed(new) => {
            let new = snap::raw::Decoder::new()
                .decompress_vec(&new)
                .expect("snappy");
            assert_ne!(new, message, "the same bytes were written anew");
            Some(new)
        }
    };
    Ok((outcome.counts, changed))
}

/// What one series holds besides its labels, the same in both versions.
#[derive(Clone, Debug, PartialEq)]
struct Series {
    labels: Labels,
    samples: Vec<(f64, i64)>,
    exemplars: Vec<(Labels, f64, i64)>,
    histograms: Vec<Histogram>,
    /// Type, help and unit.
    metadata: (i32, String, String),
}

/// A native histogram of integers or of floats.
#[derive(Clone, Debug, PartialEq)]
struct Histogram {
    count: Result<u64, f64>,
    sum: f64,
    schema: i32,
    spans: Vec<(i32, u32)>,
    deltas: Vec<i64>,
    custom: Vec<f64>,
    timestamp: i64,
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<i32>().prop_map(f64::from),
        Just(f64::INFINITY),
        Just(-0.0),
        Just(1e-300)
    ]
}

fn histogram() -> impl Strategy<Value = Histogram> {
    let count = prop_oneof![any::<u64>().prop_map(Ok), value().prop_map(Err)];
    let spans = prop::collection::vec((any::<i32>(), any::<u32>()), 0..3);
    let deltas = prop::collection::vec(any::<i64>(), 0..4);
    let custom = prop::collection::vec(value(), 0..3);
    (count, value(), -53..9, spans, deltas, custom, any::<i64>()).prop_map(
        |(count, sum, schema, spans, deltas, custom, timestamp)| Histogram {
            count,
            sum,
            schema,
            spans,
            deltas,
            custom,
            timestamp,
        },
    )
}

fn one_series() -> impl Strategy<Value = Series> {
    let exemplars = prop::collection::vec((model::exemplar(), value(), any::<i64>()), 0..3);
    (
        model::labels(),
        prop::collection::vec((value(), any::<i64>()), 0..4),
        exemplars,
        prop::collection::vec(histogram(), 0..2),
        (0..8, "[a-zé ]{0,8}", "(|seconds)"),
    )
        .prop_map(
            |(labels, samples, exemplars, histograms, metadata)| Series {
                labels,
                samples,
                exemplars,
                histograms,
                metadata,
            },
        )
}

fn series() -> impl Strategy<Value = Vec<Series>> {
    prop::collection::vec(one_series(), 0..5)
}

fn counts(series: &[Series]) -> Counts {
    let sum = |f: fn(&Series) -> usize| series.iter().map(f).sum::<usize>() as u64;
    Counts {
        series: series.len() as u64,
        samples: sum(|s| s.samples.len() + s.histograms.len()),
        exemplars: sum(|s| s.exemplars.len()),
    }
}

/// What the policy makes of a request, by the model; `None` where it is refused.
fn expected(policy: &Policy, series: &[Series]) -> Option<Vec<Series>> {
    series
        .iter()
        .map(|s| {
            let exemplars = s
                .exemplars
                .iter()
                .map(|(l, v, t)| Some((policy.exemplar(l)?, *v, *t)))
                .collect::<Option<_>>()?;
            Some(Series {
                labels: policy.series(&s.labels)?,
                exemplars,
                ..s.clone()
            })
        })
        .collect()
}

/// The property: decoding what passes gives the model's result, and what needs no change has none.
fn holds(
    policy: &Policy,
    protocol: Protocol,
    series: &[Series],
    encode: fn(&[Series]) -> Vec<u8>,
    decode: fn(&[u8]) -> Vec<Series>,
) -> Result<(), TestCaseError> {
    let bytes = encode(series);
    prop_assert_eq!(&decode(&bytes), series, "the test's own encoding");
    let result = apply(&compile(&policy.json()), protocol, &bytes);
    let Some(expected) = expected(policy, series) else {
        prop_assert_eq!(result.map_err(|e| e.status()), Err(400));
        return Ok(());
    };
    let (found, changed) = result.map_err(|e| TestCaseError::fail(e.to_string()))?;
    prop_assert_eq!(found, counts(series));
    prop_assert_eq!(
        changed.is_some(),
        expected != series,
        "changed without need, or not"
    );
    prop_assert_eq!(decode(&changed.unwrap_or(bytes)), expected);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_passes_of_version_1_is_the_policy_applied(policy in model::policy(), series in series()) {
        holds(&policy, Protocol::WriteV1, &series, v1::encode, v1::decode)?;
    }

    #[test]
    fn what_passes_of_version_2_is_the_policy_applied(policy in model::policy(), series in series()) {
        holds(&policy, Protocol::WriteV2, &series, v2::encode, v2::decode)?;
    }
}
