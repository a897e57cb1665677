"""The LLM client against a real HTTP server that misbehaves."""

import json
import logging
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from time import time
from typing import Annotated, Any

import pytest
from llm_server import Answer, LlmServer, completion, cut, cut_within, drip, failure, filtered, hang, late, serving
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo

from pipelines.errors import BudgetError, TeacherError
from pipelines.params import Price as StatedPrice
from pipelines.taxonomy.ledger import Ledger
from pipelines.taxonomy.llm import Llm
from pipelines.taxonomy.pace import Pace
from pipelines.taxonomy.price import Price, price_of
from pipelines.taxonomy.provider import Provider, litellm
from pipelines.taxonomy.question import Question, Unusable
from pipelines.taxonomy.replies import Replies

SECRET = "prompt-secret"
GOOD = completion('{"word": "yes"}')
PRICE = Price(0.15e-6, 0.6e-6)


def _no_winner(word: str, info: ValidationInfo) -> str:
    if word == (info.context or {}).get("forbidden"):
        raise ValueError("a word that is not allowed")
    return word


class Word(BaseModel):
    model_config = ConfigDict(extra="forbid")

    word: Annotated[str, AfterValidator(_no_winner)]


@pytest.fixture(scope="module", autouse=True)
def _imported() -> Iterator[None]:
    """LiteLLM's first call imports for seconds, which no timeout of a test should see."""
    with pytest.MonkeyPatch.context() as patch, serving(GOOD) as server:
        patch.setenv("OPENAI_API_KEY", "key-secret")
        folder = Path("/nowhere")
        asked = Llm(
            Provider("openai/made-up", server.api_base, 60.0), PRICE, _Forgetful(folder), _Unwritten(folder, 1.0),
            False, 1, 1, Pace(None),
        )  # fmt: skip
        asked.ask(question())
        yield


class _Forgetful(Replies):
    def keep(self, *_: Any) -> None:
        pass


class _Unwritten(Ledger):
    def _write(self, line: dict[str, Any]) -> None:
        self._read(line)


SOON: Any = {"timeout_seconds": 0.6}
"""Of servers that never end their reply; of others a busy machine may ask longer for one."""


def client(
    server: LlmServer, folder: Path, model: str = "openai/made-up", budget_usd: float = 1.0, **changes: Any
) -> Llm:
    ledger = Ledger(folder / "ledger.jsonl", budget_usd)
    return Llm(
        provider=Provider(model, server.api_base, timeout_seconds=changes.get("timeout_seconds", 10.0)),
        price=PRICE,
        replies=Replies(folder / "replies"),
        ledger=ledger,
        replay=changes.get("replay", False),
        concurrency=changes.get("concurrency", 4),
        max_attempts=3,
        pace=Pace(changes.get("requests_per_minute")),
        first_wait_seconds=0.01,
    )


def question(sample: int = 0, **changes: Any) -> Question[Word]:
    messages = [{"role": "user", "content": SECRET}]
    return Question("test", messages, Word, Word(word="usual"), {"forbidden": "winner"}, sample, **changes)


def n_stored(folder: Path) -> int:
    return len(list((folder / "replies").glob("*"))) if (folder / "replies").exists() else 0


def right_to_the_token(asked: Llm, server: LlmServer) -> bool:
    """Also when it is read again, as a later process does."""
    again = Ledger(asked.ledger.path, 1.0).total
    used = asked.ledger.total
    billed = PRICE.of(server.read, server.written)
    lost = used.cost_usd - billed  # of calls without a reply, in full
    return (used.read, used.written, again.read, again.written) == (server.read, server.written) * 2 and (
        lost == pytest.approx(0) if used.n_lost == 0 else lost >= used.n_lost * 4096 * PRICE.written_usd
    )


def test_a_reply_is_asked_for_by_schema_once_and_kept(tmp_path: Path) -> None:
    with serving(GOOD) as server:
        asked = client(server, tmp_path)
        assert [asked.ask(question()).word, asked.ask(question()).word] == ["yes", "yes"]
    [request] = server.requests
    assert request["response_format"]["json_schema"] == {
        "name": "Word",
        "strict": True,
        "schema": Word.model_json_schema(),
    }
    used = asked.ledger.of("test")
    assert (used.n_calls, used.n_stored, n_stored(tmp_path)) == (1, 1, 1)
    assert right_to_the_token(asked, server)
    assert client(server, tmp_path, replay=True).ask(question()).word == "yes"  # the server is down


