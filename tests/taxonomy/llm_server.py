"""A real OpenAI-style HTTP server on loopback that answers as scripted, or misbehaves."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Request = dict[str, Any]
Answer = Callable[["Handler", Request], None]


@dataclass
class LlmServer:
    """Its address, the requests it got, and the answers still to give; the last answer is given again and again."""

    answers: list[Answer]
    requests: list[Request] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    api_base: str = ""


class Handler(BaseHTTPRequestHandler):
    server_state: LlmServer

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        state = self.server_state
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


def completion(content: str | None, finish_reason: str = "stop", choices: int = 1) -> Answer:
    choice = {"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", "content": content}}
    body = {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "made-up",
        "choices": [choice] * choices,
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    }
    return lambda handler, request: handler.reply(200, json.dumps(body))


def failure(status: int, headers: dict[str, str] | None = None) -> Answer:
    body = json.dumps({"error": {"message": "no", "type": "made_up", "code": str(status)}})
    return lambda handler, request: handler.reply(status, body, headers)


def hang(handler: Handler, request: Request) -> None:
    time.sleep(1.2)


def cut(handler: Handler, request: Request) -> None:
    """Closes the connection without an answer."""
    handler.close_connection = True
    handler.connection.close()


def analyst(handler: Handler, request: Request) -> None:
    """An LLM that knows three intents by a word in the sessions."""
    prompt = request["messages"][0]["content"]
    if request["response_format"]["json_schema"]["name"] == "ProposedTaxonomy":
        reply: dict[str, Any] = {"categories": [_category("Loans", "Mortgage"), _category("Cards", "Card", "Winner")]}
    else:
        sessions = json.loads(prompt.rpartition("Sessions:\n")[2])
        reply = {"sessions": [_labelled(key, json.dumps(shown)) for key, shown in sessions.items()]}
    completion(json.dumps(reply))(handler, request)


def _category(name: str, *words: str) -> dict[str, Any]:
    intents = [
        {"name": f"Find a {word.lower()}", "description": f"{word}s.", "examples": [word], "keywords": [word]}
        for word in words
    ]
    return {"name": name, "description": name, "intents": intents}


def _labelled(key: str, text: str) -> dict[str, Any]:
    return {"session": key, "intents": [f"find-{word}" for word in ("mortgage", "card") if re.search(word, text, re.I)]}


@contextmanager
def serving(*answers: Answer) -> Iterator[LlmServer]:
    """Runs the server until the block ends."""
    state = LlmServer(list(answers))
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"server_state": state}))
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
