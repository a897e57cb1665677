"""Outcomes after a session, the purge between the parts, and the heads that predict them."""

from typing import Any

import numpy as np
import pytest
from evaluate_world import at, event, session, table
from sklearn.linear_model import LogisticRegression

from pipelines import schemas
from pipelines.evaluate.conversion import Problem, predictions
from pipelines.evaluate.history import session_keys
from pipelines.evaluate.outcomes import conversions, outcome_events, usable_split
from pipelines.params import Evaluate
from pipelines.student import logistic


def outcome(day: float, visitor: str, product: Any = "loan", customer: str | None = None) -> dict[str, Any]:
    properties = {"product": product}
    return event(f"o{visitor}{day}", visitor, day, "application_submitted", properties=properties, customer_id=customer)


def link(visitor: str, customer: str, since: float) -> dict[str, Any]:
    return {"visitor_id": visitor, "customer_id": customer, "valid_from": at(since), "evidence_event_id": "e"}


def reached(outcomes: list[dict[str, Any]], identity: list[dict[str, Any]], params: Evaluate) -> list[str]:
    """Products that a session of visitor "v" from day 9.9 to day 10 leads to within 3 days."""
    sessions = table([session("s", "v", "web", 9.9, ["/"], 10)], schemas.SESSIONS)
    events = outcome_events(table(outcomes, schemas.EVENTS), params.conversion)
    found = conversions(session_keys(sessions, np.arange(1)), events, table(identity, schemas.IDENTITY), 3)
    return [product for product, is_reached in zip(found.products, found.reached[0], strict=True) if is_reached]


def test_an_outcome_counts_strictly_after_the_session_and_up_to_the_horizon(params: Evaluate) -> None:
    assert reached([outcome(10, "v")], [], params) == []
    assert reached([outcome(10.0001, "v")], [], params) == ["loan"]
    assert reached([outcome(13, "v")], [], params) == ["loan"]
    assert reached([outcome(13.0001, "v")], [], params) == []


def test_several_products_and_repeats(params: Evaluate) -> None:
    rows = [outcome(11, "v", "loan"), outcome(12, "v", "loan"), outcome(12.5, "v", "card"), outcome(11, "w", "house")]
    assert reached(rows, [], params) == ["card", "loan"]


def test_the_customers_outcome_on_another_channel_counts_once_linked(params: Evaluate) -> None:
    rows = [outcome(12, "phone", customer="c")]
    assert reached(rows, [], params) == []
    assert reached(rows, [link("v", "c", 5)], params) == ["loan"]
    assert reached(rows, [link("v", "c", 12.9)], params) == ["loan"]  # a login before the horizon's end
    assert reached(rows, [link("v", "c", 13.1)], params) == []  # and one after it
    assert reached(rows, [link("v", "d", 5)], params) == []


def test_an_outcome_without_a_login_belongs_to_its_visitors_customer(params: Evaluate) -> None:
    rows = [outcome(12, "phone")]
    assert reached(rows, [link("v", "c", 5), link("phone", "c", 1)], params) == ["loan"]
    assert reached(rows, [link("v", "c", 5), link("phone", "c", 12.5)], params) == []


@pytest.mark.parametrize("product", [None, "", 3, ["loan"], {"x": 1}])
def test_an_outcome_without_a_product_is_none(product: Any, params: Evaluate) -> None:
    events = table([outcome(11, "v", product)], schemas.EVENTS)
    assert len(outcome_events(events, params.conversion)) == 0


def test_horizons_must_not_pass_the_end_nor_reach_a_later_part() -> None:
    split = np.array(["train", "train", "train", "embargo", "valid", "valid", "test", "test"], object)
    start = np.array([1, 5, 7, 9, 10, 14, 20, 27])
    found = usable_split(split, start, start, data_end_us=30, horizon_us=4)
    # train may reach to before 10, valid to before 20, test to 30
    assert found.tolist() == ["train", "train", "", "", "valid", "valid", "test", ""]
    edge = usable_split(split, start, start, data_end_us=31, horizon_us=5)
    assert edge.tolist() == ["train", "", "", "", "valid", "valid", "test", ""]
    assert usable_split(split, start, start, data_end_us=32, horizon_us=5)[-1] == "test"


