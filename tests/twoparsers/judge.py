"""What must hold of every request that reached the Go server, whatever was sent."""

import urllib.parse
from collections import namedtuple

Finding = namedtuple("Finding", "what id detail")

LABEL = '"tenant_id"="%s"'
TENANCY = {"thanos-tenant", "thanos-replica", "x-scope-orgid", "x-tenant", "x-tenant-id", "x-promfence-tenant", "x-promfence-seal", "tenant"}
# Content negotiation, tracing, what the protocols need, and what Envoy sets itself.
HEADERS = {
    "accept", "accept-encoding", "accept-language", "baggage", "cache-control", "content-encoding", "content-length", "content-type",
    "expect", "te", "traceparent", "user-agent", "x-b3-traceid", "x-dashboard-uid", "x-envoy-expected-rq-timeout-ms",
    "x-forwarded-proto", "x-request-id", "thanos-tenant",
}
THANOS = {"dedup", "partial_response", "max_source_resolution", "engine"}
EXECUTION = {"timeout", "limit", "lookback_delta", "stats"}
COST = {"max_series", "max_samples_read", "max_query_duration"}
SELECTION = {"match[]", "start", "end", "limit"}
INSTANT, RANGE = {"query", "time"}, {"query", "start", "end", "step"}
PARAMETERS = {
    ("prometheus", "query"): INSTANT | EXECUTION | COST, ("prometheus", "query_range"): RANGE | EXECUTION | COST,
    ("thanos", "query"): INSTANT | EXECUTION | THANOS, ("thanos", "query_range"): RANGE | EXECUTION | THANOS,
    ("thanos", "query_explain"): INSTANT | EXECUTION | THANOS | {"step"},
    ("prometheus", "query_exemplars"): {"query", "start", "end"}, ("thanos", "query_exemplars"): {"query", "start", "end"},
    **{("prometheus", e): SELECTION for e in ("series", "labels", "label_values")},
    **{("thanos", e): SELECTION | THANOS for e in ("series", "labels", "label_values")},
    ("prometheus", "format_query"): {"query"}, ("prometheus", "federate"): {"match[]"},
    ("prometheus", "rules"): {"match[]", "type", "rule_name[]", "rule_group[]", "file[]", "exclude_alerts", "group_limit", "group_next_token"},
    ("alertmanager", "am_alerts"): {"filter", "active", "silenced", "inhibited", "unprocessed", "muted", "receiver", "receiver_matchers"},
    ("alertmanager", "am_alert_groups"): {"filter", "active", "silenced", "inhibited", "unprocessed", "muted", "receiver", "receiver_matchers"},
    ("alertmanager", "am_silences"): {"filter", "active", "expired", "pending"},
}
LISTS = {"match[]", "filter", "rule_name[]", "rule_group[]", "file[]", "receiver_matchers"}
BODIES = {"receive", "otlp"}
PUBLIC = {"ready", "healthy"}
OTHERS = {"prometheus": {"buildinfo", "alerts", "features", "parse_query", "query_exemplars", "healthy", "ready"},
          "thanos": {"ready", "healthy", "buildinfo", "rules", "alerts", "features", "query_range_explain"},
          "receive": BODIES, "alertmanager": {"am_silence", "am_delete_silence"}}
CONFINED = {"query", "query_range", "query_exemplars", "query_explain", "query_range_explain", "series", "labels", "label_values", "federate"}
SELECTED = {"series", "labels", "label_values", "federate"}
CHANGED = {"query", "match[]", "filter", "partial_response"}


def judge(report, sent, believed):
    """The findings of one report. `sent`: the request, if it is known; `believed`: the filter's words."""
    out = []

    def find(what, detail=""):
        out.append(Finding(what, report["id"], detail))

    if sent is None and report["id"]:
        find("a request that nobody sent", report["path"])
        return out
    tenant = credential(report, sent, find)
    headers(report, sent, find)
    if report.get("aborted"):
        # The head of a form or body that was refused later: it asked for nothing, and got no answer.
        streamed = report["endpoint"] in BODIES
        if report.get("query") or report.get("post_form") or (report["length"] and not streamed):
            find("parts of a refused request", f"{report.get('query')} {report.get('post_form')} {report['length']}")
        return out
    endpoint(report, sent, believed, find)
    parameters(report, sent, find)
    if report["endpoint"] not in PUBLIC:
        selectors(report, tenant or "nobody", find)
        if believed and believed["tenant"] != tenant:
            find("the filter's tenant is another", f"{believed['tenant']} and {tenant}")
    return out


def credential(report, sent, find):
    """The tenant of the request as the upstream is told it."""
    told = [v for n, vs in report["headers"].items() if n.lower() == "thanos-tenant" for v in vs]
    if report["endpoint"] in PUBLIC:
        if told:
            find("a tenant header on a public path", str(told))
        return None
    tenants = sent.tenants if sent else {"team-a", "team-b"}
    if not tenants:
        find("unauthenticated", report["path"])
    if len(told) != 1:
        find("not one tenant header", str(told))
    for tenant in told:
        if tenant not in tenants:
            find("the tenant of somebody else", tenant)
    return told[0] if told else None


