#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""TLS before a service on loopback. usage: tls.py CERTIFICATE KEY PORT: prints the port that it has taken."""

import socket
import ssl
import sys
import threading

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)


def forward(source, target):
    try:
        while received := source.recv(4096):
            target.sendall(received)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # whoever has hung up is not told


def serve(connection):
    try:
        client = context.wrap_socket(connection, server_side=True)
    except OSError:
        return
    with client, socket.create_connection(("127.0.0.1", int(sys.argv[3]))) as service:
        back = threading.Thread(target=forward, args=(service, client))
        back.start()
        forward(client, service)
        back.join()


while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
