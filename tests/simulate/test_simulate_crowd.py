"""Groups of people and machines made in one process or in several, and side by side or together."""

import os
from collections.abc import Sequence

import pytest
from simulated import block_of

from pipelines.simulate import crowd
from pipelines.simulate.parcels import Group, Parcel, Parcels

BLOCK = block_of("people=24", "days=7")
GROUPS = [
    *(Group("people", first, first + 4) for first in range(0, 24, 4)),
    Group("bots", 0, 2),
    Group("wave", 0, 3, 2),
]


def made_with(cores: set[int], groups: Sequence[Group], monkeypatch: pytest.MonkeyPatch) -> list[Parcel]:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cores, raising=False)
    return list(crowd.parcels(BLOCK, 7, groups))


def test_parcels_are_the_same_however_many_processes_make_them(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = made_with({0}, GROUPS, monkeypatch)
    assert len(alone) == len(GROUPS)
    assert all(parcel.lines for parcel in alone)
    assert made_with({0, 1}, GROUPS, monkeypatch) == alone


def test_few_groups_are_made_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "get_context", None)  # no process can be started
    assert made_with({0, 1}, GROUPS[:2], monkeypatch) == made_with({0}, GROUPS[:2], monkeypatch)
    assert made_with({0, 1}, [], monkeypatch) == []


def test_people_are_the_same_whatever_their_number() -> None:
    few, many = (Parcels(block_of(f"people={n}", "days=14"), 7) for n in (10, 900))
    group = Group("people", 0, 10)
    assert few.make(group) == many.make(group)


def test_machines_are_the_same_whatever_the_number_of_people() -> None:
    few, many = (Parcels(block_of(f"people={n}", "days=3"), 7) for n in (10, 900))
    group = Group("bots", 0, 2)
    assert few.make(group) == many.make(group)


def test_the_order_in_which_groups_are_made_does_not_matter() -> None:
    parcels = Parcels(BLOCK, 7)
    backwards = [parcels.make(group) for group in reversed(GROUPS)]
    assert backwards[::-1] == [Parcels(BLOCK, 7).make(group) for group in GROUPS]
