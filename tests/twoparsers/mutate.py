"""What an attacker does to a request. Each function changes it and says so."""

import re
import urllib.parse

import mutate_head
import mutate_frame
from request import escape

SECRET = b"secret"


def one(r, dice, tokens):
    """Does one thing to a request. Afterwards nothing is promised but that it does no harm."""
    family = dice.choices(
        [paths, parameters, mutate_head.headers, mutate_head.credentials, mutate_head.content, mutate_frame.frames], [3, 5, 4, 2, 2, 3]
    )[0]
    do = dice.choice(family(r))
    harmless = do(r, dice, tokens)
    r.told.append(f"{do.__name__};")
    if not harmless:
        r.plain = False


def paths(_):
    return [escaped_letter, double_slash, dot_segment, end_of_path, other_case, odd_byte, long_path, label_name, absolute_form, odd_target]


def parameters(r):
    has = [duplicate, both_places, denied_parameter, other_spelling, odd_value]
    return [bad_escape, semicolon, many, empty_pairs, fragment, order_of_same, denied_parameter, extra, *(has if r.url or r.form else [])]


# Paths.


def escaped_letter(r, dice, _):
    at = dice.randrange(1, max(2, len(r.path)))
    letter = r.path[at:at + 1] or b"q"
    form = dice.choice([b"%%%02x", b"%%%02X", b"%%25%02x", b"%%c0%%%02x"])
    r.path = r.path[:at] + form % ord(letter) + r.path[at + 1:]


def double_slash(r, dice, _):
    slashes = [i for i, b in enumerate(r.path) if b == 0x2F]
    at = dice.choice(slashes)
    r.path = r.path[:at] + dice.choice([b"//", b"///", b"/./", b"/%2f", b"/\\"]) + r.path[at + 1:]


def dot_segment(r, dice, _):
    other = dice.choice([b"/api/v1/query", b"/api/v1/labels", b"/api/v2/alerts", b"/-/ready", b"/federate"])
    up = dice.choice([b"..", b"%2e%2e", b".%2e", b"..;", b"..%2f", b"..%5c", b"..\\"])
    r.path = dice.choice([other + (b"/" + up) * other.count(b"/") + r.path, r.path + b"/" + up + b"/" + r.path.rsplit(b"/", 1)[1]])


def end_of_path(r, dice, _):
    r.path += dice.choice([b"/", b"//", b"/.", b".", b";", b";a=b", b"%00", b"%20", b"%09", b"%3f", b"%23", b"?", b"/..", b"\t", b"%0d%0a"])


def other_case(r, _, __):
    r.path = r.path.title()


def odd_byte(r, dice, _):
    at = dice.randrange(1, len(r.path) + 1)
    r.path = r.path[:at] + dice.choice([b"\x80", b"\xff", b"\xc3\xa9", b"\x7f", b"\x01", b"|", b"^", b"`", b"\"", b"<", b"{"]) + r.path[at:]


def long_path(r, dice, _):
    r.path += b"/" + b"a" * dice.choice([100, 2000, 20000])


def label_name(r, dice, _):
    name = dice.choice([b"tenant_id", b"U__a_2e_b", b"%5f_name__", b"a%2fb", b"a/b", b"..", b"a.b", b"\xc3\xa9", b"__name__", b"", b"job%00"])
    r.path, r.method = b"/api/v1/label/" + name + b"/values", b"GET"


def absolute_form(r, dice, _):
    host = dice.choice([r.host, b"alertmanager.test", b"prometheus.test", b"evil.test", b"a:b@prometheus.test", b"PROMETHEUS.test:80", b""])
    scheme = dice.choice([b"http", b"https", b"HTTP", b"ftp", b"file"])
    r.target = scheme + b"://" + host + r.whole_target()


def odd_target(r, dice, _):
    whole = r.whole_target()
    r.target = dice.choice([
        b"*", b"", whole[1:], b"//evil.test" + whole, b"?" + whole, b"#" + whole, whole + b" ", b" " + whole, b"\\" + whole,
        b"/%2e" + whole, b"/" + b"?" + whole, b"evil.test:80", whole.replace(b"?", b"%3f"), whole.replace(b"?", b"??"),
    ])


# Parameters.


def place(r, dice):
    """One of the lists of pairs that is there."""
    return dice.choice([p for p in (r.url, r.form) if p] or [r.url])


def add(r, dice, pair):
    pairs = r.form if r.form and dice.random() < 0.6 else r.url
    pairs.insert(dice.randrange(len(pairs) + 1), pair)


