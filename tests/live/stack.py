"""Real programs on loopback, started for one test module and ended with it."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


def tool(name):
    """The path of a program that scripts/tools provides."""
    done = subprocess.run([os.path.join(ROOT, "scripts", "tools"), name], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"scripts/tools {name} failed: {done.stderr.strip()[-500:]}")
    return done.stdout.strip().splitlines()[-1]


def module():
    """The built filter: what PROMFENCE_MODULE names, or target/promfence.wasm."""
    path = os.environ.get("PROMFENCE_MODULE") or os.path.join(ROOT, "target", "promfence.wasm")
    if not os.path.exists(path):
        raise RuntimeError(f"{path} is not there: run scripts/build")
    return os.path.abspath(path)


def command():
    """The path of the `promfence` command, built by cargo if it is not up to date."""
    done = subprocess.run(
        ["cargo", "build", "--locked", "--quiet", "--bin", "promfence", "--message-format=json"],
        capture_output=True, text=True, cwd=ROOT,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the command does not build: {done.stderr[-2000:]}")
    target = os.environ.get("CARGO_TARGET_DIR") or os.path.join(ROOT, "target")
    return os.path.join(target, "debug", "promfence")


class Stack:
    """Processes and a directory of their own. Use it as a context manager, or call `end`."""

    def __init__(self, name="live"):
        self.directory = tempfile.mkdtemp(prefix=f"promfence-{name}-")
        self.processes = {}
        self.ports = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def port(self):
        """A free port of loopback, never given twice by this stack."""
        while True:
            with socket.socket() as s:
                s.bind(("127.0.0.1", 0))
                port = s.getsockname()[1]
            if port not in self.ports:
                self.ports.append(port)
                return port

    def path(self, *parts):
        """A path in the stack's directory; its parent is made."""
        path = os.path.join(self.directory, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def write(self, name, text):
        """Writes a file of the stack and returns its path."""
        path = self.path(name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def start(self, name, argv, ready=None, seconds=60, env=None, cwd=None, tries=1):
        """Starts a program, its output in NAME.log; waits until `ready` (a URL or a callable) holds.

        With `tries`, one that ends before it is ready is started again.
        """
        log = open(self.path(f"{name}.log"), "ab")
        process = subprocess.Popen(
            [str(a) for a in argv], stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})}, cwd=cwd or self.directory,
        )
        log.close()
        self.processes[name] = process
        if ready:
            check = ready if callable(ready) else lambda: answers(ready)
            try:
                self.wait(f"{name} to be ready", check, seconds, name)
            except RuntimeError:
                if tries <= 1:
                    raise
                return self.start(name, argv, ready, seconds, env, cwd, tries - 1)
        return process

    def wait(self, what, check, seconds=30, name=None):
        """Waits until `check()` is true; fails with the log if `name` ends before."""
        end = time.monotonic() + seconds
        while True:
            if check():
                return
            if name and self.processes[name].poll() is not None:
                raise RuntimeError(f"{name} ended with {self.processes[name].returncode}:\n{self.log(name)}")
            if time.monotonic() > end:
                raise TimeoutError(f"waited {seconds} s for {what}\n{self.log(name) if name else ''}")
            time.sleep(0.02)

    def log(self, name, characters=3000):
        """The end of a program's output."""
        with open(self.path(f"{name}.log"), errors="replace") as f:
            return f.read()[-characters:]

    def stop(self, name, kill=False):
        """Ends one program and waits for it."""
        process = self.processes.pop(name, None)
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()

    def end(self):
        """Ends everything and removes the directory (kept with PROMFENCE_KEEP=1)."""
        for name in reversed(list(self.processes)):
            self.stop(name)
        if os.environ.get("PROMFENCE_KEEP"):
            print(f"kept {self.directory}")
        else:
            shutil.rmtree(self.directory, ignore_errors=True)


def answers(url):
    """Whether a GET of the URL succeeds."""
    try:
        with urllib.request.urlopen(url, timeout=2) as r:
            return r.status < 300
    except OSError:
        return False
