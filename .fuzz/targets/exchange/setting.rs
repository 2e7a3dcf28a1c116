//! A generated configuration, and what it says in plain words.

use promfence::config::Document;
use promfence::exchange::Worker;
use serde_json::{Value, json};

use super::super::choices::Choices;
use super::caller;

/// The label that carries the tenant.
pub const LABEL: &str = "tenant_id";
/// The header and value of the seal.
pub const SEAL: (&str, &str) = ("x-promfence-seal", "seal-0123456789-0123456789");
/// The most bytes that all streams hold.
pub const MEMORY: usize = 1 << 20;
/// The bytes of the query cache.
pub const CACHE: usize = 1 << 16;

/// What the policy says, apart from the program's reading of it.
#[derive(Debug)]
pub struct Setting {
    /// The kind of the upstream behind `metrics.example`.
    pub kind: &'static str,
    /// The path under which it is served.
    pub prefix: &'static str,
    /// The header that tells it the tenant.
    pub header: &'static str,
    /// Tenants under the ceiling, or all without end.
    pub ceiling: Ceiling,
    /// Whether `infra` is everybody's.
    pub shared: bool,
    /// Whether only `team-*` and `infra` exist.
    pub valid: bool,
    /// A matcher for everybody.
    pub fixed: Option<(&'static str, &'static str)>,
    /// What becomes of the label in written bodies.
    pub series_label: Option<&'static str>,
    /// Which answers are cut down besides those that always are.
    pub verifies: bool,
    /// Metadata is cut down by a look-up.
    pub names: bool,
    /// Targets are cut down.
    pub targets: bool,
    /// Rules without the label are shown, or those with active alerts.
    pub wide_rules: bool,
    document: Value,
}

/// What may pass at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ceiling {
    /// Nothing is said.
    None,
    /// Without end, and that on purpose.
    Unlimited,
    /// `team-*`.
    Teams,
}

impl Ceiling {
    /// Whether a tenant is under it.
    pub fn admits(self, tenant: &str) -> bool {
        self != Self::Teams || tenant.starts_with("team-")
    }
}

impl Setting {
    /// Chooses one.
    pub fn choose(c: &mut Choices<'_>) -> Self {
        let kind = c.one_of(&["prometheus", "thanos", "receive", "ruler", "alertmanager"]);
        let prefix = c.one_of(&["", "/under"]);
        let header = c.one_of(&["thanos-tenant", "x-reads-of"]);
        let mut setting = Self {
            kind,
            prefix,
            header,
            ceiling: c.one_of(&[Ceiling::None, Ceiling::Unlimited, Ceiling::Teams]),
            shared: c.once_in(3),
            valid: c.once_in(3),
            fixed: None,
            series_label: None,
            verifies: false,
            names: false,
            targets: false,
            wide_rules: false,
            document: Value::Null,
        };
        let options = setting.options(c);
        setting.document = setting.document(c, options);
        setting
    }

    /// The worker that this configuration makes, if it is a good one.
    pub fn worker(&self) -> Option<Worker> {
        let text = self.document.to_string();
        let document = Document::from_json(text.as_bytes()).ok()?;
        Worker::new(&document, &|_| None, 1).ok()
    }

    fn options(&mut self, c: &mut Choices<'_>) -> Value {
        let mut o = json!({
            "hosts": ["metrics.example"], "prefix": self.prefix, "seal": SEAL.1,
            "header": self.header, "cluster": "upstream", "public": ["/-/healthy", "/-/ready"],
        });
        if self.kind == "receive" || self.kind == "prometheus" && c.once_in(2) {
            self.writes(c, &mut o);
        }
        if self.kind == "receive" {
            return o;
        }
        o["on_conflict"] = json!(c.one_of(&["intersect", "replace", "reject"]));
        o["max_response"] = json!(c.one_of(&["64KiB", "1KiB"]));
        if c.once_in(3) {
            self.fixed = Some(("cluster", "eu"));
            o["matchers"] = json!([{"label": "cluster", "values": ["eu"]}]);
        }
        if c.once_in(3) {
            o["guards"] = json!({"max_operators": 4, "max_confined": "512", "need_specific": true});
        }
        if self.kind != "alertmanager" && c.once_in(3) {
            self.wide_rules = true;
            let active = c.once_in(2);
            o["rules"] = json!({"active_alerts": active, "unlabelled": !active});
        }
        match self.kind {
            "prometheus" | "thanos" => self.reads(c, &mut o),
            "alertmanager" => o["post_alerts"] = json!(true),
            _ => {}
        }
        o
    }

    fn writes(&mut self, c: &mut Choices<'_>, o: &mut Value) {
        let needs = self.kind == "prometheus";
        let policy = c.one_of(&["overwrite", "verify", "drop", "reject"]);
        if needs || c.once_in(2) {
            let policy = if needs { "overwrite" } else { policy };
            self.series_label = Some(policy);
            o["series_label"] = json!(policy);
        }
        if c.once_in(3) {
            o["max_body"] = json!("2KiB");
        }
        if self.kind == "receive" && c.once_in(3) {
            o["write_path"] = json!("/api/v1/receive");
        }
    }

    fn reads(&mut self, c: &mut Choices<'_>, o: &mut Value) {
        o["max_form"] = json!(c.one_of(&["16KiB", "64"]));
        o["parameters"] = json!({"allow": ["extra"]});
        if c.once_in(2) {
            o["max_points"] = json!(100);
        }
        self.verifies = c.once_in(2);
        if self.verifies {
            o["verify"] = json!(c.one_of(&["all", "stream"]));
        }
        self.names = c.once_in(2);
        o["metadata"] = json!(if self.names { "filtered" } else { "empty" });
        self.targets = c.once_in(2);
        o["targets"] = json!(if self.targets { "filtered" } else { "deny" });
        if self.kind == "prometheus" {
            o["federate"] = json!(true);
            o["remote_read"] = json!(true);
        } else if c.once_in(2) {
            o["partial_response"] = json!(true);
        }
    }

    fn document(&self, c: &mut Choices<'_>, options: Value) -> Value {
        let mut upstream = json!({});
        upstream[self.kind] = options;
        let mut document = json!({
            "tenancy": {},
            "seal": {"header": SEAL.0},
            "auth": caller::auth(),
            "upstreams": [upstream],
            "limits": {"worker_memory": MEMORY.to_string(), "query_cache": CACHE.to_string(),
                "parameters": 16},
        });
        let tenancy = &mut document["tenancy"];
        match self.ceiling {
            Ceiling::None => {}
            Ceiling::Unlimited => tenancy["ceiling"] = json!("unlimited"),
            Ceiling::Teams => tenancy["ceiling"] = json!({"tenants": ["team-*"]}),
        }
        if self.shared {
            tenancy["shared"] = json!(["infra"]);
        }
        if self.valid {
            tenancy["valid"] = json!(["team-*", "infra"]);
        }
        if c.once_in(2) {
            tenancy["several"] = json!("several");
        }
        if c.once_in(4) {
            document["log"] = json!({"queries": true});
        }
        document
    }
}
