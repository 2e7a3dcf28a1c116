"""Tokens of two tenants, and tokens that are none."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))

import issuer  # noqa: E402


class Tokens:
    """Good tokens by tenant, and bad ones."""

    def __init__(self):
        self.issuer = issuer.Issuer()
        stranger = issuer.Issuer()
        make = self.issuer.token
        self.good = {t: make(t, seconds=86400).encode() for t in ("team-a", "team-b")}
        self.bad = [
            t.encode() for t in (
                make("team-a", seconds=-3600), stranger.token("team-a"), make("team-a", aud="other"), make("team-a", iss="https://other.test"),
                make(), make("../team-b"), "a.b.c", "", make("team-a", nbf=int(time.time()) + 90000), make("default-tenant"),
            )
        ]
