"""Queries of the shared corpus, and series that their selectors find."""

import glob
import json
import os
import random
import re

import stack

FOLDER = os.environ.get("PROMFENCE_SHARED", os.path.join(stack.ROOT, "..", "shared")) + "/corpus/promql"
PLAIN = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
MATCHER = re.compile(r"(.*?)(=~|!~|!=|=)(.*)", re.S)
# What a pattern may be after, where it does not tell by itself.
GUESSES = ["api", "prod", "x1", "a", "b", "1", "200", "500", "GET", "/var", "us-east", "node-1", "get", "loaded", "/api/v1/query"]
STEP, STEPS = 30, 60


def folder():
    """Where the corpus lies, or None."""
    for path in (FOLDER, "/work/shared/corpus/promql"):
        if os.path.isdir(path):
            return path
    return None


def queries(thanos=False):
    """Queries that need no feature flag, each once, in the order of the corpus."""
    found = {}
    for path in sorted(glob.glob(folder() + "/*.jsonl")):
        with open(path) as f:
            for row in map(json.loads, f):
                takes = row["go_accepts_default"] and row["n_selectors"] and row.get("selectors") and not row["info_one_arg"]
                if takes and "tenant_id" not in row["query"] and (row["thanos_accepts"] or not thanos):
                    found.setdefault(row["query"], row)
    return list(found.values())


def value_for(pattern):
    """A value that a regular expression matches, if one is easily found."""
    plain = pattern.split("|")[0].strip("()")
    for guess in (pattern, plain, re.sub(r"[.][*+]", "x1", plain), *GUESSES):
        try:
            if guess and re.fullmatch(pattern, guess):
                return guess
        except re.error:
            return None
    return None


def labels_for(selector):
    """Labels of a series that a selector finds, or None."""
    labels = {}
    for text in selector["matchers"]:
        name, operator, value = MATCHER.fullmatch(text).groups()
        if operator == "=" and value:
            labels[name] = value
        elif operator == "=~" and not empty_fits(value):
            found = value_for(value)
            if found is None:
                return None
            labels[name] = found
        elif operator == "=~":
            found = value_for(value)
            if found:
                labels[name] = found
        elif operator == "!=" and not value:
            labels[name] = "set"
    if not NAME.fullmatch(labels.get("__name__", "generated")):
        return None
    if not all(PLAIN.fullmatch(name) for name in labels):
        return None
    return {"__name__": "generated", **labels}


def empty_fits(pattern):
    try:
        return re.fullmatch(pattern, "") is not None
    except re.error:
        return True


def series(rows, tenant, end):
    """Series of a tenant for all selectors of the rows: the same names for each tenant, but other
    values, and some series that only this tenant has. `end` is in seconds."""
    made, chance = {}, random.Random(tenant)
    for labels in filter(None, (labels_for(s) for row in rows for s in row["selectors"])):
        for instance in ("one:80", "two:80", f"{tenant}:80"):
            for le in ("0.1", "1", "+Inf") if labels["__name__"].endswith("_bucket") and "le" not in labels else (None,):
                full = {"job": "api", "instance": instance, **labels, **({"le": le} if le else {})}
                made.setdefault(tuple(sorted(full.items())), samples(chance, end, le))
    return [(dict(key), values) for key, values in made.items()]


def samples(chance, end, le):
    """A counter with a reset in some series; buckets grow with their bound."""
    value, out = chance.randrange(100), []
    pace = chance.randrange(1, 20) * {None: 1, "0.1": 1, "1": 20, "+Inf": 400}[le]
    reset = chance.randrange(STEPS * 2)
    for i in range(STEPS):
        value = 0 if i == reset and le is None else value + pace
        out.append(((end - STEP * (STEPS - 1 - i)) * 1000, float(value)))
    return out
