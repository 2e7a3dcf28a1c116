"""Right answers: what each candidate must send upstream, looked at before and after the rounds."""

import urllib.parse

import web
from candidates import BARE, CALLS, CHAIN, NOOP, OURS
from queries import FIVE, MATCHER, TIMES
from upstream import ANSWER, CHECK

TIMES_PATH = "/api/v1/query_range"


class Wrong(Exception):
    """A candidate answered or forwarded something else than it must."""


def reads(candidate, upstream, token):
    """A candidate forwards each of the five queries as it must, as GET and as form."""
    for query, confined in FIVE:
        for form in (False, True):
            seen = ask(candidate, upstream, token, query, form)
            want = {OURS: confined}.get(candidate.name, query)
            if candidate.name == CHAIN:
                right = seen.count(MATCHER) == confined.count(MATCHER)
            else:
                right = seen == want
            if not right:
                raise Wrong(f"{candidate.name} forwarded {seen!r} for {query!r}")
    if candidate.name not in (BARE, NOOP, CALLS):
        refuses(candidate, token)


def ask(candidate, upstream, token, query, form):
    client = web.Client(candidate.port, token, headers={"user-agent": CHECK}, host=candidate.host)
    del upstream.seen[:]
    parameters = {"query": query, **TIMES}
    answer = (client.form if form else client.get)(TIMES_PATH, parameters)
    if answer.status != 200 or answer.text != ANSWER or len(upstream.seen) != 1:
        raise Wrong(f"{candidate.name} answered {answer} to {query!r}")
    _, path, _, body = upstream.seen[0]
    text = body.decode() or urllib.parse.urlsplit(path).query
    found = urllib.parse.parse_qs(text).get("query", [])
    if len(found) != 1:
        raise Wrong(f"{candidate.name} forwarded the parameters {text!r}")
    return found[0]


def refuses(candidate, token):
    """A candidate that authenticates refuses a token whose signature is another's."""
    head, claims, _ = token.split(".")
    forged = ".".join((head, claims, "A" * 86))
    for bad in (None, forged):
        answer = web.Client(candidate.port, bad, host=candidate.host).get("/api/v1/query", {"query": "up"})
        if answer.status != 401:
            raise Wrong(f"{candidate.name} answered {answer} to a bad token")
