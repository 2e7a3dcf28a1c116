//! A configuration of the filter, found in a file: its text, its environment, what it says of its
//! surroundings.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::Value;

use super::environment::Environment;
use super::finding::{Findings, Severity};
use super::node::Node;
use super::source::Segment;
use crate::config::Document;
use crate::config::error::Problems;
use crate::exchange::Worker;

/// A configuration of the filter.
pub(super) struct Plugin<'a> {
    /// The configuration as a value.
    pub(super) config: Node<'a>,
    /// Its own text, where it stands as JSON in a string.
    text: Option<&'a str>,
    environment: Environment,
}

/// The value of a seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seal {
    /// There is none.
    None,
    /// It comes from a variable that is not known here.
    Unknown,
    /// This one.
    Value(String),
}

/// An upstream as its surroundings see it.
pub(super) struct Upstream<'a> {
    /// Its options.
    pub(super) options: Node<'a>,
    pub(super) kind: &'a str,
    pub(super) cluster: Option<&'a str>,
    pub(super) hosts: Vec<&'a str>,
    pub(super) seal: Seal,
    /// The header of the seal, if there is one.
    pub(super) header: Option<&'a str>,
    /// Its name in findings: `upstreams[0].thanos`.
    pub(super) name: String,
}

impl Upstream<'_> {
    /// Whether it answers under a domain of a virtual host.
    pub(super) fn answers(&self, domain: &str) -> bool {
        let host = domain.split(':').next().unwrap_or(domain);
        host == "*"
            || self
                .hosts
                .iter()
                .any(|h| *h == "*" || h.eq_ignore_ascii_case(host))
    }
}

impl<'a> Plugin<'a> {
    pub(super) fn new(config: Node<'a>, text: Option<&'a str>, environment: Environment) -> Self {
        Self {
            config,
            text,
            environment,
        }
    }

    /// The configuration as the filter gets it, and the variables that it may name.
    pub(super) fn into_parts(self) -> (Vec<u8>, Environment) {
        (self.bytes(), self.environment)
    }

    fn bytes(&self) -> Vec<u8> {
        match self.text {
            Some(text) => text.as_bytes().to_vec(),
            None => self.config.value.to_string().into_bytes(),
        }
    }

    /// Compiles the configuration as the filter does, and reports all problems.
    pub(super) fn compile(&self, findings: &mut Findings) {
        let bytes = self.bytes();
        let assumed = RefCell::new(BTreeSet::new());
        let missing = RefCell::new(BTreeSet::new());
        let env = |name: &str| {
            if self.environment.find(name).is_none() {
                let names = if self.environment.may_have(name) {
                    &assumed
                } else {
                    &missing
                };
                names.borrow_mut().insert(name.to_owned());
            }
            Some(self.environment.resolve(name))
        };
        let compiled =
            Document::from_json(&bytes).and_then(|doc| Worker::new(&doc, &env, 0).map(|_| ()));
        if let Err(problems) = compiled {
            self.report(&problems, findings);
        }
        for name in missing.take() {
            self.find(
                findings,
                Severity::Error,
                &self.config,
                format!("the environment variable `{name}` is not given to the VM: list it in `environment_variables` (WasmPlugin: `vmConfig.env`)"),
            );
        }
        let assumed: Vec<String> = assumed.take().into_iter().collect();
        if !assumed.is_empty() {
            let names = assumed.join("`, `");
            self.find(
                findings,
                Severity::Note,
                &self.config,
                format!("assumed to be set where the proxy runs: `{names}` (`--env NAME=VALUE` gives a value)"),
            );
        }
        self.seals(findings);
    }

    fn report(&self, problems: &Problems, findings: &mut Findings) {
        for problem in problems.iter() {
            if self.stands_for_keys(&problem.path) {
                continue;
            }
            let node = self.config.follow(&problem.path);
            // The parser counts in the text that the filter gets, which is not the file.
            let reason = problem.reason.split(" at line ").next().unwrap_or_default();
            findings.at(Severity::Error, &node, problem.path.clone(), reason);
        }
    }

    /// Whether a problem is with the placeholder of a key set, which is not known here.
    fn stands_for_keys(&self, path: &str) -> bool {
        let Some((issuer, _)) = path.split_once(".keys") else {
            return false;
        };
        let name = self.config.follow(&format!("{issuer}.keys.inline.env"));
        name.value
            .as_str()
            .is_some_and(|name| self.environment.find(name).is_none())
    }

    fn seals(&self, findings: &mut Findings) {
        if self.config.get("seal").is_none() {
            findings.at(
                Severity::Warning,
                &self.config,
                "seal",
                "is missing: where the filter is missing, the routes to its upstreams are open to all",
            );
        }
    }

