//! Envoy bootstraps.

use super::*;

const BOOTSTRAP: &str = include_str!("bootstrap.yaml");

#[test]
fn each_mistake_in_a_bootstrap_is_found() {
    let remote =
        "code: { remote: { http_uri: { uri: \"https://x/y\", cluster: idp, timeout: 1s } } }";
    each_is_found(
        "envoy.yaml",
        BOOTSTRAP,
        &[],
        &[
            (
                "failure_policy: FAIL_RELOAD",
                "failure_policy: FAIL_OPEN",
                "error: static_resources.listeners[0]",
            ),
            (
                "failure_policy: FAIL_RELOAD",
                "fail_open: true",
                "`fail_open` lets every request pass",
            ),
            (
                "failure_policy: FAIL_RELOAD",
                "failure_policy: CLOSED",
                "unknown value `CLOSED`",
            ),
            (
                "                failure_policy: FAIL_RELOAD\n",
                "",
                "warning: static_resources",
            ),
            (
                "root_id: promfence",
                "rootId: promfence\n                rot: 1",
                "config.rot: unknown field",
            ),
            (
                "runtime: envoy.wasm.runtime.v8",
                "runtime: v8",
                "unknown `runtime` `v8`",
            ),
            ("http.wasm.v3.Wasm", "http.wasm.v3.Wasn", "unknown type"),
            ("http.wasm.v3.Wasm", "http.wasm.v2.Wasm", "unknown type"),
            (
                "code: { local: { filename: target/promfence.wasm } }",
                remote,
                "without `sha256`",
            ),
            (
                "- name: promfence",
                "- is_optional: true\n            name: promfence",
                "`is_optional`",
            ),
            (
                "- name: promfence",
                "- disabled: true\n            name: promfence",
                "the filter is disabled",
            ),
            (
                "{ env: SEAL }",
                "{ env: OTHER }",
                "`OTHER` is not given to the VM",
            ),
            (
                "audiences: [thanos]",
                "audience: [thanos]",
                "error: auth.issuers[0].audience: unknown field",
            ),
        ],
    );
}

#[test]
fn each_route_around_the_seal_is_found() {
    let seal = "headers: [{ name: x-promfence-seal, string_match: { exact: seal-of-receive-0123456789 } }]";
    each_is_found(
        "envoy.yaml",
        BOOTSTRAP,
        &[],
        &[
            (
                seal,
                "safe_regex: {}",
                "error: static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0].routes[0]: leads to the cluster `receive` of upstreams[0].receive without asking for the seal",
            ),
            (
                "string_match: { exact: seal-of-receive-0123456789 }",
                "present_match: true",
                "must be matched exactly",
            ),
            (
                "string_match: { exact: seal-of-receive-0123456789 }",
                "string_match: { prefix: seal }",
                "must be matched exactly",
            ),
            (
                "string_match: { exact: seal-of-receive-0123456789 }",
                "string_match: { exact: x }, invert_match: true",
                "must be matched exactly",
            ),
            (
                "exact: seal-of-receive-0123456789",
                "exact: seal-of-query-0123456789",
                "by another seal than its own",
            ),
            (
                "request_headers_to_remove: [x-promfence-seal]",
                "x: 1",
                "the seal would reach the upstream",
            ),
            (
                "seal: seal-of-receive-0123456789 }",
                "x: 1 }",
                "`receive` of upstreams[0].receive without a seal",
            ),
            (
                "route: { cluster: query, timeout: 130s }",
                "route: { cluster: query }",
                "has no `timeout`",
            ),
            (
                "timeout: 130s",
                "timeout: 0s",
                "lets a request take for ever",
            ),
            (
                "route: { cluster: query,",
                "route: { cluster: query, request_mirror_policies: [{ cluster: receive }],",
                "by another seal than its own",
            ),
            (
                "route: { cluster: query,",
                "route: { weighted_clusters: { clusters: [{ name: receive }] },",
                "by another seal than its own",
            ),
            (
                "route: { cluster: query,",
                "route: { cluster_header: x,",
                "lets the request choose",
            ),
            (
                "metrics.example:*",
                "other.example",
                "asks for the seal of upstreams[0].receive",
            ),
            (
                "request_headers_to_remove: [x-promfence-seal]",
                "request_headers_to_remove: [x-promfence-seal]\n                typed_per_filter_config: { promfence: { disabled: true } }",
                "the filter is disabled here",
            ),
        ],
    );
}

#[test]
fn a_listener_beside_the_gateway_is_a_way_around_it() {
    let other = "  listeners:\n  - filter_chains: [{ filters: [{ typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, cluster: query } }] }]\n";
    let text = BOOTSTRAP.replace("  listeners:\n", other);
    let found = findings(&[("envoy.yaml", &text)]);
    assert!(
        found[0].contains("leads to upstreams[1].thanos around the filter"),
        "{found:?}"
    );
}

