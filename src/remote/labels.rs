//! Rules for labels other than the enforced ones: drop, refuse, hash, rewrite.

use regex::{Regex, RegexBuilder};

use crate::config::error::Problems;
use crate::config::write::{LabelAction, LabelRule};
use crate::tenant::{TenantId, TenantPattern};

/// A compiled rule.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    names: Names,
    action: Action,
    tenants: Vec<TenantPattern>,
}

#[derive(Clone, Debug)]
enum Names {
    One(String),
    Fit(Regex),
}

#[derive(Clone)]
enum Action {
    Drop,
    Refuse,
    Hash { key: Vec<u8>, digits: usize },
    Rewrite { regex: Regex, replacement: String },
}

impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Drop => "Drop",
            Self::Refuse => "Refuse",
            Self::Hash { .. } => "Hash",
            Self::Rewrite { .. } => "Rewrite",
        })
    }
}

/// What becomes of a governed label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    Keep,
    Drop,
    Refuse,
    Value(String),
}

/// The longest value that a replacement may give, in bytes.
const MAX_VALUE: usize = 64 * 1024;

impl Rule {
    /// Compiles a rule. Regular expressions are bounded in size.
    pub(super) fn compile(
        config: &LabelRule,
        env: &dyn Fn(&str) -> Option<String>,
        path: &str,
        problems: &mut Problems,
    ) -> Option<Self> {
        let names = match (&config.name, &config.pattern) {
            (Some(name), None) if name == "__name__" || name.is_empty() => {
                problems.add(format!("{path}.name"), "the metric's name is not governed");
                return None;
            }
            (Some(name), None) => Names::One(name.clone()),
            (None, Some(pattern)) => {
                Names::Fit(problems.take(&format!("{path}.pattern"), anchored(pattern))?)
            }
            (Some(_), Some(_)) | (None, None) => {
                problems.add(path, "give either `name` or `pattern`");
                return None;
            }
        };
        Some(Self {
            names,
            action: Action::compile(&config.action, env, &format!("{path}.action"), problems)?,
            tenants: config.tenants.clone(),
        })
    }

    /// Whether the rule is for a tenant.
    pub(super) fn is_for(&self, tenant: &TenantId) -> bool {
        self.tenants.is_empty() || self.tenants.iter().any(|p| p.matches(tenant.as_str()))
    }

    /// Whether the rule is for a label. The metric's name is never governed.
    pub(super) fn fits(&self, name: &str) -> bool {
        match &self.names {
            Names::One(one) => one == name,
            Names::Fit(regex) => name != "__name__" && regex.is_match(name),
        }
    }

    /// Whether the rule looks at the value.
    pub(super) fn needs_value(&self) -> bool {
        match self.action {
            Action::Drop | Action::Refuse => false,
            Action::Hash { .. } | Action::Rewrite { .. } => true,
        }
    }

    /// What becomes of a label with this value.
    pub(super) fn rule(&self, value: &str) -> Ruling {
        match &self.action {
            Action::Drop => Ruling::Drop,
            Action::Refuse => Ruling::Refuse,
            // The empty value means that the label is not there.
            Action::Hash { .. } if value.is_empty() => Ruling::Keep,
            Action::Hash { key, digits } => Ruling::Value(hash(value, key, *digits)),
            Action::Rewrite { regex, replacement } => {
                let Some(captures) = regex.captures(value) else {
                    return Ruling::Keep;
                };
                let copies = replacement.matches('$').count();
                if copies.saturating_mul(value.len()) > MAX_VALUE.saturating_mul(4) {
                    return Ruling::Refuse;
                }
                let mut new = String::new();
                captures.expand(replacement, &mut new);
                if new.len() > MAX_VALUE {
                    Ruling::Refuse
                } else if new.is_empty() {
                    Ruling::Drop
                } else if new == value {
                    Ruling::Keep
                } else {
                    Ruling::Value(new)
                }
            }
        }
    }
}

