"""Mistakes that people make with the manifests: each takes shipped manifests and spoils them.

`valid` is what a tenant with a valid token gets for its own query, on the Envoy that was running well
before and on a fresh one. Whatever is said there: a request without a valid token gets no answer of an
upstream, and a tenant gets nothing of another's (test_mistakes.py).
"""

import copy
import dataclasses

PLUGIN = ("gateway.yaml", "wasmplugin.yaml")
FILTER = ("gateway.yaml", "envoyfilter.yaml")
PAYLOAD = ("gateway.yaml", "authentication.yaml")
OLD = "as before"


@dataclasses.dataclass
class Mistake:
    """`spoil` changes a list of manifests in place; `running` and `fresh` are statuses."""

    what: str
    files: tuple
    spoil: object
    running: object
    fresh: object


def mistakes(directory):
    """All mistakes. In the directory is a file `garbage.wasm` that is no module, and no `missing.wasm`."""
    garbage, missing = f"{directory}/garbage.wasm", f"{directory}/missing.wasm"
    return [*envoy_filters(garbage, missing), *wasm_plugins(garbage, missing), *around()]


def envoy_filters(garbage, missing):
    def module(path):
        return lambda m: wasm(m)["vm_config"]["code"]["local"].update(filename=path)

    def anchor(operation, name):
        def spoil(m):
            patch(m)["patch"]["operation"] = operation
            patch(m)["match"]["listener"]["filterChain"]["filter"]["subFilter"] = {"name": name}
        return spoil

    def rename(m):
        patch(m)["patch"]["value"]["typed_config"]["@type"] = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wsam"

    def network(m):
        patch(m)["match"]["listener"]["filterChain"]["filter"]["name"] = "envoy.filters.network.http_conection_manager"

    def row(what, spoil, running, fresh):
        return Mistake(f"EnvoyFilter: {what}", FILTER, spoil, running, fresh)

    return [
        row("a typo in the anchor", anchor("INSERT_BEFORE", "envoy.filters.http.routr"), 404, 404),
        row("after a filter that is not there", anchor("INSERT_AFTER", "envoy.filters.http.jwt_authn"), 404, 404),
        row("after the router", anchor("INSERT_AFTER", "envoy.filters.http.router"), OLD, 0),
        row("a typo in the network filter", network, 404, 404),
        row("a typo in the type", rename, 404, 404),
        row("a typo in a field of Envoy's", lambda m: wasm(m).update(failure_polcy="FAIL_RELOAD"), 200, 200),
        row("a typo in the context", lambda m: patch(m)["match"].update(context="SIDECAR_INBOUND"), 404, 404),
        row("another selector", lambda m: one(m, "EnvoyFilter")["spec"]["workloadSelector"].update(labels={"istio": "ingress"}), 404, 404),
        row("another namespace", lambda m: one(m, "EnvoyFilter")["metadata"].update(namespace="monitoring"), 404, 404),
        row("the module's file is missing", module(missing), OLD, 0),
        row("the file is no module", module(garbage), OLD, 0),
        row("a typo in the policy", lambda m: wasm(m)["configuration"]["value"]["tenancy"].update(lable="x"), OLD, 0),
        row("the seals are not in the environment", lambda m: wasm(m)["vm_config"].pop("environment_variables"), OLD, 0),
    ]


