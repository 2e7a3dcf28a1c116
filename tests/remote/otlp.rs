//! OTLP: what the policy makes of a request, by the model, and by the filter.

mod generate;
pub(crate) mod message;

use super::model::{Policy, Ruling};
use super::{TENANT, compile};
use message::{Any, AnyValue, Data, KeyValue, Metric, Request, ResourceMetrics};
use promfence::remote::{Body, Counts, Protocol};
use promfence::scope::{Enforced, Scope};
use promfence::tenant::{LabelName, TenantId};
use proptest::prelude::*;
use prost::Message;

/// The label that a key of these tests is stored as, under one or another strategy of translation.
fn stored(key: &str) -> &str {
    match key {
        "tenant.id" | "tenant-id" | "tenant__id" => "tenant_id",
        "user.id" => "user_id",
        other => other,
    }
}

/// The text of a value, where it is one text, number or truth value.
fn text(pair: &KeyValue) -> Option<String> {
    match pair.value.as_ref().and_then(|v| v.value.as_ref()) {
        None => Some(String::new()),
        Some(Any::Text(text)) => Some(text.clone()),
        Some(Any::Bool(value)) => Some(value.to_string()),
        Some(Any::Int(value)) => Some(value.to_string()),
        Some(Any::Double(_) | Any::Array(_) | Any::Bytes(_)) => None,
    }
}

fn pair(key: &str, value: &str) -> KeyValue {
    let value = Some(Any::Text(value.to_owned()));
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value }),
    }
}

/// Applies the rules to attributes; `None` where they refuse one.
fn govern(policy: &Policy, list: &mut Vec<KeyValue>) -> Option<()> {
    let mut out = Vec::new();
    for attribute in list.drain(..) {
        match policy.ruling(stored(&attribute.key), text(&attribute).as_deref()) {
            Ruling::Keep => out.push(attribute),
            Ruling::Drop => {}
            Ruling::Refuse => return None,
            Ruling::Value(new) => out.push(pair(&attribute.key, &new)),
        }
    }
    *list = out;
    Some(())
}

/// Applies the whole policy to attributes that are there. The result says whether the tenant's
/// label is among them, under its own name and with the tenant as its value.
fn apply(policy: &Policy, list: &mut Vec<KeyValue>) -> Option<bool> {
    govern(policy, list)?;
    let is_label = |a: &KeyValue| stored(&a.key) == "tenant_id";
    let is_right = |a: &KeyValue| a.key == "tenant_id" && text(a).as_deref() == Some(TENANT);
    let mut labels = list.iter().filter(|a| is_label(a));
    match policy.series_label {
        None => Some(false),
        Some("reject") => labels.next().is_none().then_some(false),
        Some("drop") => {
            list.retain(|a| !is_label(a));
            Some(false)
        }
        Some("verify") => match (labels.next(), labels.next()) {
            (None, _) => Some(false),
            (Some(one), None) if text(one).as_deref() == Some(TENANT) => Some(is_right(one)),
            (Some(_), _) => None,
        },
        Some(_) => {
            let mut right = false;
            list.retain(|a| !is_label(a) || is_right(a) && !std::mem::replace(&mut right, true));
            Some(right)
        }
    }
}

/// Demands or adds the tenant's label where it is not right.
fn settle(policy: &Policy, list: &mut Vec<KeyValue>, right: bool) -> Option<()> {
    match policy.series_label {
        Some("verify") if !right && !policy.absent => return None,
        Some("overwrite") if !right => list.push(pair("tenant_id", TENANT)),
        Some(_) | None => {}
    }
    Some(())
}

/// Whether one of these attributes is there and has a value.
fn has(list: &[KeyValue], keys: &[&str]) -> bool {
    let mut found = list.iter().filter(|a| keys.contains(&a.key.as_str()));
    found.any(|a| text(a).is_none_or(|t| !t.is_empty()))
}

/// Applies the policy to the attributes of a resource. The result says whether they give a `job`.
fn resource(policy: &Policy, list: &mut Vec<KeyValue>) -> Option<bool> {
    let right = apply(policy, list)?;
    // Its attributes become `target_info`, if there is one besides its identity.
    let identity = ["service.name", "service.namespace", "service.instance.id"];
    if list.iter().any(|a| !identity.contains(&a.key.as_str())) {
        settle(policy, list, right)?;
    }
    Some(has(list, &["service.name", "service.namespace"]))
}

