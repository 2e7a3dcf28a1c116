//! Filters never panic, and what they let through they let through again, unchanged.
use std::collections::BTreeSet;

use promfence::respond::{self, AnswerError, Blocks, RuleOptions, SeriesIn};
use promfence::scope::{Enforced, Scope};
use promfence::tenant::LabelName;

fn stable(body: &[u8], filter: impl Fn(Blocks) -> Result<Blocks, AnswerError>) {
    let whole = |body: &[u8]| filter(body.to_vec().into()).map(Blocks::join).ok();
    let once = whole(body);
    for size in [1, 2, 7, 64] {
        let blocks = body.chunks(size).map(<[u8]>::to_vec).collect();
        let cut = filter(blocks).map(Blocks::join).ok();
        assert_eq!(cut, once, "in blocks of {size}");
    }
    if let Some(once) = once {
        assert!(once.len() <= body.len());
        assert_eq!(whole(&once).as_ref(), Some(&once));
    }
}

/// One run.
pub fn fuzz(body: &[u8]) {
    let label = LabelName::parse("tenant_id").unwrap();
    let scope = Scope::new(vec![Enforced::values(label, ["tenant-a"]).unwrap()]);
    for (active_alerts, unlabelled) in [(false, false), (true, false), (false, true), (true, true)]
    {
        let options = RuleOptions {
            active_alerts,
            unlabelled,
        };
        stable(body, |b| respond::rules(b, &scope, options));
    }
    stable(body, |b| respond::alerts(b, &scope));
    stable(body, |b| respond::targets(b, &scope));
    stable(body, |b| respond::exemplars(b, &scope));
    stable(body, |b| respond::silences(b, &scope));
    stable(body, |b| respond::am_alerts(b, &scope));
    stable(body, |b| respond::am_groups(b, &scope));
    stable(body, |b| {
        respond::metadata(b, &BTreeSet::from(["up".to_string()]))
    });
    let _ = respond::silence_in_scope(body, &scope);
    for series in [SeriesIn::Series, SeriesIn::Query, SeriesIn::Federate] {
        stable(body, |b| respond::verify(b, series, &scope, false));
        stable(body, |b| respond::verify(b, series, &scope, true));
    }
    for status in [200, 400, 503] {
        for form in [
            respond::ErrorForm::Prometheus,
            respond::ErrorForm::Alertmanager,
        ] {
            let _ = respond::reword_error(status, body, form);
        }
    }
}
