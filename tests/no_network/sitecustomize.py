"""Put on PYTHONPATH by the tests: a process that opens a connection to anywhere stops with an error that says where.

Kernels talk to their clients through zmq, which does not pass here.
"""

import socket


def _refuse(self, address, *rest):
    if self.family == getattr(socket, "AF_UNIX", None):
        return _connect(self, address, *rest)
    raise OSError(f"a lab tried to reach the network: {address}")


def _refuse_lookup(host, *rest, **options):
    if host in (None, "", "localhost", "127.0.0.1", "::1"):
        return _lookup(host, *rest, **options)
    raise OSError(f"a lab tried to look up {host!r}")


_connect, _lookup = socket.socket.connect, socket.getaddrinfo
socket.socket.connect = _refuse
socket.socket.connect_ex = _refuse
socket.getaddrinfo = _refuse_lookup
