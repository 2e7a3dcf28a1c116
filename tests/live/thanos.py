"""Thanos Receive and Query on loopback, as scripts/run starts them."""

import stack as stacks


def start(stack):
    """Starts both; returns the port for writes and that of Query."""
    binary = stacks.tool("thanos")
    grpc, http, write, capnp, query, query_grpc = (stack.port() for _ in range(6))
    local = "127.0.0.1:{}".format
    stack.start("receive", [
        binary, "receive", f"--tsdb.path={stack.path('receive')}", "--tsdb.retention=1d", "--log.level=error", f"--grpc-address={local(grpc)}",
        f"--http-address={local(http)}", f"--remote-write.address={local(write)}", f"--receive.capnproto-address={local(capnp)}",
        "--receive.tenant-header=THANOS-TENANT", "--receive.tenant-label-name=tenant_id", '--label=receive_replica="0"',
    ], f"http://{local(http)}/-/ready")
    stack.start("query", [
        binary, "query", "--log.level=error", f"--grpc-address={local(query_grpc)}", f"--http-address={local(query)}",
        f"--endpoint={local(grpc)}", "--query.replica-label=receive_replica",
    ], f"http://{local(query)}/-/ready")
    return write, query