    /// The upstreams, as far as they can be made out.
    pub(super) fn upstreams(&self) -> Vec<Upstream<'a>> {
        let header = self.config.text_at(&["seal", "header"]);
        self.config
            .list("upstreams")
            .iter()
            .enumerate()
            .filter_map(|(i, entry)| {
                let (kind, options) = entry.fields().into_iter().next()?;
                let seal = match options.get("seal") {
                    None => Seal::None,
                    Some(seal) => match (seal.value.as_str(), seal.text("env")) {
                        (Some(text), _) => Seal::Value(text.to_owned()),
                        (None, Some(name)) => match self.environment.find(name) {
                            Some(value) => Seal::Value(value.to_owned()),
                            None => Seal::Unknown,
                        },
                        (None, None) => Seal::Unknown,
                    },
                };
                Some(Upstream {
                    kind,
                    cluster: options.text("cluster"),
                    hosts: options.texts("hosts"),
                    seal,
                    header,
                    name: format!("upstreams[{i}].{kind}"),
                    options,
                })
            })
            .collect()
    }

    /// The clusters that keys are fetched from, each with the place that names it.
    pub(super) fn key_clusters(&self) -> Vec<(Node<'a>, &'a str)> {
        let mut clusters = Vec::new();
        for issuer in self
            .config
            .at(&["auth", "issuers"])
            .map(|n| n.elements())
            .unwrap_or_default()
        {
            let Some(remote) = issuer.at(&["keys", "remote"]) else {
                continue;
            };
            let hosts = remote
                .at(&["discovery", "hosts"])
                .map(|n| n.fields())
                .unwrap_or_default();
            let named = remote
                .get("cluster")
                .into_iter()
                .chain(hosts.into_iter().map(|(_, n)| n));
            clusters.extend(named.filter_map(|n| n.value.as_str().map(|name| (n.clone(), name))));
        }
        clusters
    }

    /// The issuers whose tokens an earlier filter verifies.
    pub(super) fn verified_elsewhere(&self) -> Option<Node<'a>> {
        let issuers = self.config.at(&["auth", "issuers"])?.elements();
        issuers.iter().find_map(|issuer| issuer.get("verified_by"))
    }

    /// The rules for client certificates, if there are any.
    pub(super) fn certificates(&self) -> Option<Node<'a>> {
        let rules = self.config.at(&["auth", "mtls"])?;
        (!rules.elements().is_empty()).then_some(rules)
    }

    /// A finding about a part of the configuration; its path is that within the configuration.
    pub(super) fn find(
        &self,
        findings: &mut Findings,
        severity: Severity,
        node: &Node<'_>,
        reason: impl Into<String>,
    ) {
        let inner = node.path.get(self.config.path.len()..).unwrap_or_default();
        let way = Node {
            path: inner.to_vec(),
            ..node.clone()
        }
        .way();
        findings.at(severity, node, way, reason);
    }
}

/// Whether a value is meant as a configuration of the filter.
pub(super) fn is_config(value: &Value) -> bool {
    value.get("upstreams").is_some() || value.get("tenancy").is_some()
}

/// The key under which the value of a JSON text is kept beside it.
pub(super) const PARSED: &str = "(parsed)";

/// Puts the values of JSON texts beside them, wherever a `StringValue` stands.
pub(super) fn parse_texts(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(parse_texts),
        Value::Object(map) => {
            map.values_mut().for_each(parse_texts);
            let is_string = map
                .get("@type")
                .and_then(Value::as_str)
                .is_some_and(|t| t.ends_with("/google.protobuf.StringValue"));
            let parsed = map
                .get("value")
                .and_then(Value::as_str)
                .filter(|_| is_string)
                .map(|text| serde_json::from_str(text).unwrap_or(Value::Null));
            if let Some(parsed) = parsed {
                map.insert(PARSED.to_owned(), parsed);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The configuration in the `configuration` of a plugin: a `Struct`, or a JSON text.
pub(super) fn from_any<'a>(any: &Node<'a>) -> Option<(Node<'a>, Option<&'a str>)> {
    let value = any.get("value")?;
    match value.value.as_str() {
        None => Some((value, None)),
        Some(text) => {
            let map = any.value.as_object()?;
            let (key, parsed) = map.get_key_value(PARSED)?;
            let mut path = any.path.clone();
            path.push(Segment::Key(key.clone()));
            Some((
                Node {
                    path,
                    value: parsed,
                    ..any.clone()
                },
                Some(text),
            ))
        }
    }
}