def duplicate(r, dice, _):
    name = dice.choice(place(r, dice)).split(b"=")[0]
    name = dice.choice([name, name.replace(b"u", b"%75"), name.replace(b"q", b"%71"), name + b"%00", b"+" + name, name + b"+", name.upper()])
    add(r, dice, name + b"=" + dice.choice([SECRET, b"", b"1", b"%zz", b"secret;", escape('{__name__=~".+"}')]))


def both_places(r, dice, _):
    if r.method == b"GET":
        r.body = b"query=secret&match[]=secret"
    else:
        r.url.append(b"query=secret")


def denied_parameter(r, dice, _):
    name = dice.choice([
        b"storeMatch[]", b"replicaLabels[]", b"analyze", b"shard_info", b"Query", b"QUERY", b"match", b"match[0]", b"match[", b"tenant",
        b"THANOS-TENANT", b"access_token", b"_method", b"cost", b"stats", b"lookback_delta", b"partial_response", b"engine", b"query[]", b"qu\xc3\xa9ry",
    ])
    add(r, dice, name + b"=" + dice.choice([b"tenant_id", b"true", b"1", SECRET, b"team-b", b"all", escape('{tenant_id="team-b"}')]))


def other_spelling(r, dice, _):
    pairs = place(r, dice)
    at = dice.randrange(len(pairs))
    name, _, value = pairs[at].partition(b"=")
    if not name or b"&" in name:  # nothing between two `&` is no pair to spell
        return False
    form = dice.choice(["lower", "plus", "all", "raw"])
    if form == "lower":
        pairs[at] = name + b"=" + re.sub(rb"%[0-9A-F]{2}", lambda m: m[0].lower(), value)
    elif form == "plus":
        pairs[at] = name + b"=" + value.replace(b"%20", b"+")
    elif form == "all":
        pairs[at] = b"".join(b"%%%02x" % b for b in urllib.parse.unquote_to_bytes(name)) + b"=" + value
    else:
        pairs[at] = name + b"=" + value.replace(b"%7B", b"{").replace(b"%7D", b"}").replace(b"%22", b'"').replace(b"%3D", b"=")
        return False  # a quote in a request line is for Envoy to judge
    return True


def odd_value(r, dice, _):
    pairs = place(r, dice)
    at = dice.randrange(len(pairs))
    name = pairs[at].partition(b"=")[0]
    pairs[at] = name + dice.choice([
        b"", b"=", b"=%", b"=%4", b"=up%00", b"=%ff", b"=%ef%bf%bd", b"=%c0%af", b"=up%0a", b"=up\xff", b"==up", b"=up=secret", b"=%ef%bb%bfup",
        b"=up%e2%80%a8", b"=up%0d", b"=%09up", b"=up%20or%20secret", b"=up%23%0asecret", b"=u%70", b"=" + b"%2b" * 500, b"=" + b"(" * 3000,
    ])


def bad_escape(r, dice, _):
    add(r, dice, dice.choice([b"query=%zz", b"%zz=secret", b"match[]=%", b"a=%u0041", b"query=%7Bsecret", b"%=1"]))


def semicolon(r, dice, _):
    add(r, dice, dice.choice([b"a=b;query=secret", b";query=secret", b"query=secret;", b"match[]=secret;a", b"a;b"]))


def many(r, dice, _):
    n = dice.choice([70, 1000, 10001])
    pad = dice.choice([b"a=1", b"", b"_=1", b"match[]=secret"])
    where = r.form if r.form else r.url
    if not r.form and n * (len(pad) + 1) > 40000:
        n = 1000
    where[0:0] = [pad] * n


def empty_pairs(r, dice, _):
    harmless = bool(r.url or r.form)  # where there are no parameters, `?&` is not one either
    add(r, dice, dice.choice([b"", b"", b"&"]))
    return harmless


def fragment(r, dice, _):
    add(r, dice, dice.choice([b"#query=secret", b"a#", b"_=1#&query=secret", b"_=%23"]))


def order_of_same(r, dice, _):
    if r.method == b"POST" and r.form:
        r.url, r.form = list(r.form), [b"query=secret", b"match[]=secret"]
    else:
        r.url = r.url[::-1]
        return True


def extra(r, dice, _):
    if r.path.startswith(b"/api/v1/") and r.kind == "prometheus" and r.path.endswith((b"series", b"labels", b"values")):
        harmless = not any(pair.startswith(b"_=") for pair in (*r.url, *r.form))
        add(r, dice, b"_=1700000000")
        return harmless
    add(r, dice, dice.choice([b"foo=bar", b"debug=1", b"callback=x", b"[]=secret", b"=secret", b"query.x=secret"]))
