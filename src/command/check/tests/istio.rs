//! EnvoyFilter and WasmPlugin.

use super::*;

const PLUGIN: &str = include_str!("wasmplugin.yaml");
const FILTER: &str = include_str!("envoyfilter.yaml");

#[test]
fn each_mistake_in_a_wasm_plugin_is_found() {
    each_is_found(
        "w.yaml",
        PLUGIN,
        &[],
        &[
            (
                "  failStrategy: FAIL_CLOSE\n",
                "",
                "error: spec: must say `failStrategy: FAIL_CLOSE`",
            ),
            ("FAIL_CLOSE", "FAIL_OPEN", "lets every request pass"),
            ("FAIL_CLOSE", "FAIL_CLOSED", "unknown `failStrategy`"),
            (
                "@sha256:00",
                ":v1#",
                "error: spec.url: the module has no digest",
            ),
            (
                "@sha256:00",
                "@sha256:",
                "error: spec.url: the module has no digest",
            ),
            ("phase: AUTHZ", "phase: STATS", "after AuthorizationPolicy"),
            ("phase: AUTHZ", "phase: authz", "unknown `phase`"),
            (
                "phase: AUTHZ",
                "fase: AUTHZ",
                "error: spec.fase: unknown field",
            ),
            (
                "pluginConfig:",
                "pluginConfiguration:",
                "has no `pluginConfig`",
            ),
            (
                "name: SEAL_QUERY",
                "name: SEAL_Q",
                "`SEAL_QUERY` is not given to the VM",
            ),
            (
                "outbound|443||idp.example",
                "idp",
                "no cluster of Istio is called `idp`",
            ),
            ("phase: AUTHZ", "type: NETWORK", "does not see requests"),
            (
                "audiences: [thanos]",
                "audience: [thanos]",
                "w.yaml:18: error: auth.issuers[0].audience: unknown field",
            ),
        ],
    );
}

#[test]
fn a_plugin_that_reads_a_payload_stands_after_who_verifies_it() {
    let keys = "keys: { remote: { cluster: \"outbound|443||idp.example\", authority: idp.example, path: /keys } }";
    let text = PLUGIN.replace(keys, "verified_by: { metadata: { key: payload } }");
    each_is_found(
        "w.yaml",
        &text,
        &[],
        &[(
            "phase: AUTHZ",
            "phase: AUTHN",
            "error: auth.issuers[0].verified_by: the phase `AUTHN` comes before",
        )],
    );
}

#[test]
fn plugins_of_others_are_left_alone() {
    let other = "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: other}\nspec: {url: 'oci://x/y:latest', pluginConfig: {a: 1}}\n";
    assert_eq!(
        findings(&[("w.yaml", PLUGIN), ("o.yaml", other)]),
        Vec::<String>::new()
    );
}

#[test]
fn each_mistake_in_an_envoy_filter_is_found() {
    let anchor = "subFilter: { name: envoy.filters.http.router }";
    each_is_found(
        "f.yaml",
        FILTER,
        &[],
        &[
            (
                "http.router }",
                "http.routr }",
                "error: spec.configPatches[0].match.listener.filterChain.filter.subFilter.name: no HTTP filter is called `envoy.filters.http.routr`",
            ),
            (
                "http.router }",
                "http.ext_authz }",
                "is there only where something asks for it",
            ),
            (
                "http.router }",
                "http.fault }",
                "may be absent in another release",
            ),
            (
                "http.router }",
                "http.fault }",
                "before `jwt_authn`, whose payload",
            ),
            ("INSERT_BEFORE", "INSERT_AFTER", "it never runs"),
            (
                "INSERT_BEFORE",
                "INSERT_FIRST",
                "before `jwt_authn`, whose payload",
            ),
            ("INSERT_BEFORE", "INSERT_BEFOR", "unknown operation"),
            ("INSERT_BEFORE", "MERGE", "must be `INSERT_BEFORE`"),
            (anchor, "x: 1", "before `jwt_authn`, whose payload"),
            (
                "http_connection_manager\n",
                "http_conection_manager\n",
                "no network filter is called",
            ),
            (
                "applyTo: HTTP_FILTER",
                "applyTo: NETWORK_FILTER",
                "must be `HTTP_FILTER`",
            ),
            ("context: GATEWAY", "context: ANY", "outbound ones too"),
            ("context: GATEWAY", "context: GATEWEY", "unknown context"),
            (
                "wasm.v3.Wasm",
                "wasm.v3.WASM",
                "Istio leaves the whole patch out",
            ),
            (
                "root_id: promfence",
                "rootID: promfence",
                "unknown field: Istio leaves it out, in silence",
            ),
            (
                "vm_config:",
                "vm_confg:",
                "unknown field: Istio leaves it out, in silence",
            ),
            (
                "failure_policy: FAIL_RELOAD",
                "failurePolicy: FAIL_OPEN",
                "lets every request pass",
            ),
        ],
    );
}

#[test]
fn after_the_filter_that_verifies_is_still_after_one_that_may_be_absent() {
    let text = FILTER
        .replace("http.router }", "http.jwt_authn }")
        .replace("INSERT_BEFORE", "INSERT_AFTER");
    let found = findings(&[("f.yaml", &text)]);
    assert!(
        found[0].contains("`envoy.filters.http.jwt_authn` is there only where"),
        "{found:?}"
    );
}

#[test]
fn a_typed_struct_is_looked_into() {
    let text = FILTER.replace(
        "\"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm\n          config:",
        "\"@type\": type.googleapis.com/udpa.type.v1.TypedStruct\n          type_url: type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm\n          value:\n           config:",
    );
    each_is_found(
        "f.yaml",
        &text,
        &[],
        &[
            (
                "type_url: type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                "type_url: x",
                "unknown type `x`",
            ),
            (
                "audiences:",
                "audience:",
                "auth.issuers[0].audience: unknown field",
            ),
        ],
    );
}
