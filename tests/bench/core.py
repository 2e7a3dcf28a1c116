"""core-bench, built natively and for wasm with the profile of the module."""

import json
import os
import re
import subprocess

import stack as stacks

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.path.join(stacks.ROOT, "target", "bench")


def build(wasm=False):
    """Builds the program and returns its path."""
    argv = ["cargo", "build", "--quiet", "--locked", "--release"]
    for setting in profile():
        argv += ["--config", setting]
    if wasm:
        argv += ["--target", "wasm32-wasip1"]
    env = {**os.environ, "CARGO_TARGET_DIR": TARGET}
    subprocess.run(argv, cwd=os.path.join(HERE, "core"), env=env, check=True)
    return os.path.join(TARGET, "wasm32-wasip1/release/core-bench.wasm" if wasm else "release/core-bench")


def profile():
    """The settings of the module's own profile, so that both are compiled alike; names are kept."""
    with open(os.path.join(stacks.ROOT, "Cargo.toml")) as f:
        text = f.read()
    for table, name in (("profile.release", "profile.release"), ):
        found = re.search(rf"^\[{re.escape(table)}\]\n((?:[^\[\n].*\n|\n)*)", text, re.M)
        for line in (found.group(1) if found else "").splitlines():
            key, _, value = line.partition("#")[0].partition("=")
            if key.strip() and key.strip() != "strip":
                yield f"{name}.{key.strip()}={value.strip()}"


def run(*argv, wasm=False):
    """Runs it, natively or in V8 by node, and returns what it prints."""
    program = build(wasm)
    command = [program, *argv]
    if wasm:
        # With several collecting threads, node 20 dies of a program whose memory grows by much.
        command = ["node", "--no-warnings", "--single-threaded-gc", os.path.join(HERE, "wasi.mjs"), *command]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"core-bench {' '.join(argv)} ended with {done.returncode}: {done.stderr[-1500:]}")
    return done.stdout


def lines(*argv, wasm=False):
    return [json.loads(line) for line in run(*argv, wasm=wasm).splitlines()]
