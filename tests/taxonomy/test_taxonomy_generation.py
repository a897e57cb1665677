"""A taxonomy by a made-up model: summarised, generated, updated until it stands still, reviewed."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from bank_tables import taxonomy_params
from pydantic import ValidationError

from pipelines.taxonomy import labelling
from pipelines.taxonomy.document import Category, Intent, document
from pipelines.taxonomy.generation import N_BATCHES, N_CALM, Summaries, generate
from pipelines.taxonomy.ledger import Ledger
from pipelines.taxonomy.question import Question, Unusable, explained
from pipelines.taxonomy.rendering import RenderedSession

BATCH_SIZE = 2
NEW_NAMES = 3  # the model names something new in so many groups of sessions, then nothing


def intent(name: str) -> dict[str, Any]:
    return {"name": name, "description": f"About {name}", "include": [], "exclude": [], "examples": [], "keywords": []}


class Model:
    """Answers every question as its prompt asks, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Question[Any]] = []

    def ask(self, question: Question[Any]) -> Any:
        self.asked.append(question)
        n_told = sum(one.purpose in ("generate", "update") for one in self.asked)
        names = [f"need {number}" for number in range(min(n_told, NEW_NAMES))]
        if question.purpose == "review":
            names = ["reviewed need", *names[1:]]
        reply = {"categories": [{"name": "All", "description": "All", "intents": [intent(name) for name in names]}]}
        return question.validated(json.dumps(reply))

    def answers(self, questions: Sequence[Question[Any]], what: str = "") -> list[Any]:
        self.asked += questions
        first, *others = questions
        summaries = ["Looks for a loan."] * first.context["n_sessions"]
        said = [question.validated(json.dumps({"summaries": summaries})) for question in others]
        return [Unusable("made up"), *said]  # a batch that cannot be used is left out

    def used(self) -> str:
        return ""

    def finish(self) -> None:
        pass


def sessions(n_sessions: int) -> list[RenderedSession]:
    return [RenderedSession(f"{number:03}", "web", '[{"step":1,"page":"/loans"}]') for number in range(n_sessions)]


def test_reading_stops_when_updates_change_nothing_and_the_review_has_the_last_word(repository: Path) -> None:
    model, params = Model(), taxonomy_params(repository, batch_size=BATCH_SIZE)
    a_group = N_BATCHES * BATCH_SIZE
    made, read = generate(model, sessions(20 * a_group), params)
    purposes = [question.purpose for question in model.asked if question.purpose != "summarise"]
    assert purposes == ["generate", *["update"] * (NEW_NAMES - 1 + N_CALM), "review"]
    assert len(read) == (NEW_NAMES + N_CALM) * a_group  # of twenty groups
    assert [one.name for one in made.intents] == ["reviewed need", "need 1", "need 2"]
    assert [one.id for one in made.intents] == ["reviewed-need", "need-1", "need-2"]


def test_an_update_reads_the_taxonomy_and_the_usable_summaries_only(repository: Path) -> None:
    model = Model()
    generate(model, sessions(2 * N_BATCHES * BATCH_SIZE), taxonomy_params(repository, batch_size=BATCH_SIZE))
    told = {question.purpose: question.messages[1]["content"] for question in model.asked}
    assert "need 0" in told["update"]
    assert "need 0" not in told["generate"]
    assert told["generate"].count("Looks for a loan.") == (N_BATCHES - 1) * BATCH_SIZE
    assert "/loans" in told["summarise"]


def test_too_few_summaries_are_refused() -> None:
    with pytest.raises(ValidationError, match="1 summaries, 2 sessions"):
        Summaries.model_validate({"summaries": ["one"]}, context={"n_sessions": 2})


def test_an_id_that_the_taxonomy_lacks_is_refused_and_counted_apart(tmp_path: Path) -> None:
    known = Intent(id="loans", name="Loans", description="Loans", examples=[], keywords=[])
    taxonomy = document([Category(id="c", name="c", description="c", intents=[known])], "made-up")
    [question] = labelling.questions(sessions(1), taxonomy, 0, 0.0)
    problems = []
    for reply in ('{"intents": ["lotteries"]}', '{"intents": "loans"}'):
        with pytest.raises(ValidationError) as refused:
            question.validated(reply)
        problems.append(explained(refused.value))
    ledger = Ledger(tmp_path / "ledger.jsonl", 1.0)
    for problem in problems:
        ledger.settle(ledger.reserve("key", "label", 0.1), None, 0.1, 1.0, problem)
    for of in (ledger, Ledger(tmp_path / "ledger.jsonl", 1.0)):  # as written, too
        assert (of.total.n_unusable, of.total.n_hallucinated) == (2, 1)
        assert "2 replies of no use (1 of them with made-up ids)" in of.summary()
    assert "lotteries" not in (tmp_path / "ledger.jsonl").read_text()
