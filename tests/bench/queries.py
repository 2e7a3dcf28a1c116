"""Queries as dashboards send them, and what must become of them."""

import urllib.parse

import load

MATCHER = 'tenant_id="team-a"'

# A query, and the same confined to the tenant team-a.
FIVE = [
    ('sum by (job) (rate(http_requests_total{code=~"5..",job="api"}[5m]))',
     'sum by (job) (rate(http_requests_total{tenant_id="team-a",code=~"5..",job="api"}[5m]))'),
    ('histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{job="api"}[5m])))',
     'histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{tenant_id="team-a",job="api"}[5m])))'),
    ('sum(rate(http_requests_total{code=~"5.."}[5m])) / sum(rate(http_requests_total[5m]))',
     'sum(rate(http_requests_total{tenant_id="team-a",code=~"5.."}[5m])) / sum(rate(http_requests_total{tenant_id="team-a"}[5m]))'),
    ('max_over_time(process_resident_memory_bytes{job="api"}[1h:1m]) > 1e9',
     'max_over_time(process_resident_memory_bytes{tenant_id="team-a",job="api"}[1h:1m]) > 1e9'),
    ('topk(10, sum by (instance) (irate(node_cpu_seconds_total{mode!="idle"}[2m])))',
     'topk(10, sum by (instance) (irate(node_cpu_seconds_total{tenant_id="team-a",mode!="idle"}[2m])))'),
]
TIMES = {"start": "1700000000", "end": "1700003600", "step": "15"}


def known():
    """The same five queries."""
    return [load.request("GET", load.query_path("/api/v1/query_range", query=q, **TIMES)) for q, _ in FIVE]


def literals():
    """The five, each with another number every time."""
    return [load.request("GET", load.query_path("/api/v1/query_range", query=f"{q} + @N@", **TIMES)) for q, _ in FIVE]


def shapes():
    """The five, each of another shape every time."""
    out = []
    for q, _ in FIVE:
        path = load.query_path("/api/v1/query_range", **TIMES) + "&query=" + urllib.parse.quote(f"({q})", safe="") + "@S@"
        out.append(load.request("GET", path))
    return out


def forms():
    """The five as Grafana sends them."""
    out = []
    for q, _ in FIVE:
        body = urllib.parse.urlencode({"query": q, **TIMES}, quote_via=urllib.parse.quote).encode()
        out.append(load.request("POST", "/api/v1/query_range", body, load.FORM))
    return out


def dashboard():
    """Thirty panels, whose time range moves with every refresh."""
    out = []
    for i in range(30):
        query = FIVE[i % 5][0].replace("api", f"api-{i}")
        path = load.query_path("/api/v1/query_range", query=query, start="1@N@", end="2@N@", step="15")
        out.append(load.request("GET", path))
    return out
