"""What may be quoted: by how many visitors showed it."""

import json

from pipelines.taxonomy.document import Category, Intent, document
from pipelines.taxonomy.quoting import HIDDEN, quotable
from pipelines.taxonomy.rendering import RenderedSession
from pipelines.taxonomy.shown import by_intent


def session(number: int, *searches: str) -> RenderedSession:
    rows = [
        {"step": step, "title": "Loans | Bank", "page": "/loans", "search": said} for step, said in enumerate(searches)
    ]
    return RenderedSession(str(number), "web", json.dumps(rows))


SESSIONS = [session(0, "car loan"), session(1, "Car loan"), session(2, "my ex husband", "my ex husband")]
VISITORS = {"0": "a", "1": "b", "2": "c"}


def test_a_text_needs_visitors_and_not_events() -> None:
    may = quotable(SESSIONS, VISITORS, 2)
    assert may.text("CAR LOAN")
    assert may.text("Loans")
    assert not may.text("my ex husband")
    assert may.has_words("car loans")
    assert not may.has_words("husband")
    assert not quotable(SESSIONS, {"0": "a", "1": "a", "2": "c"}, 2).text("car loan")


def test_examples_and_keywords_below_the_floor_are_left_out_of_taxonomy_and_pages() -> None:
    may = quotable(SESSIONS, VISITORS, 2)
    intent = Intent(
        id="x", name="X", description="", examples=["car loan", "my ex husband"], keywords=["loan", "husband"]
    )
    taxonomy = document([Category(id="c", name="C", description="", intents=[intent])], "made-up")
    floored = may.floored(taxonomy).intents[0]
    assert (floored.examples, floored.keywords) == (["car loan"], ["loan"])
    assert may.rows(SESSIONS[2])[0]["search"] == HIDDEN
    seen = by_intent(SESSIONS, [{"x": 1.0}] * 3, taxonomy, may)
    assert "husband" not in json.dumps(seen)
    assert seen["x"]["searches"] == [["car loan", round(2 / 3, 6)]]


def test_what_is_shown_as_often_comes_by_name() -> None:
    names = [f"{letter} loan" for letter in "hgfedcba"]
    shown = [session(number, *names) for number in range(2)]
    intent = Intent(id="x", name="X", description="", examples=[], keywords=[])
    taxonomy = document([Category(id="c", name="C", description="", intents=[intent])], "made-up")
    seen = by_intent(shown, [{"x": 1.0}] * 2, taxonomy, quotable(shown, {"0": "a", "1": "b"}, 2))
    assert seen["x"]["searches"] == [[name, 1.0] for name in sorted(names)]
