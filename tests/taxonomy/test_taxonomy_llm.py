"""The LLM client against a real HTTP server that misbehaves."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from llm_server import Answer, LlmServer, completion, cut, failure, hang, serving
from pydantic import BaseModel, ConfigDict

from pipelines.errors import BudgetError, TeacherError
from pipelines.taxonomy.llm import Client
from pipelines.taxonomy.llm_teacher import LabelledSessions
from pipelines.taxonomy.provider import Provider

SECRET = "prompt-secret"
GOOD = completion('{"word": "yes"}')


class Word(BaseModel):
    model_config = ConfigDict(extra="forbid")

    word: str


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key-secret")


def client(
    server: LlmServer, folder: Path, model: str = "openai/made-up", budget_usd: float = 1.0, **changes: Any
) -> Client:
    provider = Provider(model, server.api_base, timeout_seconds=0.6, max_attempts=3, first_wait_seconds=0.01)
    return Client(provider, budget_usd, folder / "replies", changes.get("replay", False))


def ask(
    asked: Client, sample: int = 0, reply_type: type[BaseModel] = Word, context: Mapping[str, Any] | None = None
) -> Any:
    return asked.ask([{"role": "user", "content": SECRET}], reply_type, context or {}, sample, temperature=0.0)


def n_stored(folder: Path) -> int:
    return len(list((folder / "replies").glob("*"))) if (folder / "replies").exists() else 0


def test_a_reply_is_asked_for_by_schema_once_and_kept(tmp_path: Path) -> None:
    with serving(GOOD) as server:
        asked = client(server, tmp_path)
        assert [ask(asked).word, ask(asked).word] == ["yes", "yes"]
    [request] = server.requests
    assert request["response_format"]["json_schema"] == {
        "name": "Word",
        "strict": True,
        "schema": Word.model_json_schema(),
    }
    assert (asked.ledger.n_calls, asked.ledger.n_cached, n_stored(tmp_path)) == (1, 1, 1)
    assert ask(client(server, tmp_path, replay=True)).word == "yes"  # the server is down


def test_each_sample_address_and_model_has_a_reply_of_its_own(tmp_path: Path) -> None:
    with serving(GOOD) as server, serving(GOOD) as elsewhere:
        for asked in (client(server, tmp_path), client(elsewhere, tmp_path), client(server, tmp_path, "openai/other")):
            ask(asked)
            ask(asked, sample=1)
    assert n_stored(tmp_path) == 6


@pytest.mark.parametrize("trouble", [failure(500), failure(503), hang, cut], ids=["500", "503", "hang", "cut"])
def test_a_passing_failure_is_tried_again(tmp_path: Path, trouble: Answer) -> None:
    with serving(trouble, GOOD) as server:
        asked = client(server, tmp_path)
        assert ask(asked).word == "yes"
    assert (len(server.requests), asked.ledger.n_calls, n_stored(tmp_path)) == (2, 2, 1)


def test_a_rate_limit_is_waited_for_as_long_as_the_server_says(tmp_path: Path) -> None:
    with serving(failure(429, {"Retry-After": "1"}), GOOD) as server:
        assert ask(client(server, tmp_path)).word == "yes"
    assert server.times[1] - server.times[0] >= 1


def test_a_server_that_wants_an_hour_is_not_waited_for(tmp_path: Path) -> None:
    with serving(failure(429, {"Retry-After": "3600"})) as server, pytest.raises(TeacherError, match="rate limit"):
        ask(client(server, tmp_path))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("trouble", "n_calls", "message"),
    [
        (failure(429), 3, "in 3 attempts: RateLimitError, status 429"),
        (failure(500), 3, "in 3 attempts"),
        (cut, 3, "in 3 attempts"),
        (hang, 3, "taxonomy.timeout_seconds"),
        (failure(401), 1, "AuthenticationError, status 401: check the provider's API key"),
        (failure(400), 1, "BadRequestError"),
        (failure(404), 1, "check taxonomy.model and taxonomy.api_base"),
    ],
    ids=["429", "500", "cut", "hang", "401", "400", "404"],
)
def test_a_lasting_failure_is_refused_and_nothing_is_kept(
    tmp_path: Path, trouble: Answer, n_calls: int, message: str
) -> None:
    with serving(trouble) as server, pytest.raises(TeacherError, match=message) as refused:
        ask(client(server, tmp_path))
    assert len(server.requests) == n_calls
    assert n_stored(tmp_path) == 0
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (completion("{}", choices=0), "held no choice"),
        (completion(None), "was empty"),
        (completion(" "), "was empty"),
        (completion('{"word": "y', finish_reason="length"), "longer than"),
        (completion("word: yes"), "not valid JSON"),
        (completion('{"word": "y'), "not valid JSON"),
        (completion('{"wort": "data-secret"}'), "word: Field required"),
        (completion('{"word": 7}'), "word: Input should be a valid string"),
    ],
    ids=["no choice", "null", "blank", "truncated", "no JSON", "cut JSON", "wrong field", "wrong type"],
)
def test_an_unusable_reply_is_asked_for_once_more_then_refused(tmp_path: Path, answer: Answer, message: str) -> None:
    with serving(answer) as server, pytest.raises(TeacherError, match=message) as refused:
        ask(client(server, tmp_path))
    assert len(server.requests) == 2
    assert n_stored(tmp_path) == 0
    assert "secret" not in str(refused.value)
    with serving(answer, GOOD) as server:
        assert ask(client(server, tmp_path)).word == "yes"
        assert ask(client(server, tmp_path)).word == "yes"  # kept under the first question, not under the repeated one
    assert len(server.requests) == 2
    assert message.split()[-1] in server.requests[1]["messages"][1]["content"]


def test_intents_and_sessions_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    context = {"keys": ["s1", "s2"], "intent_ids": {"pay"}}
    labelled = {"s1": ["pay"], "s2": []}

    def reply(**sessions: list[str]) -> Answer:
        return completion(json.dumps({"sessions": [{"session": k, "intents": v} for k, v in sessions.items()]}))

    wrong = [
        reply(**(labelled | {"s2": ["winner"]})),
        reply(s1=["pay"]),
        reply(**labelled, s3=[]),
        reply(s1=["pay", "pay"], s2=[]),
    ]
    for answer in wrong:
        with serving(answer) as server, pytest.raises(TeacherError, match="LabelledSessions twice"):
            ask(client(server, tmp_path), reply_type=LabelledSessions, context=context)
    with serving(reply(**labelled)) as server:
        assert ask(client(server, tmp_path), reply_type=LabelledSessions, context=context).sessions[0].intents == [
            "pay"
        ]
    assert n_stored(tmp_path) == 1


def test_the_budget_stops_before_the_call_that_could_exceed_it(tmp_path: Path) -> None:
    with serving(GOOD) as server:  # gpt-4o-mini: 0.15 and 0.60 USD a million tokens; 4,096 written cost 0.0025 USD
        asked = client(server, tmp_path, "openai/gpt-4o-mini", budget_usd=0.0026)
        ask(asked)
        assert asked.ledger.cost_usd == pytest.approx(100 * 0.15e-6 + 10 * 0.6e-6)
        asked.budget_usd = 0.0025
        with pytest.raises(BudgetError, match=r"taxonomy\.budget_usd \(0\.00\) are spent"):
            ask(asked, sample=1)
        assert ask(asked).word == "yes"  # what is stored costs nothing
    assert len(server.requests) == asked.ledger.n_calls == 1


def test_a_call_that_may_have_been_billed_counts_in_full_and_a_refused_one_does_not(tmp_path: Path) -> None:
    with serving(hang, failure(429)) as server:
        asked = client(server, tmp_path, "openai/gpt-4o-mini")
        with pytest.raises(TeacherError):
            ask(asked)
    assert len(server.requests) == 3
    assert 4096 * 0.6e-6 < asked.ledger.cost_usd < 2 * 4096 * 0.6e-6


def test_a_hosted_model_without_a_price_is_refused_without_a_call(tmp_path: Path) -> None:
    provider = Provider("openai/made-up", None, timeout_seconds=0.2, max_attempts=1)
    asked = Client(provider, 1.0, tmp_path / "replies", replay=False)
    with pytest.raises(BudgetError, match="price of openai/made-up is unknown"):
        ask(asked)
    assert asked.ledger.n_calls == 0


def test_replay_without_a_stored_reply_and_a_broken_stored_reply_are_refused(tmp_path: Path) -> None:
    with serving(GOOD) as server:
        with pytest.raises(TeacherError, match="replay"):
            ask(client(server, tmp_path, replay=True))
        ask(client(server, tmp_path))
        [stored] = (tmp_path / "replies").iterdir()
        stored.write_text("{", encoding="utf-8")
        with pytest.raises(TeacherError, match="delete this file"):
            ask(client(server, tmp_path))
    assert len(server.requests) == 1


def test_nothing_logs_or_prints_the_prompt_or_the_key(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG), serving(failure(500), failure(400)) as server, pytest.raises(TeacherError):
        ask(client(server, tmp_path))
    printed = capfd.readouterr()
    assert "secret" not in caplog.text + printed.out + printed.err