/// Applies the policy to a data point.
fn point(policy: &Policy, list: &mut Vec<KeyValue>, job: bool) -> Option<()> {
    let right = apply(policy, list)?;
    settle(policy, list, right)?;
    (!policy.required || job || has(list, &["job"])).then_some(())
}

fn metric(policy: &Policy, metric: &mut Metric, job: bool) -> Option<()> {
    macro_rules! exemplars {
        ($p:expr) => {
            for e in &mut $p.exemplars {
                govern(policy, &mut e.filtered_attributes)?;
            }
        };
    }
    macro_rules! points {
        ($data:expr, $p:ident, $more:block) => {
            for $p in &mut $data.data_points {
                $more;
                point(policy, &mut $p.attributes, job)?;
            }
        };
    }
    match &mut metric.data {
        Some(Data::Gauge(data)) => points!(data, p, { exemplars!(p) }),
        Some(Data::Sum(data)) => points!(data, p, { exemplars!(p) }),
        Some(Data::Histogram(data)) => points!(data, p, { exemplars!(p) }),
        Some(Data::Exponential(data)) => points!(data, p, { exemplars!(p) }),
        Some(Data::Summary(data)) => points!(data, p, {}),
        None => {}
    }
    Some(())
}

/// What the policy makes of a request; `None` where it is refused.
fn expected(policy: &Policy, request: &Request) -> Option<Request> {
    let mut new = request.clone();
    for ResourceMetrics {
        resource: from,
        scope_metrics,
        ..
    } in &mut new.resource_metrics
    {
        let job = match from {
            Some(from) => resource(policy, &mut from.attributes)?,
            None => false,
        };
        for scoped in scope_metrics {
            if let Some(scope) = &mut scoped.scope {
                apply(policy, &mut scope.attributes)?;
            }
            for m in &mut scoped.metrics {
                metric(policy, m, job)?;
            }
        }
    }
    Some(new)
}

/// The series that a request becomes, its data points and its exemplars.
fn counts(request: &Request) -> Counts {
    let mut counts = Counts::default();
    let mut add = |series: usize, exemplars: usize| {
        counts.series += series as u64;
        counts.samples += 1;
        counts.exemplars += exemplars as u64;
    };
    let scopes = request
        .resource_metrics
        .iter()
        .flat_map(|r| &r.scope_metrics);
    for data in scopes
        .flat_map(|s| &s.metrics)
        .filter_map(|m| m.data.as_ref())
    {
        match data {
            Data::Gauge(d) => d.data_points.iter().for_each(|p| add(1, p.exemplars.len())),
            Data::Sum(d) => d.data_points.iter().for_each(|p| add(1, p.exemplars.len())),
            // One for each bucket, of which `+Inf` is always one, the sum and the count.
            Data::Histogram(d) => d.data_points.iter().for_each(|p| {
                add(p.bucket_counts.len().max(1) + 2, p.exemplars.len());
            }),
            Data::Exponential(d) => d.data_points.iter().for_each(|p| add(1, p.exemplars.len())),
            Data::Summary(d) => {
                d.data_points
                    .iter()
                    .for_each(|p| add(p.quantile_values.len() + 2, 0));
            }
        }
    }
    counts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_passes_of_otlp_is_the_policy_applied(policy in super::model::policy(), request in generate::request()) {
        let bytes = request.encode_to_vec();
        let label = LabelName::parse("tenant_id").expect("a label name");
        let scope = Scope::new(vec![Enforced::values(label, [TENANT]).expect("a tenant")]);
        let tenant = TenantId::parse(TENANT).expect("a tenant");
        let result = compile(&policy.json()).apply(Protocol::Otlp, &bytes, &scope, &tenant);
        let Some(expected) = expected(&policy, &request) else {
            prop_assert_eq!(result.map_err(|e| e.status()), Err(400));
            return Ok(());
        };
        let outcome = result.map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(outcome.counts, counts(&request));
        match outcome.body {
            Body::Unchanged => prop_assert_eq!(request, expected),
            Body::Changed(new) => {
                prop_assert_ne!(&request, &expected, "changed without need");
                prop_assert_eq!(Request::decode(new.as_slice()).expect("a request"), expected);
            }
        }
    }
}
