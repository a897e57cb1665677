"""A real OpenAI-style HTTP server on loopback that answers as scripted, or misbehaves."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Request = dict[str, Any]
Answer = Callable[["Handler", Request], None]


@dataclass
class LlmServer:
    """Its address, the requests it got, and the answers still to give; the last answer is given again and again.

    ``read`` and ``written`` are the tokens it would bill: of every reply that went out whole.
    """

    answers: list[Answer]
    requests: list[Request] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    api_base: str = ""
    read: int = 0
    written: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Handler(BaseHTTPRequestHandler):
    server_state: LlmServer

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        state = self.server_state
        with state.lock:
            state.requests.append(request)
            state.times.append(time.monotonic())
            answer = state.answers[0] if len(state.answers) == 1 else state.answers.pop(0)
        answer(self, request)

    def reply(self, status: int, body: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


def completion(
    content: str | None, finish_reason: str = "stop", choices: int = 1, refusal: str | None = None, metered: bool = True
) -> Answer:
    """A reply that bills a token a word of the request and a token a character of ``content``."""
    message = {"role": "assistant", "content": content, "refusal": refusal}
    choice = {"index": 0, "finish_reason": finish_reason, "message": message}

    def answer(handler: Handler, request: Request) -> None:
        read = sum(len(said["content"].split()) for said in request["messages"]) + 7
        written = len(content or "") + 1
        usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
        body = {"id": "x", "object": "chat.completion", "created": 1, "model": "made-up", "choices": [choice] * choices}
        handler.reply(200, json.dumps(body | ({"usage": usage} if metered else {})))
        with handler.server_state.lock:
            handler.server_state.read += read if metered else 0
            handler.server_state.written += written if metered else 0

    return answer


def failure(status: int, headers: dict[str, str] | None = None) -> Answer:
    body = json.dumps({"error": {"message": "no", "type": "made_up", "code": str(status)}})
    return lambda handler, request: handler.reply(status, body, headers)


def late(answer: Answer, seconds: float) -> Answer:
    """Returns ``answer``, given so long after it was asked for."""

    def answered(handler: Handler, request: Request) -> None:
        time.sleep(seconds)
        answer(handler, request)

    return answered


def hang(handler: Handler, request: Request) -> None:
    time.sleep(1.2)


def drip(handler: Handler, request: Request) -> None:
    """Sends a byte now and then: no read ever times out, and the reply never ends."""
    handler.send_response(200)
    handler.send_header("Content-Length", "10000")
    handler.end_headers()
    with suppress(OSError):
        for _ in range(40):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)
    handler.close_connection = True


def cut(handler: Handler, request: Request) -> None:
    """Closes the connection without an answer."""
    handler.close_connection = True
    handler.connection.close()


def cut_within(handler: Handler, request: Request) -> None:
    """Closes the connection in the middle of the answer."""
    handler.send_response(200)
    handler.send_header("Content-Length", "10000")
    handler.end_headers()
    handler.wfile.write(b'{"id": ')
    handler.close_connection = True


def filtered(handler: Handler, request: Request) -> None:
    """Refuses the text itself, as a content filter does."""
    error = {"message": "content_policy_violation", "type": "invalid_request_error", "code": "content_policy_violation"}
    handler.reply(400, json.dumps({"error": error}))


def analyst(handler: Handler, request: Request) -> None:
    """An LLM that knows three intents by a word in the sessions."""
    material = json.loads(request["messages"][1]["content"])
    asked = request["response_format"]["json_schema"]["name"]
    if asked == "Summaries":
        reply: dict[str, Any] = {"summaries": ["Compares what there is."] * len(material["sessions"])}
    elif asked == "ProposedTaxonomy":
        reply = {"categories": [_category("Loans", "Mortgage"), _category("Cards", "Card", "Winner")]}
    else:
        shown = json.dumps(material["session"])
        reply = {"intents": [f"find-{word}" for word in ("mortgage", "card") if re.search(word, shown, re.I)]}
        if "retirement" in shown:
            reply = {"intents": ["other"]}
    completion(json.dumps(reply))(handler, request)


def _category(name: str, *words: str) -> dict[str, Any]:
    intents = [
        {"name": f"Find a {word.lower()}", "description": f"{word}s."}
        | {"include": [], "exclude": ["Has one already"], "examples": [word], "keywords": [word]}
        for word in words
    ]
    return {"name": name, "description": name, "intents": intents}


@contextmanager
def serving(*answers: Answer, port: int = 0) -> Iterator[LlmServer]:
    """Runs the server until the block ends."""
    state = LlmServer(list(answers))
    server = ThreadingHTTPServer(("127.0.0.1", port), type("Bound", (Handler,), {"server_state": state}))
    server.daemon_threads = True
    state.api_base = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