def test_each_sample_address_and_model_has_a_reply_of_its_own(tmp_path: Path) -> None:
    with serving(GOOD) as server, serving(GOOD) as elsewhere:
        for asked in (client(server, tmp_path), client(elsewhere, tmp_path), client(server, tmp_path, "openai/other")):
            asked.answers([question(), question(sample=1)])
    assert n_stored(tmp_path) == 6


def test_equal_questions_are_asked_once_and_all_are_answered_in_their_order(tmp_path: Path) -> None:
    def echo(handler: Any, request: Any) -> None:
        completion(json.dumps({"word": request["messages"][0]["content"]}))(handler, request)

    asks = [Question("test", [{"role": "user", "content": f"{n % 7}"}], Word, Word(word="")) for n in range(40)]
    with serving(echo) as server:
        asked = client(server, tmp_path, concurrency=5)
        answers = asked.answers(asks)
    assert [answer.word for answer in answers if isinstance(answer, Word)] == [f"{n % 7}" for n in range(40)]
    assert len(server.requests) == 7
    assert right_to_the_token(asked, server)


def test_no_more_calls_are_under_way_than_allowed(tmp_path: Path) -> None:
    import threading
    import time

    now, most, lock = [0], [0], threading.Lock()

    def slow(handler: Any, request: Any) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.05)
        with lock:
            now[0] -= 1
        GOOD(handler, request)

    with serving(slow) as server:
        client(server, tmp_path, concurrency=3).answers([question(sample) for sample in range(12)])
    assert most[0] == 3


def test_calls_keep_the_pace_that_is_set(tmp_path: Path) -> None:
    with serving(GOOD) as server:
        client(server, tmp_path, requests_per_minute=600.0).answers([question(sample) for sample in range(6)])
    gaps = [later - earlier for earlier, later in zip(server.times, server.times[1:], strict=False)]
    assert sum(gaps) >= 0.45  # five gaps of a tenth of a second, less what the first call lost on its way


@pytest.mark.parametrize(
    "trouble", [failure(500), failure(503), hang, cut, cut_within, drip],
    ids=["500", "503", "hang", "cut", "cut within", "slow drip"],
)  # fmt: skip
def test_a_passing_failure_is_tried_again(tmp_path: Path, trouble: Answer) -> None:
    with serving(trouble, GOOD) as server:
        asked = client(server, tmp_path, **SOON if trouble in (hang, drip) else {})
        assert asked.ask(question()).word == "yes"
        assert (len(server.requests), asked.ledger.total.n_calls, n_stored(tmp_path)) == (2, 2, 1)
        assert right_to_the_token(asked, server)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_rate_limit_is_waited_for_by_all_as_long_as_the_server_says(tmp_path: Path, form: str) -> None:
    limit = failure(429, {"Retry-After": "1" if form == "seconds" else formatdate(time() + 2.5, usegmt=True)})
    with serving(limit, late(GOOD, 0.4)) as server:  # on a busy machine the limit is read some time after it came
        client(server, tmp_path, requests_per_minute=6000.0, concurrency=2).answers([question(n) for n in range(3)])
    assert server.times[-1] - server.times[0] >= 1
    assert sum(later - server.times[0] < 0.9 for later in server.times[1:]) <= 1  # one was under way already


