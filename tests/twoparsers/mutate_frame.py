"""Framing, methods and the parts of HTTP/2 that two parsers may take apart in two ways."""

PAIRS = [
    (b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"Chunked"), (b"transfer-encoding", b"chunked, identity"),
    (b"transfer-encoding", b"identity"), (b"transfer-encoding", b"xchunked"), (b"transfer-encoding", b"\x0bchunked"),
    (b"transfer-encoding", b"gzip, chunked"), (b"transfer_encoding", b"chunked"), (b"Transfer-Encoding ", b"chunked"),
    (b"transfer-encoding", b""), (b"content-length", b"0"), (b"content-length", b"+5"), (b"content-length", b"5, 5"),
    (b"content-length", b"-1"), (b"content-length", b"0x5"), (b"content-length", b"18446744073709551617"), (b"content_length", b"5"),
    (b"content-length", b" 5"), (b"content-length", b""),
]


def frames(r):
    if r.h2:
        return [pseudo_header, pseudo_header, trailers_h2, length_h2, connection_h2, method]
    return [chunked, chunked, chunk_extension, trailers, two_lengths, two_lengths, smuggle, method, body_on_get, version, short_body]


def chunked(r, _, __):
    if r.whole_body() is not None:
        r.framing = "chunked"
    return True


def chunk_extension(r, dice, _):
    if r.whole_body() is not None:
        r.framing = "chunked"
        r.extension = dice.choice([b";a=b", b";a", b";a=\"b;c\"", b" ;x", b";" + b"x" * 200, b"\t", b";\n"])
        r.parked = True


def trailers(r, dice, _):
    if r.whole_body() is not None:
        r.framing = "chunked"
        r.trailers = [dice.choice([(b"thanos-tenant", b"team-b"), (b"THANOS-TENANT", b"team-b"), (b"content-length", b"5"), (b"x-t", b"1"), (b"authorization", b"Bearer x"), (b"transfer-encoding", b"chunked")])]
        if dice.random() < 0.5:
            r.headers.append((b"trailer", r.trailers[0][0]))
        r.parked = True


def two_lengths(r, dice, tokens):
    for _ in range(dice.choice([1, 1, 2])):
        r.headers.insert(dice.randrange(len(r.headers) + 1), dice.choice(PAIRS))
    if dice.random() < 0.4 and r.whole_body() is not None:
        r.framing = "chunked"
    if dice.random() < 0.5:
        smuggle(r, dice, tokens)
    r.parked = True


def smuggle(r, dice, _):
    """What follows the request is, for one of the two, a request of its own, without a credential."""
    inner = dice.choice([
        b"GET /api/v1/query?query=secret HTTP/1.1\r\nhost: prometheus.test\r\nuser-agent: smuggled\r\nthanos-tenant: team-b\r\n\r\n",
        b"GET /api/v1/status/config HTTP/1.1\r\nhost: thanos.test\r\nuser-agent: smuggled\r\n\r\n",
        b"0\r\n\r\nPOST /api/v1/receive HTTP/1.1\r\nhost: receive.test\r\nuser-agent: smuggled\r\nthanos-tenant: team-b\r\ncontent-length: 1\r\n\r\nx",
        b"\r\nGET /metrics HTTP/1.1\r\nhost: prometheus.test\r\nuser-agent: smuggled\r\nx-promfence-seal: " + b"s" * 32 + b"\r\n\r\n",
    ])
    if r.whole_body() is not None and dice.random() < 0.5:
        r.body = r.whole_body() + inner
    else:
        r.after = inner
    r.parked = True


def method(r, dice, _):
    r.method = dice.choice([b"HEAD", b"OPTIONS", b"PUT", b"PATCH", b"DELETE", b"TRACE", b"QUERY", b"get", b"POST", b"CONNECT", b"PRI", b"G\xffT", b"GET\t", b""])
    r.parked = not r.h2


def body_on_get(r, dice, _):
    r.body = b"query=secret&match[]=secret"
    if dice.random() < 0.5:
        r.framing = "chunked"
    if dice.random() < 0.5:
        r.headers.append((b"content-type", b"application/x-www-form-urlencoded"))


def version(r, dice, _):
    r.version = dice.choice([b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"http/1.1", b"HTTP/1.1 ", b"HTTP/0.9", b"HTTP/01.1", b""])
    r.parked = True


def short_body(r, dice, _):
    body = r.whole_body()
    if body:
        r.headers.append((b"content-length", b"%d" % (len(body) + dice.choice([-1, 1, 100]))))
        r.parked = True


def pseudo_header(r, dice, _):
    r.pseudo.append(dice.choice([
        (b":path", b"/api/v1/status/config"), (b":authority", b"alertmanager.test"), (b":method", b"POST"), (b":scheme", b"https"),
        (b":protocol", b"websocket"), (b":status", b"200"), (b":unknown", b"1"), (b"host", b"alertmanager.test"), (b":path", b""),
    ]))


def trailers_h2(r, dice, _):
    if r.whole_body() is not None:
        r.trailers = [dice.choice([(b"thanos-tenant", b"team-b"), (b":path", b"/metrics"), (b"x-t", b"1"), (b"content-length", b"3")])]


def length_h2(r, dice, _):
    r.headers.append((b"content-length", dice.choice([b"0", b"5", b"999", b"-1", b"5,5"])))


def connection_h2(r, dice, _):
    r.headers.append(dice.choice([(b"connection", b"thanos-tenant"), (b"transfer-encoding", b"chunked"), (b"te", b"trailers"), (b"te", b"gzip"), (b"upgrade", b"h2c"), (b"Upper", b"x"), (b"x\r\nthanos-tenant", b"team-b"), (b"x", b"1\r\nthanos-tenant: team-b")]))