impl Action {
    fn compile(
        config: &LabelAction,
        env: &dyn Fn(&str) -> Option<String>,
        path: &str,
        problems: &mut Problems,
    ) -> Option<Self> {
        Some(match config {
            LabelAction::Drop => Self::Drop,
            LabelAction::Refuse => Self::Refuse,
            LabelAction::Hash(hash) => {
                let key = problems.take(&format!("{path}.hash.key"), hash.key.resolve(env))?;
                if key.len() < 16 {
                    problems.add(format!("{path}.hash.key"), "shorter than 16 bytes");
                    return None;
                }
                let digits = hash.length.get();
                if !(8..=64).contains(&digits) {
                    problems.add(format!("{path}.hash.length"), "not within 8 to 64");
                    return None;
                }
                Self::Hash {
                    key: key.into_bytes(),
                    digits,
                }
            }
            LabelAction::Rewrite(rewrite) => {
                let path = format!("{path}.rewrite");
                if rewrite.replacement.len() > 1024 {
                    problems.add(format!("{path}.replacement"), "longer than 1024 bytes");
                    return None;
                }
                Self::Rewrite {
                    regex: problems.take(&format!("{path}.regex"), anchored(&rewrite.regex))?,
                    replacement: rewrite.replacement.clone(),
                }
            }
        })
    }
}

/// Compiles a regular expression that must fit the whole text.
fn anchored(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > 1024 {
        return Err("the regular expression is longer than 1024 bytes".into());
    }
    // Alone first: a `)` must not end the group around it.
    for text in [pattern.to_owned(), format!("^(?:{pattern})$")] {
        match RegexBuilder::new(&text)
            .size_limit(256 * 1024)
            .dfa_size_limit(256 * 1024)
            .nest_limit(32)
            .build()
        {
            Ok(_) if text == pattern => {}
            Ok(regex) => return Ok(regex),
            Err(_) => break,
        }
    }
    Err("not a regular expression, or too large a one".into())
}

/// The first digits of HMAC-SHA-256 in lower-case hex.
fn hash(value: &str, key: &[u8], digits: usize) -> String {
    let mac = hmac_sha256::HMAC::mac(value.as_bytes(), key);
    mac.iter()
        .flat_map(|b| [b >> 4, b & 15])
        .filter_map(|d| char::from_digit(u32::from(d), 16))
        .take(digits)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(json: &str) -> Result<Rule, String> {
        let config: LabelRule = serde_json::from_str(json).unwrap();
        let mut problems = Problems::default();
        Rule::compile(&config, &|_| None, "labels[0]", &mut problems)
            .ok_or_else(|| problems.to_string())
    }

    #[test]
    fn a_value_becomes_the_start_of_its_keyed_hash() {
        let r = rule(r#"{"name":"user","action":{"hash":{"key":"0123456789abcdef","length":16}}}"#)
            .unwrap();
        let mac = hmac_sha256::HMAC::mac(b"alice", b"0123456789abcdef");
        let hex: String = mac.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            r.rule("alice"),
            Ruling::Value(hex.get(..16).unwrap().to_owned())
        );
        assert_eq!(r.rule(""), Ruling::Keep);
    }

    #[test]
    fn only_whole_values_are_rewritten() {
        let r = rule(
            r#"{"pattern":"pa|th","action":{"rewrite":{"regex":"/users/[^/]+(/.*)?","replacement":"/users/ID$1"}}}"#,
        )
        .unwrap();
        assert!(r.fits("pa") && r.fits("th") && !r.fits("path") && !r.fits("pathx"));
        assert_eq!(
            r.rule("/users/7/cart"),
            Ruling::Value("/users/ID/cart".into())
        );
        assert_eq!(r.rule("/users/ID"), Ruling::Keep);
        assert_eq!(r.rule("x/users/7"), Ruling::Keep);
    }

    #[test]
    fn an_empty_result_removes_the_label() {
        let r = rule(r#"{"name":"a","action":{"rewrite":{"regex":"x","replacement":""}}}"#);
        assert_eq!(r.unwrap().rule("x"), Ruling::Drop);
    }

    #[test]
    fn rules_that_cannot_work_are_named() {
        for (json, expected) in [
            (r#"{"action":"drop"}"#, "labels[0]: give either"),
            (
                r#"{"name":"a","pattern":"b","action":"drop"}"#,
                "labels[0]: give either",
            ),
            (r#"{"name":"__name__","action":"drop"}"#, "labels[0].name"),
            (
                r#"{"pattern":"a)|(b","action":"drop"}"#,
                "labels[0].pattern",
            ),
            (
                r#"{"pattern":"(\\w{1000}){1000}","action":"drop"}"#,
                "labels[0].pattern",
            ),
            (
                r#"{"name":"a","action":{"hash":{"key":"tiny"}}}"#,
                "labels[0].action.hash.key",
            ),
            (
                r#"{"name":"a","action":{"hash":{"key":"0123456789abcdef","length":4}}}"#,
                "labels[0].action.hash.length",
            ),
        ] {
            let error = rule(json).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
            assert!(!error.contains("tiny"));
        }
    }
}
