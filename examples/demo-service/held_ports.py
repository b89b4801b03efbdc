# SPDX-License-Identifier: MIT OR Apache-2.0
"""Ports for a demo service that is ended and started again at the same place."""

import socket


def held_ports():
    """Two ports in a row that nobody else is given: bound here, while a service listens on them, ends and comes back."""
    while True:
        held = socket.socket(), socket.socket()
        try:
            held[0].bind(("127.0.0.1", 0))
            held[1].bind(("127.0.0.1", held[0].getsockname()[1] + 1))
        except (OSError, OverflowError):
            continue
        for end in held:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return held
