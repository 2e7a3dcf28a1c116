//! What stands around the filter in a mesh.

use super::*;

const PLUGIN: &str = include_str!("wasmplugin.yaml");
const AROUND: &str = include_str!("around.yaml");

#[test]
fn each_mistake_around_a_plugin_is_found() {
    each_is_found(
        "a.yaml",
        AROUND,
        &[("w.yaml", PLUGIN)],
        &[
            (
                "exact: seal-of-receive-0123456789",
                "exact: x",
                "by another seal than its own",
            ),
            (
                "exact: seal-of-receive-0123456789",
                "prefix: seal",
                "must be matched by `exact`",
            ),
            (
                "- headers: { x-promfence-seal: { exact: seal-of-receive-0123456789 } }",
                "- uri: { prefix: / }",
                "error: spec.http[0].match[0]: leads to upstreams[0].receive without asking for the seal",
            ),
            (
                "- headers: { X-Promfence-Seal: { exact: some-other-value } }",
                "- uri: { prefix: / }",
                "error: spec.http[1].match[0]: leads to upstreams[1].thanos without asking",
            ),
            (
                "remove: [x-promfence-seal]",
                "remove: [x]",
                "the seal would reach the upstream",
            ),
            (
                "    timeout: 60s\n",
                "",
                "warning: spec.http[0]: has no `timeout`",
            ),
            (
                "tls: { mode: SIMPLE }",
                "tls: { mode: DISABLE }",
                "keys come from `idp.example` without TLS",
            ),
            (
                "--receive.tenant-label-name=tenant_id",
                "--receive.tenant-label-name=tenant",
                "stores the tenant in `tenant`",
            ),
            (
                "--receive.tenant-header=thanos-tenant",
                "--receive.tenant-header=x-tenant",
                "reads the tenant from `x-tenant`",
            ),
            (
                "--receive.tenant-header=thanos-tenant",
                "--receive.split-tenant-label-name=t",
                "lets a label inside the body decide",
            ),
            (
                "--receive.tenant-header=thanos-tenant",
                "\"--receive.split-tenant-label-name\", t",
                "lets a label inside the body decide",
            ),
            (
                "args: [receive,",
                "args: [query-frontend, \"--query-frontend.downstream-url=http://metrics.example/\",",
                "answers one caller from another's cache",
            ),
            (
                "type: ClusterIP",
                "type: LoadBalancer",
                "leads to upstreams[1].thanos around the gateway",
            ),
        ],
    );
}

#[test]
fn manifests_without_the_filter_are_not_enough() {
    let found = findings(&[("a.yaml", AROUND)]);
    assert_eq!(found.len(), 1, "{found:?}");
}

const ROUTE: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: metrics, namespace: monitoring }
spec:
  rules:
  - matches: [{ headers: [{ name: X-Promfence-Seal, value: some-value }] }]
    filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { remove: [x-promfence-seal] } }]
    backendRefs: [{ name: thanos-query, port: 9090 }]
";

#[test]
fn each_mistake_in_a_route_of_the_gateway_api_is_found() {
    each_is_found(
        "r.yaml",
        ROUTE,
        &[("w.yaml", PLUGIN)],
        &[
            (
                "name: X-Promfence-Seal, value",
                "name: x, value",
                "upstreams[1].thanos without asking",
            ),
            (
                "value: some-value }",
                "value: s, type: RegularExpression }",
                "without asking for the seal",
            ),
            (
                "matches: [{",
                "matches: [{ path: { value: / } }, {",
                "without asking for the seal",
            ),
            (
                "remove: [x-promfence-seal]",
                "remove: [x]",
                "the seal would reach the upstream",
            ),
        ],
    );
}