def wasm_plugins(garbage, missing):
    def spec(**fields):
        return lambda m: one(m, "WasmPlugin")["spec"].update(fields)

    def policy(m):
        one(m, "WasmPlugin")["spec"]["pluginConfig"]["tenancy"]["lable"] = "x"

    def both(*all_of):
        return lambda m: [f(m) for f in all_of]

    def row(what, spoil, running, fresh, files=PLUGIN):
        return Mistake(f"WasmPlugin: {what}", files, spoil, running, fresh)

    opened = spec(failStrategy="FAIL_OPEN")
    return [
        row("not there", lambda m: m.remove(one(m, "WasmPlugin")), 404, 404),
        row("another selector", spec(selector={"matchLabels": {"istio": "ingress"}}), 404, 404),
        row("another namespace", lambda m: one(m, "WasmPlugin")["metadata"].update(namespace="monitoring"), 404, 404),
        row("the module cannot be had", spec(url=f"file://{missing}"), OLD, 500),
        row("the module cannot be had, FAIL_OPEN", both(spec(url=f"file://{missing}"), opened), OLD, 500),
        row("the file is no module", spec(url=f"file://{garbage}"), OLD, 500),
        row("the file is no module, FAIL_OPEN", both(spec(url=f"file://{garbage}"), opened), OLD, 500),
        row("a typo in the policy", policy, OLD, 500),
        row("a typo in the policy, FAIL_OPEN", both(policy, opened), OLD, 500),
        row("no policy", lambda m: one(m, "WasmPlugin")["spec"].pop("pluginConfig"), OLD, 500),
        row("the seals are not in the environment", lambda m: one(m, "WasmPlugin")["spec"].pop("vmConfig"), OLD, 500),
        row("before RequestAuthentication", spec(phase="AUTHN"), 401, 401, PAYLOAD),
        row("RequestAuthentication is not there", lambda m: m.remove(one(m, "RequestAuthentication")), 401, 401, PAYLOAD),
        row("behind AuthorizationPolicy", spec(phase="STATS"), 403, 403, (*PLUGIN, "authorization.yaml")),
    ]


def around():
    def other_seals(m):
        for route in one(m, "VirtualService")["spec"]["http"]:
            route["match"][0]["headers"]["x-promfence-seal"]["exact"] = "a-seal-that-no-filter-knows-of-at-all"

    def row(what, spoil, running, fresh, *more):
        return Mistake(what, (*PLUGIN, *more), spoil, running, fresh)

    return [
        row("VirtualService: not there", lambda m: m.remove(one(m, "VirtualService")), 404, 404),
        row("VirtualService: other seals than the filter's", other_seals, 404, 404),
        row("VirtualService: no seal asked for, the filter there", unsealed, 200, 200),
        row("VirtualService: no seal asked for, the filter missing", bare, 403, 403, "authorization.yaml"),
        row("VirtualService: a tenant's own, for the same gateway", tenants_routes, 200, 200),
        row("ServiceEntry of the key server: not there", lambda m: m.remove(one(m, "ServiceEntry", "idp")), OLD, 503),
        row("DestinationRule of the key server: not there", lambda m: m.remove(one(m, "DestinationRule", "idp")), OLD, 503),
        row("DestinationRule of the key server: another name in its certificate", lambda m: one(m, "DestinationRule", "idp")[
            "spec"]["trafficPolicy"]["tls"].update(subjectAltNames=["else.example"]), OLD, 503),
    ]


def unsealed(m):
    """Routes that ask for no seal."""
    for route in one(m, "VirtualService")["spec"]["http"]:
        route["match"] = [{"uri": {"prefix": "/api/v1/receive" if route["name"] == "receive" else "/"}}]


def bare(m):
    """The same, without the filter."""
    unsealed(m)
    m.remove(one(m, "WasmPlugin"))


def tenants_routes(m):
    """A tenant routes hosts of its own, and the gateway's, to Thanos."""
    route = {"destination": {"host": "thanos-query.monitoring.svc.cluster.local", "port": {"number": 9090}}}
    for name, hosts in (("own", ["tenant.example"]), ("same", ["metrics.example"]), ("any", ["*"])):
        m.append({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": name, "namespace": "team-b"},
            "spec": {"hosts": hosts, "gateways": ["istio-ingress/promfence"], "http": [{"route": [copy.deepcopy(route)]}]},
        })


def one(manifests, kind, name=None):
    return next(m for m in manifests if m["kind"] == kind and name in (None, m["metadata"]["name"]))


def patch(manifests):
    return one(manifests, "EnvoyFilter")["spec"]["configPatches"][0]


def wasm(manifests):
    return patch(manifests)["patch"]["value"]["typed_config"]["config"]
