"""A mail server on loopback that keeps what it is sent: as much of SMTP (RFC 5321) as a letter without login needs."""

import socketserver
import threading
from email import message_from_bytes


class Mailbox(socketserver.ThreadingTCPServer):
    """Listens on a free port from the start; ``letters`` are headers and text of all that came."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.letters: list[str] = []
        self.port = int(self.server_address[1])
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Talk(socketserver.StreamRequestHandler):
    server: Mailbox

    def handle(self) -> None:
        self._say("220 loopback")
        while line := self.rfile.readline():
            command = line.strip().upper()
            if command == b"DATA":
                self._say("354 go on")
                self.server.letters.append(_readable(b"".join(iter(self.rfile.readline, b".\r\n"))))
            if command == b"QUIT":
                self._say("221 bye")
                return
            self._say("250 done")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


def _readable(letter: bytes) -> str:
    message = message_from_bytes(letter)
    parts = [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]
    headers = [f"{name}: {value}" for name, value in message.items()]
    return "\n".join([*headers, *(bytes(part).decode() for part in parts)])
