"""The upstream: nginx answering 1 KiB of Prometheus JSON, and a recorder for what is checked."""

import http.server
import json
import os
import threading

import stack as stacks

CHECK = "bench-check"
ANSWER = json.dumps({
    "status": "success",
    "data": {"resultType": "vector", "result": [
        {"metric": {"__name__": "up", "tenant_id": "team-a", "instance": f"10.0.0.{i}:9100"}, "value": [1700000000, "1"]}
        for i in range(8)
    ]},
}).ljust(1024)


class Upstream:
    """nginx and the recorder. A request whose user agent is CHECK is recorded, any other answered
    by nginx itself, after its body was read. `answers` maps a path to a file that answers it."""

    def __init__(self, stack, answers=None):
        self.seen = []
        self.port, inner = stack.port(), stack.port()
        self.recorder = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        threading.Thread(target=self.recorder.serve_forever, daemon=True).start()
        files = "".join(f"location = {p} {{ alias {f}; }}\n" for p, f in (answers or {}).items())
        conf = CONF % {
            "directory": stack.directory, "port": self.port, "inner": inner, "answer": ANSWER, "files": files,
            "recorder": self.recorder.server_address[1], "check": CHECK,
        }
        path = stack.write("nginx.conf", conf)
        # Started by root, nginx reads files as somebody else.
        os.chmod(stack.directory, 0o711)
        argv = [stacks.tool("nginx"), "-c", path, "-p", stack.directory, "-e", "stderr"]
        stack.start("nginx", argv, f"http://127.0.0.1:{self.port}/")

    def handler(self):
        seen = self.seen

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(ANSWER)))
                self.end_headers()
                self.wfile.write(ANSWER.encode())

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        return Handler


CONF = """
daemon off;
worker_processes 1;
pid %(directory)s/nginx.pid;
error_log stderr warn;
events { worker_connections 4096; }
http {
  access_log off;
  default_type application/json;
  keepalive_requests 1000000000;
  keepalive_timeout 3600s;
  client_max_body_size 0;
  client_body_buffer_size 4m;
  large_client_header_buffers 8 64k;
  client_body_temp_path %(directory)s/t1;
  proxy_temp_path %(directory)s/t2;
  fastcgi_temp_path %(directory)s/t3;
  uwsgi_temp_path %(directory)s/t4;
  scgi_temp_path %(directory)s/t5;
  proxy_http_version 1.1;
  upstream inner { server 127.0.0.1:%(inner)s; keepalive 64; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:%(port)s;
    error_page 418 = @record;
    error_page 420 = @body;
    %(files)s
    location / {
      if ($http_user_agent = %(check)s) { return 418; }
      if ($request_method = POST) { return 420; }
      return 200 '%(answer)s';
    }
    location @record {
      proxy_set_header Connection "";
      proxy_pass http://127.0.0.1:%(recorder)s;
    }
    location @body {
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
      proxy_set_header Content-Type "";
      proxy_set_header Content-Encoding "";
      proxy_set_header Connection "";
      proxy_pass http://inner;
    }
  }
  server {
    listen 127.0.0.1:%(inner)s;
    location / { return 200 '%(answer)s'; }
  }
}
"""
