//! Istio's own policies around the filter.

use super::*;

const PLUGIN: &str = include_str!("wasmplugin.yaml");
const FILTER: &str = include_str!("envoyfilter.yaml");
const POLICIES: &str = "apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: promfence, namespace: istio-ingress }
spec:
  selector: { matchLabels: { istio: ingressgateway } }
  rules:
  - when:
    - key: request.headers[X-Promfence-Seal]
      values: [seal-of-receive-0123456789, seal-of-query-0123456789]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: promfence, namespace: istio-ingress }
spec:
  servers:
  - port: { number: 443, name: https, protocol: HTTPS }
    hosts: [./metrics.example, other.example]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: promfence, namespace: istio-ingress }
spec:
  listeners:
  - hostname: metrics.example
    allowedRoutes: { namespaces: { from: Same } }
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: promfence, namespace: istio-ingress }
spec: { jwtRules: [{ issuer: https://idp.example, audiences: [thanos] }] }
";

#[test]
fn each_mistake_in_a_policy_beside_the_plugin_is_found() {
    let known = PLUGIN.replace(
        "name: SEAL_QUERY, valueFrom: HOST",
        "name: SEAL_QUERY, value: seal-of-query-0123456789",
    );
    each_is_found(
        "p.yaml",
        POLICIES,
        &[("w.yaml", &known)],
        &[
            (
                "values: [seal-of-receive-0123456789",
                "values: [\"seal-*\"",
                "p.yaml:9: error: spec.rules[0].when[0].values[0]: `*` stands for any text",
            ),
            (
                "seal-of-query-0123456789]",
                "seal-of-nobody]",
                "error: spec.rules[0].when[0].values[1]: asks for a seal that no upstream has",
            ),
            (
                "./metrics.example",
                "metrics.example",
                "warning: spec.servers[0].hosts[0]: takes routes for `metrics.example` from every namespace",
            ),
            (
                "./metrics.example",
                "\"*/*\"",
                "takes routes for `*` from every namespace",
            ),
            (
                "from: Same",
                "from: All",
                "warning: spec.listeners[0]: takes routes for `metrics.example` from every namespace",
            ),
        ],
    );
}

#[test]
fn a_seal_that_is_not_known_here_may_be_the_right_one() {
    let policy = POLICIES.replace("seal-of-query-0123456789", "seal-of-the-host-only");
    let found = findings(&[("p.yaml", &policy), ("w.yaml", PLUGIN)]);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn a_policy_does_not_ask_for_a_seal_before_it_is_set() {
    let expected = "asks for `x-promfence-seal` before the filter sets it";
    let found = |filter: &str| findings(&[("p.yaml", POLICIES), ("f.yaml", filter)]);
    let late = found(FILTER);
    assert!(late.iter().any(|f| f.contains(expected)), "{late:?}");
    let first = FILTER
        .replace("INSERT_BEFORE", "INSERT_FIRST")
        .replace("subFilter: { name: envoy.filters.http.router }", "x: 1");
    let other = FILTER.replace("istio: ingressgateway", "istio: other");
    for text in [first, other] {
        let found = found(&text);
        assert!(!found.iter().any(|f| f.contains(expected)), "{found:?}");
    }
}

#[test]
fn a_payload_has_somebody_who_verifies_it() {
    let keys = "keys: { remote: { cluster: \"outbound|443||idp.example\", authority: idp.example, path: /keys } }";
    let reads = PLUGIN.replace(keys, "verified_by: { metadata: { key: payload } }");
    each_is_found(
        "p.yaml",
        POLICIES,
        &[("w.yaml", &reads)],
        &[(
            "issuer: https://idp.example,",
            "issuer: https://else.example,",
            "error: auth.issuers[0].verified_by: no RequestAuthentication in these files verifies tokens of `https://idp.example`",
        )],
    );
}
