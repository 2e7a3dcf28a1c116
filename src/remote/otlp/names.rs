//! The label names under which upstreams may store an OTLP attribute.
//!
//! Which one it is depends on their settings (translation strategy, preserved or sanitised
//! underscores), so every one of them counts.

use std::borrow::Cow;

/// The labels that upstreams make of other things than attributes of their name.
const DERIVED: [&str; 9] = [
    "__name__",
    "__type__",
    "__unit__",
    "instance",
    "job",
    "le",
    "otel_scope_name",
    "otel_scope_schema_url",
    "otel_scope_version",
];

/// Whether a label is made of other things than an attribute of its name.
pub(super) fn is_derived(label: &str) -> bool {
    label == "quantile" || DERIVED.contains(&label)
}

/// Whether every upstream stores an attribute of this name as it is.
pub(super) fn is_stable(key: &str) -> bool {
    let plain = key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let first = key.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    plain && first && !key.contains("__")
}

/// Every name under which an attribute may be stored, its own among them.
pub(super) fn stored_as(key: &str) -> Vec<Cow<'_, str>> {
    let mut names = vec![Cow::Borrowed(key)];
    if !is_stable(key) {
        for name in [preserved(key), collapsed(key)] {
            names.extend(prefixed(&name).map(Cow::Owned));
            names.push(Cow::Owned(name));
        }
    }
    names
}

/// Each character other than a letter or a digit becomes an underscore.
fn preserved(key: &str) -> String {
    key.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect()
}

/// As [`preserved`], with runs of underscores made one, but for those around a reserved name.
fn collapsed(key: &str) -> String {
    let inner = key
        .strip_prefix("__")
        .and_then(|k| k.strip_suffix("__"))
        .filter(|_| key.len() >= 4);
    let mut name = String::with_capacity(key.len());
    for c in inner.unwrap_or(key).chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c);
        } else if !name.ends_with('_') {
            name.push('_');
        }
    }
    if inner.is_some() {
        format!("__{name}__")
    } else {
        name
    }
}

/// The name with the prefix that its first character calls for.
fn prefixed(name: &str) -> Option<String> {
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        Some(format!("key_{name}"))
    } else if name.starts_with('_') && !name.starts_with("__") {
        Some(format!("key{name}"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_label_is_that_label() {
        for key in [
            "tenant_id",
            "tenant.id",
            "tenant-id",
            "tenant id",
            "tenant__id",
            "tenant._id",
            "tenant..id",
            "tenant/id",
            "tenantéid",
            "tenant\u{0}id",
        ] {
            assert!(stored_as(key).contains(&"tenant_id".into()), "{key:?}");
        }
        for key in [
            "tenantid",
            "Tenant_id",
            "tenant_id_",
            "_tenant_id",
            "tenant_idx",
        ] {
            assert!(!stored_as(key).contains(&"tenant_id".into()), "{key:?}");
        }
    }

    #[test]
    fn prefixes_and_reserved_names_follow_the_upstream() {
        for (key, name) in [
            ("0day", "key_0day"),
            ("_x", "key_x"),
            (".x", "key_x"),
            (".x", "_x"),
            ("__tenant.id__", "__tenant_id__"),
            ("__a..b__", "__a_b__"),
            ("..a", "_a"),
            ("..a", "__a"),
            ("____", "____"),
        ] {
            assert!(stored_as(key).contains(&name.into()), "{key} {name}");
        }
    }

    #[test]
    fn a_stable_name_has_no_other_spelling() {
        assert!(is_stable("tenant_id"));
        for key in ["", "_a", "a__b", "0a", "a.b", "__a__", "é"] {
            assert!(!is_stable(key), "{key}");
        }
        assert_eq!(stored_as("tenant_id").len(), 1);
    }
}
