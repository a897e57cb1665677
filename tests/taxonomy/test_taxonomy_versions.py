"""Ids across regenerations: hand-made taxonomies whose differences are known."""

import pytest

from pipelines.taxonomy.document import Category, Document, Intent, Labels, document
from pipelines.taxonomy.versions import Diff, renewed, translated


def taxonomy(*names: str) -> Document:
    intents = [
        Intent(id=name.casefold().replace(" ", "-"), name=name, description="", examples=[], keywords=name.split())
        for name in names
    ]
    return document([Category(id="all", name="All", description="", intents=intents)], "made-up")


def sessions(*counts: tuple[str, str, int]) -> tuple[list[Labels], list[Labels]]:
    """Labels before and after: (old id, new id, sessions); an empty id is no label."""
    old, new = [], []
    for before, after, count in counts:
        old += [{before: 1.0} if before else {}] * count
        new += [{after: 1.0} if after else {}] * count
    return old, new


def kinds(diff: Diff) -> set[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    return {(change.kind, tuple(change.before), tuple(change.after)) for change in diff.changes}


def test_the_same_taxonomy_changes_nothing() -> None:
    old = taxonomy("Car loan", "Travel card")
    made, diff = renewed(
        old, old, *sessions(("car-loan", "car-loan", 5), ("travel-card", "travel-card", 5)), why="asked"
    )
    assert made.version == old.version
    assert {change.kind for change in diff.changes} == {"kept"}
    assert diff.churn == 0.0
    assert diff.formerly == {"car-loan": {"car-loan": 1.0}, "travel-card": {"travel-card": 1.0}}


def test_renamed_added_and_retired() -> None:
    old = taxonomy("Car loan", "Fax service")
    new = taxonomy("Vehicle finance", "Crypto wallet")
    labels = sessions(("car-loan", "vehicle-finance", 9), ("fax-service", "", 4), ("", "crypto-wallet", 7))
    made, diff = renewed(old, new, *labels, why="asked")
    assert made.intent_ids == ["car-loan", "crypto-wallet"]
    assert made.parent_version == old.version
    assert kinds(diff) == {
        ("renamed", ("car-loan",), ("car-loan",)),
        ("added", (), ("crypto-wallet",)),
        ("retired", ("fax-service",), ()),
    }
    assert diff.churn == pytest.approx(11 / 20)
    assert translated({"fax-service": 0.8, "car-loan": 0.5}, diff.formerly) == {"other": 0.8, "car-loan": 0.5}


def test_merged_and_split() -> None:
    old = taxonomy("New car loan", "Used car loan", "Cards")
    new = taxonomy("Car loan", "Cards", "Cash back")
    labels = sessions(
        ("new-car-loan", "car-loan", 6),
        ("used-car-loan", "car-loan", 4),
        ("cards", "cards", 6),
        ("cards", "cash-back", 4),
    )
    made, diff = renewed(old, new, *labels, why="asked")
    assert made.intent_ids == ["new-car-loan", "cards", "cash-back"]
    assert kinds(diff) == {
        ("merged", ("new-car-loan", "used-car-loan"), ("new-car-loan",)),
        ("split", ("cards",), ("cards", "cash-back")),
    }
    assert diff.churn == pytest.approx(8 / 20)
    assert diff.formerly["used-car-loan"] == {"new-car-loan": 1.0}
    assert translated({"cards": 1.0}, diff.formerly) == {"cards": 0.6, "cash-back": 0.4}


def test_an_old_id_is_never_given_to_something_else() -> None:
    old = taxonomy("Cards", "Loans")
    new = taxonomy("Loans", "Cards")  # as the names say; the sessions of the second are about neither
    other = new.changed(
        lambda one: one if one.id == "loans" else one.model_copy(update={"keywords": ["fax"], "name": "Fax", "id": "x"})
    )
    renamed = other.changed(lambda one: one.model_copy(update={"name": "Cards"}) if one.id == "x" else one)
    made, _ = renewed(old, renamed, *sessions(("loans", "loans", 5), ("", "x", 5), ("cards", "", 5)), why="asked")
    assert made.intent_ids[0] == "loans"
    assert made.intent_ids[1] in {"cards", "cards-2"}


def test_without_sessions_words_decide() -> None:
    old, new = taxonomy("Car loan", "Travel card"), taxonomy("Travel card", "Car loan")
    made, diff = renewed(old, new, [], [], why="asked")
    assert made.intent_ids == ["travel-card", "car-loan"]
    assert diff.churn is None
    assert {change.kind for change in diff.changes} == {"kept"}
