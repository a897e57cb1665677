"""Which impressions are decisions, and what a person did before."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from evaluate_world import event, session, table

from pipelines import schemas
from pipelines.evaluate.decisions import Decisions, earlier_per_tile, find_decisions, split_of
from pipelines.params import Evaluate


def impression(name: str, day: float, tiles: Any, customer: str | None = "c") -> dict[str, Any]:
    properties = {"impression_id": name, "tiles": tiles}
    return event(f"e-{name}", "device", day, "home_impression", properties=properties, customer_id=customer)


def click(name: str, day: float, tile: str | None, number: int = 0) -> dict[str, Any]:
    return event(f"k-{name}-{number}", "device", day, "tile_click", properties={"impression_id": name}, element=tile)


def decisions(rows: list[dict[str, Any]], params: Evaluate) -> Decisions:
    return find_decisions(table(rows, schemas.EVENTS), params.tile_ranking)


def test_one_impression_with_one_click_is_a_decision(params: Evaluate) -> None:
    found = decisions([click("i", 1.1, "b"), impression("i", 1, ["c", "b"]), impression("j", 2, ["a", "b"])], params)
    assert found.impression_ids == ["i"]
    assert found.tiles == ["b", "c"]
    assert found.position.tolist() == [[1, 0]]
    assert found.clicked.tolist() == [0]
    assert found.people.tolist() == ["c"]


@pytest.mark.parametrize(
    "rows",
    [
        [impression("i", 1, ["a", "b"]), click("i", 1.1, "a"), click("i", 1.2, "b", 1)],  # two clicks
        [impression("i", 1, ["a", "b"]), click("i", 1.1, "x")],  # a tile that it did not show
        [impression("i", 1, ["a", "b"]), click("j", 1.1, "a")],  # another impression's click
        [impression("i", 1, ["a", "b"]), impression("i", 2, ["a", "b"]), click("i", 2.1, "a")],  # one id twice
        [impression("i", 1, ["a", "a"]), click("i", 1.1, "a")],  # a tile twice
        [impression("i", 1, []), click("i", 1.1, "a")],
        [impression("i", 1, "ab"), click("i", 1.1, "a")],  # no list
        [impression("i", 1, ["a", 2]), click("i", 1.1, "a")],
        [impression("", 1, ["a"]), click("", 1.1, "a")],
        [impression("i", 1, ["a"]), click("i", 1.1, None)],
    ],
)
def test_everything_else_is_none(rows: list[dict[str, Any]], params: Evaluate) -> None:
    assert len(decisions(rows, params)) == 0


@pytest.mark.parametrize("text", ["{", "[]", '"x"', "null", "", None, "[" * 100_000, '{"tiles": ["a"]}', "{}"])
def test_properties_that_say_nothing_are_no_impression(text: str | None, params: Evaluate) -> None:
    hostile = event("e", "device", 1, "home_impression") | {"properties": text}
    good = [impression("i", 2, ["a", "b"]), click("i", 2.1, "a")]
    assert decisions([hostile, *good], params).impression_ids == ["i"]


def test_without_a_login_the_device_is_the_person(params: Evaluate) -> None:
    assert decisions([impression("i", 1, ["a"], None), click("i", 1.1, "a")], params).people.tolist() == ["device"]


def test_the_order_of_the_events_does_not_matter(params: Evaluate) -> None:
    rows = [impression("i", 1, ["a", "b"]), click("i", 1.1, "a"), impression("j", 3, ["b"]), click("j", 3.1, "b")]
    first, second = decisions(rows, params), decisions(rows[::-1], params)
    assert first.impression_ids == second.impression_ids == ["i", "j"]
    assert first.position.tolist() == second.position.tolist()


def test_a_decision_takes_the_split_of_its_session(params: Evaluate) -> None:
    rows = [impression("i", 10, ["a"]), click("i", 10.1, "a"), impression("j", 30, ["a"]), click("j", 30.1, "a")]
    found = decisions(rows, params)
    sessions = [
        session("s1", "device", "app", 9.9, ["/"], 10.2),
        session("s2", "other", "app", 29.9, ["/"], 30.2),
        session("s3", "device", "app", 31, ["/"], 31.2),
    ]
    assert split_of(found, table(sessions, schemas.SESSIONS)).tolist() == ["train", "none"]


def test_habits_count_what_was_before_and_only_that(params: Evaluate) -> None:
    rows = []
    for name, day, clicked_at, tile, customer in [
        ("i1", 1.0, 1.1, "a", "c"),
        ("i2", 2.0, 3.5, "b", "c"),  # clicked only after the next impression
        ("i3", 3.0, 3.1, "a", "c"),
        ("i4", 4.0, 4.1, "a", "d"),  # somebody else
        ("i5", 5.0, 5.1, "a", "c"),
    ]:
        rows += [impression(name, day, ["a", "b"], customer), click(name, clicked_at, tile)]
    found = decisions(rows, params)
    clicked = np.eye(2)[found.clicked]
    earlier = earlier_per_tile(found, clicked, found.clicked_us)
    assert dict(zip(found.impression_ids, earlier.tolist(), strict=True)) == {
        "i1": [0, 0],
        "i2": [1, 0],
        "i3": [1, 0],
        "i4": [0, 0],
        "i5": [2, 1],
    }
    shown = earlier_per_tile(found, found.shown.astype(float), found.at_us)
    assert shown[:, 0].tolist() == [0, 1, 2, 0, 3]


def test_no_events_are_no_decisions(params: Evaluate) -> None:
    found = find_decisions(table([], schemas.EVENTS), params.tile_ranking)
    assert len(found) == 0
    assert found.customers.type == pa.string()