def test_a_server_that_wants_an_hour_is_not_waited_for(tmp_path: Path) -> None:
    with serving(failure(429, {"Retry-After": "3600"})) as server, pytest.raises(TeacherError, match="rate limit"):
        client(server, tmp_path).ask(question())
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("trouble", "n_calls", "message"),
    [
        (failure(429), 3, "in 3 attempts: RateLimitError, status 429"),
        (failure(500), 3, "in 3 attempts"),
        (cut, 3, "in 3 attempts"),
        (hang, 3, "taxonomy.timeout_seconds"),
        (drip, 3, "taxonomy.timeout_seconds"),
        (failure(401), 1, "AuthenticationError, status 401: check the provider's API key"),
        (failure(400), 1, "BadRequestError"),
        (failure(404), 1, "check taxonomy.model and taxonomy.api_base"),
    ],
    ids=["429", "500", "cut", "hang", "slow drip", "401", "400", "404"],
)
def test_a_lasting_failure_is_refused_and_nothing_is_kept(
    tmp_path: Path, trouble: Answer, n_calls: int, message: str
) -> None:
    with serving(trouble) as server, pytest.raises(TeacherError, match=message) as refused:
        client(server, tmp_path, **SOON if trouble in (hang, drip) else {}).ask(question())
    assert len(server.requests) == n_calls
    assert n_stored(tmp_path) == 0
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (completion("{}", choices=0), "held no choice"),
        (completion(None), "was empty"),
        (completion(" "), "was empty"),
        (completion(None, refusal="I will not"), "was a refusal"),
        (completion("", finish_reason="content_filter"), "was a refusal"),
        (completion('{"word": "y', finish_reason="length"), "longer than"),
        (completion("word: yes"), "not valid JSON"),
        (completion('{"word": "y'), "not valid JSON"),
        (completion('{"wort": "data-secret"}'), "word: Field required"),
        (completion('{"word": 7}'), "word: Input should be a valid string"),
        (completion('{"word": "winner"}'), "a word that is not allowed"),
    ],
    ids=[
        "no choice",
        "null",
        "blank",
        "refusal",
        "filter",
        "truncated",
        "no JSON",
        "cut JSON",
        "field",
        "type",
        "value",
    ],
)
def test_an_unusable_reply_is_asked_for_once_more_then_refused(tmp_path: Path, answer: Answer, message: str) -> None:
    with serving(answer) as server:
        asked = client(server, tmp_path)
        with pytest.raises(TeacherError, match=message) as refused:
            asked.ask(question())
    assert len(server.requests) == asked.ledger.total.n_unusable == 2
    assert asked.ledger.total.n_hallucinated == 0
    assert right_to_the_token(asked, server)
    assert n_stored(tmp_path) == 0
    assert "secret" not in str(refused.value)
    with serving(answer, GOOD) as server:
        asked = client(server, tmp_path / "again")
        assert asked.ask(question()).word == "yes"
        assert asked.ask(question()).word == "yes"  # kept under the first question, not under the repeated one
    assert len(server.requests) == 2
    assert message.split()[-1] in server.requests[1]["messages"][1]["content"]


def test_one_text_that_a_content_filter_refuses_leaves_the_others_answered(tmp_path: Path) -> None:
    with serving(filtered, GOOD) as server:
        asked = client(server, tmp_path, concurrency=1)
        refused, answered = asked.answers([question(), question(sample=1)])
    assert isinstance(refused, Unusable)
    assert isinstance(answered, Word)
    assert right_to_the_token(asked, server)


def test_after_a_failure_nothing_is_begun_and_what_is_under_way_is_kept(tmp_path: Path) -> None:
    def slow(handler: Any, request: Any) -> None:
        import time

        time.sleep(0.3)
        GOOD(handler, request)

    with serving(slow, failure(401), GOOD) as server:
        asked = client(server, tmp_path, concurrency=2)
        with pytest.raises(TeacherError, match="API key"):
            asked.answers([question(sample) for sample in range(9)])
    assert (len(server.requests), n_stored(tmp_path)) == (2, 1)
    assert right_to_the_token(asked, server)


def test_the_budget_stops_before_the_call_that_could_exceed_it(tmp_path: Path) -> None:
    with serving(GOOD) as server:  # 4,096 tokens written cost 0.0025 USD
        asked = client(server, tmp_path, budget_usd=0.0026)
        asked.ask(question())
        with pytest.raises(BudgetError, match=r"taxonomy\.budget_usd \(0\.00\) are spent"):
            asked.answers([question(sample) for sample in range(1, 9)])
        assert asked.ask(question()).word == "yes"  # what is stored costs nothing
    assert len(server.requests) == asked.ledger.total.n_calls < 9


