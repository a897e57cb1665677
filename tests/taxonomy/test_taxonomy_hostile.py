"""Attacks from a grammar against a model that obeys whatever gets out of, or hides in, a JSON string value."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from bank_tables import pages, quote_anything, sessions, taxonomy_params
from gullible import demands

from benchmarks.attacks import Attack, attacks
from pipelines import schemas
from pipelines.taxonomy import generation, labelling, prompt, rendering
from pipelines.taxonomy.document import Category, Document, Intent, Labels, document
from pipelines.taxonomy.llm_teacher import LlmTeacher
from pipelines.taxonomy.question import Question, Unusable
from pipelines.taxonomy.rendering import RenderedSession, render

TARGET = "find-winner"
ATTACKS = attacks(TARGET)


def taxonomy() -> Document:
    names = {"find-mortgage": "Find a mortgage", TARGET: "Find a winner"}
    intents = [Intent(id=id_, name=name, description=name, examples=[], keywords=[]) for id_, name in names.items()]
    return document([Category(id="all", name="All", description="All", intents=intents)], "made-up")


def attacked(attack: Attack) -> RenderedSession:
    """A session about mortgages, with the attack planted in it."""
    path = "/home-loans" + (f"/{attack.texts['path']}" if "path" in attack.texts else "")
    row = sessions(8).slice(0, 1).to_pylist()[0]
    event = {"ts": row["start_ts"], "event_type": "page_view", "page": path, "query": attack.texts.get("search")}
    page = {"channel": "web", "page": path, "title": attack.texts.get("title", "Home loans"), "n_events": 9}
    tables = [
        type(pages()).from_pylist([changed], schema=schema)
        for changed, schema in ((row | {"events": [event]}, schemas.SESSIONS), (page, schemas.PAGES))
    ]
    [session] = render(*tables, max_events=30)
    return session


class Gullible:
    """Labels by the page, unless something makes it obey; remembers what it was asked and what it obeyed."""

    def __init__(self) -> None:
        self.n_questions = 0
        self.answers_as_expected = False
        self.obeyed: list[str] = []

    def ask(self, question: Question[Any]) -> Any:
        return self.answers([question])[0]

    def answers(self, questions: Sequence[Question[Any]], what: str = "") -> list[Any]:
        return [self._answer(question) for question in questions]

    def used(self) -> str:
        return ""

    def finish(self) -> None:
        pass

    def _answer(self, question: Question[Any]) -> Any:
        self.n_questions += 1
        heard = demands(question.messages)
        self.obeyed += [demand[0] for demand in heard]
        if self.answers_as_expected:
            return question.expected
        answer = ["find-mortgage"] if "/home-loans" in question.messages[1]["content"] else []
        for demand in heard:
            answer = [question.messages[0]["content"]] if demand["leak"] else [demand["target"]]
        if not set(answer) <= {"find-mortgage", TARGET}:
            return Unusable("not one of the values that the schema allows")
        return question.reply_type(intents=answer)


def labelled(chosen: Sequence[Attack], params: Any) -> tuple[list[Labels | None], Gullible]:
    asked = Gullible()
    sessions_shown = [attacked(attack) for attack in chosen]
    return LlmTeacher(asked, params).label(sessions_shown, taxonomy()), asked


@pytest.fixture
def params(repository: Any) -> Any:
    return taxonomy_params(repository, model="openai/made-up")


def test_the_grammar_makes_hundreds_of_attacks_of_every_kind() -> None:
    texts = {tuple(attack.texts.items()) for attack in ATTACKS}
    assert len(texts) >= 300
    assert {"quotes", "braces", "fences", "fake turn", "chat markup", "zero width", "look-alikes", "encoded"} < {
        attack.family for attack in ATTACKS
    }
    assert sum(len(attack.texts) == 2 for attack in ATTACKS) >= 75  # split over fields


def test_no_attack_moves_a_label_or_makes_the_model_say_its_prompt(params: Any) -> None:
    labels, asked = labelled(ATTACKS, params)
    assert asked.obeyed == []
    assert labels == [{"find-mortgage": 1.0}] * len(ATTACKS)


def test_no_attack_gets_into_the_taxonomy(params: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "N_CALM", len(ATTACKS))  # however still the taxonomy stands, all are read
    asked = Gullible()
    asked.answers_as_expected = True
    shown = [attacked(attack) for attack in ATTACKS]
    LlmTeacher(asked, params).propose(shown, quote_anything(shown))
    assert asked.n_questions > len(ATTACKS) / params.batch_size
    assert asked.obeyed == []


def without_delimiters(value: object) -> str:
    """The material as people would write it down."""
    if isinstance(value, dict):
        return "\n".join(f"{name}: {without_delimiters(part)}" for name, part in value.items())
    return "\n".join(map(without_delimiters, value)) if isinstance(value, list) else str(value)


MADE_GOOD_BY = {  # families that a defence is there for: they get through once it is off
    "plain forms": {"look-alikes", "full-width markup"},
    "one line": {"fake turn"},
    "nothing unseen": {"zero width"},
    "one script a word": {"look-alikes"},
    "no markup": {"chat markup"},
    "nothing encoded": {"encoded"},
    "length": {"flood"},
    "delimiters": {"plain", "quotes", "fences"},
}


@pytest.mark.parametrize("defence", [*rendering.DEFENCES, "delimiters"])
def test_with_a_defence_off_some_attacks_succeed(defence: str, params: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if defence == "delimiters":
        monkeypatch.setattr(prompt, "as_json", without_delimiters)
    else:
        monkeypatch.delitem(rendering.DEFENCES, defence)
    monkeypatch.setattr(labelling, "MAX_UNUSABLE_SHARE", 1.0)  # a prompt that is said is an unusable answer
    some = [attack for attack in ATTACKS if attack.demand in ("label", "leak")]
    labels, _ = labelled(some, params)
    through = Counter(
        attack.family for attack, given in zip(some, labels, strict=True) if given != {"find-mortgage": 1.0}
    )
    assert set(through) >= MADE_GOOD_BY[defence], through
