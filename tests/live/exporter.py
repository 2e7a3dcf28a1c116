"""A small target whose counters and histograms move, with exemplars; prints the port it was given."""

import random
import sys
import time

from prometheus_client import Counter, Gauge, Histogram, Info, start_http_server


def main():
    port = int(sys.argv[1])
    chance = random.Random(7)
    requests = Counter("shop_requests", "Requests served.", ["method", "user_id", "path"])
    seconds = Histogram("shop_request_seconds", "How long they took.", ["method"])
    stock = Gauge("shop_stock", "What is left; not always a number.", ["item"])
    Info("shop_build", "What is running.").info({"version": "1.2.3", "email": "ops@shop.example"})
    start_http_server(port, addr="127.0.0.1")
    stock.labels("nan").set(float("nan"))
    stock.labels("inf").set(float("-inf"))
    stock.labels("größe ünd \"quotes\"\n").set(1e-300)
    n = 0
    while True:
        n += 1
        method = chance.choice(["GET", "POST"])
        user, trace = f"user-{n % 5}", f"{n:032x}"
        requests.labels(method, user, f"/users/{n % 5}/cart").inc(exemplar={"trace_id": trace})
        seconds.labels(method).observe(chance.random(), exemplar={"trace_id": trace})
        stock.labels("apples").set(n)
        time.sleep(0.05)


if __name__ == "__main__":
    main()
