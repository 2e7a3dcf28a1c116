"""The filter's configuration for the configuration that a case names."""

import base64


class Unknown(Exception):
    """A base or an option that this runner does not know: the case is skipped, with this reason."""


# The options of a case that concern Envoy, not the filter.
ENVOY_OPTIONS = {"workers", "request_timeout", "trailers", "stop_iteration", "config", "module"}


class Setting:
    """A case's `BASE+option+..`, taken apart."""

    def __init__(self, text):
        base, *options = text.split("+")
        base, _, argument = base.partition(":")
        self.base, self.argument, self.options = base, argument, {}
        if base == "C-trailers":
            self.base, options = "C0", [*options, "trailers"]
        for option in options:
            name, sep, value = option.partition("=")
            if not sep:
                name, _, value = option.partition(":")
            self.options[name] = value

    def get(self, name, default=None):
        return self.options.get(name, default)


KINDS = {
    "C0": "prometheus",
    "C-thanos": "thanos",
    "C-write": "receive",
    "C-am": "alertmanager",
    "C-federate-on": "prometheus",
    "C-rules-active-alerts": "prometheus",
    "C-public": "prometheus",
    "C-prefix": "prometheus",
    "C-buf32k": "prometheus",
}


def document(setting, keys, remote):
    """The configuration as the filter takes it. Keys are inline unless they are to be fetched."""
    if setting.base not in KINDS:
        raise Unknown(f"no such configuration: {setting.base}")
    kind = KINDS[setting.base]
    issuer = {
        "issuer": "https://idp.example",
        "audiences": ["thanos"],
        "algorithms": ["RS256", "ES256", "EdDSA"],
        "leeway": "30s",
        "tenants": [{"claim": "/tenant"}, {"claim": "/tenants"}],
    }
    if remote:
        fetched = {"cluster": "jwks", "authority": "idp.example", "path": "/keys"}
        for word, field in (("refresh", "refresh"), ("max_stale", "max_stale"), ("fetch_timeout", "timeout")):
            if setting.get(word):
                fetched[field] = setting.get(word)
        issuer["keys"] = {"remote": fetched}
        # One thread fetches for all: without it, each of Envoy's threads asks for itself, and a
        # script of answers would mean another thing to each.
        shared = {"secret": "0123456789abcdef0123456789abcdef"}
    else:
        issuer["keys"] = {"inline": keys.jwks(["rsa", "ec", "ed"])}
    made = {"tenancy": {"label": "tenant_id", "header": "THANOS-TENANT"}, "auth": {"issuers": [issuer]}}
    if remote:
        made["auth"]["shared_keys"] = shared
    upstream = {"hosts": ["metrics.example"], "cluster": "upstream"}
    if kind in ("prometheus", "thanos"):
        upstream["guards"] = {"max_bytes": "16KiB"}
        upstream["max_form"] = "1MiB"
    made["upstreams"] = [{kind: upstream}]

    base(setting, upstream)
    for name, value in setting.options.items():
        if name not in ENVOY_OPTIONS:
            option(name, value, made, issuer, upstream)
    return made


def base(setting, upstream):
    if setting.base == "C-federate-on":
        upstream["federate"] = True
    elif setting.base == "C-rules-active-alerts":
        upstream["rules"] = {"active_alerts": True}
    elif setting.base == "C-public":
        upstream["public"] = [setting.argument]
    elif setting.base == "C-prefix":
        upstream["prefix"] = setting.argument


def option(name, value, made, issuer, upstream):
    if name in ("leeway", "max_lifetime"):
        issuer[name] = value
    elif name in ("refresh", "max_stale", "fetch_timeout"):
        pass  # of fetched keys, above
    elif name == "claim":
        issuer["tenants"] = [{"claim": value}]
    elif name == "labels":
        issuer["labels_from"] = value
    elif name == "scopes":
        issuer["rights"] = {"claim": "/scope", "read": "metrics:read", "write": "metrics:write"}
    elif name == "oct":
        issuer["algorithms"].append("HS256")
        jwk = {"kty": "oct", "k": value, "kid": "oct", "use": "sig", "alg": "HS256"}
        base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
        issuer["keys"]["inline"]["keys"].append(jwk)
    elif name in ("on_conflict", "series_label", "max_body", "max_response"):
        upstream[name] = value
    elif name == "header":
        made["tenancy"]["header"] = value
    elif name == "select":
        made["tenancy"]["select"] = {"header": value}
    else:
        raise Unknown(f"no such option: {name}")