def test_without_a_validation_part_train_must_not_reach_test() -> None:
    split = np.array(["train", "train", "test"], object)
    times = np.array([1, 9, 12])
    assert usable_split(split, times, times, data_end_us=99, horizon_us=4).tolist() == ["train", "", "test"]


def test_the_heads_are_those_of_sklearn() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(300, 4))
    outcomes = generator.random((300, 2)) < 1 / (1 + np.exp(-features[:, :2] - 0.5))
    found = logistic.fit(features, outcomes, np.full(4, 2.0))
    for product in range(2):
        peer = LogisticRegression(C=1 / 2.0, tol=1e-10, max_iter=1000).fit(features, outcomes[:, product])
        np.testing.assert_allclose(found.weights[:, product], peer.coef_[0], atol=1e-3)
        assert found.intercepts[product] == pytest.approx(peer.intercept_[0], abs=1e-3)


def test_a_product_nobody_took_is_improbable() -> None:
    features = np.random.default_rng(0).normal(size=(100, 3))
    found = logistic.fit(features, np.zeros((100, 1), bool), np.ones(3))
    assert found.probabilities(features).max() < 0.05


def test_every_feature_has_its_own_penalty() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(300, 2))
    outcomes = generator.random((300, 1)) < 1 / (1 + np.exp(-features.sum(axis=1, keepdims=True)))
    found = logistic.fit(features, outcomes, np.array([2.0, 1e9]))
    alone = logistic.fit(features[:, :1], outcomes, np.array([2.0]))
    assert abs(found.weights[1, 0]) < 1e-6
    assert found.weights[0, 0] == pytest.approx(alone.weights[0, 0], abs=1e-3)


def problem(taken: np.ndarray, time: np.ndarray, **web: np.ndarray) -> Problem:
    """90 sessions, a third in each part."""
    return Problem(time, web, taken, np.repeat(["train", "valid", "test"], 30), np.arange(90))


def test_the_test_part_moves_no_prediction() -> None:
    generator = np.random.default_rng(1)
    features, taken = generator.normal(size=(90, 3)), generator.random((90, 2)) < 0.3
    time, part = generator.normal(size=(90, 2)), np.repeat(["train", "valid", "test"], 30)[:, None]

    def said(reached: np.ndarray) -> list[np.ndarray]:
        found = predictions(problem(reached, time, pages=features), [0.1, 10.0])
        return [model.probabilities >= model.threshold for model in found.values()]

    before = said(taken)
    for same, other in zip(before, said(np.where(part == "test", ~taken, taken)), strict=True):
        assert (same == other).all()
    for same, other in zip(before, said(np.where(part == "valid", ~taken, taken)), strict=True):
        assert (same != other).any()


def test_a_signal_that_says_nothing_leaves_what_the_time_says() -> None:
    generator = np.random.default_rng(2)
    time = generator.normal(size=(90, 2))
    taken = generator.random((90, 1)) < 1 / (1 + np.exp(-3 * time[:, :1]))
    found = predictions(problem(taken, time, constant=np.ones((90, 4)), answer=10.0 * taken), [0.01, 1.0, 100.0])
    assert list(found) == ["time_only", "constant", "answer"]
    np.testing.assert_allclose(found["constant"].probabilities, found["time_only"].probabilities, atol=1e-4)
    for name in ("time_only", "answer"):
        said, true = found[name].probabilities[60:, 0], taken[60:, 0]
        assert said[true].mean() > said[~true].mean() + 0.2, name
    assert (found["answer"].probabilities[:, 0] >= found["answer"].threshold).tolist() == taken[:, 0].tolist()