def headers(report, sent, find):
    for name, values in report["headers"].items():
        plain = name.lower().replace("_", "-").strip()
        if name.lower() not in HEADERS or (plain in TENANCY and name != "Thanos-Tenant"):
            find("a header that must not pass", f"{name}: {values}")
        if len(values) > 1 and plain not in ("accept", "te", "cache-control", "accept-encoding", "baggage", "traceparent"):
            find("a header twice", f"{name}: {values}")
        for secret in known_secrets(sent):
            if any(secret in v for v in values):
                find("a credential in a header", name)
    if (timeout := report["headers"].get("X-Envoy-Expected-Rq-Timeout-Ms")) not in (None, ["30000"]):
        find("Envoy takes orders", f"{timeout}")
    if report.get("trailers"):
        find("trailers", str(report["trailers"]))
    if any(secret in report["path"] or secret in str(report.get("form")) for secret in known_secrets(sent)):
        find("a credential in the URL or form")


def known_secrets(sent):
    return [secret.decode() for secret in sent.secrets if len(secret) > 20] if sent else []


def endpoint(report, sent, believed, find):
    kind, name = report["kind"], report["endpoint"]
    known = (kind, name) in PARAMETERS or name in OTHERS[kind]
    if not known:
        find("an endpoint that is not open", f"{report['method']} {kind} {report['path']} is {name}")
    if believed is not None and believed["decision"] != "allowed":
        find("not allowed, and forwarded", str(believed))
    if believed is not None and believed["endpoint"] != name:
        find("the endpoint is another", f"{believed['endpoint']} and {name}")
    wants = {"POST"} if name in BODIES else {"DELETE"} if name == "am_delete_silence" else {"GET", "POST", "HEAD"}
    if report["method"] not in wants or (report["method"] == "HEAD" and name not in PUBLIC):
        find("the method is another", f"{report['method']} {name}")
    if report["method"] in ("GET", "HEAD", "DELETE") and report["length"]:
        find("a body without a place", f"{report['length']} bytes")
    if name in BODIES and sent and sent.plain and report["length"] != len(sent.whole_body() or b""):
        find("another body", f"{report['length']} bytes")
    argument = report.get("argument", "")
    if argument and not all(c.isascii() and (c.isalnum() or c in "_-") for c in argument):
        find("an argument in the path that is read in two ways", argument)


def parameters(report, sent, find):
    form, query, post = (report.get(k) or {} for k in ("form", "query", "post_form"))
    if report.get("form_error") or report.get("multipart"):
        find("the form is read in two ways", report.get("form_error", "multipart"))
    if query and post:
        find("parameters in two places", f"{sorted(query)} and {sorted(post)}")
    known = PARAMETERS.get((report["kind"], report["endpoint"]), set())
    for name, values in form.items():
        if name not in known and report["endpoint"] in CONFINED | {"am_alerts", "am_alert_groups", "format_query"}:
            find("an unknown parameter", f"{name}={values}")
        if name not in LISTS and len(values) != 1:
            find("a parameter twice", f"{name}={values}")
        if report.get("value", {}).get(name) != values[0]:
            find("FormValue reads another value", f"{name}: {report['value'].get(name)!r} of {values}")
    if sent and not sent.parked and sent.target is None:
        values_kept(form, sent, find)


def values_kept(form, sent, find):
    """What the client said once and strictly, Go must read as the same."""
    said = {}
    for pair in (*sent.url, *sent.form):
        name, _, value = pair.partition(b"=")
        name, value = (urllib.parse.unquote_to_bytes(p.replace(b"+", b" ")) for p in (name, value))
        said.setdefault(name, []).append(value)
    for name, values in form.items():
        if name in CHANGED | LISTS:
            continue
        if [v.encode() for v in values] != said.get(name.encode()):
            find("Go reads another value", f"{name}={values} of {said.get(name.encode())}")


def selectors(report, tenant, find):
    name, wanted = report["endpoint"], LABEL % tenant
    form = report.get("form") or {}
    if name in SELECTED and not form.get("match[]"):
        find("no selector at all", name)
    if name in ("query", "query_range") and not form.get("query"):
        find("no query at all", name)
    for one in report.get("selectors") or []:
        if name not in CONFINED and not (name == "rules" and one["parameter"] == "match[]"):
            continue
        for matchers in one["sets"] or []:
            if wanted not in matchers:
                find("a selector that is not confined", f"{one['text']!r}: {matchers}")
    if name in ("am_alerts", "am_alert_groups") and f'tenant_id="{tenant}"' not in form.get("filter", []):
        find("alerts that are not confined", str(form.get("filter")))
