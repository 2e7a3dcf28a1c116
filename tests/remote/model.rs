//! What a policy means, said once more and simply: on lists of labels.

use hmac_sha256::HMAC;
use proptest::prelude::*;

/// Labels in order.
pub(crate) type Labels = Vec<(String, String)>;

/// A policy that the tests vary.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) series_label: Option<&'static str>,
    pub(crate) absent: bool,
    rules: Vec<Rule>,
    pub(crate) required: bool,
}

/// What becomes of a label by the rules.
pub(crate) enum Ruling {
    Keep,
    Drop,
    Refuse,
    Value(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    DropEmail,
    HashUsers,
    RewritePath,
    RefuseSecret,
}

const KEY: &str = "0123456789abcdef";

pub(crate) fn policy() -> impl Strategy<Value = Policy> {
    let kinds = vec![
        None,
        Some("verify"),
        Some("overwrite"),
        Some("drop"),
        Some("reject"),
    ];
    let rules = vec![
        Rule::DropEmail,
        Rule::HashUsers,
        Rule::RewritePath,
        Rule::RefuseSecret,
    ];
    (
        prop::sample::select(kinds),
        any::<bool>(),
        prop::sample::subsequence(rules, 0..=4),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(series_label, absent, rules, required)| Policy {
            series_label,
            absent,
            rules,
            required,
        })
}

/// The labels of a series: sorted, each name once, the names that policies are about among them.
pub(crate) fn labels() -> impl Strategy<Value = Labels> {
    let value = prop_oneof![
        4 => "[a-z]{1,3}",
        2 => prop::sample::select(vec!["team-a", "team-b", "/users/7", "/users/7/cart", "/users/ID", "/gone"]).prop_map(str::to_owned),
        1 => "\\PC{0,40}",
    ];
    let tenant = prop::option::weighted(
        0.6,
        prop::sample::select(vec!["team-a", "team-a", "team-a", "team-b", ""])
            .prop_map(str::to_owned),
    );
    let names = vec![
        "email",
        "job",
        "path",
        "secret",
        "user_id",
        "user_name",
        "zone",
        "größe",
        "__a",
    ];
    (
        prop::sample::subsequence(names, 0..=5),
        prop::collection::vec(value, 5),
        tenant,
        "[a-z_]{1,5}",
    )
        .prop_map(|(names, values, tenant, metric)| {
            let mut labels: Labels = names.into_iter().map(str::to_owned).zip(values).collect();
            labels.push(("__name__".to_owned(), metric));
            labels.extend(tenant.map(|t| ("tenant_id".to_owned(), t)));
            labels.sort();
            labels
        })
}

/// The labels of an exemplar.
pub(crate) fn exemplar() -> impl Strategy<Value = Labels> {
    let name = prop::sample::select(vec!["trace_id", "user_id", "email", "tenant_id", "path"]);
    prop::collection::btree_map(name, "(/users/7|[a-f0-9]{1,8})", 0..3)
        .prop_map(|m| m.into_iter().map(|(n, v)| (n.to_owned(), v)).collect())
}

impl Policy {
    /// As an operator writes it.
    pub(crate) fn json(&self) -> String {
        let rule = |rule: &Rule| match rule {
            Rule::DropEmail => serde_json::json!({"name": "email", "action": "drop"}),
            Rule::HashUsers => serde_json::json!(
                {"pattern": "user_.*", "action": {"hash": {"key": KEY, "length": 12}}, "tenants": ["team-*"]}
            ),
            Rule::RewritePath => serde_json::json!({"name": "path", "action": {"rewrite":
                {"regex": "/users/[^/]+(/.*)?|/gone", "replacement": "$1"}}}),
            Rule::RefuseSecret => serde_json::json!({"pattern": "sec(ret)", "action": "refuse"}),
        };
        serde_json::json!({
            "series_label": self.series_label,
            "absent": if self.absent { "allow" } else { "refuse" },
            "labels": self.rules.iter().map(rule).collect::<Vec<_>>(),
            "required": if self.required { vec!["job"] } else { vec![] },
        })
        .to_string()
    }

    /// What becomes of a series' labels; `None` where it is refused.
    pub(crate) fn series(&self, labels: &Labels) -> Option<Labels> {
        let mut out = self.govern(labels)?;
        let own = |l: &(String, String)| l.0 == "tenant_id";
        match self.series_label {
            None => {}
            Some("reject") if labels.iter().any(own) => return None,
            Some("reject") => {}
            Some("drop") => out.retain(|l| !own(l)),
            Some("verify") => match labels.iter().find(|l| own(l)) {
                Some((_, value)) if value == super::TENANT => {}
                Some(_) => return None,
                None if self.absent => {}
                None => return None,
            },
            Some("overwrite") => {
                out.retain(|l| !own(l));
                let at = out
                    .iter()
                    .take_while(|l| l.0.as_str() < "tenant_id")
                    .count();
                out.insert(at, ("tenant_id".to_owned(), super::TENANT.to_owned()));
            }
            Some(other) => panic!("no such policy: {other}"),
        }
        let has_job = out.iter().any(|(n, v)| n == "job" && !v.is_empty());
        (!self.required || has_job).then_some(out)
    }

    /// What becomes of an exemplar's labels: only rules apply.
    pub(crate) fn exemplar(&self, labels: &Labels) -> Option<Labels> {
        self.govern(labels)
    }

    fn govern(&self, labels: &Labels) -> Option<Labels> {
        let mut out = Labels::new();
        for (name, value) in labels {
            match self.ruling(name, Some(value)) {
                Ruling::Keep => out.push((name.clone(), value.clone())),
                Ruling::Drop => {}
                Ruling::Refuse => return None,
                Ruling::Value(new) => out.push((name.clone(), new)),
            }
        }
        Some(out)
    }

    /// What becomes of a label by its name and its value, if that is text.
    pub(crate) fn ruling(&self, name: &str, value: Option<&str>) -> Ruling {
        let rule = self.rules.iter().find(|r| match r {
            Rule::DropEmail => name == "email",
            Rule::HashUsers => name.starts_with("user_"),
            Rule::RewritePath => name == "path",
            Rule::RefuseSecret => name == "secret",
        });
        match (rule, value) {
            (None, _) => Ruling::Keep,
            (Some(Rule::DropEmail), _) => Ruling::Drop,
            (Some(Rule::RefuseSecret), _) | (Some(_), None) => Ruling::Refuse,
            (Some(Rule::HashUsers), Some("")) => Ruling::Keep,
            (Some(Rule::HashUsers), Some(value)) => {
                let mac = HMAC::mac(value.as_bytes(), KEY.as_bytes());
                let hex: String = mac.iter().map(|b| format!("{b:02x}")).collect();
                Ruling::Value(hex[..12].to_owned())
            }
            (Some(Rule::RewritePath), Some(value)) => match rewritten(value) {
                Some("") => Ruling::Drop,
                Some(new) => Ruling::Value(new.to_owned()),
                None => Ruling::Keep,
            },
        }
    }
}

/// The rest of a path below a user; `None` for other values.
fn rewritten(value: &str) -> Option<&str> {
    if value == "/gone" {
        return Some("");
    }
    let rest = value.strip_prefix("/users/")?;
    let end = rest.find('/').unwrap_or(rest.len());
    // The dot of the expression does not fit a line's end.
    (end > 0 && !rest[end..].contains('\n')).then(|| &rest[end..])
}
