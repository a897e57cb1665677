"""Tallies and distances by hand; thresholds, and what passes them."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from drifting import observed

from pipelines.drift import calibration
from pipelines.drift.calibration import Thresholds
from pipelines.drift.cells import Cells
from pipelines.drift.comparison import compare, sentence
from pipelines.drift.signals import SIGNALS, Signal, subjects
from pipelines.drift.tallies import scores, tally


@pytest.fixture(autouse=True)
def few_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "N_SPLITS", 300)


def test_the_distance_of_two_shares_by_hand() -> None:
    # 2 of 4 against 1 of 8 sessions: difference of arc sines, by the square root of 4 n m / (n + m)
    table = pa.table({"held": [["a"], ["a"], [], [], ["a"], [], [], [], [], [], [], []]})
    signal = Signal("s", "s", lambda rows: rows.column("held"))
    current = np.arange(12)[None] < 4
    apart, largest = scores(tally([table], [signal]), current, ~current)
    arc = np.arcsin(np.sqrt((2 + 0.375) / 4.75)) - np.arcsin(np.sqrt((1 + 0.375) / 8.75))
    assert apart[0, 0] == pytest.approx(arc * np.sqrt(4 * 4 * 8 / 12), rel=1e-6)
    assert largest[0, 0] == pytest.approx(abs(apart[0, 0]))


def test_what_the_reference_never_showed_is_pooled_and_nothing_else_counts() -> None:
    table = pa.table({"held": [["a", "x"], ["a", "y"], ["a"], ["b"], ["b"], ["a"]]})
    signal = Signal("s", "s", lambda rows: rows.column("held"), only_unseen=True)
    current = np.arange(6)[None] < 3
    apart, largest = scores(tally([table], [signal]), current, ~current)
    assert [bool(distance) for distance in apart[0]] == [False, False, True, True]  # a, b, x, y
    pooled = np.arcsin(np.sqrt(2.375 / 3.75)) - np.arcsin(np.sqrt(0.375 / 3.75))
    assert largest[0, 0] == pytest.approx(pooled * np.sqrt(4 * 9 / 6), rel=1e-6)


def test_two_parts_beside_each_other_count_by_the_mean_of_the_largest_of_each() -> None:
    table = pa.table({"held": [["a", "page /x"], ["a", "page /y"], ["a", "page /y"], ["b"], ["b", "page /x"], ["b"]]})
    signal = Signal("s", "s", lambda rows: rows.column("held"), beside="page ")
    current = np.arange(6)[None] < 3
    apart, largest = scores(tally([table], [signal]), current, ~current)
    of_intents, of_pages = np.abs(apart[0, :2]).max(), np.abs(apart[0, 2:]).max()
    assert of_intents != of_pages
    assert largest[0, 0] == pytest.approx((of_intents + of_pages) / 2)


def test_subjects_are_a_session_s_intent_and_its_pages() -> None:
    sessions = observed(50, seed=1)
    held = subjects.categories(sessions).to_pylist()
    rows = sessions.select(["intent", "abstained", "pages"]).to_pylist()
    for row, found in zip(rows, held, strict=True):
        named = [] if row["abstained"] or row["intent"] is None else [row["intent"]]
        assert found == [*named, *(f"page {page}" for page in row["pages"])]
    assert any(row["abstained"] for row in rows)


def test_independent_sessions_lie_apart_like_a_standard_normal() -> None:
    draw = np.random.default_rng(3)
    table = pa.table({"held": draw.choice(["a", "b"], 6000, p=[0.1, 0.9])})
    tallies = tally([table], [Signal("s", "s", lambda rows: rows.column("held"))])
    current = np.stack([draw.permutation(6000) < 1500 for _ in range(400)])
    apart, _ = scores(tallies, current, ~current)
    assert apart[:, 0].std() == pytest.approx(1, abs=0.12)


@pytest.mark.parametrize("sticky", [False, True])
def test_windows_without_drift_pass_a_threshold_as_rarely_as_asked_for(sticky: bool) -> None:
    """Visitors who come back with the same intent make shares swing: thresholds know it, and chance alone does not."""
    reference = observed(4000, seed=1, n_visitors=500, sticky=sticky)
    thresholds = Thresholds.of(reference, window_days=7, false_alarm_rate=0.05, seed=7)
    windows = [observed(1000, seed=seed, n_visitors=250, n_days=7, sticky=sticky) for seed in range(10, 110)]
    alarms = [any(finding.drifted for finding in compare(window, reference, thresholds)) for window in windows]
    assert sum(alarms) <= 11  # a binomial of .05 exceeds it once in 200


def test_drift_is_seen_named_and_said() -> None:
    reference = observed(3000, seed=1)
    thresholds = Thresholds.of(reference, window_days=7, false_alarm_rate=0.05, seed=7)
    moved = compare(observed(800, seed=2, loans=0.45, n_days=7), reference, thresholds, {"loans": "Loans"})
    assert [finding.signal for finding in moved if finding.drifted] == ["intents", "subjects"]
    (together,) = (finding for finding in moved if finding.signal == "subjects")
    assert {one.category for one in together.moved[:2]} == {"Loans", "cards"}
    assert together.moved[-1].category.startswith("page /")
    said = sentence(moved, ["2026-01-05", "2026-01-06"])
    assert said.startswith("ALARM, drift on 2026-01-05, 2026-01-06: intents (")
    assert "Loans 27.7% -> 38.5%" in said
    launched = compare(observed(800, seed=2, unseen=0.05, n_days=7), reference, thresholds)
    assert {"unseen_pages", "pages"} <= {finding.signal for finding in launched if finding.drifted}
    assert "/new 0.0% -> " in sentence(launched, [])
    assert sentence(compare(observed(800, seed=3, n_days=7), reference, thresholds), []) == "No drift"


def test_thresholds_are_seeded_and_of_every_signal() -> None:
    reference = observed(300, seed=1)
    first, second = (Thresholds.of(reference, 7, 0.05, seed=7) for _ in range(2))
    assert first == second
    assert set(first.limits) == {signal.name for signal in SIGNALS}
    one_day = Thresholds.of(observed(300, seed=1, n_days=1), 7, 0.05, seed=7)  # no days to split: visitors alone
    assert min(one_day.limits.values()) > 2.9


def test_a_restless_intent_does_not_set_the_limit_of_a_calm_one() -> None:
    reference = with_a_restless_intent(observed(6000, seed=1), loans=0.1)
    thresholds = Thresholds.of(reference, window_days=2, false_alarm_rate=0.05, seed=7)
    swings = thresholds.swings["intents"]
    assert swings["bills"] > 1.5 * swings["loans"]
    window = with_a_restless_intent(observed(800, seed=2, n_days=2), loans=0.2)
    (found,) = (finding for finding in compare(window, reference, thresholds) if finding.signal == "intents")
    assert found.drifted
    assert found.moved[0].category == "loans"
    together = thresholds.model_copy(update={"swings": {}})
    (one,) = (finding for finding in compare(window, reference, together) if finding.signal == "intents")
    assert one.score == pytest.approx(max(abs(moved.apart) for moved in one.moved), rel=1e-3)


def with_a_restless_intent(sessions: pa.Table, loans: float) -> pa.Table:
    """Returns ``sessions`` many of which are for bills on some days and few on others, and a share for loans."""
    draw = np.random.default_rng(len(sessions))
    days = pc.day(sessions.column("start_ts")).to_numpy()
    intents = np.where(draw.random(len(days)) < np.where(days % 4 < 2, 0.5, 0.2), "bills", "cards")
    intents[draw.random(len(days)) < loans] = "loans"
    place = sessions.column_names.index("intent")
    return sessions.set_column(place, sessions.field("intent"), pa.array(intents).cast(sessions.field("intent").type))


def test_beyond_the_size_of_a_split_limits_grow() -> None:
    thresholds = Thresholds.of(observed(300, seed=1), window_days=7, false_alarm_rate=0.05, seed=7)
    assert thresholds.limits_at(thresholds.n_effective / 2) == thresholds.limits
    assert all(0 <= power <= 0.5 for power in thresholds.growth.values())
    grown = thresholds.model_copy(update={"growth": dict.fromkeys(thresholds.growth, 0.5)})
    larger = grown.limits_at(4 * thresholds.n_effective)
    assert larger["intents"] == pytest.approx(2 * thresholds.limits["intents"], rel=1e-3)


def test_cells_are_the_nearest_centres_and_far_from_all_in_the_last_band() -> None:
    draw = np.random.default_rng(0)
    vectors = np.concatenate([draw.normal(at, 0.1, (100, 3)) for at in (0, 5)]).astype(np.float32)
    cells = Cells.of(vectors, seed=7)
    placed, bands = cells.place(vectors)
    assert set(placed[:100]).isdisjoint(placed[100:])
    assert bands.max() == 6
    _, far = cells.place(vectors[:1] + 100)
    assert far[0] == 6
