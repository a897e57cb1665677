"""The figures of drift by hand, by Evidently, and on samples whose distributions are known."""

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest
from evidently.legacy.calculations.stattests.psi import psi_stat_test
from evidently.legacy.core import ColumnType

from pipelines.champion import REFERENCE
from pipelines.monitor import chance
from pipelines.monitor.embedding_auc import embedding_auc
from pipelines.monitor.report import compare, headed
from pipelines.monitor.signals import SIGNALS, comparable
from pipelines.params import Monitor

MONITOR = Monitor(window_days=7, reference_sessions=50, max_label_psi=0.1, max_embedding_auc=0.55)
DAY = date(2026, 2, 22)
NOON = datetime(2026, 2, 20, 12, tzinfo=UTC)


def observed(n_sessions: int, seed: int, *, loans: float = 0.3, shift: float = 0.0, dim: int = 8) -> pa.Table:
    """Sessions with a share of `loans` among the intents and embeddings shifted by so many standard deviations."""
    draw = np.random.default_rng(seed)
    vectors = draw.normal(shift, 1, (n_sessions, dim)).astype(np.float32)
    columns = {
        "session_id": [str(n) for n in range(n_sessions)],
        "channel": draw.choice(["web", "app"], n_sessions),
        "start_ts": [NOON] * n_sessions,
        "n_events": draw.geometric(0.2, n_sessions),
        "embedding": list(vectors),
        "intent": draw.choice(["loans", "cards"], n_sessions, p=[loans, 1 - loans]),
        "confidence": draw.uniform(0, 1, n_sessions).astype(np.float32),
        "abstained": draw.random(n_sessions) < 0.2,
    }
    return pa.table(columns).cast(REFERENCE)


def test_psi_by_hand() -> None:
    # (.5 - .25) ln(.5 / .25) + (.5 - .75) ln(.5 / .75)
    expected = 0.25 * np.log(2) - 0.25 * np.log(2 / 3)
    assert chance.psi(np.array([10, 10]), np.array([5, 15])) == pytest.approx(expected)
    assert chance.psi(np.array([10, 10]), np.array([50, 50])) == 0
    many = chance.psi(np.array([[10, 10], [5, 15]]), np.array([[5, 15], [5, 15]]))
    np.testing.assert_allclose(many, [expected, 0])


@pytest.mark.parametrize("counts", [([3, 7, 0], [1, 2, 4]), ([99999, 1, 0], [5, 0, 2])])
def test_psi_is_evidentlys(counts: tuple[list[int], list[int]]) -> None:
    import pandas as pd

    before, current = (pd.Series(np.repeat(["a", "b", "c"], count)) for count in counts)
    theirs, _ = psi_stat_test.func(before, current, ColumnType.Categorical, 0.1)
    assert chance.psi(*(np.array(count) for count in counts)) == pytest.approx(theirs)


def test_the_bounds_of_chance_are_exceeded_once_in_a_hundred() -> None:
    draw, n_comparisons = np.random.default_rng(0), 300
    shares = [0.5, 0.2, 0.1, 0.1, 0.05, 0.05]
    pairs = [[draw.multinomial(size, shares) for size in (2000, 400)] for _ in range(n_comparisons)]
    above = [chance.psi(*pair) > chance.psi_by_chance(*pair, seed=1) for pair in pairs]
    assert sum(above) <= 9
    assert chance.auc_by_chance(2000, 400) == pytest.approx(0.5 + 2.3263 * np.sqrt(2401 / (12 * 2000 * 400)), abs=1e-5)


def test_the_auc_is_a_half_for_the_same_and_high_for_another_distribution() -> None:
    draw = np.random.default_rng(3)
    before, same, wider = (
        draw.normal(size=(800, 16)),
        draw.normal(size=(400, 16)),
        draw.normal(scale=1.5, size=(400, 16)),
    )
    limit = chance.auc_by_chance(800, 400)
    assert 0.45 < embedding_auc(before, same, seed=7) < limit
    assert embedding_auc(before, same + 0.3, seed=7) > 0.7
    assert embedding_auc(before, wider, seed=7) > 0.8, "a change of spread alone is seen"
    assert embedding_auc(before, same, seed=7) == embedding_auc(before, same, seed=7)


def test_samples_of_one_distribution_do_not_drift() -> None:
    drift = compare(observed(300, seed=1), observed(1500, seed=2), DAY, MONITOR, seed=7)
    assert drift.sentence == "Nothing drifted."
    assert list(drift.findings) == list(SIGNALS)
    for name, found in drift.findings.items():
        assert found.value <= max(found.threshold, found.chance), name
        assert found.threshold == (0.55 if name == "embedding" else 0.1)


def test_what_drifted_is_named_with_its_value_and_no_other() -> None:
    labels = compare(observed(300, seed=1, loans=0.7), observed(1500, seed=2), DAY, MONITOR, seed=7)
    assert [name for name, found in labels.findings.items() if found.drifted] == ["intent"]
    assert labels.sentence.startswith("Drifted: intents (PSI 0.")
    vectors = compare(observed(300, seed=1, shift=0.4), observed(1500, seed=2), DAY, MONITOR, seed=7)
    assert [name for name, found in vectors.findings.items() if found.drifted] == ["embedding"]
    assert vectors.sentence.startswith("Drifted: session embeddings (AUC 0.")


def test_a_report_is_the_same_every_time_and_loads_nothing() -> None:
    parts = observed(100, seed=1), observed(200, seed=2)
    first, second = (compare(*parts, DAY, MONITOR, seed=7) for _ in range(2))
    assert first == second
    assert 'src="http' not in first.page
    page = headed(first.page, "Drifted: <b>")
    assert "<body><p" in page
    assert "Drifted: &lt;b&gt;" in page


def test_what_is_compared_of_a_session() -> None:
    row = {"session_id": "s", "channel": "web", "start_ts": NOON, "embedding": [0.5, 1.0], "intent": "loans"}
    table = pa.Table.from_pylist(
        [
            {**row, "n_events": 1, "confidence": 1.0, "abstained": False},
            {**row, "n_events": 7, "confidence": 0.29, "abstained": True},
            {**row, "n_events": 900, "confidence": 0.0, "abstained": False},
        ],
        REFERENCE,
    )
    assert comparable(table).to_dict("list") == {
        "intent": ["loans", "(none)", "loans"],
        "confidence": ["0.9", "0.2", "0.0"],
        "session_length": ["1+", "4+", "64+"],
        "channel": ["web"] * 3,
        "dimension_000": [0.5] * 3,
        "dimension_001": [1.0] * 3,
    }
