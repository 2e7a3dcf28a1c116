"""A plain HTTP client that shows an answer as it is."""

import http.client
import json
import urllib.parse


class Answer:
    """Status, headers and body of one answer."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode(errors="replace")

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.text[:600]}"


def request(port, method, path, headers=None, body=None, timeout=30, host="gateway.test"):
    """Sends one request to 127.0.0.1:port. The path goes out as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        sent = {"host": host, **{k.lower(): v for k, v in (headers or {}).items()}}
        if body is not None and "content-length" not in sent:
            sent["content-length"] = str(len(body))
        for name, value in sent.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def encode(parameters):
    """A query string or form of a mapping or of pairs; lists repeat the name."""
    pairs = parameters.items() if isinstance(parameters, dict) else parameters
    return urllib.parse.urlencode(list(pairs), doseq=True)


class Client:
    """A caller of the gateway with one credential."""

    def __init__(self, port, token=None, headers=None, prefix="", host="gateway.test"):
        self.port, self.prefix, self.host = port, prefix, host
        self.headers = dict(headers or {})
        if token:
            self.headers["authorization"] = f"Bearer {token}"

    def get(self, path, parameters=None, headers=None):
        if parameters:
            path += "?" + encode(parameters)
        return request(self.port, "GET", self.prefix + path, {**self.headers, **(headers or {})}, host=self.host)

    def form(self, path, parameters, headers=None):
        sent = {**self.headers, "content-type": "application/x-www-form-urlencoded", **(headers or {})}
        return request(self.port, "POST", self.prefix + path, sent, encode(parameters).encode(), host=self.host)

    def send(self, method, path, body=None, headers=None):
        return request(self.port, method, self.prefix + path, {**self.headers, **(headers or {})}, body, host=self.host)
