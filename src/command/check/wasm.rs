//! The wasm filter's own settings: what Envoy does with it when something goes wrong.

use super::environment::Environment;
use super::finding::Findings;
use super::node::{Node, snake};
use super::plugin::{Plugin, from_any, is_config};

/// The message of the filter.
pub(super) const WASM: &str = "envoy.extensions.filters.http.wasm.v3.Wasm";

/// The filter of one chain.
pub(super) struct Filter<'a> {
    /// The entry in the chain: name and type.
    pub(super) entry: Node<'a>,
    /// The plugin's settings.
    settings: Option<Node<'a>>,
}

/// Where a filter stands decides what may be said about it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    /// Envoy refuses what it does not know.
    Envoy,
    /// Istio leaves out, in silence, what it does not know.
    Istio,
}

impl<'a> Filter<'a> {
    /// The filter, if an entry of a chain is ours: by its configuration, or by a name.
    pub(super) fn recognise(entry: &Node<'a>) -> Option<Self> {
        let message = message(entry)?;
        let settings = message.get("config");
        let config = settings.as_ref().and_then(|s| s.get("configuration"));
        let ours = config
            .as_ref()
            .and_then(from_any)
            .is_some_and(|(config, _)| is_config(config.value));
        let vm = settings.as_ref().and_then(|s| s.get("vm_config"));
        let named = [
            entry.text("name"),
            settings.as_ref().and_then(|s| s.text("name")),
            settings.as_ref().and_then(|s| s.text("root_id")),
            vm.as_ref().and_then(|v| v.text("vm_id")),
            vm.as_ref()
                .and_then(|v| v.text_at(&["code", "local", "filename"])),
        ];
        let named = named
            .iter()
            .flatten()
            .any(|n| n.to_ascii_lowercase().contains("promfence"));
        (ours || named).then(|| Self {
            entry: entry.clone(),
            settings,
        })
    }

    /// The filter's configuration with its environment.
    pub(super) fn plugin(
        &self,
        given: &Environment,
        findings: &mut Findings,
    ) -> Option<Plugin<'a>> {
        let settings = self.settings.as_ref()?;
        let Some(any) = settings.get("configuration") else {
            findings.error(
                settings,
                "has no `configuration`: the filter does not start without",
            );
            return None;
        };
        let mut environment = given.clone();
        environment.close();
        if let Some(variables) = settings.at(&["vm_config", "environment_variables"]) {
            for name in variables.texts("host_env_keys") {
                environment.host(name);
            }
            for (name, value) in variables
                .get("key_values")
                .map(|n| n.fields())
                .unwrap_or_default()
            {
                environment.value(name, value.value.as_str().unwrap_or_default());
            }
        }
        match any.type_name() {
            Some("google.protobuf.StringValue" | "google.protobuf.Struct") => {}
            Some(_) | None => {
                findings.error(
                    &any,
                    "`@type` must be `google.protobuf.Struct` or `google.protobuf.StringValue`",
                );
                return None;
            }
        }
        match from_any(&any) {
            Some((config, text)) => Some(Plugin::new(config, text, environment)),
            None => {
                findings.error(&any, "has no `value`");
                None
            }
        }
    }

    /// Whether Envoy hands bodies to the filter when it has stopped at a head.
    pub(super) fn stops_at_heads(&self) -> bool {
        let settings = self.settings.as_ref();
        settings.is_some_and(|s| s.is_true("allow_on_headers_stop_iteration"))
    }

    /// What Envoy does when the filter cannot be had or fails.
    pub(super) fn settings(&self, home: Home, findings: &mut Findings) {
        self.types(home, findings);
        if self.entry.is_true("is_optional") {
            findings.error(
                &self.entry,
                "`is_optional` lets requests pass where the filter is not known",
            );
        }
        if self.entry.is_true("disabled") {
            findings.error(&self.entry, "the filter is disabled");
        }
        let Some(settings) = &self.settings else {
            findings.error(&self.entry, "has no `config`");
            return;
        };
        unknown(settings, PLUGIN, home, findings);
        if settings.is_true("fail_open") {
            findings.error(
                settings,
                "`fail_open` lets every request pass when the module fails",
            );
        }
        match settings.text("failure_policy") {
            Some("FAIL_OPEN") => {
                findings.error(settings, "`failure_policy: FAIL_OPEN` lets every request pass when the module fails");
            }
            Some("FAIL_RELOAD") => {}
            Some("FAIL_CLOSED") | None => findings.warn(
                settings,
                "without `failure_policy: FAIL_RELOAD` a module that fails once answers 503 until the next configuration",
            ),
            Some(other) => findings.error(settings, format!("`failure_policy` has the unknown value `{other}`")),
        }
        if !settings.is_true("allow_on_headers_stop_iteration") {
            findings.note(
                settings,
                "with `allow_on_headers_stop_iteration: true` (Envoy 1.35 and later) a denial after a body is clean at both ends",
            );
        }
        match settings.get("vm_config") {
            Some(vm) => machine(&vm, home, findings),
            None => findings.error(settings, "has no `vm_config`"),
        }
    }

    /// The entry's types must be known to Envoy, letter by letter.
    fn types(&self, home: Home, findings: &mut Findings) {
        let Some(any) = self.entry.get("typed_config") else {
            findings.error(&self.entry, "has no `typed_config`");
            return;
        };
        let right = |url: &str| url == format!("type.googleapis.com/{WASM}");
        let url = any.text("@type").unwrap_or_default();
        let wrapped = TYPED_STRUCTS
            .iter()
            .any(|t| url == format!("type.googleapis.com/{t}"));
        let url = if wrapped {
            any.text("type_url").unwrap_or_default()
        } else {
            url
        };
        if !right(url) {
            let then = match home {
                Home::Envoy => "Envoy does not start with it",
                Home::Istio => "Istio leaves the whole patch out, in silence",
            };
            findings.error(
                &any,
                format!("unknown type `{url}`, not `type.googleapis.com/{WASM}`: {then}"),
            );
        }
        if let Some(message) = message(&self.entry) {
            let known: &[&str] = if wrapped {
                &["config"]
            } else {
                &["@type", "config"]
            };
            unknown(&message, known, home, findings);
        }
    }
}