#[test]
fn each_wrong_place_of_the_filter_is_found() {
    let jwt = "- name: envoy.filters.http.jwt_authn\n";
    let verified = BOOTSTRAP
        .replace(
            "keys: { remote: { cluster: idp, authority: idp.example, path: /keys } }",
            "verified_by: { metadata: { key: payload } }",
        )
        .replace("# jwt_authn\n", jwt);
    each_is_found(
        "envoy.yaml",
        &verified,
        &[],
        &[
            (
                jwt,
                "# none\n",
                "error: auth.issuers[0].verified_by: no `envoy.filters.http.jwt_authn` stands before",
            ),
            (
                "# before the router\n",
                "- name: envoy.filters.http.compressor\n",
                "put it before promfence",
            ),
            (
                "# before the router\n",
                "- name: envoy.filters.http.lua\n",
                "after promfence has judged it",
            ),
            (
                jwt,
                "- name: envoy.filters.http.cache\n",
                "a cache before promfence",
            ),
            (jwt, "- name: envoy.filters.http.router\n", "it never runs"),
        ],
    );
    let after = verified
        .replace(jwt, "# none\n")
        .replace("# before the router\n", jwt);
    let found = findings(&[("envoy.yaml", &after)]);
    assert!(
        found.iter().any(|f| f.contains("stands after promfence")),
        "{found:?}"
    );
}

#[test]
fn keys_come_by_tls_from_a_cluster_that_exists() {
    each_is_found(
        "envoy.yaml",
        BOOTSTRAP,
        &[],
        &[
            (
                "- name: idp",
                "- name: idq",
                "error: auth.issuers[0].keys.remote.cluster: there is no cluster `idp`",
            ),
            (
                "- name: query\n",
                "- name: quern\n",
                "error: upstreams[1].thanos.cluster: there is no cluster `query`",
            ),
            (
                "address: 127.0.0.1",
                "address: idp.example",
                "warning: auth.issuers[0].keys.remote.cluster: keys come from the cluster `idp` without TLS",
            ),
            (
                "  - name: idp\n",
                "  - name: idp\n    transport_socket: { typed_config: { \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, sni: x } }\n",
                "does not verify the key server's certificate",
            ),
        ],
    );
}

#[test]
fn certificates_as_identity_are_verified() {
    let tls = "    - transport_socket:\n        typed_config:\n          \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext\n          require_client_certificate: true\n          common_tls_context:\n            validation_context:\n              trusted_ca: { filename: ca.pem }\n      filters:\n";
    let text = BOOTSTRAP
        .replace("    - filters:\n", tls)
        .replace("                    auth:\n", "                    auth:\n                      mtls: [{ uri_san: \"spiffe://cluster.local/ns/{tenant}/sa/*\" }]\n");
    each_is_found(
        "envoy.yaml",
        &text,
        &[],
        &[
            (
                "trusted_ca: { filename: ca.pem }",
                "verify_certificate_hash: [x]",
                "no `trusted_ca` verifies them",
            ),
            (
                "trusted_ca: { filename: ca.pem }",
                "trusted_ca: { filename: ca.pem }\n              trust_chain_verification: ACCEPT_UNTRUSTED",
                "`ACCEPT_UNTRUSTED` lets any certificate pass",
            ),
            (
                "require_client_certificate: true",
                "require_client_certificate: false",
                "`require_client_certificate` is not set",
            ),
            (
                "DownstreamTlsContext",
                "Other",
                "error: auth.mtls: the listener has no TLS",
            ),
        ],
    );
}

#[test]
fn a_configuration_as_text_is_checked_like_one_as_a_structure() {
    let config: serde_json::Value = yaml_serde::from_str(CONFIG).unwrap();
    let text = config.to_string().replace('\'', "");
    let (head, tail) = BOOTSTRAP
        .split_once("                  \"@type\": type.googleapis.com/google.protobuf.Struct")
        .unwrap();
    let (_, tail) = tail.split_once("          # before the router").unwrap();
    let string = format!(
        "{head}                  \"@type\": type.googleapis.com/google.protobuf.StringValue\n                  value: '{text}'\n          # before the router{tail}"
    );
    each_is_found(
        "envoy.yaml",
        &string,
        &[],
        &[
            (
                "\"audiences\"",
                "\"audience\"",
                ": error: auth.issuers[0].audience: unknown field",
            ),
            (
                "\"max_tenants\":50",
                "\"max_tenants\":50,\"max_tenants\":50",
                "tenancy.max_tenants: stands twice",
            ),
            ("\"max_tenants\":50", "\"max_tenants\":", "error: "),
        ],
    );
}
