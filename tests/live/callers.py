"""Who asks, what each of them may see, and the proof of both: presence and absence."""

import unittest

import data
import web

A, B = "team-a", "team-b"
# What each caller sees: tenants, or None for who is not let in.
SIGHT = {
    "A": [A],
    "B": [B],
    "A+B": [A, B],
    "admin": [A, B],
    "A+B as A, by header": [A],
    "A+B as B, by parameter": [B],
    "without data": [],
    "nobody": None,
}


class Caller(web.Client):
    """A client that may add a parameter to every URL."""

    def __init__(self, *args, parameter="", **more):
        super().__init__(*args, **more)
        self.parameter = parameter

    def url(self, path):
        return path + ("&" if "?" in path else "?") + self.parameter if self.parameter else path

    def get(self, path, parameters=None, headers=None):
        if parameters:
            path += "?" + web.encode(parameters)
        return super().get(self.url(path), None, headers)

    def form(self, path, parameters, headers=None):
        return super().form(self.url(path), parameters, headers)


def callers(port, issuer, prefix=""):
    """A client for each caller of `SIGHT`."""

    def make(token, **more):
        return Caller(port, token, prefix=prefix, **more)

    both = issuer.token(A, B)
    return {
        "A": make(issuer.token(A)),
        "B": make(issuer.token(B)),
        "A+B": make(both),
        "admin": make(issuer.token(sub="admin", role="admin")),
        "A+B as A, by header": make(both, headers={"x-promfence-tenant": A}),
        "A+B as B, by parameter": make(both, parameter="tenant=" + B),
        "without data": make(issuer.token("team-z")),
        "nobody": make(None),
    }


PROVEN = {}


class Sight(unittest.TestCase):
    """A test whose class has `callers`; it proves for each caller what an answer shows and hides."""

    callers = {}

    def shows(self, endpoint, ask, *own, status=200, skip=(), text=lambda answer: answer.text):
        """Each caller's answer to `ask` has `own` (texts with `{word}`) of each tenant it may see,
        and no word or name of the others; nobody gets 401."""
        for name, client in self.callers.items():
            if name in skip:
                continue
            with self.subTest(endpoint=endpoint, caller=name):
                answer = ask(client)
                sees = SIGHT[name]
                if sees is None:
                    self.assertEqual(answer.status, 401, answer)
                    shown = answer.text
                else:
                    self.assertEqual(answer.status, status, answer)
                    shown = text(answer)
                for tenant, word in data.WORDS.items():
                    if tenant in (sees or ()):
                        for part in own:
                            self.assertIn(part.replace("{word}", word).replace("{tenant}", tenant), shown)
                    else:
                        self.hides(shown, tenant)
                PROVEN.setdefault(endpoint, []).append(name)

    def hides(self, shown, tenant):
        """Neither the tenant nor its word stands anywhere in a text."""
        self.assertNotIn(data.WORDS[tenant], shown.lower())
        self.assertNotIn(tenant, shown)


def tell(upstream):
    """Prints what was proven, an endpoint a line."""
    for endpoint, names in sorted(PROVEN.items()):
        print(f"proven {upstream} {endpoint}: {', '.join(dict.fromkeys(names))}")
    PROVEN.clear()
