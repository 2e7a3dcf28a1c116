"""Headers, credentials and content types as an attacker sends them."""

TENANT_NAMES = [
    b"THANOS-TENANT", b"thanos-tenant", b"Thanos_Tenant", b"thanos_tenant", b"THANOS_TENANT", b"X-Scope-OrgID", b"x_scope_orgid",
    b"X-Tenant", b"Thanos-Replica", b"tHANOS-tENANT", b"thanos-tenant\x00", b"thanos-tenant ", b" thanos-tenant", b"thanos.tenant",
    b"\xef\xbb\xbfthanos-tenant", b"thanos-tenant\t", b"x-promfence-tenant", b"tenant",
]
INTERNAL = [
    (b"x-envoy-original-path", b"/api/v1/status/config"), (b"x-envoy-upstream-rq-timeout-ms", b"1"), (b"x-envoy-max-retries", b"5"),
    (b"x-envoy-retry-on", b"5xx"), (b"x-envoy-hedge-on-per-try-timeout", b"true"), (b"x-envoy-upstream-alt-stat-name", b"x"),
    (b"x-envoy-internal", b"true"), (b"x-envoy-decorator-operation", b"x"), (b"x-envoy-expected-rq-timeout-ms", b"1"),
    (b"x-envoy-external-address", b"127.0.0.1"), (b"x-envoy-force-trace", b"1"), (b"x-envoy-ip-tags", b"a"),
    (b"x-envoy-attempt-count", b"3"), (b"x-envoy-original-dst-host", b"127.0.0.1:9901"), (b"x-envoy-is-timeout-retry", b"true"),
    (b"x-original-url", b"/metrics"), (b"x-rewrite-url", b"/metrics"), (b"x-http-method-override", b"DELETE"),
    (b"x-method-override", b"POST"), (b"x-forwarded-host", b"evil.test"), (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-prefix", b"/x"), (b"x-forwarded-client-cert", b"URI=spiffe://team-b"), (b"forwarded", b"for=1.2.3.4;host=evil"),
    (b"x-real-ip", b"127.0.0.1"), (b"x-webauth-user", b"admin"), (b"x-forwarded-user", b"admin"), (b"x-grafana-user", b"admin"),
    (b"x-promfence-seal", b"s" * 32), (b"X-Promfence-Seal", b"1"), (b"x_promfence_seal", b"s" * 32), (b"proxy-authorization", b"Basic YTpi"),
    (b"x-api-key", b"k"), (b"x-istio-attributes", b"x"), (b"x-b3-traceid", b"1" * 16), (b"grpc-timeout", b"1n"),
]


def put(r, dice, name, value):
    r.headers.insert(dice.randrange(len(r.headers) + 1), (name.lower() if r.h2 and dice.random() < 0.8 else name, value))


def headers(_):
    return [
        tenant_header, tenant_header, internal_header, internal_header, hop_by_hop, folded, odd_header, many_headers, second_agent,
        expect_header, range_header, x_request_id, two_hosts, upgrade,
    ]


def tenant_header(r, dice, _):
    name = dice.choice(TENANT_NAMES)
    value = dice.choice([b"team-b", b"team-a", b"", b"default-tenant", b"team-a,team-b", b"../team-b", b"team-b\t", b"*"])
    for _ in range(dice.choice([1, 1, 2])):
        put(r, dice, name, value)


def internal_header(r, dice, _):
    put(r, dice, *dice.choice(INTERNAL))


def hop_by_hop(r, dice, _):
    names = [b"thanos-tenant", b"authorization", b"x-promfence-seal", b"content-type", b"host", b"content-length", b"user-agent, x", b"te", b"close"]
    put(r, dice, dice.choice([b"connection", b"Connection", b"proxy-connection", b"keep-alive"]), b", ".join(dice.sample(names, 2)))


def folded(r, dice, _):
    put(r, dice, b"x-a", b"1\r\n " + b"thanos-tenant: team-b" if not r.h2 else b"1")
    put(r, dice, b"x-b", dice.choice([b"1\nthanos-tenant: team-b", b"1\r\nthanos-tenant: team-b", b"1\rthanos-tenant: team-b"]))


def odd_header(r, dice, _):
    put(r, dice, *dice.choice([
        (b"x-odd", b"\xff\xfe"), (b"x-odd\xff", b"1"), (b"", b"1"), (b":authority", b"alertmanager.test"), (b":path", b"/metrics"),
        (b"x(y)", b"1"), (b"x-nul", b"a\x00b"), (b"user agent", b"1"), (b"accept", b"\xff"), (b"accept-encoding", b"gzip\xff"),
        (b"traceparent", b"\xc3\x28"), (b"baggage", b"tenant=team-b"),
    ]))


def many_headers(r, dice, _):
    r.headers += [(b"x-%d" % i, b"1") for i in range(dice.choice([50, 95, 200]))]


def second_agent(r, dice, _):
    put(r, dice, b"accept", b"application/json")
    put(r, dice, b"accept", b"text/plain")


def expect_header(r, dice, _):
    put(r, dice, b"expect", dice.choice([b"100-continue", b"100-Continue", b"200-ok", b"100-continue, 100-continue", b""]))


def range_header(r, dice, _):
    put(r, dice, *dice.choice([(b"range", b"bytes=0-1"), (b"if-none-match", b"*"), (b"cache-control", b"no-cache"), (b"origin", b"http://evil.test")]))


def x_request_id(r, dice, _):
    put(r, dice, b"x-request-id", dice.choice([b"1", b"\xff", b"team-b", b"x" * 300]))


def two_hosts(r, dice, _):
    other = dice.choice([b"alertmanager.test", b"prometheus.test", b"receive.test", b"thanos.test", b"evil.test", r.host.upper(), r.host + b":80", r.host + b"."])
    put(r, dice, b"host", r.host)
    if dice.random() < 0.7:
        put(r, dice, b"host", other)


def upgrade(r, dice, _):
    put(r, dice, b"upgrade", dice.choice([b"websocket", b"h2c", b"TLS/1.0", b"connect-udp", b""]))
    put(r, dice, b"connection", dice.choice([b"upgrade", b"Upgrade, HTTP2-Settings", b"keep-alive"]))
    r.parked = not r.h2


# Credentials.


def credentials(_):
    return [second_token, token_in_url, scheme_of_token, cookie_token, swapped_token]


def second_token(r, dice, tokens):
    tenant = dice.choice(["team-a", "team-b"])
    token = tokens.good[tenant] if dice.random() < 0.6 else dice.choice(tokens.bad)
    if token == tokens.good[tenant]:
        r.tenants.add(tenant)
    r.secrets.append(token)
    put(r, dice, dice.choice([b"authorization", b"Authorization", b"proxy-authorization", b"x-auth-token", b"x-forwarded-access-token"]), b"Bearer " + token)


def token_in_url(r, dice, tokens):
    # The configuration takes none from there: it makes nobody a tenant.
    token = tokens.good["team-b"]
    r.secrets.append(token)
    r.url.append(dice.choice([b"access_token=", b"token=", b"authorization=Bearer%20", b"jwt="]) + token)


def scheme_of_token(r, dice, tokens):
    tenant = dice.choice(["team-a", "team-b"])
    token = tokens.good[tenant]
    r.tenants.add(tenant)
    r.secrets.append(token)
    r.headers = [h for h in r.headers if h[0].lower() != b"authorization"]
    put(r, dice, b"authorization", dice.choice([
        b"bearer " + token, b"BEARER " + token, b"Bearer  " + token, b"Bearer\t" + token, b"Basic " + token, token, b"Bearer " + token + b" ",
        b"Bearer " + token + b", Bearer x", b"Bearer " + token + b"\x00", b"Bearer " + token[:-4], b"Bearer " + token + b"=", b"Bearer\xa0" + token,
    ]))


def cookie_token(r, dice, tokens):
    r.secrets.append(tokens.good["team-b"])
    put(r, dice, b"cookie", b"token=" + tokens.good["team-b"])


def swapped_token(r, dice, tokens):
    a, b = (tokens.good[t].split(b".") for t in ("team-a", "team-b"))
    forged = dice.choice([[a[0], b[1], a[2]], [b[0], b[1], b""], [a[0], a[1] + b"A", a[2]]])
    r.headers = [h for h in r.headers if h[0].lower() != b"authorization"]
    r.tenants = set()
    put(r, dice, b"authorization", b"Bearer " + b".".join(forged))


# Content.


def content(_):
    return [no_type, odd_type, multipart, encoding, two_types, harmless_type]


def without(r, name):
    r.headers = [h for h in r.headers if h[0].lower() != name]


def no_type(r, _, __):
    without(r, b"content-type")
    return r.method == b"GET"


def odd_type(r, dice, _):
    without(r, b"content-type")
    put(r, dice, b"content-type", dice.choice([
        b"text/plain", b"application/json", b"application/x-www-form-urlencoded; boundary=x", b"application/x-www-form-urlencoded,text/plain",
        b"application/x-www-form-urlencoded;charset=utf-16", b"application/x-www-form-urlencoded; charset=", b"\xff", b";", b"application/grpc",
        b"application/x-www-form-urlencoded; a=b; a=c", b"application/x-www-form-urlencoded\x00", b"multipart/mixed; boundary=x",
        b"application/x-protobuf;proto=io.prometheus.write.v2.Request", b"application/x-www-form-urlencoded ;charset=utf-8", b"",
    ]))


def multipart(r, dice, _):
    without(r, b"content-type")
    put(r, dice, b"content-type", dice.choice([b"multipart/form-data; boundary=x", b"multipart/form-data;boundary=\"x\"", b"Multipart/Form-Data; boundary=x"]))
    r.body = b'--x\r\nContent-Disposition: form-data; name="query"\r\n\r\nsecret\r\n--x\r\nContent-Disposition: form-data; name="match[]"\r\n\r\nsecret\r\n--x--\r\n'


def encoding(r, dice, _):
    put(r, dice, b"content-encoding", dice.choice([b"gzip", b"identity", b"snappy", b"deflate, gzip", b"br", b"x"]))


def two_types(r, dice, _):
    put(r, dice, b"content-type", dice.choice([b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x", b"application/json"]))


def harmless_type(r, dice, _):
    if r.form:
        without(r, b"content-type")
        put(r, dice, b"content-type", dice.choice([b"application/x-www-form-urlencoded; charset=utf-8", b"Application/X-WWW-Form-Urlencoded", b"application/x-www-form-urlencoded;charset=UTF-8"]))
    return True
