"""Python loads this at its start where the folder is on its path: what would leave this machine is refused and noted.

$CLICKS_WATCH names the file for the notes. It sees what goes through Python's own sockets.
"""

import os
import socket
import sys
from pathlib import Path
from typing import Any

HERE = {"", "localhost", "localhost.localdomain", "0.0.0.0", "::", "::1", socket.gethostname()}
connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo


def stays_here(host: Any) -> bool:
    text = host.decode() if isinstance(host, bytes) else str(host or "")
    return text in HERE or text.startswith("127.")


def note(host: Any) -> None:
    with Path(os.environ["CLICKS_WATCH"]).open("a", encoding="utf-8") as stream:
        stream.write(f"{host} by {' '.join(sys.argv[:4])}\n")


def watched(original: Any) -> Any:
    def to(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not stays_here(address[0]):
            note(address[0])
            raise ConnectionRefusedError("nothing leaves this machine here")
        return original(self, address)

    return to


def looked_up(host: Any, *arguments: Any, **options: Any) -> Any:
    if not stays_here(host):
        note(host)
        raise socket.gaierror("nothing leaves this machine here")
    return getaddrinfo(host, *arguments, **options)


if "CLICKS_WATCH" in os.environ:
    socket.socket.connect = watched(connect)  # type: ignore[method-assign]
    socket.socket.connect_ex = watched(connect_ex)  # type: ignore[method-assign]
    socket.getaddrinfo = looked_up