const TYPED_STRUCTS: &[&str] = &["udpa.type.v1.TypedStruct", "xds.type.v3.TypedStruct"];

const PLUGIN: &[&str] = &[
    "name",
    "root_id",
    "vm_config",
    "configuration",
    "fail_open",
    "failure_policy",
    "reload_config",
    "capability_restriction_config",
    "allow_on_headers_stop_iteration",
];

const MACHINE: &[&str] = &[
    "vm_id",
    "runtime",
    "code",
    "configuration",
    "allow_precompiled",
    "nack_on_code_cache_miss",
    "environment_variables",
];

/// The message inside an entry, if it is one of a wasm filter, rightly named or nearly so.
fn message<'a>(entry: &Node<'a>) -> Option<Node<'a>> {
    let any = entry.get("typed_config")?;
    let url = any.text("@type").unwrap_or_default();
    let wrapped = TYPED_STRUCTS.iter().any(|t| url.ends_with(t));
    let message = if wrapped { any.get("value")? } else { any };
    let is_wasm = url.to_ascii_lowercase().contains("wasm")
        || wrapped
        || message.at(&["config", "vm_config"]).is_some()
        || message.at(&["config", "configuration"]).is_some();
    is_wasm.then_some(message)
}

/// The virtual machine and its code.
fn machine(vm: &Node<'_>, home: Home, findings: &mut Findings) {
    unknown(vm, MACHINE, home, findings);
    if let Some(variables) = vm.get("environment_variables") {
        unknown(&variables, &["host_env_keys", "key_values"], home, findings);
    }
    let runtimes = [
        "envoy.wasm.runtime.v8",
        "envoy.wasm.runtime.wasmtime",
        "envoy.wasm.runtime.wamr",
    ];
    match vm.text("runtime") {
        Some(runtime) if runtimes.contains(&runtime) => {}
        Some(runtime) => findings.error(
            vm,
            format!("unknown `runtime` `{runtime}`; Envoy has `envoy.wasm.runtime.v8`"),
        ),
        None => findings.warn(vm, "has no `runtime`; Envoy has `envoy.wasm.runtime.v8`"),
    }
    match vm.get("code") {
        None => findings.error(vm, "has no `code`"),
        Some(code) => match code.get("remote") {
            Some(remote) if remote.text("sha256").is_none_or(str::is_empty) => {
                findings.error(
                    &remote,
                    "the module is fetched without `sha256`: whoever answers decides what runs",
                );
            }
            Some(_) => {}
            None if code.get("local").is_none() => {
                findings.error(&code, "has neither `local` nor `remote`")
            }
            None => {}
        },
    }
}

/// Reports fields that Envoy does not know.
fn unknown(node: &Node<'_>, known: &[&str], home: Home, findings: &mut Findings) {
    for (name, field) in node.fields() {
        if known.contains(&name) || known.contains(&snake(name).as_str()) {
            continue;
        }
        let then = match home {
            Home::Envoy => "Envoy does not start with it",
            Home::Istio => "Istio leaves it out, in silence",
        };
        findings.error(&field, format!("unknown field: {then}"));
    }
}
