"""Compares an answer, and what arrived at the upstream, with what a case expects."""

import json
import re
import urllib.parse

import values

# Everything that an expectation may say. Another word would be ignored silently, so it is an error.
WORDS = set(
    "status startup body_json body_text body_must_not_contain answer_headers max_ms key_fetches note upstream".split()
)
UPSTREAM_WORDS = set(
    "method path headers_absent headers_equal trailers_absent no_body framing body_sha256 json param_counts max_params"
    " params_kept params_equal params_absent promql_equal match_set_equal every_selector_has every_match_has filter_has"
    " filter_set_equal".split()
)


def unknown_words(expect):
    found = set(expect) - WORDS
    if isinstance(expect.get("upstream"), dict):
        found |= set(expect["upstream"]) - UPSTREAM_WORDS
    return sorted(found)


def short(value, most=300):
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= most else f"{text[:most]}.. ({len(text)} characters)"


def check_answer(expect, answer):
    """What is wrong with an answer, as sentences."""
    wrong = []
    status = expect.get("status")
    allowed = status if isinstance(status, list) else [status]
    if status is not None and answer.status not in allowed:
        wrong.append(f"status {answer.status}, expected {' or '.join(map(str, allowed))}")
    # A case that names 0 among the statuses takes an answer that is cut off: nothing of it was shown.
    if (answer.status == 0 or not answer.whole) and 0 not in allowed:
        wrong.append(f"the answer is not whole: {answer.note or 'cut off'}")
    decoded = answer.decoded()
    if answer.status == 200 and "body_json" in expect:
        try:
            found = json.loads(decoded)
            if not same_json(found, expect["body_json"]):
                wrong.append(f"answer {short(decoded.decode(errors='replace'))}, expected {short(json.dumps(expect['body_json']))}")
        except ValueError:
            wrong.append(f"the answer is no JSON: {short(decoded)}")
    if answer.status == 200 and "body_text" in expect:
        wanted = values.text(expect["body_text"]).encode()
        if decoded != wanted:
            wrong.append(f"answer {short(decoded)}, expected {short(wanted)}")
    hidden = expect.get("body_must_not_contain", [])
    for each in [hidden] if isinstance(hidden, str) else hidden:
        text = values.text(each).encode()
        if text in decoded or text in answer.body or any(text.decode() in v for _, v in answer.trailers):
            wrong.append(f"the answer contains {each!r}")
    for name, wanted in expect.get("answer_headers", {}).items():
        found = answer.values(name.lower())
        if wanted is True and not found:
            wrong.append(f"the answer has no header {name}")
        elif wanted is False and found:
            wrong.append(f"the answer has the header {name}: {found}")
        elif not isinstance(wanted, bool):
            any_of = wanted if isinstance(wanted, list) else [wanted]
            if len(found) != 1 or found[0] not in [str(w) for w in any_of]:
                wrong.append(f"answer header {name} is {found}, expected {wanted}")
    if "max_ms" in expect and answer.ms > expect["max_ms"]:
        wrong.append(f"the answer took {answer.ms:.0f} ms, expected at most {expect['max_ms']}")
    return wrong


