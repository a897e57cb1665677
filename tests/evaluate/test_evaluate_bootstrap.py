"""Resampling by visitor, against slow loops."""

import numpy as np
import pytest

from pipelines.evaluate.bootstrap import Resamples, estimate, gain, ratio, reduction


def test_totals_are_those_of_a_slow_loop_over_visitors() -> None:
    generator = np.random.default_rng(0)
    visitors = np.array([f"v{number}" for number in generator.integers(6, size=25)])
    statistics = generator.normal(size=(25, 3))
    resamples = Resamples(visitors, 40, seed=7)
    found = resamples.totals(statistics)
    names = sorted(set(visitors))
    expected = [statistics.sum(axis=0)]
    for block in resamples.weights():
        for weights in block:
            total = np.zeros(3)
            for visitor, statistic in zip(visitors, statistics, strict=True):
                total += weights[names.index(visitor)] * statistic
            expected.append(total)
    np.testing.assert_allclose(found, np.array(expected), atol=1e-12)


def test_a_resample_draws_as_many_visitors_as_there_are_with_replacement() -> None:
    weights = np.concatenate(list(Resamples(np.arange(50), 200, seed=1).weights()))
    assert weights.shape == (200, 50)
    assert (weights.sum(axis=1) == 50).all()
    assert weights.mean() == 1
    assert (weights == 0).mean() == pytest.approx((1 - 1 / 50) ** 50, abs=0.02)


def test_the_block_size_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    statistics = np.arange(30.0)[:, None]
    whole = Resamples(np.arange(30), 20, seed=3).totals(statistics)
    monkeypatch.setattr("pipelines.evaluate.bootstrap.BLOCK_VALUES", 70)  # two resamples a block
    np.testing.assert_array_equal(Resamples(np.arange(30), 20, seed=3).totals(statistics), whole)


def test_the_interval_of_a_mean_is_the_textbook_one() -> None:
    values = np.random.default_rng(5).normal(10, 2, 400)
    totals = Resamples(np.arange(400), 2000, seed=7).totals(np.stack([values, np.ones(400)], axis=1))
    found = estimate(totals[:, 0] / totals[:, 1])
    half = 1.96 * values.std() / 20
    assert found["value"] == pytest.approx(values.mean(), abs=1e-6)
    assert found["ci95"] == [
        pytest.approx(values.mean() - half, abs=0.02),
        pytest.approx(values.mean() + half, abs=0.02),
    ]


def test_rows_of_one_visitor_widen_the_interval() -> None:
    values = np.random.default_rng(5).normal(0, 1, 100)
    repeated, ones = np.repeat(values, 9), np.ones(900)

    def width(clusters: np.ndarray) -> float:
        totals = Resamples(clusters, 500, seed=7).totals(np.stack([repeated, ones], axis=1))
        low, high = estimate(totals[:, 0] / totals[:, 1])["ci95"]
        return float(high - low)

    assert width(np.repeat(np.arange(100), 9)) == pytest.approx(3 * width(np.arange(900)), rel=0.2)


def test_lifts_are_relative_and_positive_means_better() -> None:
    assert gain(np.array([0.22]), np.array([0.2])) == pytest.approx(0.1)
    assert reduction(np.array([0.9]), np.array([1.0])) == pytest.approx(0.1)
    assert reduction(np.array([1.2]), np.array([1.0])) == pytest.approx(-0.2)


def test_what_is_undefined_is_null_not_a_number() -> None:
    assert np.isnan(ratio(np.array([1.0]), np.array([0.0])))[0]
    assert estimate(np.array([np.nan, 1.0, 2.0])) == {"value": None, "ci95": [None, None]}
    assert estimate(np.array([1.0, np.nan, 1.0, 1.0]))["ci95"] == [1.0, 1.0]
