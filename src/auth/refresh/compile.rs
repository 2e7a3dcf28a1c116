//! A key server of the configuration, compiled; every problem is collected.

use super::bucket::Bucket;
use super::discovery::{document, is_path};
use super::{Remote, Target};
use crate::config::auth as config;
use crate::config::error::Problems;

impl Remote {
    /// Of the configuration.
    pub(in crate::auth) fn compile(
        doc: &config::Remote,
        issuer: &str,
        unknown: &config::UnknownKid,
        path: &str,
        problems: &mut Problems,
    ) -> Self {
        for (name, text) in [("cluster", &doc.cluster), ("authority", &doc.authority)] {
            if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
                problems.add(
                    format!("{path}.{name}"),
                    "is empty or has other than printable ASCII",
                );
            }
        }
        let first = match (&doc.path, &doc.discovery) {
            (Some(p), None) => p.clone(),
            (None, Some(d)) => d.path.clone().unwrap_or_else(|| document(issuer)),
            (Some(_), Some(_)) | (None, None) => {
                problems.add(path, "needs exactly one of `path` and `discovery`");
                String::new()
            }
        };
        if !first.is_empty() && !is_path(&first) {
            problems.add(
                format!("{path}.path"),
                "must begin with `/` and be printable ASCII",
            );
        }
        if doc.refresh.secs() < 1.0 {
            problems.add(format!("{path}.refresh"), "must be 1s at least");
        }
        if !(0.1..=60.0).contains(&doc.timeout.secs()) {
            problems.add(format!("{path}.timeout"), "must be 100ms to 60s");
        }
        Self {
            issuer: issuer.to_owned(),
            first: Target {
                cluster: doc.cluster.clone(),
                authority: doc.authority.clone(),
                path: first,
            },
            scheme: doc.scheme.unwrap_or(if issuer.starts_with("http://") {
                config::Scheme::Http
            } else {
                config::Scheme::Https
            }),
            discovery: doc.discovery.clone(),
            found: None,
            refresh: doc.refresh.secs().max(1.0),
            timeout: doc.timeout.secs(),
            max_stale: doc.max_stale.secs(),
            keys: None,
            next: 0.0,
            failures: 0,
            flight: None,
            bucket: Bucket::new(
                unknown.interval.secs().max(0.1),
                f64::from(u32::try_from(unknown.burst.get()).unwrap_or(u32::MAX)),
            ),
            seed: 0,
        }
    }
}