def same_json(a, b):
    """Equality without Python's own: True is not 1."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same_json(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same_json, a, b))
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    return a == b


def form_pairs(text):
    """Names and values of a query string or a form, read generously."""
    out = []
    for pair in text.split(b"&"):
        if pair:
            name, _, value = pair.partition(b"=")
            out.append(tuple(urllib.parse.unquote_to_bytes(p.replace(b"+", b" ")) for p in (name, value)))
    return out


def parameters(query, method, content_type, body):
    """Those of the URL and those of a form together."""
    out = form_pairs(query)
    if method not in ("GET", "HEAD") and content_type.split(";")[0].strip().lower() == "application/x-www-form-urlencoded":
        out += form_pairs(body)
    return out


def check_upstream(expect, answer, arrived, sent, parser):
    """What is wrong with the requests that arrived. `sent` is what the client sent."""
    wanted = expect.get("upstream")
    if wanted is None:
        return []
    own_lookup = sent.method == "GET" and re.fullmatch(rb"/api/v2/silence/[^/?]+", sent.target) is not None
    lookups = [r for r in arrived if r.is_lookup()]
    arrived = [r for r in arrived if not r.is_lookup()]
    if own_lookup and wanted != "none":
        # The filter's look-up and the client's request look alike; the last one is the client's.
        arrived += lookups[-1:]
    count = [r for r in arrived if r.whole or r.query or r.fault]
    if wanted == "none":
        return [f"the upstream got {describe(r)}" for r in count]
    wrong = []
    if 200 <= answer.status < 300 and len(count) != 1:
        wrong.append(f"{len(count)} requests arrived, expected one: {', '.join(map(describe, count))}")
    elif len(count) > 1:
        wrong.append(f"{len(count)} requests arrived, expected at most one: {', '.join(map(describe, count))}")
    for request in count:
        if request.fault:
            wrong.append(request.fault)
        wrong += check_request(wanted, request, sent, parser)
    return wrong


def describe(request):
    whole = "" if request.whole else " (not whole)"
    return f"{request.method.decode('latin-1')} {short(request.target.decode('latin-1'), 160)}{whole}"


def check_request(wanted, request, sent, parser):
    wrong = []

    def differs(what, found, expected):
        wrong.append(f"upstream {what}: {short(found)}, expected {short(expected)}")

    method = request.method.decode("latin-1")
    if wanted.get("method", method) != method:
        differs("method", method, wanted["method"])
    path = request.path.decode("latin-1")
    if wanted.get("path", path) != path:
        differs("path", path, wanted["path"])
    for name in wanted.get("headers_absent", []):
        found = request.values(name.lower())
        if found and not (name.lower() == "accept-encoding" and found == ["identity"]):
            differs(f"header {name}", found, "none")
    for name, expected in wanted.get("headers_equal", {}).items():
        expected = expected if isinstance(expected, list) else [expected]
        if request.values(name.lower()) != expected:
            differs(f"header {name}", request.values(name.lower()), expected)
    for name in wanted.get("trailers_absent", []):
        if any(n == name.lower() for n, _ in request.trailers):
            differs("trailers", request.trailers, f"no {name}")
    if "no_body" in wanted and wanted["no_body"] != (request.body == b""):
        differs("body", request.body, "none" if wanted["no_body"] else "one")
    if wanted.get("body_sha256") == "unchanged" and request.body != sent.body:
        differs("body", request.body, "the client's bytes")
    for where, expected in wanted.get("json", {}).items():
        try:
            found = at_path(json.loads(request.body), where)
        except (ValueError, LookupError, TypeError) as e:
            differs(f"body at {where}", f"{e!r} in {request.body!r}", expected)
            continue
        if not contains_json(found, expected):
            differs(f"body at {where}", found, expected)
    content_type = ",".join(request.values("content-type"))
    wrong += check_parameters(wanted, parameters(request.query, method, content_type, request.body), sent, parser)
    return wrong


def at_path(value, where):
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", where):
        value = value[int(index)] if index else value[name]
    return value


def contains_json(found, expected):
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(k in found and same_json(found[k], v) for k, v in expected.items())
    return same_json(found, expected)


def check_parameters(wanted, pairs, sent, parser):
    wrong = []

    def of(name):
        return [v for n, v in pairs if n == name.encode()]

    def differs(what, found, expected):
        wrong.append(f"upstream {what}: {short(found)}, expected {short(expected)}")

    for name, n in wanted.get("param_counts", {}).items():
        if len(of(name)) != n:
            differs(f"parameter {name}", of(name), f"{n} of it")
    if "max_params" in wanted and len(pairs) > wanted["max_params"]:
        differs("parameters", len(pairs), f"at most {wanted['max_params']}")
    for name in wanted.get("params_kept", []):
        theirs = [v for n, v in sent.parameters if n == name.encode()]
        if of(name) != theirs[:1] or not theirs:
            differs(f"parameter {name}", of(name), theirs[:1])
    for name, expected in wanted.get("params_equal", {}).items():
        expected = [values.text(v).encode() for v in (expected if isinstance(expected, list) else [expected])]
        if of(name) != expected:
            differs(f"parameter {name}", of(name), expected)
    for name in wanted.get("params_absent", []):
        if of(name):
            differs(f"parameter {name}", of(name), "none")
    for name, expression in wanted.get("promql_equal", {}).items():
        found = of(name)
        if len(found) != 1 or not parser.same("expr", values.text(expression), found[0]):
            differs(f"PromQL in {name}", found, values.text(expression))
    if "every_selector_has" in wanted:
        if not of("query"):
            differs("query", "none", "a confined one")
        for each in of("query"):
            if not parser.all_confined("expr", wanted["every_selector_has"], each):
                differs("query", each, f"{wanted['every_selector_has']} in every selector")
    if "every_match_has" in wanted:
        if not of("match[]"):
            differs("match[]", "none", "a confined one")
        for each in of("match[]"):
            if not parser.all_confined("selector", wanted["every_match_has"], each):
                differs("match[]", each, f"{wanted['every_match_has']}")
    for word, name, kind in (("match_set_equal", "match[]", "selector"), ("filter_set_equal", "filter", "filter")):
        if word in wanted:
            expected = {parser.expected(kind, values.text(v))["ast"] for v in wanted[word]}
            found = {parser.read(kind, v).get("ast") for v in of(name)}
            if found != expected:
                differs(name, of(name), wanted[word])
    if "filter_has" in wanted and not any(parser.same("filter", wanted["filter_has"], v) for v in of("filter")):
        differs("filter", of("filter"), f"one {wanted['filter_has']}")
    return wrong