def test_calls_under_way_are_counted_at_the_most_they_can_cost(tmp_path: Path) -> None:
    with serving(hang) as server, pytest.raises(BudgetError):
        client(server, tmp_path, budget_usd=3 * 0.0026, concurrency=8, **SOON).answers([question(n) for n in range(8)])
    assert len(server.requests) == 3


def test_a_budget_is_of_a_run_however_often_it_is_killed(tmp_path: Path) -> None:
    with serving(GOOD) as server:
        client(server, tmp_path, budget_usd=0.004).ask(question())
        killed = client(server, tmp_path, budget_usd=0.004)
        killed.ledger.reserve("request", "test", 0.0025)  # and the process ends
        with (tmp_path / "ledger.jsonl").open("a") as file:
            file.write('{"settled": "torn')
        resumed = client(server, tmp_path, budget_usd=0.004)
        assert resumed.ledger.total.n_lost == 1
        with pytest.raises(BudgetError):
            resumed.ask(question(sample=1))
        resumed.finish()
        assert client(server, tmp_path, budget_usd=0.004).ask(question(sample=1)).word == "yes"


def test_a_kill_between_storing_and_noting_loses_no_token(tmp_path: Path) -> None:
    with serving(GOOD) as server:
        asked = client(server, tmp_path)
        asked.ask(question())
    kept = [line for line in asked.ledger.path.read_text().splitlines(keepends=True) if "settled" not in line]
    asked.ledger.path.write_text("".join(kept))
    assert right_to_the_token(client(server, tmp_path), server)


def test_a_call_that_may_have_been_billed_counts_in_full_and_a_refused_one_does_not(tmp_path: Path) -> None:
    with serving(hang, failure(429)) as server:
        asked = client(server, tmp_path, **SOON)
        with pytest.raises(TeacherError):
            asked.ask(question())
    assert len(server.requests) == 3
    assert 4096 * 0.6e-6 < asked.ledger.total.cost_usd < 2 * 4096 * 0.6e-6


def test_a_reply_that_tells_no_tokens_counts_in_full(tmp_path: Path) -> None:
    with serving(completion('{"word": "yes"}', metered=False)) as server:
        asked = client(server, tmp_path)
        asked.ask(question())
    assert asked.ledger.total.cost_usd > 4096 * 0.6e-6


def test_a_price_is_stated_or_known_never_guessed() -> None:
    assert price_of("openai/gpt-4o-mini", None) == Price(0.15e-6, 0.6e-6)
    assert price_of("openai/made-up", StatedPrice(read=2, written=8)) == Price(2e-6, 8e-6)
    assert price_of("openai/made-up", StatedPrice(read=0, written=0)) == Price(0, 0)
    with pytest.raises(BudgetError, match=r"price of openai/made-up is unknown.*\{read: 0, written: 0\}"):
        price_of("openai/made-up", None)


def test_a_reply_is_no_longer_than_the_model_can_write() -> None:
    assert (
        Provider("openai/gpt-4", None, 1.0).most_tokens(100_000) == litellm().model_cost["gpt-4"]["max_output_tokens"]
    )
    assert Provider("openai/made-up", None, 1.0).most_tokens(100_000) == 100_000


def test_replay_without_a_stored_reply_and_a_broken_stored_reply_are_refused(tmp_path: Path) -> None:
    with serving(GOOD) as server:
        with pytest.raises(TeacherError, match="no reply to 1 of 1 requests"):
            client(server, tmp_path, replay=True).ask(question())
        client(server, tmp_path).ask(question())
        [stored] = (tmp_path / "replies").iterdir()
        whole = stored.read_text(encoding="utf-8")
        for text in ("{", whole.replace("yes", "winner")):
            stored.write_text(text, encoding="utf-8")
            with pytest.raises(TeacherError, match="delete this file"):
                client(server, tmp_path).ask(question())
    assert len(server.requests) == 1


def test_nothing_logs_or_prints_the_prompt_or_the_key(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG), serving(failure(500), failure(400)) as server, pytest.raises(TeacherError):
        client(server, tmp_path).ask(question())
    printed = capfd.readouterr()
    assert "secret" not in caplog.text + printed.out + printed.err
    assert "secret" not in (tmp_path / "ledger.jsonl").read_text()
