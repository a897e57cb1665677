"""Twenty kills at random moments, and what the resumed runs pay: a real process each, forked, ended by SIGKILL."""

import json
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from llm_server import Handler, completion, serving
from pydantic import BaseModel

from pipelines.taxonomy.ledger import Ledger
from pipelines.taxonomy.llm import Llm
from pipelines.taxonomy.pace import Pace
from pipelines.taxonomy.price import Price
from pipelines.taxonomy.provider import Provider
from pipelines.taxonomy.question import Question
from pipelines.taxonomy.replies import Replies

N_KILLS = 20
CONCURRENCY = 3


class Word(BaseModel):
    word: str


def echo(handler: Handler, request: dict) -> None:
    time.sleep(0.02)
    completion(json.dumps({"word": request["messages"][0]["content"]}))(handler, request)


def model(folder: Path, api_base: str) -> Llm:
    return Llm(
        Provider("openai/made-up", api_base, 10.0), Price(1e-6, 1e-6), Replies(folder / "replies"),
        Ledger(folder / "ledger.jsonl", 10.0), False, CONCURRENCY, 2, Pace(None),
    )  # fmt: skip


def killed_after(seconds: float, folder: Path, api_base: str, questions: list[Question[Word]]) -> bool:
    """Answers the questions in a process of its own; whether it was killed before it was done."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            model(folder, api_base).answers(questions)
            status = 0
        finally:
            os._exit(status)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert status == 0
            return False
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def stored(folder: Path) -> dict[str, list[int]]:
    """Tokens by what was asked."""
    records = [json.loads(path.read_text()) for path in (folder / "replies").glob("*.json")]
    return {record["request"]["messages"][0]["content"]: record["tokens"] for record in records}


def test_after_twenty_kills_the_answers_are_the_same_and_no_stored_reply_was_paid_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key-secret")
    questions = [Question("test", [{"role": "user", "content": f"q{n}"}], Word, Word(word="")) for n in range(300)]
    rng = random.Random(6)
    known: list[tuple[int, set[str]]] = []  # at each kill: requests so far, what was stored
    with serving(echo) as server:
        model(tmp_path / "warm", server.api_base).ask(questions[0])  # what LiteLLM imports, before the forks
        server.requests.clear()
        while len(known) < N_KILLS:
            if not killed_after(rng.uniform(0.01, 0.15), tmp_path, server.api_base, questions):
                break
            time.sleep(0.05)  # what the process had sent arrives
            known.append((len(server.requests), set(stored(tmp_path))))
        resumed = model(tmp_path, server.api_base)
        answers = resumed.answers(questions)
        asked = [request["messages"][0]["content"] for request in server.requests]
    assert len(known) == N_KILLS
    assert [answer.word for answer in answers if isinstance(answer, Word)] == [f"q{n}" for n in range(300)]
    for n_before, had in known:
        assert not had & set(asked[n_before:])
    repeated = sum(Counter(asked).values()) - len(set(asked))
    assert repeated <= N_KILLS * CONCURRENCY  # what was on the wire
    total, replies = resumed.ledger.total, stored(tmp_path)
    assert (total.read, total.written) == tuple(map(sum, zip(*replies.values(), strict=True)))
    assert repeated <= total.n_lost <= total.n_calls - len(replies)
    resumed.finish()
    assert Ledger(tmp_path / "ledger.jsonl", 10.0).total.n_calls == 0
